package consumertest_test

import (
	"context"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/consumer/consumertest"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
)

// What becomes of a message beside peers: where it goes, and whether anything is published for that.
func TestWaysOfPeers(t *testing.T) {
	retryIt := func(consumer.Message[[]byte]) consumer.Outcome { return consumer.Retry(errBank) }
	for _, test := range []struct {
		name     string
		waiting  consumer.Waiting
		attempt  int
		says     func(consumer.Message[[]byte]) consumer.Outcome
		fate     consumertest.Fate
		to       string
		header   string // of what is published; "" if nothing is
		attempts int
	}{
		{"Bunnicula", consumer.Bunnicula, 1, retryIt, consumertest.Retried, "orders.retry.1m0s", "retry-attempts", 1},
		{"Bunnicula, the last", consumer.Bunnicula, 4, retryIt, consumertest.Errored, "orders-error", "retry-attempts", 4},
		{"Kicks", consumer.Kicks, 1, retryIt, consumertest.Retried, "orders-retry", "", 0},
		{"Kicks, the last", consumer.Kicks, 4, retryIt, consumertest.Errored, "orders-error", "warren-attempts", 4},
		{"Kicks, another wait", consumer.Kicks, 1, func(consumer.Message[[]byte]) consumer.Outcome {
			return consumer.RetryAfter(30*time.Second, errBank)
		}, consumertest.Retried, "orders.retry.30s", "warren-attempt", 2},
	} {
		out := consumertest.RunMessage(t.Context(), t, plain(test.says), consumer.Message[[]byte]{Queue: "orders", Attempt: test.attempt, Body: []byte("x")},
			consumer.Config{Waiting: test.waiting, Retry: retry.Fixed(3, time.Minute)})
		if out.Fate != test.fate || out.To != test.to {
			t.Errorf("%s: %v to %s", test.name, out, out.To)
		}
		switch {
		case (out.Sent != nil) != (test.header != ""):
			t.Errorf("%s: %+v is published", test.name, out.Sent)
		case out.Sent != nil && out.Sent.Headers[test.header] != int64(test.attempts):
			t.Errorf("%s: %v", test.name, out.Sent.Headers)
		}
	}
}

// A delivery as the broker makes it after two rejections.
func TestADeliveryThatKicksHasRetried(t *testing.T) {
	d := amqp.Delivery{Exchange: "orders-retry-requeue", RoutingKey: "consumertest", Body: []byte("x"), Headers: amqp.Table{"x-death": []any{
		amqp.Table{"queue": "consumertest-retry", "reason": "expired", "count": int64(2)},
		amqp.Table{"queue": "consumertest", "reason": "rejected", "count": int64(2), "exchange": "sneakers", "routing-keys": []any{"order.new"}},
	}}}
	attempt := 0
	out := consumertest.RunDelivery(t.Context(), t, plain(func(m consumer.Message[[]byte]) consumer.Outcome {
		attempt = m.Attempt
		return consumer.Retry(errBank)
	}), d, consumer.Config{Waiting: consumer.Kicks, Retry: retry.Fixed(2, time.Minute)})
	if attempt != 3 || out.Fate != consumertest.Errored || out.Reason != monitoring.ReasonExhausted {
		t.Errorf("attempt %d: %v", attempt, out)
	}
}

func plain(f func(consumer.Message[[]byte]) consumer.Outcome) consumer.Handler[[]byte] {
	return func(_ context.Context, m consumer.Message[[]byte]) consumer.Outcome { return f(m) }
}
