package connection_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/rabbittest"
)

// startBroker starts a broker in this process, for the examples. Yours is RabbitMQ.
func startBroker() *rabbittest.Broker {
	broker, err := rabbittest.Start(rabbittest.Options{})
	if err != nil {
		panic(err)
	}
	return broker
}

func ExampleNew() {
	broker := startBroker() // a rabbittest
	defer broker.Close()

	conn, err := connection.New(broker.URL(), connection.Config{
		// What the broker's management shows, and the log.
		Name: "billing",
		// The other nodes of the cluster; one is enough for this to work.
		Addresses: []string{"rabbit-2:5672", "rabbit-3:5672"},
		Dial:      broker.Dial, // leave it out for RabbitMQ
	})
	if err != nil {
		fmt.Println(err) // the URL or a field makes no sense; nothing was dialled yet
		return
	}
	defer func() { _ = conn.Close(context.Background()) }()

	// Not required: it is dialled when it is first used. But a wrong password is
	// better known at the start.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var refused *connection.RefusedError
	switch err := conn.Connect(ctx); {
	case errors.As(err, &refused):
		fmt.Println("look at the configuration:", refused)
	case err != nil:
		fmt.Println("not yet; it goes on dialling:", err)
	default:
		fmt.Println("connected")
	}
	// Output: connected
}

func ExampleOpen() {
	broker := startBroker() // a rabbittest
	defer broker.Close()

	ctx := context.Background()
	conn, err := connection.Open(ctx, broker.URL(), connection.Config{Name: "billing", Dial: broker.Dial})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(conn.Health()) // nil; for a readiness probe

	// Last, when consumers and publishers are closed. It says goodbye for 5 s at
	// most.
	fmt.Println(conn.Close(ctx))
	fmt.Println(conn.Health())
	// Output:
	// <nil>
	// <nil>
	// the connection is closed
}

func ExampleConnection_Channel() {
	broker := startBroker() // a rabbittest
	defer broker.Close()

	ctx := context.Background()
	conn, err := connection.Open(ctx, broker.URL(), connection.Config{Dial: broker.Dial})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close(ctx) }()

	// A channel of the client library, for what Warren has no call for.
	ch, err := conn.Channel(ctx, connection.Consume)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = ch.Close() }()
	const durable, autoDelete, exclusive, noWait = true, false, false, false
	queue, err := ch.QueueDeclare("orders", durable, autoDelete, exclusive, noWait, amqp.Table{"x-queue-type": "quorum"})
	fmt.Println(queue.Name, queue.Messages, err)
	// Output: orders 0 <nil>
}
