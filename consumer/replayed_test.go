package consumer_test

import (
	"context"
	"slices"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/retry"
)

// A message that came back from the error queue says so until it is there again: over retries, deferrals and waits that
// are composed of several. It begins with attempt 1, and what has failed before is kept.
func TestAReplayedMessageSaysSo(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		var attempts []int
		deferred := false
		run(k, func(_ context.Context, m message) consumer.Outcome {
			attempts = append(attempts, m.Attempt)
			switch {
			case !deferred:
				deferred = true
				return consumer.Defer(2200*time.Millisecond, errBank) // through the queue of 1 s, more than once
			case m.Attempt == 1:
				return consumer.Retry(errBank)
			}
			return consumer.Error(errBank)
		}, consumer.Config{Workers: 1, Retry: retry.Fixed(1, 100*time.Millisecond)})
		k.publish(amqp.Publishing{MessageId: "a", Headers: amqp.Table{
			"warren-queue": k.queue, "warren-attempt": int64(1), "warren-replays": int64(4), "warren-replay": "night shift",
			"warren-first-failure": "2026-01-02T03:04:05Z", "warren-failures": []any{"the first time"},
			"warren-origin-exchange": "shop", "warren-origin-key": "order.made",
		}})
		entry := k.takeError()
		if !slices.Equal(attempts, []int{1, 1, 2}) {
			t.Errorf("attempts: %v", attempts)
		}
		for name, want := range map[string]any{
			"warren-replays": int64(4), "warren-replay": "night shift", "warren-first-failure": "2026-01-02T03:04:05Z", "warren-attempts": int64(2),
			"warren-origin-exchange": "shop", "warren-origin-key": "order.made",
		} {
			if got := entry.Headers[name]; got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		if failures, _ := entry.Headers["warren-failures"].([]any); len(failures) != 3 || failures[0] != "the first time" {
			t.Errorf("failures: %v", failures)
		}
	})
}

// Who copies the headers of one message to another does not copy its past.
func TestReplaysOfAnotherQueueAreNotBelieved(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		run(k, func(context.Context, message) consumer.Outcome { return consumer.Error(errBank) }, soon)
		k.publish(amqp.Publishing{MessageId: "a", Headers: amqp.Table{
			"warren-queue": "another", "warren-replays": int64(4), "warren-replay": "night shift",
		}})
		entry := k.takeError()
		if entry.Headers["warren-replays"] != nil || entry.Headers["warren-replay"] != nil {
			t.Errorf("%v", entry.Headers)
		}
	})
}
