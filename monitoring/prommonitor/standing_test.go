package prommonitor_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring/prommonitor"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
)

// What a consumer goes through in its life leaves no gauge behind that is wrong.
func TestGaugesTellTheTruthForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		r := prometheus.NewRegistry()
		m, err := prommonitor.New(r, prommonitor.Config{})
		must(t, err)
		b := rabbittest.New(t)
		conn, err := connection.Open(ctx, b.URL(), connection.Config{Name: "shop", Dial: b.Dial, Monitor: m})
		must(t, err)
		release := make(chan struct{})
		c, err := consumer.New(conn, "orders", func(context.Context, consumer.Message[string]) consumer.Outcome {
			<-release // it does not look at its context
			return consumer.Ack()
		}, consumer.Config{Workers: 2, MaxStuck: 2, Timeout: time.Minute, Grace: time.Second, Drain: 10 * time.Second, Retry: retry.Fixed(9, time.Hour)})
		must(t, err)
		run := func() (stop func() error) {
			ctx, cancel := context.WithCancel(ctx)
			done := make(chan error, 1)
			go func() { done <- c.Run(ctx) }()
			return func() error { cancel(); return <-done }
		}
		shows := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			t.Log(when)
			for _, line := range want {
				has(t, r, line)
			}
		}
		publish := func() { must(t, b.Queue("orders").Publish(rabbittest.Message{Body: []byte(`"x"`)})) }

		stop := run()
		<-c.Ready()
		must(t, c.SetWorkers(3))
		shows("three workers", `warren_workers{queue="orders"} 3`)
		publish()
		publish()
		shows("two run", `warren_running{queue="orders"} 2`, `warren_stuck{queue="orders"} 0`)
		time.Sleep(2 * time.Minute)
		shows("two are stuck", `warren_running{queue="orders"} 0`, `warren_stuck{queue="orders"} 2`,
			`warren_consumer_overloaded{queue="orders"} 1`, `warren_consumer_ready{queue="orders"} 0`)
		close(release)
		<-c.Ready()
		shows("they have returned", `warren_stuck{queue="orders"} 0`,
			`warren_consumer_overloaded{queue="orders"} 0`, `warren_consumer_ready{queue="orders"} 1`)

		release = make(chan struct{})
		publish()
		time.Sleep(time.Second)
		if err := stop(); err == nil {
			t.Error("stopped, though a handler runs")
		}
		shows("one outlives Run", `warren_running{queue="orders"} 0`, `warren_stuck{queue="orders"} 1`,
			`warren_deliveries_total{ending="lost",queue="orders"} 1`, `warren_consumer_ready{queue="orders"} 0`)
		close(release)
		shows("it has returned", `warren_stuck{queue="orders"} 0`)

		must(t, c.Pause(ctx))
		stop = run()
		shows("paused from the start", `warren_consumer_paused{queue="orders"} 1`)
		must(t, stop())
		must(t, c.Resume(ctx))
		stop = run()
		<-c.Ready()
		time.Sleep(time.Minute)
		shows("and resumed while it did not run", `warren_consumer_paused{queue="orders"} 0`, `warren_consumer_ready{queue="orders"} 1`,
			`warren_running{queue="orders"} 0`, `warren_stuck{queue="orders"} 0`)
		must(t, stop())
		must(t, conn.Close(ctx))
	})
}
