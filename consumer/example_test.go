package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"strconv"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
)

// Invoice is the body of the examples' messages.
type Invoice struct {
	Number string
	Cents  int
}

// Validate is called before the handler: an invoice without a number goes to
// the error queue with reason "invalid".
func (i Invoice) Validate() error {
	if i.Number == "" {
		return errors.New("the number is missing")
	}
	return nil
}

var errUnknownCustomer = errors.New("unknown customer")

func book(_ context.Context, i Invoice) error {
	fmt.Println("booked", i.Number)
	return nil
}

// startBroker starts a broker in this process, for the examples. Yours is
// RabbitMQ.
func startBroker() *rabbittest.Broker {
	broker, err := rabbittest.Start(rabbittest.Options{})
	if err != nil {
		panic(err)
	}
	return broker
}

// The main queue makes its messages wait itself, on RabbitMQ 4.3 and later. It
// cannot wait twice as long each time.
func ExampleWaiting() {
	conn, err := connection.New("amqp://localhost", connection.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	handle := consumer.Func(func(ctx context.Context, m consumer.Message[Invoice]) error { return book(ctx, m.Body) })
	for _, policy := range []retry.Policy{
		retry.Exponential(5, time.Second, time.Hour),
		retry.Linear(5, 2*time.Second, 16*time.Second),
	} {
		c, err := consumer.New(conn, "invoices", handle, consumer.Config{Waiting: consumer.Native, Retry: policy})
		if err != nil {
			fmt.Println(err)
			continue
		}
		for _, q := range c.Plan().Queues() {
			fmt.Println(q.Name, q.Args["x-delayed-retry-min"], q.Args["x-delayed-retry-max"])
		}
	}
	// Output:
	// consumer of "invoices": Config.Retry: RabbitMQ's own delayed retry waits a time that grows by the same step with each attempt, up to a limit, and exponential(5, 1s, 1h0m0s) does not; the nearest that does is linear(5, 2s, 16s), and Config.Waiting tiers does them all
	// invoices.error <nil> <nil>
	// invoices 2000 16000
}

func ExampleNew() {
	broker := startBroker() // a rabbittest
	defer broker.Close()

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	conn, err := connection.Open(ctx, broker.URL(), connection.Config{Name: "books", Dial: broker.Dial, Monitor: monitoring.Discard{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close(context.Background()) }()

	handle := func(ctx context.Context, m consumer.Message[Invoice]) consumer.Outcome {
		defer stop() // this program handles one, and ends
		switch err := book(ctx, m.Body); {
		case err == nil:
			return consumer.Ack()
		case errors.Is(err, errUnknownCustomer):
			return consumer.Error(err) // a person must look at it
		default:
			return consumer.Retry(err) // tried again after 1 s, 2 s, 4 s, 8 s and 16 s
		}
	}
	c, err := consumer.New(conn, "invoices", handle, consumer.Config{
		Workers: 8,
		Timeout: 30 * time.Second,
		Retry:   retry.Exponential(5, time.Second, time.Hour),
	})
	if err == nil {
		err = c.Declare(ctx) // Run does it, too; but here something is published first
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = broker.Queue("invoices").Publish(rabbittest.Message{Body: []byte(`{"Number": "A-1", "Cents": 4200}`)})

	if err := c.Run(ctx); err != nil { // until ctx ends, and the running handlers are done
		fmt.Println(err)
	}
	// Output: booked A-1
}

// Work published to an exchange reaches the queue by a binding, which the
// consumer declares.
func ExampleNew_exchange() {
	broker := startBroker() // a rabbittest
	defer broker.Close()

	ctx := context.Background()
	conn, err := connection.Open(ctx, broker.URL(), connection.Config{Dial: broker.Dial, Monitor: monitoring.Discard{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close(ctx) }()

	c, err := consumer.New(conn, "invoices", handleBytes, consumer.Config{
		Bindings: []consumer.Binding{{
			Exchange: "shop", Kind: "topic", Keys: []string{"invoice.created", "invoice.changed"},
		}},
	})
	if err == nil {
		err = c.Declare(ctx) // as Run does, whenever it connects
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = broker.Publish("shop", "invoice.created", rabbittest.Message{Body: []byte("an invoice")})
	fmt.Println(broker.Queue("invoices").Len())
	// Output: 1
}

func handleBytes(context.Context, consumer.Message[[]byte]) consumer.Outcome { return consumer.Ack() }

// A handler of the kind that returns an error.
func ExampleFunc() {
	handle := consumer.Func(func(_ context.Context, m consumer.Message[Invoice]) error {
		switch {
		case m.Body.Cents == 0:
			return consumer.Permanent(errors.New("nothing to pay"))
		case m.Body.Cents > 1000:
			return consumer.After(time.Hour, errors.New("the daily limit is reached"))
		case m.Attempt == 1:
			return errors.New("connection refused")
		}
		return nil
	})

	for _, m := range []consumer.Message[Invoice]{
		{Body: Invoice{"A-1", 100}, Attempt: 2},
		{Body: Invoice{"A-2", 100}, Attempt: 1},
		{Body: Invoice{"A-3", 5000}, Attempt: 1},
		{Body: Invoice{"A-4", 0}, Attempt: 1},
	} {
		fmt.Println(m.Body.Number, handle(context.Background(), m))
	}
	// Output:
	// A-1 ack
	// A-2 retry: connection refused
	// A-3 defer after 1h0m0s: the daily limit is reached
	// A-4 error: nothing to pay
}

// An API that limits its callers says for how long to stay away. That is not
// the message's fault, so no attempt is used up.
func ExampleDefer() {
	outcome := func(status int, retryAfter string) consumer.Outcome {
		switch {
		case status == http.StatusTooManyRequests:
			seconds, _ := strconv.Atoi(retryAfter)
			return consumer.Defer(time.Duration(seconds)*time.Second, errors.New("too many requests"))
		case status >= 500:
			return consumer.Retry(fmt.Errorf("status %d", status))
		case status >= 400:
			return consumer.Error(fmt.Errorf("status %d", status))
		}
		return consumer.Ack()
	}
	fmt.Println(outcome(429, "30"))
	fmt.Println(outcome(503, ""))
	fmt.Println(outcome(404, ""))
	fmt.Println(outcome(200, ""))
	// Output:
	// defer after 30s: too many requests
	// retry: status 503
	// error: status 404
	// ack
}

// Middleware is a function from handler to handler, as in net/http.
func ExampleHandler_middleware() {
	logged := func(next consumer.Handler[Invoice]) consumer.Handler[Invoice] {
		return func(ctx context.Context, m consumer.Message[Invoice]) consumer.Outcome {
			o := next(ctx, m)
			fmt.Println(m.Body.Number, "→", o.Kind())
			return o
		}
	}
	handle := logged(func(context.Context, consumer.Message[Invoice]) consumer.Outcome { return consumer.Ack() })
	handle(context.Background(), consumer.Message[Invoice]{Body: Invoice{Number: "A-1"}})
	// Output: A-1 → ack
}

// What a handler says can be tested without a broker.
func ExampleOutcome() {
	o := consumer.RetryAfter(time.Minute, errors.New("the bank is closed"))
	fmt.Println(o.Kind(), o.Delay(), o.Err())
	// Output: retry 1m0s the bank is closed
}

func ExampleConsumer_Plan() {
	conn, err := connection.New("amqp://localhost", connection.Config{})
	if err != nil {
		log.Fatal(err)
	}
	c, err := consumer.New(conn, "invoices", handleBytes, consumer.Config{Retry: retry.Steps(time.Second, time.Minute)})
	if err != nil {
		log.Fatal(err)
	}
	plan := c.Plan()
	for _, q := range plan.Queues() {
		fmt.Println(q.Name)
	}
	// Output:
	// invoices.error
	// invoices
	// invoices.retry.1s
	// invoices.retry.1m0s
}
