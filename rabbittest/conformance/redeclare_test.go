package conformance_test

import (
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"
)

// twice declares a queue, and again with other flags and arguments.
func twice(f flags, args amqp.Table, again flags, argsAgain amqp.Table) func(e *env) string {
	return func(e *env) string {
		q := e.name("q")
		if !f.has(exclusive) {
			q = e.queue("q")
		}
		e.must(e.channel().declare(q, f, args))
		return e.try(func(ch *channel) error { return ch.declare(q, again, argsAgain) })
	}
}

// quorum is the arguments of a quorum queue, and others.
func quorum(args ...any) amqp.Table { return arguments(append(args, "x-queue-type", "quorum")...) }

// arguments makes a table of names and values.
func arguments(pairs ...any) amqp.Table {
	table := amqp.Table{}
	for pair := range slices.Chunk(pairs, 2) {
		table[pair[0].(string)] = pair[1]
	}
	return table
}

// redeclaring is what a broker says to a second declaration of the same queue.
var redeclaring = section{"declare a queue again", []row{
	{name: "with the same properties", want: "no error", run: twice(durable, nil, durable, nil)},
	{name: "with the same arguments", want: "no error", run: twice(durable, arguments("x-message-ttl", int32(1000), "x-max-length", int32(5)), durable, arguments("x-max-length", int32(5), "x-message-ttl", int32(1000)))},
	{name: "not durable", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'", run: twice(durable, nil, none, nil)},
	{name: "durable, and it was not", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'", run: twice(none, nil, durable, nil)},
	{name: "auto-delete", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue 'q' in vhost '/': received 'true' but current is 'false'", run: twice(durable, nil, durable|autoDelete, nil)},
	{name: "not auto-delete, and it was", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue 'q' in vhost '/': received 'false' but current is 'true'", run: twice(durable|autoDelete, nil, durable, nil)},
	{name: "exclusive", want: "channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", run: twice(durable, nil, durable|exclusive, nil)},
	{name: "not exclusive, and it was", want: "channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", run: twice(durable|exclusive, nil, durable, nil)},
	{name: "neither durable nor the same arguments: the property goes first", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'", run: twice(durable, nil, none, arguments("x-message-ttl", int32(1)))},
	{name: "auto-delete and not durable", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'", run: twice(durable, nil, autoDelete, nil)},
	{name: "exclusive and not durable", want: "channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", run: twice(durable, nil, exclusive, nil)},
	{name: "without waiting, not durable", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'", run: twice(durable, nil, noWait, nil)},

	{name: "with another x-message-ttl", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received '2000' but current is '1000'", run: twice(durable, arguments("x-message-ttl", int32(1000)), durable, arguments("x-message-ttl", int32(2000)))},
	{name: "without its x-message-ttl", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received none but current is the value '1000' of type 'signedint'", run: twice(durable, arguments("x-message-ttl", int32(1000)), durable, nil)},
	{name: "with a new x-message-ttl", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received the value '1000' of type 'signedint' but current is none", run: twice(durable, nil, durable, arguments("x-message-ttl", int32(1000)))},
	{name: "with a new x-message-ttl of type long", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received the value '1000' of type 'long' but current is none", run: twice(durable, nil, durable, arguments("x-message-ttl", int64(1000)))},
	{name: "with a new x-message-ttl of type short", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received the value '1000' of type 'short' but current is none", run: twice(durable, nil, durable, arguments("x-message-ttl", int16(1000)))},
	{name: "with a new x-message-ttl of type unsigned byte", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received the value '100' of type 'unsignedbyte' but current is none", run: twice(durable, nil, durable, arguments("x-message-ttl", uint8(100)))},
	{name: "with a new x-message-ttl of type signed byte", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received the value '100' of type 'byte' but current is none", run: twice(durable, nil, durable, arguments("x-message-ttl", int8(100)))},
	{name: "with the same x-message-ttl of another type", want: "no error", run: twice(durable, arguments("x-message-ttl", int32(1000)), durable, arguments("x-message-ttl", int64(1000)))},
	{name: "with another x-message-ttl of another type", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received '2000' but current is '1000'", run: twice(durable, arguments("x-message-ttl", int32(1000)), durable, arguments("x-message-ttl", int64(2000)))},
	{name: "with another x-expires", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-expires' for queue 'q' in vhost '/': received '70000' but current is '60000'", run: twice(durable, arguments("x-expires", int32(60000)), durable, arguments("x-expires", int32(70000)))},
	{name: "without its x-expires", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-expires' for queue 'q' in vhost '/': received none but current is the value '60000' of type 'signedint'", run: twice(durable, arguments("x-expires", int32(60000)), durable, nil)},
	{name: "with another x-max-length", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received '6' but current is '5'", run: twice(durable, arguments("x-max-length", int32(5)), durable, arguments("x-max-length", int32(6)))},
	{name: "with a new x-max-length", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received the value '6' of type 'signedint' but current is none", run: twice(durable, nil, durable, arguments("x-max-length", int32(6)))},
	{name: "with another x-max-length-bytes", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-max-length-bytes' for queue 'q' in vhost '/': received '6' but current is '5'", run: twice(durable, arguments("x-max-length-bytes", int32(5)), durable, arguments("x-max-length-bytes", int32(6)))},
	{name: "with another x-max-priority", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-max-priority' for queue 'q' in vhost '/': received '6' but current is '5'", run: twice(durable, arguments("x-max-priority", int32(5)), durable, arguments("x-max-priority", int32(6)))},
	{name: "without its x-max-priority", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-max-priority' for queue 'q' in vhost '/': received none but current is the value '5' of type 'signedint'", run: twice(durable, arguments("x-max-priority", int32(5)), durable, nil)},
	{name: "with another x-overflow", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-overflow' for queue 'q' in vhost '/': received 'reject-publish' but current is 'drop-head'", run: twice(durable, arguments("x-overflow", "drop-head"), durable, arguments("x-overflow", "reject-publish"))},
	{name: "with x-overflow drop-head, the default", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-overflow' for queue 'q' in vhost '/': received the value 'drop-head' of type 'longstr' but current is none", run: twice(durable, nil, durable, arguments("x-overflow", "drop-head"))},
	{name: "with another x-dead-letter-exchange", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-dead-letter-exchange' for queue 'q' in vhost '/': received 'b' but current is 'a'", run: twice(durable, arguments("x-dead-letter-exchange", "a"), durable, arguments("x-dead-letter-exchange", "b"))},
	{name: "with another x-dead-letter-routing-key", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-dead-letter-routing-key' for queue 'q' in vhost '/': received 'c' but current is 'b'", run: twice(durable, arguments("x-dead-letter-exchange", "a", "x-dead-letter-routing-key", "b"), durable, arguments("x-dead-letter-exchange", "a", "x-dead-letter-routing-key", "c"))},
	{name: "without its x-dead-letter-routing-key", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-dead-letter-routing-key' for queue 'q' in vhost '/': received none but current is the value 'b' of type 'longstr'", run: twice(durable, arguments("x-dead-letter-exchange", "a", "x-dead-letter-routing-key", "b"), durable, arguments("x-dead-letter-exchange", "a"))},
	{name: "without its x-dead-letter-exchange and its routing key", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-dead-letter-exchange' for queue 'q' in vhost '/': received none but current is the value 'a' of type 'longstr'", run: twice(durable, arguments("x-dead-letter-exchange", "a", "x-dead-letter-routing-key", "b"), durable, nil)},
	{name: "with x-single-active-consumer", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-single-active-consumer' for queue 'q' in vhost '/': received the value 'true' of type 'bool' but current is none", run: twice(durable, nil, durable, arguments("x-single-active-consumer", true))},
	{name: "with another x-single-active-consumer", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-single-active-consumer' for queue 'q' in vhost '/': received 'false' but current is 'true'", run: twice(durable, arguments("x-single-active-consumer", true), durable, arguments("x-single-active-consumer", false))},
	{name: "with x-single-active-consumer false", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-single-active-consumer' for queue 'q' in vhost '/': received the value 'false' of type 'bool' but current is none", run: twice(durable, nil, durable, arguments("x-single-active-consumer", false))},
	{name: "with x-queue-mode lazy", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-queue-mode' for queue 'q' in vhost '/': received the value 'lazy' of type 'longstr' but current is none", run: twice(durable, nil, durable, arguments("x-queue-mode", "lazy"))},
	{name: "with another x-queue-mode", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-queue-mode' for queue 'q' in vhost '/': received 'default' but current is 'lazy'", run: twice(durable, arguments("x-queue-mode", "lazy"), durable, arguments("x-queue-mode", "default"))},
	{name: "with x-queue-version 2", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-queue-version' for queue 'q' in vhost '/': received the value '2' of type 'signedint' but current is none", run: twice(durable, nil, durable, arguments("x-queue-version", int32(2)))},
	{name: "with an argument that does not exist", want: "no error", run: twice(durable, nil, durable, arguments("x-foo", "bar"))},
	{name: "with another value of an argument that does not exist", want: "no error", run: twice(durable, arguments("x-foo", "bar"), durable, arguments("x-foo", int32(1)))},
	{name: "with two other arguments: the first by what is looked at first", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-expires' for queue 'q' in vhost '/': received the value '60000' of type 'signedint' but current is none", run: twice(durable, nil, durable, arguments("x-max-length", int32(1), "x-expires", int32(60000), "x-message-ttl", int32(1)))},
	{name: "with all other string arguments", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-dead-letter-exchange' for queue 'q' in vhost '/': received the value 'a' of type 'longstr' but current is none", run: twice(durable, nil, durable, arguments("x-overflow", "reject-publish", "x-dead-letter-exchange", "a", "x-dead-letter-routing-key", "b", "x-single-active-consumer", true))},

	{name: "as a quorum queue", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received the value 'quorum' of type 'longstr' but current is none", on: map[string]string{"4": "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received 'quorum' but current is 'classic'"}, run: twice(durable, nil, durable, quorum())},
	{name: "as a stream", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received the value 'stream' of type 'longstr' but current is none", on: map[string]string{"4": "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received 'stream' but current is 'classic'"}, run: twice(durable, nil, durable, arguments("x-queue-type", "stream"))},
	{name: "as x-queue-type classic", want: "no error", run: twice(durable, nil, durable, arguments("x-queue-type", "classic"))},
	{name: "without its x-queue-type classic", want: "no error", run: twice(durable, arguments("x-queue-type", "classic"), durable, nil)},
	{name: "a quorum queue without its type", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received none but current is the value 'quorum' of type 'longstr'", on: map[string]string{"4": "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received 'classic' but current is 'quorum'"}, run: twice(durable, quorum(), durable, nil)},
	{name: "a quorum queue as x-queue-type classic", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received 'classic' but current is 'quorum'", run: twice(durable, quorum(), durable, arguments("x-queue-type", "classic"))},
	{name: "a quorum queue as itself", want: "no error", run: twice(durable, quorum("x-delivery-limit", int32(3)), durable, quorum("x-delivery-limit", int32(3)))},
	{name: "a quorum queue with another x-delivery-limit", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': received '4' but current is '3'", run: twice(durable, quorum("x-delivery-limit", int32(3)), durable, quorum("x-delivery-limit", int32(4)))},
	{name: "a quorum queue with a new x-delivery-limit", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': received the value '4' of type 'signedint' but current is none", run: twice(durable, quorum(), durable, quorum("x-delivery-limit", int32(4)))},
	{name: "a quorum queue with another x-dead-letter-strategy", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-dead-letter-strategy' for queue 'q' in vhost '/': received 'at-least-once' but current is 'at-most-once'", run: twice(durable, quorum("x-dead-letter-strategy", "at-most-once"), durable, quorum("x-dead-letter-strategy", "at-least-once"))},
	{name: "a quorum queue with another x-quorum-initial-group-size", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-quorum-initial-group-size' for queue 'q' in vhost '/': received '3' but current is '1'", run: twice(durable, quorum("x-quorum-initial-group-size", int32(1)), durable, quorum("x-quorum-initial-group-size", int32(3)))},
	{name: "a quorum queue with another x-message-ttl", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received '2' but current is '1'", run: twice(durable, quorum("x-message-ttl", int32(1)), durable, quorum("x-message-ttl", int32(2)))},
	{name: "a quorum queue with another x-overflow", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-overflow' for queue 'q' in vhost '/': received the value 'reject-publish' of type 'longstr' but current is none", run: twice(durable, quorum(), durable, quorum("x-overflow", "reject-publish"))},
	{name: "a quorum queue with another x-max-in-memory-length", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-max-in-memory-length' for queue 'q' in vhost '/': received '2' but current is '1'", run: twice(durable, quorum("x-max-in-memory-length", int32(1)), durable, quorum("x-max-in-memory-length", int32(2)))},
	{name: "a quorum queue with x-delayed-retry-type", want: "no error", on: map[string]string{"4.3": "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-delayed-retry-type' for queue 'q' in vhost '/': received the value 'all' of type 'longstr' but current is none"}, run: twice(durable, quorum(), durable, quorum("x-delayed-retry-type", "all", "x-delayed-retry-min", int32(100)))},
	{name: "a quorum queue with another x-delayed-retry-min", want: "no error", on: map[string]string{"4.3": "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-delayed-retry-min' for queue 'q' in vhost '/': received '200' but current is '100'"}, run: twice(durable, quorum("x-delayed-retry-type", "all", "x-delayed-retry-min", int32(100)), durable, quorum("x-delayed-retry-type", "all", "x-delayed-retry-min", int32(200)))},
	{name: "a quorum queue with x-consumer-timeout", want: "no error", on: map[string]string{"4.3": "channel 406 PRECONDITION_FAILED - inequivalent arg 'x-consumer-timeout' for queue 'q' in vhost '/': received the value '100000' of type 'signedint' but current is none"}, run: twice(durable, quorum(), durable, quorum("x-consumer-timeout", int32(100000)))},
	{name: "a quorum queue not durable", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'", run: twice(durable, quorum(), none, quorum())},
	{name: "a quorum queue exclusive", want: "channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", run: twice(durable, quorum(), durable|exclusive, quorum())},

	{
		name: "passively, with other properties and arguments", want: "no error",
		run: func(e *env) string {
			q := e.queue("q")
			e.must(e.channel().declare(q, durable, nil))
			return e.try(func(ch *channel) error {
				_, err := ch.QueueDeclarePassive(q, false, true, false, false, quorum("x-message-ttl", "no"))
				return err
			})
		},
	},
	{
		name: "passively, exclusive", want: "no error",
		run: func(e *env) string {
			q := e.queue("q")
			e.must(e.channel().declare(q, durable, nil))
			return e.try(func(ch *channel) error {
				_, err := ch.QueueDeclarePassive(q, true, false, true, false, nil)
				return err
			})
		},
	},
	{
		name: "by its name after it was deleted, with other arguments", want: "no error",
		run: func(e *env) string {
			q, ch := e.queue("q"), e.channel()
			e.must(ch.declare(q, durable, nil))
			_, err := ch.QueueDelete(q, false, false, false)
			e.must(err)
			return e.try(func(ch *channel) error { return ch.declare(q, durable, quorum()) })
		},
	},
}}
