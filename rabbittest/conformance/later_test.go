package conformance_test

import amqp "github.com/rabbitmq/amqp091-go"

// afterwards is what comes of deliveries whose queue is no longer what it was.
var afterwards = section{"settle later", []row{
	{
		name: "a delivery of a queue that was deleted and declared again",
		want: "no error, new",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "old")
			ch := e.channel()
			d := ch.hold(q, 1)[0]
			_, err := e.channel().QueueDelete(q, false, false, false)
			e.must(err)
			e.must(e.channel().declare(q, durable, nil))
			e.put("", q, "new")
			e.must(d.Nack(false, true))
			return ch.fate() + ", " + e.stays(q)
		},
	},
	{
		name: "a delivery of a quorum queue that was deleted and declared again",
		want: "no error, new",
		run: func(e *env) string {
			q := e.quorum("q", nil)
			e.put("", q, "old")
			ch := e.channel()
			d := ch.hold(q, 1)[0]
			_, err := e.channel().QueueDelete(q, false, false, false)
			e.must(err)
			e.must(e.channel().declare(q, durable, quorum()))
			e.put("", q, "new")
			e.must(d.Nack(false, true))
			return ch.fate() + ", " + e.stays(q)
		},
	},
	{
		name: "a consumer of a deleted queue is cancelled by its client",
		want: "no error",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			ch.consume(q, "c", nil)
			_, err := e.channel().QueueDelete(q, false, false, false)
			e.must(err)
			e.must(ch.Cancel("c", false))
			return ch.fate()
		},
	},
	{
		name: "a consumer of a deleted queue, and the queue again",
		want: "x",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			cancelled := ch.NotifyCancel(make(chan string, 1))
			ch.consume(q, "c", nil)
			_, err := e.channel().QueueDelete(q, false, false, false)
			e.must(err)
			<-cancelled
			e.must(e.channel().declare(q, durable, nil))
			deliveries := ch.consume(q, "c", nil)
			e.put("", q, "x")
			return e.receive(deliveries, 1)
		},
	},
	{
		name: "a consumer that was not told that its queue is deleted",
		want: "-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			r := e.raw() // without consumer_cancel_notify
			r.call("basic.consume-ok", 1, 60, 20, uint16(0), q, "c", bits(0), table())
			_, err := e.channel().QueueDelete(q, false, false, false)
			e.must(err)
			return r.rest()
		},
	},
	{
		name: "a consumer that wants to be told that its queue is deleted",
		want: `basic.cancel "c" 1; -`,
		run: func(e *env) string {
			q := e.classic("q", nil)
			r := e.raw("consumer_cancel_notify")
			r.call("basic.consume-ok", 1, 60, 20, uint16(0), q, "c", bits(0), table())
			_, err := e.channel().QueueDelete(q, false, false, false)
			e.must(err)
			return r.rest()
		},
	},
	{
		name: "requeued past its time, with a consumer that waits",
		want: "-, dlq: x",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, arguments("x-message-ttl", 100))
			e.put("", q, "x")
			ch := e.channel()
			d := ch.hold(q, 1)[0]
			deliveries := e.channel().consume(q, "", nil)
			e.sleep(quiet)
			e.must(d.Nack(false, true))
			return e.rest(deliveries) + ", dlq: " + e.stays(dlq)
		},
	},
	{
		name: "requeued past its time, with a consumer that waits, quorum",
		want: "-, dlq: x",
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, arguments("x-message-ttl", 100))
			e.put("", q, "x")
			ch := e.channel()
			d := ch.hold(q, 1)[0]
			deliveries := e.channel().consume(q, "", nil)
			e.sleep(quiet)
			e.must(d.Nack(false, true))
			return e.rest(deliveries) + ", dlq: " + e.stays(dlq)
		},
	},
	{
		name: "through three queues with a TTL of 0",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,b,ex="",rks=["b"],n=1), D(expired,a,ex="",rks=["a"],n=1)]} + FIRST(expired,a,"")`,
		on: map[string]string{
			"4": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,b,ex="",rks=["b"],n=1), D(expired,a,ex="",rks=["a"],n=1)]} + FIRST(expired,a,"") + LAST(expired,b,"")`,
		},
		run: func(e *env) string {
			dlq := e.classic("dlq", nil)
			b := e.classic("b", with(e.toDLQ(), "x-message-ttl", 0))
			a := e.classic("a", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": b, "x-message-ttl": 0})
			e.put("", a, "x")
			return e.comes(dlq)
		},
	},
	{
		name: "an expired message where a busy consumer waits",
		want: "dlq: 2, then -",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, arguments("x-message-ttl", 100))
			_, deliveries := e.subscriber(q, 1, nil)
			e.put("", q, "1", "2")
			d := e.next(deliveries)
			e.sleep(quiet)
			seen := "dlq: " + e.drain(dlq)
			e.must(d.Ack(false))
			return seen + ", then " + e.rest(deliveries)
		},
	},
	{
		name: "who holds a message of a quorum queue, and was cancelled",
		want: "messages=0 consumers=1, then messages=0 consumers=0",
		run: func(e *env) string {
			q := e.quorum("q", nil)
			e.put("", q, "1", "2")
			ch := e.channel()
			deliveries := ch.consume(q, "c", nil)
			e.next(deliveries)
			d := e.next(deliveries)
			e.must(ch.Cancel("c", false))
			e.sleep(quiet)
			seen := e.counts(q)
			e.must(d.Ack(true))
			e.sleep(quiet)
			return seen + ", then " + e.counts(q)
		},
	},
	{
		name: "who holds a message of a classic queue, and was cancelled",
		want: "messages=0 consumers=0",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "1", "2")
			ch := e.channel()
			deliveries := ch.consume(q, "c", nil)
			e.next(deliveries)
			e.must(ch.Cancel("c", false))
			e.sleep(quiet)
			return e.counts(q)
		},
	},
	{
		name: "ack multiple over two queues",
		want: "none / 4(r)",
		run: func(e *env) string {
			p, q := e.classic("p", nil), e.classic("q", nil)
			e.put("", p, "1", "3")
			e.put("", q, "2", "4")
			ch := e.channel()
			ch.hold(p, 1)
			ch.hold(q, 1)
			d := ch.hold(p, 1)[0]
			ch.hold(q, 1)
			e.must(d.Ack(true))
			e.must(ch.Close())
			return e.stays(p) + " / " + e.drain(q)
		},
	},
	{
		name: "nack multiple over two queues, and over what is acknowledged",
		want: "1(r),3(r) / none",
		run: func(e *env) string {
			p, q := e.classic("p", nil), e.classic("q", nil)
			e.put("", p, "1", "3")
			e.put("", q, "2", "4")
			ch := e.channel()
			ch.hold(p, 1)
			d := ch.hold(q, 1)[0]
			last := ch.hold(p, 1)[0]
			ch.hold(q, 1)
			e.must(d.Ack(false))
			e.must(last.Nack(true, true))
			ch.fate()
			return e.stays(p) + " / " + e.drain(q)
		},
	},
	{
		name: "a message that expires while it waits for its turn at a requeue",
		want: "dlq: 1, left 2(r)",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.publish("", q, expiring("1", "100"))
			e.put("", q, "2")
			ch := e.channel()
			held := ch.hold(q, 2)
			e.sleep(quiet)
			e.must(held[1].Nack(false, true))
			e.must(held[0].Nack(false, true))
			ch.fate()
			return "dlq: " + e.stays(dlq) + ", left " + e.drain(q)
		},
	},
}}
