package conformance_test

import (
	"fmt"
	"maps"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// messages are the sections about what happens to messages.
var messages = []section{
	deadLettering,
	deathHistory,
	copies,
	expiry,
	requeueing,
	counting,
	limits,
	delayedRetry,
	crowding,
	priorities,
	atLeastOnce,
	delivering,
	turns,
	afterwards,
	overtime,
	repliesDirectly,
	sorting,
	singleActive,
	prefetching,
	getting,
	settling,
	transactions,
	confirming,
	lifetimes,
	properties,
	bodies,
}

// A kind declares a durable queue and returns its name.
type kind func(e *env, plain string, args amqp.Table) string

// classic declares a classic queue.
func (e *env) classic(plain string, args amqp.Table) string {
	e.Helper()
	q := e.queue(plain)
	e.must(e.channel().declare(q, durable, args))
	return q
}

// quorum declares a quorum queue.
func (e *env) quorum(plain string, args amqp.Table) string {
	e.Helper()
	return e.classic(plain, with(args, "x-queue-type", "quorum"))
}

// limited declares a quorum queue that counts deliveries, as every one of 4.x does.
func (e *env) limited(plain string, args amqp.Table) string {
	e.Helper()
	return e.quorum(plain, with(args, "x-delivery-limit", 20))
}

// The kinds as values.
var (
	classics kind = (*env).classic
	quorums  kind = (*env).quorum
	limiteds kind = (*env).limited
)

// with is a copy of a table with one more field.
func with(table amqp.Table, name string, value any) amqp.Table {
	longer := maps.Clone(table)
	if longer == nil {
		longer = amqp.Table{}
	}
	longer[name] = value
	return longer
}

// toDLQ are the arguments that send the dead to the queue dlq.
func (e *env) toDLQ() amqp.Table {
	return amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": e.name("dlq")}
}

// mortal declares a queue named q of a kind, and the queue dlq to which its dead go.
func (e *env) mortal(declare kind, args amqp.Table) (q, dlq string) {
	e.Helper()
	dlq = e.classic("dlq", nil)
	dead := e.toDLQ()
	maps.Copy(dead, args)
	return declare(e, "q", dead), dlq
}

// hold takes n messages, which must be there, from a queue and leaves them unacknowledged.
func (ch *channel) hold(queue string, n int) []amqp.Delivery {
	ch.e.Helper()
	held := make([]amqp.Delivery, 0, n)
	for deadline := time.Now().Add(patience); len(held) < n; {
		d, ok, err := ch.Get(queue, false)
		ch.e.must(err)
		switch {
		case ok:
			held = append(held, d)
		case time.Now().After(deadline):
			ch.e.Fatalf("%d messages in %s, not %d", len(held), ch.e.mask(queue), n)
		default:
			time.Sleep(5 * time.Millisecond)
		}
	}
	return held
}

// await takes n messages from a queue and acknowledges them. They may be on their way.
func (e *env) await(queue string, n int) []amqp.Delivery {
	e.Helper()
	ch := e.channel()
	taken := ch.hold(queue, n)
	e.must(ch.Ack(taken[n-1].DeliveryTag, true))
	e.must(ch.Close())
	return taken
}

// comes shows the next message of a queue. It may be on its way.
func (e *env) comes(queue string) string {
	e.Helper()
	return show(e.await(queue, 1)[0])
}

// stays lists what a queue holds when nothing more may be on its way.
func (e *env) stays(queue string) string {
	e.Helper()
	e.sleep(quiet)
	return e.drain(queue)
}

// refuse takes n messages from a queue and rejects them, without requeue.
func (e *env) refuse(queue string, n int) {
	e.Helper()
	ch := e.channel()
	for _, d := range ch.hold(queue, n) {
		e.must(d.Reject(false))
	}
	e.must(ch.Close())
}

// step is the unit in which rows tell time: RabbitMQ may be late by less than that.
const step = time.Second

// steps is the time since then in whole steps, as text.
func steps(since time.Time) string {
	const early = 20 * time.Millisecond // clocks and timers are not one
	return (time.Since(since) + early).Truncate(step).String()
}

// say makes a message of a body.
func say(body string) amqp.Publishing { return amqp.Publishing{Body: []byte(body)} }

// expiring makes a message of a body that expires.
func expiring(body, after string) amqp.Publishing {
	return amqp.Publishing{Body: []byte(body), Expiration: after}
}

// order says whether bodies count up from 0.
func order(deliveries []amqp.Delivery) string {
	for i, d := range deliveries {
		if string(d.Body) != fmt.Sprint(i) {
			return list(deliveries)
		}
	}
	return fmt.Sprintf("%d in order", len(deliveries))
}
