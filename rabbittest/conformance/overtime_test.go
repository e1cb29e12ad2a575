package conformance_test

import (
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// overtime is what RabbitMQ 4.3 does to a consumer of a quorum queue that keeps a message for too long. The others look
// once a minute, which is too long for a row.
var overtime = section{"take too long", []row{
	{
		name: "the consumer's own bound",
		want: "cancel c after 1s, redelivered acquired-count=1(int64), closed, no error",
		not:  hourglass,
		run: func(e *env) string {
			q := e.quorum("q", nil)
			e.put("", q, "x")
			ch := e.channel()
			cancelled := ch.NotifyCancel(make(chan string, 1))
			deliveries := ch.consume(q, "c", arguments("x-consumer-timeout", 1000))
			start := time.Now()
			d := e.next(deliveries)
			seen := fmt.Sprintf("cancel %s after %s, %s", <-cancelled, steps(start), counted(e.await(q, 1)[0]))
			e.must(d.Ack(false)) // too late, and no error
			return seen + ", " + e.rest(deliveries) + ", " + ch.fate()
		},
	},
	{
		name: "the queue's bound",
		want: "cancel c after 1s, no error, redelivered acquired-count=1(int64)",
		not:  hourglass,
		run: func(e *env) string {
			q := e.quorum("q", arguments("x-consumer-timeout", 1000))
			e.put("", q, "x")
			ch := e.channel()
			cancelled := ch.NotifyCancel(make(chan string, 1))
			deliveries := ch.consume(q, "c", nil)
			start := time.Now()
			e.next(deliveries)
			return fmt.Sprintf("cancel %s after %s, %s, %s", <-cancelled, steps(start), ch.fate(), counted(e.await(q, 1)[0]))
		},
	},
	{
		name: "the shorter of both",
		want: "cancel c after 1s",
		not:  hourglass,
		run: func(e *env) string {
			q := e.quorum("q", arguments("x-consumer-timeout", 2000))
			e.put("", q, "x")
			ch := e.channel()
			cancelled := ch.NotifyCancel(make(chan string, 1))
			deliveries := ch.consume(q, "c", arguments("x-consumer-timeout", 1000))
			start := time.Now()
			e.next(deliveries)
			return fmt.Sprintf("cancel %s after %s", <-cancelled, steps(start))
		},
	},
	{
		name: "the longer is the consumer's",
		want: "cancel c after 2s",
		not:  hourglass,
		run: func(e *env) string {
			q := e.quorum("q", arguments("x-consumer-timeout", 1000))
			e.put("", q, "x")
			ch := e.channel()
			cancelled := ch.NotifyCancel(make(chan string, 1))
			deliveries := ch.consume(q, "c", arguments("x-consumer-timeout", 2000))
			start := time.Now()
			e.next(deliveries)
			return fmt.Sprintf("cancel %s after %s", <-cancelled, steps(start))
		},
	},
	{
		name: "two of three, with another consumer",
		want: "redelivered acquired-count=1(int64), 2(r),3(r),- / closed",
		not:  hourglass,
		run: func(e *env) string {
			q := e.quorum("q", nil)
			e.put("", q, "1", "2", "3")
			ch := e.channel()
			cancelled := ch.NotifyCancel(make(chan string, 1))
			deliveries := ch.consume(q, "c", arguments("x-consumer-timeout", 1000))
			e.must(e.next(deliveries).Ack(false))
			e.next(deliveries)
			e.next(deliveries)
			_, others := e.subscriber(q, 0, nil)
			<-cancelled
			seen := e.next(others)
			return counted(seen) + ", " + list([]amqp.Delivery{seen}) + "," + e.rest(others) + " / " + e.rest(deliveries)
		},
	},
	{
		name: "a consumer that does not want to be told",
		want: `basic.consume-ok "c"; basic.deliver "c" 1 0 "" "q"; header class=60 size=1 properties=0000; body x / channel.close 406 "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: -1 ms. This timeout value can be configured, see consumers doc guide to learn more" 0 0; -`,
		not:  hourglass,
		run: func(e *env) string {
			q := e.quorum("q", nil)
			e.put("", q, "x")
			r := e.raw() // without consumer_cancel_notify
			r.write(frame(methodFrame, 1, encode(uint16(60), uint16(20), uint16(0), q, "c", bits(0), table(field("x-consumer-timeout", 'I', uint32(1000))))))
			seen := r.take(4)
			e.sleep(2 * step)
			return seen + " / " + r.rest()
		},
	},
	{
		name: "what get holds",
		want: "messages=1 consumers=0, channel 406 PRECONDITION_FAILED - delivery acknowledgement on channel 2 timed out. Timeout value used: -1 ms. This timeout value can be configured, see consumers doc guide to learn more",
		not:  hourglass,
		run: func(e *env) string {
			q := e.quorum("q", arguments("x-consumer-timeout", 1000))
			e.put("", q, "x")
			ch := e.channel()
			ch.hold(q, 1)
			e.sleep(2 * step)
			return e.counts(q) + ", " + ch.fate()
		},
	},
	{
		name: "in a classic queue",
		want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue 'q' in vhost '/' of queue type rabbit_classic_queue",
		not:  hourglass,
		run: func(e *env) string {
			q := e.classic("q", nil)
			return e.try(func(ch *channel) error {
				_, err := ch.Consume(q, "c", false, false, false, false, arguments("x-consumer-timeout", 1000))
				return err
			})
		},
	},
}}

// hourglass is why these rows are for 4.3 alone.
var hourglass = map[string]string{"3.10": "it looks once a minute", "4.0": "it looks once a minute"}
