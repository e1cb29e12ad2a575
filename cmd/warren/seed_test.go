package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

// order is what the messages of scripts are about.
type order struct {
	Number   int      `json:"number"`
	Amount   float64  `json:"amount"`
	Card     string   `json:"card"`
	Customer customer `json:"customer"`
}

type customer struct {
	Email string `json:"email"`
}

// seed lets a consumer fail six messages of the queue:
//
//	order-1, -2, -3  the bank does not answer, again and again   exhausted
//	order-4, -5      declined                                    rejected
//	order-6          it is no JSON                               undecodable
//
// The text of order-5's error is hostile.
func seed(ctx context.Context, url, queue string) error {
	errored := make(chan struct{}, 6)
	conn, err := connection.Open(ctx, url, connection.Config{Name: "seed", Monitor: monitoring.Func(func(_ context.Context, e monitoring.Event) {
		if _, ok := e.(monitoring.Errored); ok {
			errored <- struct{}{}
		}
	})})
	if err != nil {
		return err
	}
	defer hangUp(conn)
	c, err := consumer.New(conn, queue, func(_ context.Context, m consumer.Message[order]) consumer.Outcome {
		switch {
		case m.Body.Number <= 3:
			return consumer.Retry(fmt.Errorf("bank: %w", &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("timeout after %ds", m.Body.Number)}))
		case m.Body.Number == 5:
			return consumer.Error(errors.New("declined: \x1b]0;gotcha\x07\x1b[2J\nI have the cursor"))
		default:
			return consumer.Error(errors.New("declined: card is blocked"))
		}
	}, consumer.Config{Retry: retry.Fixed(1, time.Millisecond), Workers: 1})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(running) }()
	select {
	case <-c.Ready():
	case err := <-ended:
		return err
	}
	p, err := publisher.New(conn, publisher.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = p.Close(context.Background()) }()
	for n := 1; n <= 6; n++ {
		m := publisher.Message{Key: queue, ID: "order-" + strconv.Itoa(n), Type: "order.created", Headers: map[string]any{"tenant": "acme"}}
		m.Body = order{n, float64(50 * n), "4111-1111-1111-1111", customer{"jo@example.com"}}
		if n == 6 {
			m.Body, m.ContentType = []byte("<order/>"), "application/json"
		}
		if err := p.Send(ctx, m); err != nil {
			return err
		}
		select { // one after the other: they stand in this order
		case <-errored:
		case err := <-ended:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	stop()
	return <-ended
}

// queuesOf are those that seed declares.
func queuesOf(queue string) []string {
	return []string{queue, topology.ErrorQueue(queue), topology.RetryQueue(queue, time.Millisecond)}
}
