package warrenfx_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/fx"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/warrenfx"
)

// Three consumers that need eight seconds more fit into fifteen.
func TestConsumersDrainSideBySide(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		queues := []string{"orders", "refunds", "receipts"}
		var options []fx.Option
		for _, queue := range queues {
			options = append(options, warrenfx.ConsumeFunc(queue, sleeper(10*time.Second), consumer.Config{Workers: 1}))
		}
		a := app(t, config(broker), options...).RequireStart()
		for _, queue := range queues {
			must(t, broker.Queue(queue).Publish(rabbittest.Message{Body: []byte(`{}`)}))
			must(t, broker.Queue(queue).Publish(rabbittest.Message{Body: []byte(`{}`)})) // not begun when it stops
		}
		time.Sleep(2 * time.Second)
		took, err := stop(t, a)
		must(t, err)
		if took < 8*time.Second || took > 8*time.Second+100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		for _, queue := range queues {
			if acked, ready := acks(broker.Queue(queue)), broker.Queue(queue).Ready(); acked != 1 || ready != 1 {
				t.Errorf("%s: %d acked, %d in the queue", queue, acked, ready)
			}
		}
		disconnected(t, broker)
	})
}

// The handler would like a minute and Drain would give it 25 s, but Fx has 15 s for everything.
func TestDrainingEndsWithinTheStopTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		a := app(t, config(broker),
			warrenfx.ConsumeFunc("orders", func(ctx context.Context, _ consumer.Message[order]) consumer.Outcome {
				select {
				case <-time.After(time.Minute):
					return consumer.Ack()
				case <-ctx.Done():
					return consumer.Retry(context.Cause(ctx))
				}
			}, consumer.Config{}),
		).RequireStart()
		publish(t, broker.Queue("orders"), "7")
		took, err := stop(t, a)
		must(t, err)
		if took < 9*time.Second || took > 13*time.Second {
			t.Errorf("it took %v", took)
		}
		if n := broker.Queue("orders").Ready(); n != 1 {
			t.Errorf("%d messages are in the queue", n)
		}
		disconnected(t, broker)
	})
}

// closing is a monitor that notes when it was closed.
type closing struct {
	monitoring.Discard
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

// A handler that does not obey is named; the others, and what comes after the consumers, have their time all the same.
func TestAStuckHandlerDoesNotKeepTheRestFromStopping(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		stuck := make(chan struct{})
		monitor := new(closing)
		slow := func(ctx context.Context, _ consumer.Message[order]) consumer.Outcome {
			<-ctx.Done()
			time.Sleep(2 * time.Second)
			return consumer.Retry(context.Cause(ctx))
		}
		queues := []string{"orders", "slow.1", "slow.2", "slow.3"}
		a := app(t, config(broker),
			warrenfx.ConsumeFunc("orders", func(context.Context, consumer.Message[order]) consumer.Outcome {
				<-stuck
				return consumer.Ack()
			}, consumer.Config{}),
			warrenfx.ConsumeFunc("slow.1", slow, consumer.Config{}),
			warrenfx.ConsumeFunc("slow.2", slow, consumer.Config{}),
			warrenfx.ConsumeFunc("slow.3", slow, consumer.Config{}),
			fx.Provide(warrenfx.AsMonitor(func() *closing { return monitor })),
		).RequireStart()
		for _, queue := range queues {
			publish(t, broker.Queue(queue), "7")
		}
		took, err := stop(t, a)
		var undone *consumer.DrainError
		if !errors.As(err, &undone) || undone.Queue != "orders" || strings.Contains(err.Error(), "slow") {
			t.Errorf("the error is %v", err)
		}
		if took > 13*time.Second {
			t.Errorf("it took %v", took)
		}
		if !monitor.closed {
			t.Error("the monitor was not closed")
		}
		disconnected(t, broker)
		for _, queue := range queues {
			if n := broker.Queue(queue).Ready(); n != 1 {
				t.Errorf("%d messages are in %s", n, queue)
			}
		}
		close(stuck)
	})
}

