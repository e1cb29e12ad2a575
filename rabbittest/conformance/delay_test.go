package conformance_test

import (
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// pauses shows after which time a message came back, four times.
func pauses(args amqp.Table, back back) func(e *env) string {
	return func(e *env) string {
		q := e.quorum("q", args)
		e.put("", q, "x")
		var seen []string
		held := e.channelOn(e.connect())
		message := held.hold(q, 1)
		for range 3 {
			start := time.Now()
			back(e, held, message)
			held = e.channelOn(e.connect())
			message = held.hold(q, 1)
			seen = append(seen, steps(start))
		}
		return strings.Join(seen, ", ")
	}
}

// retrying are the arguments of a queue that delays what comes back.
func retrying(kind string, more ...any) amqp.Table {
	return arguments(append([]any{"x-delayed-retry-type", kind}, more...)...)
}

// delayedRetry is RabbitMQ 4.3's own delay for messages that come back. Older ones know nothing of these arguments.
var delayedRetry = section{"delay what comes back", []row{
	{
		name: "all, rejected",
		want: "0s, 0s, 0s",
		on: map[string]string{
			"4.3": "1s, 2s, 2s",
		},
		run: pauses(retrying("all", "x-delayed-retry-min", 1000, "x-delayed-retry-max", 2000), rejecting(0)),
	},
	{
		name: "all, nacked",
		want: "0s, 0s, 0s",
		on: map[string]string{
			"4.3": "1s, 1s, 1s",
		},
		run: pauses(retrying("all", "x-delayed-retry-min", 1000, "x-delayed-retry-max", 2000), nacking(0)),
	},
	{
		name: "all, channel closed",
		want: "0s, 0s, 0s",
		on: map[string]string{
			"4.3": "1s, 2s, 2s",
		},
		run: pauses(retrying("all", "x-delayed-retry-min", 1000, "x-delayed-retry-max", 2000), closingChannel),
	},
	{
		name: "all, connection dropped",
		want: "0s, 0s, 0s",
		on: map[string]string{
			"4.3": "1s, 2s, 2s",
		},
		run: pauses(retrying("all", "x-delayed-retry-min", 1000, "x-delayed-retry-max", 2000), dropping),
	},
	{
		name: "all, recovered",
		want: "0s, 0s, 0s",
		on: map[string]string{
			"4.3": "1s, 1s, 1s",
		},
		run: pauses(retrying("all", "x-delayed-retry-min", 1000, "x-delayed-retry-max", 2000), recovering),
	},
	{
		name: "failed, rejected",
		want: "0s, 0s, 0s",
		on: map[string]string{
			"4.3": "1s, 2s, 2s",
		},
		run: pauses(retrying("failed", "x-delayed-retry-min", 1000, "x-delayed-retry-max", 2000), rejecting(0)),
	},
	{name: "failed, nacked", want: "0s, 0s, 0s", run: pauses(retrying("failed", "x-delayed-retry-min", 1000, "x-delayed-retry-max", 2000), nacking(0))},
	{
		name: "failed, channel closed",
		want: "0s, 0s, 0s",
		on: map[string]string{
			"4.3": "1s, 2s, 2s",
		},
		run: pauses(retrying("failed", "x-delayed-retry-min", 1000, "x-delayed-retry-max", 2000), closingChannel),
	},
	{name: "returned, rejected", want: "0s, 0s, 0s", run: pauses(retrying("returned", "x-delayed-retry-min", 1000, "x-delayed-retry-max", 2000), rejecting(0))},
	{
		name: "returned, nacked",
		want: "0s, 0s, 0s",
		on: map[string]string{
			"4.3": "1s, 1s, 1s",
		},
		run: pauses(retrying("returned", "x-delayed-retry-min", 1000, "x-delayed-retry-max", 2000), nacking(0)),
	},
	{name: "returned, channel closed", want: "0s, 0s, 0s", run: pauses(retrying("returned", "x-delayed-retry-min", 1000, "x-delayed-retry-max", 2000), closingChannel)},
	{name: "disabled, rejected", want: "0s, 0s, 0s", run: pauses(retrying("disabled", "x-delayed-retry-min", 1000, "x-delayed-retry-max", 2000), rejecting(0))},
	{
		name: "no longest",
		want: "0s, 0s, 0s",
		on: map[string]string{
			"4.3": "1s, 1s, 1s",
		},
		run: pauses(retrying("failed", "x-delayed-retry-min", 1000), rejecting(0)),
	},
	{name: "no shortest", want: "0s, 0s, 0s", run: pauses(retrying("failed", "x-delayed-retry-max", 1000), rejecting(0))},
	{name: "no time", want: "0s, 0s, 0s", run: pauses(retrying("failed"), rejecting(0))},
	{name: "no type", want: "0s, 0s, 0s", run: pauses(arguments("x-delayed-retry-min", 1000), rejecting(0))},
	{
		name: "while it waits it is not ready",
		want: "messages=0 consumers=1, 2,1(r)",
		on: map[string]string{
			"4.0": "messages=0 consumers=1, 1(r),2",
		},
		run: func(e *env) string {
			q := e.quorum("q", retrying("all", "x-delayed-retry-min", 1000))
			e.put("", q, "1", "2")
			ch := e.channel()
			e.must(ch.hold(q, 1)[0].Reject(true))
			ch.fate()
			deliveries := e.channel().consume(q, "", nil)
			e.sleep(quiet)
			return e.counts(q) + ", " + e.receive(deliveries, 2)
		},
	},
	{
		name: "the limit counts the delayed",
		want: `new delivery-count=0(int64); redelivered delivery-count=1(int64); redelivered delivery-count=2(int64), dlq: body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"")`,
		on: map[string]string{
			"4.0": `new; redelivered delivery-count=1(int64); redelivered delivery-count=2(int64), dlq: body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"") + LAST(delivery_limit,q,"")`,
			"4.3": `new; redelivered delivery-count=1(int64) acquired-count=1(int64); redelivered delivery-count=2(int64) acquired-count=2(int64), dlq: body=x redelivered=true exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"") + LAST(delivery_limit,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, retrying("failed", "x-delayed-retry-min", 100, "x-delivery-limit", 2))
			e.put("", q, "x")
			var seen []string
			ch := e.channel()
			for range 3 {
				d := ch.hold(q, 1)[0]
				seen = append(seen, counted(d))
				e.must(d.Reject(true))
			}
			return strings.Join(seen, "; ") + ", dlq: " + e.comes(dlq)
		},
	},
	{
		name: "purge takes the delayed",
		want: "purged 2, later none",
		run: func(e *env) string {
			q := e.quorum("q", retrying("all", "x-delayed-retry-min", 1000))
			e.put("", q, "1", "2")
			ch := e.channel()
			e.must(ch.hold(q, 1)[0].Reject(true))
			ch.fate()
			n, err := ch.QueuePurge(q, false)
			e.must(err)
			e.sleep(2 * step)
			return fmt.Sprintf("purged %d, later %s", n, e.drain(q))
		},
	},
	{
		name: "an unknown type",
		want: "no error",
		run: func(e *env) string {
			q := e.queue("q")
			return e.try(func(ch *channel) error { return ch.declare(q, durable, quorum("x-delayed-retry-type", "some")) })
		},
	},
	{
		name: "a shortest of 0",
		want: "no error",
		run: func(e *env) string {
			q := e.queue("q")
			return e.try(func(ch *channel) error {
				return ch.declare(q, durable, quorum("x-delayed-retry-type", "all", "x-delayed-retry-min", 0))
			})
		},
	},
	{
		name: "a negative shortest",
		want: "no error",
		run: func(e *env) string {
			q := e.queue("q")
			return e.try(func(ch *channel) error {
				return ch.declare(q, durable, quorum("x-delayed-retry-type", "all", "x-delayed-retry-min", -1))
			})
		},
	},
	{
		name: "a shortest that is longer than the longest",
		want: "0s, 0s, 0s",
		on: map[string]string{
			"4.3": "1s, 1s, 1s",
		},
		run: pauses(retrying("all", "x-delayed-retry-min", 2000, "x-delayed-retry-max", 1000), rejecting(0)),
	},
	{
		name: "in a classic queue",
		want: "no error",
		on: map[string]string{
			"4.3": "channel 406 PRECONDITION_FAILED - invalid arg 'x-delayed-retry-min' for queue 'q' in vhost '/' of queue type rabbit_classic_queue",
		},
		run: func(e *env) string {
			q := e.queue("q")
			return e.try(func(ch *channel) error {
				return ch.declare(q, durable, arguments("x-delayed-retry-type", "all", "x-delayed-retry-min", 1000))
			})
		},
	},
}}
