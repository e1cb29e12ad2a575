package main

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

const (
	byHandPerWait = "by hand, a queue for each wait"
	byHandOne     = "by hand, one queue"
)

// parked asks how late messages come back where a great many wait, for different times.
func parked() *scenario {
	return &scenario{
		name:  "lateness-parked",
		title: "Lateness: many messages in four mixed waits",
		about: "A queue full of messages is worked off; each asks to be tried again after one of four waits, in turn (20, 25, 30 and 35 s). " +
			"Warren, and the first way by hand, have a retry queue for each wait. One queue is what many programs do: each message carries its wait as its expiration, " +
			"and RabbitMQ looks at the head of the queue only. Parked is when the last of them began to wait; " +
			"if that is after the shortest wait, lateness is that of a busy broker.",
		works: func(e extent) (works []work) {
			for _, by := range []string{warren, byHandPerWait, byHandOne} {
				works = append(works, work{
					By: by, Messages: e.of(100_000, 8_000, 200),
					Wait: e.lasting(20*time.Second, 4*time.Second, 400*time.Millisecond),
				})
			}
			return works
		},
		prepare: func(ctx context.Context, broker string, w work) ([]string, error) {
			p := plan(w.Queue, mixed(w)...)
			if w.By == byHandOne {
				p = plan(w.Queue)
				p.Retry = append(p.Retry, topology.Retry{Queue: anyWait(w.Queue)})
			}
			return fill(ctx, broker, filling{plan: p, messages: w.Messages})
		},
		by: map[string]func(context.Context, string, work) (figures, error){
			warren: parkedOfWarren, byHandPerWait: parkedPerWait, byHandOne: parkedInOne,
		},
		once: true,
		columns: append([]column{
			{"messages", "messages", "%.0f"}, {"parked after, s", "parking", "%.1f"}, {"shortest wait, s", "shortest", "%.1f"},
		}, inMilliseconds("%.0f")...),
		charts: []chart{
			{title: "Lateness with a queue for each wait", unit: "ms", points: distribution(), axis: "share of the messages", ways: []string{warren, byHandPerWait}},
			{title: "Lateness, beside one queue for all waits", unit: "ms", points: distribution(), axis: "share of the messages", ways: []string{warren, byHandOne}},
		},
		bounds: []bound{
			{"late, p99: < 1,000 ms", func(r rows) verdict { return atMost(r.max(warren, "p99"), 1000) }},
			{"parked before the shortest wait was over, as a share of it: < 1", func(r rows) verdict {
				return atMost(r.max(warren, "parking")/r.max(warren, "shortest"), 1)
			}},
			{"goroutines left: 0", func(r rows) verdict { return atMost(r.max(warren, "left"), 0) }},
		},
	}
}

// mixed are the four waits.
func mixed(w work) []time.Duration {
	return []time.Duration{w.Wait, w.Wait * 5 / 4, w.Wait * 3 / 2, w.Wait * 7 / 4}
}

// waitOf is the wait of one message.
func waitOf(waits []time.Duration, id string) (time.Duration, error) {
	n, err := numberOf(id)
	return waits[n%len(waits)], err
}

// anyWait is the retry queue of those who have but one: like Warren's, without a wait of its own.
func anyWait(queue string) topology.Queue {
	like := plan(queue, time.Second).Retry[0].Queue
	like.Name = queue + ".retry.any"
	delete(like.Args, "x-message-ttl")
	return like
}

func parkedOfWarren(ctx context.Context, broker string, w work) (figures, error) {
	ctx, failed := failing(ctx)
	c, err := newCrew(broker, failed)
	if err != nil {
		return nil, err
	}
	l, waits := newLateness(w.Messages), mixed(w)
	err = c.consume(w.Queue, consumer.Config{
		Workers: retryWorkers, Prefetch: retryPrefetch, Retry: retry.Steps(waits...),
	}, nil, func(_ context.Context, m consumer.Message[[]byte]) consumer.Outcome {
		if m.Attempt > 1 {
			return c.orFail(l.arrive(m.ID), consumer.Ack())
		}
		wait, err := waitOf(waits, m.ID)
		return c.orFail(errors.Join(err, l.leave(m.ID, wait)), consumer.RetryAfter(wait, errLater))
	})
	if err == nil {
		err = c.start(ctx)
	}
	if err != nil {
		return c.conclude(ctx, nil, err)
	}
	found, err := l.found(ctx)
	found.shortest(w)
	return c.conclude(ctx, found, err)
}

func (f figures) shortest(w work) {
	if f != nil {
		f["shortest"] = w.Wait.Seconds()
	}
}

func parkedPerWait(ctx context.Context, broker string, w work) (figures, error) {
	return parkedByHand(ctx, broker, w, func(r *retrier, d *amqp.Delivery, wait time.Duration) (*amqp.DeferredConfirmation, error) {
		return r.again(d, retryQueue(w.Queue, wait), "")
	})
}

func parkedInOne(ctx context.Context, broker string, w work) (figures, error) {
	queue := anyWait(w.Queue).Name
	return parkedByHand(ctx, broker, w, func(r *retrier, d *amqp.Delivery, wait time.Duration) (*amqp.DeferredConfirmation, error) {
		return r.again(d, queue, expiration(wait))
	})
}

func parkedByHand(
	ctx context.Context, broker string, w work,
	park func(r *retrier, d *amqp.Delivery, wait time.Duration) (*amqp.DeferredConfirmation, error),
) (found figures, err error) {
	l, waits := newLateness(w.Messages), mixed(w)
	r, err := newRetrier(ctx, broker, w.Queue, func(r *retrier, d *amqp.Delivery) (*amqp.DeferredConfirmation, error) {
		if attemptOf(d) > 1 {
			return nil, l.arrive(d.MessageId)
		}
		wait, err := waitOf(waits, d.MessageId)
		if err = errors.Join(err, l.leave(d.MessageId, wait)); err != nil {
			return nil, err
		}
		return park(r, d, wait)
	})
	if err != nil {
		return nil, err
	}
	found, err = l.found(r.ctx)
	found.shortest(w)
	return found, errors.Join(err, r.close())
}
