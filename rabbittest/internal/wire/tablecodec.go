package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

// maxDepth bounds how deep tables and arrays may lie in each other. RabbitMQ has
// no such bound; but a frame of the usual 131072 bytes can claim more than
// twenty thousand levels, nobody means them, and each costs a stack frame
// wherever a table is walked.
const maxDepth = 1024

var (
	errTooDeep    = unreadable("tables or arrays lie too deep in each other")
	errTable      = unreadable("a field table whose sizes do not add up")
	errUnknownTag = unreadable("a field of unknown type")
	errNotFinite  = unreadable("a number that is none, or is infinite")
)

// ParseTable reads the fields of a table that stands without its length, as in
// the response of the login mechanism AMQPLAIN.
func ParseTable(b []byte) (Table, error) {
	t, err := parseTable(b, 0)
	if err != nil {
		return nil, err
	}
	return t.Rewritten(), nil
}

// parseTable reads the fields of a table, which must fill b.
func parseTable(b []byte, depth int) (Table, *Error) {
	t := Table{}
	err := parseAll(b, depth, func(c *coder) {
		var f Field
		c.short(&f.Name)
		f.Value = c.value(depth)
		t = append(t, f)
	})
	return t, err
}

func parseArray(b []byte, depth int) (Array, *Error) {
	a := Array{}
	err := parseAll(b, depth, func(c *coder) { a = append(a, c.value(depth)) })
	return a, err
}

// parseAll calls read until nothing is left of b.
func parseAll(b []byte, depth int, read func(*coder)) *Error {
	if depth > maxDepth {
		return errTooDeep
	}
	c := coder{b: b}
	for len(c.b) > 0 {
		read(&c)
		switch {
		case c.broken:
			return errTable
		case c.wrong != nil:
			return c.wrong
		}
	}
	return nil
}

// value reads a type and a value of that type.
func (c *coder) value(depth int) any {
	var tag, u8 uint8
	var u16 uint16
	var u32 uint32
	var u64 uint64
	c.uint8(&tag)
	switch tag {
	case 'V':
		return nil
	case 't':
		c.uint8(&u8)
		return u8 != 0
	case 'b':
		c.uint8(&u8)
		return int8(u8)
	case 'B':
		c.uint8(&u8)
		return u8
	case 's':
		c.uint16(&u16)
		return int16(u16)
	case 'u':
		c.uint16(&u16)
		return u16
	case 'I':
		c.uint32(&u32)
		return int32(u32)
	case 'i':
		c.uint32(&u32)
		return u32
	case 'l':
		c.uint64(&u64)
		return int64(u64)
	case 'L':
		c.uint64(&u64)
		return LongLong(u64)
	case 'T':
		c.uint64(&u64)
		return Timestamp(u64)
	case 'f':
		c.uint32(&u32)
		f := math.Float32frombits(u32)
		c.finite(float64(f))
		return f
	case 'd':
		c.uint64(&u64)
		f := math.Float64frombits(u64)
		c.finite(f)
		return f
	case 'D':
		c.uint8(&u8)
		c.uint32(&u32)
		return Decimal{u8, u32}
	case 'S':
		c.uint32(&u32)
		return string(c.take(uint64(u32)))
	case 'x':
		c.uint32(&u32)
		return Binary(append([]byte{}, c.take(uint64(u32))...))
	case 'A':
		c.uint32(&u32)
		a, err := parseArray(c.take(uint64(u32)), depth+1)
		if err != nil {
			c.blame(err)
		}
		return a
	case 'F':
		c.uint32(&u32)
		t, err := parseTable(c.take(uint64(u32)), depth+1)
		if err != nil {
			c.blame(err)
		}
		return t
	default:
		c.blame(errUnknownTag)
		return nil
	}
}

// finite refuses what Erlang has no float for.
func (c *coder) finite(f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		c.blame(errNotFinite)
	}
}

func appendTable(b []byte, t Table) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	for _, f := range t {
		c := coder{b: b, writing: true}
		c.short(&f.Name)
		b = appendValue(c.b, f.Value)
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

func appendArray(b []byte, a Array) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	for _, v := range a {
		b = appendValue(b, v)
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

func appendValue(b []byte, v any) []byte {
	order := binary.BigEndian
	switch v := v.(type) {
	case nil:
		return append(b, 'V')
	case bool:
		if v {
			return append(b, 't', 1)
		}
		return append(b, 't', 0)
	case int8:
		return append(b, 'b', byte(v))
	case uint8:
		return append(b, 'B', v)
	case int16:
		return order.AppendUint16(append(b, 's'), uint16(v))
	case uint16:
		return order.AppendUint16(append(b, 'u'), v)
	case int32:
		return order.AppendUint32(append(b, 'I'), uint32(v))
	case uint32:
		return order.AppendUint32(append(b, 'i'), v)
	case int64:
		return order.AppendUint64(append(b, 'l'), uint64(v))
	case LongLong:
		return order.AppendUint64(append(b, 'L'), uint64(v))
	case Timestamp:
		return order.AppendUint64(append(b, 'T'), uint64(v))
	case float32:
		return order.AppendUint32(append(b, 'f'), math.Float32bits(v))
	case float64:
		return order.AppendUint64(append(b, 'd'), math.Float64bits(v))
	case Decimal:
		return order.AppendUint32(append(b, 'D', v.Scale), v.Value)
	case string:
		return append(order.AppendUint32(append(b, 'S'), uint32(len(v))), v...)
	case Binary:
		return append(order.AppendUint32(append(b, 'x'), uint32(len(v))), v...)
	case Array:
		return appendArray(append(b, 'A'), v)
	case Table:
		return appendTable(append(b, 'F'), v)
	default:
		// Only the broker's own code makes values that were not read: a mistake
		// there is to be loud.
		panic(fmt.Sprintf("wire: a field cannot hold a %T", v))
	}
}
