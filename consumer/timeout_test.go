package consumer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
)

// A handler's time: it sees the deadline, its context ends then, and what it returns until it is given up counts.
func TestTimeout(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		type ctxKey struct{}
		c := newConsumer(k, func(ctx context.Context, m consumer.Message[[]byte]) consumer.Outcome {
			if at, ok := ctx.Deadline(); !ok || time.Until(at) > 300*time.Millisecond || time.Until(at) < 100*time.Millisecond {
				t.Errorf("the deadline is in %v", time.Until(at))
			}
			if ctx.Value(ctxKey{}) != "value" {
				t.Error("the context does not have the values of Run's")
			}
			<-ctx.Done()
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) || !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
				t.Errorf("the context ended because of %v", context.Cause(ctx))
			}
			switch string(m.Body) {
			case "ack":
				return consumer.Ack()
			case "error":
				return consumer.Error(errors.New("never"))
			case "zero":
				return consumer.Outcome{}
			}
			return consumer.Retry(ctx.Err())
		}, consumer.Config{Timeout: 300 * time.Millisecond, Retry: retry.Fixed(1, time.Hour)})
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), ctxKey{}, "value"))
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		list := texts(4)
		for i, body := range []string{"ack", "error", "zero", "retry"} {
			list[i] = text(body, body)
		}
		eventually(t, "ready", func() bool { return c.Health() == nil })
		k.publish(list...)
		for id, want := range map[string]string{"ack": "Acked 1", "error": "Errored 1", "zero": "Retried 1", "retry": "Retried 1"} {
			eventually(t, "the end of "+id, func() bool { return k.events.endings(id) == want })
		}
		for _, e := range of[monitoring.Retried](k.events) {
			if e.Failure != monitoring.FailureTimeout || !errors.Is(e.Err, context.DeadlineExceeded) || e.Handling < 300*time.Millisecond {
				t.Errorf("%+v", e)
			}
		}
		cancel()
		must(t, receive(t, "Run", done))
	})
}

// PEER-BUGS (11): a monitor that panics, at every event and at every start, changes nothing.
func TestPanickingMonitor(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		b := newBlocker()
		b.say(10, consumer.Ack())
		c := newConsumer(k, b.handle, consumer.Config{Monitor: monitoring.All(panicker{}, k.events)})
		r := start(k, c)
		k.waitReady(r)
		k.publish(texts(10)...)
		eventually(t, "all acked", func() bool { return len(of[monitoring.Acked](k.events)) == 10 })
		must(t, r.Pause(t.Context()))
		must(t, r.stop())
		if n := len(of[monitoring.MonitorPanicked](k.events)); n < 20 {
			t.Errorf("only %d panics are told", n)
		}
	})
}

type panicker struct{}

func (panicker) Observe(context.Context, monitoring.Event) { panic("Observe") }

func (panicker) Start(context.Context, *monitoring.Operation) context.Context { panic("Start") }
