package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/retry"
)

const (
	consumersWorkers  = 4
	consumersPrefetch = 100
)

// consumers asks what it costs to share the same work among more consumers.
func consumers() *scenario {
	return &scenario{
		name:  "consumers",
		title: "1, 10 and 100 consumers on one connection",
		about: fmt.Sprintf("The same number of messages of %d bytes, spread over as many quorum queues as there are consumers, each with %d workers and a prefetch of %d. "+
			"By hand is a loop that acknowledges finished prefixes, and has neither deadline nor panic guard nor metrics. "+
			"Ready is from the start of all consumers until all are subscribed, with three queues declared by each. Memory is heap and stacks after the work, at rest.",
			bodySize, consumersWorkers, consumersPrefetch),
		works: func(e extent) (works []work) {
			for _, n := range []int{1, e.of(10, 10, 2), e.of(100, 30, 3)} {
				for _, by := range []string{warren, byHand} {
					works = append(works, work{By: by, Size: n, Messages: e.of(60_000, 10_000, 240)})
				}
			}
			return works
		},
		prepare: func(ctx context.Context, broker string, w work) ([]string, error) {
			var fillings []filling
			for i := range w.Size {
				fillings = append(fillings, filling{plan: plan(member(w, i), time.Minute), messages: share(w, i)})
			}
			return fill(ctx, broker, fillings...)
		},
		by:   map[string]func(context.Context, string, work) (figures, error){warren: consumersOfWarren, byHand: consumersByHand},
		size: "consumers",
		columns: []column{
			{"messages/s", "rate", "%.0f"},
			{"CPU µs/message", "cpu", "%.1f"},
			{"allocations/message", "allocs", "%.1f"},
			{"goroutines", "goroutines", "%.0f"},
			{"KiB/consumer", "memory", "%.0f"},
			{"ready, ms", "ready", "%.0f"},
			{"stopped, ms", "stopped", "%.0f"},
			{"goroutines left", "left", "%.0f"},
		},
		charts: []chart{
			{title: "CPU per message", unit: "µs", figure: "cpu"},
			{title: "Time until all are subscribed", unit: "ms", figure: "ready"},
		},
		bounds: []bound{
			{"goroutines left: 0", func(r rows) verdict { return atMost(r.max(warren, "left"), 0) }},
			{"CPU per message with the most consumers, against one: ≤ 1.5 ×", func(r rows) verdict {
				return atMost(r.growth(warren, "cpu"), 1.5)
			}},
		},
	}
}

// member is the main queue of the i-th consumer.
func member(w work, i int) string { return fmt.Sprintf("%s.%d", w.Queue, i) }

// share is how many of the messages are for the i-th consumer.
func share(w work, i int) int { return w.Messages*(i+1)/w.Size - w.Messages*i/w.Size }

func consumersOfWarren(ctx context.Context, broker string, w work) (figures, error) {
	ctx, failed := failing(ctx)
	c, err := newCrew(broker, failed)
	if err != nil {
		return nil, err
	}
	gate := make(chan struct{})
	settled := newCounter(w.Messages)
	for i := range w.Size {
		err := c.consume(member(w, i), consumer.Config{
			Workers: consumersWorkers, Prefetch: consumersPrefetch, Timeout: 30 * time.Second, Retry: retry.Fixed(3, time.Minute),
		}, settled.one, func(context.Context, consumer.Message[[]byte]) consumer.Outcome {
			<-gate
			return consumer.Ack()
		})
		if err != nil {
			return c.conclude(ctx, nil, err)
		}
	}
	began := time.Now()
	if err := c.start(ctx); err != nil {
		return c.conclude(ctx, nil, err)
	}
	ready := time.Since(began)
	then := now()
	close(gate)
	if err := settled.wait(ctx); err != nil {
		return c.conclude(ctx, nil, err)
	}
	found := then.since(w.Messages)
	found.rest(c.before, w.Size)
	began = time.Now()
	c.stop()
	found["ready"], found["stopped"] = milliseconds(ready), milliseconds(time.Since(began))
	return c.conclude(ctx, found, nil)
}

func consumersByHand(ctx context.Context, broker string, w work) (found figures, err error) {
	ctx, failed := failing(ctx)
	before := holds()
	conn, err := dialByHand(broker)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	gate := make(chan struct{})
	settled := newCounter(w.Messages)
	hands := make([]hand, w.Size)
	began := time.Now()
	subscribed := newCounter(w.Size)
	for i := range hands {
		h := &hands[i]
		*h = hand{
			queue: member(w, i), workers: consumersWorkers, prefetch: consumersPrefetch, failed: failed,
			handle: func(*amqp.Delivery) (*amqp.DeferredConfirmation, error) {
				<-gate
				settled.one()
				return nil, nil
			},
		}
		go func() {
			if err := h.declareAndStart(conn); err != nil {
				failed.note(err)
			}
			subscribed.one()
		}()
	}
	<-subscribed.done
	ready := time.Since(began)
	then := now()
	close(gate)
	if err := settled.wait(ctx); err != nil {
		return nil, err
	}
	found = then.since(w.Messages)
	found.rest(before, w.Size)
	began = time.Now()
	stopped := newCounter(w.Size)
	for i := range hands {
		go func() {
			if err := hands[i].stop(); err != nil {
				failed.note(err)
			}
			stopped.one()
		}()
	}
	<-stopped.done
	found["ready"], found["stopped"] = milliseconds(ready), milliseconds(time.Since(began))
	return found, context.Cause(ctx)
}

// declareAndStart is what a consumer by hand does when its program starts.
func (h *hand) declareAndStart(conn *amqp.Connection) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := declare(ch, plan(h.queue, time.Minute)); err != nil {
		return err
	}
	return h.startOn(ch)
}

// rest adds what is held now, and was not before.
func (f figures) rest(before held, n int) {
	h := holds()
	f["goroutines"] = float64(h.goroutines - before.goroutines)
	f["heap"] = float64(h.heap-before.heap) / float64(n) / 1024
	f["stacks"] = float64(h.stacks-before.stacks) / float64(n) / 1024
	f["memory"] = float64(h.heap-before.heap+h.stacks-before.stacks) / float64(n) / 1024
	f["resident"] = float64(h.resident-before.resident) / float64(n) / 1024
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
