package consumertest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/consumer/consumertest"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
)

// Payment is the body of the examples' messages.
type Payment struct {
	Order string
	Cents int
}

// Validate is called before the handler.
func (p Payment) Validate() error {
	if p.Order == "" {
		return errors.New("the order is missing")
	}
	return nil
}

// charge is the handler that the examples test.
func charge(_ context.Context, m consumer.Message[Payment]) consumer.Outcome {
	switch {
	case m.Body.Cents == 0:
		panic("division by zero cents")
	case m.Body.Cents > 1000:
		return consumer.Error(errors.New("declined"))
	case m.Headers["bank"] == "busy":
		return consumer.Defer(30*time.Second, errors.New("too many requests"))
	case m.Body.Cents > 100:
		return consumer.Retry(errors.New("the bank is down"))
	}
	return consumer.Ack()
}

// t is what a test function is given. Examples have none.
var t inExample

type inExample struct{}

func (inExample) Context() context.Context          { return context.Background() }
func (inExample) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (inExample) Helper()                           {}

func ExampleRun() {
	fmt.Println(consumertest.Run(t, charge, Payment{"7", 90}))
	fmt.Println(consumertest.Run(t, charge, Payment{"7", 900}))
	fmt.Println(consumertest.Run(t, charge, Payment{"7", 9000}))
	fmt.Println(consumertest.Run(t, charge, Payment{"7", 0}))
	fmt.Println(consumertest.Run(t, charge, Payment{"", 90}))
	// Output:
	// acked
	// retried after 1m0s: the bank is down
	// errored, rejected: declined
	// retried after 1m0s: panic: division by zero cents
	// errored, invalid: the body is invalid: the order is missing
}

// What a consumer with some policy does at which attempt.
func ExampleRunMessage() {
	cfg := consumer.Config{Retry: retry.Exponential(3, time.Second, time.Hour)}
	for attempt := 1; attempt <= 4; attempt++ {
		m := consumer.Message[Payment]{Body: Payment{"7", 900}, Attempt: attempt, Queue: "payments"}
		out := consumertest.RunMessage(t.Context(), t, charge, m, cfg)
		fmt.Println(attempt, out, "→", out.To)
	}
	// Output:
	// 1 retried after 1s: the bank is down → payments.retry.1s
	// 2 retried after 2s: the bank is down → payments.retry.2s
	// 3 retried after 4s: the bank is down → payments.retry.4s
	// 4 errored, exhausted: the bank is down → payments.error
}

// A handler that looks at headers.
func ExampleRunMessage_headers() {
	m := consumer.Message[Payment]{
		Body:    Payment{"7", 90},
		Headers: map[string]any{"bank": "busy"},
	}
	fmt.Println(consumertest.RunMessage(t.Context(), t, charge, m, consumer.Config{}))
	// Output: deferred for 30s: too many requests
}

// A body that cannot be decoded.
func ExampleRunMessage_raw() {
	m := consumer.Message[Payment]{Raw: []byte(`{"Cents": "ninety"}`)}
	out := consumertest.RunMessage(t.Context(), t, charge, m, consumer.Config{})
	fmt.Println(out.Fate, out.Reason, out.Runs)
	// Output: errored undecodable 0
}

// A handler that takes too long. In a bubble its minute is over at once.
func ExampleRunMessage_timeout() {
	slow := func(ctx context.Context, _ consumer.Message[Payment]) consumer.Outcome {
		<-ctx.Done() // as a call of the bank's would
		return consumer.Retry(context.Cause(ctx))
	}
	test := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			out := consumertest.Run(t, slow, Payment{"7", 90})
			if out.Failure != monitoring.FailureTimeout || out.Wait != time.Minute {
				t.Errorf("got %v", out)
			}
		})
	}
	_ = test // it is TestASlowBank of your package

	cfg := consumer.Config{Timeout: 10 * time.Millisecond}
	out := consumertest.RunMessage(t.Context(), t, slow, consumer.Message[Payment]{Body: Payment{"7", 90}}, cfg)
	fmt.Println(out.Failure, "→", out)
	// Output: timeout → retried after 1m0s: context deadline exceeded
}

// The consumer is told to stop while the handler runs.
func ExampleRunMessage_stop() {
	slow := func(ctx context.Context, _ consumer.Message[Payment]) consumer.Outcome {
		<-ctx.Done()
		return consumer.Retry(context.Cause(ctx))
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	cfg := consumer.Config{Drain: 10 * time.Millisecond}
	out := consumertest.RunMessage(ctx, t, slow, consumer.Message[Payment]{Body: Payment{"7", 90}}, cfg)
	fmt.Println(out.Fate, out.Outcome.Err())
	// Output: redelivered the consumer is stopping
}

// A message as it was found somewhere, with headers and properties of any form.
func ExampleRunDelivery() {
	d := amqp.Delivery{
		RoutingKey:  "payments",
		ContentType: "application/json",
		Headers:     amqp.Table{"warren-queue": "payments", "warren-attempt": int64(4)},
		Body:        []byte(`{"Order": "7", "Cents": 900}`),
	}
	out := consumertest.RunDelivery(t.Context(), t, charge, d, consumer.Config{})
	fmt.Println(out)
	fmt.Println(out.Sent.Headers["warren-attempts"], out.Sent.Headers["warren-reason"])
	// Output:
	// errored, exhausted: the bank is down
	// 4 exhausted
}

// A table of cases compares texts.
func ExampleResult_String() {
	for _, cents := range []int{90, 900, 9000} {
		fmt.Println(cents, consumertest.Run(t, charge, Payment{"7", cents}))
	}
	// Output:
	// 90 acked
	// 900 retried after 1m0s: the bank is down
	// 9000 errored, rejected: declined
}

func ExampleFate() {
	out := consumertest.Run(t, charge, Payment{"7", 90})
	fmt.Println(out.Fate == consumertest.Acked, out.Fate)
	// Output: true acked
}

// Every testing.TB is a TB: tests, benchmarks and fuzz tests have one.
func ExampleTB() {
	check := func(t consumertest.TB, cents int) {
		if out := consumertest.Run(t, charge, Payment{"7", cents}); out.Fate != consumertest.Acked {
			t.Fatalf("%d cents: %v", cents, out)
		}
	}
	check(t, 90)
	// Output:
}
