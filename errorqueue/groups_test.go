package errorqueue_test

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/errorqueue"
)

func TestGroups(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	onAll(t, func(t *testing.T, k *kit) {
		k.declare(nil)
		large := bytes.Repeat([]byte("x"), 10_000)
		for i := range 7 {
			at := noon.Add(time.Duration(i) * time.Hour)
			h := amqp.Table{
				"warren-reason": "exhausted", "warren-error": "timeout " + strconv.Itoa(i), "warren-error-type": "*net.OpError",
				"warren-last-failure": at.Format(time.RFC3339), "warren-first-failure": at.Add(-time.Minute).Format(time.RFC3339),
			}
			if i%3 == 0 {
				h["warren-reason"], h["warren-fingerprint"] = "rejected", "f"
			} // else it is computed, and the number does not matter
			k.publish(amqp.Publishing{MessageId: strconv.Itoa(i), Headers: h, Body: large})
		}
		q := k.queue(errorqueue.Config{})
		groups, err := q.Groups(t.Context(), errorqueue.Filter{})
		must(t, err)
		if len(groups) != 2 {
			t.Fatalf("%+v", groups)
		}
		for i, want := range []struct {
			reason, text, id string
			count            int
			first, last      time.Time
		}{
			{"exhausted", "timeout 1", "1", 4, noon.Add(59 * time.Minute), noon.Add(5 * time.Hour)},
			{"rejected", "timeout 0", "0", 3, noon.Add(-time.Minute), noon.Add(6 * time.Hour)},
		} {
			g := groups[i]
			if g.Reason != want.reason || g.Error != want.text || g.ErrorType != "*net.OpError" || g.Count != want.count || g.Sample.ID != want.id ||
				!g.First.Equal(want.first) || !g.Last.Equal(want.last) || g.Fingerprint == "" || g.Fingerprint != g.Sample.Fingerprint || len(g.Sample.Message.Body) != 4<<10 {
				t.Errorf("%d: %+v", i, g)
			}
		}
		groups, err = q.Groups(t.Context(), errorqueue.Filter{Reasons: []string{"none"}})
		if err != nil || len(groups) > 0 {
			t.Errorf("%+v, %v", groups, err)
		}
		if n := k.ready(k.name); n != 7 {
			t.Errorf("%d are left", n)
		}
	})
}

// Fingerprints come from anyone: memory has a bound, and no entry goes uncounted.
func TestMoreGroupsThanThereIsRoomFor(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		k.declare(amqp.Table{"x-queue-type": "classic"})
		const n = 1100
		var all []amqp.Publishing
		for i := range n {
			all = append(all, amqp.Publishing{MessageId: strconv.Itoa(i), Body: []byte("b"), Headers: amqp.Table{
				"warren-reason": "x", "warren-fingerprint": fmt.Sprint("f", i), "large": string(bytes.Repeat([]byte("h"), 30_000)),
			}})
		}
		k.publish(all...)
		groups, err := k.queue(errorqueue.Config{}).Groups(t.Context(), errorqueue.Filter{})
		must(t, err)
		if len(groups) != 1001 || groups[1000].Count != 100 || groups[1000].Fingerprint != "" || groups[1000].Sample.ID != "" {
			t.Errorf("%d groups; the last %+v", len(groups), groups[len(groups)-1])
		}
		size, whole := 0, 0
		for _, g := range groups[:1000] {
			if s, ok := g.Sample.Message.Headers["large"].(string); ok {
				size += len(s)
				whole++
			}
			if g.Count != 1 || g.Sample.ID == "" {
				t.Errorf("%+v", g)
			}
		}
		if size > 16<<20 || whole < 400 {
			t.Errorf("%d samples are whole, of %d bytes", whole, size)
		}
	})
}
