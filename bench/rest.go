package main

import (
	"context"
	"errors"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
)

// settling is how long a consumer may still have something to do after it is connected.
const settling = 500 * time.Millisecond

// rest measures what the process uses while nothing happens.
func (t *task) rest(ctx context.Context) {
	pause(ctx, settling)
	begin := t.meter.now(0)
	pause(ctx, t.For)
	end := t.meter.now(0)
	r := between(begin, end, t.For.Seconds())
	r.PerSecond, r.Goroutines = 0, end.goroutinesAlive
	t.rested = &r
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// restByHand rests with a consumer by hand.
func restByHand(ctx context.Context, t *task) error {
	s, err := t.subscribe()
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		t.rest(ctx)
		close(t.meter.done)
	})
	err = s.work(t, newFailure(), func(*amqp.Delivery) error { return errors.New("the queue was not empty") })
	wg.Wait()
	return err
}

// restWithWarren rests with a consumer of Warren, as shipped.
func restWithWarren(ctx context.Context, t *task) error {
	m, err := t.monitor()
	if err != nil {
		return err
	}
	conn, err := t.open(ctx, m)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c, err := consumer.New(conn, t.Queue, func(context.Context, consumer.Message[[]byte]) consumer.Outcome { return consumer.Ack() }, t.config(nil))
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	var failed error
	wg.Go(func() { failed = c.Run(ctx); stop() })
	select {
	case <-c.Ready():
		t.rest(ctx)
	case <-ctx.Done():
	}
	stop()
	wg.Wait()
	return errors.Join(failed, conn.Close(context.WithoutCancel(ctx)))
}
