package confirm

import (
	"bytes"
	"fmt"
	"math"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Table returns a copy of headers in the types that every AMQP 0-9-1 client can
// read: unsigned integers and int become int64, because Java and Ruby clients
// cannot read the unsigned ones and this client cuts an int to 32 bits; maps and
// slices become tables and arrays. It refuses what AMQP cannot carry, and what
// is nested deeper than 32.
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

// Plain returns a copy of t, which the client has read, without the client's
// types: tables are maps.
func Plain(t amqp.Table) map[string]any {
	m := make(map[string]any, len(t))
	for k, v := range t {
		m[k] = plain(v)
	}
	return m
}

func plain(v any) any {
	switch v := v.(type) {
	case amqp.Table:
		return Plain(v)
	case []any:
		a := make([]any, len(v))
		for i, e := range v {
			a[i] = plain(e)
		}
		return a
	default:
		return v
	}
}
