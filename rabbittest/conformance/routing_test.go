package conformance_test

import (
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// routes declares an exchange and binds a queue by each of these keys. It publishes with each of the other keys, and
// says by which bindings a message has come: "a.b→[a.*][#]".
func routes(kind string, bindings, keys []string) func(e *env) string {
	return func(e *env) string {
		x, ch := e.exchange("x"), e.channel()
		e.must(ch.exchange(x, kind, durable, nil))
		for i, binding := range bindings {
			q := e.queue(fmt.Sprintf("q%d", i))
			e.must(ch.declare(q, durable, nil))
			e.must(ch.bind(q, x, binding, nil))
		}
		for i, key := range keys {
			e.put(x, key, fmt.Sprint(i))
		}
		by := make([]string, len(keys))
		for i, binding := range bindings {
			for {
				d, ok, err := ch.Get(e.name(fmt.Sprintf("q%d", i)), true)
				e.must(err)
				if !ok {
					break
				}
				var n int
				_, err = fmt.Sscan(string(d.Body), &n)
				e.must(err)
				by[n] += "[" + binding + "]"
			}
		}
		for i, key := range keys {
			by[i] = key + "→" + by[i]
		}
		return strings.Join(by, "; ")
	}
}

// matches binds a queue to a headers exchange with each of these arguments, publishes a message with these headers, and
// says which of the queues have it.
func matches(headers amqp.Table, bindings ...amqp.Table) func(e *env) string {
	return func(e *env) string {
		x, ch := e.exchange("x"), e.channel()
		e.must(ch.exchange(x, "headers", durable, nil))
		for i, args := range bindings {
			q := e.queue(fmt.Sprintf("q%d", i))
			e.must(ch.declare(q, durable, nil))
			e.must(ch.bind(q, x, fmt.Sprintf("ignored%d", i), args))
		}
		e.publish(x, "k", amqp.Publishing{Headers: headers})
		var seen []string
		for i := range bindings {
			_, ok, err := ch.Get(e.name(fmt.Sprintf("q%d", i)), true)
			e.must(err)
			seen = append(seen, fmt.Sprint(ok))
		}
		return strings.Join(seen, " ")
	}
}

// same binds a queue to a headers exchange by a field of one value, publishes one with another, and says whether they
// are the same to the broker.
func same(bound, sent any) func(e *env) string {
	return matches(amqp.Table{"a": sent}, amqp.Table{"x-match": "all", "a": bound})
}

// routing is which queues a message goes to.
var routing = section{"route", []row{
	{name: "default exchange: by the queue's name, exactly", want: "a / b", run: func(e *env) string {
		q, q2, ch := e.queue("q"), e.queue("q2"), e.channel()
		e.must(ch.declare(q, durable, nil))
		e.must(ch.declare(q2, durable, nil))
		e.put("", q, "a")
		e.put("", q2, "b")
		e.put("", q+"x", "c")
		e.put("", strings.ToUpper(q), "d")
		e.put("", "", "e")
		return e.drain(q) + " / " + e.drain(q2)
	}},
	{name: "default exchange: keys are no patterns", want: "b", run: func(e *env) string {
		q := e.queue("q.#")
		e.must(e.channel().declare(q, durable, nil))
		e.put("", strings.Replace(q, "#", "a", 1), "a")
		e.put("", q, "b")
		return e.drain(q)
	}},
	{name: "direct", want: "a→[a][a]; b→[b]; c→; →[]; #→[#]; A→; a.b→", run: routes("direct", []string{"a", "a", "b", "", "#", "a.*"}, []string{"a", "b", "c", "", "#", "A", "a.b"})},
	{name: "fanout", want: "a→[a][][#]; →[a][][#]; x.y→[a][][#]", run: routes("fanout", []string{"a", "", "#"}, []string{"a", "", "x.y"})},
	{name: "topic", want: "a→[a.#][*][#]; a.b→[a.*][a.#][#][#.b][a.#.b][*.*]; a.x.b→[a.#][#][#.b][a.#.b]; →[#][]; b→[*][#][#.b]; A.b→[#][#.b][*.*]; a.x.y.b→[a.#][#][#.b][a.#.b]", run: routes("topic",
		[]string{"a.*", "a.#", "*", "#", "#.b", "a.#.b", "*.*", ""},
		[]string{"a", "a.b", "a.x.b", "", "b", "A.b", "a.x.y.b"})},
	{name: "topic: empty words", want: "→[#][]; .→[*.*][.][#]; ..→[*.*.*][#]; a.→[*.*][a.][#][a.*]; .a→[*.*][.a][#][*.a]; a..b→[*.*.*][#][a..b][a.*.b][a.#.b]; a.b→[*.*][#][a.*][a.#.b]", run: routes("topic",
		[]string{"*", "*.*", "*.*.*", "a.", ".a", ".", "#", "a.*", "*.a", "a..b", "a.*.b", "a.#.b", ""},
		[]string{"", ".", "..", "a.", ".a", "a..b", "a.b"})},
	{name: "topic: many hashes", want: "→[#.#]; a→[#.#][#.*][*.#][#.*.#][#.a.#][a.#.#]; b→[#.#][#.*][*.#][#.*.#]; a.b→[#.#][#.*][*.#][#.*.#][*.#.*][#.a.#][a.#.#]; b.a→[#.#][#.*][*.#][#.*.#][*.#.*][#.a.#]; a.x.b→[#.#][#.*][*.#][#.*.#][*.#.*][#.a.#][a.#.#]; x.a.x.b.x→[#.#][#.*][*.#][#.*.#][*.#.*][#.a.#]; a.a→[#.#][#.*][*.#][#.*.#][*.#.*][#.a.#][a.#.#]", run: routes("topic",
		[]string{"#.#", "#.*", "*.#", "#.*.#", "*.#.*", "#.a.#", "a.#.#"},
		[]string{"", "a", "b", "a.b", "b.a", "a.x.b", "x.a.x.b.x", "a.a"})},
	{name: "topic: three hashes", want: "→[#.#.#]; a.b→[#.a.#.b.#][#.#.#]; x.a.x.b.x→[#.a.#.b.#][#.#.#]; b.a→[#.#.#]; a→[#.#.#]; a.a.b.b→[#.a.#.b.#][#.#.#]", not: map[string]string{"4.3": "it refuses the binding"}, run: routes("topic",
		[]string{"#.a.#.b.#", "#.#.#"}, []string{"", "a.b", "x.a.x.b.x", "b.a", "a", "a.a.b.b"})},
	{name: "topic: wildcards inside a word are letters", want: `a→; ab→; a*→[a*]; a#→[a#]; a.bc→; a.b*→[a.b*]; ##→[##]; x→; **→[**]; \*→[\*]`, run: routes("topic",
		[]string{"a*", "a#", "*a", "a.b*", "##", "**", `\*`},
		[]string{"a", "ab", "a*", "a#", "a.bc", "a.b*", "##", "x", "**", `\*`})},
	{name: "topic: wildcards in a routing key are letters", want: "a.*→[a.*][a.#][#]; a.#→[a.*][a.#][#]; #→[#]; *→[#]; *.b→[#][*.b]", run: routes("topic",
		[]string{"a.b", "a.*", "a.#", "#", "*.b"},
		[]string{"a.*", "a.#", "#", "*", "*.b"})},
	{name: "topic: capitals and umlauts", want: "größe.ä→[größe.*][*.ä]; Größe.x→[Größe.*]; x.ä→[*.ä]", run: routes("topic",
		[]string{"Größe.*", "größe.*", "*.ä"},
		[]string{"größe.ä", "Größe.x", "x.ä"})},
	{name: "topic: after an unbind", want: "1,2,4", run: func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "topic", durable, nil))
		e.must(ch.declare(q, durable, nil))
		for _, key := range []string{"a.#", "a.*", "#.b"} {
			e.must(ch.bind(q, x, key, nil))
		}
		e.put(x, "a.b", "1")
		e.must(ch.QueueUnbind(q, "a.#", x, nil))
		e.put(x, "a.b", "2")
		e.put(x, "a", "3")
		e.must(ch.QueueUnbind(q, "a.*", x, nil))
		e.put(x, "a.b", "4")
		e.must(ch.QueueUnbind(q, "#.b", x, nil))
		e.put(x, "a.b", "5")
		return e.drain(q)
	}},
	{name: "topic: a binding of 255 bytes", want: "a", run: func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "topic", durable, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, x, strings.Repeat("*.", 127)+"#", nil))
		e.put(x, strings.Repeat("a.", 127)+"b", "a")
		return e.drain(q)
	}},
	{name: "two bindings match, the queue has one message", want: "a", run: func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "topic", durable, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, x, "a.*", nil))
		e.must(ch.bind(q, x, "#", nil))
		e.put(x, "a.b", "a")
		return e.drain(q)
	}},
	{name: "two ways through exchanges, the queue has one message", want: `body=a redelivered=false exchange="x" rk="k" / none`, run: func(e *env) string {
		x, y, z, q, ch := e.exchange("x"), e.exchange("y"), e.exchange("z"), e.queue("q"), e.channel()
		for _, name := range []string{x, y, z} {
			e.must(ch.exchange(name, "fanout", durable, nil))
		}
		e.must(ch.ExchangeBind(y, "", x, false, nil))
		e.must(ch.ExchangeBind(z, "", x, false, nil))
		e.must(ch.declare(q, durable, nil))
		for _, name := range []string{x, y, z} {
			e.must(ch.bind(q, name, "", nil))
		}
		e.put(x, "k", "a")
		return e.taken(q) + " / " + e.drain(q)
	}},
	{name: "exchanges in a circle", want: "a,b", run: func(e *env) string {
		x, y, q, ch := e.exchange("x"), e.exchange("y"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "fanout", durable, nil))
		e.must(ch.exchange(y, "fanout", durable, nil))
		e.must(ch.ExchangeBind(y, "", x, false, nil))
		e.must(ch.ExchangeBind(x, "", y, false, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, y, "", nil))
		e.put(x, "k", "a")
		e.put(y, "k", "b")
		return e.drain(q)
	}},
	{name: "an exchange bound to itself", want: "a", run: func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "fanout", durable, nil))
		e.must(ch.ExchangeBind(x, "", x, false, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, x, "", nil))
		e.put(x, "k", "a")
		return e.drain(q)
	}},
	{name: "each exchange looks at the key by its own type", want: `body=1 redelivered=false exchange="x" rk="a.b" / none`, run: func(e *env) string {
		x, y, q, ch := e.exchange("x"), e.exchange("y"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "topic", durable, nil))
		e.must(ch.exchange(y, "direct", durable, nil))
		e.must(ch.ExchangeBind(y, "a.*", x, false, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, y, "a.b", nil))
		e.put(x, "a.b", "1")
		e.put(x, "a.c", "2")
		e.put(x, "b.b", "3")
		return e.taken(q) + " / " + e.drain(q)
	}},
	{name: "through an internal exchange", want: `body=a redelivered=false exchange="x" rk="k"`, run: func(e *env) string {
		x, y, q, ch := e.exchange("x"), e.exchange("y"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "fanout", durable, nil))
		e.must(ch.exchange(y, "fanout", durable|internal, nil))
		e.must(ch.ExchangeBind(y, "", x, false, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, y, "", nil))
		e.put(x, "k", "a")
		return e.taken(q)
	}},
	{name: "after the source was unbound from the destination", want: "a,b", run: func(e *env) string {
		x, y, q, ch := e.exchange("x"), e.exchange("y"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "fanout", durable, nil))
		e.must(ch.exchange(y, "fanout", durable, nil))
		e.must(ch.ExchangeBind(y, "k", x, false, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, y, "", nil))
		e.put(x, "k", "a")
		e.must(ch.ExchangeUnbind(y, "other", x, false, nil))
		e.put(x, "k", "b")
		e.must(ch.ExchangeUnbind(y, "k", x, false, nil))
		e.put(x, "k", "c")
		return e.drain(q)
	}},

	{name: "alternate exchange", want: `body=x redelivered=false exchange="x" rk="zz"`, run: func(e *env) string {
		x, ae, q, ch := e.exchange("x"), e.exchange("ae"), e.queue("q"), e.channel()
		e.must(ch.exchange(ae, "fanout", durable, nil))
		e.must(ch.exchange(x, "direct", durable, arguments("alternate-exchange", ae)))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, ae, "", nil))
		e.put(x, "zz", "x")
		return e.taken(q)
	}},
	{name: "alternate exchange: not for what is routed", want: "none / x", run: func(e *env) string {
		x, ae, q, q2, ch := e.exchange("x"), e.exchange("ae"), e.queue("q"), e.queue("q2"), e.channel()
		e.must(ch.exchange(ae, "fanout", durable, nil))
		e.must(ch.exchange(x, "direct", durable, arguments("alternate-exchange", ae)))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.declare(q2, durable, nil))
		e.must(ch.bind(q, ae, "", nil))
		e.must(ch.bind(q2, x, "k", nil))
		e.put(x, "k", "x")
		return e.drain(q) + " / " + e.drain(q2)
	}},
	{name: "alternate exchange: a chain", want: `body=x redelivered=false exchange="x" rk="zz"`, run: func(e *env) string {
		x, ae, last, q, ch := e.exchange("x"), e.exchange("ae"), e.exchange("last"), e.queue("q"), e.channel()
		e.must(ch.exchange(last, "fanout", durable, nil))
		e.must(ch.exchange(ae, "direct", durable, arguments("alternate-exchange", last)))
		e.must(ch.exchange(x, "direct", durable, arguments("alternate-exchange", ae)))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, last, "", nil))
		e.put(x, "zz", "x")
		return e.taken(q)
	}},
	{name: "alternate exchange: a circle", want: `return 312 NO_ROUTE exchange="x" rk="zz" then ack=true`, run: func(e *env) string {
		x, ae, ch := e.exchange("x"), e.exchange("ae"), e.channel()
		e.must(ch.exchange(ae, "direct", durable, arguments("alternate-exchange", x)))
		e.must(ch.exchange(x, "direct", durable, arguments("alternate-exchange", ae)))
		return e.mandatory(x, "zz")
	}},
	{name: "alternate exchange: it does not exist", want: `return 312 NO_ROUTE exchange="x" rk="zz" then ack=true`, run: func(e *env) string {
		x, ch := e.exchange("x"), e.channel()
		e.must(ch.exchange(x, "direct", durable, arguments("alternate-exchange", e.name("nope"))))
		return e.mandatory(x, "zz")
	}},
	{name: "alternate exchange: mandatory is content with it", want: "ack=true", run: func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("zz"), e.channel()
		e.must(ch.exchange(x, "direct", durable, arguments("alternate-exchange", e.exchange("ae"))))
		e.must(ch.exchange(e.name("ae"), "fanout", durable, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, e.name("ae"), "", nil))
		return e.mandatory(x, "k")
	}},
	{name: "alternate exchange: routed to nothing there, mandatory", want: `return 312 NO_ROUTE exchange="x" rk="k" then ack=true`, run: func(e *env) string {
		x, ch := e.exchange("x"), e.channel()
		e.must(ch.exchange(x, "direct", durable, arguments("alternate-exchange", e.exchange("ae"))))
		e.must(ch.exchange(e.name("ae"), "fanout", durable, nil))
		return e.mandatory(x, "k")
	}},
	{name: "alternate exchange: of an exchange on the way", want: `body=x redelivered=false exchange="x" rk="zz"`, run: func(e *env) string {
		x, y, ae, q, ch := e.exchange("x"), e.exchange("y"), e.exchange("ae"), e.queue("q"), e.channel()
		e.must(ch.exchange(ae, "fanout", durable, nil))
		e.must(ch.exchange(y, "direct", durable, arguments("alternate-exchange", ae)))
		e.must(ch.exchange(x, "fanout", durable, nil))
		e.must(ch.ExchangeBind(y, "", x, false, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, ae, "", nil))
		e.put(x, "zz", "x")
		return e.taken(q)
	}},
	{name: "alternate exchange: the default exchange", want: "none", run: func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "direct", durable, arguments("alternate-exchange", "")))
		e.must(ch.declare(q, durable, nil))
		e.put(x, q, "x")
		return e.drain(q)
	}},

	{name: "CC and BCC", want: `body=x redelivered=false exchange="" rk="q" headers={CC:["q2", "q3", "q"]} / body=x redelivered=false exchange="" rk="q" headers={CC:["q2", "q3", "q"]} / body=x redelivered=false exchange="" rk="q" headers={CC:["q2", "q3", "q"]} / left none none x`, run: func(e *env) string {
		ch := e.channel()
		for _, q := range []string{e.queue("q"), e.queue("q2"), e.queue("q3"), e.queue("q4")} {
			e.must(ch.declare(q, durable, nil))
		}
		e.publish("", e.name("q"), amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{
			"CC":  []any{e.name("q2"), e.name("q3"), e.name("q")},
			"BCC": []any{e.name("q4"), e.name("q2")},
		}})
		return e.taken(e.name("q")) + " / " + e.taken(e.name("q2")) + " / " + e.taken(e.name("q4")) + " / left " + e.drain(e.name("q")) + " " + e.drain(e.name("q2")) + " " + e.drain(e.name("q3"))
	}},
	{name: "CC that is empty", want: `body= redelivered=false exchange="" rk="q" headers={CC:[]}`, run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, nil))
		e.publish("", q, amqp.Publishing{Headers: amqp.Table{"CC": []any{}}})
		return e.taken(q)
	}},
	{name: "CC by a topic", want: `body= redelivered=false exchange="x" rk="b" headers={CC:["a.c"]}`, run: func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "topic", durable, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, x, "a.*", nil))
		e.publish(x, "b", amqp.Publishing{Headers: amqp.Table{"CC": []any{"a.c"}}})
		return e.taken(q)
	}},
	{name: "cc in small letters is a header like another", want: `body= redelivered=false exchange="" rk="q" headers={cc:["q2"]} / none`, run: func(e *env) string {
		q, q2, ch := e.queue("q"), e.queue("q2"), e.channel()
		e.must(ch.declare(q, durable, nil))
		e.must(ch.declare(q2, durable, nil))
		e.publish("", q, amqp.Publishing{Headers: amqp.Table{"cc": []any{q2}}})
		return e.taken(q) + " / " + e.taken(q2)
	}},
	{name: "mandatory with a CC that is routed", want: "ack=true", run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, nil))
		return e.returned("", "nope", amqp.Publishing{Headers: amqp.Table{"CC": []any{q}}})
	}},
	{name: "a return has CC and no BCC", want: `return 312 NO_ROUTE exchange="" rk="nope" then ack=true headers={CC:["a"]}`, run: func(e *env) string {
		return e.returned("", e.name("nope"), amqp.Publishing{Headers: amqp.Table{"CC": []any{"a"}, "BCC": []any{"b"}}})
	}},
}}

