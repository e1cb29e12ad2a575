package wire

import (
	"encoding/binary"
	"unicode/utf8"
)

// coder reads or writes the fields of a method, of a header or of a table, so
// that each of them is described once.
//
// There are two ways to be unreadable, as in RabbitMQ: broken says that the
// sizes do not add up, wrong is what else is the matter with a value. It finds
// the first before it looks for the second.
type coder struct {
	b       []byte // what is still to be read, or what is written so far
	writing bool
	broken  bool
	wrong   *Error
}

// take cuts n bytes off what is to be read. It allocates nothing, so a claimed
// length costs nothing. Without enough bytes it returns nil; so it does for
// none at all.
func (c *coder) take(n uint64) []byte {
	if c.broken || n > uint64(len(c.b)) {
		c.broken = true
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

func (c *coder) blame(e *Error) {
	if c.wrong == nil {
		c.wrong = e
	}
}

func (c *coder) uint8(v *uint8) {
	if c.writing {
		c.b = append(c.b, *v)
	} else if b := c.take(1); b != nil {
		*v = b[0]
	}
}

func (c *coder) uint16(v *uint16) {
	if c.writing {
		c.b = binary.BigEndian.AppendUint16(c.b, *v)
	} else if b := c.take(2); b != nil {
		*v = binary.BigEndian.Uint16(b)
	}
}

func (c *coder) uint32(v *uint32) {
	if c.writing {
		c.b = binary.BigEndian.AppendUint32(c.b, *v)
	} else if b := c.take(4); b != nil {
		*v = binary.BigEndian.Uint32(b)
	}
}

func (c *coder) uint64(v *uint64) {
	if c.writing {
		c.b = binary.BigEndian.AppendUint64(c.b, *v)
	} else if b := c.take(8); b != nil {
		*v = binary.BigEndian.Uint64(b)
	}
}

// short is a string of at most 255 bytes, whatever they are. A longer one is
// cut off with three dots, as RabbitMQ does with its texts
// (rabbit_binary_generator:map_exception); only those can be longer.
func (c *coder) short(v *string) {
	if c.writing {
		s := *v
		if len(s) > 255 {
			s = s[:252] + "..."
		}
		c.b = append(append(c.b, byte(len(s))), s...)
		return
	}
	var n uint8
	c.uint8(&n)
	*v = string(c.take(uint64(n)))
}

// shortstr is a short string in a method. RabbitMQ wants those to be UTF-8,
// other than those in tables, properties, and basic.publish.
func (c *coder) shortstr(v *string) {
	c.short(v)
	if !c.writing && !utf8.ValidString(*v) {
		c.blame(&Error{Code: FrameError, Text: "FRAME_ERROR - Malformed UTF-8 in shortstr"})
	}
}

func (c *coder) longstr(v *string) {
	if c.writing {
		c.b = binary.BigEndian.AppendUint32(c.b, uint32(len(*v)))
		c.b = append(c.b, *v...)
		return
	}
	var n uint32
	c.uint32(&n)
	*v = string(c.take(uint64(n)))
}

// table is a table in a method. A broker that reads one forgets the 'L'.
func (c *coder) table(v *Table) {
	c.headers(v)
	if !c.writing {
		*v = v.Rewritten()
	}
}

// headers is a table in properties.
func (c *coder) headers(v *Table) {
	if c.writing {
		c.b = appendTable(c.b, *v)
		return
	}
	var n uint32
	c.uint32(&n)
	t, err := parseTable(c.take(uint64(n)), 0)
	if err != nil {
		c.blame(err)
	}
	*v = t
}

// bits are up to eight booleans in one byte, the first one in the lowest bit.
// RabbitMQ looks at no bit beyond them.
func (c *coder) bits(v ...*bool) {
	var b byte
	if c.writing {
		for i, bit := range v {
			if *bit {
				b |= 1 << i
			}
		}
	}
	c.uint8(&b)
	if !c.writing {
		for i, bit := range v {
			*bit = b&(1<<i) != 0
		}
	}
}

// The reserved fields are written as zero and read as anything.
func (c *coder) reservedBits()     { c.uint8(new(uint8)) }
func (c *coder) reservedUint16()   { c.uint16(new(uint16)) }
func (c *coder) reservedShortstr() { c.shortstr(new(string)) }
func (c *coder) reservedLongstr()  { c.longstr(new(string)) }
