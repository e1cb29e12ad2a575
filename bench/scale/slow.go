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

const (
	slowWorkers = 8
	slowWork    = time.Millisecond
	// slowPairs is how often a while without a slow handler is followed by one with.
	slowPairs = 3
)

const (
	byHandEach   = "by hand, each acknowledged"
	byHandPrefix = "by hand, prefixes acknowledged"
)

// slow asks what one slow handler costs the others.
func slow() *scenario {
	return &scenario{
		name:  "slow",
		title: "One handler of 2 s among 8 workers",
		about: "Handlers wait 1 ms each, but now and then one takes 2 s. Shown is what one of the others handles a second, while there is a slow one and while there is none, in turn. " +
			"By hand, acknowledging prefixes only is what starves: the broker sends no more than the prefetch until the slow one is done.",
		works: func(e extent) (works []work) {
			for _, prefetch := range []int{2 * slowWorkers, 100} {
				for _, by := range []string{warren, byHandEach, byHandPrefix} {
					wait := e.lasting(2*time.Second, time.Second, 40*time.Millisecond)
					// No more than a worker can do, and one more window.
					messages := slowPairs*2*slowWorkers*int(wait/slowWork) + 10*prefetch
					works = append(works, work{By: by, Size: prefetch, Messages: messages, Wait: wait})
				}
			}
			return works
		},
		prepare: func(ctx context.Context, broker string, w work) ([]string, error) {
			return fill(ctx, broker, filling{plan: plan(w.Queue, time.Minute), messages: w.Messages})
		},
		by: map[string]func(context.Context, string, work) (figures, error){
			warren: slowOfWarren, byHandEach: slowByHand, byHandPrefix: slowByHand,
		},
		once: true,
		size: "prefetch",
		columns: []column{
			{"handled/s by each without", "without", "%.0f"},
			{"handled/s by each other with", "with", "%.0f"},
			{"ratio", "ratio", "%.3f"},
			{"goroutines left", "left", "%.0f"},
		},
		bounds: []bound{
			{"the others' rate, prefetch 16: ≥ 0.95 ×", func(r rows) verdict { return atLeast(r.first(warren, "ratio"), 0.95) }},
			{"the others' rate, prefetch 100: ≥ 0.95 ×", func(r rows) verdict { return atLeast(r.last(warren, "ratio"), 0.95) }},
			{"goroutines left: 0", func(r rows) verdict { return atMost(r.max(warren, "left"), 0) }},
		},
	}
}

// shift counts what handlers do, and makes one of them slow when asked.
type shift struct {
	wait      time.Duration
	handled   atomic.Int64
	wanted    atomic.Bool
	slow      chan slowness
	exhausted *counter
}

// slowness is what the others have done meanwhile.
type slowness struct {
	handled int64
	took    time.Duration
}

func newShift(w work) *shift {
	return &shift{wait: w.Wait, slow: make(chan slowness, 1), exhausted: newCounter(w.Messages)}
}

// handle is a handler.
func (s *shift) handle() {
	if s.wanted.CompareAndSwap(true, false) {
		before, began := s.handled.Load(), time.Now()
		time.Sleep(s.wait)
		s.slow <- slowness{s.handled.Load() - before, time.Since(began)}
	} else {
		time.Sleep(slowWork)
	}
	s.handled.Add(1)
	s.exhausted.one()
}

var errExhausted = errors.New("the queue was empty before the end")

// watch takes turns.
func (s *shift) watch(ctx context.Context) (figures, error) {
	var with, without slowness
	for range slowPairs {
		before, began := s.handled.Load(), time.Now()
		select {
		case <-time.After(s.wait):
		case <-s.exhausted.done:
			return nil, errExhausted
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		without.handled += s.handled.Load() - before
		without.took += time.Since(began)
		s.wanted.Store(true)
		select {
		case one := <-s.slow:
			with.handled += one.handled
			with.took += one.took
		case <-s.exhausted.done:
			return nil, errExhausted
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	f := figures{
		"without": float64(without.handled) / without.took.Seconds() / slowWorkers,
		"with":    float64(with.handled) / with.took.Seconds() / (slowWorkers - 1),
	}
	f["ratio"] = f["with"] / f["without"]
	return f, nil
}

func slowOfWarren(ctx context.Context, broker string, w work) (figures, error) {
	ctx, failed := failing(ctx)
	c, err := newCrew(broker, failed)
	if err != nil {
		return nil, err
	}
	s := newShift(w)
	err = c.consume(w.Queue, consumer.Config{
		Workers: slowWorkers, Prefetch: w.Size, Retry: retry.Fixed(3, time.Minute),
	}, nil, func(context.Context, consumer.Message[[]byte]) consumer.Outcome {
		s.handle()
		return consumer.Ack()
	})
	if err == nil {
		err = c.start(ctx)
	}
	if err != nil {
		return c.conclude(ctx, nil, err)
	}
	found, err := s.watch(ctx)
	return c.conclude(ctx, found, err)
}

func slowByHand(ctx context.Context, broker string, w work) (found figures, err error) {
	ctx, failed := failing(ctx)
	conn, err := dialByHand(broker)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	s := newShift(w)
	h := hand{
		queue: w.Queue, workers: slowWorkers, prefetch: w.Size, each: w.By == byHandEach, failed: failed,
		handle: func(*amqp.Delivery) (*amqp.DeferredConfirmation, error) {
			s.handle()
			return nil, nil
		},
	}
	if err := h.start(conn); err != nil {
		return nil, err
	}
	found, err = s.watch(ctx)
	return found, errors.Join(err, h.stop())
}
