package conformance_test

import (
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// loop declares the queue q, whose dead wait in the queue retry, which sends them back after a while.
func (e *env) loop(declare kind, wait time.Duration) (q, retry string) {
	e.Helper()
	q = declare(e, "q", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": e.name("retry")})
	retry = declare(e, "retry", amqp.Table{
		"x-dead-letter-exchange": "", "x-dead-letter-routing-key": q, "x-message-ttl": wait.Milliseconds(),
	})
	return q, retry
}

// deathTimes are the times of x-death, newest entry first.
func deathTimes(d amqp.Delivery) []time.Time {
	entries, _ := d.Headers["x-death"].([]any)
	times := make([]time.Time, len(entries))
	for i, entry := range entries {
		table, _ := entry.(amqp.Table)
		times[i], _ = table["time"].(time.Time)
	}
	return times
}

// deathHistory is what x-death tells of a message that died more than once, and where that ends.
var deathHistory = section{"die more than once", []row{
	{
		name: "two rounds through a retry queue",
		want: `body=x redelivered=false exchange="" rk="q" headers={x-death:[D(expired,retry,ex="",rks=["retry"],n=2), D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="q" headers={x-death:[D(expired,retry,ex="",rks=["retry"],n=2), D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"") + LAST(expired,retry,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="q" headers={x-death:[D(expired,retry,ex="",rks=["retry"],n=2), D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"") + LAST(expired,retry,"")`,
		},
		run: func(e *env) string {
			q, _ := e.loop(classics, 50*time.Millisecond)
			e.put("", q, "x")
			e.refuse(q, 1)
			e.refuse(q, 1)
			return e.comes(q)
		},
	},
	{
		name: "two rounds through a quorum retry queue",
		want: `body=x redelivered=false exchange="" rk="q" headers={x-delivery-count:0(int64), x-death:[D(expired,retry,ex="",rks=["retry"],n=2), D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=true exchange="" rk="q" headers={x-delivery-count:2(int64), x-death:[D(expired,retry,ex="",rks=["retry"],n=2), D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"") + LAST(expired,retry,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="q" headers={x-acquired-count:2(int64), x-delivery-count:2(int64), x-death:[D(expired,retry,ex="",rks=["retry"],n=2), D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"") + LAST(expired,retry,"")`,
		},
		run: func(e *env) string {
			q, _ := e.loop(quorums, 50*time.Millisecond)
			e.put("", q, "x")
			e.refuse(q, 1)
			e.refuse(q, 1)
			return e.comes(q)
		},
	},
	{
		name: "requeued in each round",
		want: `body=x redelivered=false exchange="" rk="q" headers={x-delivery-count:0(int64), x-death:[D(expired,retry,ex="",rks=["retry"],n=2), D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=true exchange="" rk="q" headers={x-delivery-count:2(int64), x-death:[D(expired,retry,ex="",rks=["retry"],n=2), D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"") + LAST(expired,retry,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="q" headers={x-acquired-count:4(int64), x-delivery-count:4(int64), x-death:[D(expired,retry,ex="",rks=["retry"],n=2), D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"") + LAST(expired,retry,"")`,
		},
		run: func(e *env) string {
			q, _ := e.loop(quorums, 50*time.Millisecond)
			e.put("", q, "x")
			for range 2 {
				ch := e.channel()
				e.must(ch.hold(q, 1)[0].Reject(true))
				e.must(ch.hold(q, 1)[0].Reject(false))
				e.must(ch.Close())
			}
			return e.comes(q)
		},
	},
	{
		name: "three queues in a row",
		want: `body=x redelivered=false exchange="" rk="c" headers={x-death:[D(rejected,b,ex="",rks=["b"],n=1), D(rejected,a,ex="",rks=["a"],n=1)]} + FIRST(rejected,a,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="c" headers={x-death:[D(rejected,b,ex="",rks=["b"],n=1), D(rejected,a,ex="",rks=["a"],n=1)]} + FIRST(rejected,a,"") + LAST(rejected,b,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="c" headers={x-death:[D(rejected,b,ex="",rks=["b"],n=1), D(rejected,a,ex="",rks=["a"],n=1)]} + FIRST(rejected,a,"") + LAST(rejected,b,"")`,
		},
		run: func(e *env) string {
			c := e.classic("c", nil)
			b := e.classic("b", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": c})
			a := e.classic("a", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": b})
			e.put("", a, "x")
			e.refuse(a, 1)
			e.refuse(b, 1)
			return e.comes(c)
		},
	},
	{
		name: "for two reasons in one queue",
		want: `body=x redelivered=false exchange="" rk="b" headers={x-death:[D(rejected,a,ex="",rks=["a"],n=1), D(expired,a,ex="",rks=["a"],n=1,orig-exp=50), D(rejected,b,ex="",rks=["b"],n=1)]} + FIRST(expired,a,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="b" headers={x-death:[D(rejected,a,ex="",rks=["a"],n=1), D(rejected,b,ex="",rks=["b"],n=1), D(expired,a,ex="",rks=["a"],n=1,orig-exp=50)]} + FIRST(expired,a,"") + LAST(rejected,a,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="b" headers={x-death:[D(rejected,a,ex="",rks=["a"],n=1), D(rejected,b,ex="",rks=["b"],n=1), D(expired,a,ex="",rks=["a"],n=1,orig-exp=50)]} + FIRST(expired,a,"") + LAST(rejected,a,"")`,
		},
		run: func(e *env) string {
			a, b := e.name("a"), e.name("b")
			e.classic("a", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": b})
			e.classic("b", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": a})
			e.publish("", a, expiring("x", "50"))
			e.refuse(b, 1)
			e.refuse(a, 1)
			return e.comes(b)
		},
	},
	{
		name: "by rejection and then by expiration",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,wait,ex="",rks=["wait"],n=1), D(rejected,q,ex="",rks=["q"],n=1,orig-exp=60000)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,wait,ex="",rks=["wait"],n=1), D(rejected,q,ex="",rks=["q"],n=1,orig-exp=60000)]} + FIRST(rejected,q,"") + LAST(expired,wait,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="dlq" headers={x-death:[D(expired,wait,ex="",rks=["wait"],n=1), D(rejected,q,ex="",rks=["q"],n=1,orig-exp=60000)]} + FIRST(rejected,q,"") + LAST(expired,wait,"")`,
		},
		run: func(e *env) string {
			dlq := e.classic("dlq", nil)
			wait := e.classic("wait", with(e.toDLQ(), "x-message-ttl", 50))
			q := e.classic("q", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": wait})
			e.publish("", q, expiring("x", "60000"))
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
	{
		name: "by expirations of its own and of the queue",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,wait,ex="",rks=["wait"],n=1), D(expired,q,ex="",rks=["q"],n=1,orig-exp=50)]} + FIRST(expired,q,"")`,
		on: map[string]string{
			"4": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,wait,ex="",rks=["wait"],n=1), D(expired,q,ex="",rks=["q"],n=1,orig-exp=50)]} + FIRST(expired,q,"") + LAST(expired,wait,"")`,
		},
		run: func(e *env) string {
			dlq := e.classic("dlq", nil)
			wait := e.classic("wait", with(e.toDLQ(), "x-message-ttl", 100))
			q := e.classic("q", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": wait})
			e.publish("", q, expiring("x", "50"))
			return e.comes(dlq)
		},
	},
	{
		name: "in one queue with two routing keys",
		want: `body=x redelivered=false exchange="x" rk="second" headers={x-death:[D(rejected,q,ex="x",rks=["first"],n=2)]} + FIRST(rejected,q,"x")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="x" rk="second" headers={x-death:[D(rejected,q,ex="x",rks=["first"],n=2)]} + FIRST(rejected,q,"x") + LAST(rejected,q,"x")`,
			"4.3": `body=x redelivered=true exchange="x" rk="second" headers={x-death:[D(rejected,q,ex="x",rks=["first"],n=2)]} + FIRST(rejected,q,"x") + LAST(rejected,q,"x")`,
		},
		run: func(e *env) string {
			x := e.exchange("x")
			e.must(e.channel().exchange(x, "fanout", none, nil))
			q := e.classic("q", amqp.Table{"x-dead-letter-exchange": x, "x-dead-letter-routing-key": "second"})
			e.must(e.channel().bind(q, x, "", nil))
			e.put(x, "first", "x")
			e.refuse(q, 1)
			e.refuse(q, 1)
			return e.comes(q)
		},
	},
	{
		name: "an entry's time stays, its count grows",
		want: `body=x redelivered=false exchange="" rk="q" headers={x-death:[D(expired,retry,ex="",rks=["retry"],n=2), D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,""), the times are the same: true`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="q" headers={x-death:[D(expired,retry,ex="",rks=["retry"],n=2), D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"") + LAST(expired,retry,""), the times are the same: true`,
			"4.3": `body=x redelivered=true exchange="" rk="q" headers={x-death:[D(expired,retry,ex="",rks=["retry"],n=2), D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"") + LAST(expired,retry,""), the times are the same: true`,
		},
		run: func(e *env) string {
			q, _ := e.loop(classics, 1500*time.Millisecond)
			e.put("", q, "x")
			e.refuse(q, 1)
			first := deathTimes(e.channel().hold(q, 1)[0])
			e.must(e.first.Close())
			e.first = nil
			e.refuse(q, 1)
			second := e.await(q, 1)[0]
			times := deathTimes(second)
			return fmt.Sprintf("%s, the times are the same: %t", show(second),
				len(first) == 2 && len(times) == 2 && first[0].Equal(times[0]) && first[1].Equal(times[1]))
		},
	},
	{
		name: "a cycle of two queues in which all expires ends",
		want: "messages=0 consumers=0, messages=0 consumers=0",
		run: func(e *env) string {
			a, b := e.name("a"), e.name("b")
			e.classic("a", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": b, "x-message-ttl": 50})
			e.classic("b", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": a, "x-message-ttl": 50})
			e.put("", a, "x")
			e.sleep(2 * quiet)
			return e.counts(a) + ", " + e.counts(b)
		},
	},
	{
		name: "a cycle of two quorum queues in which all expires ends",
		want: "messages=0 consumers=0, messages=0 consumers=0",
		run: func(e *env) string {
			a, b := e.name("a"), e.name("b")
			e.quorum("a", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": b, "x-message-ttl": 50})
			e.quorum("b", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": a, "x-message-ttl": 50})
			e.put("", a, "x")
			e.sleep(2 * quiet)
			return e.counts(a) + ", " + e.counts(b)
		},
	},
	{
		name: "where a cycle ends",
		want: `a {}; b {x-death:[D(expired,a,ex="x",rks=["a"],n=1)]} + FIRST(expired,a,"x"); a {x-death:[D(expired,b,ex="x",rks=["b"],n=1), D(expired,a,ex="x",rks=["a"],n=1)]} + FIRST(expired,a,"x")`,
		on: map[string]string{
			"4": `a {}; b {x-death:[D(expired,a,ex="x",rks=["a"],n=1)]} + FIRST(expired,a,"x") + LAST(expired,a,"x"); a {x-death:[D(expired,b,ex="x",rks=["b"],n=1), D(expired,a,ex="x",rks=["a"],n=1)]} + FIRST(expired,a,"x") + LAST(expired,b,"x")`,
		},
		run: func(e *env) string {
			x := e.exchange("x") // each death passes here, and the trail hears of it
			e.must(e.channel().exchange(x, "topic", none, nil))
			trail := e.classic("trail", nil)
			e.must(e.channel().bind(trail, x, "#", nil))
			for _, name := range []string{"a", "b"} {
				next := map[string]string{"a": "b", "b": "a"}[name]
				q := e.classic(name, amqp.Table{"x-dead-letter-exchange": x, "x-dead-letter-routing-key": next, "x-message-ttl": 50})
				e.must(e.channel().bind(q, x, name, nil))
			}
			e.put(x, "a", "x")
			e.sleep(2 * quiet)
			var seen []string
			for d, ok := e.get(trail); ok; d, ok = e.get(trail) {
				seen = append(seen, d.RoutingKey+" "+showHeaders(d.Headers))
			}
			return strings.Join(seen, "; ")
		},
	},
	{
		name: "a queue that drops its head to itself",
		want: "2",
		run: func(e *env) string {
			q := e.classic("q", amqp.Table{"x-dead-letter-exchange": "", "x-max-length": 1})
			e.put("", q, "1", "2")
			return e.stays(q)
		},
	},
	{
		name: "expires to itself",
		want: "none",
		run: func(e *env) string {
			q := e.classic("q", amqp.Table{"x-dead-letter-exchange": "", "x-message-ttl": 50})
			e.put("", q, "x")
			return e.stays(q)
		},
	},
	{
		name: "a cycle with one rejection, twice",
		want: "none",
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="a" headers={x-death:[D(expired,c,ex="",rks=["c"],n=2), D(expired,b,ex="",rks=["b"],n=2), D(rejected,a,ex="",rks=["a"],n=2)]} + FIRST(rejected,a,"") + LAST(expired,c,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="a" headers={x-death:[D(expired,c,ex="",rks=["c"],n=2), D(expired,b,ex="",rks=["b"],n=2), D(rejected,a,ex="",rks=["a"],n=2)]} + FIRST(rejected,a,"") + LAST(expired,c,"")`,
		},
		run: func(e *env) string {
			a, b, c := e.name("a"), e.name("b"), e.name("c")
			e.classic("a", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": b})
			e.classic("b", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": c, "x-message-ttl": 50})
			e.classic("c", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": a, "x-message-ttl": 50})
			e.put("", a, "x")
			e.refuse(a, 1)
			e.refuse(a, 1)
			e.sleep(2 * quiet)
			return e.taken(a)
		},
	},
	{
		name: "a client's x-death",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.put("", q, "x")
			e.refuse(q, 1)
			d := e.await(dlq, 1)[0]
			e.publish("", q, amqp.Publishing{Body: d.Body, Headers: d.Headers})
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
	{
		name: "a client's x-death, which the queue that it names does not know",
		want: `body= redelivered=false exchange="" rk="q" headers={x-death:[D(rejected,other,ex="",rks=["k"],n=3)]}`,
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.publish("", q, amqp.Publishing{Headers: amqp.Table{"x-death": []any{amqp.Table{
				"count": int64(3), "reason": "rejected", "queue": "other", "exchange": "",
				"routing-keys": []any{"k"}, "time": time.Unix(1700000000, 0),
			}}}})
			return e.comes(q)
		},
	},
	{
		name: "a client's x-death that is no list",
		want: `body= redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]}`,
		on: map[string]string{
			"4.0": `body= redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body= redelivered=true exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.publish("", q, amqp.Publishing{Headers: amqp.Table{"x-death": "text"}})
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
	{
		name: "a client's x-first-death headers",
		want: `body= redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(expired,other,"there")`,
		on: map[string]string{
			"4.0": `body= redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body= redelivered=true exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.publish("", q, amqp.Publishing{Headers: amqp.Table{
				"x-first-death-reason": "expired", "x-first-death-queue": "other", "x-first-death-exchange": "there",
				"x-last-death-reason": "expired", "x-last-death-queue": "other", "x-last-death-exchange": "there",
			}})
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
	{
		name: "a client's x-first-death headers, through a quorum queue",
		want: `body= redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body= redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body= redelivered=true exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, nil)
			e.publish("", q, amqp.Publishing{Headers: amqp.Table{
				"x-first-death-reason": "expired", "x-first-death-queue": "other", "x-first-death-exchange": "there",
			}})
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
	{
		name: "a message that a client forwards dies as a new one",
		want: `body=x redelivered=false exchange="" rk="q" headers={x-death:[D(expired,retry,ex="",rks=["retry"],n=1), D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="q" headers={x-death:[D(expired,retry,ex="",rks=["retry"],n=1), D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(expired,retry,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="q" headers={x-death:[D(expired,retry,ex="",rks=["retry"],n=1), D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(expired,retry,"")`,
		},
		run: func(e *env) string {
			q, _ := e.loop(classics, 50*time.Millisecond)
			e.put("", q, "x")
			e.refuse(q, 1)
			d := e.await(q, 1)[0]
			e.publish("", q, amqp.Publishing{Body: d.Body})
			e.refuse(q, 1)
			return e.comes(q)
		},
	},
}}
