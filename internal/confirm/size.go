package confirm

import (
	"fmt"
	"math"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// HeadSize returns the size of the frame that carries p's properties and
// headers. See section 4.2.6.1 of the AMQP 0-9-1 specification.
func HeadSize(p *amqp.Publishing) int {
	n, _ := headSize(p)
	return n
}

// TableSize returns the encoded size of t.
func TableSize(t map[string]any) int {
	n, _ := tableSize(t, 0)
	return n
}

// EntrySize returns the encoded size of one entry of a table.
func EntrySize(key string, value any) int {
	n, _ := fieldSize(value, 0)
	return 1 + len(key) + n
}

// headSize returns the size, and an error if the client cannot encode p.
func headSize(p *amqp.Publishing) (int, error) {
	// Frame header and end, class, weight, body size, property flags.
	n := 8 + 2 + 2 + 8 + 2
	for _, s := range [...]string{
		p.ContentType, p.ContentEncoding, p.CorrelationId, p.ReplyTo,
		p.Expiration, p.MessageId, p.Type, p.UserId, p.AppId,
	} {
		if s != "" {
			n += 1 + len(s)
		}
	}
	if p.DeliveryMode > 0 {
		n++
	}
	if p.Priority > 0 {
		n++
	}
	if !p.Timestamp.IsZero() {
		n += 8
	}
	if len(p.Headers) == 0 {
		return n, nil
	}
	t, err := tableSize(p.Headers, 0)
	return n + t, err
}

// maxDepth bounds how deep headers may be nested: this client cannot read what
// is deeper, and ends the connection of whoever receives it.
const maxDepth = 32

func tableSize(t map[string]any, depth int) (int, error) {
	n := 4
	if depth > maxDepth {
		return n, fmt.Errorf("%w: nested deeper than %d", ErrHeader, maxDepth)
	}
	for k, v := range t {
		if len(k) > math.MaxUint8 {
			return n, fmt.Errorf("%w: a name has %d bytes, at most 255 are possible", ErrHeader, len(k))
		}
		size, err := fieldSize(v, depth)
		if err != nil {
			return n, fmt.Errorf("header %q: %w", k, err)
		}
		n += 1 + len(k) + size
	}
	return n, nil
}

func fieldSize(v any, depth int) (int, error) {
	switch v := v.(type) {
	case nil:
		return 1, nil
	case bool, byte, int8:
		return 2, nil
	case int16, uint16:
		return 3, nil
	case int, int32, uint32: // the client sends an int in 32 bits
		return 5, nil
	case float32:
		return 5, finite(float64(v))
	case amqp.Decimal:
		return 6, nil
	case float64:
		return 9, finite(v)
	case int64, time.Time:
		return 9, nil
	case string:
		return 5 + len(v), nil
	case []byte:
		return 5 + len(v), nil
	case []any:
		n := 5
		if depth >= maxDepth {
			return n, fmt.Errorf("%w: nested deeper than %d", ErrHeader, maxDepth)
		}
		for _, e := range v {
			size, err := fieldSize(e, depth+1)
			if err != nil {
				return n, err
			}
			n += size
		}
		return n, nil
	case amqp.Table:
		n, err := tableSize(v, depth+1)
		return 1 + n, err
	default:
		return 1, fmt.Errorf("%w: AMQP has no type for %T", ErrHeader, v)
	}
}

// finite refuses what RabbitMQ cannot read: it ends the connection (541).
func finite(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Errorf("%w: %v is no number that AMQP has", ErrHeader, f)
	}
	return nil
}
