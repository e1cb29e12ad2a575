package consumer_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/retry"
)

// besidePeers runs a test for each library that we share queues with, on both brokers.
func besidePeers(t *testing.T, test func(t *testing.T, k *kit, w wayOf)) {
	t.Helper()
	for _, w := range libraries() {
		t.Run(w.waiting.String(), func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, k *kit) { test(t, k, w) })
		})
	}
}

// Theirs and ours take turns on one queue as it comes, and every message has each attempt once: whoever has failed with
// it counts for both. The last of them puts it into the error queue, with the same number.
func TestAttemptsCountInBothDirections(t *testing.T) {
	t.Parallel()
	besidePeers(t, func(t *testing.T, k *kit, w wayOf) {
		const messages = 30
		had := new(attempts)
		k.runPeer(w.library, had, nil)
		r := run(k, func(_ context.Context, m message) consumer.Outcome {
			had.note("warren", string(m.Body), m.Attempt)
			return consumer.Retry(errBank)
		}, consumer.Config{Waiting: w.waiting, Workers: 1, Retry: retry.Fixed(peerMax, peerWait)})
		for i := range messages {
			k.publish(amqp.Publishing{Body: fmt.Appendf(nil, "message %d", i)})
		}
		entries := k.take(r.Plan().Error.Name, messages)
		ours := 0
		for _, d := range entries {
			if d.Headers["warren-reason"] != nil {
				ours++
				if d.Headers["warren-attempts"] != int64(peerMax+1) {
					t.Errorf("%s: %v", d.Body, d.Headers)
				}
			}
			checkEntry(t, w, &d, peerMax+1)
		}
		n := had.counts(t, peerMax+1)
		for attempt := 1; attempt <= peerMax+1; attempt++ {
			theirs, mine := n[fmt.Sprintf("peer %d", attempt)], n[fmt.Sprintf("warren %d", attempt)]
			if theirs+mine != messages {
				t.Errorf("attempt %d: %d by the peer and %d by Warren", attempt, theirs, mine)
			}
		}
		if ours == 0 || ours == messages {
			t.Errorf("%d of %d entries in the error queue are ours: one of the two had nothing to do", ours, messages)
		}
		if left := k.ready(k.queue); left != 0 {
			t.Errorf("%d messages are left", left)
		}
	})
}

// checkEntry is about an entry of the error queue that either has made: what the library's own people look at is there.
func checkEntry(t *testing.T, w wayOf, d *amqp.Delivery, deliveries int) {
	t.Helper()
	readable(t, d.Headers)
	if d.DeliveryMode != amqp.Persistent || d.Expiration != "" {
		t.Errorf("%s: delivery mode %d, expiration %q", d.Body, d.DeliveryMode, d.Expiration)
	}
	switch w.waiting {
	case consumer.Bunnicula:
		if n, ok := d.Headers["retry-attempts"].(int64); !ok || n != int64(deliveries) || d.RoutingKey != "#" {
			t.Errorf("%s: key %q, retry-attempts %T %v, want l %d", d.Body, d.RoutingKey, d.Headers["retry-attempts"], d.Headers["retry-attempts"], deliveries)
		}
	default:
		info := kicksInfo(t, d)
		if n := info[0].NumAttempts; n != deliveries {
			t.Errorf("%s: num_attempts %d, want %d", d.Body, n, deliveries)
		}
		if _, err := time.Parse(time.RFC3339, info[0].FailedAt); err != nil || info[0].Error == "" {
			t.Errorf("%s: %+v", d.Body, info[0])
		}
	}
}
