package main

import (
	"context"
	"errors"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/topology"
)

// retryWait is the wait of the retry queue: what goes there does not come back while it is measured.
const retryWait = time.Hour

// republisher moves deliveries to the retry queue by hand.
type republisher struct {
	*sender
	queue   string
	headers func(*amqp.Delivery) amqp.Table
}

func (t *task) newRepublisher(headers func(*amqp.Delivery) amqp.Table) (*republisher, error) {
	s, err := t.newSender(t.Prefetch)
	if err != nil {
		return nil, err
	}
	s.on = false // the handler counts; the message that moves is not counted again
	return &republisher{sender: s, queue: topology.RetryQueue(t.Queue, retryWait), headers: headers}, nil
}

func (r *republisher) move(d *amqp.Delivery) (*amqp.DeferredConfirmation, error) {
	return r.publish(r.queue, amqp.Publishing{
		Headers: r.headers(d), ContentType: d.ContentType, DeliveryMode: amqp.Persistent, MessageId: d.MessageId,
		AppId: d.AppId, Timestamp: d.Timestamp, Body: d.Body,
	})
}

// oneHeader is what a retry needs at least.
func oneHeader(*amqp.Delivery) amqp.Table { return amqp.Table{"attempt": int64(2)} }

// sameHeaders are those that Warren writes at the first retry: who counts, the count, when it is due, where it came from,
// and what has gone wrong.
func sameHeaders(d *amqp.Delivery) amqp.Table {
	now := time.Now()
	return amqp.Table{
		"warren-queue":           d.RoutingKey,
		"warren-attempt":         int64(2),
		"warren-due":             now.Add(retryWait).UnixMilli(),
		"warren-origin-exchange": d.Exchange,
		"warren-origin-key":      d.RoutingKey,
		"warren-first-failure":   now.UTC().Format(time.RFC3339Nano),
		"warren-failures":        []any{now.UTC().Format(time.RFC3339) + " attempt 1: returned: " + errLater.Error()},
	}
}

// failing returns what is done with a delivery that shall be tried again.
func (t *task) failing() func(*amqp.Delivery) error {
	if !t.on {
		return func(*amqp.Delivery) error { return nil }
	}
	duties := newDuties(t.Queue)
	return func(d *amqp.Delivery) error {
		err := duties.run(d, func(_ context.Context, o *order) error {
			if err := o.use(); err != nil {
				return err
			}
			return errLater
		})
		if !errors.Is(err, errLater) {
			return err
		}
		return nil
	}
}

// retryWaiting waits for each confirm before it acks, and goes on.
func retryWaiting(ctx context.Context, t *task) error {
	r, err := t.newRepublisher(oneHeader)
	if err != nil {
		return err
	}
	defer func() { _ = r.conn.Close() }()
	s, err := t.subscribe()
	if err != nil {
		return err
	}
	handle := t.failing()
	return s.work(t, newFailure(), func(d *amqp.Delivery) error {
		if err := handle(d); err != nil {
			return err
		}
		c, err := r.move(d)
		if err != nil {
			return err
		}
		if err := r.settle(ctx, c, time.Time{}); err != nil {
			return err
		}
		const multiple = false
		if err := d.Ack(multiple); err != nil {
			return err
		}
		t.meter.finish(1)
		return nil
	})
}

// retryPipelined goes on with the next message, and acks prefixes of what is confirmed.
func retryPipelined(ctx context.Context, t *task) error { return t.retryPipelined(ctx, oneHeader) }

// retryWithHeaders is retryPipelined with the headers that Warren writes.
func retryWithHeaders(ctx context.Context, t *task) error { return t.retryPipelined(ctx, sameHeaders) }

func (t *task) retryPipelined(ctx context.Context, headers func(*amqp.Delivery) amqp.Table) error {
	r, err := t.newRepublisher(headers)
	if err != nil {
		return err
	}
	defer func() { _ = r.conn.Close() }()
	s, err := t.subscribe()
	if err != nil {
		return err
	}
	acks := newPrefix(s.channel, t)
	defer acks.stop()
	type moving struct {
		c   *amqp.DeferredConfirmation
		tag uint64
	}
	moves := make(chan moving, t.Prefetch) // has room for all that is unacked
	failed := newFailure()
	var wg sync.WaitGroup
	wg.Go(func() {
		for m := range moves {
			err := r.settle(ctx, m.c, time.Time{})
			if err == nil {
				err = acks.finish(m.tag)
			}
			failed.note(err)
		}
	})
	handle := t.failing()
	err = s.work(t, failed, func(d *amqp.Delivery) error {
		if err := handle(d); err != nil {
			return err
		}
		c, err := r.move(d)
		if err != nil {
			return err
		}
		moves <- moving{c, d.DeliveryTag}
		return nil
	})
	close(moves)
	_ = r.conn.Close() // whoever still waits for a confirm is told
	wg.Wait()
	return err
}
