package errorqueue_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
)

// startNight starts a test broker with three entries in the error queue of
// orders: two for which the bank was down, and one whose card was declined.
func startNight() (conn *connection.Connection, stop func()) {
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	ctx := context.Background()
	broker, err := rabbittest.Start(rabbittest.Options{})
	check(err)
	conn, err = connection.Open(ctx, broker.URL(), connection.Config{Dial: broker.Dial, Monitor: monitoring.Discard{}})
	check(err)
	ch, err := conn.Channel(ctx, connection.Consume)
	check(err)
	for _, queue := range []string{"orders", "orders.error", "orders.declined"} {
		_, err = ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
		check(err)
	}
	for i, why := range []string{"the bank is down", "card declined", "the bank is down"} {
		check(broker.Publish("", "orders.error", rabbittest.Message{
			MessageID: fmt.Sprint(i + 1), DeliveryMode: 2, Body: fmt.Appendf(nil, `{"order":%d}`, i+1), Timestamp: time.Unix(1_600_000_000, 0),
			Headers: map[string]any{"warren-reason": "rejected", "warren-error": why, "warren-origin-queue": "orders"},
		}))
	}
	return conn, func() {
		check(conn.Close(ctx))
		broker.Close()
	}
}

// The bank is up again: what it has failed gets another chance, a hundred a
// second. First it is said what that would do.
func ExampleQueue_Replay() {
	conn, stop := startNight()
	defer stop()
	ctx := context.Background()
	q, err := errorqueue.New(conn, "orders", errorqueue.Config{By: "ann@desk"})
	if err != nil {
		fmt.Println(err)
		return
	}
	o := errorqueue.ReplayOptions{Options: errorqueue.Options{
		Filter: errorqueue.Filter{Error: "bank is down"},
		Rate:   100,
	}}
	for _, o.DryRun = range []bool{true, false} {
		r, err := q.Replay(ctx, o)
		if err != nil {
			fmt.Println("resume it with", r.Run, "since", err)
			return
		}
		fmt.Printf("of %d entries %d match: %d done, %d left\n", r.Seen, r.Matched, r.Done, r.Left)
	}
	left, err := q.Len(ctx)
	fmt.Println("in the error queue:", left, err)
	// Output:
	// of 3 entries 2 match: 0 done, 2 left
	// of 3 entries 2 match: 2 done, 0 left
	// in the error queue: 1 <nil>
}

// Some failures are for another department.
func ExampleQueue_Move() {
	conn, stop := startNight()
	defer stop()
	q, err := errorqueue.New(conn, "orders", errorqueue.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	declined := errorqueue.Options{Filter: errorqueue.Filter{Error: "declined"}}
	r, err := q.Move(context.Background(), errorqueue.ToQueue("orders.declined"), declined)
	fmt.Println(r.Done, r.Failed, err)

	// What cannot be moved stays, and is told.
	r, err = q.Move(context.Background(), errorqueue.ToQueue("nowhere"), errorqueue.Options{Limit: 1})
	fmt.Println(r.Done, r.Failed, err)
	for _, e := range r.Errors {
		fmt.Println(e)
	}
	// Output:
	// 1 0 <nil>
	// 0 1 <nil>
	// entry 1: no queue takes the message: Exception (404) Reason: "NOT_FOUND - no queue 'nowhere' in vhost '/'"
}

// An entry is written as one line of JSON.
func ExampleQueue_Export() {
	conn, stop := startNight()
	defer stop()
	q, err := errorqueue.New(conn, "orders", errorqueue.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := q.Export(context.Background(), os.Stdout, errorqueue.Options{Limit: 1})
	fmt.Println(r.Done, err)
	// Output:
	// {"id":"1","delivery_mode":2,"timestamp":"2020-09-13T12:26:40Z","key":"orders.error","headers":{"warren-error":"the bank is down","warren-origin-queue":"orders","warren-reason":"rejected"},"body":"{\"order\":1}"}
	// 1 <nil>
}

// Before entries are discarded they are put into a file, from which they can
// come back.
func ExampleQueue_Discard() {
	conn, stop := startNight()
	defer stop()
	ctx := context.Background()
	q, err := errorqueue.New(conn, "orders", errorqueue.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var file bytes.Buffer
	exported, err := q.Export(ctx, &file, errorqueue.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	discarded, err := q.Discard(ctx, errorqueue.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	imported, err := q.Import(ctx, &file, errorqueue.ImportOptions{Limit: 2})
	fmt.Println(exported.Done, discarded.Done, imported.Done, err)
	// Output: 3 3 2 <nil>
}
