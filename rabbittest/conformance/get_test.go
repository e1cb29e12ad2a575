package conformance_test

import "fmt"

// getting is basic.get, and what queue.declare-ok counts.
var getting = section{"get", []row{
	{
		name: "from an empty queue",
		want: "none",
		run:  func(e *env) string { return e.taken(e.classic("q", nil)) },
	},
	{
		name: "how many are left",
		want: `1, 2 left, tag 1, consumer ""`,
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "1", "2", "3")
			d, _ := e.get(q)
			return fmt.Sprintf("%s, %d left, tag %d, consumer %q", d.Body, d.MessageCount, d.DeliveryTag, d.ConsumerTag)
		},
	},
	{
		name: "how many are left in a quorum queue",
		want: `1, 2 left, tag 1, consumer ""`,
		run: func(e *env) string {
			q := e.quorum("q", nil)
			e.put("", q, "1", "2", "3")
			d, _ := e.get(q)
			return fmt.Sprintf("%s, %d left, tag %d, consumer %q", d.Body, d.MessageCount, d.DeliveryTag, d.ConsumerTag)
		},
	},
	{
		name: "tags count with the consumers'",
		want: "1, 2",
		run: func(e *env) string {
			p, q := e.classic("p", nil), e.classic("q", nil)
			e.put("", p, "1")
			e.put("", q, "2")
			ch := e.channel()
			one, two := e.next(ch.consume(p, "", nil)), ch.hold(q, 1)[0]
			return fmt.Sprintf("%d, %d", one.DeliveryTag, two.DeliveryTag)
		},
	},
	{
		name: "without acknowledgement it is gone",
		want: "2",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "1", "2")
			ch := e.channel()
			_, _, err := ch.Get(q, true)
			e.must(err)
			e.must(ch.Close())
			return e.stays(q)
		},
	},
	{
		name: "between two deliveries",
		want: `1 / body=2 redelivered=false exchange="" rk="q" / 3,-`,
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Qos(1, 0, false))
			e.put("", q, "1", "2", "3")
			deliveries := ch.consume(q, "", nil)
			d := e.next(deliveries)
			seen := string(d.Body) + " / " + e.taken(q) + " / "
			e.must(d.Ack(false))
			return seen + e.rest(deliveries)
		},
	},
	{
		name: "requeue the first of two that are held",
		want: "1(r),3",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "1", "2", "3")
			ch := e.channel()
			held := ch.hold(q, 2)
			e.must(held[0].Reject(true))
			return list(ch.hold(q, 2))
		},
	},
	{
		name: "ready ones count, held ones do not",
		want: "messages=0 consumers=1, then messages=4 consumers=0",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "1", "2", "3")
			e.channel().hold(q, 1)
			e.channel().consume(q, "", nil)
			e.put("", q, "4")
			seen := e.counts(q)
			e.must(e.first.Close())
			e.first = nil
			e.sleep(quiet)
			return seen + ", then " + e.counts(q)
		},
	},
	{
		name: "holders of a quorum queue",
		want: "messages=1 consumers=2, then messages=1 consumers=0",
		run: func(e *env) string {
			q := e.quorum("q", nil)
			e.put("", q, "1", "2", "3")
			ch := e.channel()
			held := ch.hold(q, 2)
			e.sleep(quiet)
			seen := e.counts(q)
			e.must(ch.Ack(held[1].DeliveryTag, true))
			ch.fate()
			e.sleep(quiet)
			return seen + ", then " + e.counts(q)
		},
	},
	{
		name: "declare tells the counts too",
		want: "messages=2 consumers=0",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "1", "2")
			ch := e.channel()
			ch.consume(e.classic("other", nil), "", nil)
			declared, err := ch.QueueDeclare(q, true, false, false, false, nil)
			e.must(err)
			return fmt.Sprintf("messages=%d consumers=%d", declared.Messages, declared.Consumers)
		},
	},
	{
		name: "from the queue declared last",
		want: "x true",
		run: func(e *env) string {
			ch := e.channel()
			e.must(ch.declare(e.queue("p"), durable, nil))
			e.must(ch.declare(e.queue("q"), durable, nil))
			e.put("", e.name("q"), "x")
			d, ok, err := ch.Get("", true)
			e.must(err)
			return fmt.Sprintf("%s %t", d.Body, ok)
		},
	},
}}
