// Package rehearsal lets a consumer run one delivery without a broker. Package
// consumertest puts a Stage into the context of the consumer's Run, which takes
// its delivery from there, and leaves there what it would tell the broker.
// Everything in between is what happens in production.
//
// A context carries it, and no exported function of package consumer, so that
// nobody else can.
package rehearsal

import (
	"context"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/confirm"
)

// FrameMax is that of RabbitMQ, if nobody sets it otherwise. It bounds headers.
const FrameMax = 131072

// Stage is what stands in for the broker, for one delivery. It takes every
// message that is published, and every acknowledgement. It is safe for
// concurrent use.
type Stage struct {
	// Delivery is what is delivered. Its tag is 1.
	Delivery amqp.Delivery

	mu   sync.Mutex
	sent []confirm.Message
}

type key struct{}

// With returns ctx with a stage.
func With(ctx context.Context, s *Stage) context.Context { return context.WithValue(ctx, key{}, s) }

// On returns the stage of ctx; nil if there is none.
func On(ctx context.Context) *Stage {
	s, _ := ctx.Value(key{}).(*Stage)
	return s
}

// Send takes a message, as a broker that confirms it.
func (s *Stage) Send(_ context.Context, m confirm.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, m)
	return nil
}

// Close does nothing.
func (s *Stage) Close(context.Context) error { return nil }

// Ack does nothing: the consumer's events tell of it.
func (s *Stage) Ack(uint64, bool) error { return nil }

// Nack does nothing, for the same reason.
func (s *Stage) Nack(uint64, bool, bool) error { return nil }

// Reject does nothing, for the same reason.
func (s *Stage) Reject(uint64, bool) error { return nil }

// Sent returns what has been published.
func (s *Stage) Sent() []confirm.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent[:len(s.sent):len(s.sent)]
}
