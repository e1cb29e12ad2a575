package guard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/hamba/avro/v2"
)

// A filler encodes the default of a field, as the library has read it from the schema, for the shape that the Go type has
// given to it.
type filler struct {
	out    []byte
	values int
	depth  int
}

// maxExact is up to where the library, which takes JSON's numbers for float64, knows whole numbers exactly.
const maxExact = 1 << 53

// maxDefaultDepth is how deep a default may be nested.
const maxDefaultDepth = 64

var errDefault = errors.New("it is not of the field's type")

func (f *filler) add(shape, schema avro.Schema, v any) error {
	f.depth++
	defer func() { f.depth-- }()
	if f.depth > maxDefaultDepth {
		return fmt.Errorf("it is nested deeper than %d", maxDefaultDepth)
	}
	shape, schema = unboxed(actual(shape)), actual(schema)
	if isDecimal(schema) && !isDecimal(shape) { // text
		b, ok := octets(v)
		if !ok {
			return errDefault
		}
		d := logical(schema).(*avro.DecimalLogicalSchema)
		f.out = appendDecimal(f.out, b, d.Scale())
		return nil
	}
	switch s := shape.(type) {
	case *avro.NullSchema:
		return nil
	case *avro.UnionSchema: // "the default value corresponds to the first schema in the union"
		f.out = append(f.out, 0)
		return f.add(s.Types()[0], schema.(*avro.UnionSchema).Types()[0], v)
	case *avro.RecordSchema:
		return f.record(s, schema.(*avro.RecordSchema), v)
	case *avro.ArraySchema:
		items, ok := v.([]any)
		if !ok {
			return errDefault
		}
		f.count(len(items))
		for _, item := range items {
			if err := f.add(s.Items(), schema.(*avro.ArraySchema).Items(), item); err != nil {
				return err
			}
		}
		f.out = append(f.out, 0)
		return nil
	case *avro.MapSchema:
		entries, ok := v.(map[string]any)
		if !ok {
			return errDefault
		}
		f.count(len(entries))
		for k, item := range entries {
			f.text(k)
			if err := f.add(s.Values(), schema.(*avro.MapSchema).Values(), item); err != nil {
				return err
			}
		}
		f.out = append(f.out, 0)
		return nil
	case *avro.EnumSchema:
		symbol, _ := v.(string)
		for i, other := range s.Symbols() {
			if other == symbol {
				f.out = append(f.out, varint(i)...)
				return nil
			}
		}
		return errDefault
	case *avro.FixedSchema:
		b, ok := octets(v)
		if !ok || len(b) != s.Size() {
			return errDefault
		}
		f.out = append(f.out, b...)
		return nil
	}
	return f.primitive(shape, v)
}

func (f *filler) record(shape, schema *avro.RecordSchema, v any) error {
	fields, ok := v.(map[string]any)
	if !ok {
		return errDefault
	}
	f.values++
	kept := shape.Fields() // some of the schema's, in the same order
	for _, field := range schema.Fields() {
		if len(kept) == 0 || kept[0].Name() != field.Name() {
			continue
		}
		value, ok := fields[field.Name()]
		if !ok {
			return fmt.Errorf("it lacks the field %s", field.Name())
		}
		if err := f.add(kept[0].Type(), field.Type(), value); err != nil {
			return fmt.Errorf("field %s: %w", field.Name(), err)
		}
		kept = kept[1:]
	}
	return nil
}

func (f *filler) count(n int) {
	f.values += n
	if n > 0 {
		f.out = append(f.out, varint(n)...)
	}
}

func (f *filler) text(s string) {
	f.out = append(f.out, varint(len(s))...)
	f.out = append(f.out, s...)
}

func (f *filler) primitive(s avro.Schema, v any) error {
	switch v := v.(type) {
	case bool:
		if s.Type() == avro.Boolean {
			b := byte(0)
			if v {
				b = 1
			}
			f.out = append(f.out, b)
			return nil
		}
	case int:
		if s.Type() == avro.Int {
			if v < math.MinInt32 || v > math.MaxInt32 {
				return fmt.Errorf("%d is no int", v)
			}
			f.out = append(f.out, varint(v)...)
			return nil
		}
	case int64:
		if s.Type() == avro.Long {
			if v < -maxExact || v > maxExact {
				return errors.New("it is beyond 2⁵³, and may not be what was written")
			}
			f.out = binary.AppendVarint(f.out, v)
			return nil
		}
	case float32:
		if s.Type() == avro.Float {
			f.out = binary.LittleEndian.AppendUint32(f.out, math.Float32bits(v))
			return nil
		}
	case float64:
		if s.Type() == avro.Double {
			f.out = binary.LittleEndian.AppendUint64(f.out, math.Float64bits(v))
			return nil
		}
	case string:
		if s.Type() == avro.String {
			f.text(v)
			return nil
		}
	case []byte:
		if s.Type() == avro.Bytes {
			f.text(string(v))
			return nil
		}
	}
	return errDefault
}

// octets returns the default of bytes or of a fixed, which the library keeps as an array.
func octets(v any) ([]byte, bool) {
	if b, ok := v.([]byte); ok {
		return b, true
	}
	a := reflect.ValueOf(v)
	if a.Kind() != reflect.Array || a.Type().Elem().Kind() != reflect.Uint8 {
		return nil, false
	}
	b := make([]byte, a.Len())
	reflect.Copy(reflect.ValueOf(b), a)
	return b, true
}
