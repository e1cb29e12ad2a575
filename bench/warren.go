package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/prommonitor"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/retry"
)

// timeout is how long a handler has, in Warren and by hand. It is short only because a consumer with one worker and a
// prefetch of 1,000 would be refused with a long one.
const timeout = time.Second

// open connects with Warren, with calls that are counted.
func (t *task) open(ctx context.Context, m monitoring.Monitor) (*connection.Connection, error) {
	return connection.Open(ctx, t.url, connection.Config{Name: "bench", Dial: t.meter.dial, Monitor: m})
}

// monitor is what the connection tells: as shipped it is the log, which is silent about what goes well, and with
// everything on Prometheus and a log from warnings on.
func (t *task) monitor() (monitoring.Monitor, error) {
	if !t.on {
		return monitoring.Log(nil), nil
	}
	m, err := prommonitor.New(prometheus.NewRegistry(), prommonitor.Config{})
	if err != nil {
		return nil, err
	}
	return monitoring.All(m, monitoring.Log(quiet())), nil
}

func (t *task) config(m monitoring.Monitor) consumer.Config {
	return consumer.Config{
		Workers: t.Workers, Prefetch: t.Prefetch, Timeout: timeout, Grace: timeout / 2, Declare: consumer.DeclareNone,
		Retry: retry.Fixed(1, retryWait), Monitor: m,
	}
}

// ackWithWarren is ackEach and ackPrefixes with Warren, which decides by itself how to ack.
func ackWithWarren(ctx context.Context, t *task) error {
	m, err := t.monitor()
	if err != nil {
		return err
	}
	acked := func(e monitoring.Event) bool { _, ok := e.(monitoring.Acked); return ok }
	if !t.on {
		return consume(ctx, t, m, acked, func(context.Context, consumer.Message[[]byte]) consumer.Outcome { return consumer.Ack() })
	}
	return consume(ctx, t, m, acked, func(_ context.Context, m consumer.Message[order]) consumer.Outcome {
		if err := m.Body.use(); err != nil {
			return consumer.Error(err)
		}
		return consumer.Ack()
	})
}

// retryWithWarren lets every message be tried again later. As shipped, Warren logs each of these, which the loops by hand
// do when everything is on: without that nobody is told.
func retryWithWarren(ctx context.Context, t *task) error {
	var m monitoring.Monitor = monitoring.Discard{}
	if t.on {
		var err error
		if m, err = t.monitor(); err != nil {
			return err
		}
	}
	retried := func(e monitoring.Event) bool { _, ok := e.(monitoring.Retried); return ok }
	if !t.on {
		return consume(ctx, t, m, retried, func(context.Context, consumer.Message[[]byte]) consumer.Outcome { return consumer.Retry(errLater) })
	}
	return consume(ctx, t, m, retried, func(_ context.Context, m consumer.Message[order]) consumer.Outcome {
		if err := m.Body.use(); err != nil {
			return consumer.Error(err)
		}
		return consumer.Retry(errLater)
	})
}

// consume runs a consumer until so many messages have ended in an event that is expected. Any other ending is an error.
func consume[T any](ctx context.Context, t *task, m monitoring.Monitor, expected func(monitoring.Event) bool, handle consumer.Handler[T]) error {
	conn, err := t.open(ctx, m)
	if err != nil {
		return err
	}
	var other atomic.Pointer[monitoring.Event]
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	count := monitoring.Func(func(_ context.Context, e monitoring.Event) {
		if expected(e) {
			t.meter.finish(1)
		} else if _, ending, ended := monitoring.EndingOf(e); ended && ending != "handed_back" {
			other.Store(&e)
			stop()
		}
	})
	c, err := consumer.New(conn, t.Queue, handle, t.config(monitoring.All(m, count)))
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-t.meter.done:
			stop()
		case <-ctx.Done():
		}
	})
	err = c.Run(ctx)
	stop()
	wg.Wait()
	if e := other.Load(); e != nil {
		err = errors.Join(err, unexpectedError{*e})
	}
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

// unexpectedError is for a message that ended otherwise than all were meant to.
type unexpectedError struct{ event monitoring.Event }

func (e unexpectedError) Error() string {
	d, ending, _ := monitoring.EndingOf(e.event)
	return "message " + d.MessageID + " was " + ending
}

// publisher opens a connection, and a publisher on it.
func (t *task) publisher(ctx context.Context, window int) (*connection.Connection, *publisher.Publisher, error) {
	m, err := t.monitor()
	if err != nil {
		return nil, nil, err
	}
	conn, err := t.open(ctx, m)
	if err != nil {
		return nil, nil, err
	}
	p, err := publisher.New(conn, publisher.Config{Window: window})
	return conn, p, err
}

// publishEachWithWarren is publishEach with Warren.
func publishEachWithWarren(ctx context.Context, t *task) error {
	conn, p, err := t.publisher(ctx, t.Workers)
	if err != nil {
		return err
	}
	failed := newFailure()
	var left atomic.Int64
	left.Store(t.meter.total)
	var body any = t.body
	if t.on {
		body = t.order
	}
	t.inWorkers(func() {
		for failed.get() == nil && left.Add(-1) >= 0 {
			failed.note(p.Publish(ctx, t.Queue, body))
			t.meter.finish(1)
		}
	})
	return errors.Join(failed.get(), p.Close(ctx), conn.Close(ctx))
}

// publishPipelinedWithWarren is publishPipelined with Warren.
func publishPipelinedWithWarren(ctx context.Context, t *task) error {
	conn, p, err := t.publisher(ctx, t.Prefetch)
	if err != nil {
		return err
	}
	if t.on {
		err = pipeline(ctx, t, p, t.order)
	} else {
		err = pipeline(ctx, t, p, t.body)
	}
	return errors.Join(err, p.Close(ctx), conn.Close(ctx))
}

func pipeline[T any](ctx context.Context, t *task, p *publisher.Publisher, body T) error {
	bodies := func(yield func(T) bool) {
		for range t.meter.total {
			if !yield(body) {
				return
			}
		}
	}
	for _, err := range publisher.All(ctx, p, t.Queue, bodies) {
		if err != nil {
			return err
		}
		t.meter.finish(1)
	}
	return nil
}
