package avrocodec

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"time"

	"github.com/hamba/avro/v2"
)

// A vet says whether a value can be encoded faithfully. The library cuts numbers off without a word, rounds amounts,
// and overflows the stack with a value that contains itself. Depth is how much deeper the value may go.
type vet func(v reflect.Value, depth int) error

type vetKey struct {
	schema avro.Schema
	t      reflect.Type
}

var (
	errDeep    = errors.New("it is nested too deeply, or contains itself")
	errRange   = errors.New("a number that the Avro type cannot hold")
	errRounded = errors.New("a decimal with more digits after the point than its scale")
	errDecimal = errors.New("want a *big.Rat for a decimal")
	errBefore  = errors.New("a date before 1970 that is not midnight in UTC")
)

// vet returns the vet for values of t as the schema says; nil if there is nothing to look at.
func (e *encoder) vet(schema avro.Schema, t reflect.Type) vet {
	key := vetKey{actual(schema), t}
	e.mu.RLock()
	known, ok := e.vets[key]
	e.mu.RUnlock()
	if ok {
		return known
	}
	m := &vetMaker{e: e, making: make(map[vetKey]*vet)}
	made := m.of(key.schema, t)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.vets[key] = made
	return made
}

func actual(s avro.Schema) avro.Schema {
	if ref, ok := s.(*avro.RefSchema); ok {
		return ref.Schema()
	}
	return s
}

type vetMaker struct {
	e      *encoder
	making map[vetKey]*vet
}

func (m *vetMaker) of(schema avro.Schema, t reflect.Type) vet {
	schema = actual(schema)
	if t.Kind() == reflect.Interface {
		return func(v reflect.Value, depth int) error { return m.e.dynamic(schema, v, depth) }
	}
	switch s := schema.(type) {
	case *avro.RecordSchema:
		return m.record(s, t)
	case *avro.UnionSchema:
		return m.union(s, t)
	case *avro.ArraySchema:
		if t.Kind() == reflect.Slice {
			return eachItem(m.of(s.Items(), t.Elem()))
		}
	case *avro.MapSchema:
		if t.Kind() == reflect.Map {
			return eachEntry(m.of(s.Values(), t.Elem()))
		}
	}
	return leaf(schema, t)
}

// dynamic looks at what an interface holds.
func (e *encoder) dynamic(schema avro.Schema, v reflect.Value, depth int) error {
	if v.IsNil() {
		return nil
	}
	if vet := e.vet(schema, v.Elem().Type()); vet != nil {
		return vet(v.Elem(), depth)
	}
	return nil
}

