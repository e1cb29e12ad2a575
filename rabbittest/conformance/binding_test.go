package conformance_test

import (
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// bound declares an exchange of this kind and a queue q, and binds them.
func bound(kind, key string, args amqp.Table) func(e *env) string {
	return func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, kind, durable, nil))
		e.must(ch.declare(q, durable, nil))
		return e.try(func(ch *channel) error { return ch.bind(q, x, key, args) })
	}
}

// withQueue declares a queue and does something with it.
func withQueue(do func(ch *channel, q string) error) func(e *env) string {
	return func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, nil))
		return e.try(func(ch *channel) error { return do(ch, q) })
	}
}

// withExchanges declares two exchanges and does something with them.
func withExchanges(do func(ch *channel, x, y string) error) func(e *env) string {
	return func(e *env) string {
		x, y := e.exchange("x"), e.exchange("y")
		e.must(e.channel().exchange(x, "topic", durable, nil))
		e.must(e.channel().exchange(y, "topic", durable, nil))
		return e.try(func(ch *channel) error { return do(ch, x, y) })
	}
}

// match declares a headers exchange and binds a queue to it.
func match(v any) func(e *env) string { return bound("headers", "", arguments("x-match", v, "a", "1")) }

// binding is what can be bound and unbound.
var binding = section{"bind and unbind", []row{
	{name: "a queue to amq.direct", want: "no error", run: withQueue(func(ch *channel, q string) error { return ch.bind(q, "amq.direct", q, nil) })},
	{name: "a queue twice", want: "no error", run: withQueue(func(ch *channel, q string) error {
		ch.e.must(ch.bind(q, "amq.direct", q, nil))
		return ch.bind(q, "amq.direct", q, nil)
	})},
	{name: "a queue to the default exchange", want: "channel 403 ACCESS_REFUSED - operation not permitted on the default exchange", run: withQueue(func(ch *channel, q string) error { return ch.bind(q, "", q, nil) })},
	{name: "a queue to the default exchange, without waiting", want: "channel 403 ACCESS_REFUSED - operation not permitted on the default exchange", run: withQueue(func(ch *channel, q string) error { return ch.QueueBind(q, q, "", true, nil) })},
	{name: "a queue from the default exchange", want: "channel 403 ACCESS_REFUSED - operation not permitted on the default exchange", run: withQueue(func(ch *channel, q string) error { return ch.QueueUnbind(q, q, "", nil) })},
	{name: "a queue that does not exist", want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'", run: func(e *env) string {
		return e.try(func(ch *channel) error { return ch.bind(e.name("q"), "amq.direct", "k", nil) })
	}},
	{name: "a queue to an exchange that does not exist", want: "channel 404 NOT_FOUND - no exchange 'x' in vhost '/'", run: withQueue(func(ch *channel, q string) error { return ch.bind(q, ch.e.name("x"), q, nil) })},
	{name: "a queue to an exchange, and neither exists", want: "channel 404 NOT_FOUND - no exchange 'x' in vhost '/'", run: func(e *env) string {
		return e.try(func(ch *channel) error { return ch.bind(e.name("q"), e.name("x"), "k", nil) })
	}},
	{name: "a queue that does not exist, to the default exchange", want: "channel 403 ACCESS_REFUSED - operation not permitted on the default exchange", run: func(e *env) string {
		return e.try(func(ch *channel) error { return ch.bind(e.name("q"), "", "k", nil) })
	}},
	{name: "a queue with arguments that mean nothing", want: "no error", run: bound("direct", "k", arguments("x-foo", amqp.Table{}))},
	{name: "unbind what is not bound", want: "no error", run: withQueue(func(ch *channel, q string) error { return ch.QueueUnbind(q, "k", "amq.direct", nil) })},
	{name: "unbind a queue that does not exist", want: "no error", run: func(e *env) string {
		return e.try(func(ch *channel) error { return ch.QueueUnbind(e.name("q"), "k", "amq.direct", nil) })
	}},
	{name: "unbind from an exchange that does not exist", want: "no error", run: withQueue(func(ch *channel, q string) error { return ch.QueueUnbind(q, "k", ch.e.name("x"), nil) })},
	{name: "unbind, and neither exists", want: "no error", run: func(e *env) string {
		return e.try(func(ch *channel) error { return ch.QueueUnbind(e.name("q"), "k", e.name("x"), nil) })
	}},
	{name: "bind a queue without a name, and none was declared", want: "channel 404 NOT_FOUND - no previously declared queue", run: func(e *env) string {
		return e.try(func(ch *channel) error { return ch.bind("", "amq.direct", "k", nil) })
	}},
	{name: "unbind a queue without a name, and none was declared", want: "channel 404 NOT_FOUND - no previously declared queue", run: func(e *env) string {
		return e.try(func(ch *channel) error { return ch.QueueUnbind("", "k", "amq.direct", nil) })
	}},
	{name: "bind without a name: the queue that was declared last", want: "none / a", run: func(e *env) string {
		q, q2, ch := e.queue("q"), e.queue("q2"), e.channel()
		e.must(ch.declare(q, durable, nil))
		e.must(ch.declare(q2, durable, nil))
		e.must(ch.bind("", "amq.fanout", "", nil))
		e.must(ch.QueueUnbind(q2, "", "amq.fanout", nil)) // before another row publishes there
		e.must(ch.bind("", "amq.direct", e.name("k"), nil))
		e.put("amq.direct", e.name("k"), "a")
		return e.drain(q) + " / " + e.drain(q2)
	}},
	{name: "bind without a name or a key: the key is the queue's name", want: "a", run: func(e *env) string {
		q, ch := e.queue("q"), e.channel()
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind("", "amq.direct", "", nil))
		e.put("amq.direct", q, "a")
		return e.drain(q)
	}},
	{name: "bind with a name and no key: the key is empty", want: "b", run: func(e *env) string {
		q, x, ch := e.queue("q"), e.exchange("x"), e.channel()
		e.must(ch.declare(q, durable, nil))
		e.must(ch.exchange(x, "direct", durable, nil))
		e.must(ch.bind(q, x, "", nil))
		e.put(x, q, "a")
		e.put(x, "", "b")
		return e.drain(q)
	}},
	{name: "a declaration of a queue with no name is the last too", want: `body=a redelivered=false exchange="amq.direct" rk="k"`, run: func(e *env) string {
		ch := e.channel()
		_, err := ch.QueueDeclare("", false, false, true, false, nil)
		e.must(err)
		e.must(ch.bind("", "amq.direct", e.name("k"), nil))
		e.put("amq.direct", e.name("k"), "a")
		d, ok, err := ch.Get("", true)
		e.must(err)
		if !ok {
			return "none"
		}
		return show(d)
	}},
	{name: "a passive declaration is the last too", want: `body=a redelivered=false exchange="" rk="q"`, run: func(e *env) string {
		q, q2, ch := e.queue("q"), e.queue("q2"), e.channel()
		e.must(ch.declare(q, durable, nil))
		e.must(ch.declare(q2, durable, nil))
		_, err := ch.QueueDeclarePassive(q, false, false, false, false, nil)
		e.must(err)
		e.put("", q, "a")
		d, ok, err := ch.Get("", true)
		e.must(err)
		if !ok {
			return "none"
		}
		return show(d)
	}},
	{name: "the queue that was declared last is deleted", want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'", run: func(e *env) string {
		q := e.queue("q")
		return e.try(func(ch *channel) error {
			e.must(ch.declare(q, durable, nil))
			_, err := ch.QueueDelete(q, false, false, false)
			e.must(err)
			return ch.bind("", "amq.direct", "k", nil)
		})
	}},
	{name: "an unbind takes the arguments into account", want: "still bound", run: func(e *env) string {
		q, x, ch := e.queue("q"), e.exchange("x"), e.channel()
		e.must(ch.declare(q, durable, nil))
		e.must(ch.exchange(x, "direct", durable, nil))
		e.must(ch.bind(q, x, "k", arguments("a", "1")))
		e.must(ch.QueueUnbind(q, "k", x, nil))
		e.put(x, "k", "still bound")
		e.must(ch.QueueUnbind(q, "k", x, arguments("a", "1")))
		e.put(x, "k", "unbound")
		return e.drain(q)
	}},
	{name: "two bindings that differ in arguments alone, one message", want: "a,b", run: func(e *env) string {
		q, x, ch := e.queue("q"), e.exchange("x"), e.channel()
		e.must(ch.declare(q, durable, nil))
		e.must(ch.exchange(x, "direct", durable, nil))
		e.must(ch.bind(q, x, "k", arguments("a", "1")))
		e.must(ch.bind(q, x, "k", nil))
		e.put(x, "k", "a")
		e.must(ch.QueueUnbind(q, "k", x, nil))
		e.put(x, "k", "b")
		return e.drain(q)
	}},
	{name: "a binding of arguments in another order is the same", want: "none", run: func(e *env) string {
		q, x, ch := e.queue("q"), e.exchange("x"), e.channel()
		e.must(ch.declare(q, durable, nil))
		e.must(ch.exchange(x, "direct", durable, nil))
		r := e.raw()
		one, two := field("a", 'S', long("1")), field("b", 'S', long("2"))
		r.call("queue.bind-ok", 1, 50, 20, uint16(0), q, x, "k", bits(0), table(one, two))
		r.call("queue.unbind-ok", 1, 50, 50, uint16(0), q, x, "k", table(two, one))
		e.put(x, "k", "a")
		return e.drain(q)
	}},
	{name: "a topic with two hashes", want: "no error", run: bound("topic", "#.a.#", nil)},
	{name: "a topic with three hashes", want: "no error", on: map[string]string{"4.3": "channel 406 PRECONDITION_FAILED - Topic binding key '#.a.#.b.#' uses 3 '#' wildcards, at most 2 are allowed"}, run: bound("topic", "#.a.#.b.#", nil)},
	{name: "a direct key with three hashes", want: "no error", run: bound("direct", "#.a.#.b.#", nil)},
	{name: "a topic with hashes inside words", want: "no error", run: bound("topic", "#a.b#.##.c#", nil)},
	{name: "an exchange by a topic with three hashes", want: "no error", on: map[string]string{"4.3": "channel 406 PRECONDITION_FAILED - Topic binding key '#.#.#' uses 3 '#' wildcards, at most 2 are allowed"}, run: withExchanges(func(ch *channel, x, y string) error { return ch.ExchangeBind(x, "#.#.#", y, false, nil) })},
	{name: "unbind a topic with three hashes", want: "no error", run: withQueue(func(ch *channel, q string) error { return ch.QueueUnbind(q, "#.#.#", "amq.topic", nil) })},
	{name: "x-match all", want: "no error", run: match("all")},
	{name: "x-match any", want: "no error", run: match("any")},
	{name: "x-match all-with-x", want: "no error", run: match("all-with-x")},
	{name: "x-match any-with-x", want: "no error", run: match("any-with-x")},
	{name: "x-match that does not exist", want: `channel 406 PRECONDITION_FAILED - Invalid x-match field value <<"foo">>; expected all, any, all-with-x, or any-with-x`, run: match("foo")},
	{name: "x-match empty", want: "channel 406 PRECONDITION_FAILED - Invalid x-match field value <<>>; expected all, any, all-with-x, or any-with-x", run: match("")},
	{name: "x-match in capitals", want: `channel 406 PRECONDITION_FAILED - Invalid x-match field value <<"ALL">>; expected all, any, all-with-x, or any-with-x`, run: match("ALL")},
	{name: "x-match as a number", want: "channel 406 PRECONDITION_FAILED - Invalid x-match field type signedint (value 1); expected longstr", run: match(int32(1))},
	{name: "x-match as a bool", want: "channel 406 PRECONDITION_FAILED - Invalid x-match field type bool (value true); expected longstr", run: match(true)},
	{name: "x-match void", want: "channel 406 PRECONDITION_FAILED - Invalid x-match field type void (value undefined); expected longstr", run: match(nil)},
	{name: "x-match that does not exist, on a direct exchange", want: "no error", run: bound("direct", "k", arguments("x-match", "foo"))},
	{name: "x-match that does not exist, unbind", want: "no error", run: func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "headers", durable, nil))
		e.must(ch.declare(q, durable, nil))
		return e.try(func(ch *channel) error { return ch.QueueUnbind(q, "", x, arguments("x-match", "foo")) })
	}},

	{name: "an exchange to an exchange", want: "no error", run: withExchanges(func(ch *channel, x, y string) error { return ch.ExchangeBind(x, "k", y, false, nil) })},
	{name: "an exchange to itself", want: "no error", run: withExchanges(func(ch *channel, x, _ string) error { return ch.ExchangeBind(x, "k", x, false, nil) })},
	{name: "an exchange to the default exchange", want: "channel 403 ACCESS_REFUSED - operation not permitted on the default exchange", run: withExchanges(func(ch *channel, x, _ string) error { return ch.ExchangeBind(x, "k", "", false, nil) })},
	{name: "the default exchange to an exchange", want: "channel 403 ACCESS_REFUSED - operation not permitted on the default exchange", run: withExchanges(func(ch *channel, x, _ string) error { return ch.ExchangeBind("", "k", x, false, nil) })},
	{name: "an exchange to one that does not exist", want: "channel 404 NOT_FOUND - no exchange 'nope' in vhost '/'", run: withExchanges(func(ch *channel, x, _ string) error { return ch.ExchangeBind(x, "k", ch.e.name("nope"), false, nil) })},
	{name: "an exchange that does not exist to one", want: "channel 404 NOT_FOUND - no exchange 'nope' in vhost '/'", run: withExchanges(func(ch *channel, x, _ string) error { return ch.ExchangeBind(ch.e.name("nope"), "k", x, false, nil) })},
	{name: "an exchange to an exchange, and neither exists", want: "channel 404 NOT_FOUND - no exchange 'nope2' in vhost '/'", run: withExchanges(func(ch *channel, _, _ string) error {
		return ch.ExchangeBind(ch.e.name("nope1"), "k", ch.e.name("nope2"), false, nil)
	})},
	{name: "unbind exchanges that are not bound", want: "no error", run: withExchanges(func(ch *channel, x, y string) error { return ch.ExchangeUnbind(x, "k", y, false, nil) })},
	{name: "unbind an exchange from one that does not exist", want: "no error", run: withExchanges(func(ch *channel, x, _ string) error { return ch.ExchangeUnbind(x, "k", ch.e.name("nope"), false, nil) })},
	{name: "an exchange to an internal exchange", want: "no error", run: withExchanges(func(ch *channel, x, _ string) error {
		return ch.ExchangeBind(x, "k", "amq.rabbitmq.trace", false, nil)
	})},
	{name: "a queue that does not exist, without waiting", want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'", run: func(e *env) string {
		return e.try(func(ch *channel) error { return ch.QueueBind(e.name("q"), "k", "amq.direct", true, nil) })
	}},
	{name: "exchanges that do not exist, without waiting", want: "channel 404 NOT_FOUND - no exchange 'y' in vhost '/'", run: func(e *env) string {
		return e.try(func(ch *channel) error { return ch.ExchangeBind(e.name("x"), "k", e.name("y"), true, nil) })
	}},
	{name: "unbind exchanges that do not exist, without waiting", want: "no error", run: func(e *env) string {
		return e.try(func(ch *channel) error { return ch.ExchangeUnbind(e.name("x"), "k", e.name("y"), true, nil) })
	}},
	{name: "unbind exchanges without waiting", want: "no error none", run: func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "fanout", durable, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, x, "", nil))
		y := e.exchange("y")
		e.must(ch.exchange(y, "fanout", durable, nil))
		e.must(ch.ExchangeBind(x, "", y, false, nil))
		e.must(ch.ExchangeUnbind(x, "", y, true, nil))
		e.must(ch.publish(y, "", amqp.Publishing{Body: []byte("a")}))
		return ch.fate() + " " + e.drain(q)
	}},
	{name: "a durable queue to a transient exchange", want: "no error", run: func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "direct", none, nil))
		e.must(ch.declare(q, durable, nil))
		return e.try(func(ch *channel) error { return ch.bind(q, x, "k", nil) })
	}},
	{name: "a transient queue to a durable exchange", want: "no error", run: func(e *env) string {
		q, ch := e.queue("q"), e.channel()
		e.must(ch.declare(q, none, nil))
		return e.try(func(ch *channel) error { return ch.bind(q, "amq.direct", q, nil) })
	}},
	{name: "an exclusive queue of one's own", want: "no error", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			e.must(ch.declare(e.name("q"), exclusive, nil))
			e.must(ch.bind(e.name("q"), "amq.direct", e.name("k"), nil))
			return ch.QueueUnbind(e.name("q"), e.name("k"), "amq.direct", nil)
		})
	}},
	{name: "a key of 255 bytes", want: "no error", run: withQueue(func(ch *channel, q string) error { return ch.bind(q, "amq.direct", strings.Repeat("k", 255), nil) })},
	{name: "exchanges without waiting", want: "no error", run: withExchanges(func(ch *channel, x, y string) error { return ch.ExchangeBind(x, "k", y, true, nil) })},
}}
