package conformance_test

import (
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// prefetching is how many deliveries a consumer may hold.
var prefetching = section{"prefetch", []row{
	{
		name: "2 of 5, and one more for each acknowledged",
		want: "1,-, then 2,-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "0", "1", "2", "3", "4")
			ch := e.channel()
			e.must(ch.Qos(2, 0, false))
			deliveries := ch.consume(q, "", nil)
			first := e.next(deliveries)
			seen := e.rest(deliveries)
			e.must(first.Ack(false))
			return seen + ", then " + e.rest(deliveries)
		},
	},
	{
		name: "2 of 5 of a quorum queue, and one more for each acknowledged",
		want: "1,-, then 2,-",
		run: func(e *env) string {
			q := e.quorum("q", nil)
			e.put("", q, "0", "1", "2", "3", "4")
			ch := e.channel()
			e.must(ch.Qos(2, 0, false))
			deliveries := ch.consume(q, "", nil)
			first := e.next(deliveries)
			seen := e.rest(deliveries)
			e.must(first.Ack(false))
			return seen + ", then " + e.rest(deliveries)
		},
	},
	{
		name: "one more for each rejected",
		want: "1,-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "0", "1", "2")
			ch := e.channel()
			e.must(ch.Qos(1, 0, false))
			deliveries := ch.consume(q, "", nil)
			e.must(e.next(deliveries).Reject(false))
			return e.rest(deliveries)
		},
	},
	{
		name: "the same again after a requeue",
		want: "0(r),-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "0", "1", "2")
			ch := e.channel()
			e.must(ch.Qos(1, 0, false))
			deliveries := ch.consume(q, "", nil)
			e.must(e.next(deliveries).Nack(false, true))
			return e.rest(deliveries)
		},
	},
	{
		name: "three more when three are acknowledged at once",
		want: "3,4,5,-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "0", "1", "2", "3", "4", "5", "6")
			ch := e.channel()
			e.must(ch.Qos(3, 0, false))
			deliveries := ch.consume(q, "", nil)
			e.next(deliveries)
			e.next(deliveries)
			e.must(e.next(deliveries).Ack(true))
			return e.rest(deliveries)
		},
	},
	{
		name: "each consumer of a channel has its own",
		want: "0,- / 1,-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Qos(1, 0, false))
			a, b := ch.consume(q, "a", nil), ch.consume(q, "b", nil)
			e.put("", q, "0", "1", "2")
			return e.rest(a) + " / " + e.rest(b)
		},
	},
	{
		name: "all consumers of a channel share a global one",
		want: "1 deliveries (1+0)",
		on: map[string]string{
			"4.3": "2 deliveries (1+1)",
		},
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Qos(1, 0, true))
			a, b := ch.consume(q, "a", nil), ch.consume(q, "b", nil)
			e.put("", q, "0", "1", "2")
			return fmt.Sprintf("%d deliveries", 3-e.left(q)) + e.overflow(a, b)
		},
	},
	{
		name: "both",
		want: "3 deliveries (2+1)",
		on: map[string]string{
			"4.3": "6 deliveries (3+3)",
		},
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Qos(2, 0, false))
			e.must(ch.Qos(3, 0, true))
			a, b := ch.consume(q, "a", nil), ch.consume(q, "b", nil)
			e.put("", q, "0", "1", "2", "3", "4", "5")
			return fmt.Sprintf("%d deliveries", 6-e.left(q)) + e.overflow(a, b)
		},
	},
	{
		name: "a global one that changes counts at once",
		want: "0,-, then 1,2,-, then 3,-",
		on: map[string]string{
			"4.3": "0,-, then -, then -",
		},
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Qos(1, 0, true))
			deliveries := ch.consume(q, "", nil)
			e.put("", q, "0", "1", "2", "3")
			seen := e.rest(deliveries)
			e.must(ch.Qos(3, 0, true))
			seen += ", then " + e.rest(deliveries)
			e.must(ch.Qos(0, 0, true))
			return seen + ", then " + e.rest(deliveries)
		},
	},
	{
		name: "one that changes is for later consumers",
		want: "0,- / 1,2,3,-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Qos(1, 0, false))
			a := ch.consume(q, "a", nil)
			e.must(ch.Qos(3, 0, false))
			e.put("", q, "0", "1", "2", "3", "4", "5")
			seen := e.rest(a)
			b := ch.consume(q, "b", nil)
			return seen + " / " + e.rest(b)
		},
	},
	{
		name: "0 is no bound",
		want: "0,1,2,-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Qos(1, 0, false))
			e.must(ch.Qos(0, 0, false))
			deliveries := ch.consume(q, "", nil)
			e.put("", q, "0", "1", "2")
			return e.rest(deliveries)
		},
	},
	{
		name: "a consumer that need not acknowledge has none",
		want: "0,1,2,-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Qos(1, 0, false))
			deliveries, err := ch.Consume(q, "", true, false, false, false, nil)
			e.must(err)
			e.put("", q, "0", "1", "2")
			return e.rest(deliveries)
		},
	},
	{
		name: "get has none",
		want: "0,1,2",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Qos(1, 0, false))
			e.put("", q, "0", "1", "2")
			return list(ch.hold(q, 3))
		},
	},
	{
		name: "what get holds does not count for a consumer",
		want: "1,-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Qos(1, 0, false))
			e.put("", q, "0", "1", "2")
			ch.hold(q, 1)
			return e.rest(ch.consume(q, "", nil))
		},
	},
	{
		name: "what get holds does not count for a global one",
		want: "1,2,-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Qos(2, 0, true))
			e.put("", q, "0", "1", "2")
			ch.hold(q, 1)
			return e.rest(ch.consume(q, "", nil))
		},
	},
	{
		name: "what a cancelled consumer holds",
		want: "1,-",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Qos(1, 0, false))
			e.put("", q, "0", "1", "2")
			e.next(ch.consume(q, "a", nil))
			e.must(ch.Cancel("a", false))
			return e.rest(ch.consume(q, "b", nil))
		},
	},
	{
		name: "a consumer of two queues shares nothing",
		want: "p0,- / q0,-",
		run: func(e *env) string {
			p, q := e.classic("p", nil), e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Qos(1, 0, false))
			e.put("", p, "p0", "p1")
			e.put("", q, "q0", "q1")
			return e.rest(ch.consume(p, "", nil)) + " / " + e.rest(ch.consume(q, "", nil))
		},
	},
}}

// left is how many messages stay ready in a queue.
func (e *env) left(queue string) int {
	e.Helper()
	e.sleep(quiet)
	ch := e.channel()
	defer func() { _ = ch.Close() }()
	q, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
	e.must(err)
	return q.Messages
}

// overflow tells how many deliveries each consumer has, where it does not matter which got more.
func (e *env) overflow(all ...<-chan amqp.Delivery) string {
	var n []string
	for _, deliveries := range all {
		n = append(n, fmt.Sprint(len(strings.Split(e.rest(deliveries), ","))-1))
	}
	return " (" + strings.Join(n, "+") + ")"
}
