package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

// A retry beside Kicks publishes nothing: the broker moves the message as it came, and counts.
func TestWhatARetryBesideKicksCarries(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		seen := make(chan message, 10)
		run(k, func(_ context.Context, m message) consumer.Outcome {
			seen <- m
			if m.Attempt == 3 {
				return consumer.Error(fmt.Errorf("no card: %w", errBank))
			}
			return consumer.Retry(errBank)
		}, consumer.Config{Waiting: consumer.Kicks, Retry: retry.Fixed(5, 100*time.Millisecond)})
		k.publishTo(topology.KicksExchange, k.queue, amqp.Publishing{
			MessageId: "m-1", ContentType: "application/json", Priority: 3, Body: []byte(`{"do":"retry"}`), Headers: amqp.Table{"n": int32(7), "trace": "abc"},
		})
		for attempt := 1; attempt <= 3; attempt++ {
			m := receive(t, "a delivery", seen)
			if m.Attempt != attempt || m.ID != "m-1" || m.Exchange != topology.KicksExchange || m.Key != k.queue || m.Headers["n"] != int32(7) || m.Headers["trace"] != "abc" {
				t.Errorf("attempt %d: %+v", attempt, m)
			}
			for name := range m.Headers {
				if strings.HasPrefix(name, "warren-") {
					t.Errorf("attempt %d has %s: it was published again", attempt, name)
				}
			}
		}
		d := k.take(k.queue+"-error", 1)[0]
		if d.Exchange != k.queue+"-error" || d.RoutingKey != k.queue || d.MessageId != "m-1" || d.ContentType != "application/json" || d.Priority != 3 {
			t.Errorf("%+v", d)
		}
		if d.Headers["x-death"] != nil || d.Headers["warren-reason"] != "rejected" || d.Headers["warren-attempts"] != int64(3) || d.Headers["warren-origin-exchange"] != topology.KicksExchange {
			t.Errorf("%v", d.Headers)
		}
		info := kicksInfo(t, &d)
		if len(info) != 1 || info[0].NumAttempts != 3 || info[0].Error != "no card: the bank is down" || info[0].Message != info[0].Error ||
			info[0].Class != "*errors.errorString" || info[0].Properties["content_type"] != "application/json" || info[0].Properties["message_id"] != "m-1" ||
			info[0].Properties["priority"] != 3.0 || info[0].Properties["delivery_mode"] != 2.0 {
			t.Errorf("%+v", info)
		}
		headers, _ := info[0].Properties["headers"].(map[string]any)
		deaths, _ := headers["x-death"].([]any)
		if headers["n"] != 7.0 || len(deaths) != 2 || deaths[0].(map[string]any)["count"] != 2.0 {
			t.Errorf("%v", headers)
		}
		retried := waitFor[monitoring.Retried](k, 2)
		if retried[1].Attempt != 2 || retried[1].To != k.queue+"-retry" || retried[1].Wait != 100*time.Millisecond || !errors.Is(retried[1].Err, errBank) {
			t.Errorf("%+v", retried)
		}
		first, err := time.Parse(time.RFC3339Nano, d.Headers["warren-first-failure"].(string))
		if last, _ := time.Parse(time.RFC3339Nano, d.Headers["warren-last-failure"].(string)); err != nil || first.After(last) {
			t.Errorf("first failure %v (%v), last %v", first, err, last)
		}
	})
}

