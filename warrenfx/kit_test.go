package warrenfx_test

import (
	"context"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/warrenfx"
)

func TestMain(m *testing.M) {
	if os.Getenv(childRole) != "" {
		child()
		return
	}
	os.Exit(m.Run())
}

type order struct {
	ID    string
	Cents int
}

// bubble runs a test in a bubble with a broker. Whatever the application leaves running fails it.
func bubble(t *testing.T, test func(t *testing.T, broker *rabbittest.Broker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, rabbittest.New(t)) })
}

// config is for an application that talks to broker, and logs nothing.
func config(broker *rabbittest.Broker) warrenfx.Config {
	return warrenfx.Config{
		URL:        broker.URL(),
		Connection: connection.Config{Dial: broker.Dial, Monitor: monitoring.Discard{}},
	}
}

// app is an application of the module and more.
func app(t *testing.T, cfg warrenfx.Config, more ...fx.Option) *fxtest.App {
	t.Helper()
	return fxtest.New(t, append([]fx.Option{warrenfx.Module, fx.Supply(cfg)}, more...)...)
}

// start is App.Start with the time that Fx gives it, and tells how long it took.
func start(t *testing.T, a *fxtest.App) (took time.Duration, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), a.StartTimeout())
	defer cancel()
	began := time.Now()
	err = a.Start(ctx)
	return time.Since(began), err
}

// stop is App.Stop with the time that Fx gives it, and tells how long it took.
func stop(t *testing.T, a *fxtest.App) (took time.Duration, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), a.StopTimeout())
	defer cancel()
	began := time.Now()
	err = a.Stop(ctx)
	return time.Since(began), err
}

// publish puts orders into a queue, each a second after the one before.
func publish(t *testing.T, q rabbittest.Queue, ids ...string) {
	t.Helper()
	for _, id := range ids {
		must(t, q.Publish(rabbittest.Message{MessageID: id, Body: []byte(`{"ID": "` + id + `", "Cents": 1200}`)}))
		time.Sleep(time.Second)
	}
}

// sleeper is a handler that takes so long, and acks.
func sleeper(d time.Duration) consumer.Handler[order] {
	return func(context.Context, consumer.Message[order]) consumer.Outcome {
		time.Sleep(d)
		return consumer.Ack()
	}
}

// acks counts what was acked in a queue.
func acks(q rabbittest.Queue) (n int) {
	for _, e := range q.History() {
		if e.Kind == "acked" {
			n++
		}
	}
	return n
}

// disconnected fails the test if anyone is still connected.
func disconnected(t *testing.T, broker *rabbittest.Broker) {
	t.Helper()
	synctest.Wait()
	if n := len(broker.Connections()); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
