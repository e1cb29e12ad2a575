package confirm

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Message is what is sent, and where to.
type Message struct {
	Exchange, Key string
	// Optional says that it is no error if no queue takes the message.
	Optional bool
	// Room is how many bytes of the frame of headers must stay free. 0 means
	// HeadRoom; less is for messages that came with such headers.
	Room int
	amqp.Publishing
}

// HeadRoom is what is left free in the frame of the headers: the broker adds
// its own (x-death, x-delivery-count) to a message later, and a header frame
// above frame_max ends the connection of everyone who receives it.
const HeadRoom = 4 << 10

// check refuses what would end the channel, or the connection, for everyone.
func (m *Message) check(frameMax int) error {
	room := m.Room
	if room == 0 {
		room = HeadRoom
	}
	for _, s := range []struct{ name, value string }{
		{"exchange", m.Exchange}, {"routing key", m.Key},
		{"content type", m.ContentType}, {"content encoding", m.ContentEncoding},
		{"correlation id", m.CorrelationId}, {"reply-to", m.ReplyTo},
		{"expiration", m.Expiration}, {"message id", m.MessageId},
		{"type", m.Type}, {"user id", m.UserId}, {"app id", m.AppId},
	} {
		if len(s.value) > math.MaxUint8 {
			return fmt.Errorf("%w: the %s has %d bytes, at most 255 are possible", ErrTooLarge, s.name, len(s.value))
		}
	}
	if n := HeadSize(&m.Publishing); n > frameMax-room {
		return fmt.Errorf("%w: headers and properties take %d bytes, at most %d are possible",
			ErrTooLarge, n, frameMax-room)
	}
	return nil
}

// HeadSize returns the size of the frame that carries p's properties and
// headers. See section 4.2.6.1 of the AMQP 0-9-1 specification.
func HeadSize(p *amqp.Publishing) int {
	// Frame header and end, class, weight, body size, property flags.
	n := 8 + 2 + 2 + 8 + 2
	for _, s := range []string{
		p.ContentType, p.ContentEncoding, p.CorrelationId, p.ReplyTo,
		p.Expiration, p.MessageId, p.Type, p.UserId, p.AppId,
	} {
		if s != "" {
			n += 1 + len(s)
		}
	}
	n += 2 // delivery mode, priority
	if !p.Timestamp.IsZero() {
		n += 8
	}
	if len(p.Headers) > 0 {
		n += TableSize(p.Headers)
	}
	return n
}

// TableSize returns the encoded size of t.
func TableSize(t map[string]any) int {
	n := 4
	for k, v := range t {
		n += EntrySize(k, v)
	}
	return n
}

// EntrySize returns the encoded size of one entry of a table.
func EntrySize(key string, value any) int { return 1 + len(key) + fieldSize(value) }

func fieldSize(v any) int {
	switch v := v.(type) {
	case bool, byte, int8:
		return 2
	case int16, uint16:
		return 3
	case int, int32, uint32, float32: // the client sends an int in 32 bits
		return 5
	case amqp.Decimal:
		return 6
	case int64, float64, time.Time:
		return 9
	case string:
		return 5 + len(v)
	case []byte:
		return 5 + len(v)
	case []any:
		n := 5
		for _, e := range v {
			n += fieldSize(e)
		}
		return n
	case amqp.Table:
		return 1 + TableSize(v)
	default: // nil
		return 1
	}
}

// maxDepth bounds how deep headers may be nested. Others' parsers recurse.
const maxDepth = 64

// Table returns a copy of headers in the types that every AMQP 0-9-1 client can
// read: any integer becomes an int64, because Java and Ruby clients cannot read
// the unsigned ones and this client cuts an int to 32 bits; maps and slices
// become tables and arrays. It refuses what AMQP cannot carry.
func Table(headers map[string]any) (amqp.Table, error) {
	if headers == nil {
		return nil, nil
	}
	return table(headers, 0)
}

func table(headers map[string]any, depth int) (amqp.Table, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested deeper than %d", ErrHeader, maxDepth)
	}
	t := make(amqp.Table, len(headers))
	for k, v := range headers {
		if len(k) > math.MaxUint8 {
			return nil, fmt.Errorf("%w: a name has %d bytes, at most 255 are possible", ErrHeader, len(k))
		}
		f, err := field(v, depth)
		if err != nil {
			return nil, fmt.Errorf("header %q: %w", k, err)
		}
		t[k] = f
	}
	return t, nil
}

func field(v any, depth int) (any, error) {
	switch v := v.(type) {
	case nil, bool, int8, int16, int32, int64, float32, float64, string, amqp.Decimal, time.Time:
		return v, nil
	case []byte:
		return bytes.Clone(v), nil
	case int:
		return int64(v), nil
	case byte:
		return int64(v), nil
	case uint16:
		return int64(v), nil
	case uint32:
		return int64(v), nil
	case uint:
		return unsigned(uint64(v))
	case uint64:
		return unsigned(v)
	case map[string]any:
		return table(v, depth+1)
	case amqp.Table:
		return table(v, depth+1)
	case map[string]string:
		t := make(amqp.Table, len(v))
		for k, s := range v {
			t[k] = s
		}
		return table(t, depth+1)
	case []any:
		return array(v, depth+1)
	case []string:
		a := make([]any, len(v))
		for i, s := range v {
			a[i] = s
		}
		return a, nil
	default:
		return nil, fmt.Errorf("%w: AMQP has no type for %T", ErrHeader, v)
	}
}

func unsigned(v uint64) (any, error) {
	if v > math.MaxInt64 {
		return nil, fmt.Errorf("%w: %d is above the largest int64", ErrHeader, v)
	}
	return int64(v), nil
}

func array(v []any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested deeper than %d", ErrHeader, maxDepth)
	}
	a := make([]any, len(v))
	for i, e := range v {
		f, err := field(e, depth)
		if err != nil {
			return nil, err
		}
		a[i] = f
	}
	return a, nil
}

func containsQuoted(text, name string) bool { return strings.Contains(text, "'"+name+"'") }
