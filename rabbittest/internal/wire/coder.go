package wire

import "encoding/binary"

// coder reads or writes the fields of a method, so that each method describes
// them once. After an error it does nothing more.
type coder struct {
	b       []byte // what is still to be read, or what is written so far
	writing bool
	err     error
}

// take cuts n bytes off what is to be read.
func (c *coder) take(n int) []byte {
	if c.err != nil {
		return nil
	}
	if n > len(c.b) {
		c.err = errShort
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
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

// shortstr is a string of at most 255 bytes. A longer one is cut, at a
// character's end: only texts that a broker makes can be longer, and RabbitMQ
// cuts those (rabbit_binary_generator:amqp_error truncates).
func (c *coder) shortstr(v *string) {
	if c.writing {
		s := cut(*v, 255)
		c.b = append(append(c.b, byte(len(s))), s...)
		return
	}
	if n := c.take(1); n != nil {
		if b := c.take(int(n[0])); b != nil {
			*v = string(b)
		}
	}
}

func (c *coder) longstr(v *string) {
	if c.writing {
		c.b = appendLong(c.b, *v)
		return
	}
	if n := c.take(4); n != nil {
		if b := c.takeLong(binary.BigEndian.Uint32(n)); b != nil {
			*v = string(b)
		}
	}
}

// takeLong takes a claimed number of bytes, which may be more than an int holds.
func (c *coder) takeLong(n uint32) []byte {
	if uint64(n) > uint64(len(c.b)) {
		if c.err == nil {
			c.err = errShort
		}
		return nil
	}
	return c.take(int(n))
}

func (c *coder) table(v *Table) {
	if c.writing {
		c.b = appendTable(c.b, *v)
		return
	}
	if n := c.take(4); n != nil {
		b := c.takeLong(binary.BigEndian.Uint32(n))
		if c.err == nil {
			*v, c.err = parseTable(b, 0)
		}
	}
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

// cut shortens a text to at most n bytes of whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 { // in the middle of a UTF-8 sequence
		n--
	}
	return s[:n]
}

func appendLong(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}
