package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/topology"
)

// tell makes a monitor that says in plain words what becomes of each order, and calls stop after the last one.
// A program that names no monitor gets monitoring.Log, which logs every event with slog: right for a service,
// too much here. So it is left what only happens if there is trouble with the broker.
func tell(orders int, stop func()) monitoring.Monitor {
	began := time.Now().Truncate(time.Second) // messages are dated to the second
	slog.SetLogLoggerLevel(slog.LevelWarn)
	rest := monitoring.Log(slog.Default())
	var left atomic.Int64
	left.Store(int64(orders))
	end := func(d monitoring.Delivery) {
		if d.Published.Before(began) {
			return // a run that was interrupted has left it
		}
		if left.Add(-1) == 0 {
			stop()
		}
	}
	// Observe is called from many goroutines at once, and must return soon.
	return monitoring.Func(func(ctx context.Context, e monitoring.Event) {
		switch e := e.(type) {
		case monitoring.Acked:
			say(e.Delivery, "acked, done")
			end(e.Delivery)
		case monitoring.Retried:
			say(e.Delivery, "%v; waits %v, then comes again", e.Err, e.Wait)
		case monitoring.Errored:
			say(e.Delivery, "%v; moved to the error queue", e.Err)
			end(e.Delivery)
		default:
			rest.Observe(ctx, e)
		}
	})
}

func say(d monitoring.Delivery, format string, args ...any) {
	var order Order
	_ = json.Unmarshal(d.Body, &order) // a body that is no order has no name
	fmt.Printf("%8s, attempt %d: %s\n", order.Item, d.Attempt, fmt.Sprintf(format, args...))
}

// count prints how many messages are in each queue. Warren need not know; this asks the broker, by AMQP.
func count(conn *connection.Connection, plan topology.Plan) {
	ch, err := conn.Channel(context.Background(), connection.Consume)
	check(err)
	for _, name := range []string{plan.Main.Name, plan.Retry[0].Name, plan.Error.Name} {
		queue, err := ch.QueueDeclarePassive(name, true, false, false, false, nil) // passive: only asks
		check(err)
		fmt.Printf("%3d in %s\n", queue.Messages, name)
	}
	fmt.Println("What is in an error queue stays there until a person takes it out.")
}

// startBroker starts a RabbitMQ in this process. What it has is gone when the program ends.
func startBroker() *rabbittest.Broker {
	fmt.Println("AMQP_URL is not set: this runs on a test broker in the process, which ends with it.")
	broker, err := rabbittest.Start(rabbittest.Options{})
	check(err)
	return broker
}

const noBroker = `
Is RabbitMQ running there, and AMQP_URL right? Without AMQP_URL this program brings a broker along:

	env -u AMQP_URL go run ./examples/quickstart`

// check ends the program if there is an error, with advice if there is any.
func check(err error, advice ...string) {
	if err != nil {
		log.SetFlags(0)
		log.Fatal(err, strings.Join(advice, ""))
	}
}
