package publisher_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/rabbittest"
)

type Order struct {
	ID    string
	Cents int
}

var ctx = context.Background()

// startShop starts a test broker with two queues, orders and reminders, and an
// exchange, shop, that routes to the first; and a Publisher for it.
func startShop() (p *publisher.Publisher, stop func()) {
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	broker, err := rabbittest.Start(rabbittest.Options{})
	check(err)
	conn, err := connection.Open(ctx, broker.URL(), connection.Config{Dial: broker.Dial, Monitor: monitoring.Discard{}})
	check(err)
	ch, err := conn.Channel(ctx, connection.Consume)
	check(err)
	for _, queue := range []string{"orders", "reminders"} {
		_, err = ch.QueueDeclare(queue, true, false, false, false, nil)
		check(err)
	}
	check(ch.ExchangeDeclare("shop", "topic", true, false, false, false, nil))
	check(ch.QueueBind("orders", "order.*", "shop", false, nil))
	p, err = publisher.New(conn, publisher.Config{})
	check(err)
	return p, func() {
		check(p.Close(ctx))
		check(conn.Close(ctx))
		broker.Close()
	}
}

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
	p, stop := startShop() // on a test broker that has the queues
	defer stop()

	for _, queue := range []string{"orders", "ordres"} {
		err := p.Publish(ctx, queue, Order{ID: "7", Cents: 1200})
		switch {
		case err == nil:
			fmt.Println("the broker has it")
		case errors.Is(err, publisher.ErrUnroutable):
			fmt.Println("there is no such queue:", queue)
		case errors.Is(err, publisher.ErrUnknown):
			fmt.Println("perhaps the broker has it:", err)
		default:
			fmt.Println("the broker does not have it:", err)
		}
	}
	// Output:
	// the broker has it
	// there is no such queue: ordres
}

// A message whose outcome is unknown is sent again with the id that it had, so
// that a consumer can tell that it is the same.
func ExamplePublisher_Send() {
	p, stop := startShop() // on a test broker that has the queues
	defer stop()

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
	fmt.Println(err)
	// Output: <nil>
}

func ExampleAll() {
	p, stop := startShop() // on a test broker that has the queues
	defer stop()

	orders := []Order{{ID: "7", Cents: 1200}, {ID: "8", Cents: 99}}
	failed := 0
	for order, err := range publisher.All(ctx, p, "orders", slices.Values(orders)) {
		if err != nil {
			failed++
			fmt.Printf("order %s: %v\n", order.ID, err)
		}
	}
	fmt.Printf("%d of %d published\n", len(orders)-failed, len(orders))
	// Output: 2 of 2 published
}

// Each message with properties of its own.
func ExampleAll_messages() {
	p, stop := startShop() // on a test broker that has the queues
	defer stop()

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
		fmt.Println(m.ID, err)
	}
	// Output:
	// reminder-ann <nil>
	// reminder-bob <nil>
}