// The worst of both: the broker neither reads nor answers.
func TestASilentBrokerDoesNotHoldUpTheStop(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		monitor := new(closing)
		var p *publisher.Publisher
		a := app(t, config(broker),
			warrenfx.ConsumeFunc("orders", sleeper(time.Second), consumer.Config{}),
			warrenfx.ConsumeFunc("elsewhere", sleeper(0), consumer.Config{}),
			fx.Provide(warrenfx.AsMonitor(func() *closing { return monitor })),
			fx.Populate(&p),
		).RequireStart()
		must(t, p.Publish(t.Context(), "elsewhere", order{}))
		publish(t, broker.Queue("orders"), "7")
		broker.Pause()
		published := make(chan error, 1)
		go func() { published <- p.Publish(t.Context(), "orders", order{}) }()
		time.Sleep(time.Second)
		took, err := stop(t, a)
		if took >= fx.DefaultTimeout {
			t.Errorf("it took %v: %v", took, err)
		}
		if !monitor.closed {
			t.Error("the monitor was not closed")
		}
		if err := <-published; !errors.Is(err, publisher.ErrUnknown) {
			t.Errorf("publish: %v", err)
		}
		broker.Resume()
	})
}

// buffer gathers what handlers publish, and sends the rest when it stops.
type buffer struct {
	publisher *publisher.Publisher
	ids       []string
}

func newBuffer(lc fx.Lifecycle, p *publisher.Publisher) *buffer {
	b := &buffer{publisher: p}
	lc.Append(fx.StopHook(func(ctx context.Context) error {
		for _, id := range b.ids {
			if err := b.publisher.Publish(ctx, "receipts", id); err != nil {
				return err
			}
		}
		return nil
	}))
	return b
}

func (b *buffer) handle(_ context.Context, m consumer.Message[order]) consumer.Outcome {
	time.Sleep(5 * time.Second)
	b.ids = append(b.ids, m.Body.ID)
	return consumer.Ack()
}

// Between the consumers and the publisher there is what the handlers use.
func TestWhatHandlersUseStopsAfterThemAndBeforeThePublisher(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		must(t, open(t, broker, "receipts"))
		a := app(t, config(broker),
			fx.Provide(newBuffer),
			warrenfx.Consume("orders", (*buffer).handle, consumer.Config{Workers: 1}),
		).RequireStart()
		publish(t, broker.Queue("orders"), "7")
		a.RequireStop()
		if n := broker.Queue("receipts").Len(); n != 1 {
			t.Errorf("%d receipts", n)
		}
	})
}

// What was published when the application stops is waited for.
func TestThePublisherIsFlushed(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		must(t, open(t, broker, "orders"))
		var p *publisher.Publisher
		a := app(t, config(broker), fx.Populate(&p)).RequireStart()
		broker.HoldConfirms()
		published := make(chan error, 1)
		go func() { published <- p.Publish(t.Context(), "orders", order{}) }()
		synctest.Wait()
		time.AfterFunc(5*time.Second, broker.ReleaseConfirms)
		took, err := stop(t, a)
		must(t, err)
		must(t, <-published)
		if took < 5*time.Second || took > 6*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// The order in which it all ends.
func TestTheOrderOfStopping(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		var mu sync.Mutex
		var steps []string
		note := func(step string) {
			mu.Lock()
			defer mu.Unlock()
			steps = append(steps, step)
		}
		cfg := config(broker)
		cfg.Connection.Monitor = monitoring.Func(func(_ context.Context, e monitoring.Event) {
			switch e.(type) {
			case monitoring.ConsumerStopped:
				note("consumer stopped")
			case monitoring.Disconnected:
				note("disconnected")
			}
		})
		a := app(t, cfg,
			warrenfx.ConsumeFunc("orders", sleeper(0), consumer.Config{}),
			fx.Provide(warrenfx.AsMonitor(func() *closer {
				return &closer{close: func(context.Context) error {
					note("monitor closed")
					return nil
				}}
			})),
			fx.Invoke(func(lc fx.Lifecycle, p *publisher.Publisher) {
				lc.Append(fx.StopHook(func(ctx context.Context) error {
					note("publisher's user stopped")
					return p.Publish(ctx, "orders", order{})
				}))
			}),
		).RequireStart()
		a.RequireStop()
		want := []string{"publisher's user stopped", "consumer stopped", "disconnected", "disconnected", "monitor closed"}
		if !slices.Equal(steps, want) {
			t.Errorf("it went %q", steps)
		}
	})
}
