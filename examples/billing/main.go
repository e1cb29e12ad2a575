// Billing is an Fx application: it charges orders that come in Avro, publishes a receipt for each, counts with StatsD and
// reports to Sentry. README.md says what it shows.
//
//	go run ./examples/billing
package main

import (
	"flag"
	"os"
	"time"

	"go.uber.org/fx"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/warrenfx"
)

// Settings are what differs between one place where it runs and another.
type Settings struct {
	AMQP    string // empty for a broker in this process
	StatsD  string // empty for none
	Sentry  string // empty for none
	Workers int
	Wait    time.Duration // before each further attempt
	Orders  int           // for the shop to publish; the application ends when they have come to theirs
	Verbose bool
}

func main() {
	s := Settings{AMQP: os.Getenv("AMQP_URL"), StatsD: os.Getenv("STATSD_ADDR"), Sentry: os.Getenv("SENTRY_DSN")}
	flag.IntVar(&s.Workers, "workers", 8, "how many orders are in work at once")
	flag.DurationVar(&s.Wait, "wait", time.Second, "how long an order waits when the bank is down; a real one waits longer")
	flag.IntVar(&s.Orders, "n", 12, "how many orders to publish for a show; 0 to run as a service, until SIGTERM")
	flag.BoolVar(&s.Verbose, "v", false, "log every event, and what Fx does")
	flag.Parse()
	fx.New(fx.Supply(s), application).Run()
}

// application is all but its settings, so that a test can run it with others.
var application = fx.Options(
	warrenfx.Module,
	fx.Provide(newWarren, newBank, newBilling, newMailer, newOrderCodec),

	// Two ways to consume: a constructor, since the codec and the settings come from the container; and a method, which needs
	// no more than its receiver.
	fx.Provide(warrenfx.AsConsumer(newOrderConsumer)),
	warrenfx.Consume(receipts, (*Mailer).Send, consumer.Config{Workers: 2}),

	observed, // monitors.go
	fx.Invoke(openShop),

	fx.StopTimeout(35*time.Second), // the consumers have 25 s to finish what they have begun
)

// newWarren says where the broker is.
func newWarren(lc fx.Lifecycle, s Settings) (warrenfx.Config, error) {
	if s.AMQP != "" {
		return warrenfx.Config{URL: s.AMQP, Connection: connection.Config{Name: "billing"}}, nil
	}
	// So that it runs where there is no RabbitMQ. What is in it is gone when the process ends.
	broker, err := rabbittest.Start(rabbittest.Options{})
	if err != nil {
		return warrenfx.Config{}, err
	}
	lc.Append(fx.StopHook(broker.Close))
	return warrenfx.Config{URL: broker.URL(), Connection: connection.Config{Name: "billing", Dial: broker.Dial}}, nil
}
