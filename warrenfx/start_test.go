package warrenfx_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/warrenfx"
)

func TestStartReturnsWhenEveryConsumerIsSubscribed(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		a := app(t, config(broker),
			warrenfx.ConsumeFunc("orders", sleeper(0), consumer.Config{}),
			warrenfx.ConsumeFunc("refunds", sleeper(0), consumer.Config{}),
		).RequireStart()
		for _, queue := range []string{"orders", "refunds"} {
			if n := len(broker.Queue(queue).Consumers()); n != 1 {
				t.Errorf("%s has %d consumers", queue, n)
			}
		}
		a.RequireStop()
	})
}

func TestStartWithoutABrokerFails(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		broker.Stop()
		var conn *connection.Connection
		a := app(t, config(broker), warrenfx.ConsumeFunc("orders", sleeper(0), consumer.Config{}), fx.Populate(&conn))
		took, err := start(t, a)
		if took < 13*time.Second || took >= fx.DefaultTimeout {
			t.Errorf("it took %v", took)
		}
		for _, want := range []string{"connect to amqp://127.0.0.1:5672/", "connection refused", "fx.StartTimeout", "StartWithoutBroker"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("the error is %v, want %q in it", err, want)
			}
		}
		if err := conn.Health(); !errors.Is(err, connection.ErrClosed) {
			t.Errorf("it goes on dialling: %v", err)
		}
	})
}

func TestStartWaitsForABrokerThatComes(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		broker.Stop()
		time.AfterFunc(40*time.Second, broker.Boot)
		a := app(t, config(broker), warrenfx.ConsumeFunc("orders", sleeper(0), consumer.Config{}), fx.StartTimeout(2*time.Minute))
		took, err := start(t, a)
		must(t, err)
		if took < 40*time.Second {
			t.Errorf("it took %v", took)
		}
		a.RequireStop()
	})
}

// A start whose context has no deadline is bounded all the same.
func TestStartIsBoundedByItself(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		broker.Stop()
		began := time.Now()
		err := app(t, config(broker)).Start(t.Context())
		if took := time.Since(began); err == nil || took != fx.DefaultTimeout {
			t.Errorf("it took %v: %v", took, err)
		}
	})
}

func TestStartFailsAtOnceIfTheBrokerRefuses(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		cfg := config(broker)
		cfg.URL = strings.Replace(cfg.URL, "guest:guest", "guest:wrong", 1)
		took, err := start(t, app(t, cfg, warrenfx.ConsumeFunc("orders", sleeper(0), consumer.Config{})))
		var refused *connection.RefusedError
		if !errors.As(err, &refused) || strings.Contains(err.Error(), "wrong") || strings.Contains(err.Error(), "StartTimeout") {
			t.Errorf("the error is %v", err)
		}
		if took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// declareOther declares a queue as no consumer of Warren does.
func declareOther(t *testing.T, broker *rabbittest.Broker, queue string) {
	t.Helper()
	cfg := connection.Config{Dial: broker.Dial, Monitor: monitoring.Discard{}}
	conn, err := connection.Open(t.Context(), broker.URL(), cfg)
	must(t, err)
	ch, err := conn.Channel(t.Context(), connection.Consume)
	must(t, err)
	_, err = ch.QueueDeclare(queue, true, false, false, false, nil)
	must(t, err)
	must(t, conn.Close(t.Context()))
}

func TestStartFailsIfAQueueIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		declareOther(t, broker, "orders")
		a := app(t, config(broker),
			warrenfx.ConsumeFunc("refunds", sleeper(0), consumer.Config{}),
			warrenfx.ConsumeFunc("orders", sleeper(0), consumer.Config{}),
		)
		took, err := start(t, a)
		var refused *consumer.DeclareError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), `consumer of "orders"`) {
			t.Errorf("the error is %v", err)
		}
		if took > time.Second {
			t.Errorf("it took %v", took)
		}
		disconnected(t, broker)
	})
}

