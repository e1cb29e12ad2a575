package main

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/retry"
)

const nothing = "nothing"

// idle asks what is used while there is nothing to do.
func idle() *scenario {
	return &scenario{
		name:  "idle",
		title: "At rest",
		about: "One consumer and one publisher that have handled a message, on two connections with a heartbeat of 5 s, and then nothing for a while. " +
			"Switches are threads that went to sleep by themselves (getrusage): a heartbeat that comes or goes costs about ten, and so would a loop that looks once a second. " +
			"Nothing is a process that only sleeps; by hand is the same two connections on the bare client.",
		works: func(e extent) (works []work) {
			for _, by := range []string{warren, byHand, nothing} {
				works = append(works, work{By: by, Messages: 1, Wait: e.lasting(20*time.Second, 10*time.Second, 200*time.Millisecond)})
			}
			return works
		},
		prepare: func(ctx context.Context, broker string, w work) ([]string, error) {
			return fill(ctx, broker, filling{plan: plan(w.Queue, time.Minute)})
		},
		by:   map[string]func(context.Context, string, work) (figures, error){warren: idleOfWarren, byHand: idleByHand, nothing: idleOfNothing},
		once: true,
		columns: []column{
			{"% of a core", "busy", "%.3f"},
			{"switches/s", "switches", "%.1f"},
			{"goroutines", "goroutines", "%.0f"},
			{"goroutines left", "left", "%.0f"},
		},
		bounds: []bound{
			{"CPU: < 1 % of a core", func(r rows) verdict { return atMost(r.max(warren, "busy"), 1) }},
			{"no wake-ups beyond heartbeats: switches, against by hand: ≤ 1.5 ×", func(r rows) verdict {
				return atMost(r.max(warren, "switches")/r.max(byHand, "switches"), 1.5)
			}},
			{"goroutines left: 0", func(r rows) verdict { return atMost(r.max(warren, "left"), 0) }},
		},
	}
}

// rest does nothing for a while, and tells what that has cost.
func rest(ctx context.Context, w work, before held) (figures, error) {
	h := holds() // the garbage of what was before is not collected meanwhile
	then := now()
	select {
	case <-time.After(w.Wait):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	cpu, switches := used()
	seconds := time.Since(then.at).Seconds()
	return figures{
		"busy":       100 * (cpu - then.cpu).Seconds() / seconds,
		"switches":   float64(switches-then.switches) / seconds,
		"goroutines": float64(h.goroutines - before.goroutines),
	}, nil
}

func idleOfWarren(ctx context.Context, broker string, w work) (figures, error) {
	ctx, failed := failing(ctx)
	c, err := newCrew(broker, failed)
	if err != nil {
		return nil, err
	}
	found, err := c.idle(ctx, w)
	return c.conclude(ctx, found, err)
}

func (c *crew) idle(ctx context.Context, w work) (figures, error) {
	settled := newCounter(1)
	err := c.consume(w.Queue, consumer.Config{Retry: retry.Fixed(3, time.Minute)}, settled.one,
		func(context.Context, consumer.Message[[]byte]) consumer.Outcome { return consumer.Ack() })
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
	if err := p.Publish(ctx, w.Queue, stamp{}.body()); err != nil {
		return nil, errors.Join(err, p.Close(ctx))
	}
	if err := settled.wait(ctx); err != nil {
		return nil, errors.Join(err, p.Close(ctx))
	}
	found, err := rest(ctx, w, c.before)
	return found, errors.Join(err, p.Close(ctx))
}

func idleByHand(ctx context.Context, broker string, w work) (found figures, err error) {
	before := holds()
	settled := newCounter(1)
	r, err := newRetrier(ctx, broker, w.Queue, func(*retrier, *amqp.Delivery) (*amqp.DeferredConfirmation, error) {
		settled.one()
		return nil, nil
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.sender.pipelined(r.ctx, w.Queue, message(0, stamp{})); err != nil {
		return nil, err
	}
	if err := r.sender.flush(r.ctx); err != nil {
		return nil, err
	}
	if err := settled.wait(r.ctx); err != nil {
		return nil, err
	}
	return rest(r.ctx, w, before)
}

func idleOfNothing(ctx context.Context, _ string, w work) (figures, error) {
	return rest(ctx, w, holds())
}