// RetryAfter and Defer wait as long as they say, in queues of ours. The broker's count begins anew there; ours goes on,
// also through Kicks' own retries after that.
func TestOtherWaitsBesideKicks(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		type seen struct {
			attempt int
			at      time.Time
			peers   int // what a Kicks consumer would read
		}
		had := make(chan seen, 10)
		n := 0
		run(k, func(_ context.Context, m message) consumer.Outcome {
			n++
			had <- seen{m.Attempt, time.Now(), ruby{}.failures(t, &amqp.Delivery{Headers: m.Headers}, k.queue)}
			switch n {
			case 2:
				return consumer.Defer(time.Second, nil)
			case 4:
				return consumer.RetryAfter(time.Second, errBank)
			default:
				return consumer.Retry(errBank)
			}
		}, consumer.Config{Waiting: consumer.Kicks, Workers: 1, Retry: retry.Fixed(4, 100*time.Millisecond)})
		k.publishTo(topology.KicksExchange, k.queue, text("a", "x"))
		var attempts, peers []int
		var waits []time.Duration
		var last time.Time
		for range 6 {
			s := receive(t, "a delivery", had)
			attempts, peers = append(attempts, s.attempt), append(peers, s.peers)
			waits = append(waits, s.at.Sub(last))
			last = s.at
		}
		// Retry 1, Defer 2, Retry 2, RetryAfter 3, Retry 4, and 5 is the last.
		if want := []int{1, 2, 2, 3, 4, 5}; !slices.Equal(attempts, want) {
			t.Errorf("attempts %v, want %v", attempts, want)
		}
		if want := []int{0, 1, 0, 1, 0, 1}; !slices.Equal(peers, want) {
			t.Errorf("Kicks would count %v failures, want %v", peers, want)
		}
		for i, long := range []bool{1: false, 2: true, 3: false, 4: true, 5: false} {
			if long && waits[i] < time.Second || !long && i > 0 && k.broker.Test != nil && waits[i] >= time.Second {
				t.Errorf("wait %d took %v", i, waits[i])
			}
		}
		d := k.take(k.queue+"-error", 1)[0]
		if d.RoutingKey != k.queue || d.Headers["warren-attempts"] != int64(5) || d.Headers["warren-origin-exchange"] != topology.KicksExchange {
			t.Errorf("%s %v", d.RoutingKey, d.Headers)
		}
		if info := kicksInfo(t, &d); info[0].NumAttempts != 5 {
			t.Errorf("%+v", info)
		}
	})
}

// An entry that was replayed keeps what Kicks told of it, in each of the shapes that Kicks leaves.
func TestRetryInfoOfReplayedMessages(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		run(k, func(context.Context, message) consumer.Outcome { return consumer.Error(errBank) }, consumer.Config{Waiting: consumer.Kicks})
		const object = `{"error":"first","num_attempts":6,"failed_at":"2026-11-21T22:56:21+00:00"}`
		shapes := map[string]struct {
			header any
			want   []string
		}{
			"an object":   {object, []string{"the bank is down", "first"}},
			"an array":    {`[{"error":"second"},` + object + `]`, []string{"the bank is down", "second", "first"}},
			"pairs":       {`[{"error":"second"},["error","first"],["num_attempts",6]]`, []string{"the bank is down", "second", "first"}},
			"bytes":       {[]byte(object), []string{"the bank is down", "first"}},
			"no JSON":     {"{", []string{"the bank is down", "unreadable retry_info"}},
			"no text":     {int64(3), []string{"the bank is down", "unreadable retry_info"}},
			"nothing yet": {nil, []string{"the bank is down"}},
		}
		for id, s := range shapes {
			m := amqp.Publishing{MessageId: id}
			if s.header != nil {
				m.Headers = amqp.Table{"retry_info": s.header}
			}
			k.publish(m)
		}
		for _, d := range k.take(k.queue+"-error", len(shapes)) {
			var got []string
			for _, r := range kicksInfo(t, &d) {
				got = append(got, r.Error)
			}
			if want := shapes[d.MessageId].want; !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", d.MessageId, got, want)
			}
			readable(t, d.Headers)
		}
	})
}

// Headers that nearly fill a frame are repeated in retry_info only as far as there is room.
func TestLargeHeadersBesideKicks(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		run(k, func(context.Context, message) consumer.Outcome { return consumer.Error(errBank) }, consumer.Config{Waiting: consumer.Kicks})
		k.publish(amqp.Publishing{MessageId: "a", Headers: amqp.Table{"large": strings.Repeat("x", 100_000)}})
		d := k.take(k.queue+"-error", 1)[0]
		if large, _ := d.Headers["large"].(string); len(large) != 100_000 {
			t.Errorf("the header has %d bytes", len(large))
		}
		if info := kicksInfo(t, &d); info[0].NumAttempts != 1 || info[0].Properties["headers"] != nil {
			t.Errorf("%+v", info)
		}
	})
}
