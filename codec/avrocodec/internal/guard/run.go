package guard

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// Run checks body and returns it as Program.Target wants it: body itself, if there is nothing to rewrite, else new
// memory. It does not change body. It may be called by several goroutines at once.
func (p *Program) Run(body []byte, limits Limits) ([]byte, error) {
	r := run{in: body, limits: limits, free: len(body) + freeItems}
	if len(body) > limits.Bytes {
		return nil, r.limit("%d bytes are more than %d", len(body), limits.Bytes)
	}
	if err := r.value(p.root); err != nil {
		return nil, err
	}
	if left := len(body) - r.pos; left > 0 {
		return nil, r.malformed("%d bytes follow the value", left)
	}
	if !r.edited {
		return body, nil
	}
	r.flush(r.pos)
	return r.out, nil
}

// A run is one walk over a body. What is kept is copied lazily: out has what became of in[:copied], and from there to
// pos everything is to be kept as it is. So a body in which nothing is to be changed is never copied.
type run struct {
	in     []byte
	pos    int
	limits Limits
	depth  int
	values int
	free   int // how many more items without bytes there may be

	out    []byte
	copied int
	edited bool
	muted  int // above 0 within what is dropped: there is nothing to edit
	spans  [][2]int
	spare  []byte
	moved  int
}

func (r *run) malformed(format string, args ...any) error {
	return &bodyError{kind: ErrMalformed, offset: r.pos, reason: fmt.Sprintf(format, args...)}
}

func (r *run) limit(format string, args ...any) error {
	return &bodyError{kind: ErrLimit, offset: r.pos, reason: fmt.Sprintf(format, args...)}
}

func (r *run) cut(what string) error { return r.malformed("the body ends within %s", what) }

// charge takes n values off what the body may have.
func (r *run) charge(n int) error {
	if n > r.limits.Values-r.values {
		return r.limit("more than %d values", r.limits.Values)
	}
	r.values += n
	return nil
}

func (r *run) enter() error {
	if r.depth++; r.depth > r.limits.Depth {
		return r.limit("nested deeper than %d", r.limits.Depth)
	}
	return nil
}

// flush copies what is to be kept, up to the offset in the body.
func (r *run) flush(to int) {
	if r.muted > 0 {
		return
	}
	if !r.edited {
		r.edited = true
		r.out = make([]byte, 0, len(r.in)+64)
	}
	r.out = append(r.out, r.in[r.copied:to]...)
	r.copied = to
}

// put replaces in[from:pos] by b.
func (r *run) put(from int, b []byte) error {
	if r.muted > 0 {
		return nil
	}
	r.flush(from)
	if len(b) > r.limits.Bytes-len(r.out) {
		return r.limit("more than %d bytes with the defaults of the reader's schema", r.limits.Bytes)
	}
	r.out = append(r.out, b...)
	r.copied = r.pos
	return nil
}

// varint reads a zigzag number of at most the given length. The library drops the bits that do not fit; here they are
// an error.
func (r *run) varint(most int, what string) (int64, error) {
	var u uint64
	for i := range most {
		if r.pos+i >= len(r.in) {
			return 0, r.cut(what)
		}
		b := r.in[r.pos+i]
		if i == binary.MaxVarintLen64-1 && b > 1 {
			break
		}
		u |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			if most == lenInt && u > math.MaxUint32 {
				break
			}
			r.pos += i + 1
			return int64(u>>1) ^ -int64(u&1), nil
		}
	}
	return 0, r.malformed("%s is longer than its type", what)
}

const (
	lenInt  = binary.MaxVarintLen32
	lenLong = binary.MaxVarintLen64
)

func (r *run) take(n int, what string) error {
	if n > len(r.in)-r.pos {
		return r.cut(what)
	}
	r.pos += n
	return nil
}

// text reads a length and that many bytes, and returns the offset of the first.
func (r *run) text(what string) (int, error) {
	n, err := r.varint(lenLong, what)
	if err != nil {
		return 0, err
	}
	if n < 0 {
		return 0, r.malformed("%s has a negative length", what)
	}
	if left := len(r.in) - r.pos; n > int64(left) {
		return 0, r.malformed("%s of %d bytes, where %d are left", what, n, left)
	}
	from := r.pos
	r.pos += int(n)
	return from, nil
}

