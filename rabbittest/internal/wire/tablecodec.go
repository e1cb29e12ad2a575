package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

// maxDepth bounds how deep tables and arrays may lie in each other. A frame of
// the usual 131072 bytes can claim more than ten thousand levels; nobody means
// them, and each would cost a stack frame.
const maxDepth = 128

// parseTable reads the fields of a table, which must fill b.
func parseTable(b []byte, depth int) (Table, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	t := Table{}
	c := coder{b: b}
	for len(c.b) > 0 {
		var f Field
		c.shortstr(&f.Name)
		f.Value = c.value(depth)
		if c.err != nil {
			return nil, c.err
		}
		t = append(t, f)
	}
	return t, nil
}

func parseArray(b []byte, depth int) (Array, error) {
	if depth > maxDepth {
		return nil, errDeep
	}
	a := Array{}
	c := coder{b: b}
	for len(c.b) > 0 {
		v := c.value(depth)
		if c.err != nil {
			return nil, c.err
		}
		a = append(a, v)
	}
	return a, nil
}

// value reads a type and a value of that type.
func (c *coder) value(depth int) any {
	tag := c.take(1)
	if tag == nil {
		return nil
	}
	var u8 uint8
	var u16 uint16
	var u32 uint32
	var u64 uint64
	switch tag[0] {
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
	case 'l', 'L':
		c.uint64(&u64)
		return int64(u64)
	case 'T':
		c.uint64(&u64)
		return Timestamp(u64)
	case 'f':
		c.uint32(&u32)
		return math.Float32frombits(u32)
	case 'd':
		c.uint64(&u64)
		return math.Float64frombits(u64)
	case 'D':
		c.uint8(&u8)
		c.uint32(&u32)
		return Decimal{u8, u32}
	case 'S':
		var s string
		c.longstr(&s)
		return s
	case 'x':
		c.uint32(&u32)
		return Binary(append([]byte{}, c.takeLong(u32)...))
	case 'A':
		c.uint32(&u32)
		if b := c.takeLong(u32); c.err == nil {
			var a Array
			a, c.err = parseArray(b, depth+1)
			return a
		}
	case 'F':
		c.uint32(&u32)
		if b := c.takeLong(u32); c.err == nil {
			var t Table
			t, c.err = parseTable(b, depth+1)
			return t
		}
	default:
		c.err = errTag
	}
	return nil
}

func appendTable(b []byte, t Table) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	for _, f := range t {
		name := cut(f.Name, 255)
		b = append(append(b, byte(len(name))), name...)
		b = appendValue(b, f.Value)
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
	case Timestamp:
		return order.AppendUint64(append(b, 'T'), uint64(v))
	case float32:
		return order.AppendUint32(append(b, 'f'), math.Float32bits(v))
	case float64:
		return order.AppendUint64(append(b, 'd'), math.Float64bits(v))
	case Decimal:
		return order.AppendUint32(append(b, 'D', v.Scale), v.Value)
	case string:
		return appendLong(append(b, 'S'), v)
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
