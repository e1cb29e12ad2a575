package errorqueue_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/retry"
)

// What a replayed message has: everything of its sender's, its history, and attempt 1.
func TestWhatIsReplayed(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, k *kit) {
		k.declare(nil)
		k.declareMain()
		entry := k.errored("1", "exhausted")
		entry.Headers["warren-original-expiration"] = "60000"
		entry.Headers["warren-replays"] = int64(2)
		entry.Headers["warren-replay"] = "before"
		entry.ContentType, entry.ContentEncoding, entry.CorrelationId, entry.ReplyTo, entry.AppId, entry.Priority = "a/b", "gzip", "c", "r", "shop", 3
		k.publish(entry)
		began := time.Now()
		r, err := k.queue(errorqueue.Config{}).Replay(t.Context(), errorqueue.ReplayOptions{Run: "night shift"})
		must(t, err)
		counts(t, r, 1, 1, 1, 0, 0)
		if r.Run != "night shift" {
			t.Errorf("the run is %q", r.Run)
		}
		d := k.drain(k.main, 1)[0]
		if due, _ := d.Headers["warren-due"].(int64); due < began.UnixMilli() || due > time.Now().UnixMilli() {
			t.Errorf("due at %v", d.Headers["warren-due"])
		}
		for _, name := range []string{"warren-due", "x-delivery-count", "x-acquired-count"} { // the latter are the broker's
			delete(d.Headers, name)
		}
		want := amqp.Table{
			"warren-queue": k.main, "warren-attempt": int64(1), "warren-replays": int64(3), "warren-replay": "night shift",
			"warren-first-failure": "2026-01-02T03:04:05Z", "warren-failures": []any{"the first", "the last"},
			"warren-origin-exchange": "shop", "warren-origin-key": "order.made", "warren-original-expiration": "60000",
			"tenant": "a", "count": int32(7),
		}
		if !reflect.DeepEqual(d.Headers, want) {
			t.Errorf("headers %v\nwant    %v", d.Headers, want)
		}
		if d.MessageId != "1" || string(d.Body) != "body 1" || d.Type != "order.made" || d.Timestamp.Unix() != 1_600_000_000 || d.DeliveryMode != amqp.Persistent ||
			d.ContentType != "a/b" || d.ContentEncoding != "gzip" || d.CorrelationId != "c" || d.ReplyTo != "r" || d.AppId != "shop" || d.Priority != 3 {
			t.Errorf("%+v", d)
		}
	})
}

// A consumer takes a replayed message as new, and the next entry tells of both lives.
func TestAReplayedMessageIsHandled(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, k *kit) {
		var mu sync.Mutex
		var attempts []int
		mended := false
		c, err := consumer.New(k.conn, k.main, func(_ context.Context, m consumer.Message[[]byte]) consumer.Outcome {
			mu.Lock()
			defer mu.Unlock()
			attempts = append(attempts, m.Attempt)
			if mended {
				return consumer.Ack()
			}
			return consumer.Retry(errors.New("the bank is down"))
		}, consumer.Config{Retry: retry.Fixed(1, 100*time.Millisecond)})
		must(t, err)
		for _, q := range c.Plan().Queues() {
			k.broker.Delete(t, q.Name)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		defer func() {
			stop()
			must(t, <-done)
		}()
		<-c.Ready()
		ch := k.channel()
		must(t, ch.PublishWithContext(t.Context(), "", k.main, true, false, amqp.Publishing{MessageId: "a", DeliveryMode: 2, Body: []byte("x")}))
		q := k.queue(errorqueue.Config{})
		for round := range 3 {
			eventually(t, "the entry", func() bool { return k.ready(k.name) == 1 })
			e, err := q.Get(t.Context(), "a")
			must(t, err)
			if e.Replays != round || e.Attempts != 2 || e.Reason != "exhausted" || len(e.Failures) != min(5, 2*(round+1)) || e.Queue != k.main {
				t.Errorf("round %d: %d replays, %d attempts, %s, failures %v", round, e.Replays, e.Attempts, e.Reason, e.Failures)
			}
			mu.Lock()
			if want := slices.Repeat([]int{1, 2}, round+1); !slices.Equal(attempts, want) {
				t.Errorf("attempts %v, want %v", attempts, want)
			}
			mended = round == 2
			mu.Unlock()
			r, err := q.Replay(t.Context(), errorqueue.ReplayOptions{})
			must(t, err)
			counts(t, r, 1, 1, 1, 0, 0)
		}
		eventually(t, "the last attempt", func() bool { mu.Lock(); defer mu.Unlock(); return len(attempts) == 7 })
		mu.Lock()
		defer mu.Unlock()
		if attempts[6] != 1 {
			t.Errorf("attempts %v", attempts)
		}
	})
}

// What fails again at once comes back to the end of the queue. One run takes it once, also when it is resumed.
func TestARunReplaysAnEntryOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		const n = 100
		var mu sync.Mutex
		handled := map[string]int{}
		c, err := consumer.New(k.conn, k.main, func(_ context.Context, m consumer.Message[[]byte]) consumer.Outcome {
			mu.Lock()
			defer mu.Unlock()
			handled[m.ID]++
			return consumer.Error(errors.New("still broken"))
		}, consumer.Config{Workers: 8})
		must(t, err)
		for _, q := range c.Plan().Queues() {
			k.broker.Delete(t, q.Name)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		defer func() {
			stop()
			must(t, <-done)
		}()
		<-c.Ready()
		k.entries(n)
		q := k.queue(errorqueue.Config{Chunk: 10})
		first, err := q.Replay(t.Context(), errorqueue.ReplayOptions{Options: errorqueue.Options{Limit: 30}})
		must(t, err)
		counts(t, first, 30, 30, 30, 0, 0)
		eventually(t, "all entries again", func() bool { return k.ready(k.name) == n })
		r, err := q.Replay(t.Context(), errorqueue.ReplayOptions{Run: first.Run})
		must(t, err)
		counts(t, r, n, n-30, n-30, 0, 0)
		eventually(t, "all entries once more", func() bool { return k.ready(k.name) == n })
		r, err = q.Replay(t.Context(), errorqueue.ReplayOptions{Run: first.Run})
		must(t, err)
		counts(t, r, n, 0, 0, 0, 0)
		mu.Lock()
		defer mu.Unlock()
		for id, times := range handled {
			if times != 1 {
				t.Errorf("entry %s was replayed %d times", id, times)
			}
		}
		if len(handled) != n {
			t.Errorf("%d entries were replayed", len(handled))
		}
	})
}