// mandatory publishes, mandatory, and says what comes back.
func (e *env) mandatory(exchange, key string) string {
	e.Helper()
	return e.returned(exchange, key, amqp.Publishing{})
}

// returned publishes, mandatory, and says what comes back: perhaps a return, then a confirm.
func (e *env) returned(exchange, key string, p amqp.Publishing) string {
	e.Helper()
	ch := e.channel()
	returns := ch.NotifyReturn(make(chan amqp.Return, 1))
	e.must(ch.Confirm(false))
	confirmation, err := ch.PublishWithDeferredConfirm(exchange, key, true, false, p)
	e.must(err)
	<-confirmation.Done()
	s := fmt.Sprintf("ack=%t", confirmation.Acked())
	select {
	case r, ok := <-returns:
		if !ok {
			return ch.fate()
		}
		s = fmt.Sprintf("return %d %s exchange=%q rk=%q then %s", r.ReplyCode, r.ReplyText, r.Exchange, r.RoutingKey, s)
		if r.Headers != nil {
			s += " headers=" + showHeaders(r.Headers)
		}
	default:
	}
	return s
}

// headers is the headers exchange.
var headers = section{"route by headers", []row{
	{name: "all and any", want: "false true", run: matches(arguments("a", int32(1)), arguments("x-match", "all", "a", int32(1), "b", "x"), arguments("x-match", "any", "a", int32(1), "b", "x"))},
	{name: "all and any, both there", want: "true true", run: matches(arguments("a", int32(1), "b", "x", "c", "y"), arguments("x-match", "all", "a", int32(1), "b", "x"), arguments("x-match", "any", "a", int32(1), "b", "x"))},
	{name: "all and any, none there", want: "false false", run: matches(arguments("c", "y"), arguments("x-match", "all", "a", int32(1)), arguments("x-match", "any", "a", int32(1)))},
	{name: "all and any, no headers", want: "false false true false true", run: matches(nil, arguments("x-match", "all", "a", int32(1)), arguments("x-match", "any", "a", int32(1)), arguments("x-match", "all"), arguments("x-match", "any"), nil)},
	{name: "bound with nothing", want: "true false true false true", run: matches(arguments("a", int32(1)), arguments("x-match", "all"), arguments("x-match", "any"), nil, arguments("x-match", "any-with-x"), arguments("x-match", "all-with-x"))},
	{name: "no x-match is all", want: "true false", run: matches(arguments("a", int32(1)), arguments("a", int32(1)), arguments("a", int32(1), "b", int32(2)))},
	{name: "fields of x- count only with-x", want: "true false true false true false true", run: matches(arguments("a", "1", "x-b", "2"),
		arguments("x-match", "all", "a", "1", "x-b", "other"),
		arguments("x-match", "all-with-x", "a", "1", "x-b", "other"),
		arguments("x-match", "all-with-x", "a", "1", "x-b", "2"),
		arguments("x-match", "any", "a", "other", "x-b", "2"),
		arguments("x-match", "any-with-x", "a", "other", "x-b", "2"),
		arguments("x-match", "any", "x-b", "2"),
		arguments("x-match", "all", "x-b", "other"))},
	{name: "a message with a header x-match", want: "true false", run: matches(arguments("x-match", "any", "a", "1"), arguments("x-match", "any", "a", "1"), arguments("x-match", "any-with-x", "x-match", "any-with-x"))},
	{name: "the routing key does not matter", want: "true", run: matches(arguments("a", "1"), arguments("a", "1"))},
	{name: "names are compared with capitals", want: "false true", run: matches(arguments("A", "1"), arguments("a", "1"), arguments("A", "1"))},
	{name: "void matches any value", want: "true false true", run: matches(arguments("a", int32(1)), arguments("a", nil), arguments("b", nil), arguments("x-match", "any", "a", nil, "b", nil))},
	{name: "a message's void", want: "true false", run: matches(arguments("a", nil), arguments("a", nil), arguments("a", "1"))},
	{name: "int32 and int64", want: "true", run: same(int32(1), int64(1))},
	{name: "int16 and int32", want: "true", run: same(int16(1), int32(1))},
	{name: "int8 and uint8", want: "true", run: same(int8(1), uint8(1))},
	{name: "int32 and another", want: "false", run: same(int32(1), int32(2))},
	{name: "a string and a string", want: "true", run: same("a", "a")},
	{name: "a string and bytes", want: "true", run: same("a", []byte("a"))},
	{name: "bytes and bytes", want: "true", run: same([]byte("a"), []byte("a"))},
	{name: "a string and a number", want: "false", run: same("1", int32(1))},
	{name: "true and true", want: "true", run: same(true, true)},
	{name: "true and false", want: "false", run: same(true, false)},
	{name: "true and a string", want: "false", run: same(true, "true")},
	{name: "a float and a double", want: "true", run: same(float32(1), float64(1))},
	{name: "a double and a double", want: "true", run: same(float64(1.5), float64(1.5))},
	{name: "a double and a number", want: "true", on: map[string]string{"4": "false"}, run: same(float64(1), int32(1))},
	{name: "a table and a table", want: "true", run: same(amqp.Table{"b": "1"}, amqp.Table{"b": "1"})},
	{name: "a table and another", want: "false", run: same(amqp.Table{"b": "1"}, amqp.Table{"b": "2"})},
	{name: "an array and an array", want: "true", run: same([]any{"b", int32(1)}, []any{"b", int32(1)})},
	{name: "an array and another", want: "false", run: same([]any{"b", int32(1)}, []any{int32(1), "b"})},
	{name: "a decimal and a decimal", want: "true", run: same(amqp.Decimal{Scale: 1, Value: 2}, amqp.Decimal{Scale: 1, Value: 2})},
	{name: "decimals of one value and two scales", want: "false", run: same(amqp.Decimal{Scale: 1, Value: 10}, amqp.Decimal{Scale: 2, Value: 100})},
	{name: "two bindings of one queue", want: "0,1,2", run: func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "headers", durable, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, x, "", arguments("a", "1")))
		e.must(ch.bind(q, x, "", arguments("b", "1")))
		for i, h := range []amqp.Table{{"a": "1"}, {"b": "1"}, {"a": "1", "b": "1"}, {"c": "1"}} {
			e.publish(x, "", amqp.Publishing{Headers: h, Body: []byte(fmt.Sprint(i))})
		}
		return e.drain(q)
	}},
	{name: "bound to another exchange", want: "1", run: func(e *env) string {
		x, y, q, ch := e.exchange("x"), e.exchange("y"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "headers", durable, nil))
		e.must(ch.exchange(y, "fanout", durable, nil))
		e.must(ch.ExchangeBind(y, "", x, false, arguments("x-match", "any", "a", "1")))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, y, "", nil))
		e.publish(x, "", amqp.Publishing{Headers: arguments("a", "1"), Body: []byte("1")})
		e.publish(x, "", amqp.Publishing{Headers: arguments("a", "2"), Body: []byte("2")})
		return e.drain(q)
	}},
}}
