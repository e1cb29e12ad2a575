package publisher_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/publisher"
)

func TestMain(m *testing.M) { rabbitmq.Main(m) }

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// on is a test on one of the brokers.
type on struct {
	*testing.T
	broker brokers.Broker
}

// onBoth runs a test on rabbittest, in a bubble, and on RabbitMQ.
func onBoth(t *testing.T, test func(t on)) {
	t.Helper()
	brokers.Each(t, func(t *testing.T, b brokers.Broker) { test(on{t, b}) })
}

// brokerOf returns the broker that a test is on: RabbitMQ, if it does not say.
func brokerOf(tb testing.TB) brokers.Broker {
	tb.Helper()
	if t, ok := tb.(on); ok {
		return t.broker
	}
	return brokers.RabbitMQ(tb)
}

// quiet is a connection's Config that logs nothing.
func quiet() connection.Config {
	return connection.Config{
		Name:    "publisher-test",
		Monitor: monitoring.Log(slog.New(slog.DiscardHandler)),
	}
}

// open connects to the test's broker, until the test ends.
func open(tb testing.TB, cfg connection.Config) *connection.Connection {
	tb.Helper()
	b := brokerOf(tb)
	if cfg.Dial == nil {
		cfg.Dial = b.Dial
	}
	conn, err := connection.Open(tb.Context(), b.URL, cfg)
	must(tb, err)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := conn.Close(ctx); err != nil {
			tb.Errorf("close the connection: %v", err)
		}
	})
	return conn
}

// newPublisher makes a Publisher that is closed when the test ends.
func newPublisher(tb testing.TB, conn *connection.Connection, cfg publisher.Config) *publisher.Publisher {
	tb.Helper()
	p, err := publisher.New(conn, cfg)
	must(tb, err)
	tb.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			tb.Errorf("close the publisher: %v", err)
		}
	})
	return p
}

// start makes a Publisher on a connection of its own.
func start(tb testing.TB, cfg publisher.Config) *publisher.Publisher {
	tb.Helper()
	return newPublisher(tb, open(tb, quiet()), cfg)
}

// raw is a channel of the client library, to see what is on the broker.
func raw(tb testing.TB) *amqp.Channel {
	tb.Helper()
	conn, err := brokerOf(tb).Client()
	must(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	must(tb, err)
	return ch
}

// declare declares a durable queue until the test ends.
func declare(tb testing.TB, queue string, args amqp.Table) {
	tb.Helper()
	const durable, autoDelete, exclusive, noWait = true, false, false, false
	_, err := raw(tb).QueueDeclare(queue, durable, autoDelete, exclusive, noWait, args)
	must(tb, err)
	brokerOf(tb).Delete(tb, queue)
}

// newQueue declares a classic queue until the test ends.
func newQueue(tb testing.TB) string {
	tb.Helper()
	queue := rabbitmq.Name(tb, "publisher")
	declare(tb, queue, nil)
	return queue
}

// take takes n messages from a queue, and fails if there are fewer or more.
func take(tb testing.TB, queue string, n int) []amqp.Delivery {
	tb.Helper()
	all := drain(tb, queue)
	if len(all) != n {
		tb.Fatalf("%d messages are in the queue, want %d", len(all), n)
	}
	return all
}

// drain takes all that is in a queue.
func drain(tb testing.TB, queue string) []amqp.Delivery {
	tb.Helper()
	ch := raw(tb)
	q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	must(tb, err)
	deliveries, err := ch.Consume(queue, "", true, false, false, false, nil)
	must(tb, err)
	var all []amqp.Delivery
	for len(all) < q.Messages {
		select {
		case d := <-deliveries:
			all = append(all, d)
		case <-time.After(10 * time.Second):
			tb.Fatalf("%d of %d messages came", len(all), q.Messages)
		}
	}
	return all
}

// take1 takes the next message from a queue, without waiting for it.
func take1(tb testing.TB, queue string) amqp.Delivery {
	tb.Helper()
	const autoAck = true
	d, ok, err := raw(tb).Get(queue, autoAck)
	must(tb, err)
	if !ok {
		tb.Fatal("the queue is empty")
	}
	return d
}

// wait1 waits for a message in a queue, and takes it.
func wait1(tb testing.TB, queue string) (d amqp.Delivery) {
	tb.Helper()
	ch := raw(tb)
	eventually(tb, "a message in "+queue, func() (ok bool) {
		var err error
		d, ok, err = ch.Get(queue, true)
		must(tb, err)
		return ok
	})
	return d
}

// eventually waits until a condition holds.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			tb.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// length returns how many messages are ready in a queue.
func length(tb testing.TB, queue string) int {
	tb.Helper()
	ch := raw(tb)
	q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	must(tb, err)
	return q.Messages
}
