package errorqueue

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/confirm"
)

// Message is a message with everything that it was published with. It is plain
// data: tests write it as a literal.
type Message struct {
	// These are the properties. What its publisher did not set is empty.
	ID, Type, AppID, ContentType, ContentEncoding, CorrelationID, ReplyTo, UserID string
	// Expiration is a time to live, in milliseconds as text.
	Expiration string
	// DeliveryMode is 2 for a persistent message.
	DeliveryMode, Priority uint8
	// Timestamp is in whole seconds.
	Timestamp time.Time

	// Exchange and Key are those of this delivery: how it came into the error
	// queue. See Entry for those with which it was first published.
	Exchange, Key string
	// Redelivered says that somebody has had it before.
	Redelivered bool

	// Headers are all its headers, also those of the broker, in the types of
	// AMQP: bool, int8, int16, int32, int64, byte, uint16, uint32, float32,
	// float64, string, []byte, time.Time, amqp091.Decimal, nil, and
	// map[string]any and []any of those. Nil if there are none.
	Headers map[string]any
	// Body is as it was received: not decoded, nor decompressed.
	Body []byte
}

func newMessage(d *amqp.Delivery) Message {
	return Message{
		ID: d.MessageId, Type: d.Type, AppID: d.AppId,
		ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		CorrelationID: d.CorrelationId, ReplyTo: d.ReplyTo, UserID: d.UserId,
		Expiration: d.Expiration, DeliveryMode: d.DeliveryMode, Priority: d.Priority, Timestamp: d.Timestamp,
		Exchange: d.Exchange, Key: d.RoutingKey, Redelivered: d.Redelivered,
		Headers: plain(d.Headers), Body: d.Body,
	}
}

// plain returns t without the client's types. The client has seen to it that
// it is not nested deeper than it can read.
func plain(t amqp.Table) map[string]any {
	if len(t) == 0 {
		return nil
	}
	return confirm.Plain(t)
}

// overhead is about how much memory a message takes besides its headers and
// body.
const overhead = 1 << 10

// size is about how much memory the message takes.
func (m *Message) size() int { return len(m.Body) + tableSize(m.Headers) + overhead }

// size is about how much memory a delivery takes, with the Message made of it.
func size(d *amqp.Delivery) int { return len(d.Body) + 2*tableSize(d.Headers) + overhead }

// tableSize is about how many bytes are in a table.
func tableSize(t map[string]any) int {
	n := 0
	for k, v := range t {
		n += len(k) + valueSize(v)
	}
	return n
}

func valueSize(v any) int {
	const entry = 16
	switch v := v.(type) {
	case string:
		return entry + len(v)
	case []byte:
		return entry + len(v)
	case map[string]any:
		return entry + tableSize(v)
	case amqp.Table:
		return entry + tableSize(v)
	case []any:
		n := entry
		for _, e := range v {
			n += valueSize(e)
		}
		return n
	default:
		return entry
	}
}
