package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
)

// A queue that is shared with consumers of Bunnicula. One of them has failed
// with a message twice; this is its last attempt, and the entry in the error
// queue is one that Bunnicula's users know.
func ExampleWaiting_bunnicula() {
	broker := startBroker()
	defer broker.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	conn, err := connection.Open(ctx, broker.URL(), connection.Config{Dial: broker.Dial, Monitor: monitoring.Discard{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close(context.Background()) }()
	handle := func(_ context.Context, m consumer.Message[Invoice]) consumer.Outcome {
		fmt.Println(m.Body.Number, "attempt", m.Attempt)
		defer stop()
		return consumer.Retry(errors.New("the ledger is locked"))
	}
	c, err := consumer.New(conn, "invoices", handle, consumer.Config{
		Waiting: consumer.Bunnicula,
		Retry:   retry.Fixed(2, time.Minute),
	})
	if err == nil {
		err = c.Declare(ctx)
	}
	if err == nil {
		err = broker.Queue("invoices").Publish(rabbittest.Message{
			Headers: map[string]any{"retry-attempts": int64(2)}, Body: []byte(`{"Number": "A-1"}`),
		})
	}
	if err == nil {
		err = c.Run(ctx)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range broker.Queue("invoices-error").Messages() {
		fmt.Println("retry-attempts:", m.Headers["retry-attempts"])
		fmt.Println("warren-error:", m.Headers["warren-error"])
	}
	// Output:
	// A-1 attempt 3
	// retry-attempts: 3
	// warren-error: the ledger is locked
}
