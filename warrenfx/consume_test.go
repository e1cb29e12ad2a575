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

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/warrenfx"
)

// billing is something that the container makes.
type billing struct {
	publisher *publisher.Publisher

	mu       sync.Mutex
	charged  []string
	refunded []string
}

func newBilling(p *publisher.Publisher) *billing { return &billing{publisher: p} }

func (b *billing) charge(ctx context.Context, m consumer.Message[order]) consumer.Outcome {
	if m.Attempt < 3 {
		return consumer.Retry(errors.New("the bank is down"))
	}
	b.mu.Lock()
	b.charged = append(b.charged, m.Body.ID)
	b.mu.Unlock()
	if err := b.publisher.Publish(ctx, "receipts", m.Body.ID); err != nil {
		return consumer.Retry(err)
	}
	return consumer.Ack()
}

func (b *billing) refund(_ context.Context, m consumer.Message[order]) consumer.Outcome {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refunded = append(b.refunded, m.Body.ID)
	return consumer.Ack()
}

func TestMethodsAndFunctionsConsume(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		var b *billing
		var receipts []string
		a := app(t, config(broker),
			fx.Provide(newBilling),
			warrenfx.Consume("orders", (*billing).charge, consumer.Config{Retry: retry.Fixed(3, time.Hour)}),
			warrenfx.Consume("refunds", (*billing).refund, consumer.Config{}),
			warrenfx.ConsumeFunc("receipts", consumer.Func(func(_ context.Context, m consumer.Message[string]) error {
				receipts = append(receipts, m.Body)
				return nil
			}), consumer.Config{Workers: 1}),
			fx.Populate(&b),
		).RequireStart()
		publish(t, broker.Queue("orders"), "7", "8")
		publish(t, broker.Queue("refunds"), "6")
		time.Sleep(3 * time.Hour) // long after the context of the start has ended
		a.RequireStop()

		slices.Sort(b.charged)
		slices.Sort(receipts)
		for _, list := range [][]string{b.charged, receipts} {
			if !slices.Equal(list, []string{"7", "8"}) {
				t.Errorf("charged %v, receipts %v", b.charged, receipts)
			}
		}
		if !slices.Equal(b.refunded, []string{"6"}) {
			t.Errorf("refunded %v", b.refunded)
		}
		disconnected(t, broker)
	})
}

// workers is a setting of the application.
type workers int

func TestAConstructorGetsWhatTheContainerHas(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		var told []string
		mine := monitoring.Func(func(_ context.Context, e monitoring.Event) {
			switch e := e.(type) {
			case monitoring.ConsumerReady:
				if e.Workers != 3 {
					t.Errorf("%d workers", e.Workers)
				}
			case monitoring.Errored:
				told = append(told, string(e.Reason))
			}
		})
		construct := func(conn *connection.Connection, n workers, c codec.Codec, m monitoring.Monitor) (*consumer.Consumer, error) {
			return consumer.New(conn, "orders", sleeper(0), consumer.Config{Workers: int(n), Codec: c, Monitor: m})
		}
		a := app(t, config(broker),
			fx.Supply(workers(3)),
			fx.Provide(
				fx.Annotate(func() codec.Codec { return codec.JSON{Strict: true} }, fx.ResultTags(`name:"strict"`)),
				func() monitoring.Monitor { return mine },
				warrenfx.AsConsumer(construct, fx.ParamTags(``, ``, `name:"strict"`)),
			),
		).RequireStart()
		must(t, broker.Queue("orders").Publish(rabbittest.Message{Body: []byte(`{"ID": "7", "Colour": "red"}`)}))
		time.Sleep(time.Second)
		a.RequireStop()
		if !slices.Equal(told, []string{"undecodable"}) {
			t.Errorf("the monitor was told of %v", told)
		}
	})
}

func TestAConstructorOfManyConsumers(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		var all struct {
			fx.In
			Consumers []*consumer.Consumer `group:"warren.consumers"`
		}
		a := app(t, config(broker),
			fx.Provide(warrenfx.AsConsumer(func(conn *connection.Connection) (list []*consumer.Consumer, err error) {
				for _, tenant := range []string{"a", "b", "c"} {
					c, err := consumer.New(conn, "orders."+tenant, sleeper(0), consumer.Config{})
					if err != nil {
						return nil, err
					}
					list = append(list, c)
				}
				return list, nil
			})),
			fx.Invoke(func(p struct {
				fx.In
				Consumers []*consumer.Consumer `group:"warren.consumers"`
			},
			) {
				all.Consumers = p.Consumers
			}),
		).RequireStart()
		if len(all.Consumers) != 3 {
			t.Errorf("%d consumers", len(all.Consumers))
		}
		for _, c := range all.Consumers {
			if err := c.Health(); err != nil {
				t.Errorf("%s: %v", c.Queue(), err)
			}
		}
		a.RequireStop()
		for _, c := range all.Consumers {
			if err := c.Health(); !errors.Is(err, consumer.ErrNotRunning) {
				t.Errorf("%s: %v", c.Queue(), err)
			}
		}
	})
}

