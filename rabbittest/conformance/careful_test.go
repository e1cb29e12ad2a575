package conformance_test

import (
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// careful are the arguments of a quorum queue that keeps its dead until their new queue has them.
func (e *env) careful(more ...any) amqp.Table {
	args := quorum(append(more, "x-dead-letter-strategy", "at-least-once", "x-overflow", "reject-publish")...)
	for name, value := range e.toDLQ() {
		args[name] = value
	}
	return args
}

// atLeastOnce is dead-lettering that loses nothing.
var atLeastOnce = section{"dead-letter at least once", []row{
	{
		name: "a rejected message",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			dlq, q := e.classic("dlq", nil), e.classic("q", e.careful())
			e.publish("", q, amqp.Publishing{Body: []byte("x"), DeliveryMode: amqp.Persistent})
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
	{
		name: "an expired message",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1)]} + FIRST(expired,q,"")`,
		on: map[string]string{
			"4": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1)]} + FIRST(expired,q,"") + LAST(expired,q,"")`,
		},
		run: func(e *env) string {
			dlq, q := e.classic("dlq", nil), e.classic("q", e.careful("x-message-ttl", 100))
			e.put("", q, "x")
			return e.comes(dlq)
		},
	},
	{
		name: "a message that expired by itself",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1,orig-exp=100)]} + FIRST(expired,q,"")`,
		on: map[string]string{
			"4": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1,orig-exp=100)]} + FIRST(expired,q,"") + LAST(expired,q,"")`,
		},
		run: func(e *env) string {
			dlq, q := e.classic("dlq", nil), e.classic("q", e.careful())
			e.publish("", q, expiring("x", "100"))
			return e.comes(dlq)
		},
	},
	{
		name: "a message over the limit of deliveries",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-delivery-count:0(int64), x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"") + LAST(delivery_limit,q,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="dlq" headers={x-acquired-count:2(int64), x-delivery-count:2(int64), x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"") + LAST(delivery_limit,q,"")`,
		},
		run: func(e *env) string {
			dlq, q := e.quorum("dlq", nil), e.classic("q", e.careful("x-delivery-limit", 1))
			e.put("", q, "x")
			ch := e.channel()
			e.must(ch.hold(q, 1)[0].Reject(true))
			e.must(ch.hold(q, 1)[0].Reject(true))
			return e.comes(dlq)
		},
	},
	{
		name: "a hundred, in order",
		want: "100 in order",
		run: func(e *env) string {
			dlq, q := e.classic("dlq", nil), e.classic("q", e.careful())
			ch := e.channel()
			for i := range 100 {
				e.must(ch.publish("", q, amqp.Publishing{Body: fmt.Append(nil, i), DeliveryMode: amqp.Persistent}))
			}
			deliveries := ch.consume(q, "", nil)
			for range 99 {
				e.next(deliveries)
			}
			e.must(e.next(deliveries).Nack(true, false))
			return order(e.await(dlq, 100))
		},
	},
	{
		name: "to a missing queue: kept, though not to be seen",
		want: "messages=0 consumers=0, purged 0",
		on: map[string]string{
			"4.3": "messages=0 consumers=0, purged 1",
		},
		run: func(e *env) string {
			q := e.classic("q", e.careful())
			e.put("", q, "x")
			e.refuse(q, 1)
			e.sleep(quiet)
			ch := e.channel()
			n, err := ch.QueuePurge(q, false)
			e.must(err)
			return fmt.Sprintf("%s, purged %d", e.counts(q), n)
		},
	},
	{
		name: "a cycle in which all expires ends",
		want: "messages=0 consumers=0, messages=0 consumers=0",
		run: func(e *env) string {
			a, b := e.name("a"), e.name("b")
			args := e.careful("x-message-ttl", 50)
			e.classic("a", with(args, "x-dead-letter-routing-key", b))
			e.classic("b", with(args, "x-dead-letter-routing-key", a))
			e.put("", a, "x")
			e.sleep(2 * quiet)
			return e.counts(a) + ", " + e.counts(b)
		},
	},
	{
		name: "two rounds through a retry queue",
		want: `body=x redelivered=false exchange="" rk="q" headers={x-delivery-count:0(int64), x-death:[D(expired,retry,ex="",rks=["retry"],n=2), D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=true exchange="" rk="q" headers={x-delivery-count:2(int64), x-death:[D(expired,retry,ex="",rks=["retry"],n=2), D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"") + LAST(expired,retry,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="q" headers={x-acquired-count:2(int64), x-delivery-count:2(int64), x-death:[D(expired,retry,ex="",rks=["retry"],n=2), D(rejected,q,ex="",rks=["q"],n=2)]} + FIRST(rejected,q,"") + LAST(expired,retry,"")`,
		},
		run: func(e *env) string {
			q, retry := e.name("q"), e.name("retry")
			e.classic("q", with(e.careful(), "x-dead-letter-routing-key", retry))
			e.classic("retry", with(e.careful("x-message-ttl", 100), "x-dead-letter-routing-key", q))
			e.put("", q, "x")
			e.refuse(q, 1)
			e.refuse(q, 1)
			return e.comes(q)
		},
	},
	{
		name: "CC and BCC",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q", "b"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="dlq" headers={CC:["b"], x-death:[D(rejected,q,ex="",rks=["q", "b"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="dlq" headers={CC:["b"], x-death:[D(rejected,q,ex="",rks=["q", "b"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			dlq, q := e.classic("dlq", nil), e.classic("q", e.careful())
			e.publish("", q, amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"CC": []any{"b"}, "BCC": []any{"c"}}})
			e.refuse(q, 1)
			return e.comes(dlq)
		},
	},
	{
		name: "every property is kept, the expiration apart",
		want: `content-type=text/plain content-encoding=gzip delivery-mode=2 priority=7 correlation-id=correlation reply-to=reply message-id=message timestamp=1700000000 type=type user-id=guest app-id=app headers={a:"b", x-death:[D(rejected,q,ex="",rks=["q"],n=1,orig-exp=60000)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4": `content-type=text/plain content-encoding=gzip delivery-mode=2 priority=7 correlation-id=correlation reply-to=reply message-id=message timestamp=1700000000 type=type user-id=guest app-id=app headers={a:"b", x-death:[D(rejected,q,ex="",rks=["q"],n=1,orig-exp=60000)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			dlq, q := e.classic("dlq", nil), e.classic("q", e.careful())
			e.publish("", q, everyProperty)
			e.refuse(q, 1)
			return showProperties(e.await(dlq, 1)[0])
		},
	},
	{
		name: "with drop-head it is at most once",
		want: "purged 0",
		run: func(e *env) string {
			q := e.classic("q", with(e.careful(), "x-overflow", "drop-head"))
			e.put("", q, "x")
			e.refuse(q, 1)
			e.sleep(quiet)
			ch := e.channel()
			n, err := ch.QueuePurge(q, false)
			e.must(err)
			return fmt.Sprintf("purged %d", n)
		},
	},
	{
		name: "a full queue rejects",
		want: "nack",
		run: func(e *env) string {
			q := e.classic("q", e.careful("x-max-length", 1))
			e.put("", q, "1")
			e.sleep(quiet) // a quorum queue tells its publishers late that it is full
			ch := e.channel()
			e.must(ch.Confirm(false))
			for deadline := time.Now().Add(patience); ; {
				if answer := ch.confirmed("", q, say("2")); answer != "ack" || time.Now().After(deadline) {
					return answer
				}
			}
		},
	},
}}
