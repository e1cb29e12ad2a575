package monitoring_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/warren-mq/warren/monitoring"
)

// The events here are made by hand; in a program they come from the
// connection, the consumers and the publishers that have the monitor.

func ExampleLog() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	m := monitoring.Log(logger) // for connection.Config{Monitor: m}

	order := monitoring.Delivery{Queue: "orders", MessageID: "7", Attempt: 1, BodySize: 25, Handling: 20 * time.Millisecond}
	m.Observe(context.Background(), monitoring.Acked{Delivery: order}) // at level Debug: not written
	m.Observe(context.Background(), monitoring.Retried{
		Delivery: order,
		Failure:  monitoring.FailureReturned,
		Err:      errors.New("bank is down"),
		Wait:     time.Minute,
		To:       "orders.retry.1m0s",
	})
	// Output:
	// level=WARN msg="message retried" queue=orders message_id=7 attempt=1 body_size=25 handling=20ms failure=returned error="bank is down" wait=1m0s to=orders.retry.1m0s
}

func ExampleLogBodies() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	m := monitoring.LogBodies(logger, 10)

	body := []byte("id: 7, cents: -1200, to: 4")
	m.Observe(context.Background(), monitoring.Errored{
		Delivery: monitoring.Delivery{Queue: "orders", MessageID: "7", Attempt: 1, BodySize: len(body), Body: body},
		Reason:   monitoring.ReasonInvalid,
		Err:      errors.New("cents are negative"),
		To:       "orders.error",
	})
	// Output:
	// level=ERROR msg="message errored" queue=orders message_id=7 attempt=1 body_size=26 reason=invalid error="cents are negative" to=orders.error body="id: 7, cen"
}

func ExampleFunc() {
	alert := monitoring.Func(func(_ context.Context, e monitoring.Event) {
		if e, ok := e.(monitoring.Errored); ok {
			fmt.Printf("message %s of %s needs a person: %v\n", e.MessageID, e.Queue, e.Err)
		}
	})

	order := monitoring.Delivery{Queue: "orders", MessageID: "7", Attempt: 1}
	alert.Observe(context.Background(), monitoring.Acked{Delivery: order})
	alert.Observe(context.Background(), monitoring.Errored{Delivery: order, Err: errors.New("card declined")})
	// Output:
	// message 7 of orders needs a person: card declined
}

func ExampleAll() {
	count := monitoring.Func(func(_ context.Context, e monitoring.Event) {
		switch e := e.(type) {
		case monitoring.Acked:
			fmt.Println("one more of", e.Queue)
		case monitoring.MonitorPanicked:
			fmt.Println("a monitor panicked:", e.Value)
		}
	})
	broken := monitoring.Func(func(context.Context, monitoring.Event) {
		panic("not connected")
	})

	m := monitoring.All(broken, count, nil)
	m.Observe(context.Background(), monitoring.Acked{Delivery: monitoring.Delivery{Queue: "orders"}})
	// Output:
	// a monitor panicked: not connected
	// one more of orders
}

// spans is the skeleton of a tracing monitor: a span begins before the handler
// runs, and ends with what became of the message.
type spans struct{}

var _ monitoring.Starter = spans{}

type spanKey struct{}

func (spans) Start(ctx context.Context, op *monitoring.Operation) context.Context {
	return context.WithValue(ctx, spanKey{}, fmt.Sprintf("%v %s, attempt %d", op.Kind, op.Queue, op.Attempt))
}

func (spans) Observe(ctx context.Context, e monitoring.Event) {
	span, ok := ctx.Value(spanKey{}).(string)
	if !ok {
		return // an event that ends no operation
	}
	switch e := e.(type) {
	case monitoring.Acked:
		fmt.Println(span, "ended well after", e.Handling)
	case monitoring.Retried:
		fmt.Println(span, "failed:", e.Err)
	}
}

func ExampleStarter() {
	m := monitoring.All(spans{}, monitoring.Discard{})

	// What a consumer does for each message:
	ctx := context.Background()
	if s, ok := m.(monitoring.Starter); ok {
		ctx = s.Start(ctx, &monitoring.Operation{Kind: monitoring.Process, Queue: "orders", Attempt: 2})
	}
	m.Observe(ctx, monitoring.Acked{Delivery: monitoring.Delivery{Queue: "orders", Attempt: 2, Handling: time.Second}})
	// Output:
	// process orders, attempt 2 ended well after 1s
}
