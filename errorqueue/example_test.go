package errorqueue_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/rabbittest"
)

type order struct {
	ID    string `json:"id"`
	Cents int    `json:"cents"`
}

// failing returns a connection to a broker in this process, where a consumer of the queue "orders" has failed at three
// orders. Yours is RabbitMQ, and your consumers fail by themselves.
func failing() (conn *connection.Connection, end func()) {
	ctx := context.Background()
	broker, err := rabbittest.Start(rabbittest.Options{})
	check(err)
	conn, err = connection.Open(ctx, broker.URL(), connection.Config{Dial: broker.Dial, Monitor: silence})
	check(err)
	c, err := consumer.New(conn, "orders", func(_ context.Context, m consumer.Message[order]) consumer.Outcome {
		if m.Body.Cents == 0 {
			return consumer.Error(errors.New("nothing to charge"))
		}
		return consumer.Error(errors.New("the card has expired"))
	}, consumer.Config{Workers: 1})
	check(err)
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- c.Run(running) }()
	<-c.Ready()
	p, err := publisher.New(conn, publisher.Config{})
	check(err)
	for _, o := range []order{{"17", 1200}, {"18", 0}, {"19", 700}} {
		check(p.Publish(ctx, "orders", publisher.Message{ID: "order-" + o.ID, Body: o}))
	}
	check(p.Close(ctx))
	waiting, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	check(broker.Queue("orders.error").WaitLen(waiting, 3))
	stop()
	check(<-done)
	return conn, func() {
		_ = conn.Close(ctx)
		broker.Close()
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func ExampleNew() {
	conn, end := failing() // with a rabbittest
	defer end()

	q, err := errorqueue.New(conn, "orders", errorqueue.Config{By: "ada"})
	if err != nil {
		fmt.Println(err) // an argument makes no sense; nothing was asked of the broker yet
		return
	}
	n, err := q.Len(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(n, "in", q.Name())
	// Output: 3 in orders.error
}

func ExampleQueue_All() {
	conn, end := failing() // with a rabbittest
	defer end()
	q, err := errorqueue.New(conn, "orders", errorqueue.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	// Nobody else gets what the loop has seen until it ends: do not sit in it.
	for entry, err := range q.All(context.Background(), errorqueue.Filter{Error: "expired"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %s after %d attempt: %s\n", entry.ID, entry.Reason, entry.Attempts, entry.Error)
	}
	// Unordered output:
	// order-17: rejected after 1 attempt: the card has expired
	// order-19: rejected after 1 attempt: the card has expired
}

func ExampleQueue_Get() {
	conn, end := failing() // with a rabbittest
	defer end()
	q, err := errorqueue.New(conn, "orders", errorqueue.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	entry, err := q.Get(context.Background(), "order-18")
	switch {
	case errors.Is(err, errorqueue.ErrNotFound):
		fmt.Println("it is not there, or somebody else looks at it")
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println(entry.Error, string(entry.Message.Body))
	}
	// Output: nothing to charge {"id":"18","cents":0}
}

func ExampleQueue_Groups() {
	conn, end := failing() // with a rabbittest
	defer end()
	q, err := errorqueue.New(conn, "orders", errorqueue.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	groups, err := q.Groups(context.Background(), errorqueue.Filter{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, g := range groups {
		fmt.Printf("%d × %s\n", g.Count, g.Error)
	}
	// Output:
	// 2 × the card has expired
	// 1 × nothing to charge
}

func ExampleFilter() {
	f := errorqueue.Filter{
		Reasons:     []string{"exhausted", "rejected"},
		Error:       "time out",
		MinAttempts: 3,
		Match: func(e errorqueue.Entry) (bool, error) {
			return len(e.Message.Body) > 1000, nil
		},
		MatchText: "a body above 1000 bytes",
	}
	fmt.Println(f)
	fmt.Println(errorqueue.Filter{})
	// Output:
	// reason=exhausted,rejected error~"time out" attempts>=3 match="a body above 1000 bytes"
	// all
}