// What is wrong with a constructor is said when the application is made, and not by a queue that nobody consumes.
func TestWhatIsNoConsumerIsRefused(t *testing.T) {
	handle := sleeper(0)
	for name, c := range map[string]struct {
		option fx.Option
		want   string
	}{
		"a handler": {
			fx.Provide(warrenfx.AsConsumer(func() consumer.Handler[order] { return handle })),
			"this one makes a consumer.Handler",
		},
		"nothing": {
			fx.Provide(warrenfx.AsConsumer(func() {})),
			"this one makes nothing",
		},
		"a value": {
			fx.Provide(warrenfx.AsConsumer(7)),
			"AsConsumer needs a constructor, not int",
		},
		"nil": {
			fx.Provide(warrenfx.AsConsumer(nil)),
			"AsConsumer needs a constructor, not <nil>",
		},
		"a nil constructor": {
			fx.Provide(warrenfx.AsConsumer((func() *consumer.Consumer)(nil))),
			"this one makes nothing",
		},
		"a constructor that returns nil": {
			fx.Provide(warrenfx.AsConsumer(func() *consumer.Consumer { return nil })),
			"a constructor of a consumer has returned nil",
		},
		"a nil method": {
			warrenfx.Consume[*billing, order]("orders", nil, consumer.Config{}),
			`consumer of "orders": the handler is nil`,
		},
		"a nil function": {
			warrenfx.ConsumeFunc[order]("orders", nil, consumer.Config{}),
			`consumer of "orders": the handler is nil`,
		},
		"a bad configuration": {
			warrenfx.ConsumeFunc("orders", handle, consumer.Config{Workers: -1}),
			`consumer of "orders": Config.Workers is -1`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := fx.New(fx.NopLogger, warrenfx.Module, fx.Supply(warrenfx.Config{URL: "amqp://localhost/"}),
				fx.Provide(newBilling), c.option).Err()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want %q", err, c.want)
			}
		})
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	charge := warrenfx.Consume("orders", (*billing).charge, consumer.Config{})
	for name, c := range map[string]struct {
		options fx.Option
		want    string
	}{
		"no URL":           {fx.Supply(warrenfx.Config{}), "Config.URL is empty"},
		"a bad URL":        {fx.Supply(warrenfx.Config{URL: "http://secret@rabbit/"}), "connection: "},
		"a bad connection": {fx.Supply(warrenfx.Config{URL: "amqp://x/", Connection: connection.Config{DialTimeout: -1}}), "Config.DialTimeout"},
		"a bad publisher":  {fx.Supply(warrenfx.Config{URL: "amqp://x/", Publisher: publisher.Config{Window: -1}}), "Config.Window"},
		"no Config":        {fx.Options(), "missing type: warrenfx.Config"},
		"no receiver":      {fx.Options(charge, fx.Supply(warrenfx.Config{URL: "amqp://x/"})), "missing type: *warrenfx_test.billing"},
	} {
		t.Run(name, func(t *testing.T) {
			err := fx.New(fx.NopLogger, warrenfx.Module, c.options).Err()
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("the error is %v, want %q", err, c.want)
			}
		})
	}
	err := fx.ValidateApp(warrenfx.Module, charge, fx.Provide(newBilling), fx.Supply(warrenfx.Config{}))
	if err != nil {
		t.Errorf("a whole application is not valid: %v", err)
	}
}

// One that publishes only needs no consumer.
func TestAnApplicationThatPublishes(t *testing.T) {
	bubble(t, func(t *testing.T, broker *rabbittest.Broker) {
		var p *publisher.Publisher
		a := app(t, config(broker), fx.Populate(&p)).RequireStart()
		if n := len(broker.Connections()); n != 1 {
			t.Errorf("%d connections", n)
		}
		if err := p.Publish(t.Context(), "orders", order{}); !errors.Is(err, publisher.ErrUnroutable) {
			t.Errorf("publish: %v", err)
		}
		a.RequireStop()
		synctest.Wait()
		if err := p.Publish(t.Context(), "orders", order{}); !errors.Is(err, publisher.ErrClosed) {
			t.Errorf("publish: %v", err)
		}
		disconnected(t, broker)
	})
}
