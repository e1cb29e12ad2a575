package conformance_test

import (
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// ex declares an exchange.
func ex(kind string, f flags, args amqp.Table) func(e *env) string {
	return func(e *env) string {
		name := e.exchange("x")
		return e.try(func(ch *channel) error { return ch.exchange(name, kind, f, args) })
	}
}

// exTwice declares an exchange, and again otherwise.
func exTwice(kind string, f flags, args amqp.Table, kindAgain string, again flags, argsAgain amqp.Table) func(e *env) string {
	return func(e *env) string {
		name := e.exchange("x")
		e.must(e.channel().exchange(name, kind, f, args))
		return e.try(func(ch *channel) error { return ch.exchange(name, kindAgain, again, argsAgain) })
	}
}

// named declares, deletes, or asks for an exchange of this name.
func named(do func(ch *channel) error) func(e *env) string {
	return func(e *env) string { return e.try(do) }
}

var exchanges = section{"declare an exchange", []row{
	{name: "direct", want: "no error", run: ex("direct", durable, nil)},
	{name: "fanout, transient", want: "no error", run: ex("fanout", none, nil)},
	{name: "topic, auto-delete", want: "no error", run: ex("topic", autoDelete, nil)},
	{name: "headers, internal", want: "no error", run: ex("headers", internal, nil)},
	{name: "of a type that nobody has ever named", want: "connection 503 COMMAND_INVALID - unknown exchange type 'qwxzv'", on: map[string]string{"4": "channel 406 PRECONDITION_FAILED - unknown exchange type 'qwxzv'"}, run: func(e *env) string {
		return e.try(func(ch *channel) error { return ch.exchange(e.exchange("x"), e.name("qwxzv"), durable, nil) })
	}},
	{name: "of no type", want: "connection 503 COMMAND_INVALID - invalid exchange type ''", on: map[string]string{"4": "channel 406 PRECONDITION_FAILED - invalid exchange type ''"}, run: ex("", durable, nil)},
	{name: "of a type in capitals", want: "connection 503 COMMAND_INVALID - unknown exchange type 'Direct'", on: map[string]string{"4": "channel 406 PRECONDITION_FAILED - unknown exchange type 'Direct'"}, run: ex("Direct", durable, nil)},
	{name: "of type x-delayed-message, which is a plugin", want: "connection 503 COMMAND_INVALID - unknown exchange type 'x-delayed-message'", on: map[string]string{"4": "channel 406 PRECONDITION_FAILED - unknown exchange type 'x-delayed-message'"}, run: ex("x-delayed-message", durable, nil)},
	{name: "without waiting", want: "no error", run: ex("direct", durable|noWait, nil)},
	{name: "without waiting, of a type that does not exist", want: "connection 503 COMMAND_INVALID - unknown exchange type 'qwxzv'", on: map[string]string{"4": "channel 406 PRECONDITION_FAILED - unknown exchange type 'qwxzv'"}, run: ex("qwxzv", durable|noWait, nil)},
	{name: "with an argument that does not exist", want: "no error", run: ex("direct", durable, arguments("x-foo", int32(1)))},
	{name: "alternate-exchange", want: "no error", run: ex("direct", durable, arguments("alternate-exchange", "nope"))},
	{name: "alternate-exchange as a number", want: "channel 406 PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange 'x' in vhost '/'", run: ex("direct", durable, arguments("alternate-exchange", int32(1)))},
	{name: "alternate-exchange empty", want: "no error", run: ex("direct", durable, arguments("alternate-exchange", ""))},
	{name: "named amq.foo", want: "channel 403 ACCESS_REFUSED - exchange name 'amq.foo' contains reserved prefix 'amq.*'", run: named(func(ch *channel) error { return ch.exchange("amq.foo", "direct", durable, nil) })},
	{name: "the default exchange", want: "channel 403 ACCESS_REFUSED - operation not permitted on the default exchange", run: named(func(ch *channel) error { return ch.exchange("", "direct", durable, nil) })},
	{name: "the default exchange, passively", want: "channel 403 ACCESS_REFUSED - operation not permitted on the default exchange", run: named(func(ch *channel) error {
		return ch.ExchangeDeclarePassive("", "direct", true, false, false, false, nil)
	})},
	{name: "amq.direct as it is", want: "no error", run: named(func(ch *channel) error { return ch.exchange("amq.direct", "direct", durable, nil) })},
	{name: "amq.direct as a fanout", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'amq.direct' in vhost '/': received 'fanout' but current is 'direct'", run: named(func(ch *channel) error { return ch.exchange("amq.direct", "fanout", durable, nil) })},
	{name: "the exchanges that there always are", want: "no error", run: named(func(ch *channel) error {
		for _, name := range []string{"amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match", "amq.rabbitmq.trace"} {
			if err := ch.ExchangeDeclarePassive(name, "", true, false, false, false, nil); err != nil {
				return err
			}
		}
		return nil
	})},
	{name: "amq.rabbitmq.log, which is there if its logger is on", want: "channel 404 NOT_FOUND - no exchange 'amq.rabbitmq.log' in vhost '/'", on: map[string]string{"4.3": "no error"}, run: named(func(ch *channel) error {
		return ch.ExchangeDeclarePassive("amq.rabbitmq.log", "topic", true, false, false, false, nil)
	})},
	{name: "amq.rabbitmq.trace as it is: durable, internal, topic", want: "no error", run: named(func(ch *channel) error { return ch.exchange("amq.rabbitmq.trace", "topic", durable|internal, nil) })},
	{name: "amq.match as it is", want: "no error", run: named(func(ch *channel) error { return ch.exchange("amq.match", "headers", durable, nil) })},
	{name: "passively, and there is none", want: "channel 404 NOT_FOUND - no exchange 'x' in vhost '/'", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			return ch.ExchangeDeclarePassive(e.name("x"), "direct", true, false, false, false, nil)
		})
	}},
	{name: "passively, as another type and otherwise", want: "no error", run: func(e *env) string {
		name := e.exchange("x")
		e.must(e.channel().exchange(name, "fanout", durable, nil))
		return e.try(func(ch *channel) error {
			return ch.ExchangeDeclarePassive(name, "topic", false, true, true, false, arguments("alternate-exchange", int32(1)))
		})
	}},
	{name: "passively, as a type that does not exist", want: "no error", run: func(e *env) string {
		name := e.exchange("x")
		e.must(e.channel().exchange(name, "fanout", durable, nil))
		return e.try(func(ch *channel) error {
			return ch.ExchangeDeclarePassive(name, "qwxzv", false, false, false, false, nil)
		})
	}},
	{name: "with a line feed in its name", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'ab' in vhost '/': received 'direct' but current is 'fanout'", run: func(e *env) string {
		name := e.exchange("a\nb")
		e.must(e.channel().exchange(name, "fanout", durable, nil))
		return e.try(func(ch *channel) error {
			return ch.exchange(strings.ReplaceAll(name, "\n", ""), "direct", durable, nil)
		})
	}},

	{name: "again, as it is", want: "no error", run: exTwice("direct", durable, nil, "direct", durable, nil)},
	{name: "again, of another type", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x' in vhost '/': received 'topic' but current is 'direct'", run: exTwice("direct", durable, nil, "topic", durable, nil)},
	{name: "again, of a type that does not exist", want: "connection 503 COMMAND_INVALID - unknown exchange type 'qwxzv'", on: map[string]string{"4": "channel 406 PRECONDITION_FAILED - unknown exchange type 'qwxzv'"}, run: exTwice("direct", durable, nil, "qwxzv", durable, nil)},
	{name: "again, not durable", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'x' in vhost '/': received 'false' but current is 'true'", run: exTwice("direct", durable, nil, "direct", none, nil)},
	{name: "again, auto-delete", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'auto_delete' for exchange 'x' in vhost '/': received 'true' but current is 'false'", run: exTwice("direct", durable, nil, "direct", durable|autoDelete, nil)},
	{name: "again, internal", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'internal' for exchange 'x' in vhost '/': received 'true' but current is 'false'", run: exTwice("direct", durable, nil, "direct", durable|internal, nil)},
	{name: "again, with everything otherwise", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x' in vhost '/': received 'topic' but current is 'direct'", run: exTwice("direct", durable, nil, "topic", autoDelete|internal, arguments("alternate-exchange", "a"))},
	{name: "again, with an alternate-exchange", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': received the value 'a' of type 'longstr' but current is none", run: exTwice("direct", durable, nil, "direct", durable, arguments("alternate-exchange", "a"))},
	{name: "again, with another alternate-exchange", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': received 'b' but current is 'a'", run: exTwice("direct", durable, arguments("alternate-exchange", "a"), "direct", durable, arguments("alternate-exchange", "b"))},
	{name: "again, without its alternate-exchange", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': received none but current is the value 'a' of type 'longstr'", run: exTwice("direct", durable, arguments("alternate-exchange", "a"), "direct", durable, nil)},
	{name: "again, with an argument that does not exist", want: "no error", run: exTwice("direct", durable, nil, "direct", durable, arguments("x-foo", "a"))},
	{name: "again, not durable, without waiting", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'x' in vhost '/': received 'false' but current is 'true'", run: exTwice("direct", durable, nil, "direct", noWait, nil)},
	{name: "again, with a bad alternate-exchange", want: "channel 406 PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': received the value '1' of type 'signedint' but current is none", run: exTwice("direct", durable, nil, "direct", durable, arguments("alternate-exchange", int32(1)))},
}}

// deleteAfter makes an exchange x and a queue q, does something with them, and then deletes x.
func deleteAfter(do func(e *env, ch *channel, x, q string), ifUnused bool) func(e *env) string {
	return func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "topic", durable, nil))
		e.must(ch.declare(q, durable, nil))
		do(e, ch, x, q)
		return e.try(func(ch *channel) error { return ch.ExchangeDelete(x, ifUnused, false) })
	}
}

// exists says whether there is an exchange of this name.
func (e *env) exists(exchange string) string {
	e.Helper()
	return e.try(func(ch *channel) error {
		return ch.ExchangeDeclarePassive(exchange, "direct", true, false, false, false, nil)
	})
}

// inUse is what becomes of what an exchange is bound to, and of an exchange that nothing is bound to any more.
var inUse = section{"delete an exchange", []row{
	{name: "that does not exist", want: "no error", run: func(e *env) string {
		return e.try(func(ch *channel) error { return ch.ExchangeDelete(e.name("x"), false, false) })
	}},
	{name: "that does not exist, if unused", want: "no error", run: func(e *env) string {
		return e.try(func(ch *channel) error { return ch.ExchangeDelete(e.name("x"), true, false) })
	}},
	{name: "amq.direct", want: "channel 403 ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed", run: named(func(ch *channel) error { return ch.ExchangeDelete("amq.direct", false, false) })},
	{name: "amq.foo, which does not exist", want: "channel 403 ACCESS_REFUSED - deletion of system exchange 'amq.foo' in vhost '/' not allowed", run: named(func(ch *channel) error { return ch.ExchangeDelete("amq.foo", false, false) })},
	{name: "amq.direct without waiting", want: "channel 403 ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed", run: named(func(ch *channel) error { return ch.ExchangeDelete("amq.direct", false, true) })},
	{name: "the default exchange", want: "channel 403 ACCESS_REFUSED - operation not permitted on the default exchange", run: named(func(ch *channel) error { return ch.ExchangeDelete("", false, false) })},
	{name: "unused, if unused", want: "no error", run: deleteAfter(func(*env, *channel, string, string) {}, true)},
	{name: "used, if unused", want: "channel 406 PRECONDITION_FAILED - exchange 'x' in vhost '/' in use", run: deleteAfter(func(e *env, ch *channel, x, q string) { e.must(ch.bind(q, x, "k", nil)) }, true)},
	{name: "used", want: "no error", run: deleteAfter(func(e *env, ch *channel, x, q string) { e.must(ch.bind(q, x, "k", nil)) }, false)},
	{name: "no longer used, if unused", want: "no error", run: deleteAfter(func(e *env, ch *channel, x, q string) {
		e.must(ch.bind(q, x, "k", nil))
		e.must(ch.QueueUnbind(q, "k", x, nil))
	}, true)},
	{name: "whose queue is deleted, if unused", want: "no error", run: deleteAfter(func(e *env, ch *channel, x, q string) {
		e.must(ch.bind(q, x, "k", nil))
		_, err := ch.QueueDelete(q, false, false, false)
		e.must(err)
	}, true)},
	{name: "bound to another, if unused: being a destination is no use", want: "no error", run: deleteAfter(func(e *env, ch *channel, x, _ string) {
		e.must(ch.ExchangeBind(x, "k", "amq.direct", false, nil))
	}, true)},
	{name: "the source of another, if unused", want: "channel 406 PRECONDITION_FAILED - exchange 'x' in vhost '/' in use", run: deleteAfter(func(e *env, ch *channel, x, _ string) {
		y := e.exchange("y")
		e.must(ch.exchange(y, "fanout", durable, nil))
		e.must(ch.ExchangeBind(y, "k", x, false, nil))
	}, true)},
	{name: "used as an alternate, if unused", want: "no error", run: deleteAfter(func(e *env, ch *channel, x, _ string) {
		e.must(ch.exchange(e.exchange("y"), "fanout", durable, arguments("alternate-exchange", x)))
	}, true)},
	{name: "and publish to it", want: "channel 404 NOT_FOUND - no exchange 'x' in vhost '/'", run: func(e *env) string {
		x := e.exchange("x")
		return e.try(func(ch *channel) error {
			e.must(ch.exchange(x, "fanout", durable, nil))
			e.must(ch.ExchangeDelete(x, false, false))
			return ch.publish(x, "k", amqp.Publishing{})
		})
	}},
	{name: "and declare it again: its bindings are gone", want: "none", run: func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "fanout", durable, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, x, "", nil))
		e.must(ch.ExchangeDelete(x, false, false))
		e.must(ch.exchange(x, "fanout", durable, nil))
		e.put(x, "", "a")
		return e.drain(q)
	}},
	{name: "used, if unused, without waiting", want: "channel 406 PRECONDITION_FAILED - exchange 'x' in vhost '/' in use", run: func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "direct", durable, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, x, "k", nil))
		return e.try(func(ch *channel) error { return ch.ExchangeDelete(x, true, true) })
	}},
	{name: "without waiting", want: "no error / channel 404 NOT_FOUND - no exchange 'x' in vhost '/'", run: func(e *env) string {
		x, ch := e.exchange("x"), e.channel()
		e.must(ch.exchange(x, "direct", durable, nil))
		e.must(ch.ExchangeDelete(x, false, true))
		return ch.fate() + " / " + e.exists(x)
	}},
	{name: "the alternate of another: what it was for is lost", want: `return 312 NO_ROUTE exchange="x" rk="k" then ack=true`, run: func(e *env) string {
		x, ae, ch := e.exchange("x"), e.exchange("ae"), e.channel()
		e.must(ch.exchange(ae, "fanout", durable, nil))
		e.must(ch.exchange(x, "direct", durable, arguments("alternate-exchange", ae)))
		e.must(ch.ExchangeDelete(ae, false, false))
		return e.mandatory(x, "k")
	}},
	{name: "auto-delete: never bound, it stays", want: "no error", run: func(e *env) string {
		x := e.exchange("x")
		e.must(e.channel().exchange(x, "direct", autoDelete, nil))
		return e.exists(x)
	}},
	{name: "auto-delete: gone with the last unbind", want: "no error / channel 404 NOT_FOUND - no exchange 'x' in vhost '/'", run: func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "direct", autoDelete, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, x, "1", nil))
		e.must(ch.bind(q, x, "2", nil))
		e.must(ch.QueueUnbind(q, "1", x, nil))
		before := e.exists(x)
		e.must(ch.QueueUnbind(q, "2", x, nil))
		return before + " / " + e.exists(x)
	}},
	{name: "auto-delete: gone with its last queue", want: "channel 404 NOT_FOUND - no exchange 'x' in vhost '/'", run: func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "direct", autoDelete, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, x, "1", nil))
		_, err := ch.QueueDelete(q, false, false, false)
		e.must(err)
		return e.exists(x)
	}},
	{name: "auto-delete: an unbind of what is not bound does not count", want: "no error", run: func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "direct", autoDelete, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.QueueUnbind(q, "1", x, nil))
		return e.exists(x)
	}},
	{name: "auto-delete: a chain goes from its end", want: "channel 404 NOT_FOUND - no exchange 'x' in vhost '/' / channel 404 NOT_FOUND - no exchange 'y' in vhost '/'", run: func(e *env) string {
		x, y, q, ch := e.exchange("x"), e.exchange("y"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "fanout", autoDelete, nil))
		e.must(ch.exchange(y, "fanout", autoDelete, nil))
		e.must(ch.ExchangeBind(y, "", x, false, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, y, "", nil))
		_, err := ch.QueueDelete(q, false, false, false)
		e.must(err)
		return e.exists(x) + " / " + e.exists(y)
	}},
	{name: "auto-delete: its source is deleted, it stays", want: "no error", run: func(e *env) string {
		x, y, ch := e.exchange("x"), e.exchange("y"), e.channel()
		e.must(ch.exchange(x, "fanout", durable, nil))
		e.must(ch.exchange(y, "fanout", autoDelete, nil))
		e.must(ch.ExchangeBind(y, "", x, false, nil))
		e.must(ch.ExchangeDelete(x, false, false))
		return e.exists(y)
	}},
	{name: "auto-delete: gone with an exclusive queue's connection", want: "channel 404 NOT_FOUND - no exchange 'x' in vhost '/'", run: func(e *env) string {
		x, other := e.exchange("x"), e.connect()
		e.must(e.channel().exchange(x, "direct", autoDelete, nil))
		ch := e.channelOn(other)
		e.must(ch.declare(e.name("q"), exclusive, nil))
		e.must(ch.bind(e.name("q"), x, "1", nil))
		e.must(other.Close())
		return e.until("channel 404 NOT_FOUND - no exchange '"+x+"' in vhost '/'", func() string { return e.exists(x) })
	}},
	{name: "auto-delete: gone with the exchange that it feeds", want: "channel 404 NOT_FOUND - no exchange 'x' in vhost '/' / channel 404 NOT_FOUND - no exchange 'y' in vhost '/'", run: func(e *env) string {
		x, y, ch := e.exchange("x"), e.exchange("y"), e.channel()
		e.must(ch.exchange(x, "fanout", autoDelete, nil))
		e.must(ch.exchange(y, "fanout", durable, nil))
		e.must(ch.ExchangeBind(y, "", x, false, nil))
		e.must(ch.ExchangeDelete(y, false, false))
		return e.exists(x) + " / " + e.exists(y)
	}},
}}
