// Package consumertest runs a handler on one message and tells what would
// become of that message, with no broker.
//
//	func TestADeclinedCardIsForAPerson(t *testing.T) {
//		out := consumertest.Run(t, billing.Charge, Order{ID: "7"})
//		if out.Fate != consumertest.Errored || out.Reason != monitoring.ReasonRejected {
//			t.Errorf("got %v", out)
//		}
//	}
//
// The message takes the way that it takes in production, by the same code: it is
// encoded, decoded and validated, the handler runs in a worker under its
// timeout, what it does to its goroutine is contained, and its outcome is
// carried out up to the message that would be published to a retry queue or to
// the error queue.
//
// In a bubble of testing/synctest time is virtual: a handler that waits for its
// timeout of a minute, or is stuck beyond it, costs nothing. Outside of one it
// takes as long as it takes in production. A handler that is stuck is left
// running; in a bubble it must end before the test does.
//
// One run is one delivery. For the whole life of a message, with its waits and
// redeliveries, and for lost connections, use package rabbittest.
package consumertest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/internal/rehearsal"
	"github.com/warren-mq/warren/monitoring"
)

// TB is what is needed of a testing.TB, such as a *testing.T. Fatalf is called,
// in the goroutine of the caller, for what consumer.New would refuse and for a
// message that cannot be made. It must not return.
type TB interface {
	Context() context.Context
	Fatalf(format string, args ...any)
	Helper()
}

// defaultQueue is the main queue of messages that name none.
const defaultQueue = "consumertest"

// Run runs handle on a first attempt at a message with that body, published to
// the queue "consumertest", as a consumer with the zero Config would. It returns
// when the message is settled, or when the handler is stuck.
func Run[T any](t TB, handle consumer.Handler[T], body T) Result {
	t.Helper()
	return RunMessage(t.Context(), t, handle, consumer.Message[T]{Body: body}, consumer.Config{})
}

// RunMessage runs handle on a message that is given as a handler sees it, as a
// consumer with that Config would. All that is zero is as in a message that
// Warren's publisher has sent to the queue, but for the ID:
//
//   - Body is encoded with the codec for ContentType, or else Config.Codec. If
//     Raw is not nil it is the body, Body is not used, and what cannot be decoded
//     is a body to test with.
//   - An empty Queue is "consumertest".
//   - Attempt 0 is 1. On a later attempt the message has the headers that an
//     earlier one has left, but for the texts of its failures.
//     With consumer.Native it has the broker's counts, and is redelivered.
//   - Headers, with Exchange and Key, are those that it was published with.
//
// What ctx is to Run of a Consumer it is here: the handler gets its values, and
// when it ends, the consumer stops. Config.Drain later the handler's context
// ends with consumer.ErrDraining. If the cause of ctx is
// consumer.ErrConnectionLost, then that is what happens, at once.
//
// consumer.Auto is consumer.Tiers here.
//
// Of Config, what is about the broker and about other messages has no effect:
// Bindings, Declare, Prefetch, Workers and the like. Nothing is told to a monitor
// that Config does not name.
func RunMessage[T any](ctx context.Context, t TB, handle consumer.Handler[T], m consumer.Message[T], cfg consumer.Config) Result {
	t.Helper()
	d, err := delivery(m, cfg)
	if err != nil {
		t.Fatalf("consumertest: %v", err)
	}
	return run(ctx, t, cmp.Or(m.Queue, defaultQueue), handle, d, cfg)
}

// RunDelivery runs handle on a message as the client library delivers it: for
// bodies that are compressed, headers of any form, or a message that was found
// in an error queue. RoutingKey, if Exchange is empty, is the main queue; else,
// or if both are empty, that is "consumertest". A delivery that has come back
// from a retry queue names its queue in the header warren-queue; others are
// first attempts. Acknowledger, ConsumerTag and DeliveryTag have no effect.
//
// See [RunMessage] for the rest.
func RunDelivery[T any](ctx context.Context, t TB, handle consumer.Handler[T], d amqp.Delivery, cfg consumer.Config) Result {
	t.Helper()
	queue := defaultQueue
	if d.Exchange == "" {
		queue = cmp.Or(d.RoutingKey, defaultQueue)
		d.RoutingKey = queue
	}
	return run(ctx, t, queue, handle, d, cfg)
}

