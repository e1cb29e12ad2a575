package brokers

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// Publish publishes messages, persistent and mandatory, on a channel of its
// own, and waits until the broker has them. It fails the test if one is refused
// or returned.
func Publish(tb testing.TB, conn *amqp.Connection, exchange, key string, messages ...amqp.Publishing) {
	tb.Helper()
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatalf("publish to %q, %q: %v", exchange, key, err)
		}
	}
	ch, err := conn.Channel()
	must(err)
	defer func() { _ = ch.Close() }()
	must(ch.Confirm(false))
	returns := ch.NotifyReturn(make(chan amqp.Return, len(messages)))
	waiting := make([]*amqp.DeferredConfirmation, 0, len(messages))
	for _, m := range messages {
		m.DeliveryMode = amqp.Persistent
		d, err := ch.PublishWithDeferredConfirm(exchange, key, true, false, m)
		must(err)
		waiting = append(waiting, d)
	}
	for _, d := range waiting {
		select {
		case <-d.Done():
		case <-time.After(patience):
			tb.Fatalf("no confirm for a message to %q, %q", exchange, key)
		}
		if !d.Acked() {
			tb.Fatalf("a message to %q, %q is refused", exchange, key)
		}
	}
	select {
	case r, ok := <-returns:
		if ok {
			tb.Fatalf("a message to %q, %q is returned: %s", exchange, key, r.ReplyText)
		}
	default:
	}
	must(ch.Close())
}

// Eventually waits until a condition holds, and fails the test if that takes too
// long.
func Eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; !holds(); pause = min(2*pause, 50*time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(pause)
	}
}