func (r *run) value(n *node) error {
	from := r.pos
	switch n.op {
	case opNull:
		return nil
	case opBoolean:
		if r.pos < len(r.in) && r.in[r.pos] > 1 {
			return r.malformed("a boolean that is neither 0 nor 1")
		}
		return r.take(1, "a boolean")
	case opInt, opLong:
		return r.whole(n)
	case opFloat:
		return r.take(4, "a float")
	case opDouble:
		return r.take(8, "a double")
	case opBytes, opDecimal:
		start, err := r.text("bytes")
		if err != nil || n.below == nil {
			return err
		}
		if r.pos-start > n.size {
			return r.malformed("a decimal of %d bytes, more than its precision needs", r.pos-start)
		}
		return r.amount(n, from, start)
	case opString:
		return r.str("a string")
	case opFixed, opFixedDecimal:
		if err := r.take(n.size, "a fixed"); err != nil || n.below == nil {
			return err
		}
		return r.amount(n, from, from)
	case opEnum:
		return r.enum(n)
	case opArray, opMap:
		return r.blocks(n)
	case opRecord:
		return r.record(n)
	case opUnion:
		return r.union(n)
	case opInto:
		if err := r.put(from, n.index); err != nil {
			return err
		}
		return r.value(n.item)
	case opIntToFloat, opIntToDouble, opLongToFloat, opLongToDouble, opFloatToDouble:
		return r.widen(n.op)
	case opFail:
	}
	return r.malformed("%s", n.why)
}

// amount checks in[start:pos], a decimal that began at from, and rewrites it if need be.
func (r *run) amount(n *node, from, start int) error {
	if err := r.decimal(n, start); err != nil || n.op != opDecimal && n.op != opFixedDecimal {
		return err
	}
	return r.put(from, appendDecimal(nil, r.in[start:r.pos], n.scale))
}

func (r *run) whole(n *node) error {
	from, most, what := r.pos, lenLong, "a long"
	if n.op == opInt {
		most, what = lenInt, "an int"
	}
	v, err := r.varint(most, what)
	if err == nil && (v < n.lo || v > n.hi) {
		r.pos = from
		return r.malformed("%s that the Go type cannot hold", what)
	}
	return err
}

func (r *run) str(what string) error {
	start, err := r.text(what)
	if err == nil && !utf8.Valid(r.in[start:r.pos]) {
		r.pos = start
		return r.malformed("%s that is not UTF-8", what)
	}
	return err
}

func (r *run) enum(n *node) error {
	from := r.pos
	v, err := r.varint(lenInt, "an enum")
	switch {
	case err != nil:
		return err
	case v < 0 || v >= int64(len(n.symbols)):
		r.pos = from
		return r.malformed("symbol %d of an enum that has %d", v, len(n.symbols))
	case n.symbols[v] < 0:
		r.pos = from
		return r.malformed("a symbol that the reader's enum has not, and it has no default")
	case n.same:
		return nil
	}
	return r.put(from, binary.AppendVarint(nil, int64(n.symbols[v])))
}

func (r *run) union(n *node) error {
	from := r.pos
	v, err := r.varint(lenInt, "a union")
	if err != nil {
		return err
	}
	if v < 0 || v >= int64(len(n.branches)) {
		r.pos = from
		return r.malformed("branch %d of a union that has %d", v, len(n.branches))
	}
	b := n.branches[v]
	switch {
	case int64(b.index) == v:
	case b.index < 0:
		err = r.put(from, nil)
	default:
		err = r.put(from, binary.AppendVarint(nil, int64(b.index)))
	}
	if err != nil {
		return err
	}
	return r.value(b.node)
}

// widen reads a number and writes it as the wider type of the reader's.
func (r *run) widen(o op) error {
	from := r.pos
	var v float64
	switch o {
	case opFloatToDouble:
		if err := r.take(4, "a float"); err != nil {
			return err
		}
		v = float64(math.Float32frombits(binary.LittleEndian.Uint32(r.in[from:])))
	default:
		most, what := lenLong, "a long"
		if o == opIntToFloat || o == opIntToDouble {
			most, what = lenInt, "an int"
		}
		i, err := r.varint(most, what)
		if err != nil {
			return err
		}
		if o == opIntToFloat || o == opLongToFloat {
			return r.put(from, binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(i))))
		}
		v = float64(i)
	}
	return r.put(from, binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)))
}
