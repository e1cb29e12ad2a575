package consumertest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/consumer/consumertest"
	"github.com/warren-mq/warren/monitoring"
)

type message = consumer.Message[order]

// bubble runs f in a bubble, and checks how long that took on the clock of the bubble.
func bubble(t *testing.T, took time.Duration, f func(t *testing.T) consumertest.Result, want string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		out := f(t)
		if got := out.String(); got != want {
			t.Errorf("it is %q, want %q", got, want)
		}
		if got := time.Since(began); got != took {
			t.Errorf("it took %v, want %v", got, took)
		}
	})
}

func TestATimeout(t *testing.T) {
	bubble(t, time.Minute, func(t *testing.T) consumertest.Result {
		out := consumertest.Run(t, func(ctx context.Context, _ message) consumer.Outcome {
			<-ctx.Done()
			return consumer.Retry(ctx.Err())
		}, order{})
		if out.Failure != monitoring.FailureTimeout {
			t.Errorf("it failed by %v", out.Failure)
		}
		return out
	}, "retried after 1m0s: context deadline exceeded")
}

// What a handler has done counts, also when its time was up.
func TestAnAckAfterTheTimeout(t *testing.T) {
	bubble(t, 65*time.Second, func(t *testing.T) consumertest.Result {
		return consumertest.Run(t, func(context.Context, message) consumer.Outcome {
			time.Sleep(65 * time.Second)
			return consumer.Ack()
		}, order{})
	}, "acked")
}

func TestATimeoutWithoutAWord(t *testing.T) {
	bubble(t, 2*time.Second, func(t *testing.T) consumertest.Result {
		return consumertest.RunMessage(t.Context(), t, func(ctx context.Context, _ message) consumer.Outcome {
			<-ctx.Done()
			return consumer.Retry(nil)
		}, message{}, consumer.Config{Timeout: 2 * time.Second, Immediate: 9})
	}, "retried after 1m0s: the handler's time of 2s was up: context deadline exceeded")
}

func TestAStuckHandler(t *testing.T) {
	bubble(t, 15*time.Second, func(t *testing.T) consumertest.Result {
		release := make(chan struct{}) // the bubble's
		t.Cleanup(func() { close(release) })
		out := consumertest.RunMessage(t.Context(), t, func(context.Context, message) consumer.Outcome {
			<-release
			return consumer.Ack()
		}, message{}, consumer.Config{Timeout: 10 * time.Second, Grace: 5 * time.Second})
		if out.Failure != monitoring.FailureStuck || !strings.Contains(string(out.Stack), "TestAStuckHandler") || out.Runs != 1 {
			t.Errorf("got %+v", out)
		}
		return out
	}, "retried after 1m0s: the handler was still running after 15s")
}

// The consumer stops while the handler runs.
func TestDraining(t *testing.T) {
	stops := func(o consumer.Outcome) func(t *testing.T) consumertest.Result {
		return func(t *testing.T) consumertest.Result {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return consumertest.RunMessage(ctx, t, func(ctx context.Context, _ message) consumer.Outcome {
				<-ctx.Done()
				if cause := context.Cause(ctx); !errors.Is(cause, consumer.ErrDraining) {
					t.Errorf("the cause is %v", cause)
				}
				return o
			}, message{Attempt: 4}, consumer.Config{Drain: 5 * time.Second})
		}
	}
	bubble(t, 6*time.Second, stops(consumer.Retry(errBank)), "redelivered")
	bubble(t, 6*time.Second, stops(consumer.Ack()), "acked")
	bubble(t, 6*time.Second, stops(consumer.Error(errBank)), "errored, rejected: the bank is down")
	bubble(t, 6*time.Second, stops(consumer.Defer(time.Hour, nil)), "deferred for 1h0m0s")
}

// Who does not return when the consumer stops is left behind, and so is the message.
func TestDrainingWithAStuckHandler(t *testing.T) {
	bubble(t, 9*time.Second, func(t *testing.T) consumertest.Result {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		t.Cleanup(func() { time.Sleep(time.Minute) }) // or the bubble would end before the handler
		return consumertest.RunMessage(ctx, t, func(context.Context, message) consumer.Outcome {
			time.Sleep(20 * time.Second)
			return consumer.Ack()
		}, message{}, consumer.Config{Drain: 5 * time.Second})
	}, "redelivered")
}

func TestALostConnection(t *testing.T) {
	for _, o := range []consumer.Outcome{consumer.Ack(), consumer.Retry(errBank), consumer.Error(errBank), consumer.Defer(time.Second, nil)} {
		bubble(t, time.Second, func(t *testing.T) consumertest.Result {
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, consumer.ErrConnectionLost)
			defer cancel()
			return consumertest.RunMessage(ctx, t, func(ctx context.Context, _ message) consumer.Outcome {
				<-ctx.Done()
				if cause := context.Cause(ctx); !errors.Is(cause, consumer.ErrConnectionLost) {
					t.Errorf("the cause is %v", cause)
				}
				return o
			}, message{}, consumer.Config{})
		}, "redelivered")
	}
}

func TestTheHandlersContext(t *testing.T) {
	type key struct{}
	bubble(t, 0, func(t *testing.T) consumertest.Result {
		ctx := context.WithValue(t.Context(), key{}, "value")
		return consumertest.RunMessage(ctx, t, func(ctx context.Context, _ message) consumer.Outcome {
			if at, ok := ctx.Deadline(); !ok || time.Until(at) != 7*time.Second {
				t.Errorf("the deadline is in %v", time.Until(at))
			}
			if ctx.Value(key{}) != "value" || ctx.Err() != nil {
				t.Errorf("the value is %v, the error %v", ctx.Value(key{}), ctx.Err())
			}
			return consumer.Ack()
		}, message{}, consumer.Config{Timeout: 7 * time.Second})
	}, "acked")
}
