package conformance_test

import amqp "github.com/rabbitmq/amqp091-go"

// found is what TestScripts has found, and nobody had thought of.
var found = section{"found by scripts", []row{
	{name: "a dead letter comes after the message that pushed it out", want: "1,- 2,1,- 3,2,-", run: func(e *env) string {
		x, full, all, ch := e.exchange("x"), e.queue("full"), e.queue("all"), e.channel()
		e.must(ch.exchange(x, "fanout", durable, nil))
		e.must(ch.declare(full, durable, arguments("x-max-length", int32(1), "x-dead-letter-exchange", "", "x-dead-letter-routing-key", all)))
		e.must(ch.declare(all, durable, nil))
		e.must(ch.bind(full, x, "", nil))
		e.must(ch.bind(all, x, "", nil))
		deliveries := ch.consume(all, "", nil)
		var seen string
		for _, body := range []string{"1", "2", "3"} {
			e.put(x, "", body)
			seen += " " + e.rest(deliveries)
		}
		return seen[1:]
	}},
	{name: "a rejected message that waits for a consumer", want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`, on: map[string]string{"4.0": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`, "4.3": `body=x redelivered=true exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`}, run: dead(func(e *env, ch *channel, dlq string) string {
		e.must(ch.Reject(1, false))
		e.sleep(quiet)
		return show(e.next(ch.consume(dlq, "", nil)))
	})},
	{name: "a nacked message that a consumer waits for", want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`, on: map[string]string{"4": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`}, run: dead(func(e *env, ch *channel, dlq string) string {
		deliveries := ch.consume(dlq, "", nil)
		e.must(ch.Nack(1, false, false))
		return show(e.next(deliveries))
	})},
	{name: "a rejected message that a consumer waits for", want: `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`, on: map[string]string{"4": `body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`}, run: dead(func(e *env, ch *channel, dlq string) string {
		deliveries := ch.consume(dlq, "", nil)
		e.must(ch.Reject(1, false))
		return show(e.next(deliveries))
	})},
}}

// dead has a message delivered, and leaves it to be killed.
func dead(kill func(e *env, ch *channel, dlq string) string) func(e *env) string {
	return func(e *env) string {
		q, dlq, ch := e.queue("q"), e.queue("dlq"), e.channel()
		e.must(ch.declare(q, durable, arguments("x-dead-letter-exchange", "", "x-dead-letter-routing-key", dlq)))
		e.must(ch.declare(dlq, durable, nil))
		e.publish("", q, amqp.Publishing{Body: []byte("x")})
		_, _, err := ch.Get(q, false)
		e.must(err)
		return kill(e, ch, dlq)
	}
}
