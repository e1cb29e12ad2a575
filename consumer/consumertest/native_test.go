package consumertest_test

import (
	"context"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/consumer/consumertest"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
)

// Where the broker does the waiting, nothing is published for it, and a later attempt has the broker's counts.
func TestNative(t *testing.T) {
	cfg := consumer.Config{Waiting: consumer.Native, Retry: retry.Linear(3, time.Minute, 2*time.Minute)}
	at := func(attempt int, o consumer.Outcome) consumertest.Result {
		t.Helper()
		seen := consumer.Message[order]{}
		r := consumertest.RunMessage(t.Context(), t, func(_ context.Context, m consumer.Message[order]) consumer.Outcome {
			seen = m
			return o
		}, consumer.Message[order]{Queue: "orders", ID: "7", Attempt: attempt, Headers: map[string]any{"mine": "kept"}}, cfg)
		if seen.Attempt != attempt || seen.Redelivered != (attempt > 1) || seen.Key != "orders" || seen.ID != "7" || seen.Headers["mine"] != "kept" {
			t.Errorf("attempt %d: the handler sees %+v", attempt, seen)
		}
		return r
	}
	for attempt, wait := range map[int]time.Duration{1: time.Minute, 2: 2 * time.Minute, 3: 2 * time.Minute} {
		r := at(attempt, consumer.Retry(errBank))
		if r.Fate != consumertest.Retried || r.Wait != wait || r.To != "orders" || r.Sent != nil {
			t.Errorf("attempt %d: %+v", attempt, r)
		}
	}
	r := at(4, consumer.Retry(errBank))
	if r.Fate != consumertest.Errored || r.Reason != monitoring.ReasonExhausted || r.To != "orders.error" || r.Sent.Headers["warren-attempts"] != int64(4) {
		t.Errorf("%+v", r)
	}
	r = at(2, consumer.RetryAfter(5*time.Second, errBank))
	if r.Fate != consumertest.Retried || r.To != "orders.retry.5s" || r.Sent.Headers["warren-attempt"] != int64(3) {
		t.Errorf("%+v", r)
	}
	r = at(2, consumer.Defer(5*time.Second, errBank))
	if r.Fate != consumertest.Deferred || r.To != "orders.retry.5s" || r.Sent.Headers["warren-attempt"] != int64(2) {
		t.Errorf("%+v", r)
	}
}

// There is no broker to find out with.
func TestAutoIsTiers(t *testing.T) {
	r := consumertest.RunMessage(t.Context(), t, func(context.Context, consumer.Message[order]) consumer.Outcome {
		return consumer.Retry(errBank)
	}, consumer.Message[order]{Queue: "orders"}, consumer.Config{Waiting: consumer.Auto})
	if r.To != "orders.retry.1m0s" || r.Sent == nil {
		t.Errorf("%+v", r)
	}
}
