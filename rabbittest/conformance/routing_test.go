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
