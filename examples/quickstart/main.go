// Quickstart publishes five orders to RabbitMQ, handles them, and ends. It needs none: where AMQP_URL names no broker it
// brings one along. tell.go is about what it prints.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/retry"
)

type Order struct {
	Item  string
	Cents int
}

// handle says what becomes of an order. Warren carries it out.
func handle(_ context.Context, m consumer.Message[Order]) consumer.Outcome {
	switch {
	case m.Body.Cents == 0:
		return consumer.Error(errors.New("no price")) // to the error queue, for a person to look at
	case m.Body.Item == "tea" && m.Attempt == 1:
		return consumer.Retry(errors.New("the bank is down")) // to the retry queue, and back after a second
	default:
		return consumer.Ack() // done: the broker forgets it
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	soon, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	queue := cmp.Or(os.Getenv("QUEUE"), "quickstart.orders")
	orders := []Order{{"coffee", 320}, {"tea", 250}, {"cake", 0}, {"bread", 410}, {"honey", 0}}
	url, cfg := os.Getenv("AMQP_URL"), connection.Config{Monitor: tell(len(orders), stop)}
	if url == "" { // then a RabbitMQ in this process will do: the one for tests
		broker := startBroker()
		defer broker.Close()
		url, cfg.Dial = broker.URL(), broker.Dial
	}
	conn, err := connection.Open(soon, url, cfg)
	check(err, noBroker)
	c, err := consumer.New(conn, queue, handle, consumer.Config{Retry: retry.Fixed(3, time.Second)})
	check(err)
	p, err := publisher.New(conn, publisher.Config{})
	check(err)
	check(c.Declare(soon)) // Run does it, too; but here something is published first
	for _, order := range orders {
		fmt.Println("publish", order.Item)
		check(p.Publish(ctx, queue, order)) // no error: the broker has it
	}
	check(c.Run(ctx)) // until every order has its end, or ctrl-c
	count(conn, c.Plan())
	check(conn.Close(context.Background()))
}
