package guard

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/hamba/avro/v2"
)

// A Program reads bodies of one writer's schema for one reader's schema and Go type. It cannot be changed, and may be
// used by several goroutines at once.
type Program struct {
	// Target is the schema of what Run returns: the reader's, without the fields that the Go type has no place for.
	Target avro.Schema
	// Serial says that the library must not decode two bodies at once: its decoder of fixed into uint64 keeps its
	// buffer.
	Serial bool
	// Generic says that what is decoded may hold slices of bytes, with the memory behind them as capacity, or boxes.
	Generic bool
	// Names have to be registered with the library.
	Names Names

	root *node
}

// Compile returns the program for bodies that were written with the writer's schema and are to become values of t, by
// the reader's schema. It is an error if t cannot hold what the schema describes, or if no body of the writer's could
// be read. If only some bodies cannot, those are refused when they come.
func Compile(writer, reader avro.Schema, t reflect.Type) (*Program, error) {
	s := &shaper{records: make(map[shapeKey]*avro.RecordSchema), names: make(Names)}
	target, err := s.shape(reader, t)
	if err != nil {
		return nil, err
	}
	c := &compiler{nodes: make(map[nodeKey]*node), shaper: s}
	root, err := c.node(writer, reader, t)
	if err != nil {
		return nil, err
	}
	return &Program{Target: target, Serial: s.serial, Generic: s.bytes, Names: s.names, root: root}, nil
}

// Check returns a program that only checks: bodies of this schema, for no Go type in particular.
func Check(schema avro.Schema) (*Program, error) {
	c := &compiler{nodes: make(map[nodeKey]*node)}
	root, err := c.node(schema, schema, nil)
	if err != nil {
		return nil, err
	}
	return &Program{Target: schema, root: root}, nil
}

// Readable says why no body of the writer's schema could be read with the reader's; nil if some could.
func Readable(writer, reader avro.Schema) error {
	_, err := Compile(writer, reader, anyType)
	return err
}

// HasFixed8 says whether there is a fixed of eight bytes in the schema: the library's codec for them and uint64 is not
// safe for concurrent use.
func HasFixed8(schema avro.Schema) bool {
	seen := make(map[avro.Schema]bool)
	var has func(avro.Schema) bool
	has = func(s avro.Schema) bool {
		s = actual(s)
		if seen[s] {
			return false
		}
		seen[s] = true
		switch s := s.(type) {
		case *avro.FixedSchema:
			return s.Size() == 8
		case *avro.ArraySchema:
			return has(s.Items())
		case *avro.MapSchema:
			return has(s.Values())
		case *avro.UnionSchema:
			return slices.ContainsFunc(s.Types(), has)
		case *avro.RecordSchema:
			return slices.ContainsFunc(s.Fields(), func(f *avro.Field) bool { return has(f.Type()) })
		}
		return false
	}
	return has(schema)
}

// nodeKey is what a record's node depends on. A nil type stands for no Go type: nothing is dropped.
type nodeKey struct {
	writer, reader avro.Schema
	t              reflect.Type
}

type compiler struct {
	nodes  map[nodeKey]*node // of records: they alone can contain themselves
	shaper *shaper
}

func actual(s avro.Schema) avro.Schema {
	if ref, ok := s.(*avro.RefSchema); ok {
		return ref.Schema()
	}
	return s
}

func (c *compiler) node(w, r avro.Schema, t reflect.Type) (*node, error) {
	w, r = actual(w), actual(r)
	if u, ok := w.(*avro.UnionSchema); ok {
		return c.fromUnion(u, r, t)
	}
	if u, ok := r.(*avro.UnionSchema); ok {
		item, index, err := c.intoUnion(w, u, t)
		if err != nil {
			return nil, err
		}
		return &node{op: opInto, least: item.least, item: item, index: varint(index)}, nil
	}
	switch w := w.(type) {
	case *avro.RecordSchema:
		if r, ok := r.(*avro.RecordSchema); ok {
			return c.record(w, r, t)
		}
	case *avro.ArraySchema:
		if r, ok := r.(*avro.ArraySchema); ok {
			item, err := c.node(w.Items(), r.Items(), itemType(t))
			if err != nil {
				return nil, fmt.Errorf("items: %w", err)
			}
			return &node{op: opArray, least: 1, item: item}, nil
		}
	case *avro.MapSchema:
		if r, ok := r.(*avro.MapSchema); ok {
			item, err := c.node(w.Values(), r.Values(), itemType(t))
			if err != nil {
				return nil, fmt.Errorf("values: %w", err)
			}
			return &node{op: opMap, least: 1, item: item}, nil
		}
	case *avro.EnumSchema:
		if r, ok := r.(*avro.EnumSchema); ok {
			return enum(w, r)
		}
	case *avro.FixedSchema:
		if r, ok := r.(*avro.FixedSchema); ok {
			return fixed(w, r, t)
		}
	default:
		return primitive(w, r, t)
	}
	return nil, mismatch(w, r)
}

