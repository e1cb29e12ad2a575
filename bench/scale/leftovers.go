package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/retry"
)

// lives is how often a program's life is repeated.
const lives = 3

// leftovers asks what is left running after everything was closed.
func leftovers() *scenario {
	return &scenario{
		name:  "leftovers",
		title: "What is left after Run and Close",
		about: fmt.Sprintf("%d times in one process: connect, publish, consume with every outcome (ack, retry, a wait of the handler's own, defer, error, a panic), stop, close. "+
			"Counted are the goroutines that are there %v after the last Close, and were not there at the beginning.", lives, settling),
		works: func(e extent) []work {
			return []work{{By: warren, Messages: e.of(6000, 1200, 60), Wait: e.lasting(time.Second, time.Second, 100*time.Millisecond)}}
		},
		prepare: func(ctx context.Context, broker string, w work) ([]string, error) {
			return fill(ctx, broker, filling{plan: plan(w.Queue, w.Wait)})
		},
		by:      map[string]func(context.Context, string, work) (figures, error){warren: leftoversOfWarren},
		once:    true,
		columns: []column{{"messages", "messages", "%.0f"}, {"goroutines while running", "goroutines", "%.0f"}, {"goroutines left", "left", "%.0f"}},
		bounds:  []bound{{"goroutines left: 0", func(r rows) verdict { return atMost(r.max(warren, "left"), 0) }}},
	}
}

func leftoversOfWarren(ctx context.Context, broker string, w work) (figures, error) {
	before := holds()
	found := figures{"messages": float64(w.Messages * lives)}
	for range lives {
		running, err := live(ctx, broker, w)
		if err != nil {
			return nil, err
		}
		found["goroutines"] = float64(running - before.goroutines)
	}
	found["left"] = float64(left(before.goroutines))
	return found, nil
}

// live is one life of a program. It returns how many goroutines there were in it.
func live(ctx context.Context, broker string, w work) (running int, err error) {
	ctx, failed := failing(ctx)
	ended := newCounter(w.Messages)
	conn, err := connection.Open(ctx, broker, connection.Config{Name: "bench", Monitor: monitoring.Func(func(_ context.Context, e monitoring.Event) {
		switch e := e.(type) {
		case monitoring.Acked, monitoring.Errored:
			ended.one()
		case monitoring.ConsumerLost:
			failed.note(fmt.Errorf("the consumer was lost: %w", e.Err))
		}
	})})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	c, err := consumer.New(conn, w.Queue, outcomes(w), consumer.Config{
		Workers: retryWorkers, Prefetch: retryPrefetch, Timeout: 10 * time.Second, Retry: retry.Fixed(1, w.Wait),
	})
	if err != nil {
		return 0, err
	}
	p, err := publisher.New(conn, publisher.Config{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close(context.WithoutCancel(ctx))) }()
	running, halt, stopped := 0, context.CancelFunc(nil), make(chan error, 1)
	consuming, halt := context.WithCancel(ctx)
	go func() { stopped <- c.Run(consuming) }()
	defer func() {
		halt()
		err = errors.Join(err, <-stopped)
	}()
	body := stamp{}.body()
	messages := func(yield func(publisher.Message) bool) {
		for n := range w.Messages {
			if !yield(publisher.Message{ID: strconv.Itoa(n), Key: w.Queue, Body: body}) {
				return
			}
		}
	}
	for _, err := range publisher.All(ctx, p, w.Queue, messages) {
		if err != nil {
			return 0, err
		}
	}
	if err := ended.wait(ctx); err != nil {
		return 0, err
	}
	return holds().goroutines, nil
}

var errOnPurpose = errors.New("on purpose")

// outcomes is a handler that says all there is to say, by the number of the message.
func outcomes(w work) consumer.Handler[[]byte] {
	deferred := make([]atomic.Bool, w.Messages)
	return func(_ context.Context, m consumer.Message[[]byte]) consumer.Outcome {
		n, err := numberOf(m.ID)
		if err != nil {
			return consumer.Error(err)
		}
		switch kind := n % 6; {
		case kind == 0 || m.Attempt > 1:
			return consumer.Ack()
		case kind == 1:
			return consumer.Retry(errOnPurpose)
		case kind == 2:
			return consumer.RetryAfter(w.Wait, errOnPurpose)
		case kind == 3 && deferred[n].Swap(true):
			return consumer.Ack()
		case kind == 3:
			return consumer.Defer(w.Wait, errOnPurpose)
		case kind == 4:
			return consumer.Error(errOnPurpose)
		default:
			panic(errOnPurpose)
		}
	}
}
