package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/retry"
)

// stormRetries is how often every message fails.
const stormRetries = 3

// storm asks what it costs when everything fails.
func storm() *scenario {
	return &scenario{
		name:  "storm",
		title: "A storm: every message is retried three times",
		about: "A service that everything needs is down: each message of a full queue fails three times, and waits 1 s each time, in the same retry queue. " +
			"Extra is the time beyond these 3 s: of all messages together, from the first handler to the last, and of one message, from its first handler to its last.",
		works: func(e extent) (works []work) {
			for _, by := range []string{warren, byHand} {
				works = append(works, work{
					By: by, Messages: e.of(10_000, 3_000, 100), Wait: e.lasting(time.Second, time.Second, 100*time.Millisecond),
				})
			}
			return works
		},
		prepare: func(ctx context.Context, broker string, w work) ([]string, error) {
			return fill(ctx, broker, filling{plan: plan(w.Queue, w.Wait), messages: w.Messages})
		},
		by: map[string]func(context.Context, string, work) (figures, error){warren: stormOfWarren, byHand: stormByHand},
		columns: []column{
			{"messages", "number", "%.0f"},
			{"deliveries/s", "rate", "%.0f"},
			{"CPU µs/delivery", "cpu", "%.1f"},
			{"allocations/delivery", "allocs", "%.1f"},
			{"extra of all, s", "extra", "%.2f"},
			{"extra of one: p50, ms", "p50", "%.0f"},
			{"p99, ms", "p99", "%.0f"},
			{"goroutines left", "left", "%.0f"},
		},
		bounds: []bound{
			{"deliveries/s, against by hand: ≥ 0.9 ×", func(r rows) verdict {
				return atLeast(r.last(warren, "rate")/r.last(byHand, "rate"), 0.9)
			}},
			{"goroutines left: 0", func(r rows) verdict { return atMost(r.max(warren, "left"), 0) }},
		},
	}
}

// travels notes when the handler first ran for each message, and how long all of its attempts took.
type travels struct {
	began      time.Time
	first, all []atomic.Int64
	done       *counter
}

func newTravels(n int) *travels {
	return &travels{began: time.Now(), first: make([]atomic.Int64, n), all: make([]atomic.Int64, n), done: newCounter(n)}
}

// handle notes an attempt, and tells whether it was the last.
func (t *travels) handle(id string, attempt int) (last bool, err error) {
	at := int64(time.Since(t.began))
	n, err := numberOf(id)
	switch {
	case err != nil:
	case attempt == 1:
		t.first[n].Store(at)
	case attempt == stormRetries+1:
		t.all[n].Store(at - t.first[n].Load())
		last = true
	}
	return last, err
}

// found adds what each message took beyond its waits.
func (t *travels) found(f figures, w work) {
	waits := stormRetries * w.Wait
	values := make([]float64, len(t.all))
	for i := range t.all {
		values[i] = milliseconds(time.Duration(t.all[i].Load()) - waits)
	}
	f.spread(values)
	f["extra"] = f["seconds"] - waits.Seconds()
	f["number"] = float64(w.Messages)
}

func stormOfWarren(ctx context.Context, broker string, w work) (figures, error) {
	ctx, failed := failing(ctx)
	c, err := newCrew(broker, failed)
	if err != nil {
		return nil, err
	}
	t, gate := newTravels(w.Messages), make(chan struct{})
	err = c.consume(w.Queue, consumer.Config{
		Workers: retryWorkers, Prefetch: retryPrefetch, Retry: retry.Fixed(stormRetries, w.Wait),
	}, t.done.one, func(_ context.Context, m consumer.Message[[]byte]) consumer.Outcome {
		<-gate
		last, err := t.handle(m.ID, m.Attempt)
		if last {
			return c.orFail(err, consumer.Ack())
		}
		return c.orFail(err, consumer.Retry(errLater))
	})
	if err == nil {
		err = c.start(ctx)
	}
	if err != nil {
		return c.conclude(ctx, nil, err)
	}
	then := now()
	close(gate)
	if err := t.done.wait(ctx); err != nil {
		return c.conclude(ctx, nil, err)
	}
	found := then.since((stormRetries + 1) * w.Messages)
	t.found(found, w)
	return c.conclude(ctx, found, nil)
}

func stormByHand(ctx context.Context, broker string, w work) (figures, error) {
	t, gate := newTravels(w.Messages), make(chan struct{})
	queue := retryQueue(w.Queue, w.Wait)
	r, err := newRetrier(ctx, broker, w.Queue, func(r *retrier, d *amqp.Delivery) (*amqp.DeferredConfirmation, error) {
		<-gate
		switch last, err := t.handle(d.MessageId, int(attemptOf(d))); {
		case err != nil:
			return nil, err
		case last:
			t.done.one()
			return nil, nil
		default:
			return r.again(d, queue, "")
		}
	})
	if err != nil {
		return nil, err
	}
	then := now()
	close(gate)
	if err := t.done.wait(r.ctx); err != nil {
		return nil, errors.Join(err, r.close())
	}
	found := then.since((stormRetries + 1) * w.Messages)
	t.found(found, w)
	return found, r.close()
}
