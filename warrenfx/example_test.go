package warrenfx_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.uber.org/fx"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/warrenfx"
)

// Order is what the examples are about.
type Order struct{ ID string }

// Billing is made by the container, with what it needs.
type Billing struct{ publisher *publisher.Publisher }

func NewBilling(p *publisher.Publisher) *Billing { return &Billing{publisher: p} }

// Charge handles an order.
func (b *Billing) Charge(ctx context.Context, m consumer.Message[Order]) consumer.Outcome {
	if err := b.publisher.Publish(ctx, "receipts", "order "+m.Body.ID); err != nil {
		return consumer.Retry(err)
	}
	return consumer.Ack()
}

// A whole application. Its broker is a test broker, so that the example runs anywhere.
func Example() {
	broker, err := rabbittest.Start(rabbittest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	var publishes *publisher.Publisher

	app := fx.New(
		warrenfx.Module,
		fx.Supply(warrenfx.Config{
			URL:        broker.URL(), // os.Getenv("AMQP_URL")
			Connection: connection.Config{Dial: broker.Dial},
		}),
		fx.Provide(NewBilling),
		warrenfx.Consume("orders", (*Billing).Charge, consumer.Config{Workers: 8}),
		warrenfx.ConsumeFunc("receipts", func(_ context.Context, m consumer.Message[string]) consumer.Outcome {
			fmt.Println("receipt for", m.Body)
			return consumer.Ack()
		}, consumer.Config{}),
		fx.StopTimeout(35*time.Second),

		fx.Supply(slog.New(slog.DiscardHandler)), fx.NopLogger, fx.Populate(&publishes),
	)
	ctx := context.Background()
	if err := app.Start(ctx); err != nil { // a service has app.Run() instead of all that follows
		fmt.Println(err)
		return
	}
	if err := publishes.Publish(ctx, "orders", Order{ID: "7"}); err != nil {
		fmt.Println(err)
	}
	if err := broker.WaitIdle(ctx); err != nil {
		fmt.Println(err)
	}
	if err := app.Stop(ctx); err != nil {
		fmt.Println(err)
	}
	// Output: receipt for order 7
}

// Settings are the application's own.
type Settings struct{ Workers int }

// NewOrders is a constructor of a consumer: it may ask for whatever the container has.
func NewOrders(conn *connection.Connection, b *Billing, s Settings) (*consumer.Consumer, error) {
	return consumer.New(conn, "orders", b.Charge, consumer.Config{Workers: s.Workers})
}

func ExampleAsConsumer() {
	err := fx.ValidateApp(
		warrenfx.Module,
		fx.Supply(warrenfx.Config{URL: os.Getenv("AMQP_URL")}, Settings{Workers: 8}),
		fx.Provide(NewBilling, warrenfx.AsConsumer(NewOrders)),
		fx.NopLogger,
	)
	fmt.Println(err)
	// Output: <nil>
}

// Alerts is a monitor. Its Close is called when the application has stopped.
type Alerts struct{}

func NewAlerts() *Alerts { return &Alerts{} }

func (*Alerts) Observe(_ context.Context, e monitoring.Event) {
	if e, ok := e.(monitoring.Errored); ok {
		fmt.Printf("look at %s: %v\n", e.Queue, e.Err)
	}
}

func (*Alerts) Close() error {
	fmt.Println("closed")
	return nil
}

func ExampleAsMonitor() {
	broker, err := rabbittest.Start(rabbittest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()

	app := fx.New(
		warrenfx.Module,
		fx.Supply(warrenfx.Config{URL: broker.URL(), Connection: connection.Config{Dial: broker.Dial}}),
		fx.Provide(warrenfx.AsMonitor(NewAlerts)), // beside the log, not instead of it
		warrenfx.ConsumeFunc("orders", consumer.Func(func(context.Context, consumer.Message[Order]) error {
			return consumer.Permanent(errors.New("declined"))
		}), consumer.Config{}),
		fx.Supply(slog.New(slog.DiscardHandler)), fx.NopLogger,
	)
	ctx := context.Background()
	if err := app.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	if err := broker.Queue("orders").Publish(rabbittest.Message{Body: []byte(`{"ID": "7"}`)}); err != nil {
		fmt.Println(err)
	}
	if err := broker.WaitIdle(ctx); err != nil {
		fmt.Println(err)
	}
	if err := app.Stop(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// look at orders: declined
	// closed
}
