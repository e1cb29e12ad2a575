package publisher

import (
	"cmp"
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/internal/confirm"
)

// Message is all that can be said about a message. Only a destination is
// required. A text property has at most 255 bytes.
type Message struct {
	// Body is what the codec encodes. Nil is what the codec makes of it, null in
	// JSON; for an empty body give []byte{}.
	Body any

	// Exchange and Key are where it goes. An empty Exchange is the default one,
	// where Key is the name of a queue. An exchange must exist, and the user may
	// have to be allowed to publish to it: otherwise the message is an
	// ErrUnroutable or ErrRefused, the broker closes the channel, and what else
	// is in flight on this Publisher becomes unknown.
	Exchange, Key string

	// Headers are the application's. Values may be nil, bool, string, []byte,
	// time.Time (to the second), any integer that fits into an int64 (and
	// arrives as one), floats, amqp091.Decimal, []any, []string, map[string]any,
	// map[string]string and amqp091.Table; others are an ErrEncode.
	//
	// Headers that begin with "warren-", and those in which the broker keeps its
	// books (x-death, x-first-death-…, x-last-death-…, x-delivery-count,
	// x-acquired-count), are left out: applications copy them from messages that
	// they received, and there they would be believed.
	//
	// The headers CC and BCC are lists of further keys, which the broker routes
	// to as well. They weaken the promise: a message that any one key finds a
	// queue for is not returned, though the others find none.
	Headers map[string]any

	// ID is the message's id. Empty means a new UUID of version 7. Those of one
	// Publisher ascend.
	ID string
	// CorrelationID and Type are the application's.
	CorrelationID, Type string
	// ReplyTo is the queue for the answer. RabbitMQ's amq.rabbitmq.reply-to is
	// an ErrEncode: its answers would come to the Publisher's own channel.
	ReplyTo string
	// ContentType says what the body is. Empty means that of the codec.
	ContentType string
	// ContentEncoding says how the body is compressed, such as gzip. It
	// compresses nothing: give the compressed body as []byte.
	ContentEncoding string
	// AppID names the program that publishes. Empty means Config.AppID.
	AppID string
	// UserID must be the user of the connection, whom the broker then vouches
	// for. On any other it closes the channel: the message is an ErrRefused, and
	// what else is in flight on this Publisher becomes unknown.
	UserID string

	// Expiration is for how long the message may wait in its queue. The broker
	// then removes it, or moves it to where the queue dead-letters; from a queue
	// that a consumer of Warren declared, to the error queue. 0 means for ever.
	// It is rounded up to milliseconds; at most ten years are possible.
	Expiration time.Duration
	// Priority is for queues that have priorities. Larger is earlier; 0 is none.
	Priority uint8
	// Timestamp is when the message was made, to the second, not before 1970.
	// Zero means now.
	Timestamp time.Time

	// Optional says that it is no error if no queue takes the message. The
	// broker then throws it away, and confirms it. The exchange must exist all
	// the same.
	Optional bool
}

// to makes a Message of a body that is for a queue.
func to(queue string, body any) Message {
	var m Message
	switch b := body.(type) {
	case Message:
		m = b
	case *Message:
		if b == nil {
			return Message{Key: queue, Body: body} // encode refuses it
		}
		m = *b
	default:
		return Message{Key: queue, Body: body}
	}
	if m.Exchange == "" && m.Key == "" {
		m.Key = queue
	}
	return m
}

// maxExpiration is RabbitMQ's; it closes the channel on a longer one.
const maxExpiration = 10 * 365 * 24 * time.Hour

// directReply is a name that RabbitMQ closes the channel on, unless the same
// channel consumes from it.
const directReply = "amq.rabbitmq.reply-to"

// check refuses what makes no sense, or would end the channel for everyone.
func (m *Message) check() error {
	switch {
	case m.Exchange == "" && m.Key == "":
		return cannotEncode("it has neither queue nor exchange")
	case m.Expiration < 0:
		return cannotEncode("its expiration is negative: %v", m.Expiration)
	case m.Expiration > maxExpiration:
		return cannotEncode("its expiration is %v, at most %v are possible", m.Expiration, maxExpiration)
	case !m.Timestamp.IsZero() && m.Timestamp.Unix() < 0:
		return cannotEncode("its timestamp is before 1970: %v", m.Timestamp)
	case m.ReplyTo == directReply:
		return cannotEncode("a reply to %s would come to the publisher's channel", directReply)
	}
	return nil
}

// encode returns the body as it is sent, and its content type.
func (p *Publisher) encode(m *Message) (body []byte, contentType string, err error) {
	switch m.Body.(type) {
	case Message, *Message:
		return nil, "", cannotEncode("its body is a %T", m.Body)
	}
	c := p.config.Codec
	if c == nil {
		c = defaultCodec(m.Body)
	}
	if body, err = c.Encode(m.Body); err != nil {
		return nil, "", cannotEncode("%w", err)
	}
	contentType = cmp.Or(m.ContentType, c.ContentType(), "application/octet-stream")
	return body, contentType, nil
}

// defaultCodec is codec.Default for a body whose type is known at run time only.
func defaultCodec(body any) codec.Codec {
	if _, ok := body.([]byte); ok {
		return codec.Raw{}
	}
	t := reflect.TypeOf(body)
	if t == nil || t.Kind() != reflect.Slice || t.Elem() != reflect.TypeFor[byte]() {
		return codec.JSON{}
	}
	for _, own := range []reflect.Type{
		reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.Unmarshaler](),
		reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
	} {
		if reflect.PointerTo(t).Implements(own) {
			return codec.JSON{}
		}
	}
	return codec.Raw{}
}

// envelope returns m as it is sent, but for headers, body and content type.
func (p *Publisher) envelope(m *Message) confirm.Message {
	return confirm.Message{
		Exchange: m.Exchange, Key: m.Key, Optional: m.Optional,
		Publishing: amqp.Publishing{
			DeliveryMode:    amqp.Persistent,
			MessageId:       m.ID,
			CorrelationId:   m.CorrelationID,
			Type:            m.Type,
			ReplyTo:         m.ReplyTo,
			ContentEncoding: m.ContentEncoding,
			AppId:           cmp.Or(m.AppID, p.config.AppID),
			UserId:          m.UserID,
			Expiration:      expiration(m.Expiration),
			Priority:        m.Priority,
			Timestamp:       m.Timestamp,
		},
	}
}

// expiration is written in milliseconds. 0 ms would mean at once, not never.
func expiration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return strconv.FormatInt(int64((d+time.Millisecond-1)/time.Millisecond), 10)
}
