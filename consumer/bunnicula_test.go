package consumer_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

// What a message carries between attempts where Bunnicula may have the next one: its own count, and ours.
func TestWhatARetryBesideBunniculaCarries(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		seen := make(chan message, 10)
		run(k, func(_ context.Context, m message) consumer.Outcome {
			seen <- m
			switch len(m.Headers) {
			case 1:
				return consumer.Retry(errBank)
			default:
				if m.Headers["warren-deferred-since"] == nil {
					return consumer.Defer(time.Second, nil)
				}
				if m.Attempt < 3 {
					return consumer.RetryAfter(time.Second, errBank)
				}
				return consumer.Error(errBank)
			}
		}, consumer.Config{Waiting: consumer.Bunnicula, Retry: retry.Fixed(3, 100*time.Millisecond)})
		k.publish(amqp.Publishing{MessageId: "a", CorrelationId: "c", Headers: amqp.Table{"trace": "abc"}})
		for i, want := range []struct {
			attempt  int
			failures any
		}{{1, nil}, {2, int64(1)}, {2, int64(1)}, {3, int64(2)}} {
			m := receive(t, "a delivery", seen)
			if m.Attempt != want.attempt || m.Headers["retry-attempts"] != want.failures || m.ID != "a" || m.CorrelationID != "c" || m.Headers["trace"] != "abc" {
				t.Errorf("delivery %d: attempt %d, %v, want %+v", i+1, m.Attempt, m.Headers, want)
			}
		}
		d := k.take(k.queue+"-error", 1)[0]
		if d.Exchange != k.queue+"-error" || d.RoutingKey != "#" || d.Headers["retry-attempts"] != int64(3) || d.MessageId != "a" ||
			d.Headers["warren-reason"] != "rejected" || d.Headers["warren-origin-key"] != k.queue {
			t.Errorf("%+v", d)
		}
		retried := waitFor[monitoring.Retried](k, 2)
		if retried[0].To != topology.RetryQueue(k.queue, 100*time.Millisecond) || retried[1].To != topology.RetryQueue(k.queue, time.Second) {
			t.Errorf("%+v", retried)
		}
		if e := waitFor[monitoring.Errored](k, 1)[0]; e.To != k.queue+"-error" || e.Attempt != 3 {
			t.Errorf("%+v", e)
		}
	})
}

// Counts of every type that someone may have written. What is none counts as none, and is told.
func TestCountsOfBunnicula(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		counts := map[string]struct {
			header  any
			attempt int
		}{
			"l": {int64(2), 3}, "I": {int32(2), 3}, "s": {int16(2), 3}, "b": {int8(2), 3}, "B": {byte(2), 3}, "u": {uint16(2), 3}, "i": {uint32(2), 3},
			"d": {float64(2), 3}, "S": {"2", 3}, "x": {[]byte("2"), 3},
			"negative": {int64(-3), 1}, "text": {"two", 1}, "half": {1.5, 1}, "void": {nil, 1}, "table": {amqp.Table{"n": int64(2)}, 1},
			"too large": {int64(1 << 60), math.MaxInt32},
		}
		seen := make(chan message, len(counts))
		run(k, func(_ context.Context, m message) consumer.Outcome {
			seen <- m
			return consumer.Retry(errBank)
		}, consumer.Config{Waiting: consumer.Bunnicula, Retry: retry.Fixed(2, time.Hour)})
		ignored := map[string]bool{}
		for id, c := range counts {
			k.publish(amqp.Publishing{MessageId: id, Headers: amqp.Table{"retry-attempts": c.header}})
			ignored[id] = c.attempt == 1
		}
		errored := 0
		for range counts {
			m := receive(t, "a message", seen)
			if want := counts[m.ID].attempt; m.Attempt != want {
				t.Errorf("%s: attempt %d, want %d", m.ID, m.Attempt, want)
			}
			if m.Attempt > 2 {
				errored++
			}
		}
		maps.DeleteFunc(ignored, func(_ string, is bool) bool { return !is })
		told := map[string]bool{}
		for _, e := range waitFor[monitoring.HeaderIgnored](k, len(ignored)) {
			if e.Header != "retry-attempts" {
				t.Errorf("%+v", e)
			}
			told[e.MessageID] = true
		}
		if !maps.Equal(told, ignored) {
			t.Errorf("ignored: %v, want %v", told, ignored)
		}
		for _, d := range k.take(k.queue+"-error", errored) {
			if n, ok := d.Headers["retry-attempts"].(int64); !ok || n != int64(counts[d.MessageId].attempt) {
				t.Errorf("%s: retry-attempts %T %v", d.MessageId, d.Headers["retry-attempts"], d.Headers["retry-attempts"])
			}
		}
		waitFor[monitoring.Retried](k, len(ignored))
		for _, d := range k.take(topology.RetryQueue(k.queue, time.Hour), len(ignored)) {
			if d.Headers["retry-attempts"] != int64(1) {
				t.Errorf("%s: retry-attempts %T %v", d.MessageId, d.Headers["retry-attempts"], d.Headers["retry-attempts"])
			}
		}
	})
}

// A wait of several hops keeps the count, though no handler runs between them.
func TestAHopBesideBunniculaKeepsTheCount(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		r := run(k, ack, consumer.Config{Waiting: consumer.Bunnicula})
		k.publish(amqp.Publishing{MessageId: "a", Headers: amqp.Table{
			"warren-queue": k.queue, "warren-attempt": int64(2), "retry-attempts": int32(1),
			"warren-not-before": time.Now().Add(time.Hour).UnixMilli(), "warren-not-after": time.Now().Add(time.Hour + time.Minute).UnixMilli(),
		}})
		held := waitFor[monitoring.Held](k, 1)[0]
		must(t, r.stop())
		d := k.take(held.To, 1)[0]
		if d.Headers["retry-attempts"] != int64(1) || d.Headers["warren-attempt"] != int64(2) {
			t.Errorf("%v", d.Headers)
		}
	})
}

// As recorded in contract/bunnicula.retry.json and bunnicula.error.json: a message that Bunnicula has put off is our
// second attempt, and replaying what Bunnicula has given up is the last unless the count is reset.
func TestMessagesThatBunniculaLeft(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		seen := make(chan message, 10)
		run(k, func(_ context.Context, m message) consumer.Outcome {
			seen <- m
			return consumer.Retry(errBank)
		}, consumer.Config{Waiting: consumer.Bunnicula, Retry: retry.Fixed(1, time.Hour)})
		k.publishTo(k.queue+"-retry", "#", amqp.Publishing{
			Body: []byte(`{"do":"retry"}`), Expiration: "100", Headers: amqp.Table{"retry-attempts": int64(1)},
		})
		m := receive(t, "what was put off", seen)
		if m.Attempt != 2 || m.ID != "" || m.Key != "#" || m.Exchange != k.queue+"-retry-requeue" || string(m.Body) != `{"do":"retry"}` {
			t.Errorf("%+v", m)
		}
		d := k.take(k.queue+"-error", 1)[0]
		if d.Headers["retry-attempts"] != int64(2) || d.MessageId == "" {
			t.Errorf("%v", d.Headers)
		}
		for attempts, want := range map[int64]string{2: "Errored 3", 0: "Retried 1"} {
			id := fmt.Sprint("replayed with ", attempts)
			k.publish(amqp.Publishing{MessageId: id, Headers: amqp.Table{"retry-attempts": attempts}})
			eventually(t, id, func() bool { return k.events.endings(id) == want })
		}
	})
}
