package conformance_test

import (
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// deadLettering is what a message looks like that was refused, and where it goes.
var deadLettering = section{"dead-letter", []row{
	{
		name: "reject from a classic queue",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={a:1(int32), x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="dlq" headers={a:1(int32), x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="dlq" headers={a:1(int32), x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.publish("", q, amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"a": int32(1)}})
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
	{
		name: "reject from a quorum queue",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={a:1(int32), x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="dlq" headers={a:1(int32), x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="dlq" headers={a:1(int32), x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, nil)
			e.publish("", q, amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"a": int32(1)}})
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
	{
		name: "reject a message without headers",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.put("", q, "x")
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
	{
		name: "nack",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.put("", q, "x")
			e.must(e.channel().hold(q, 1)[0].Nack(false, false))
			return e.comes(dlq)
		},
	},
	{
		name: "nack multiple",
		want: "1,2,3",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.put("", q, "1", "2", "3")
			e.must(e.channel().hold(q, 3)[2].Nack(true, false))
			return list(e.await(dlq, 3))
		},
	},
	{
		name: "nack multiple in a quorum queue",
		want: "1,2,3",
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, nil)
			e.put("", q, "1", "2", "3")
			e.must(e.channel().hold(q, 3)[2].Nack(true, false))
			return list(e.await(dlq, 3))
		},
	},
	{
		name: "reject out of order",
		want: "2,3,1",
		on: map[string]string{
			"4.3": "2(r),3(r),1(r)",
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.put("", q, "1", "2", "3")
			held := e.channel().hold(q, 3)
			for _, i := range []int{1, 2, 0} {
				e.must(held[i].Reject(false))
			}
			return list(e.await(dlq, 3))
		},
	},
	{
		name: "reject a hundred",
		want: "100 in order",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			ch := e.channel()
			for i := range 100 {
				e.must(ch.publish("", q, say(fmt.Sprint(i))))
			}
			e.refuse(q, 100)
			return order(e.await(dlq, 100))
		},
	},
	{
		name: "reject where nothing is done with the dead",
		want: "none",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "x")
			e.refuse(q, 1)
			return e.stays(q)
		},
	},
	{
		name: "without a routing key the message keeps its own",
		want: `body=x redelivered=false exchange="dlx" rk="kk" headers={x-death:[D(rejected,q,ex="amq.direct",rks=["kk"],n=1)]} + FIRST(rejected,q,"amq.direct")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="dlx" rk="kk" headers={x-death:[D(rejected,q,ex="amq.direct",rks=["kk"],n=1)]} + FIRST(rejected,q,"amq.direct") + LAST(rejected,q,"amq.direct")`,
			"4.3": `body=x redelivered=true exchange="dlx" rk="kk" headers={x-death:[D(rejected,q,ex="amq.direct",rks=["kk"],n=1)]} + FIRST(rejected,q,"amq.direct") + LAST(rejected,q,"amq.direct")`,
		},
		run: func(e *env) string {
			dlx := e.exchange("dlx")
			e.must(e.channel().exchange(dlx, "topic", none, nil))
			q, dlq := e.classic("q", amqp.Table{"x-dead-letter-exchange": dlx}), e.classic("dlq", nil)
			e.must(e.channel().bind(dlq, dlx, "kk", nil))
			e.must(e.channel().bind(q, "amq.direct", e.name("kk"), nil))
			e.must(e.channel().bind(dlq, dlx, e.name("kk"), nil))
			e.put("amq.direct", e.name("kk"), "x")
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
	{
		name: "to the default exchange without a routing key, that is to itself",
		want: `body=x redelivered=false exchange="" rk="q" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="q" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="q" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			q := e.classic("q", amqp.Table{"x-dead-letter-exchange": ""})
			e.put("", q, "x")
			e.refuse(q, 1)
			e.refuse(q, 1)
			return e.comes(q)
		},
	},
	{
		name: "to a missing exchange",
		want: "no error, left none",
		run: func(e *env) string {
			q := e.classic("q", amqp.Table{"x-dead-letter-exchange": e.name("nope")})
			e.put("", q, "x")
			ch := e.channel()
			e.must(ch.hold(q, 1)[0].Reject(false))
			return ch.fate() + ", left " + e.stays(q)
		},
	},
	{
		name: "from a quorum queue to a missing exchange",
		want: "no error, left none",
		run: func(e *env) string {
			q := e.quorum("q", amqp.Table{"x-dead-letter-exchange": e.name("nope")})
			e.put("", q, "x")
			ch := e.channel()
			e.must(ch.hold(q, 1)[0].Reject(false))
			return ch.fate() + ", left " + e.stays(q)
		},
	},
	{
		name: "to a missing queue",
		want: "no error, left none",
		run: func(e *env) string {
			q := e.classic("q", e.toDLQ())
			e.put("", q, "x")
			ch := e.channel()
			e.must(ch.hold(q, 1)[0].Reject(false))
			return ch.fate() + ", left " + e.stays(q)
		},
	},
	{
		name: "a mandatory message to a missing queue is not returned",
		want: "nothing",
		run: func(e *env) string {
			q := e.classic("q", e.toDLQ())
			ch := e.channel()
			returned := ch.NotifyReturn(make(chan amqp.Return, 1))
			e.must(ch.PublishWithContext(e.Context(), "", q, true, false, say("x")))
			e.refuse(q, 1)
			select {
			case r := <-returned:
				return "returned " + r.ReplyText
			case <-time.After(quiet):
				return "nothing"
			}
		},
	},
	{
		name: "to an exchange that was declared after the queue",
		want: `body=x redelivered=false exchange="dlx" rk="q" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="dlx" rk="q" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body=x redelivered=true exchange="dlx" rk="q" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			dlx := e.exchange("dlx")
			q, dlq := e.classic("q", amqp.Table{"x-dead-letter-exchange": dlx}), e.classic("dlq", nil)
			e.must(e.channel().exchange(dlx, "fanout", none, nil))
			e.must(e.channel().bind(dlq, dlx, "", nil))
			e.put("", q, "x")
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
	{
		name: "to two queues",
		want: `body=x redelivered=false exchange="dlx" rk="dead" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") / body=x redelivered=false exchange="dlx" rk="dead" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="dlx" rk="dead" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"") / body=x redelivered=false exchange="dlx" rk="dead" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body=x redelivered=true exchange="dlx" rk="dead" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"") / body=x redelivered=true exchange="dlx" rk="dead" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			dlx := e.exchange("dlx")
			e.must(e.channel().exchange(dlx, "fanout", none, nil))
			q := e.classic("q", amqp.Table{"x-dead-letter-exchange": dlx, "x-dead-letter-routing-key": "dead"})
			a, b := e.classic("a", nil), e.classic("b", nil)
			e.must(e.channel().bind(a, dlx, "", nil))
			e.must(e.channel().bind(b, dlx, "", nil))
			e.put("", q, "x")
			e.refuse(q, 1)
			return e.comes(a) + " / " + e.comes(b)
		},
	},
	{
		name: "through an internal exchange",
		want: `body=x redelivered=false exchange="dlx" rk="q" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="dlx" rk="q" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body=x redelivered=true exchange="dlx" rk="q" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			dlx := e.exchange("dlx")
			e.must(e.channel().exchange(dlx, "fanout", internal, nil))
			q, dlq := e.classic("q", amqp.Table{"x-dead-letter-exchange": dlx}), e.classic("dlq", nil)
			e.must(e.channel().bind(dlq, dlx, "", nil))
			e.put("", q, "x")
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
	{
		name: "through an alternate exchange",
		want: `body=x redelivered=false exchange="dlx" rk="q" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="dlx" rk="q" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body=x redelivered=true exchange="dlx" rk="q" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			dlx, other := e.exchange("dlx"), e.exchange("other")
			e.must(e.channel().exchange(other, "fanout", none, nil))
			e.must(e.channel().exchange(dlx, "direct", none, amqp.Table{"alternate-exchange": other}))
			q, dlq := e.classic("q", amqp.Table{"x-dead-letter-exchange": dlx}), e.classic("dlq", nil)
			e.must(e.channel().bind(dlq, other, "", nil))
			e.put("", q, "x")
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
	{
		name: "through a headers exchange, by the death itself",
		want: `body=x redelivered=false exchange="dlx" rk="q" headers={a:"b", x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") / x`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="dlx" rk="q" headers={a:"b", x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"") / x`,
			"4.3": `body=x redelivered=true exchange="dlx" rk="q" headers={a:"b", x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"") / x(r)`,
		},
		run: func(e *env) string {
			dlx := e.exchange("dlx")
			e.must(e.channel().exchange(dlx, "headers", none, nil))
			q := e.classic("q", amqp.Table{"x-dead-letter-exchange": dlx})
			plain, first := e.classic("plain", nil), e.classic("first", nil)
			e.must(e.channel().bind(plain, dlx, "", amqp.Table{"a": "b"}))
			e.must(e.channel().bind(first, dlx, "", amqp.Table{
				"x-match": "all-with-x", "x-first-death-reason": "rejected", "x-first-death-queue": q,
			}))
			e.publish("", q, amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"a": "b"}})
			e.refuse(q, 1)
			return e.comes(plain) + " / " + e.stays(first)
		},
	},
	{
		name: "from a classic to a quorum queue",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-delivery-count:0(int64), x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="dlq" headers={x-acquired-count:1(int64), x-delivery-count:1(int64), x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			dlq := e.quorum("dlq", nil)
			q := e.classic("q", e.toDLQ())
			e.put("", q, "x")
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
	{
		name: "to a full queue that rejects",
		want: "1, left none",
		on: map[string]string{
			"4.3": "1(r), left none",
		},
		run: func(e *env) string {
			dlq := e.classic("dlq", amqp.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
			q := e.classic("q", e.toDLQ())
			e.put("", q, "1", "2")
			e.refuse(q, 2)
			return e.stays(dlq) + ", left " + e.drain(q)
		},
	},
	{
		name: "to a full queue that drops its head",
		want: "2",
		on: map[string]string{
			"4.3": "2(r)",
		},
		run: func(e *env) string {
			dlq := e.classic("dlq", amqp.Table{"x-max-length": 1})
			q := e.classic("q", e.toDLQ())
			e.put("", q, "1", "2")
			e.refuse(q, 2)
			return e.stays(dlq)
		},
	},
	{
		name: "a requeue before the reject leaves no trace",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.put("", q, "x")
			ch := e.channel()
			e.must(ch.hold(q, 1)[0].Nack(false, true))
			e.must(ch.hold(q, 1)[0].Nack(false, false))
			return e.comes(dlq)
		},
	},
	{
		name: "a requeue before the reject in a quorum queue",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, nil)
			e.put("", q, "x")
			ch := e.channel()
			e.must(ch.hold(q, 1)[0].Reject(true))
			e.must(ch.hold(q, 1)[0].Reject(false))
			return e.comes(dlq)
		},
	},
	{
		name: "from a quorum to a quorum queue after a requeue",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-delivery-count:0(int64), x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=true exchange="" rk="dlq" headers={x-delivery-count:1(int64), x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="dlq" headers={x-acquired-count:2(int64), x-delivery-count:2(int64), x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			dlq := e.quorum("dlq", nil)
			q := e.quorum("q", e.toDLQ())
			e.put("", q, "x")
			ch := e.channel()
			e.must(ch.hold(q, 1)[0].Reject(true))
			e.must(ch.hold(q, 1)[0].Reject(false))
			return e.comes(dlq)
		},
	},
	{
		name: "every property is kept, the expiration apart",
		want: `content-type=text/plain content-encoding=gzip delivery-mode=2 priority=7 correlation-id=correlation reply-to=reply message-id=message timestamp=1700000000 type=type user-id=guest app-id=app headers={a:"b", x-death:[D(rejected,q,ex="",rks=["q"],n=1,orig-exp=60000)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4": `content-type=text/plain content-encoding=gzip delivery-mode=2 priority=7 correlation-id=correlation reply-to=reply message-id=message timestamp=1700000000 type=type user-id=guest app-id=app headers={a:"b", x-death:[D(rejected,q,ex="",rks=["q"],n=1,orig-exp=60000)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.publish("", q, everyProperty)
			e.refuse(q, 1)
			return showProperties(e.await(dlq, 1)[0])
		},
	},
	{
		name: "every property is kept by a quorum queue, the expiration apart",
		want: `content-type=text/plain content-encoding=gzip delivery-mode=2 priority=7 correlation-id=correlation reply-to=reply message-id=message timestamp=1700000000 type=type user-id=guest app-id=app headers={a:"b", x-death:[D(rejected,q,ex="",rks=["q"],n=1,orig-exp=60000)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4": `content-type=text/plain content-encoding=gzip delivery-mode=2 priority=7 correlation-id=correlation reply-to=reply message-id=message timestamp=1700000000 type=type user-id=guest app-id=app headers={a:"b", x-death:[D(rejected,q,ex="",rks=["q"],n=1,orig-exp=60000)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, nil)
			e.publish("", q, everyProperty)
			e.refuse(q, 1)
			return showProperties(e.await(dlq, 1)[0])
		},
	},
	{
		name: "every type of header is kept",
		want: `body= redelivered=false exchange="" rk="dlq" headers={array:[1(int32), "two", [true], {k:"v"}], bool:true, bytes:"\x00\xff"(bytes), decimal:{2 314}(amqp091.Decimal), float32:1.5(float32), float64:2.5(float64), int16:-16(int16), int32:-32(int32), int64:-64(int64), int8:-8(int8), string:"text", table:{deep:{deeper:[void, 1(int64)]}}, time:time, uint16:60000(uint16), uint32:4000000000(uint32), uint8:200(uint8), void:void, x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body= redelivered=false exchange="" rk="dlq" headers={array:[1(int32), "two", [true], {k:"v"}], bool:true, bytes:"\x00\xff"(bytes), decimal:{2 314}(amqp091.Decimal), float32:1.5(float32), float64:2.5(float64), int16:-16(int16), int32:-32(int32), int64:-64(int64), int8:-8(int8), string:"text", table:{deep:{deeper:[void, 1(int64)]}}, time:time, uint16:60000(uint16), uint32:4000000000(uint32), uint8:200(uint8), void:void, x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body= redelivered=true exchange="" rk="dlq" headers={array:[1(int32), "two", [true], {k:"v"}], bool:true, bytes:"\x00\xff"(bytes), decimal:{2 314}(amqp091.Decimal), float32:1.5(float32), float64:2.5(float64), int16:-16(int16), int32:-32(int32), int64:-64(int64), int8:-8(int8), string:"text", table:{deep:{deeper:[void, 1(int64)]}}, time:time, uint16:60000(uint16), uint32:4000000000(uint32), uint8:200(uint8), void:void, x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.publish("", q, amqp.Publishing{Headers: everyHeader})
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
	{
		name: "every type of header is kept by a quorum queue",
		want: `body= redelivered=false exchange="" rk="dlq" headers={array:[1(int32), "two", [true], {k:"v"}], bool:true, bytes:"\x00\xff"(bytes), decimal:{2 314}(amqp091.Decimal), float32:1.5(float32), float64:2.5(float64), int16:-16(int16), int32:-32(int32), int64:-64(int64), int8:-8(int8), string:"text", table:{deep:{deeper:[void, 1(int64)]}}, time:time, uint16:60000(uint16), uint32:4000000000(uint32), uint8:200(uint8), void:void, x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body= redelivered=false exchange="" rk="dlq" headers={array:[1(int32), "two", [true], {k:"v"}], bool:true, bytes:"\x00\xff"(bytes), decimal:{2 314}(amqp091.Decimal), float32:1.5(float32), float64:2.5(float64), int16:-16(int16), int32:-32(int32), int64:-64(int64), int8:-8(int8), string:"text", table:{deep:{deeper:[void, 1(int64)]}}, time:time, uint16:60000(uint16), uint32:4000000000(uint32), uint8:200(uint8), void:void, x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body= redelivered=true exchange="" rk="dlq" headers={array:[1(int32), "two", [true], {k:"v"}], bool:true, bytes:"\x00\xff"(bytes), decimal:{2 314}(amqp091.Decimal), float32:1.5(float32), float64:2.5(float64), int16:-16(int16), int32:-32(int32), int64:-64(int64), int8:-8(int8), string:"text", table:{deep:{deeper:[void, 1(int64)]}}, time:time, uint16:60000(uint16), uint32:4000000000(uint32), uint8:200(uint8), void:void, x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, nil)
			e.publish("", q, amqp.Publishing{Headers: everyHeader})
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
	{
		name: "purge and delete kill nothing",
		want: "purged 2, deleted with 1, dlq: none",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			ch := e.channel()
			e.put("", q, "1", "2")
			purged, err := ch.QueuePurge(q, false)
			e.must(err)
			e.put("", q, "3")
			deleted, err := ch.QueueDelete(q, false, false, false)
			e.must(err)
			return fmt.Sprintf("purged %d, deleted with %d, dlq: %s", purged, deleted, e.stays(dlq))
		},
	},
	{
		name: "an exclusive queue that goes with its connection kills nothing",
		want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/', dlq: none",
		run: func(e *env) string {
			dlq := e.classic("dlq", nil)
			q := e.name("q")
			conn := e.connect()
			e.must(e.channelOn(conn).declare(q, exclusive, e.toDLQ()))
			e.put("", q, "x")
			e.must(conn.Close())
			seen := e.until("channel 404 NOT_FOUND - no queue 'q"+e.token+"' in vhost '/'", func() string { return e.counts(q) })
			return seen + ", dlq: " + e.stays(dlq)
		},
	},
	{
		name: "the channel's close kills nothing",
		want: `body=x redelivered=true exchange="" rk="q", dlq: none`,
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.put("", q, "x")
			ch := e.channel()
			ch.hold(q, 1)
			e.must(ch.Close())
			return strings.Join([]string{e.comes(q), "dlq: " + e.drain(dlq)}, ", ")
		},
	},
}}