// What one consumer has begun while another keeps the start from succeeding stays with the broker.
func TestStartThatFailsLosesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		conn, err := connection.New("amqp://nowhere/", connection.Config{
			Monitor: monitoring.Discard{},
			Dial:    new(failingDialer).dial,
		})
		must(t, err)
		defer conn.Close(t.Context()) //nolint:errcheck // there is nobody to say goodbye to
		must(t, open(t, broker, "orders"))
		publish(t, broker.Queue("orders"), "7")
		a := app(t, config(broker),
			warrenfx.ConsumeFunc("orders", func(ctx context.Context, _ consumer.Message[order]) consumer.Outcome {
				<-ctx.Done()
				if !errors.Is(context.Cause(ctx), consumer.ErrDraining) {
					t.Errorf("the handler's context ended because of %v", context.Cause(ctx))
				}
				return consumer.Retry(ctx.Err())
			}, consumer.Config{}),
			fx.Provide(warrenfx.AsConsumer(func() (*consumer.Consumer, error) {
				return consumer.New(conn, "elsewhere", sleeper(0), consumer.Config{})
			})),
		)
		took, err := start(t, a)
		if err == nil || !strings.Contains(err.Error(), `consumer of "elsewhere": not within`) ||
			!strings.Contains(err.Error(), errNowhere.Error()) {
			t.Errorf("the error is %v", err)
		}
		if took >= fx.DefaultTimeout {
			t.Errorf("it took %v", took)
		}
		if n := broker.Queue("orders").Ready(); n != 1 {
			t.Errorf("%d messages are in the queue", n)
		}
		disconnected(t, broker)
	})
}

func TestStartDoesNotWaitForAPausedConsumer(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		var c *consumer.Consumer
		a := app(t, config(broker),
			fx.Provide(warrenfx.AsConsumer(func(conn *connection.Connection) (_ *consumer.Consumer, err error) {
				if c, err = consumer.New(conn, "orders", sleeper(0), consumer.Config{}); err != nil {
					return nil, err
				}
				return c, c.Pause(t.Context())
			})),
		)
		took, err := start(t, a)
		must(t, err)
		if took > time.Second {
			t.Errorf("it took %v", took)
		}
		must(t, c.Resume(t.Context()))
		a.RequireStop()
	})
}

func TestStartWithoutBroker(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		broker.Stop()
		cfg := config(broker)
		cfg.StartWithoutBroker = true
		a := app(t, cfg, warrenfx.ConsumeFunc("orders", sleeper(0), consumer.Config{}))
		took, err := start(t, a)
		must(t, err)
		if took != 0 {
			t.Errorf("it took %v", took)
		}
		time.Sleep(time.Hour)
		broker.Boot()
		time.Sleep(time.Minute)
		publish(t, broker.Queue("orders"), "7")
		a.RequireStop()
		if n := acks(broker.Queue("orders")); n != 1 {
			t.Errorf("%d messages were acked", n)
		}
	})
}

// Without a broker all the time, the application stops as well as it started.
func TestStopWithoutBroker(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		broker.Stop()
		cfg := config(broker)
		cfg.StartWithoutBroker = true
		a := app(t, cfg, warrenfx.ConsumeFunc("orders", sleeper(0), consumer.Config{})).RequireStart()
		took, err := stop(t, a)
		must(t, err)
		if took > 3*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestWhatWasStoppedDoesNotStartAgain(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		for _, wait := range []bool{true, false} {
			cfg := config(broker)
			cfg.StartWithoutBroker = !wait
			a := app(t, cfg, warrenfx.ConsumeFunc("orders", sleeper(0), consumer.Config{})).RequireStart()
			a.RequireStop()
			if _, err := start(t, a); !errors.Is(err, connection.ErrClosed) {
				t.Errorf("it started again: %v", err)
			}
		}
	})
}

// open declares a consumer's queues.
func open(t *testing.T, broker *rabbittest.Broker, queue string) error {
	t.Helper()
	conn, err := connection.Open(t.Context(), broker.URL(), connection.Config{Dial: broker.Dial, Monitor: monitoring.Discard{}})
	must(t, err)
	defer conn.Close(t.Context()) //nolint:errcheck // a test's
	c, err := consumer.New(conn, queue, sleeper(0), consumer.Config{})
	must(t, err)
	return c.Declare(t.Context())
}
