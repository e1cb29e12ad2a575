package main

import (
	"context"
	"errors"
	"iter"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/retry"
)

const (
	retryWorkers  = 16
	retryPrefetch = 256
)

var errLater = errors.New("later")

// steady asks how late messages come back that pass through one retry queue at a steady rate.
func steady() *scenario {
	return &scenario{
		name:  "lateness-steady",
		title: "Lateness: a steady stream through one retry queue",
		about: "Messages are published at a steady rate, each is retried once, through the same retry queue of 5 s, and is due when these have passed since its handler said so. " +
			"By hand the message is published to the same queue, pipelined.",
		works: func(e extent) (works []work) {
			rate := e.of(2000, 500, 200)
			for _, by := range []string{warren, byHand} {
				works = append(works, work{
					By: by, Rate: rate, Messages: rate * e.of(15, 5, 1), Wait: e.lasting(5*time.Second, 2*time.Second, 300*time.Millisecond),
				})
			}
			return works
		},
		prepare: func(ctx context.Context, broker string, w work) ([]string, error) {
			return fill(ctx, broker, filling{plan: plan(w.Queue, w.Wait)})
		},
		by:   map[string]func(context.Context, string, work) (figures, error){warren: steadyOfWarren, byHand: steadyByHand},
		once: true,
		columns: append([]column{
			{"messages", "messages", "%.0f"}, {"published/s", "published", "%.0f"}, {"least, ms", "least", "%.1f"},
		}, inMilliseconds("%.1f")...),
		charts: []chart{{title: "Lateness", unit: "ms", points: distribution(), axis: "share of the messages"}},
		bounds: []bound{
			{"late, p99: < 100 ms", func(r rows) verdict { return atMost(r.max(warren, "p99"), 100) }},
			{"the least: not before it is due", func(r rows) verdict { return atLeast(r.min(warren, "least"), 0) }},
			{"goroutines left: 0", func(r rows) verdict { return atMost(r.max(warren, "left"), 0) }},
		},
	}
}

// inMilliseconds are the columns of lateness.
func inMilliseconds(format string) (columns []column) {
	for _, q := range quantiles {
		if q.share >= 0.5 {
			columns = append(columns, column{q.head + ", ms", q.figure, format})
		}
	}
	return columns
}

// beat is how often a steady publisher looks at the clock.
const beat = 2 * time.Millisecond

// paced yields the numbers of the messages, each in its time, until ctx ends.
func paced(ctx context.Context, w work) iter.Seq[int] {
	return func(yield func(int) bool) {
		tick := time.NewTicker(beat)
		defer tick.Stop()
		began := time.Now()
		for n := 0; n < w.Messages; {
			due := min(w.Messages, int(time.Since(began).Seconds()*float64(w.Rate)))
			for ; n < due; n++ {
				if !yield(n) {
					return
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}
}

func steadyOfWarren(ctx context.Context, broker string, w work) (figures, error) {
	ctx, failed := failing(ctx)
	c, err := newCrew(broker, failed)
	if err != nil {
		return nil, err
	}
	found, err := c.steady(ctx, w)
	return c.conclude(ctx, found, err)
}

func (c *crew) steady(ctx context.Context, w work) (figures, error) {
	l := newLateness(w.Messages)
	err := c.consume(w.Queue, consumer.Config{
		Workers: retryWorkers, Prefetch: retryPrefetch, Retry: retry.Fixed(1, w.Wait),
	}, nil, func(_ context.Context, m consumer.Message[[]byte]) consumer.Outcome {
		if m.Attempt == 1 {
			return c.orFail(l.leave(m.ID, w.Wait), consumer.Retry(errLater))
		}
		return c.orFail(l.arrive(m.ID), consumer.Ack())
	})
	if err != nil {
		return nil, err
	}
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	p, err := publisher.New(c.conn, publisher.Config{})
	if err != nil {
		return nil, err
	}
	body, began := stamp{}.body(), time.Now()
	messages := func(yield func(publisher.Message) bool) {
		for n := range paced(ctx, w) {
			if !yield(publisher.Message{ID: strconv.Itoa(n), Key: w.Queue, Body: body}) {
				return
			}
		}
	}
	for _, err := range publisher.All(ctx, p, w.Queue, messages) {
		if err != nil {
			return nil, errors.Join(err, p.Close(ctx))
		}
	}
	published := float64(w.Messages) / time.Since(began).Seconds()
	if err := p.Close(ctx); err != nil {
		return nil, err
	}
	found, err := l.found(ctx)
	if err == nil {
		found["published"] = published
	}
	return found, err
}

// orFail is the outcome, and notes an error.
func (c *crew) orFail(err error, o consumer.Outcome) consumer.Outcome {
	if err != nil {
		c.failed.note(err)
	}
	return o
}

func steadyByHand(ctx context.Context, broker string, w work) (found figures, err error) {
	l := newLateness(w.Messages)
	r, err := newRetrier(ctx, broker, w.Queue, func(r *retrier, d *amqp.Delivery) (*amqp.DeferredConfirmation, error) {
		if attemptOf(d) > 1 {
			return nil, l.arrive(d.MessageId)
		}
		if err := l.leave(d.MessageId, w.Wait); err != nil {
			return nil, err
		}
		return r.again(d, retryQueue(w.Queue, w.Wait), "")
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	s, err := newSender(r.publishing)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	for n := range paced(r.ctx, w) {
		if err := s.pipelined(r.ctx, w.Queue, message(n, stamp{})); err != nil {
			return nil, err
		}
	}
	if err := s.flush(r.ctx); err != nil {
		return nil, err
	}
	published := float64(w.Messages) / time.Since(began).Seconds()
	if found, err = l.found(r.ctx); err == nil {
		found["published"] = published
	}
	return found, err
}
