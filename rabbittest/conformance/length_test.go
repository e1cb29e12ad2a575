package conformance_test

import (
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// offered publishes bodies to a queue that may refuse them, and says what the broker answered to each.
func (e *env) offered(queue string, bodies ...string) string {
	e.Helper()
	ch := e.channel()
	e.must(ch.Confirm(false))
	answers := make([]string, len(bodies))
	for i, body := range bodies {
		answers[i] = ch.confirmed("", queue, say(body))
	}
	e.must(ch.Close())
	return strings.Join(answers, ",")
}

// crowded shows what becomes of these bodies in a queue with a bound, and of what it has no room for.
func crowded(declare kind, args amqp.Table, bodies ...string) func(e *env) string {
	return func(e *env) string {
		q, dlq := e.mortal(declare, args)
		answers := e.offered(q, bodies...)
		return answers + ", dlq: " + e.stays(dlq) + ", left " + e.drain(q)
	}
}

// crowding is what a bounded queue does when it is full.
var crowding = section{"be full", []row{
	{name: "1, drop the head", want: "ack,ack,ack, dlq: 1,2, left 3", run: crowded(classics, arguments("x-max-length", 1), "1", "2", "3")},
	{name: "1, quorum, drop the head", want: "ack,ack,ack, dlq: 1,2, left 3", run: crowded(quorums, arguments("x-max-length", 1), "1", "2", "3")},
	{name: "1, reject", want: "ack,nack,nack, dlq: none, left 1", run: crowded(classics, arguments("x-max-length", 1, "x-overflow", "reject-publish"), "1", "2", "3")},
	{name: "1, reject to the dead", want: "ack,nack,nack, dlq: 2,3, left 1", run: crowded(classics, arguments("x-max-length", 1, "x-overflow", "reject-publish-dlx"), "1", "2", "3")},
	{name: "2, drop the head", want: "ack,ack,ack,ack, dlq: 1,2, left 3,4", run: crowded(classics, arguments("x-max-length", 2), "1", "2", "3", "4")},
	{name: "0, drop the head", want: "ack,ack, dlq: 1,2, left none", run: crowded(classics, arguments("x-max-length", 0), "1", "2")},
	{name: "0, reject", want: "nack,nack, dlq: none, left none", run: crowded(classics, arguments("x-max-length", 0, "x-overflow", "reject-publish"), "1", "2")},
	{name: "0, quorum, drop the head", want: "ack,ack, dlq: 1,2, left none", run: crowded(quorums, arguments("x-max-length", 0), "1", "2")},
	{name: "5 bytes, drop the head", want: "ack,ack,ack, dlq: aaa, left bb,c", run: crowded(classics, arguments("x-max-length-bytes", 5), "aaa", "bb", "c")},
	{name: "5 bytes, a message that is larger", want: "ack,ack,ack, dlq: aa,bbbbbbbb, left c", run: crowded(classics, arguments("x-max-length-bytes", 5), "aa", "bbbbbbbb", "c")},
	{name: "5 bytes, reject", want: "ack,nack,ack,ack, dlq: none, left aaa,c,d", run: crowded(classics, arguments("x-max-length-bytes", 5, "x-overflow", "reject-publish"), "aaa", "bbb", "c", "d")},
	{name: "5 bytes and 3 messages", want: "ack,ack,ack,ack,ack, dlq: a,b, left c,d,eee", run: crowded(classics, arguments("x-max-length-bytes", 5, "x-max-length", 3), "a", "b", "c", "d", "eee")},
	{name: "0 bytes, empty bodies", want: "ack,ack, dlq: none, left ,", run: crowded(classics, arguments("x-max-length-bytes", 0), "", "")},
	{
		name: "what the dropped look like",
		want: `body=1 redelivered=false exchange="" rk="dlq" headers={x-death:[D(maxlen,q,ex="",rks=["q"],n=1)]} + FIRST(maxlen,q,"")`,
		on: map[string]string{
			"4": `body=1 redelivered=false exchange="" rk="dlq" headers={x-death:[D(maxlen,q,ex="",rks=["q"],n=1)]} + FIRST(maxlen,q,"") + LAST(maxlen,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, arguments("x-max-length", 1))
			e.put("", q, "1", "2")
			return e.comes(dlq)
		},
	},
	{
		name: "what the dropped of a quorum queue look like",
		want: `body=1 redelivered=false exchange="" rk="dlq" headers={x-death:[D(maxlen,q,ex="",rks=["q"],n=1)]} + FIRST(maxlen,q,"")`,
		on: map[string]string{
			"4": `body=1 redelivered=false exchange="" rk="dlq" headers={x-death:[D(maxlen,q,ex="",rks=["q"],n=1)]} + FIRST(maxlen,q,"") + LAST(maxlen,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, arguments("x-max-length", 1))
			e.put("", q, "1", "2")
			return e.comes(dlq)
		},
	},
	{
		name: "what the refused look like",
		want: `ack,nack, body=2 redelivered=false exchange="" rk="dlq" headers={x-death:[D(maxlen,q,ex="",rks=["q"],n=1)]} + FIRST(maxlen,q,"")`,
		on: map[string]string{
			"4": `ack,nack, body=2 redelivered=false exchange="" rk="dlq" headers={x-death:[D(maxlen,q,ex="",rks=["q"],n=1)]} + FIRST(maxlen,q,"") + LAST(maxlen,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, arguments("x-max-length", 1, "x-overflow", "reject-publish-dlx"))
			answers := e.offered(q, "1", "2")
			return answers + ", " + e.comes(dlq)
		},
	},
	{
		name: "reject without confirms",
		want: "no error, left 1",
		run: func(e *env) string {
			q := e.classic("q", arguments("x-max-length", 1, "x-overflow", "reject-publish"))
			ch := e.channel()
			e.must(ch.publish("", q, say("1")))
			e.must(ch.publish("", q, say("2")))
			return ch.fate() + ", left " + e.stays(q)
		},
	},
	{
		name: "a full queue and one with room",
		want: "ack,nack,nack, full: 0, free: 0,1,2",
		run: func(e *env) string {
			x := e.exchange("x")
			e.must(e.channel().exchange(x, "fanout", none, nil))
			full, free := e.classic("full", arguments("x-max-length", 1, "x-overflow", "reject-publish")), e.classic("free", nil)
			e.must(e.channel().bind(full, x, "", nil))
			e.must(e.channel().bind(free, x, "", nil))
			ch := e.channel()
			e.must(ch.Confirm(false))
			var answers []string
			for i := range 3 {
				answers = append(answers, ch.confirmed(x, "", say(fmt.Sprint(i))))
			}
			return strings.Join(answers, ",") + ", full: " + e.drain(full) + ", free: " + e.drain(free)
		},
	},
	{
		name: "a mandatory message to a queue that rejects",
		want: "ack=false, returned: 0",
		run: func(e *env) string {
			q := e.classic("q", arguments("x-max-length", 0, "x-overflow", "reject-publish"))
			ch := e.channel()
			e.must(ch.Confirm(false))
			returned := ch.NotifyReturn(make(chan amqp.Return, 1))
			confirmation, err := ch.PublishWithDeferredConfirm("", q, true, false, say("x"))
			e.must(err)
			return fmt.Sprintf("ack=%t, returned: %d", confirmation.Wait(), len(returned))
		},
	},
	{
		name: "room again after a get",
		want: "ack,nack / ack,nack",
		run: func(e *env) string {
			q := e.classic("q", arguments("x-max-length", 1, "x-overflow", "reject-publish"))
			answers := e.offered(q, "1", "2")
			e.await(q, 1)
			return answers + " / " + e.offered(q, "3", "4")
		},
	},
	{
		name: "what is unacknowledged takes no room",
		want: "ack / ack,nack",
		run: func(e *env) string {
			q := e.classic("q", arguments("x-max-length", 1, "x-overflow", "reject-publish"))
			answers := e.offered(q, "1")
			ch := e.channel()
			ch.hold(q, 1)
			return answers + " / " + e.offered(q, "2", "3")
		},
	},
	{
		name: "what is unacknowledged takes no room in a quorum queue",
		want: "dlq: none, left 2",
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, arguments("x-max-length", 1))
			e.put("", q, "1")
			ch := e.channel()
			ch.hold(q, 1)
			e.put("", q, "2")
			return "dlq: " + e.stays(dlq) + ", left " + e.drain(q)
		},
	},
	{
		name: "a requeue over the bound",
		want: "dlq: 1, left 2",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, arguments("x-max-length", 1))
			e.put("", q, "1")
			ch := e.channel()
			d := ch.hold(q, 1)[0]
			e.put("", q, "2")
			e.must(d.Nack(false, true))
			return "dlq: " + e.stays(dlq) + ", left " + e.drain(q)
		},
	},
	{
		name: "a requeue over the bound of a quorum queue",
		want: "dlq: 2, left 1(r)",
		on: map[string]string{
			"4": "dlq: 1, left 2",
		},
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, arguments("x-max-length", 1))
			e.put("", q, "1")
			ch := e.channel()
			d := ch.hold(q, 1)[0]
			e.put("", q, "2")
			e.must(d.Nack(false, true))
			return "dlq: " + e.stays(dlq) + ", left " + e.drain(q)
		},
	},
	{
		name: "a requeue over the bound of a queue that rejects",
		want: "ack,ack, left 1(r),2",
		run: func(e *env) string {
			q := e.classic("q", arguments("x-max-length", 1, "x-overflow", "reject-publish"))
			answers := e.offered(q, "1")
			ch := e.channel()
			d := ch.hold(q, 1)[0]
			answers += "," + e.offered(q, "2")
			e.must(d.Nack(false, true))
			e.must(ch.Close())
			return answers + ", left " + e.stays(q)
		},
	},
	{
		name: "several requeued over the bound of a quorum queue",
		want: "dlq: 3,2,1, left 4(r),5(r)",
		on: map[string]string{
			"4.3": "dlq: 1(r),2(r),3(r), left 4(r),5(r)",
		},
		run: func(e *env) string {
			q, dlq := e.mortal(limiteds, arguments("x-max-length", 2))
			ch := e.channelOn(e.connect())
			deliveries := ch.consume(q, "", nil)
			e.put("", q, "1", "2", "3", "4", "5")
			for range 5 {
				e.next(deliveries)
			}
			e.must(ch.Close())
			return "dlq: " + e.stays(dlq) + ", left " + e.drain(q)
		},
	},
	{
		name: "0 and a waiting consumer",
		want: "1,2,-, dlq: none",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, arguments("x-max-length", 0))
			deliveries := e.channel().consume(q, "", nil)
			e.put("", q, "1", "2")
			return e.rest(deliveries) + ", dlq: " + e.drain(dlq)
		},
	},
	{
		name: "0, reject, and a waiting consumer",
		want: "nack,nack, -",
		run: func(e *env) string {
			q := e.classic("q", arguments("x-max-length", 0, "x-overflow", "reject-publish"))
			deliveries := e.channel().consume(q, "", nil)
			return e.offered(q, "1", "2") + ", " + e.rest(deliveries)
		},
	},
	{
		name: "the head that is dropped is the highest priority",
		want: "dlq: 5,3, left 1,0",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, arguments("x-max-length", 2, "x-max-priority", 5))
			for _, p := range []uint8{1, 5, 3, 0} {
				e.publish("", q, amqp.Publishing{Body: fmt.Append(nil, p), Priority: p})
			}
			return "dlq: " + e.stays(dlq) + ", left " + e.drain(q)
		},
	},
	{
		name: "a quorum queue drops across priorities",
		want: "dlq: 1,9, left 3,0",
		on: map[string]string{
			"4.0": "dlq: 9,1, left 3,0",
			"4.3": "dlq: 9,0, left 3,1",
		},
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, arguments("x-max-length", 2))
			for _, p := range []uint8{1, 9, 3, 0} {
				e.publish("", q, amqp.Publishing{Body: fmt.Append(nil, p), Priority: p})
			}
			return "dlq: " + e.stays(dlq) + ", left " + e.drain(q)
		},
	},
}}
