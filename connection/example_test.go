package connection_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/warren-mq/warren/connection"
)

func ExampleNew() {
	conn, err := connection.New("amqp://guest:guest@localhost:5672/", connection.Config{
		// What the broker's management shows, and the log.
		Name: "billing",
		// The other nodes of the cluster; one is enough for this to work.
		Addresses: []string{"rabbit-2:5672", "rabbit-3:5672"},
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
	if err := conn.Connect(ctx); errors.As(err, &refused) {
		fmt.Println("look at the configuration:", refused)
	} else if err != nil {
		fmt.Println("not yet; it goes on dialling:", err)
	}
}

func ExampleOpen() {
	ctx := context.Background()
	conn, err := connection.Open(ctx, "amqps://billing:secret@rabbit.example.com/", connection.Config{Name: "billing"})
	if err != nil {
		fmt.Println(err)
		return
	}
	// Last, when consumers and publishers are closed. It says goodbye for 5 s at
	// most.
	defer func() { _ = conn.Close(ctx) }()

	fmt.Println(conn.Health()) // nil; for a readiness probe
}

func ExampleConnection_Channel() {
	ctx := context.Background()
	conn, err := connection.Open(ctx, "amqp://guest:guest@localhost:5672/", connection.Config{})
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
	purged, err := ch.QueuePurge("orders", false)
	fmt.Println(purged, err)
}