func eachItem(item vet) vet {
	if item == nil {
		return nil
	}
	return func(v reflect.Value, depth int) error {
		if depth == 0 {
			return errDeep
		}
		for i := range v.Len() {
			if err := item(v.Index(i), depth-1); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return nil
	}
}

func eachEntry(item vet) vet {
	if item == nil {
		return nil
	}
	return func(v reflect.Value, depth int) error {
		if depth == 0 {
			return errDeep
		}
		for entries := v.MapRange(); entries.Next(); {
			if err := item(entries.Value(), depth-1); err != nil {
				return fmt.Errorf("an entry: %w", err)
			}
		}
		return nil
	}
}

func (m *vetMaker) record(s *avro.RecordSchema, t reflect.Type) vet {
	switch t.Kind() {
	case reflect.Pointer:
		return through(m.of(s, t.Elem()))
	case reflect.Map:
		return m.e.recordMap(s, t)
	case reflect.Struct:
	default:
		return nil // for the library to refuse
	}
	key := vetKey{s, t}
	if making := m.making[key]; making != nil {
		return func(v reflect.Value, depth int) error { return (*making)(v, depth) }
	}
	made := new(vet)
	m.making[key] = made
	type field struct {
		name string
		at   []int
		vet  vet
	}
	var fields []field
	for _, f := range s.Fields() {
		place, ok := fieldOf(t, f.Name())
		if !ok {
			continue
		}
		if vet := m.of(f.Type(), place.Type); vet != nil {
			fields = append(fields, field{f.Name(), place.Index, vet})
		}
	}
	if fields == nil {
		delete(m.making, key)
		return nil
	}
	*made = func(v reflect.Value, depth int) error {
		if depth == 0 {
			return errDeep
		}
		for _, f := range fields {
			place, err := v.FieldByIndexErr(f.at)
			if err == nil { // an embedded pointer that is nil is for the library to refuse
				err = f.vet(place, depth-1)
				if err != nil {
					return fmt.Errorf("%s: %w", f.name, err)
				}
			}
		}
		return nil
	}
	return *made
}

func through(item vet) vet {
	if item == nil {
		return nil
	}
	return func(v reflect.Value, depth int) error {
		if v.IsNil() {
			return nil
		}
		return item(v.Elem(), depth)
	}
}

// recordMap vets a record that is a map.
func (e *encoder) recordMap(s *avro.RecordSchema, t reflect.Type) vet {
	if t.Key().Kind() != reflect.String || t.Elem().Kind() != reflect.Interface {
		return nil
	}
	return func(v reflect.Value, depth int) error {
		if depth == 0 {
			return errDeep
		}
		for _, f := range s.Fields() {
			value := v.MapIndex(reflect.ValueOf(f.Name()).Convert(t.Key()))
			if !value.IsValid() {
				continue
			}
			if err := e.dynamic(f.Type(), value, depth-1); err != nil {
				return fmt.Errorf("%s: %w", f.Name(), err)
			}
		}
		return nil
	}
}

// union vets the branches that the library chooses by the Go type.
func (m *vetMaker) union(s *avro.UnionSchema, t reflect.Type) vet {
	if s.Nullable() {
		_, i := s.Indices()
		switch {
		case t.Kind() == reflect.Slice:
			return m.of(s.Types()[i], t)
		case t.Kind() == reflect.Pointer && !t.Implements(reflect.TypeFor[avro.UnionConverter]()):
			return through(m.of(s.Types()[i], t.Elem()))
		}
	}
	if t.Kind() == reflect.Map && t.Key().Kind() == reflect.String && t.Elem().Kind() == reflect.Interface {
		return func(v reflect.Value, depth int) error {
			for entries := v.MapRange(); entries.Next(); {
				branch, _ := s.Types().Get(entries.Key().String())
				if branch == nil {
					return nil // for the library to refuse
				}
				if err := m.e.dynamic(branch, entries.Value(), depth); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for _, branch := range s.Types() { // a number or an amount
		if vet := leaf(actual(branch), t); vet != nil {
			return vet
		}
	}
	return nil
}

// fieldOf finds the field of a struct that the library writes for a name: the shallowest, the first of them.
func fieldOf(t reflect.Type, name string) (reflect.StructField, bool) {
	best, found := reflect.StructField{}, false
	for _, f := range reflect.VisibleFields(t) {
		called := f.Name
		if tag, ok := f.Tag.Lookup("avro"); ok {
			called, _, _ = strings.Cut(tag, ",")
		}
		if called == name && f.IsExported() && !f.Anonymous && (!found || len(f.Index) < len(best.Index)) {
			best, found = f, true
		}
	}
	return best, found
}

// leaf vets values that hold no others.
func leaf(s avro.Schema, t reflect.Type) vet {
	logical, _ := s.(avro.LogicalTypeSchema)
	if logical == nil {
		return nil
	}
	if d, ok := logical.Logical().(*avro.DecimalLogicalSchema); ok {
		return decimal(d, t)
	}
	if s.Type() != avro.Int {
		return nil
	}
	switch {
	case t.Kind() == reflect.Int:
		return func(v reflect.Value, _ int) error { return inRange(v.Int()) }
	case t.Kind() == reflect.Int64: // time-millis
		return func(v reflect.Value, _ int) error { return inRange(v.Int() / int64(time.Millisecond)) }
	case t.ConvertibleTo(reflect.TypeFor[time.Time]()): // date
		return func(v reflect.Value, _ int) error {
			seconds := v.Convert(reflect.TypeFor[time.Time]()).Interface().(time.Time).Unix()
			if seconds < 0 && seconds%secondsPerDay != 0 {
				return errBefore
			}
			return inRange(seconds / secondsPerDay)
		}
	}
	return nil
}

const secondsPerDay = int64(24 * time.Hour / time.Second)

func inRange(n int64) error {
	if n < math.MinInt32 || n > math.MaxInt32 {
		return errRange
	}
	return nil
}

func decimal(d *avro.DecimalLogicalSchema, t reflect.Type) vet {
	rat := reflect.TypeFor[big.Rat]()
	exact := func(r *big.Rat) error {
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.Scale())), nil)
		if unit.Mod(unit, r.Denom()).Sign() != 0 {
			return errRounded
		}
		return nil
	}
	switch {
	case t.Kind() == reflect.Pointer && t.Elem().ConvertibleTo(rat):
		return func(v reflect.Value, _ int) error {
			if v.IsNil() {
				return errNil
			}
			return exact(v.Convert(reflect.PointerTo(rat)).Interface().(*big.Rat))
		}
	case t.ConvertibleTo(rat):
		return func(v reflect.Value, _ int) error {
			r := v.Convert(rat).Interface().(big.Rat)
			return exact(&r)
		}
	case t.Kind() == reflect.Struct: // whose memory the library would take for a big.Rat
		return func(reflect.Value, int) error { return errDecimal }
	}
	return nil
}
