package conformance_test

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// unacked declares a queue, puts three messages there, and takes two of them, with delivery tags 1 and 2. Then it does
// something.
func unacked(do func(ch *channel) error) func(e *env) string {
	return func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, nil))
		e.put("", q, "1", "2", "3")
		return e.try(func(ch *channel) error {
			for range 2 {
				_, _, err := ch.Get(q, false)
				e.must(err)
			}
			return do(ch)
		})
	}
}

// acknowledging is which delivery tags a channel knows.
var acknowledging = section{"acknowledge", []row{
	{name: "ack what was never delivered", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 99", run: named(func(ch *channel) error { return ch.Ack(99, false) })},
	{name: "nack what was never delivered", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 99", run: named(func(ch *channel) error { return ch.Nack(99, false, true) })},
	{name: "reject what was never delivered", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 99", run: named(func(ch *channel) error { return ch.Reject(99, true) })},
	{name: "ack all up to what was never delivered", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 99", run: named(func(ch *channel) error { return ch.Ack(99, true) })},
	{name: "nack all up to what was never delivered", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 99", run: named(func(ch *channel) error { return ch.Nack(99, true, false) })},
	{name: "ack 0", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 0", run: named(func(ch *channel) error { return ch.Ack(0, false) })},
	{name: "nack 0", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 0", run: named(func(ch *channel) error { return ch.Nack(0, false, false) })},
	{name: "reject 0", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 0", run: named(func(ch *channel) error { return ch.Reject(0, false) })},
	{name: "ack everything, and there is nothing", want: "no error", run: named(func(ch *channel) error { return ch.Ack(0, true) })},
	{name: "nack everything, and there is nothing", want: "no error", run: named(func(ch *channel) error { return ch.Nack(0, true, true) })},
	{name: "ack", want: "no error", run: unacked(func(ch *channel) error { return ch.Ack(2, false) })},
	{name: "ack twice", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 1", run: unacked(func(ch *channel) error {
		ch.e.must(ch.Ack(1, false))
		return ch.Ack(1, false)
	})},
	{name: "ack all, then one of them", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 1", run: unacked(func(ch *channel) error {
		ch.e.must(ch.Ack(2, true))
		return ch.Ack(1, false)
	})},
	{name: "ack all twice", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 2", run: unacked(func(ch *channel) error {
		ch.e.must(ch.Ack(2, true))
		return ch.Ack(2, true)
	})},
	{name: "ack the last, then all up to it", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 2", run: unacked(func(ch *channel) error {
		ch.e.must(ch.Ack(2, false))
		return ch.Ack(2, true)
	})},
	{name: "ack the first, then all up to it", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 1", run: unacked(func(ch *channel) error {
		ch.e.must(ch.Ack(1, false))
		return ch.Ack(1, true)
	})},
	{name: "ack all up to what was not delivered yet", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 3", run: unacked(func(ch *channel) error { return ch.Ack(3, true) })},
	{name: "ack everything, then everything", want: "no error", run: unacked(func(ch *channel) error {
		ch.e.must(ch.Ack(0, true))
		return ch.Ack(0, true)
	})},
	{name: "reject, then ack", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 1", run: unacked(func(ch *channel) error {
		ch.e.must(ch.Reject(1, false))
		return ch.Ack(1, false)
	})},
	{name: "2^64-1", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 18446744073709551615", run: named(func(ch *channel) error { return ch.Ack(1<<64-1, false) })},
	{name: "ack over another channel", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 1", run: func(e *env) string {
		q, ch := e.queue("q"), e.channel()
		e.must(ch.declare(q, durable, nil))
		e.put("", q, "a")
		_, _, err := ch.Get(q, false)
		e.must(err)
		return e.try(func(ch *channel) error { return ch.Ack(1, false) })
	}},
	{name: "ack an automatic acknowledgement", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 1", run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, nil))
		e.put("", q, "a")
		return e.try(func(ch *channel) error {
			d, err := ch.Consume(q, "t", true, false, false, false, nil)
			e.must(err)
			return e.next(d).Ack(false)
		})
	}},
	{name: "ack an automatic acknowledgement of a get", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 1", run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, nil))
		e.put("", q, "a")
		return e.try(func(ch *channel) error {
			_, _, err := ch.Get(q, true)
			e.must(err)
			return ch.Ack(1, false)
		})
	}},
	{name: "automatic acknowledgements use up tags too", want: "2", run: func(e *env) string {
		q, ch := e.queue("q"), e.channel()
		e.must(ch.declare(q, durable, nil))
		e.put("", q, "1", "2")
		_, _, err := ch.Get(q, true)
		e.must(err)
		d, _, err := ch.Get(q, false)
		e.must(err)
		return fmt.Sprint(d.DeliveryTag)
	}},
	{name: "in a transaction, what was never delivered", want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 99", run: named(func(ch *channel) error {
		ch.e.must(ch.Tx())
		return ch.Ack(99, false)
	})},
}}