// delivery makes what the broker would deliver.
func delivery[T any](m consumer.Message[T], cfg consumer.Config) (amqp.Delivery, error) {
	if m.Attempt < 0 {
		return amqp.Delivery{}, fmt.Errorf("Message.Attempt is negative: %d", m.Attempt)
	}
	d := amqp.Delivery{
		AppId:         m.AppID,
		Body:          m.Raw,
		ContentType:   m.ContentType,
		CorrelationId: m.CorrelationID,
		DeliveryMode:  amqp.Persistent,
		Exchange:      m.Exchange,
		MessageId:     m.ID,
		Priority:      m.Priority,
		Redelivered:   m.Redelivered,
		ReplyTo:       m.ReplyTo,
		RoutingKey:    m.Key,
		Timestamp:     m.Published.Truncate(time.Second), // as AMQP does
		Type:          m.Type,
	}
	queue := cmp.Or(m.Queue, defaultQueue)
	if d.Exchange == "" {
		d.RoutingKey = cmp.Or(d.RoutingKey, queue)
	}
	headers, err := confirm.Table(m.Headers)
	if err != nil {
		return d, err
	}
	d.Headers = headers
	if m.Attempt > 1 {
		d.Headers = make(amqp.Table, len(headers)+4)
		maps.Copy(d.Headers, headers)
	}
	switch {
	case m.Attempt <= 1:
	case cfg.Waiting == consumer.Native: // it comes from the main queue
		d.Redelivered = true
		d.Headers[header.DeliveryCount], d.Headers[header.AcquiredCount] = int64(m.Attempt)-1, int64(m.Attempt)-1
	default:
		d.Headers[header.Queue] = queue
		d.Headers[header.Attempt] = int64(m.Attempt)
		d.Headers[header.OriginExchange], d.Headers[header.OriginKey] = d.Exchange, d.RoutingKey
		d.Exchange, d.RoutingKey = "", queue // as it comes from a retry queue
	}
	if m.Raw != nil {
		return d, nil
	}
	set, err := codec.NewSet(fallback[T](cfg), cfg.Codecs...)
	if err != nil {
		return d, err
	}
	c := set.For(m.ContentType)
	d.ContentType = cmp.Or(m.ContentType, c.ContentType())
	d.Body, err = c.Encode(m.Body)
	return d, err
}

func fallback[T any](cfg consumer.Config) codec.Codec {
	if cfg.Codec != nil {
		return cfg.Codec
	}
	return codec.Default[T]()
}

// run lets a consumer play d.
func run[T any](ctx context.Context, t TB, queue string, handle consumer.Handler[T], d amqp.Delivery, cfg consumer.Config) Result {
	t.Helper()
	notes := new(notes)
	cfg.Monitor = monitoring.All(notes, cfg.Monitor)
	var noted consumer.Handler[T]
	if handle != nil { // nil is for New to refuse
		noted = func(ctx context.Context, m consumer.Message[T]) consumer.Outcome {
			notes.begin()
			o := handle(ctx, m)
			notes.end(o)
			return o
		}
	}
	// It never connects.
	conn, err := connection.New("amqp://127.0.0.1", connection.Config{Monitor: monitoring.Discard{}})
	if err != nil {
		t.Fatalf("consumertest: %v", err)
	}
	c, err := consumer.New(conn, queue, noted, cfg)
	if err != nil {
		t.Fatalf("consumertest: %v", err)
	}
	stage := &rehearsal.Stage{Delivery: d}
	// The error is about what Result tells, too: a handler that still runs.
	_ = c.Run(rehearsal.With(ctx, stage))
	return notes.result(stage.Sent())
}
