package consumer

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/confirm"
)

// Handler handles one message and says what becomes of it.
//
// It runs in one of the consumer's workers, many at a time. ctx ends when
// Config.Timeout has passed, when the connection on which the message came is
// lost ([ErrConnectionLost]), or when the consumer stops and has waited long
// enough ([ErrDraining]); context.Cause tells which. A handler must return soon
// after that. Running twice for the same message must do no harm: whatever
// dies between the handler's last line and the broker's note of it leads to
// another delivery.
//
// A handler that panics is treated as if it had returned [Retry].
//
// Middleware needs no API: any func(Handler[T]) Handler[T] will do.
type Handler[T any] func(ctx context.Context, m Message[T]) Outcome

// Message is one message as a handler sees it. It is plain data: tests write it
// as a literal. What it refers to is shared and must not be modified.
type Message[T any] struct {
	// Body is the decoded and validated body.
	Body T
	// Raw is the body as it was received, before it was decompressed.
	Raw []byte

	// ID is the message's id. It is empty if a foreign publisher gave none;
	// Warren assigns one when it first publishes the message again, as for a
	// retry, and it stays.
	ID string
	// Queue is the main queue.
	Queue string
	// Attempt counts the deliveries to a handler, from 1. Deferrals do not
	// count, nor do deliveries that ended with a lost connection, unless
	// Config.Waiting is Native.
	Attempt int
	// Redelivered says that the broker has delivered the message before,
	// perhaps without anyone having handled it.
	Redelivered bool
	// Published is when it was published, in whole seconds; zero if its
	// publisher did not say.
	Published time.Time

	// Exchange and Key are what it was published with: to a queue, the empty
	// exchange and the queue's name. They stay over retries.
	Exchange, Key string
	// Headers are all its headers. Nested tables are map[string]any, and arrays
	// []any. Nil if there are none.
	Headers map[string]any

	// The rest are properties that the publisher may have set.
	AppID, ContentType, CorrelationID, ReplyTo, Type string
	// Priority is 0 if none was set.
	Priority uint8
}

// newMessage makes the message for a delivery, without the body.
func newMessage[T any](d *delivery) Message[T] {
	return Message[T]{
		Raw:           d.Body,
		ID:            d.MessageId,
		Queue:         d.about.Queue,
		Attempt:       d.state.Attempt,
		Redelivered:   d.Redelivered,
		Published:     d.Timestamp,
		Exchange:      d.about.Exchange,
		Key:           d.about.Key,
		Headers:       plain(d.Headers),
		AppID:         d.AppId,
		ContentType:   d.ContentType,
		CorrelationID: d.CorrelationId,
		ReplyTo:       d.ReplyTo,
		Type:          d.Type,
		Priority:      d.Priority,
	}
}

// plain returns t without the client's types. Most messages have no nested
// tables, and their headers are returned as they are.
func plain(t amqp.Table) map[string]any {
	nested := false
	for _, v := range t {
		switch v.(type) {
		case amqp.Table, []any:
			nested = true
		}
	}
	if !nested {
		return t
	}
	return confirm.Plain(t)
}