func mismatch(w, r avro.Schema) error {
	return fmt.Errorf("the writer has %s, the reader %s", kind(w), kind(r))
}

// kind names a schema in an error.
func kind(s avro.Schema) string {
	if n, ok := s.(avro.NamedSchema); ok {
		return string(s.Type()) + " " + n.FullName()
	}
	if l, ok := s.(avro.LogicalTypeSchema); ok && l.Logical() != nil {
		return string(s.Type()) + " (" + string(l.Logical().Type()) + ")"
	}
	return string(s.Type())
}

// fromUnion compiles a union of the writer's. Branches that the reader cannot read are refused when they come.
func (c *compiler) fromUnion(w *avro.UnionSchema, r avro.Schema, t reflect.Type) (*node, error) {
	n := &node{op: opUnion, least: 1, branches: make([]branch, len(w.Types()))}
	var first error
	readable := 0
	for i, wb := range w.Types() {
		item, index, err := c.into(wb, r, t)
		if err != nil {
			if first == nil {
				first = err
			}
			item, index = fail(err.Error()), i
		} else {
			readable++
		}
		n.branches[i] = branch{node: item, index: index}
	}
	if readable == 0 && first != nil {
		return nil, first
	}
	return n, nil
}

// into compiles a schema of the writer's that is no union. The index is that of the branch of the reader's union, or -1.
func (c *compiler) into(w, r avro.Schema, t reflect.Type) (*node, int, error) {
	if u, ok := actual(r).(*avro.UnionSchema); ok {
		return c.intoUnion(actual(w), u, t)
	}
	item, err := c.node(w, r, t)
	return item, -1, err
}

// intoUnion finds the branch of the reader's union: the first of the same type and, where types have names, of the same
// name; otherwise the first that can be read at all. The specification says only the latter; but then an int that meets
// ["double", "int"] would become a double. Apache's Java library does it so, too.
func (c *compiler) intoUnion(w avro.Schema, r *avro.UnionSchema, t reflect.Type) (*node, int, error) {
	var first error
	for _, exact := range []bool{true, false} {
		for j, rb := range r.Types() {
			if exact != isSame(w, actual(rb)) {
				continue
			}
			item, err := c.node(w, rb, branchType(r, j, t))
			if err == nil {
				return item, j, nil
			}
			if first == nil && exact {
				first = err
			}
		}
	}
	if first == nil {
		first = fmt.Errorf("the reader's union lacks %s", kind(w))
	}
	return nil, 0, first
}

func isSame(w, r avro.Schema) bool {
	if w.Type() != r.Type() {
		return false
	}
	wn, named := w.(avro.NamedSchema)
	return !named || wn.FullName() == r.(avro.NamedSchema).FullName()
}

// checkName says whether two named schemas match: the specification compares the names without the namespace, and the
// aliases of the reader's.
func checkName(w, r avro.NamedSchema) error {
	if w.Name() == r.Name() || slices.ContainsFunc(r.Aliases(), func(alias string) bool {
		return alias[strings.LastIndexByte(alias, '.')+1:] == w.Name()
	}) {
		return nil
	}
	return mismatch(w, r)
}

func enum(w, r *avro.EnumSchema) (*node, error) {
	if err := checkName(w, r); err != nil {
		return nil, err
	}
	n := &node{op: opEnum, least: 1, same: true, symbols: make([]int, len(w.Symbols()))}
	for i, symbol := range w.Symbols() {
		j := slices.Index(r.Symbols(), symbol)
		if j < 0 && r.HasDefault() {
			j = slices.Index(r.Symbols(), r.Default())
		}
		n.symbols[i] = j
		n.same = n.same && i == j
	}
	return n, nil
}

func fixed(w, r *avro.FixedSchema, t reflect.Type) (*node, error) {
	if err := checkName(w, r); err != nil {
		return nil, err
	}
	if w.Size() != r.Size() {
		return nil, fmt.Errorf("%s has %d bytes with the writer, %d with the reader", kind(r), w.Size(), r.Size())
	}
	if err := checkLogical(w, r); err != nil {
		return nil, err
	}
	if most := decimalSize(r); most > 0 && r.Size() > most {
		return nil, fmt.Errorf("%s has %d bytes, more than the precision of its decimals needs", kind(r), r.Size())
	}
	n := node{op: opFixed, least: w.Size(), size: w.Size()}
	if asText(r, t) {
		n.op = opFixedDecimal
	}
	return decimal(r, n), nil
}
