package warrenfx

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"go.uber.org/fx"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
)

// The groups. Their names are in the documentation of the package, since applications may ask for them.
const (
	consumerGroup  = `group:"warren.consumers"`
	consumersGroup = `group:"warren.consumers,flatten"`
	monitorGroup   = `group:"warren.monitors"`
)

// Consume consumes queue with a method of something that the container makes: H, T and the rest follow from the method.
//
//	warrenfx.Consume("orders", (*Billing).Charge, consumer.Config{Workers: 8})
//
// cfg is as for consumer.New, which refuses what makes no sense: then fx.App.Err says so, naming the queue. Use
// [AsConsumer] if parts of cfg come from the container.
func Consume[H, T any](
	queue string, handle func(H, context.Context, consumer.Message[T]) consumer.Outcome, cfg consumer.Config,
) fx.Option {
	return fx.Provide(AsConsumer(func(conn *connection.Connection, h H) (*consumer.Consumer, error) {
		if handle == nil {
			return consumer.New[T](conn, queue, nil, cfg) // says so
		}
		return consumer.New(conn, queue, func(ctx context.Context, m consumer.Message[T]) consumer.Outcome {
			return handle(h, ctx, m)
		}, cfg)
	}))
}

// ConsumeFunc consumes queue with a function that needs nothing of the container. A function that returns an error
// goes through consumer.Func:
//
//	warrenfx.ConsumeFunc("receipts", consumer.Func(send), consumer.Config{})
func ConsumeFunc[T any](queue string, handle consumer.Handler[T], cfg consumer.Config) fx.Option {
	return fx.Provide(AsConsumer(func(conn *connection.Connection) (*consumer.Consumer, error) {
		return consumer.New(conn, queue, handle, cfg)
	}))
}

// AsConsumer makes of a constructor one whose consumer runs with the application, for fx.Provide:
//
//	fx.Provide(warrenfx.AsConsumer(NewOrders))
//
//	func NewOrders(conn *connection.Connection, b *Billing, c *avrocodec.Codec, s Settings) (*consumer.Consumer, error) {
//		return consumer.New(conn, "orders", b.Charge, consumer.Config{Codec: c, Workers: s.Workers})
//	}
//
// The constructor may ask for whatever the container has. Its first result is a *consumer.Consumer, or a slice of them:
// one for each tenant, say. Any other, or nil, is an error of the application. The consumer need not be on the module's
// connection; another one is the caller's to close.
//
// Annotations go to fx.Annotate, such as fx.ParamTags for parameters that have names.
func AsConsumer(constructor any, annotations ...fx.Annotation) any {
	group := consumerGroup
	switch several, err := makesConsumers(constructor); {
	case err != nil:
		// Whoever asks for the consumers gets to know: an annotation cannot return an error.
		constructor, annotations = func() (*consumer.Consumer, error) { return nil, err }, nil
	case several:
		group = consumersGroup
	}
	return fx.Annotate(constructor, append(slices.Clone(annotations), fx.ResultTags(group))...)
}

// makesConsumers checks what Fx does not: it would put a result of another type into a group of the same name that nobody
// asks for, and the consumer would never run.
func makesConsumers(constructor any) (several bool, err error) {
	t := reflect.TypeOf(constructor)
	if t == nil || t.Kind() != reflect.Func {
		return false, fmt.Errorf("AsConsumer needs a constructor, not %T", constructor)
	}
	if reflect.ValueOf(constructor).IsNil() || t.NumOut() == 0 {
		return false, errors.New("AsConsumer needs a constructor of a *consumer.Consumer; this one makes nothing")
	}
	switch out := t.Out(0); out {
	case reflect.TypeFor[*consumer.Consumer]():
		return false, nil
	case reflect.TypeFor[[]*consumer.Consumer]():
		return true, nil
	default:
		return false, fmt.Errorf("AsConsumer needs a constructor of a *consumer.Consumer; this one makes a %v", out)
	}
}

// AsMonitor makes of a constructor one whose monitor is told what happens on the module's connection, for fx.Provide:
//
//	fx.Provide(warrenfx.AsMonitor(NewStatsD)) // func(Settings) (*statsdmonitor.Monitor, error)
//
// A constructor that returns nil adds none, so that one can depend on the configuration. The application's stop closes the
// monitor, after the connection, if it has a method Close() error or Close(context.Context) error.
//
// Monitors are told in no particular order, and each is told, whatever the others do. A consumer or publisher whose
// Config has a Monitor of its own tells only that. Annotations go to fx.Annotate.
func AsMonitor(constructor any, annotations ...fx.Annotation) any {
	return fx.Annotate(constructor, append(slices.Clone(annotations),
		fx.As(new(monitoring.Monitor)), fx.ResultTags(monitorGroup))...)
}
