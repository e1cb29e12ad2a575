package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/publisher"
)

// schedule says when each message is due to be sent, and how long each was on its way from then to the handler: a sender
// that is late makes its messages late, as it would in life.
type schedule struct {
	began time.Time
	every time.Duration
	first order
	total int
	took  []atomic.Int64 // by the message's number; 0 if it has not come
	meter *meter
}

func newSchedule(t *task) *schedule {
	return &schedule{
		began: time.Now(), every: time.Second / time.Duration(t.Rate), first: t.order, total: int(t.meter.total),
		took: make([]atomic.Int64, t.meter.total), meter: t.meter,
	}
}

// orders yields each order when it is due.
func (s *schedule) orders() iter.Seq[order] {
	return func(yield func(order) bool) {
		start := time.Since(s.began)
		for i := range s.total {
			o := s.first
			due := start + time.Duration(i)*s.every
			o.Number, o.At = i, int64(due)
			time.Sleep(due - time.Since(s.began))
			if !yield(o) {
				return
			}
		}
	}
}

// arrived notes that o is in its handler.
func (s *schedule) arrived(o *order) error {
	if err := o.use(); err != nil {
		return err
	}
	took := int64(time.Since(s.began)) - o.At
	if o.Number < 0 || o.Number >= len(s.took) || !s.took[o.Number].CompareAndSwap(0, took) {
		return fmt.Errorf("order %d came twice, or was never sent", o.Number)
	}
	return nil
}

// latencies are those that are measured, in microseconds.
func (s *schedule) latencies() ([]int64, error) {
	var all []int64
	for i := s.meter.warm; i < s.meter.last; i++ {
		took := s.took[i].Load()
		if took == 0 {
			return nil, fmt.Errorf("order %d did not come", i)
		}
		all = append(all, took/int64(time.Microsecond))
	}
	return all, nil
}

// delayByHand publishes in a pipeline, at a rate, and acks each.
func delayByHand(ctx context.Context, t *task) error {
	sched := newSchedule(t)
	sub, err := t.subscribe()
	if err != nil {
		return err
	}
	s, err := t.newSender(t.Prefetch)
	if err != nil {
		return errors.Join(err, sub.end())
	}
	failed := newFailure()
	flights := make(chan flight, t.Prefetch)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(flights)
		for o := range sched.orders() {
			body, err := json.Marshal(o)
			if err != nil {
				failed.note(err)
				return
			}
			sent := time.Now()
			c, err := s.publish(t.Queue, s.message("application/json", body))
			if err != nil {
				failed.note(err)
				return
			}
			flights <- flight{c, sent}
		}
	})
	wg.Go(func() {
		for f := range flights {
			failed.note(s.settle(ctx, f.c, f.sent))
		}
	})
	duties := newDuties(t.Queue)
	err = sub.work(t, failed, func(d *amqp.Delivery) error {
		if err := duties.run(d, func(_ context.Context, o *order) error { return sched.arrived(o) }); err != nil {
			return err
		}
		const multiple = false
		if err := d.Ack(multiple); err != nil {
			return err
		}
		t.meter.finish(1)
		return nil
	})
	if err != nil {
		_ = s.conn.Close() // whoever still waits for a confirm is told
	}
	wg.Wait()
	if err == nil {
		err = errors.Join(failed.get(), s.conn.Close())
	}
	if err == nil {
		t.latencies, err = sched.latencies()
	}
	return err
}

// delayWithWarren does the same with Warren.
func delayWithWarren(ctx context.Context, t *task) error {
	sched := newSchedule(t)
	m, err := t.monitor()
	if err != nil {
		return err
	}
	conn, err := t.open(ctx, m)
	if err != nil {
		return err
	}
	p, err := publisher.New(conn, publisher.Config{Window: t.Prefetch})
	if err != nil {
		return err
	}
	failed := newFailure()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c, err := consumer.New(conn, t.Queue, func(_ context.Context, m consumer.Message[order]) consumer.Outcome {
		if err := sched.arrived(&m.Body); err != nil {
			failed.note(err)
			return consumer.Error(err)
		}
		t.meter.finish(1)
		return consumer.Ack()
	}, t.config(nil))
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() { failed.note(c.Run(ctx)) })
	select {
	case <-c.Ready():
	case <-failed.seen:
	}
	for _, err := range publisher.All(ctx, p, t.Queue, sched.orders()) {
		if failed.note(err); failed.get() != nil {
			break
		}
	}
	select {
	case <-t.meter.done:
	case <-failed.seen:
	}
	stop()
	wg.Wait()
	end := context.WithoutCancel(ctx)
	err = errors.Join(failed.get(), p.Close(end), conn.Close(end))
	if err == nil {
		t.latencies, err = sched.latencies()
	}
	return err
}
