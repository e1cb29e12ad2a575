package conformance_test

import (
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// once declares a queue.
func once(f flags, args amqp.Table) func(e *env) string {
	return func(e *env) string {
		q := e.name("q")
		if !f.has(exclusive) { // those go with their connection
			q = e.queue("q")
		}
		return e.try(func(ch *channel) error { return ch.declare(q, f, args) })
	}
}

// ttl, and its like, declare a durable queue with one argument of this value.
func ttl(v any) func(e *env) string      { return once(durable, arguments("x-message-ttl", v)) }
func expires(v any) func(e *env) string  { return once(durable, arguments("x-expires", v)) }
func length(v any) func(e *env) string   { return once(durable, arguments("x-max-length", v)) }
func priority(v any) func(e *env) string { return once(durable, arguments("x-max-priority", v)) }
func overflow(v any) func(e *env) string { return once(durable, arguments("x-overflow", v)) }
func ofType(v any) func(e *env) string   { return once(durable, arguments("x-queue-type", v)) }

// declaring is the properties with which a queue can be declared, and its name.
var declaring = section{"declare a queue", []row{
	{name: "durable", want: "no error", run: once(durable, nil)},
	{name: "transient", want: "no error", run: once(none, nil)},
	{name: "transient and auto-delete", want: "no error", run: once(autoDelete, nil)},
	{name: "transient and exclusive", want: "no error", run: once(exclusive, nil)},
	{name: "durable and exclusive", want: "no error", run: once(durable|exclusive, nil)},
	{name: "durable, exclusive and auto-delete", want: "no error", run: once(durable|exclusive|autoDelete, nil)},
	{
		name: "the counts of a new queue", want: `queue.declare-ok "q" 0 0`,
		run: func(e *env) string {
			r, q := e.raw(), e.queue("q")
			r.method(1, 50, 10, uint16(0), q, bits(2), table())
			return r.next()
		},
	},
	{
		name: "passively, and there is none", want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'",
		run: func(e *env) string {
			return e.try(func(ch *channel) error {
				_, err := ch.QueueDeclarePassive(e.name("q"), false, false, false, false, nil)
				return err
			})
		},
	},
	{
		name: "passively without waiting, and there is none", want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'",
		run: func(e *env) string {
			return e.try(func(ch *channel) error {
				_, err := ch.QueueDeclarePassive(e.name("q"), false, false, false, true, nil)
				return err
			})
		},
	},
	{
		name: "without waiting", want: "no error / messages=0 consumers=0",
		run: func(e *env) string {
			q, ch := e.queue("q"), e.channel()
			e.must(ch.declare(q, durable|noWait, nil))
			return ch.fate() + " / " + e.counts(q)
		},
	},
	{
		name: "without waiting, and a bad argument", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': "expected integer, got longstr"`,
		run: func(e *env) string {
			q := e.queue("q")
			return e.try(func(ch *channel) error { return ch.declare(q, durable|noWait, arguments("x-message-ttl", "x")) })
		},
	},
	{
		name: "with a name of the broker's", want: "amq.gen- and xxxxxxxxxxxxxxxxxxxxxx",
		run: func(e *env) string {
			ch := e.channel()
			q, err := ch.QueueDeclare("", false, false, true, false, nil)
			e.must(err)
			random := strings.TrimPrefix(q.Name, "amq.gen-")
			for _, c := range random {
				if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", c) {
					return "a strange name: " + q.Name
				}
			}
			return strings.Replace(q.Name, random, "", 1) + " and " + strings.Repeat("x", len(random))
		},
	},
	{
		name: "two with names of the broker's", want: "two names",
		run: func(e *env) string {
			ch := e.channel()
			one, err := ch.QueueDeclare("", false, false, true, false, nil)
			e.must(err)
			two, err := ch.QueueDeclare("", false, false, true, false, nil)
			e.must(err)
			if one.Name == two.Name {
				return "the same name"
			}
			return "two names"
		},
	},
	{
		name: "of the name that the broker gave it", want: "channel 403 ACCESS_REFUSED - queue name 'amq.gen-…' contains reserved prefix 'amq.*'",
		run: func(e *env) string {
			ch := e.channel()
			q, err := ch.QueueDeclare("", false, false, true, false, nil)
			e.must(err)
			return e.try(func(ch *channel) error { return ch.declare(q.Name, exclusive, nil) })
		},
	},
	{
		name: "passively without a name, and none was declared", want: "channel 404 NOT_FOUND - no queue '' in vhost '/'",
		run: func(e *env) string {
			return e.try(func(ch *channel) error {
				_, err := ch.QueueDeclarePassive("", false, false, false, false, nil)
				return err
			})
		},
	},
	{
		name: "passively without a name, after one was declared", want: "channel 404 NOT_FOUND - no queue '' in vhost '/'",
		run: func(e *env) string {
			q := e.queue("q")
			return e.try(func(ch *channel) error {
				e.must(ch.declare(q, durable, nil))
				_, err := ch.QueueDeclarePassive("", false, false, false, false, nil)
				return err
			})
		},
	},
	{
		name: "named amq.foo", want: "channel 403 ACCESS_REFUSED - queue name 'amq.foo' contains reserved prefix 'amq.*'",
		run: func(e *env) string {
			return e.try(func(ch *channel) error { return ch.declare("amq.foo", durable, nil) })
		},
	},
	{
		name: "named amq.foo, passively", want: "channel 404 NOT_FOUND - no queue 'amq.foo' in vhost '/'",
		run: func(e *env) string {
			return e.try(func(ch *channel) error {
				_, err := ch.QueueDeclarePassive("amq.foo", false, false, false, false, nil)
				return err
			})
		},
	},
	{
		name: "named amq, which is not reserved", want: "no error",
		run: func(e *env) string {
			return e.try(func(ch *channel) error { return ch.declare(e.queue("amq"), durable, nil) })
		},
	},
	{
		name: "with a line feed in its name", want: `queue.declare-ok "ab" 0 0`,
		run: func(e *env) string {
			r := e.raw()
			r.method(1, 50, 10, uint16(0), e.queue("a\nb")+"\r\n", bits(2), table())
			return r.next()
		},
	},
	{
		name: "with spaces and quotes in its name", want: `channel 406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'it's "a" name' in vhost '/': received 'false' but current is 'true'`,
		run: func(e *env) string {
			q := e.queue(`it's "a" name`)
			return e.try(func(ch *channel) error {
				e.must(ch.declare(q, durable, nil))
				return ch.declare(q, none, nil)
			})
		},
	},
	{
		name: "with an umlaut in its name", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'größe' in vhost '/': received 'false' but current is 'true'",
		run: func(e *env) string {
			q := e.queue("größe")
			return e.try(func(ch *channel) error {
				e.must(ch.declare(q, durable, nil))
				return ch.declare(q, none, nil)
			})
		},
	},
	{
		name: "with a name of 255 bytes", want: "no error",
		run: func(e *env) string {
			q := e.queue(strings.Repeat("n", 255-len(e.name(""))))
			return e.try(func(ch *channel) error { return ch.declare(q, durable, nil) })
		},
	},
	{
		name: "an error that is too long for its frame, which a name of 255 bytes makes", want: "channel 404 NOT_FOUND - no queue 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...",
		run: func(e *env) string {
			return e.try(func(ch *channel) error {
				_, err := ch.QueueDeclarePassive(e.name(strings.Repeat("n", 255-len(e.name("")))), false, false, false, false, nil)
				return err
			})
		},
	},
	{
		name: "with a name that is not UTF-8", want: `connection.close 501 "FRAME_ERROR - Malformed UTF-8 in shortstr" 0 0; end`,
		run: func(e *env) string {
			r := e.raw()
			r.method(1, 50, 10, uint16(0), e.name("a\xff"), bits(2|4), table())
			return r.dies()
		},
	},
}}