// Two people replay at once, or ten: no entry is published twice.
func TestReplaysAtOnce(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, k *kit) {
		k.declare(nil)
		k.declareMain()
		const n = 300
		k.entries(n)
		var all sync.WaitGroup
		var mu sync.Mutex
		done := 0
		for i := range 5 {
			q, err := errorqueue.New(k.conn, k.main, errorqueue.Config{Chunk: 7 + i})
			must(t, err)
			all.Go(func() {
				r, err := q.Replay(t.Context(), errorqueue.ReplayOptions{})
				if err != nil {
					t.Errorf("replay: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				done += r.Done
			})
		}
		all.Wait()
		times := map[string]int{}
		for _, d := range k.drain(k.main, done) {
			times[d.MessageId]++
		}
		if done != n || len(times) != n {
			t.Errorf("%d were done, %d are there", done, len(times))
		}
		for id, n := range times {
			if n > 1 {
				t.Errorf("entry %s is there %d times", id, n)
			}
		}
		same(t, "in the error queue", k.ids(), nil)
	})
}

// Entries of others: what they count with is taken back, what they tell is kept.
func TestReplayOfOthersEntries(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		k.declare(nil)
		k.declareMain()
		info := `{"error":"rejected","num_attempts":3,"failed_at":"2026-01-02T03:04:05Z","error_class":"Timeout","error_message":"too slow"}`
		elsewhere := k.errored("elsewhere", "rejected")
		elsewhere.Headers["warren-origin-queue"] = "invoices"
		k.publish(
			amqp.Publishing{MessageId: "bunnicula", Headers: amqp.Table{"retry-attempts": int64(4)}},
			amqp.Publishing{MessageId: "kicks", Headers: amqp.Table{"retry_info": info}},
			amqp.Publishing{MessageId: "unknown", Headers: amqp.Table{"warren-replays": int64(9), "warren-attempt": int64(9), "warren-queue": "another"}},
			elsewhere,
		)
		q := k.queue(errorqueue.Config{})
		r, err := q.Replay(t.Context(), errorqueue.ReplayOptions{Options: errorqueue.Options{DryRun: true}})
		must(t, err)
		counts(t, r, 4, 4, 0, 1, 3)
		r, err = q.Replay(t.Context(), errorqueue.ReplayOptions{})
		must(t, err)
		counts(t, r, 4, 4, 3, 1, 0)
		if e := r.Errors[0]; e.ID != "elsewhere" || e.Err.Error() != fmt.Sprintf("it has failed in queue \"invoices\", not in %q: replay it there, or move it", k.main) {
			t.Errorf("%v", e)
		}
		for _, d := range k.drain(k.main, 3) {
			h := d.Headers
			if h["warren-replays"] != int64(1) || h["warren-attempt"] != int64(1) || h["warren-queue"] != k.main || h["retry-attempts"] != nil {
				t.Errorf("%s: %v", d.MessageId, h)
			}
			if d.MessageId == "kicks" {
				failures, _ := h["warren-failures"].([]any)
				if h["retry_info"] != info || len(failures) != 1 || h["warren-first-failure"] != "2026-01-02T03:04:05Z" {
					t.Errorf("kicks: %v", h)
				}
			}
		}
		same(t, "in the error queue", k.ids(), []string{"elsewhere"})
	})
}

// To the origin means to all that is bound there.
func TestReplayToTheOrigin(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		trail := &reviews{}
		k.declare(nil)
		k.declareMain()
		k.declareNamed(k.main+".audit", nil)
		shop := k.main + ".shop"
		ch := k.channel()
		must(t, ch.ExchangeDeclare(shop, "topic", false, true, false, false, nil))
		for _, queue := range []string{k.main, k.main + ".audit"} {
			must(t, ch.QueueBind(queue, "order.#", shop, false, nil))
		}
		entry, nowhere := k.errored("1", "rejected"), k.errored("2", "rejected")
		entry.Headers["warren-origin-exchange"] = shop
		delete(nowhere.Headers, "warren-origin-exchange")
		delete(nowhere.Headers, "warren-origin-key")
		k.publish(entry, nowhere)
		r, err := k.queue(errorqueue.Config{Monitor: trail}).Replay(t.Context(), errorqueue.ReplayOptions{ToOrigin: true})
		must(t, err)
		counts(t, r, 2, 2, 1, 1, 0)
		if e := trail.last(t, 1); e.To != "origin" {
			t.Errorf("%+v", e)
		}
		for _, queue := range []string{k.main, k.main + ".audit"} {
			if d := k.drain(queue, 1); d[0].MessageId != "1" || d[0].Exchange != shop || d[0].RoutingKey != "order.made" {
				t.Errorf("%s: %+v", queue, d)
			}
		}
		same(t, "in the error queue", k.ids(), []string{"2"})
	})
}
