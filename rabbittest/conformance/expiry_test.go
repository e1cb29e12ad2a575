package conformance_test

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// expiry is when messages expire, and what they look like then.
var expiry = section{"expire", []row{
	{
		name: "by the queue's TTL",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1)]} + FIRST(expired,q,"")`,
		on: map[string]string{
			"4": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1)]} + FIRST(expired,q,"") + LAST(expired,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, amqp.Table{"x-message-ttl": 50})
			e.put("", q, "x")
			return e.comes(dlq)
		},
	},
	{
		name: "by the message's TTL",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1,orig-exp=50)]} + FIRST(expired,q,"")`,
		on: map[string]string{
			"4": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1,orig-exp=50)]} + FIRST(expired,q,"") + LAST(expired,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.publish("", q, expiring("x", "50"))
			return e.comes(dlq)
		},
	},
	{
		name: "by a quorum queue's TTL",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1)]} + FIRST(expired,q,"")`,
		on: map[string]string{
			"4": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1)]} + FIRST(expired,q,"") + LAST(expired,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, amqp.Table{"x-message-ttl": 50})
			e.put("", q, "x")
			return e.comes(dlq)
		},
	},
	{
		name: "by the message's TTL in a quorum queue",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1,orig-exp=50)]} + FIRST(expired,q,"")`,
		on: map[string]string{
			"4": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1,orig-exp=50)]} + FIRST(expired,q,"") + LAST(expired,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, nil)
			e.publish("", q, expiring("x", "50"))
			return e.comes(dlq)
		},
	},
	{
		name: "by the message's TTL, which is less than the queue's",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1,orig-exp=50)]} + FIRST(expired,q,"")`,
		on: map[string]string{
			"4": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1,orig-exp=50)]} + FIRST(expired,q,"") + LAST(expired,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, amqp.Table{"x-message-ttl": 60000})
			e.publish("", q, expiring("x", "50"))
			return e.comes(dlq)
		},
	},
	{
		name: "by the queue's TTL, which is less than the message's",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1,orig-exp=60000)]} + FIRST(expired,q,"")`,
		on: map[string]string{
			"4": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1,orig-exp=60000)]} + FIRST(expired,q,"") + LAST(expired,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, amqp.Table{"x-message-ttl": 50})
			e.publish("", q, expiring("x", "60000"))
			return e.comes(dlq)
		},
	},
	{
		name: "with a TTL of 0 and no consumer",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1)]} + FIRST(expired,q,"")`,
		on: map[string]string{
			"4": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1)]} + FIRST(expired,q,"") + LAST(expired,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, amqp.Table{"x-message-ttl": 0})
			e.put("", q, "x")
			return e.comes(dlq)
		},
	},
	{
		name: "with a TTL of 0 and a waiting consumer",
		want: "x, dlq: none",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, amqp.Table{"x-message-ttl": 0})
			deliveries := e.channel().consume(q, "", nil)
			e.put("", q, "x")
			return e.receive(deliveries, 1) + ", dlq: " + e.stays(dlq)
		},
	},
	{
		name: "with a TTL of 0 and a consumer that is busy",
		want: "1, dlq: 2",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, amqp.Table{"x-message-ttl": 0})
			ch := e.channel()
			e.must(ch.Qos(1, 0, false))
			deliveries := ch.consume(q, "", nil)
			e.put("", q, "1", "2")
			return e.receive(deliveries, 1) + ", dlq: " + e.stays(dlq)
		},
	},
	{
		name: "a quorum queue with a TTL of 0 and a waiting consumer",
		want: "x,-, dlq: none",
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, amqp.Table{"x-message-ttl": 0})
			deliveries := e.channel().consume(q, "", nil)
			e.put("", q, "x")
			return e.rest(deliveries) + ", dlq: " + e.stays(dlq)
		},
	},
	{
		name: "a message with a TTL of 0 and no consumer",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1,orig-exp=0)]} + FIRST(expired,q,"")`,
		on: map[string]string{
			"4": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1,orig-exp=0)]} + FIRST(expired,q,"") + LAST(expired,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.publish("", q, expiring("x", "0"))
			return e.comes(dlq)
		},
	},
	{
		name: "with a TTL of 0 and nowhere to go",
		want: "none",
		run: func(e *env) string {
			q := e.classic("q", amqp.Table{"x-message-ttl": 0})
			e.put("", q, "x")
			return e.stays(q)
		},
	},
	{
		name: "a requeued message with a TTL of 0",
		want: "-, dlq: x",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, amqp.Table{"x-message-ttl": 0})
			deliveries := e.channel().consume(q, "", nil)
			e.put("", q, "x")
			ch := e.channel()
			d := e.next(deliveries)
			e.must(d.Nack(false, true))
			e.must(ch.Close())
			return e.rest(deliveries) + ", dlq: " + e.stays(dlq)
		},
	},
	{
		name: "how long it takes",
		want: "1s",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, amqp.Table{"x-message-ttl": step.Milliseconds()})
			deliveries := e.channel().consume(dlq, "", nil)
			start := time.Now()
			e.put("", q, "x")
			e.next(deliveries)
			return steps(start)
		},
	},
	{
		name: "how long it takes in a quorum queue",
		want: "1s",
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, amqp.Table{"x-message-ttl": step.Milliseconds()})
			deliveries := e.channel().consume(dlq, "", nil)
			start := time.Now()
			e.put("", q, "x")
			e.next(deliveries)
			return steps(start)
		},
	},
	{
		name: "a short TTL behind a long one",
		want: "long after 2s, short after 2s",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			deliveries := e.channel().consume(dlq, "", nil)
			start := time.Now()
			e.publish("", q, expiring("long", "2000"))
			e.publish("", q, expiring("short", "50"))
			first := string(e.next(deliveries).Body) + " after " + steps(start)
			return first + ", " + string(e.next(deliveries).Body) + " after " + steps(start)
		},
	},
	{
		name: "a short TTL behind a long one in a quorum queue",
		want: "long after 2s, short after 2s",
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, nil)
			deliveries := e.channel().consume(dlq, "", nil)
			start := time.Now()
			e.publish("", q, expiring("long", "2000"))
			e.publish("", q, expiring("short", "50"))
			first := string(e.next(deliveries).Body) + " after " + steps(start)
			return first + ", " + string(e.next(deliveries).Body) + " after " + steps(start)
		},
	},
	{
		name: "a short TTL behind a message that has none",
		want: "dlq: none, messages=2 consumers=0, then dlq: second",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.put("", q, "first")
			e.publish("", q, expiring("second", "50"))
			seen := "dlq: " + e.stays(dlq) + ", " + e.counts(q)
			e.await(q, 1)
			return seen + ", then dlq: " + list(e.await(dlq, 1))
		},
	},
	{
		name: "an expired message is not delivered, though it stands behind another",
		want: "first,third,-, dlq: second",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.put("", q, "first")
			e.publish("", q, expiring("second", "50"))
			e.put("", q, "third")
			e.sleep(quiet)
			return e.rest(e.channel().consume(q, "", nil)) + ", dlq: " + e.stays(dlq)
		},
	},
	{
		name: "an expired message is not delivered by a quorum queue, though it stands behind another",
		want: "first,third,-, dlq: second",
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, nil)
			e.put("", q, "first")
			e.publish("", q, expiring("second", "50"))
			e.put("", q, "third")
			e.sleep(quiet)
			return e.rest(e.channel().consume(q, "", nil)) + ", dlq: " + e.stays(dlq)
		},
	},
	{
		name: "a TTL does not start again with a requeue",
		want: `after 2s body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1)]} + FIRST(expired,q,"")`,
		on: map[string]string{
			"4": `after 2s body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1)]} + FIRST(expired,q,"") + LAST(expired,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, amqp.Table{"x-message-ttl": 2000})
			deliveries := e.channel().consume(dlq, "", nil)
			start := time.Now()
			e.put("", q, "x")
			ch := e.channel()
			held := ch.hold(q, 1)
			e.sleep(step)
			e.must(held[0].Nack(false, true))
			d := e.next(deliveries)
			return "after " + steps(start) + " " + show(d)
		},
	},
	{
		name: "while it is unacknowledged, and is requeued then",
		want: `dlq: none, then body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1)]} + FIRST(expired,q,"")`,
		on: map[string]string{
			"4": `dlq: none, then body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1)]} + FIRST(expired,q,"") + LAST(expired,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, amqp.Table{"x-message-ttl": 100})
			e.put("", q, "x")
			ch := e.channel()
			held := ch.hold(q, 1)
			e.sleep(quiet)
			seen := "dlq: " + e.drain(dlq) + ", then "
			e.must(held[0].Nack(false, true))
			return seen + e.comes(dlq)
		},
	},
	{
		name: "in a quorum queue while it is unacknowledged, and is requeued then",
		want: `dlq: none, then body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1)]} + FIRST(expired,q,"")`,
		on: map[string]string{
			"4": `dlq: none, then body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(expired,q,ex="",rks=["q"],n=1)]} + FIRST(expired,q,"") + LAST(expired,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, amqp.Table{"x-message-ttl": 100})
			e.put("", q, "x")
			ch := e.channel()
			held := ch.hold(q, 1)
			e.sleep(quiet)
			seen := "dlq: " + e.drain(dlq) + ", then "
			e.must(held[0].Nack(false, true))
			return seen + e.comes(dlq)
		},
	},
	{
		name: "while it is unacknowledged, and is acknowledged then",
		want: "no error, dlq: none",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, amqp.Table{"x-message-ttl": 100})
			e.put("", q, "x")
			ch := e.channel()
			held := ch.hold(q, 1)
			e.sleep(quiet)
			e.must(held[0].Ack(false))
			return ch.fate() + ", dlq: " + e.stays(dlq)
		},
	},
	{
		name: "unacknowledged, rejected after its time",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1,orig-exp=100)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1,orig-exp=100)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
			"4.3": `body=x redelivered=true exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1,orig-exp=100)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.publish("", q, expiring("x", "100"))
			ch := e.channel()
			held := ch.hold(q, 1)
			e.sleep(quiet)
			e.must(held[0].Reject(false))
			return e.comes(dlq)
		},
	},
	{
		name: "rejected before its time",
		want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1,orig-exp=60000)]} + FIRST(rejected,q,"") expiration=`,
		on: map[string]string{
			"4.0": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1,orig-exp=60000)]} + FIRST(rejected,q,"") + LAST(rejected,q,"") expiration=`,
			"4.3": `body=x redelivered=true exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1,orig-exp=60000)]} + FIRST(rejected,q,"") + LAST(rejected,q,"") expiration=`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.publish("", q, expiring("x", "60000"))
			e.refuse(q, 1)
			d := e.await(dlq, 1)[0]
			return show(d) + " expiration=" + d.Expiration
		},
	},
	{
		name: "many, in order",
		want: "10 in order",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, amqp.Table{"x-message-ttl": 100})
			e.put("", q, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
			return order(e.await(dlq, 10))
		},
	},
	{
		name: "many, in order, in a quorum queue",
		want: "10 in order",
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, amqp.Table{"x-message-ttl": 100})
			e.put("", q, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
			return order(e.await(dlq, 10))
		},
	},
	{
		name: "in a priority queue, each priority has a head",
		want: "none, left high",
		run: func(e *env) string {
			q, dlq := e.mortal(classics, amqp.Table{"x-max-priority": 5})
			e.publish("", q, amqp.Publishing{Body: []byte("high"), Priority: 5})
			e.publish("", q, amqp.Publishing{Body: []byte("low"), Priority: 1, Expiration: "100"})
			return e.stays(dlq) + ", left " + e.drain(q)
		},
	},
	{
		name: "in a quorum queue behind another priority",
		want: "none, left high",
		on: map[string]string{
			"4.3": "low, left high",
		},
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, nil)
			e.publish("", q, amqp.Publishing{Body: []byte("high"), Priority: 9})
			e.publish("", q, amqp.Publishing{Body: []byte("low"), Priority: 1, Expiration: "100"})
			return e.stays(dlq) + ", left " + e.drain(q)
		},
	},
	{
		name: "the delivery shows the expiration as it was",
		want: "expiration=007000",
		on: map[string]string{
			"4": "expiration=7000",
		},
		run: func(e *env) string {
			q := e.classic("q", amqp.Table{"x-message-ttl": 60000})
			e.publish("", q, expiring("x", "007000"))
			return showProperties(e.await(q, 1)[0])
		},
	},
}}
