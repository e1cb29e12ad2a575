package conformance_test

import (
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// copies is what becomes of the other routing keys of a message, in CC and BCC.
var copies = section{"CC and BCC", []row{
	{
		name: "all get it, and none sees BCC",
		want: `body=x redelivered=false exchange="" rk="a" headers={CC:["b"]} / body=x redelivered=false exchange="" rk="a" headers={CC:["b"]} / body=x redelivered=false exchange="" rk="a" headers={CC:["b"]}`,
		run: func(e *env) string {
			a, b, c := e.classic("a", nil), e.classic("b", nil), e.classic("c", nil)
			e.publish("", a, amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"CC": []any{b}, "BCC": []any{c}}})
			return e.comes(a) + " / " + e.comes(b) + " / " + e.comes(c)
		},
	},
	{
		name: "through a quorum queue",
		want: `body=x redelivered=false exchange="" rk="a" headers={CC:["b"], x-delivery-count:0(int64)} / body=x redelivered=false exchange="" rk="a" headers={CC:["b"], x-delivery-count:0(int64)} / body=x redelivered=false exchange="" rk="a" headers={CC:["b"], x-delivery-count:0(int64)}`,
		on: map[string]string{
			"4": `body=x redelivered=false exchange="" rk="a" headers={CC:["b"]} / body=x redelivered=false exchange="" rk="a" headers={CC:["b"]} / body=x redelivered=false exchange="" rk="a" headers={CC:["b"]}`,
		},
		run: func(e *env) string {
			a, b, c := e.quorum("a", nil), e.quorum("b", nil), e.quorum("c", nil)
			e.publish("", a, amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"CC": []any{b}, "BCC": []any{c}}})
			return e.comes(a) + " / " + e.comes(b) + " / " + e.comes(c)
		},
	},
	{
		name: "a key twice is one copy",
		want: "x",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.publish("", q, amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"CC": []any{q, q}, "BCC": []any{q}}})
			return e.stays(q)
		},
	},
	{
		name: "CC alone routes",
		want: `body=x redelivered=false exchange="" rk="nope" headers={CC:["q"]}`,
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.publish("", e.name("nope"), amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"CC": []any{q}}})
			return e.comes(q)
		},
	},
	{
		name: "through a topic exchange",
		want: "x",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.must(e.channel().bind(q, "amq.topic", e.token+".*", nil))
			e.publish("amq.topic", "k", amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"CC": []any{e.token + ".a", e.token + ".b"}}})
			return e.stays(q)
		},
	},
	{
		name: "an empty CC",
		want: `body=x redelivered=false exchange="" rk="q" headers={CC:[]}`,
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.publish("", q, amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"CC": []any{}, "BCC": []any{}}})
			return e.comes(q)
		},
	},
	{
		name: "CC is no list",
		want: `channel 406 PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",longstr}`,
		run: func(e *env) string {
			return e.try(func(ch *channel) error {
				return ch.publish("", "k", amqp.Publishing{Headers: amqp.Table{"CC": "text"}})
			})
		},
	},
	{
		name: "CC is a number",
		want: `channel 406 PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",signedint}`,
		run: func(e *env) string {
			return e.try(func(ch *channel) error {
				return ch.publish("", "k", amqp.Publishing{Headers: amqp.Table{"CC": int32(1)}})
			})
		},
	},
	{
		name: "BCC is no list",
		want: `channel 406 PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"BCC",bool}`,
		run: func(e *env) string {
			return e.try(func(ch *channel) error {
				return ch.publish("", "k", amqp.Publishing{Headers: amqp.Table{"BCC": true}})
			})
		},
	},
	{
		name: "CC has a number in it",
		want: "no error, in q: x",
		run: func(e *env) string {
			q := e.classic("q", nil)
			return e.try(func(ch *channel) error {
				return ch.publish("", "k", amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"CC": []any{int32(1), q}}})
			}) + ", in q: " + e.stays(q)
		},
	},
	{
		name: "a return shows BCC",
		want: `312 NO_ROUTE exchange="" rk="a" headers={CC:["b"]}`,
		run: func(e *env) string {
			ch := e.channel()
			returned := ch.NotifyReturn(make(chan amqp.Return, 1))
			e.must(ch.PublishWithContext(e.Context(), "", e.name("a"), true, false, amqp.Publishing{
				Headers: amqp.Table{"CC": []any{e.name("b")}, "BCC": []any{e.name("c")}},
			}))
			select {
			case r := <-returned:
				return fmt.Sprintf("%d %s exchange=%q rk=%q headers=%s", r.ReplyCode, r.ReplyText, r.Exchange, r.RoutingKey, showHeaders(r.Headers))
			case <-time.After(patience):
				return "nothing"
			}
		},
	},
	{
		name: "CC saves a mandatory message from its return",
		want: "x, returned: 0",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			returned := ch.NotifyReturn(make(chan amqp.Return, 1))
			e.must(ch.PublishWithContext(e.Context(), "", e.name("nope"), true, false, amqp.Publishing{
				Body: []byte("x"), Headers: amqp.Table{"CC": []any{q}},
			}))
			came := e.stays(q)
			return fmt.Sprintf("%s, returned: %d", came, len(returned))
		},
	},
	{
		name: "dead-lettered with a routing key of the queue's",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q", "cc"],n=1)]} + FIRST(rejected,q,""), cc: none`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="dlq" headers={CC:["cc"], x-death:[D(rejected,q,ex="",rks=["q", "cc"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,""), cc: none`,
			"4.3": `body=x redelivered=true exchange="" rk="dlq" headers={CC:["cc"], x-death:[D(rejected,q,ex="",rks=["q", "cc"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,""), cc: none`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			cc := e.classic("cc", nil)
			e.publish("", q, amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"CC": []any{cc}}})
			e.await(cc, 1)
			e.refuse(q, 1)
			return e.comes(dlq) + ", cc: " + e.drain(cc)
		},
	},
	{
		name: "dead-lettered with their own keys",
		want: `body=x redelivered=false exchange="dlx" rk="a" headers={CC:["b"], x-death:[D(rejected,q,ex="amq.direct",rks=["a", "b"],n=1)]} + FIRST(rejected,q,"amq.direct"), a: none, b: x, c: x`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="dlx" rk="a" headers={CC:["b"], x-death:[D(rejected,q,ex="amq.direct",rks=["a", "b"],n=1)]} + FIRST(rejected,q,"amq.direct") + LAST(rejected,q,"amq.direct"), a: none, b: x, c: x`,
			"4.3": `body=x redelivered=true exchange="dlx" rk="a" headers={CC:["b"], x-death:[D(rejected,q,ex="amq.direct",rks=["a", "b"],n=1)]} + FIRST(rejected,q,"amq.direct") + LAST(rejected,q,"amq.direct"), a: none, b: x(r), c: x(r)`,
		},
		run: func(e *env) string {
			dlx := e.exchange("dlx")
			e.must(e.channel().exchange(dlx, "direct", none, nil))
			q := e.classic("q", amqp.Table{"x-dead-letter-exchange": dlx})
			var seen []string
			names := []string{"a", "b", "c"}
			for _, name := range names {
				dlq := e.classic(name, nil)
				e.must(e.channel().bind(dlq, dlx, name, nil))
			}
			e.must(e.channel().bind(q, "amq.direct", e.token+"a", nil))
			own := e.classic("own", nil)
			e.must(e.channel().bind(own, dlx, e.token+"a", nil))
			e.publish("amq.direct", e.token+"a", amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"CC": []any{"b"}, "BCC": []any{"c"}}})
			e.refuse(q, 1)
			seen = append(seen, e.comes(own))
			for _, name := range names {
				seen = append(seen, name+": "+e.stays(e.name(name)))
			}
			return strings.Join(seen, ", ")
		},
	},
	{
		name: "dead-lettered from a quorum queue with their own keys",
		want: `body=x redelivered=false exchange="dlx" rk="q" headers={CC:["b"], x-death:[D(rejected,q,ex="",rks=["q", "b"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="dlx" rk="q" headers={CC:["b"], x-death:[D(rejected,q,ex="",rks=["q", "b"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body=x redelivered=true exchange="dlx" rk="q" headers={CC:["b"], x-death:[D(rejected,q,ex="",rks=["q", "b"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			dlx := e.exchange("dlx")
			e.must(e.channel().exchange(dlx, "fanout", none, nil))
			q, dlq := e.quorum("q", amqp.Table{"x-dead-letter-exchange": dlx}), e.classic("dlq", nil)
			e.must(e.channel().bind(dlq, dlx, "", nil))
			e.publish("", q, amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"CC": []any{"b"}, "BCC": []any{"c"}}})
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
}}
