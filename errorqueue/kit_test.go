package errorqueue_test

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/topology"
)

// kit is a broker with an error queue, Warren's connection to it, and one of the bare client library.
type kit struct {
	testing.TB
	broker brokers.Broker
	main   string
	name   string // of the error queue
	conn   *connection.Connection
	raw    *amqp.Connection
}

// onAll runs a test on rabbittest as each version, in bubbles, and on the real RabbitMQ.
func onAll(t *testing.T, test func(t *testing.T, k *kit)) {
	t.Helper()
	for _, version := range []string{rabbittest.V3_10, rabbittest.V4_0, rabbittest.V4_3} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			brokers.InBubble(t, rabbittest.Options{Version: version}, func(t *testing.T, b brokers.Broker) { test(t, newKit(t, b)) })
		})
	}
	t.Run("rabbitmq", func(t *testing.T) {
		t.Parallel()
		test(t, newKit(t, brokers.RabbitMQ(t)))
	})
}

// onBoth runs a test on rabbittest, in a bubble, and on the real RabbitMQ.
func onBoth(t *testing.T, test func(t *testing.T, k *kit)) {
	t.Helper()
	brokers.Each(t, func(t *testing.T, b brokers.Broker) { test(t, newKit(t, b)) })
}

// newKit connects to a broker. No queue is declared yet.
func newKit(tb testing.TB, b brokers.Broker) *kit {
	tb.Helper()
	k := &kit{TB: tb, broker: b, main: rabbitmq.Name(tb, "eq")}
	k.name = topology.ErrorQueue(k.main)
	var err error
	k.raw, err = b.Client()
	must(tb, err)
	tb.Cleanup(func() { _ = k.raw.Close() })
	k.conn = k.connect()
	b.Delete(tb, k.main, k.name)
	return k
}

// connect opens a connection of Warren's until the test ends.
func (k *kit) connect() *connection.Connection {
	k.Helper()
	conn, err := connection.Open(k.Context(), k.broker.URL, connection.Config{Name: "errorqueue-test", Monitor: silence, Dial: k.broker.Dial})
	must(k, err)
	k.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := conn.Close(ctx); err != nil {
			k.Errorf("close the connection: %v", err)
		}
	})
	return conn
}

var silence = monitoring.Log(slog.New(slog.DiscardHandler))

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// queue is the error queue, as a person has it.
func (k *kit) queue(cfg errorqueue.Config) *errorqueue.Queue {
	k.Helper()
	q, err := errorqueue.New(k.conn, k.main, cfg)
	must(k, err)
	return q
}

// channel opens a channel of the bare client library, until the test ends.
func (k *kit) channel() *amqp.Channel {
	k.Helper()
	ch, err := k.raw.Channel()
	must(k, err)
	k.Cleanup(func() { _ = ch.Close() })
	return ch
}

// declare declares the error queue as Warren does, or, with other arguments, as somebody else does.
func (k *kit) declare(args amqp.Table) {
	k.Helper()
	if args == nil {
		args = topology.Tiers(k.main, topology.Quorum, nil).Error.Args
	}
	_, err := k.channel().QueueDeclare(k.name, true, false, false, false, args)
	must(k, err)
}

// publish puts messages into the error queue, and waits until the broker has them.
func (k *kit) publish(messages ...amqp.Publishing) {
	k.Helper()
	brokers.Publish(k, k.raw, "", k.name, messages...)
}

// numbered are n messages whose ids are their numbers, from 1.
func numbered(n int) []amqp.Publishing {
	all := make([]amqp.Publishing, n)
	for i := range all {
		all[i] = amqp.Publishing{MessageId: strconv.Itoa(i + 1), Body: []byte("body " + strconv.Itoa(i+1))}
	}
	return all
}

// numbers are the ids from first to last.
func numbers(first, last int) []string {
	var all []string
	for i := first; i <= last; i++ {
		all = append(all, strconv.Itoa(i))
	}
	return all
}

// ready counts the messages of a queue that nobody holds.
func (k *kit) ready(queue string) int {
	k.Helper()
	ch := k.channel()
	defer func() { _ = ch.Close() }()
	q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	must(k, err)
	return q.Messages
}

// ids takes everything out of the error queue, and returns the ids in order.
func (k *kit) ids() []string {
	k.Helper()
	ch := k.channel()
	defer func() { _ = ch.Close() }()
	var all []string
	for {
		d, ok, err := ch.Get(k.name, true)
		must(k, err)
		if !ok {
			return all
		}
		all = append(all, d.MessageId)
	}
}

// eventually waits until a condition holds.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	brokers.Eventually(tb, what, holds)
}
