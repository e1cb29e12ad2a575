package publisher_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/publisher"
)

func TestMain(m *testing.M) { rabbitmq.Main(m) }

var errNotConfirmed = errors.New("not confirmed")

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// quiet is a connection's Config that logs nothing.
func quiet() connection.Config {
	return connection.Config{
		Name:    "publisher-test",
		Monitor: monitoring.Log(slog.New(slog.NewTextHandler(io.Discard, nil))),
	}
}

// open connects to the test's broker, until the test ends.
func open(tb testing.TB, cfg connection.Config) *connection.Connection {
	tb.Helper()
	conn, err := connection.Open(tb.Context(), rabbitmq.URL(tb), cfg)
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

// publish makes a Publisher on a connection of its own.
func start(tb testing.TB, cfg publisher.Config) *publisher.Publisher {
	tb.Helper()
	return newPublisher(tb, open(tb, quiet()), cfg)
}

// raw is a channel of the client library, to see what is on the broker.
func raw(tb testing.TB) *amqp.Channel {
	tb.Helper()
	conn, err := amqp.Dial(rabbitmq.URL(tb))
	must(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	must(tb, err)
	return ch
}

// declare declares a durable queue until the test ends.
func declare(tb testing.TB, url, queue string, args amqp.Table) {
	tb.Helper()
	const durable, autoDelete, exclusive, noWait = true, false, false, false
	_, err := raw(tb).QueueDeclare(queue, durable, autoDelete, exclusive, noWait, args)
	must(tb, err)
	rabbitmq.Delete(tb, url, queue)
}

// newQueue declares a classic queue until the test ends.
func newQueue(tb testing.TB) string {
	tb.Helper()
	queue := rabbitmq.Name(tb, "publisher")
	declare(tb, rabbitmq.URL(tb), queue, nil)
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

// log is a monitor that remembers what it was told of messages.
type log struct {
	mu  sync.Mutex
	all []monitoring.Published
}

func (l *log) Observe(_ context.Context, e monitoring.Event) {
	if e, ok := e.(monitoring.Published); ok {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.all = append(l.all, e)
	}
}

func (l *log) events() []monitoring.Published {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]monitoring.Published(nil), l.all...)
}

// cutter dials, and cuts what it has dialled.
type cutter struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (c *cutter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		c.mu.Lock()
		c.conns = append(c.conns, conn)
		c.mu.Unlock()
	}
	return conn, err
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}
