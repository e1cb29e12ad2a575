package conformance_test

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// delivering is who gets which message.
var delivering = section{"deliver", []row{
	{
		name: "two consumers in turn",
		want: "0,2,- / 1,3,-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			a, b := e.channel().consume(q, "a", nil), e.channel().consume(q, "b", nil)
			e.put("", q, "0", "1", "2", "3")
			return e.rest(a) + " / " + e.rest(b)
		},
	},
	{
		name: "two consumers of a quorum queue in turn",
		want: "0,2,- / 1,3,-",
		run: func(e *env) string {
			q := e.quorum("q", nil)
			a, b := e.channel().consume(q, "a", nil), e.channel().consume(q, "b", nil)
			e.put("", q, "0", "1", "2", "3")
			return e.rest(a) + " / " + e.rest(b)
		},
	},
	{
		name: "two consumers on one channel in turn",
		want: "0,2,- / 1,3,-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			a, b := ch.consume(q, "a", nil), ch.consume(q, "b", nil)
			e.put("", q, "0", "1", "2", "3")
			return e.rest(a) + " / " + e.rest(b)
		},
	},
	{
		name: "the first takes all that waits",
		want: "0,1,2 / -",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "0", "1", "2")
			a := e.channel().consume(q, "a", nil)
			seen := e.receive(a, 3)
			b := e.channel().consume(q, "b", nil)
			return seen + " / " + e.rest(b)
		},
	},
	{
		name: "a busy consumer is passed over",
		want: "0,- / 1,2,3,-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			one := e.channel()
			e.must(one.Qos(1, 0, false))
			a, b := one.consume(q, "a", nil), e.channel().consume(q, "b", nil)
			e.put("", q, "0", "1", "2", "3")
			return e.rest(a) + " / " + e.rest(b)
		},
	},
	{
		name: "a higher priority gets all",
		want: "- / 0,1,2,3,-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			a := e.channel().consume(q, "a", nil)
			b := e.channel().consume(q, "b", arguments("x-priority", 10))
			e.put("", q, "0", "1", "2", "3")
			return e.rest(a) + " / " + e.rest(b)
		},
	},
	{
		name: "a higher priority gets all of a quorum queue",
		want: "- / 0,1,2,3,-",
		run: func(e *env) string {
			q := e.quorum("q", nil)
			a := e.channel().consume(q, "a", nil)
			b := e.channel().consume(q, "b", arguments("x-priority", 10))
			e.put("", q, "0", "1", "2", "3")
			return e.rest(a) + " / " + e.rest(b)
		},
	},
	{
		name: "a lower priority gets what the higher cannot take",
		want: "2,3,- / 0,1,-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			two := e.channel()
			e.must(two.Qos(2, 0, false))
			a := e.channel().consume(q, "a", arguments("x-priority", -1))
			b := two.consume(q, "b", nil)
			e.put("", q, "0", "1", "2", "3")
			return e.rest(a) + " / " + e.rest(b)
		},
	},
	{
		name: "equal priorities in turn",
		want: "0,2,- / 1,3,- / -",
		run: func(e *env) string {
			q := e.classic("q", nil)
			a := e.channel().consume(q, "a", arguments("x-priority", 5))
			b := e.channel().consume(q, "b", arguments("x-priority", 5))
			c := e.channel().consume(q, "c", arguments("x-priority", 4))
			e.put("", q, "0", "1", "2", "3")
			return e.rest(a) + " / " + e.rest(b) + " / " + e.rest(c)
		},
	},
	{
		name: "an exclusive consumer does not keep get out",
		want: `1 / body=2 redelivered=false exchange="" rk="q"`,
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Qos(1, 0, false))
			deliveries, err := ch.Consume(q, "", false, true, false, false, nil)
			e.must(err)
			e.put("", q, "1", "2")
			return e.receive(deliveries, 1) + " / " + e.taken(q)
		},
	},
	{
		name: "one tag on two channels",
		want: "1,- / 2,-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			a, b := e.channel().consume(q, "t", nil), e.channel().consume(q, "t", nil)
			e.put("", q, "1", "2")
			return e.rest(a) + " / " + e.rest(b)
		},
	},
	{
		name: "a delivery's tags",
		want: "a 1, a 2, a 3",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			a := ch.consume(q, "a", nil)
			e.put("", q, "1")
			one := e.next(a)
			e.put("", q, "2")
			two := e.next(a)
			e.must(two.Nack(false, true))
			three := e.next(a)
			return fmt.Sprintf("%s %d, %s %d, %s %d", one.ConsumerTag, one.DeliveryTag, two.ConsumerTag, two.DeliveryTag, three.ConsumerTag, three.DeliveryTag)
		},
	},
	{
		name: "cancel, and then a message",
		want: "closed, left x",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			deliveries := ch.consume(q, "c", nil)
			e.must(ch.Cancel("c", false))
			e.put("", q, "x")
			return e.rest(deliveries) + ", left " + e.drain(q)
		},
	},
	{
		name: "cancel leaves what is unacknowledged with the channel",
		want: "no error, left none, after the close 2(r)",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.put("", q, "1", "2")
			deliveries := ch.consume(q, "c", nil)
			first := e.next(deliveries)
			e.next(deliveries)
			e.must(ch.Cancel("c", false))
			e.must(first.Ack(false))
			seen := ch.fate() + ", left " + e.drain(q)
			e.must(ch.Close())
			return seen + ", after the close " + e.stays(q)
		},
	},
	{
		name: "cancel leaves what is unacknowledged of a quorum queue with the channel",
		want: "no error, left none, after the close 2(r)",
		run: func(e *env) string {
			q := e.quorum("q", nil)
			ch := e.channel()
			e.put("", q, "1", "2")
			deliveries := ch.consume(q, "c", nil)
			first := e.next(deliveries)
			e.next(deliveries)
			e.must(ch.Cancel("c", false))
			e.must(first.Ack(false))
			seen := ch.fate() + ", left " + e.drain(q)
			e.must(ch.Close())
			return seen + ", after the close " + e.stays(q)
		},
	},
	{
		name: "a tag again after its cancel",
		want: "x",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			ch.consume(q, "c", nil)
			e.must(ch.Cancel("c", false))
			deliveries := ch.consume(q, "c", nil)
			e.put("", q, "x")
			return e.receive(deliveries, 1)
		},
	},
	{
		name: "the queue is deleted",
		want: "deleted with 0, cancel c, deliveries closed, no error",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			cancelled := ch.NotifyCancel(make(chan string, 1))
			deliveries := ch.consume(q, "c", nil)
			n, err := e.channel().QueueDelete(q, false, false, false)
			e.must(err)
			return fmt.Sprintf("deleted with %d, cancel %s, deliveries %s, %s", n, <-cancelled, e.rest(deliveries), ch.fate())
		},
	},
	{
		name: "the queue is deleted, quorum",
		want: "deleted with 0, cancel c, deliveries closed, no error",
		run: func(e *env) string {
			q := e.quorum("q", nil)
			ch := e.channel()
			cancelled := ch.NotifyCancel(make(chan string, 1))
			deliveries := ch.consume(q, "c", nil)
			n, err := e.channel().QueueDelete(q, false, false, false)
			e.must(err)
			return fmt.Sprintf("deleted with %d, cancel %s, deliveries %s, %s", n, <-cancelled, e.rest(deliveries), ch.fate())
		},
	},
	{
		name: "the queue is deleted under unacknowledged deliveries",
		want: "deleted with 1, no error",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.put("", q, "1", "2", "3")
			held := ch.hold(q, 2)
			n, err := e.channel().QueueDelete(q, false, false, false)
			e.must(err)
			e.must(held[0].Ack(false))
			e.must(held[1].Nack(false, true))
			return fmt.Sprintf("deleted with %d, %s", n, ch.fate())
		},
	},
	{
		name: "purge leaves what is unacknowledged",
		want: "purged 2, then 1(r)",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.put("", q, "1", "2", "3")
			held := ch.hold(q, 1)
			n, err := e.channel().QueuePurge(q, false)
			e.must(err)
			e.must(held[0].Nack(false, true))
			e.must(ch.Close())
			return fmt.Sprintf("purged %d, then %s", n, e.stays(q))
		},
	},
	{
		name: "purge leaves what is unacknowledged of a quorum queue",
		want: "purged 2, then 1(r)",
		run: func(e *env) string {
			q := e.quorum("q", nil)
			ch := e.channel()
			e.put("", q, "1", "2", "3")
			held := ch.hold(q, 1)
			n, err := e.channel().QueuePurge(q, false)
			e.must(err)
			e.must(held[0].Nack(false, true))
			e.must(ch.Close())
			return fmt.Sprintf("purged %d, then %s", n, e.stays(q))
		},
	},
	{
		name: "two hundred, in order",
		want: "200 in order",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			deliveries, err := ch.Consume(q, "", true, false, false, false, nil)
			e.must(err)
			publisher := e.channel()
			for i := range 200 {
				e.must(publisher.publish("", q, say(fmt.Sprint(i))))
			}
			var all []amqp.Delivery
			for range 200 {
				all = append(all, e.next(deliveries))
			}
			return order(all)
		},
	},
	{
		name: "two hundred through a quorum queue, in order",
		want: "200 in order",
		run: func(e *env) string {
			q := e.quorum("q", nil)
			deliveries := e.channel().consume(q, "", nil)
			publisher := e.channel()
			for i := range 200 {
				e.must(publisher.publish("", q, say(fmt.Sprint(i))))
			}
			var all []amqp.Delivery
			for range 200 {
				all = append(all, e.next(deliveries))
			}
			return order(all)
		},
	},
}}
