package consumer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/retry"
)

func TestAProgramCanDeclareBeforeItPublishesAndRuns(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		handled := make(chan string, 1)
		c := newConsumer(k, func(_ context.Context, m consumer.Message[[]byte]) consumer.Outcome {
			handled <- string(m.Body)
			return consumer.Ack()
		}, consumer.Config{})
		must(t, c.Declare(t.Context()))
		must(t, c.Declare(t.Context())) // once more does no harm
		k.publish(amqp.Publishing{Body: []byte("first")})
		start(t, c)
		select {
		case got := <-handled:
			if got != "first" {
				t.Errorf("handled %q", got)
			}
		case <-time.After(patience):
			t.Fatal("not handled")
		}
	})
}

func TestDeclareTellsWhatTheBrokerRefuses(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		nothing := func(context.Context, consumer.Message[[]byte]) consumer.Outcome { return consumer.Ack() }
		must(t, newConsumer(k, nothing, consumer.Config{Retry: retry.Fixed(1, time.Second)}).Declare(t.Context()))
		err := newConsumer(k, nothing, consumer.Config{Classic: true}).Declare(t.Context())
		var refused *consumer.DeclareError
		if !errors.As(err, &refused) || refused.Argument != "x-queue-type" {
			t.Errorf("got %v", err)
		}
	})
}

func TestDeclareWaitsForTheBrokerUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	conn, err := connection.New("amqp://127.0.0.1:1/", connection.Config{Monitor: silence})
	must(t, err)
	defer func() { must(t, conn.Close(context.Background())) }()
	c, err := consumer.New(conn, "orders", func(context.Context, consumer.Message[[]byte]) consumer.Outcome {
		return consumer.Ack()
	}, consumer.Config{})
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Declare(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