// subscribed declares a queue, subscribes to it, and then does something over another channel.
func subscribed(args amqp.Table, exclusively bool, do func(ch *channel, q string) error) func(e *env) string {
	return func(e *env) string {
		q, first := e.queue("q"), e.channel()
		e.must(first.declare(q, durable, args))
		_, err := first.Consume(q, "first", false, exclusively, false, false, nil)
		e.must(err)
		return e.try(func(ch *channel) error { return do(ch, q) })
	}
}

// consume is a second subscription that may fail.
func consume(exclusively bool) func(ch *channel, q string) error {
	return func(ch *channel, q string) error {
		_, err := ch.Consume(q, "second", false, exclusively, false, false, nil)
		return err
	}
}

// withPriority subscribes with an x-priority.
func withPriority(v any) func(e *env) string { return withArguments(nil, arguments("x-priority", v)) }

// withArguments declares a queue, and subscribes to it with arguments.
func withArguments(queue, consumer amqp.Table) func(e *env) string {
	return func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, queue))
		return e.try(func(ch *channel) error {
			_, err := ch.Consume(q, "t", false, false, false, false, consumer)
			return err
		})
	}
}

// consuming is what subscriptions a broker refuses, and how qos and get can fail.
var consuming = section{"consume and get", []row{
	{name: "a queue that does not exist", want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			_, err := ch.Consume(e.name("q"), "t", false, false, false, false, nil)
			return err
		})
	}},
	{name: "a queue that does not exist, without waiting", want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			_, err := ch.Consume(e.name("q"), "t", false, false, false, true, nil)
			return err
		})
	}},
	{name: "no name, and none was declared", want: "channel 404 NOT_FOUND - no previously declared queue", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			_, err := ch.Consume("", "t", false, false, false, false, nil)
			return err
		})
	}},
	{name: "no name: the queue that was declared last", want: `body=a redelivered=false exchange="" rk="q"`, run: func(e *env) string {
		q, ch := e.queue("q"), e.channel()
		e.must(ch.declare(q, durable, nil))
		e.put("", q, "a")
		return show(e.next(ch.consume("", "t", nil)))
	}},
	{name: "a tag twice", want: "connection 530 NOT_ALLOWED - attempt to reuse consumer tag 't'", run: withQueue(func(ch *channel, q string) error {
		ch.consume(q, "t", nil)
		_, err := ch.Consume(q, "t", false, false, false, false, nil)
		return err
	})},
	{name: "a tag twice, on two channels", want: "no error", run: withQueue(func(ch *channel, q string) error {
		ch.e.channel().consume(q, "t", nil)
		_, err := ch.Consume(q, "t", false, false, false, false, nil)
		return err
	})},
	{name: "a tag again after it was cancelled", want: "no error", run: withQueue(func(ch *channel, q string) error {
		ch.consume(q, "t", nil)
		ch.e.must(ch.Cancel("t", false))
		_, err := ch.Consume(q, "t", false, false, false, false, nil)
		return err
	})},
	{name: "no tag: the broker makes one", want: `basic.consume-ok "amq.ctag-…"`, run: func(e *env) string {
		r, q := e.raw(), e.queue("q")
		r.call("queue.declare-ok", 1, 50, 10, uint16(0), q, bits(2), table())
		r.method(1, 60, 20, uint16(0), q, "", bits(0), table())
		return r.next()
	}},
	{name: "no tag, without waiting", want: `basic.deliver "amq.ctag-…" 1 0 "" "q"; header class=60 size=1 properties=0000; body a`, run: func(e *env) string {
		r, q := e.raw(), e.queue("q")
		r.call("queue.declare-ok", 1, 50, 10, uint16(0), q, bits(2), table())
		r.method(1, 60, 20, uint16(0), q, "", bits(8), table())
		e.put("", q, "a")
		return r.take(3)
	}},
	{name: "a queue that its consumer deletes", want: `queue.delete-ok 0; basic.cancel "t" 1`, run: deletesItsOwn(nil)},
	{name: "a quorum queue that its consumer deletes", want: `queue.delete-ok 0; basic.cancel "t" 1`, run: deletesItsOwn([][]byte{
		field("x-queue-type", 'S', long("quorum")),
	})},
	{name: "no tag twice", want: "no error", run: withQueue(func(ch *channel, q string) error {
		ch.consume(q, "", nil)
		_, err := ch.Consume(q, "", false, false, false, false, nil)
		return err
	})},
	{name: "no_local, which RabbitMQ does not know", want: `basic.deliver "t" 1 0 "" "q"; header class=60 size=1 properties=0000; body a`, run: func(e *env) string {
		q := e.queue("q")
		r := e.raw()
		r.call("queue.declare-ok", 1, 50, 10, uint16(0), q, bits(2), table())
		r.call("basic.consume-ok", 1, 60, 20, uint16(0), q, "t", bits(1), table())
		r.publish(1, "", q, "a")
		return r.take(3)
	}},
	{name: "exclusively, and there is a consumer", want: "channel 403 ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use", run: subscribed(nil, false, consume(true))},
	{name: "exclusively, and there is an exclusive one", want: "channel 403 ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use", run: subscribed(nil, true, consume(true))},
	{name: "and there is an exclusive one", want: "channel 403 ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use", run: subscribed(nil, true, consume(false))},
	{name: "a second one", want: "no error", run: subscribed(nil, false, consume(false))},
	{name: "exclusively, from a quorum queue with a consumer", want: "no error", run: subscribed(quorum(), false, consume(true))},
	{name: "and there is an exclusive one, from a quorum queue", want: "no error", run: subscribed(quorum(), true, consume(false))},
	{name: "exclusively, with single active consumer", want: "channel 403 ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use", run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, arguments("x-single-active-consumer", true)))
		return e.try(func(ch *channel) error { return consume(true)(ch, q) })
	}},
	{name: "exclusively, from a quorum queue with single active consumer", want: "no error", run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, quorum("x-single-active-consumer", true)))
		return e.try(func(ch *channel) error { return consume(true)(ch, q) })
	}},
	{name: "get, and there is an exclusive consumer", want: "no error", run: subscribed(nil, true, func(ch *channel, q string) error {
		_, _, err := ch.Get(q, true)
		return err
	})},
	{name: "exclusively again after the first was cancelled", want: "no error", run: func(e *env) string {
		q, first := e.queue("q"), e.channel()
		e.must(first.declare(q, durable, nil))
		_, err := first.Consume(q, "first", false, true, false, false, nil)
		e.must(err)
		e.must(first.Cancel("first", false))
		return e.try(func(ch *channel) error { return consume(true)(ch, q) })
	}},
	{name: "x-priority", want: "no error", run: withPriority(int32(5))},
	{name: "x-priority -1", want: "no error", run: withPriority(int32(-1))},
	{name: "x-priority as a long", want: "no error", run: withPriority(int64(1 << 40))},
	{name: "x-priority as a string", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q' in vhost '/': "expected integer, got longstr"`, run: withPriority("5")},
	{name: "x-priority as a float", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q' in vhost '/': "expected integer, got float"`, run: withPriority(float32(1))},
	{name: "x-priority as a bool", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q' in vhost '/': "expected integer, got bool"`, run: withPriority(true)},
	{name: "x-priority as a string, from a quorum queue", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q' in vhost '/': "expected integer, got longstr"`, run: withArguments(quorum(), arguments("x-priority", "5"))},
	{name: "an argument that does not exist", want: "no error", run: withArguments(nil, arguments("x-foo", "5"))},
	{name: "x-cancel-on-ha-failover as a string", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-cancel-on-ha-failover' for queue 'q' in vhost '/': {unacceptable_type,longstr}", on: map[string]string{"4": "no error"}, run: withArguments(nil, arguments("x-cancel-on-ha-failover", "5"))},
	{name: "x-stream-offset, not from a stream", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue 'q' in vhost '/' of queue type rabbit_classic_queue", run: withArguments(nil, arguments("x-stream-offset", "first"))},
	{name: "cancel a tag that does not exist", want: "no error", run: named(func(ch *channel) error { return ch.Cancel("nope", false) })},
	{name: "cancel without waiting", want: "no error / messages=0 consumers=0", run: func(e *env) string {
		q, ch := e.queue("q"), e.channel()
		e.must(ch.declare(q, durable, nil))
		ch.consume(q, "t", nil)
		e.must(ch.Cancel("t", true))
		return ch.fate() + " / " + e.counts(q)
	}},
	{name: "get from a queue that does not exist", want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			_, _, err := ch.Get(e.name("q"), false)
			return err
		})
	}},
	{name: "get without a name, and none was declared", want: "channel 404 NOT_FOUND - no previously declared queue", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			_, _, err := ch.Get("", false)
			return err
		})
	}},
	{name: "get from a queue with single active consumer", want: "no error", run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, arguments("x-single-active-consumer", true)))
		return e.try(func(ch *channel) error {
			_, _, err := ch.Get(q, true)
			return err
		})
	}},
	{name: "get from a quorum queue with single active consumer", want: "channel 405 RESOURCE_LOCKED - cannot obtain access to locked queue 'q' in vhost '/'. basic.get operations are not supported by quorum queues with single active consumer", on: map[string]string{"4.3": `channel 405 RESOURCE_LOCKED - cannot obtain access to locked queue 'q' in vhost '/'. basic.get operations are not supported by <<"quorum">> queues with single active consumer`}, run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, quorum("x-single-active-consumer", true)))
		return e.try(func(ch *channel) error {
			_, _, err := ch.Get(q, true)
			return err
		})
	}},
	{name: "get nothing: the answer's field is empty", want: `basic.get-empty ""`, run: func(e *env) string {
		r, q := e.raw(), e.queue("q")
		r.call("queue.declare-ok", 1, 50, 10, uint16(0), q, bits(2), table())
		r.method(1, 60, 70, uint16(0), q, bits(0))
		return r.next()
	}},
	{name: "qos with a prefetch size", want: "connection 540 NOT_IMPLEMENTED - prefetch_size!=0 (1)", run: named(func(ch *channel) error { return ch.Qos(1, 1, false) })},
	{name: "qos 65535", want: "no error", run: named(func(ch *channel) error { return ch.Qos(65535, 0, false) })},
	{name: "qos 0", want: "no error", run: named(func(ch *channel) error { return ch.Qos(0, 0, false) })},
	{name: "qos, global", want: "no error", run: named(func(ch *channel) error { return ch.Qos(1, 0, true) })},
	{name: "a quorum queue after a global qos", want: "connection 540 NOT_IMPLEMENTED - queue 'q' in vhost '/' does not support global qos", on: map[string]string{"4.3": "no error"}, run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, quorum()))
		return e.try(func(ch *channel) error {
			e.must(ch.Qos(1, 0, true))
			_, err := ch.Consume(q, "t", false, false, false, false, nil)
			return err
		})
	}},
	{name: "recover, without requeue", want: `connection.close 540 "NOT_IMPLEMENTED - requeue=false" 60 110; end`, run: func(e *env) string {
		r := e.raw()
		r.method(1, 60, 110, bits(0))
		return r.dies()
	}},
	{name: "recover, and there is nothing", want: "basic.recover-ok", run: func(e *env) string {
		r := e.raw()
		r.method(1, 60, 110, bits(1))
		return r.next()
	}},
	{name: "recover-async, without requeue", want: `connection.close 540 "NOT_IMPLEMENTED - requeue=false" 60 100; end`, run: func(e *env) string {
		r := e.raw()
		r.method(1, 60, 100, bits(0))
		return r.dies()
	}},
	{name: "recover-async, and there is nothing: no answer", want: "-", run: func(e *env) string {
		r := e.raw()
		r.method(1, 60, 100, bits(1))
		return r.rest()
	}},
}}

// deletesItsOwn has a client delete the queue that it consumes. It wants to know of consumers that end.
func deletesItsOwn(args [][]byte) func(e *env) string {
	return func(e *env) string {
		q := e.queue("q")
		r := e.raw("consumer_cancel_notify")
		r.call("queue.declare-ok", 1, 50, 10, uint16(0), q, bits(2), table(args...))
		r.call("basic.consume-ok", 1, 60, 20, uint16(0), q, "t", bits(0), table())
		r.method(1, 50, 40, uint16(0), q, bits(0))
		return r.take(2)
	}
}
