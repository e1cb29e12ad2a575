package conformance_test

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// inPriority shows the order in which messages of these priorities leave a queue.
func inPriority(declare kind, args amqp.Table, priorities ...uint8) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", args)
		for i, p := range priorities {
			e.publish("", q, amqp.Publishing{Body: fmt.Appendf(nil, "%d:p%d", i, p), Priority: p})
		}
		return e.drain(q)
	}
}

// priorities is who goes first.
var priorities = section{"have priorities", []row{
	{name: "a classic queue without", want: "0:p0,1:p5,2:p3,3:p9", run: inPriority(classics, nil, 0, 5, 3, 9)},
	{name: "a classic queue with 5", want: "1:p5,3:p9,4:p255,2:p3,6:p3,0:p0,5:p0", run: inPriority(classics, arguments("x-max-priority", 5), 0, 5, 3, 9, 255, 0, 3)},
	{name: "a classic queue with 1", want: "1:p1,2:p2,4:p1,0:p0,3:p0", run: inPriority(classics, arguments("x-max-priority", 1), 0, 1, 2, 0, 1)},
	{name: "a classic queue with 255", want: "1:p255,2:p254,3:p1,0:p0", run: inPriority(classics, arguments("x-max-priority", 255), 0, 255, 254, 1)},
	{
		name: "a quorum queue",
		want: "0:p0,1:p9,2:p4,3:p5,4:p3,5:p1,6:p255,7:p31,8:p32",
		on: map[string]string{
			"4.0": "1:p9,3:p5,0:p0,6:p255,7:p31,2:p4,8:p32,4:p3,5:p1",
			"4.3": "6:p255,7:p31,8:p32,1:p9,3:p5,0:p0,2:p4,4:p3,5:p1",
		},
		run: inPriority(quorums, nil, 0, 9, 4, 5, 3, 1, 255, 31, 32),
	},
	{
		name: "a quorum queue, high ones in front",
		want: "0:p1,1:p1,2:p1,3:p1,4:p9,5:p9,6:p9,7:p9,8:p9,9:p9",
		on: map[string]string{
			"4.0": "4:p9,5:p9,0:p1,6:p9,7:p9,1:p1,8:p9,9:p9,2:p1,3:p1",
			"4.3": "4:p9,5:p9,6:p9,7:p9,8:p9,9:p9,0:p1,1:p1,2:p1,3:p1",
		},
		run: inPriority(quorums, nil, 1, 1, 1, 1, 9, 9, 9, 9, 9, 9),
	},
	{
		name: "a quorum queue, low ones last",
		want: "0:p9,1:p1,2:p9,3:p1,4:p9,5:p1,6:p9,7:p1",
		on: map[string]string{
			"4.0": "0:p9,2:p9,1:p1,4:p9,6:p9,3:p1,5:p1,7:p1",
			"4.3": "0:p9,2:p9,4:p9,6:p9,1:p1,3:p1,5:p1,7:p1",
		},
		run: inPriority(quorums, nil, 9, 1, 9, 1, 9, 1, 9, 1),
	},
	{
		name: "the delivery shows the priority as it was",
		want: "priority=9",
		run: func(e *env) string {
			q := e.classic("q", arguments("x-max-priority", 5))
			e.publish("", q, amqp.Publishing{Priority: 9})
			return showProperties(e.await(q, 1)[0])
		},
	},
	{
		name: "a requeued message keeps its place",
		want: "1:p5(r),0:p1(r),3:p1",
		run: func(e *env) string {
			q := e.classic("q", arguments("x-max-priority", 5))
			for i, p := range []uint8{1, 5, 5, 1} {
				e.publish("", q, amqp.Publishing{Body: fmt.Appendf(nil, "%d:p%d", i, p), Priority: p})
			}
			ch := e.channel()
			held := ch.hold(q, 3)
			e.must(held[2].Nack(false, true))
			e.must(held[0].Nack(false, true))
			e.must(ch.Ack(held[1].DeliveryTag, false))
			e.must(ch.Close())
			return e.stays(q)
		},
	},
	{
		name: "a requeued message in a quorum queue",
		want: "2:p9(r),0:p1(r),3:p1",
		on: map[string]string{
			"4": "0:p1(r),1:p9(r),3:p1",
		},
		run: func(e *env) string {
			q := e.limited("q", nil)
			for i, p := range []uint8{1, 9, 9, 1} {
				e.publish("", q, amqp.Publishing{Body: fmt.Appendf(nil, "%d:p%d", i, p), Priority: p})
			}
			ch := e.channel()
			held := ch.hold(q, 3)
			e.must(held[2].Nack(false, true))
			e.must(held[0].Nack(false, true))
			e.must(ch.Ack(held[1].DeliveryTag, false))
			e.must(ch.Close())
			return e.stays(q)
		},
	},
	{
		name: "what is delivered already is not overtaken",
		want: "0:p1,2:p5,1:p2",
		run: func(e *env) string {
			q := e.classic("q", arguments("x-max-priority", 5))
			ch := e.channel()
			e.must(ch.Qos(1, 0, false))
			deliveries := ch.consume(q, "", nil)
			for i, p := range []uint8{1, 2, 5} {
				e.publish("", q, amqp.Publishing{Body: fmt.Appendf(nil, "%d:p%d", i, p), Priority: p})
			}
			var seen []amqp.Delivery
			for range 3 {
				d := e.next(deliveries)
				seen = append(seen, d)
				e.must(d.Ack(false))
			}
			return list(seen)
		},
	},
	{
		name: "dead-lettered messages keep it",
		want: "1:p5,2:p3,0:p1",
		run: func(e *env) string {
			dlq := e.classic("dlq", arguments("x-max-priority", 5))
			q := e.classic("q", e.toDLQ())
			for i, p := range []uint8{1, 5, 3} {
				e.publish("", q, amqp.Publishing{Body: fmt.Appendf(nil, "%d:p%d", i, p), Priority: p})
			}
			ch := e.channel()
			e.must(ch.hold(q, 3)[2].Nack(true, false))
			e.must(ch.Close())
			return e.stays(dlq)
		},
	},
}}
