package publisher_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/publisher"
)

type Order struct {
	ID    string
	Cents int
}

var (
	ctx = context.Background()
	p   *publisher.Publisher
)

func ExampleNew() {
	conn, err := connection.New("amqp://localhost/", connection.Config{Name: "shop"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close(ctx) }()

	p, err := publisher.New(conn, publisher.Config{AppID: "shop", MaxBody: 64 << 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Close(ctx) }() // before the connection

	_, err = publisher.New(conn, publisher.Config{Window: -1})
	fmt.Println(err)
	// Output: publisher: Config.Window is negative: -1
}

func ExamplePublisher_Publish() {
	err := p.Publish(ctx, "orders", Order{ID: "7", Cents: 1200})
	switch {
	case err == nil:
		// The broker has it.
	case errors.Is(err, publisher.ErrUnroutable):
		fmt.Println("there is no queue orders:", err)
	case errors.Is(err, publisher.ErrUnknown):
		fmt.Println("perhaps the broker has it:", err)
	default:
		fmt.Println("the broker does not have it:", err)
	}
}

// A message whose outcome is unknown is sent again with the id that it had, so
// that a consumer can tell that it is the same.
func ExamplePublisher_Send() {
	m := publisher.Message{
		Exchange: "shop", Key: "order.new",
		Body:    Order{ID: "7", Cents: 1200},
		Headers: map[string]any{"tenant": "acme"},
		Type:    "order.new",
	}
	err := p.Send(ctx, m)
	for tries := 1; tries < 3 && errors.Is(err, publisher.ErrUnknown); tries++ {
		var e *publisher.Error
		if errors.As(err, &e) {
			m.ID = e.ID
		}
		err = p.Send(ctx, m)
	}
	if err != nil {
		fmt.Println(err)
	}
}

func ExampleAll() {
	orders := []Order{{ID: "7", Cents: 1200}, {ID: "8", Cents: 99}}
	failed := 0
	for order, err := range publisher.All(ctx, p, "orders", slices.Values(orders)) {
		if err != nil {
			failed++
			fmt.Printf("order %s: %v\n", order.ID, err)
		}
	}
	fmt.Printf("%d of %d published\n", len(orders)-failed, len(orders))
}

// Each message with properties of its own.
func ExampleAll_messages() {
	reminders := func(yield func(publisher.Message) bool) {
		for _, customer := range []string{"ann", "bob"} {
			if !yield(publisher.Message{
				ID:         "reminder-" + customer,
				Body:       customer,
				Expiration: time.Hour,
			}) {
				return
			}
		}
	}
	for m, err := range publisher.All(ctx, p, "reminders", reminders) {
		if err != nil {
			fmt.Println(m.ID, err)
		}
	}
}
