package conformance_test

import amqp "github.com/rabbitmq/amqp091-go"

// twice declares a queue, and again with other flags and arguments.
func twice(f flags, args amqp.Table, again flags, argsAgain amqp.Table) func(e *env) string {
	return func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, f, args))
		return e.try(func(ch *channel) error { return ch.declare(q, again, argsAgain) })
	}
}

// quorum and stream are the arguments of queues of these types, and others.
func quorum(args ...any) amqp.Table { return arguments(append(args, "x-queue-type", "quorum")...) }
func stream(args ...any) amqp.Table { return arguments(append(args, "x-queue-type", "stream")...) }

// arguments makes a table of names and values.
func arguments(pairs ...any) amqp.Table {
	table := amqp.Table{}
	for i := 0; i < len(pairs); i += 2 {
		table[pairs[i].(string)] = pairs[i+1]
	}
	return table
}

// redeclaring is what a broker says to a second declaration of the same queue.
var redeclaring = section{"declare a queue again", []row{
	{name: "with the same properties", want: "?", run: twice(durable, nil, durable, nil)},
	{name: "with the same arguments", want: "?", run: twice(durable, arguments("x-message-ttl", int32(1000), "x-max-length", int32(5)), durable, arguments("x-max-length", int32(5), "x-message-ttl", int32(1000)))},
	{name: "not durable", want: "?", run: twice(durable, nil, none, nil)},
	{name: "durable, and it was not", want: "?", not: map[string]string{"4.3": "a queue that is neither durable nor exclusive is refused"}, run: twice(none, nil, durable, nil)},
	{name: "auto-delete", want: "?", run: twice(durable, nil, durable|autoDelete, nil)},
	{name: "not auto-delete, and it was", want: "?", run: twice(durable|autoDelete, nil, durable, nil)},
	{name: "exclusive", want: "?", run: twice(durable, nil, durable|exclusive, nil)},
	{name: "not exclusive, and it was", want: "?", run: twice(durable|exclusive, nil, durable, nil)},
	{name: "neither durable nor the same arguments: the property goes first", want: "?", run: twice(durable, nil, none, arguments("x-message-ttl", int32(1)))},
	{name: "auto-delete and not durable", want: "?", run: twice(durable, nil, autoDelete, nil)},
	{name: "exclusive and not durable", want: "?", run: twice(durable, nil, exclusive, nil)},
	{name: "without waiting, not durable", want: "?", run: twice(durable, nil, noWait, nil)},

	{name: "with another x-message-ttl", want: "?", run: twice(durable, arguments("x-message-ttl", int32(1000)), durable, arguments("x-message-ttl", int32(2000)))},
	{name: "without its x-message-ttl", want: "?", run: twice(durable, arguments("x-message-ttl", int32(1000)), durable, nil)},
	{name: "with a new x-message-ttl", want: "?", run: twice(durable, nil, durable, arguments("x-message-ttl", int32(1000)))},
	{name: "with a new x-message-ttl of type long", want: "?", run: twice(durable, nil, durable, arguments("x-message-ttl", int64(1000)))},
	{name: "with a new x-message-ttl of type short", want: "?", run: twice(durable, nil, durable, arguments("x-message-ttl", int16(1000)))},
	{name: "with a new x-message-ttl of type unsigned byte", want: "?", run: twice(durable, nil, durable, arguments("x-message-ttl", uint8(100)))},
	{name: "with a new x-message-ttl of type signed byte", want: "?", run: twice(durable, nil, durable, arguments("x-message-ttl", int8(100)))},
	{name: "with the same x-message-ttl of another type", want: "?", run: twice(durable, arguments("x-message-ttl", int32(1000)), durable, arguments("x-message-ttl", int64(1000)))},
	{name: "with another x-message-ttl of another type", want: "?", run: twice(durable, arguments("x-message-ttl", int32(1000)), durable, arguments("x-message-ttl", int64(2000)))},
	{name: "with another x-expires", want: "?", run: twice(durable, arguments("x-expires", int32(60000)), durable, arguments("x-expires", int32(70000)))},
	{name: "without its x-expires", want: "?", run: twice(durable, arguments("x-expires", int32(60000)), durable, nil)},
	{name: "with another x-max-length", want: "?", run: twice(durable, arguments("x-max-length", int32(5)), durable, arguments("x-max-length", int32(6)))},
	{name: "with a new x-max-length", want: "?", run: twice(durable, nil, durable, arguments("x-max-length", int32(6)))},
	{name: "with another x-max-length-bytes", want: "?", run: twice(durable, arguments("x-max-length-bytes", int32(5)), durable, arguments("x-max-length-bytes", int32(6)))},
	{name: "with another x-max-priority", want: "?", run: twice(durable, arguments("x-max-priority", int32(5)), durable, arguments("x-max-priority", int32(6)))},
	{name: "without its x-max-priority", want: "?", run: twice(durable, arguments("x-max-priority", int32(5)), durable, nil)},
	{name: "with another x-overflow", want: "?", run: twice(durable, arguments("x-overflow", "drop-head"), durable, arguments("x-overflow", "reject-publish"))},
	{name: "with x-overflow drop-head, the default", want: "?", run: twice(durable, nil, durable, arguments("x-overflow", "drop-head"))},
	{name: "with another x-dead-letter-exchange", want: "?", run: twice(durable, arguments("x-dead-letter-exchange", "a"), durable, arguments("x-dead-letter-exchange", "b"))},
	{name: "with another x-dead-letter-routing-key", want: "?", run: twice(durable, arguments("x-dead-letter-exchange", "a", "x-dead-letter-routing-key", "b"), durable, arguments("x-dead-letter-exchange", "a", "x-dead-letter-routing-key", "c"))},
	{name: "without its x-dead-letter-routing-key", want: "?", run: twice(durable, arguments("x-dead-letter-exchange", "a", "x-dead-letter-routing-key", "b"), durable, arguments("x-dead-letter-exchange", "a"))},
	{name: "without its x-dead-letter-exchange and its routing key", want: "?", run: twice(durable, arguments("x-dead-letter-exchange", "a", "x-dead-letter-routing-key", "b"), durable, nil)},
	{name: "with x-single-active-consumer", want: "?", run: twice(durable, nil, durable, arguments("x-single-active-consumer", true))},
	{name: "with another x-single-active-consumer", want: "?", run: twice(durable, arguments("x-single-active-consumer", true), durable, arguments("x-single-active-consumer", false))},
	{name: "with x-single-active-consumer false", want: "?", run: twice(durable, nil, durable, arguments("x-single-active-consumer", false))},
	{name: "with x-queue-mode lazy", want: "?", run: twice(durable, nil, durable, arguments("x-queue-mode", "lazy"))},
	{name: "with another x-queue-mode", want: "?", run: twice(durable, arguments("x-queue-mode", "lazy"), durable, arguments("x-queue-mode", "default"))},
	{name: "with x-queue-version 2", want: "?", run: twice(durable, nil, durable, arguments("x-queue-version", int32(2)))},
	{name: "with an argument that does not exist", want: "?", run: twice(durable, nil, durable, arguments("x-foo", "bar"))},
	{name: "with another value of an argument that does not exist", want: "?", run: twice(durable, arguments("x-foo", "bar"), durable, arguments("x-foo", int32(1)))},
	{name: "with two other arguments: the first by what is looked at first", want: "?", run: twice(durable, nil, durable, arguments("x-max-length", int32(1), "x-expires", int32(60000), "x-message-ttl", int32(1)))},
	{name: "with all other string arguments", want: "?", run: twice(durable, nil, durable, arguments("x-overflow", "reject-publish", "x-dead-letter-exchange", "a", "x-dead-letter-routing-key", "b", "x-single-active-consumer", true))},

	{name: "as a quorum queue", want: "?", run: twice(durable, nil, durable, quorum())},
	{name: "as a stream", want: "?", run: twice(durable, nil, durable, stream())},
	{name: "as x-queue-type classic", want: "?", run: twice(durable, nil, durable, arguments("x-queue-type", "classic"))},
	{name: "without its x-queue-type classic", want: "?", run: twice(durable, arguments("x-queue-type", "classic"), durable, nil)},
	{name: "a quorum queue without its type", want: "?", run: twice(durable, quorum(), durable, nil)},
	{name: "a quorum queue as x-queue-type classic", want: "?", run: twice(durable, quorum(), durable, arguments("x-queue-type", "classic"))},
	{name: "a quorum queue as itself", want: "?", run: twice(durable, quorum("x-delivery-limit", int32(3)), durable, quorum("x-delivery-limit", int32(3)))},
	{name: "a quorum queue with another x-delivery-limit", want: "?", run: twice(durable, quorum("x-delivery-limit", int32(3)), durable, quorum("x-delivery-limit", int32(4)))},
	{name: "a quorum queue with a new x-delivery-limit", want: "?", run: twice(durable, quorum(), durable, quorum("x-delivery-limit", int32(4)))},
	{name: "a quorum queue with another x-dead-letter-strategy", want: "?", run: twice(durable, quorum("x-dead-letter-strategy", "at-most-once"), durable, quorum("x-dead-letter-strategy", "at-least-once"))},
	{name: "a quorum queue with another x-quorum-initial-group-size", want: "?", run: twice(durable, quorum("x-quorum-initial-group-size", int32(1)), durable, quorum("x-quorum-initial-group-size", int32(3)))},
	{name: "a quorum queue with another x-message-ttl", want: "?", run: twice(durable, quorum("x-message-ttl", int32(1)), durable, quorum("x-message-ttl", int32(2)))},
	{name: "a quorum queue with another x-overflow", want: "?", run: twice(durable, quorum(), durable, quorum("x-overflow", "reject-publish"))},
	{name: "a quorum queue with another x-max-in-memory-length", want: "?", run: twice(durable, quorum("x-max-in-memory-length", int32(1)), durable, quorum("x-max-in-memory-length", int32(2)))},
	{name: "a quorum queue with x-delayed-retry-type", want: "?", run: twice(durable, quorum(), durable, quorum("x-delayed-retry-type", "all", "x-delayed-retry-min", int32(100)))},
	{name: "a quorum queue with another x-delayed-retry-min", want: "?", run: twice(durable, quorum("x-delayed-retry-type", "all", "x-delayed-retry-min", int32(100)), durable, quorum("x-delayed-retry-type", "all", "x-delayed-retry-min", int32(200)))},
	{name: "a quorum queue with x-consumer-timeout", want: "?", run: twice(durable, quorum(), durable, quorum("x-consumer-timeout", int32(100000)))},
	{name: "a quorum queue not durable", want: "?", run: twice(durable, quorum(), none, quorum())},
	{name: "a quorum queue exclusive", want: "?", run: twice(durable, quorum(), durable|exclusive, quorum())},
	{name: "a stream with another x-max-age", want: "?", run: twice(durable, stream("x-max-age", "1h"), durable, stream("x-max-age", "2h"))},

	{
		name: "passively, with other properties and arguments", want: "?",
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
		name: "passively, exclusive", want: "?",
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
		name: "by its name after it was deleted, with other arguments", want: "?",
		run: func(e *env) string {
			q, ch := e.queue("q"), e.channel()
			e.must(ch.declare(q, durable, nil))
			_, err := ch.QueueDelete(q, false, false, false)
			e.must(err)
			return e.try(func(ch *channel) error { return ch.declare(q, durable, quorum()) })
		},
	},
}}
