package rabbittest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
)

// Outside tests a program starts a broker and closes it.
func ExampleStart() {
	broker, err := rabbittest.Start(rabbittest.Options{Version: rabbittest.V3_10})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()

	conn, err := amqp.DialConfig(broker.URL(), amqp.Config{Dial: broker.Connect})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close() //nolint:errcheck // an example
	fmt.Println(conn.Properties["product"], conn.Properties["version"])
	// Output: RabbitMQ 3.10.8
}

// A handler that fails twice is tried again an hour later each time, and the test takes no time.
func ExampleNew() {
	var t *testing.T // the test's

	synctest.Test(t, func(t *testing.T) {
		broker := rabbittest.New(t)
		conn, err := connection.Open(t.Context(), broker.URL(), connection.Config{Dial: broker.Dial})
		if err != nil {
			t.Fatal(err)
		}
		charge := func(_ context.Context, m consumer.Message[string]) consumer.Outcome {
			if m.Attempt < 3 {
				return consumer.Retry(errors.New("the bank is down"))
			}
			return consumer.Ack()
		}
		c, err := consumer.New(conn, "orders", charge, consumer.Config{Retry: retry.Fixed(3, time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = c.Run(t.Context()) }()
		<-c.Ready()

		if err := broker.Queue("orders").Publish(rabbittest.Message{Body: []byte(`"order 7"`)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2*time.Hour + time.Minute)
		if n := broker.Queue("orders").Len(); n != 0 {
			t.Errorf("%d messages are not handled", n)
		}
		if n := broker.Queue("orders.error").Len(); n != 0 {
			t.Errorf("%d messages in the error queue", n)
		}
	})
}

// Wherever a connection ends, the message is handled.
func ExampleCrashPoints() {
	var t *testing.T // the test's

	rabbittest.CrashPoints(t, func(t *testing.T, broker *rabbittest.Broker) {
		conn, err := connection.Open(t.Context(), broker.URL(), connection.Config{Dial: broker.Dial})
		if err != nil {
			t.Fatal(err)
		}
		handled := false
		handle := func(context.Context, consumer.Message[string]) consumer.Outcome {
			handled = true
			return consumer.Ack()
		}
		c, err := consumer.New(conn, "orders", handle, consumer.Config{})
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = c.Run(t.Context()) }()
		<-c.Ready()

		if err := broker.Queue("orders").Publish(rabbittest.Message{Body: []byte(`"order 7"`)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // for reconnecting
		if err := broker.WaitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !handled {
			t.Error("the message is lost")
		}
	})
}

func ExampleBroker_Topology() {
	broker, err := rabbittest.Start(rabbittest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	ctx := context.Background()
	conn, err := connection.Open(ctx, broker.URL(), connection.Config{Dial: broker.Dial, Monitor: monitoring.Discard{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(ctx) //nolint:errcheck // an example
	handle := func(context.Context, consumer.Message[string]) consumer.Outcome { return consumer.Ack() }
	c, err := consumer.New(conn, "orders", handle, consumer.Config{Retry: retry.Fixed(3, time.Minute)})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Declare(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(broker.Topology())
	// Output:
	// queue "orders" quorum durable
	//   x-dead-letter-exchange = ""
	//   x-dead-letter-routing-key = "orders.error"
	//   x-dead-letter-strategy = "at-least-once"
	//   x-delivery-limit = 100
	//   x-overflow = "reject-publish"
	// queue "orders.error" quorum durable
	//   x-delivery-limit = 1000000
	// queue "orders.retry.1m0s" quorum durable
	//   x-dead-letter-exchange = ""
	//   x-dead-letter-routing-key = "orders"
	//   x-dead-letter-strategy = "at-least-once"
	//   x-message-ttl = 60000
	//   x-overflow = "reject-publish"
}

// What was published is there, with all that a consumer would get.
func ExampleQueue_Messages() {
	broker, err := rabbittest.Start(rabbittest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	conn, err := amqp.DialConfig(broker.URL(), amqp.Config{Dial: broker.Connect})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close() //nolint:errcheck // an example
	ch, err := conn.Channel()
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := ch.QueueDeclare("orders", true, false, false, false, nil); err != nil {
		fmt.Println(err)
		return
	}
	if err := broker.Publish("", "orders", rabbittest.Message{MessageID: "7", Body: []byte("order 7")}); err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range broker.Queue("orders").Messages() {
		fmt.Printf("%s: %s\n", m.MessageID, m.Body)
	}
	// Output: 7: order 7
}
