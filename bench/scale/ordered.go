package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/retry"
)

const (
	lanes       = 16
	orderedKeys = 500
	orderedWork = time.Millisecond
	// lanePrefetch is that of one lane.
	lanePrefetch = 50
	byHandLanes  = "by hand, 16 lanes on one queue"
)

// ordered asks what order costs, where messages of one key must follow one another.
func ordered() *scenario {
	return &scenario{
		name:  "ordered",
		title: "Order per key",
		about: fmt.Sprintf("Messages of %d keys, each in its turn, with %v of waiting in each handler. Warren has no lanes: the publisher spreads the keys over %d queues, "+
			"each with a consumer of one worker, all on one connection; that keeps order as long as nothing is retried. "+
			"By hand is the same, and a program that reads one queue and gives each key to one of %d goroutines.", orderedKeys, orderedWork, lanes, lanes),
		works: func(e extent) (works []work) {
			for _, by := range []string{warren, byHand, byHandLanes} {
				works = append(works, work{By: by, Messages: e.of(60_000, 20_000, 600)})
			}
			return works
		},
		prepare: prepareOrdered,
		by: map[string]func(context.Context, string, work) (figures, error){
			warren: orderedOfWarren, byHand: orderedByHand, byHandLanes: orderedInLanes,
		},
		columns: []column{
			{"messages/s", "rate", "%.0f"},
			{"CPU µs/message", "cpu", "%.1f"},
			{"out of order", "disorder", "%.0f"},
			{"goroutines left", "left", "%.0f"},
		},
		bounds: []bound{
			{"messages/s: ≥ 10,000", func(r rows) verdict { return atLeast(r.last(warren, "rate"), 10_000) }},
			{"out of order: 0", func(r rows) verdict { return atMost(r.max(warren, "disorder"), 0) }},
			{"goroutines left: 0", func(r rows) verdict { return atMost(r.max(warren, "left"), 0) }},
		},
	}
}

// keyed is the n-th message: keys follow one another, each with its next turn.
func keyed(n int) stamp { return stamp{key: uint32(n % orderedKeys), turn: uint32(n / orderedKeys)} }

func prepareOrdered(ctx context.Context, broker string, w work) ([]string, error) {
	if w.By == byHandLanes {
		return fill(ctx, broker, filling{plan: plan(w.Queue, time.Minute), messages: w.Messages, stamp: keyed})
	}
	mine := make([][]stamp, lanes)
	for n := range w.Messages {
		s := keyed(n)
		mine[s.lane()] = append(mine[s.lane()], s)
	}
	var fillings []filling
	for i, stamps := range mine {
		fillings = append(fillings, filling{
			plan: plan(member(w, i), time.Minute), messages: len(stamps), stamp: func(n int) stamp { return stamps[n] },
		})
	}
	return fill(ctx, broker, fillings...)
}

// lane is where messages of the key go.
func (s stamp) lane() int { return int(s.key % lanes) }

// turns sees that every key keeps its order.
type turns struct {
	next     [orderedKeys]atomic.Uint32
	disorder atomic.Int64
	done     *counter
}

// handle is a handler. The work comes between looking and noting, so that two messages of a key at once are out of
// order, too.
func (t *turns) handle(body []byte) {
	s := stampOf(body)
	if t.next[s.key].Load() != s.turn {
		t.disorder.Add(1)
	}
	time.Sleep(orderedWork)
	t.next[s.key].Store(s.turn + 1)
	t.done.one()
}

func orderedOfWarren(ctx context.Context, broker string, w work) (figures, error) {
	ctx, failed := failing(ctx)
	c, err := newCrew(broker, failed)
	if err != nil {
		return nil, err
	}
	t, gate := &turns{done: newCounter(w.Messages)}, make(chan struct{})
	for i := range lanes {
		err := c.consume(member(w, i), consumer.Config{
			Workers: 1, Prefetch: lanePrefetch, Timeout: 5 * time.Second, Retry: retry.Fixed(3, time.Minute),
		}, nil, func(_ context.Context, m consumer.Message[[]byte]) consumer.Outcome {
			<-gate
			t.handle(m.Raw)
			return consumer.Ack()
		})
		if err != nil {
			return c.conclude(ctx, nil, err)
		}
	}
	if err := c.start(ctx); err != nil {
		return c.conclude(ctx, nil, err)
	}
	found, err := t.work(ctx, gate, w)
	return c.conclude(ctx, found, err)
}

// work opens the gate, and measures until all is done.
func (t *turns) work(ctx context.Context, gate chan struct{}, w work) (figures, error) {
	then := now()
	close(gate)
	if err := t.done.wait(ctx); err != nil {
		return nil, err
	}
	found := then.since(w.Messages)
	found["disorder"] = float64(t.disorder.Load())
	return found, nil
}

func orderedByHand(ctx context.Context, broker string, w work) (found figures, err error) {
	ctx, failed := failing(ctx)
	conn, err := dialByHand(broker)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	t, gate := &turns{done: newCounter(w.Messages)}, make(chan struct{})
	hands := make([]hand, lanes)
	for i := range hands {
		hands[i] = hand{
			queue: member(w, i), workers: 1, prefetch: lanePrefetch, failed: failed,
			handle: func(d *amqp.Delivery) (*amqp.DeferredConfirmation, error) {
				<-gate
				t.handle(d.Body)
				return nil, nil
			},
		}
		if err := hands[i].start(conn); err != nil {
			return nil, err
		}
	}
	found, err = t.work(ctx, gate, w)
	for i := range hands {
		err = errors.Join(err, hands[i].stop())
	}
	return found, err
}

// orderedInLanes reads one queue. What reads it does not wait for a lane before the prefetch is used up.
func orderedInLanes(ctx context.Context, broker string, w work) (found figures, err error) {
	ctx, failed := failing(ctx)
	conn, err := dialByHand(broker)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	const prefetch = lanes * lanePrefetch
	if err := ch.Qos(prefetch, 0, false); err != nil {
		return nil, err
	}
	const autoAck, exclusive, noLocal, noWait = false, false, false, false
	deliveries, err := ch.Consume(w.Queue, w.Queue, autoAck, exclusive, noLocal, noWait, nil)
	if err != nil {
		return nil, err
	}
	var (
		acks   prefixAcks
		wg     sync.WaitGroup
		reader sync.WaitGroup
		t      = &turns{done: newCounter(w.Messages)}
		gate   = make(chan struct{})
		lane   [lanes]chan amqp.Delivery
	)
	acks.begin(ch, prefetch, failed)
	for i := range lane {
		lane[i] = make(chan amqp.Delivery, prefetch)
		wg.Go(func() {
			<-gate
			for d := range lane[i] {
				t.handle(d.Body)
				acks.done(d.DeliveryTag)
			}
		})
	}
	reader.Go(func() {
		for d := range deliveries {
			lane[stampOf(d.Body).lane()] <- d
		}
		for i := range lane {
			close(lane[i])
		}
	})
	found, err = t.work(ctx, gate, w)
	err = errors.Join(err, ch.Cancel(w.Queue, false))
	reader.Wait()
	wg.Wait()
	acks.end()
	return found, errors.Join(err, ch.Close())
}