// typed is the arguments of classic queues, their types and their values.
var typed = section{"declare a classic queue", []row{
	{name: "x-message-ttl 0", want: "no error", run: ttl(int32(0))},
	{name: "x-message-ttl -1", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': {value_negative,-1}", run: ttl(int32(-1))},
	{name: "x-message-ttl as a string", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': "expected integer, got longstr"`, run: ttl("1000")},
	{name: "x-message-ttl as a float", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': "expected integer, got float"`, run: ttl(float32(1))},
	{name: "x-message-ttl as a double", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': "expected integer, got double"`, run: ttl(float64(1.5))},
	{name: "x-message-ttl as a bool", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': "expected integer, got bool"`, run: ttl(true)},
	{name: "x-message-ttl as void", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': "expected integer, got void"`, run: ttl(nil)},
	{name: "x-message-ttl as a table", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': "expected integer, got table"`, run: ttl(amqp.Table{"a": int32(1)})},
	{name: "x-message-ttl as an array", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': "expected integer, got array"`, run: ttl([]any{int32(1)})},
	{name: "x-message-ttl as bytes", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': "expected integer, got binary"`, run: ttl([]byte("1"))},
	{name: "x-message-ttl as a decimal", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': "expected integer, got decimal"`, run: ttl(amqp.Decimal{Scale: 0, Value: 1})},
	{name: "x-message-ttl as a signed byte", want: "no error", run: ttl(int8(1))},
	{name: "x-message-ttl as an unsigned byte", want: "no error", run: ttl(uint8(1))},
	{name: "x-message-ttl as a short", want: "no error", run: ttl(int16(1))},
	{name: "x-message-ttl as a long", want: "no error", run: ttl(int64(1))},
	{name: "x-message-ttl of 2^32-1", want: "no error", run: ttl(int64(1<<32 - 1))},
	{name: "x-message-ttl of 2^33", want: "no error", run: ttl(int64(1 << 33))},
	{name: "x-message-ttl of ten years and a bit", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': {value_too_large,316000000000}", run: ttl(int64(316_000_000_000))},
	{name: "x-message-ttl of 2^63-1", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': {value_too_large,9223372036854775807}", run: ttl(int64(1<<63 - 1))},
	{name: "x-expires 0", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'q' in vhost '/': {value_zero,0}", run: expires(int32(0))},
	{name: "x-expires -1", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'q' in vhost '/': {value_negative,-1}", run: expires(int32(-1))},
	{name: "x-expires as a string", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'q' in vhost '/': "expected integer, got longstr"`, run: expires("1000")},
	{name: "x-expires of 2^33", want: "no error", run: expires(int64(1 << 33))},
	{name: "x-expires of 2^63-1", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'q' in vhost '/': {value_too_large,9223372036854775807}", run: expires(int64(1<<63 - 1))},
	{name: "x-max-length 0", want: "no error", run: length(int32(0))},
	{name: "x-max-length -1", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-max-length' for queue 'q' in vhost '/': {value_negative,-1}", run: length(int32(-1))},
	{name: "x-max-length as a string", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-max-length' for queue 'q' in vhost '/': "expected integer, got longstr"`, run: length("5")},
	{name: "x-max-length of 2^40", want: "no error", run: length(int64(1 << 40))},
	{name: "x-max-length-bytes -1", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-max-length-bytes' for queue 'q' in vhost '/': {value_negative,-1}", run: once(durable, arguments("x-max-length-bytes", int32(-1)))},
	{name: "x-max-length-bytes as a bool", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-max-length-bytes' for queue 'q' in vhost '/': "expected integer, got bool"`, run: once(durable, arguments("x-max-length-bytes", true))},
	{name: "x-max-priority 0", want: "no error", run: priority(int32(0))},
	{name: "x-max-priority 1", want: "no error", run: priority(int32(1))},
	{name: "x-max-priority 255", want: "no error", run: priority(int32(255))},
	{name: "x-max-priority 256", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'q' in vhost '/': {max_value_exceeded,256}", run: priority(int32(256))},
	{name: "x-max-priority -1", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'q' in vhost '/': {value_negative,-1}", run: priority(int32(-1))},
	{name: "x-max-priority as a string", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'q' in vhost '/': "expected integer, got longstr"`, run: priority("5")},
	{name: "x-overflow drop-head", want: "no error", run: overflow("drop-head")},
	{name: "x-overflow reject-publish", want: "no error", run: overflow("reject-publish")},
	{name: "x-overflow reject-publish-dlx", want: "no error", run: overflow("reject-publish-dlx")},
	{name: "x-overflow that does not exist", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-overflow' for queue 'q' in vhost '/': invalid_overflow", run: overflow("foo")},
	{name: "x-overflow as a number", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-overflow' for queue 'q' in vhost '/': {unacceptable_type,signedint}", run: overflow(int32(1))},
	{name: "x-dead-letter-exchange as a number", want: "channel 406 PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'", run: once(durable, arguments("x-dead-letter-exchange", int32(1)))},
	{name: "x-dead-letter-exchange as bytes", want: "channel 406 PRECONDITION_FAILED - invalid type 'binary' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'", run: once(durable, arguments("x-dead-letter-exchange", []byte("a")))},
	{name: "x-dead-letter-exchange as void", want: "channel 406 PRECONDITION_FAILED - invalid type 'void' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'", run: once(durable, arguments("x-dead-letter-exchange", nil))},
	{name: "x-dead-letter-exchange that does not exist", want: "no error", run: once(durable, arguments("x-dead-letter-exchange", "nope"))},
	{name: "x-dead-letter-routing-key alone", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-dead-letter-routing-key' for queue 'q' in vhost '/': routing_key_but_no_dlx_defined", run: once(durable, arguments("x-dead-letter-routing-key", "a"))},
	{name: "x-dead-letter-routing-key as a number", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-dead-letter-routing-key' for queue 'q' in vhost '/': {unacceptable_type,signedint}", run: once(durable, arguments("x-dead-letter-exchange", "", "x-dead-letter-routing-key", int32(1)))},
	{name: "x-dead-letter-routing-key as a number, alone", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-dead-letter-routing-key' for queue 'q' in vhost '/': {unacceptable_type,signedint}", run: once(durable, arguments("x-dead-letter-routing-key", int32(1)))},
	{name: "x-single-active-consumer as a string", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-single-active-consumer' for queue 'q' in vhost '/': {unacceptable_type,longstr}", run: once(durable, arguments("x-single-active-consumer", "true"))},
	{name: "x-single-active-consumer false", want: "no error", run: once(durable, arguments("x-single-active-consumer", false))},
	{name: "x-queue-type classic", want: "no error", run: ofType("classic")},
	{name: "x-queue-type that does not exist", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue 'q' in vhost '/': "unsupported queue type 'foo'"`, run: ofType("foo")},
	{name: "x-queue-type as a number", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue 'q' in vhost '/': {unacceptable_type,signedint}", run: ofType(int32(1))},
	{name: "x-queue-type empty", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue 'q' in vhost '/': "unsupported queue type ''"`, on: map[string]string{"4.3": "no error"}, run: ofType("")},
	{name: "x-queue-type in capitals", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue 'q' in vhost '/': "unsupported queue type 'Classic'"`, run: ofType("Classic")},
	{name: "x-queue-type void", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue 'q' in vhost '/': {unacceptable_type,void}", run: ofType(nil)},
	{name: "x-queue-mode lazy", want: "no error", run: once(durable, arguments("x-queue-mode", "lazy"))},
	{name: "x-queue-mode that does not exist", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-queue-mode' for queue 'q' in vhost '/': "unsupported queue mode 'foo'"`, on: map[string]string{"4.3": "no error"}, run: once(durable, arguments("x-queue-mode", "foo"))},
	{name: "x-queue-mode as a number", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-queue-mode' for queue 'q' in vhost '/': {unacceptable_type,signedint}", on: map[string]string{"4.3": "no error"}, run: once(durable, arguments("x-queue-mode", int32(1)))},
	{name: "x-queue-version 1", want: "no error", on: map[string]string{"4.3": `channel 406 PRECONDITION_FAILED - invalid arg 'x-queue-version' for queue 'q' in vhost '/': "unsupported queue version '1'"`}, run: once(durable, arguments("x-queue-version", int32(1)))},
	{name: "x-queue-version 3", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-queue-version' for queue 'q' in vhost '/': "unsupported queue version '3'"`, run: once(durable, arguments("x-queue-version", int32(3)))},
	{name: "x-queue-version as a string", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-queue-version' for queue 'q' in vhost '/': "expected integer, got longstr"`, run: once(durable, arguments("x-queue-version", "2"))},
	{name: "x-queue-master-locator min-masters", want: "no error", on: map[string]string{"4.3": "connection 541 INTERNAL_ERROR - Feature `queue_master_locator` is deprecated.\\nBy default, this feature is not permitted anymore.\\nThe feature will be removed from a future major RabbitMQ version, regardless of the configuration; actual version to be determined.\\nTo con..."}, run: once(durable, arguments("x-queue-master-locator", "min-masters"))},
	{name: "x-queue-leader-locator", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-queue-leader-locator' for queue 'q' in vhost '/' of queue type rabbit_classic_queue", on: map[string]string{"4": "no error"}, run: once(durable, arguments("x-queue-leader-locator", "balanced"))},
	{name: "x-delivery-limit", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-delivery-limit' for queue 'q' in vhost '/' of queue type rabbit_classic_queue", run: once(durable, arguments("x-delivery-limit", int32(3)))},
	{name: "x-dead-letter-strategy", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-dead-letter-strategy' for queue 'q' in vhost '/' of queue type rabbit_classic_queue", run: once(durable, arguments("x-dead-letter-exchange", "", "x-dead-letter-strategy", "at-least-once"))},
	{name: "x-quorum-initial-group-size", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-quorum-initial-group-size' for queue 'q' in vhost '/' of queue type rabbit_classic_queue", run: once(durable, arguments("x-quorum-initial-group-size", int32(1)))},
	{name: "x-max-age", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-max-age' for queue 'q' in vhost '/' of queue type rabbit_classic_queue", run: once(durable, arguments("x-max-age", "1h"))},
	{name: "x-consumer-timeout", want: "no error", on: map[string]string{"4.3": "channel 406 PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue 'q' in vhost '/' of queue type rabbit_classic_queue"}, run: once(durable, arguments("x-consumer-timeout", int32(100000)))},
	{name: "x-delayed-retry-type", want: "no error", on: map[string]string{"4.3": "channel 406 PRECONDITION_FAILED - invalid arg 'x-delayed-retry-min' for queue 'q' in vhost '/' of queue type rabbit_classic_queue"}, run: once(durable, arguments("x-delayed-retry-type", "all", "x-delayed-retry-min", int32(1)))},
	{name: "an argument that does not exist", want: "no error", run: once(durable, arguments("x-foo", amqp.Table{"a": []any{nil}}))},
	{name: "an argument without x-", want: "no error", run: once(durable, arguments("message-ttl", "bar"))},
	{name: "two bad arguments", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'q' in vhost '/': {value_zero,0}", run: once(durable, arguments("x-message-ttl", int32(-1), "x-expires", int32(0), "x-max-length", int32(-1), "x-overflow", "foo"))},
	{name: "a bad argument and a bad type", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue 'q' in vhost '/': "unsupported queue type 'foo'"`, run: once(durable, arguments("x-message-ttl", int32(-1), "x-queue-type", "foo"))},
	{name: "a bad argument, and it exists", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received the value '-1' of type 'signedint' but current is none", run: twice(durable, nil, durable, arguments("x-message-ttl", int32(-1)))},
}}

// others is what quorum queues refuse, and what they accept. rabbittest has no streams.
var others = section{"declare a quorum queue", []row{
	{name: "quorum", want: "no error", run: once(durable, quorum())},
	{name: "quorum, not durable", want: "channel 406 PRECONDITION_FAILED - invalid property 'non-durable' for queue 'q' in vhost '/'", run: once(none, quorum())},
	{name: "quorum, exclusive", want: "channel 406 PRECONDITION_FAILED - invalid property 'exclusive-owner' for queue 'q' in vhost '/'", run: once(durable|exclusive, quorum())},
	{name: "quorum, auto-delete", want: "channel 406 PRECONDITION_FAILED - invalid property 'auto-delete' for queue 'q' in vhost '/'", run: once(durable|autoDelete, quorum())},
	{name: "quorum, exclusive and not durable", want: "channel 406 PRECONDITION_FAILED - invalid property 'exclusive-owner' for queue 'q' in vhost '/'", run: once(exclusive, quorum())},
	{name: "quorum, with a name of the broker's", want: "channel 406 PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			_, err := ch.QueueDeclare("", true, false, false, false, quorum())
			return err
		})
	}},
	{name: "quorum, x-max-priority", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue", run: once(durable, quorum("x-max-priority", int32(5)))},
	{name: "quorum, x-queue-mode", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-queue-mode' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue", run: once(durable, quorum("x-queue-mode", "lazy"))},
	{name: "quorum, x-queue-version", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-queue-version' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue", run: once(durable, quorum("x-queue-version", int32(2)))},
	{name: "quorum, x-queue-master-locator", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-queue-master-locator' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue", run: once(durable, quorum("x-queue-master-locator", "min-masters"))},
	{name: "quorum, x-message-ttl", want: "no error", run: once(durable, quorum("x-message-ttl", int32(1000)))},
	{name: "quorum, x-message-ttl as a string", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q' in vhost '/': "expected integer, got longstr"`, run: once(durable, quorum("x-message-ttl", "1000"))},
	{name: "quorum, x-expires 0", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'q' in vhost '/': {value_zero,0}", run: once(durable, quorum("x-expires", int32(0)))},
	{name: "quorum, x-overflow reject-publish", want: "no error", run: once(durable, quorum("x-overflow", "reject-publish"))},
	{name: "quorum, x-overflow reject-publish-dlx", want: "no error", run: once(durable, quorum("x-overflow", "reject-publish-dlx"))},
	{name: "quorum, x-single-active-consumer", want: "no error", run: once(durable, quorum("x-single-active-consumer", true))},
	{name: "quorum, x-delivery-limit 0", want: "no error", run: once(durable, quorum("x-delivery-limit", int32(0)))},
	{name: "quorum, x-delivery-limit -1", want: "no error", run: once(durable, quorum("x-delivery-limit", int32(-1)))},
	{name: "quorum, x-delivery-limit -2", want: "no error", run: once(durable, quorum("x-delivery-limit", int32(-2)))},
	{name: "quorum, x-delivery-limit as a string", want: "no error", run: once(durable, quorum("x-delivery-limit", "3"))},
	{name: "quorum, x-dead-letter-strategy at-least-once", want: "no error", run: once(durable, quorum("x-dead-letter-exchange", "", "x-overflow", "reject-publish", "x-dead-letter-strategy", "at-least-once"))},
	{name: "quorum, x-dead-letter-strategy without an exchange", want: "no error", run: once(durable, quorum("x-dead-letter-strategy", "at-least-once"))},
	{name: "quorum, x-dead-letter-strategy that does not exist", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-dead-letter-strategy' for queue 'q' in vhost '/': invalid_dlx_strategy", run: once(durable, quorum("x-dead-letter-strategy", "foo"))},
	{name: "quorum, x-dead-letter-strategy as a number", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-dead-letter-strategy' for queue 'q' in vhost '/': {unacceptable_type,signedint}", run: once(durable, quorum("x-dead-letter-strategy", int32(1)))},
	{name: "quorum, x-quorum-initial-group-size 0", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-quorum-initial-group-size' for queue 'q' in vhost '/': {value_zero,0}", run: once(durable, quorum("x-quorum-initial-group-size", int32(0)))},
	{name: "quorum, x-quorum-initial-group-size as a string", want: `channel 406 PRECONDITION_FAILED - invalid arg 'x-quorum-initial-group-size' for queue 'q' in vhost '/': "expected integer, got longstr"`, run: once(durable, quorum("x-quorum-initial-group-size", "1"))},
	{name: "quorum, x-quorum-target-group-size 0", want: "no error", run: once(durable, quorum("x-quorum-target-group-size", int32(0)))},
	{name: "quorum, x-queue-leader-locator balanced", want: "no error", run: once(durable, quorum("x-queue-leader-locator", "balanced"))},
	{name: "quorum, x-queue-leader-locator that does not exist", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-queue-leader-locator' for queue 'q' in vhost '/': invalid_queue_locator_arg", run: once(durable, quorum("x-queue-leader-locator", "foo"))},
	{name: "quorum, x-max-in-memory-length", want: "no error", run: once(durable, quorum("x-max-in-memory-length", int32(1)))},
	{name: "quorum, x-max-in-memory-bytes -1", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-max-in-memory-bytes' for queue 'q' in vhost '/': {value_negative,-1}", run: once(durable, quorum("x-max-in-memory-bytes", int32(-1)))},
	{name: "quorum, x-max-age", want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-max-age' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue", run: once(durable, quorum("x-max-age", "1h"))},
	{name: "quorum, x-consumer-timeout", want: "no error", run: once(durable, quorum("x-consumer-timeout", int32(100000)))},
	{name: "quorum, x-consumer-timeout as a string", want: "no error", on: map[string]string{"4.3": `channel 406 PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue 'q' in vhost '/': "expected integer, got longstr"`}, run: once(durable, quorum("x-consumer-timeout", "1"))},
	{name: "quorum, x-delayed-retry-type all", want: "no error", run: once(durable, quorum("x-delayed-retry-type", "all", "x-delayed-retry-min", int32(100)))},
	{name: "quorum, x-delayed-retry-type that does not exist", want: "no error", run: once(durable, quorum("x-delayed-retry-type", "foo", "x-delayed-retry-min", int32(100)))},
	{name: "quorum, x-delayed-retry-type without a minimum", want: "no error", run: once(durable, quorum("x-delayed-retry-type", "all"))},
	{name: "quorum, x-delayed-retry-min as a string", want: "no error", run: once(durable, quorum("x-delayed-retry-type", "all", "x-delayed-retry-min", "100"))},
	{name: "quorum, x-delayed-retry-min 0", want: "no error", run: once(durable, quorum("x-delayed-retry-type", "all", "x-delayed-retry-min", int32(0)))},
	{name: "quorum, x-delayed-retry-max below the minimum", want: "no error", run: once(durable, quorum("x-delayed-retry-type", "all", "x-delayed-retry-min", int32(100), "x-delayed-retry-max", int32(50)))},
	{name: "quorum, an argument that does not exist", want: "no error", run: once(durable, quorum("x-foo", "bar"))},
	{name: "quorum, an argument without x-", want: "no error", run: once(durable, quorum("foo", "bar"))},
}}
