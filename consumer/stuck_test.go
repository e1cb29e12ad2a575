package consumer_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
)

// Too many are stuck: what has been taken ahead goes back to the queue, where others can take it.
func TestOverloadHandsBack(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		b := newBlocker()
		b.deaf = true
		r := run(k, b.handle, consumer.Config{
			Workers: 2, Prefetch: 20, MaxStuck: 1, Timeout: 300 * time.Millisecond, Grace: 200 * time.Millisecond,
			Retry: retry.Fixed(1, time.Hour),
		})
		k.publish(texts(20)...)
		waitFor[monitoring.ConsumerOverloaded](k, 1)
		if err := r.Health(); !errors.Is(err, consumer.ErrStuck) {
			t.Errorf("Health is %v", err)
		}
		eventually(t, "the rest in the queue", func() bool {
			_, _, total := b.count()
			return k.ready(k.queue) == 20-total
		})
		// Both were replaced up to the bound: two stuck, and at most one more that runs.
		if _, most, _ := b.count(); most > 3 {
			t.Errorf("%d handlers run at once", most)
		}
		eventually(t, "all stuck", func() bool { return len(of[monitoring.Stuck](k.events)) >= 2 })

		// When they return, what they say is dropped, and the consumer goes on.
		b.say(100, consumer.Ack())
		k.waitReady(r)
		eventually(t, "the others", func() bool { return k.ready(k.queue) == 0 })
		late := waitFor[monitoring.LateOutcome](k, 2)
		for _, e := range late {
			if e.Outcome != "ack" {
				t.Errorf("a late outcome is %q", e.Outcome)
			}
			if got := k.events.endings(e.MessageID); got != "Retried 1" {
				t.Errorf("%s: %s", e.MessageID, got)
			}
		}
		must(t, r.Health())
	})
}

func TestStuckIsToldWithItsStack(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		release := make(chan struct{})
		r := run(k, func(context.Context, consumer.Message[[]byte]) consumer.Outcome {
			stuckHere(release)
			return consumer.Ack()
		}, consumer.Config{Workers: 1, MaxStuck: 2, Timeout: 200 * time.Millisecond, Grace: 100 * time.Millisecond, Retry: retry.Fixed(1, time.Hour)})
		defer close(release)
		k.publish(text("a", "x"))
		stuck := waitFor[monitoring.Stuck](k, 1)[0]
		if !strings.Contains(string(stuck.Stack), "stuckHere") {
			t.Errorf("the stack is not the handler's:\n%s", stuck.Stack)
		}
		if stuck.Abandoned != 1 || stuck.Limit != 2 || stuck.Running < 300*time.Millisecond {
			t.Errorf("%+v", stuck)
		}
		retried := waitFor[monitoring.Retried](k, 1)[0]
		if retried.Failure != monitoring.FailureStuck || retried.MessageID != "a" {
			t.Errorf("%+v", retried)
		}
		must(t, r.Health())
		// It was there before stopping: named, though its message is safe.
		err := r.stop()
		var unfinished *consumer.DrainError
		if !errors.As(err, &unfinished) || len(unfinished.Unfinished) != 1 || !unfinished.Unfinished[0].Handling ||
			unfinished.Unfinished[0].MessageID != "a" || !strings.Contains(string(unfinished.Unfinished[0].Stack), "stuckHere") {
			t.Errorf("Run returned %v", err)
		}
	})
}

//go:noinline
func stuckHere(release chan struct{}) { <-release }

// PEER-BUGS (11): Goexit, which t.FailNow calls, is a failure like a panic, and the worker is replaced.
func TestGoexit(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		run(k, func(_ context.Context, m consumer.Message[[]byte]) consumer.Outcome {
			if string(m.Body) == "exit" {
				runtime.Goexit()
			}
			return consumer.Ack()
		}, consumer.Config{Workers: 1, Retry: retry.None()})
		k.publish(text("a", "exit"), text("b", "exit"), text("c", "x"))
		errored := waitFor[monitoring.Errored](k, 2)
		for _, e := range errored {
			if e.Failure != monitoring.FailurePanic || e.Err == nil || !strings.Contains(e.Err.Error(), "Goexit") ||
				!strings.Contains(string(e.Stack), "TestGoexit") {
				t.Errorf("failure %v, error %v, stack %s", e.Failure, e.Err, e.Stack)
			}
		}
		eventually(t, "c", func() bool { return k.events.endings("c") == "Acked 1" })
	})
}

// A handler that returns in the moment in which it is given up, for a message without an id: one of the two gives it
// one, and both tell of it. The race detector watches.
func TestLateOutcomeOfNameless(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		run(k, func(context.Context, consumer.Message[[]byte]) consumer.Outcome {
			time.Sleep(62 * time.Millisecond)
			return consumer.Ack()
		}, consumer.Config{Workers: 8, Timeout: 40 * time.Millisecond, Grace: 20 * time.Millisecond, Retry: retry.Fixed(1, time.Hour)})
		list := texts(100)
		for i := range list {
			list[i].MessageId = ""
		}
		k.publish(list...)
		eventually(t, "all messages", func() bool {
			return len(of[monitoring.Retried](k.events))+len(of[monitoring.Acked](k.events)) == 100
		})
		if len(of[monitoring.LateOutcome](k.events)) == 0 {
			t.Error("none was late")
		}
	})
}
