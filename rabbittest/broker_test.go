package rabbittest_test

import (
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/rabbittest"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// dial connects the bare client library, until the test ends.
func dial(tb testing.TB, b *rabbittest.Broker) *amqp.Connection {
	tb.Helper()
	conn, err := amqp.DialConfig(b.URL(), amqp.Config{Dial: b.Connect})
	must(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
	return conn
}

func channel(tb testing.TB, b *rabbittest.Broker) *amqp.Channel {
	tb.Helper()
	ch, err := dial(tb, b).Channel()
	must(tb, err)
	return ch
}

// in runs a test in a bubble, with a broker.
func in(t *testing.T, f func(t *testing.T, b *rabbittest.Broker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, rabbittest.New(t)) })
}

// inWith is in with options.
func inWith(t *testing.T, o rabbittest.Options, f func(t *testing.T, b *rabbittest.Broker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, rabbittest.NewWith(t, o)) })
}

// declare declares a durable queue.
func declare(tb testing.TB, ch *amqp.Channel, name string, args amqp.Table) {
	tb.Helper()
	_, err := ch.QueueDeclare(name, true, false, false, false, args)
	must(tb, err)
}

// consume subscribes.
func consume(tb testing.TB, ch *amqp.Channel, queue string) <-chan amqp.Delivery {
	tb.Helper()
	deliveries, err := ch.Consume(queue, queue, false, false, false, false, nil)
	must(tb, err)
	return deliveries
}

func TestThreeRetriesAnHourApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := rabbittest.New(t)
		ch := channel(t, b)
		_, err := ch.QueueDeclare("retry", true, false, false, false, amqp.Table{
			"x-message-ttl": int64(time.Hour / time.Millisecond), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "main",
		})
		must(t, err)
		_, err = ch.QueueDeclare("main", true, false, false, false, amqp.Table{
			"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "retry",
		})
		must(t, err)
		must(t, ch.Confirm(false))
		deliveries, err := ch.Consume("main", "", false, false, false, false, nil)
		must(t, err)
		began := time.Now()
		d, err := ch.PublishWithDeferredConfirm("", "main", true, false, amqp.Publishing{Body: []byte("x")})
		must(t, err)
		if !d.Wait() {
			t.Fatal("refused")
		}
		for range 3 {
			m := <-deliveries
			must(t, m.Reject(false))
		}
		m := <-deliveries
		must(t, m.Ack(false))
		if took := time.Since(began); took != 3*time.Hour {
			t.Errorf("it took %v", took)
		}
		if deaths := m.Headers["x-death"].([]any); len(deaths) != 2 || deaths[0].(amqp.Table)["count"] != int64(3) {
			t.Errorf("x-death is %v", deaths)
		}
	})
}
