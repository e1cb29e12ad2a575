package guard

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/hamba/avro/v2"
)

// A shaper finds out whether a Go type can hold what a schema describes, and which part of the schema it has a place
// for. It lets pass only what the library is known to decode rightly: the library itself takes more, and some of that
// overwrites memory, such as a struct that is not a pointer for a union.
type shaper struct {
	records map[shapeKey]*avro.RecordSchema
	names   Names
	serial  bool
	bytes   bool
}

type shapeKey struct {
	schema *avro.RecordSchema
	t      reflect.Type
}

var (
	anyType         = reflect.TypeFor[any]()
	timeType        = reflect.TypeFor[time.Time]()
	durationType    = reflect.TypeFor[time.Duration]()
	logicalDuration = reflect.TypeFor[avro.LogicalDuration]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	unionConverter  = reflect.TypeFor[avro.UnionConverter]()
)

// instants are what a time.Time can hold.
var instants = []avro.LogicalType{
	avro.Date, avro.TimestampMillis, avro.TimestampMicros, avro.LocalTimestampMillis, avro.LocalTimestampMicros,
}

func isAny(t reflect.Type) bool { return t.Kind() == reflect.Interface && t.NumMethod() == 0 }

// isAnyMap says whether t is map[string]any, or a named type of it.
func isAnyMap(t reflect.Type) bool {
	return t.Kind() == reflect.Map && t.Key().Kind() == reflect.String && isAny(t.Elem())
}

func refuse(s avro.Schema, t reflect.Type) error {
	return fmt.Errorf("the Go type %s cannot hold the Avro type %s", t, kind(s))
}

// shape returns the part of the schema that t has a place for.
func (s *shaper) shape(schema avro.Schema, t reflect.Type) (avro.Schema, error) {
	schema = actual(schema)
	if isAny(t) {
		s.bytes = true
	}
	if isDecimal(schema) && isRat(t) {
		return text, nil
	}
	if schema.Type() == avro.Null { // leaves any type as it is
		return schema, nil
	}
	if schema.Type() == avro.String && (t.Implements(textUnmarshaler) || reflect.PointerTo(t).Implements(textUnmarshaler)) {
		return schema, nil
	}
	switch schema := schema.(type) {
	case *avro.RecordSchema:
		return s.record(schema, t)
	case *avro.UnionSchema:
		return s.union(schema, t)
	case *avro.ArraySchema:
		if t.Kind() != reflect.Slice && !isAny(t) {
			return nil, refuse(schema, t)
		}
		items, err := s.shape(schema.Items(), itemType(t))
		if err != nil {
			return nil, fmt.Errorf("items: %w", err)
		}
		return avro.NewArraySchema(items), nil
	case *avro.MapSchema:
		if !isAny(t) && (t.Kind() != reflect.Map || t.Key().Kind() != reflect.String) {
			return nil, refuse(schema, t)
		}
		values, err := s.shape(schema.Values(), itemType(t))
		if err != nil {
			return nil, fmt.Errorf("values: %w", err)
		}
		return avro.NewMapSchema(values), nil
	case *avro.EnumSchema:
		if isAny(t) || t.Kind() == reflect.String || t.Implements(textUnmarshaler) || reflect.PointerTo(t).Implements(textUnmarshaler) {
			return schema, nil
		}
	case *avro.FixedSchema:
		if isAny(t) || s.holdsFixed(schema, t) {
			return schema, nil
		}
	default:
		if t == boxType {
			s.names[boxName] = Box{}
			return boxed(boxName, text)
		}
		if isAny(t) || s.holdsPrimitive(schema, t) {
			return schema, nil
		}
	}
	return nil, refuse(schema, t)
}

func (s *shaper) record(schema *avro.RecordSchema, t reflect.Type) (avro.Schema, error) {
	if t.Kind() == reflect.Pointer {
		return s.shape(schema, t.Elem())
	}
	if isAnyMap(t) {
		s.bytes = true
	} else if t.Kind() != reflect.Struct && !isAny(t) {
		return nil, refuse(schema, t)
	}
	key := shapeKey{schema, t}
	if known := s.records[key]; known != nil {
		return avro.NewRefSchema(known), nil
	}
	all := wantedFields(schema, t)
	if len(all) == 0 && len(schema.Fields()) > 0 && t.Kind() == reflect.Struct && t.NumField() > 0 {
		return nil, fmt.Errorf("the Go type %s has none of the fields of %s", t, kind(schema))
	}
	fields := make([]*avro.Field, len(all))
	shaped, err := avro.NewRecordSchema(schema.Name(), schema.Namespace(), fields)
	if err != nil {
		return nil, err
	}
	s.records[key] = shaped
	for i, f := range all {
		ft, err := s.shape(f.Type(), f.t)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name(), err)
		}
		if fields[i], err = avro.NewField(f.Name(), ft, avro.WithAliases(f.Aliases())); err != nil {
			return nil, err
		}
	}
	return shaped, nil
}

func (s *shaper) union(schema *avro.UnionSchema, t reflect.Type) (avro.Schema, error) {
	switch {
	case isAny(t):
	case isAnyMap(t):
		s.bytes = true
	case t.Implements(unionConverter): // the library works out each value anew
		return nil, fmt.Errorf("%w: that takes too long as an avro.UnionConverter", refuse(schema, t))
	case !schema.Nullable() || t.Kind() != reflect.Slice && t.Kind() != reflect.Pointer:
		return nil, refuse(schema, t)
	}
	types := make([]avro.Schema, len(schema.Types()))
	for i, b := range schema.Types() {
		types[i] = b
		if b.Type() == avro.Null {
			continue
		}
		var err error
		if isAny(t) && !isResolved(schema) {
			types[i], err = s.box(b)
		} else {
			types[i], err = s.shape(b, branchType(schema, i, t))
		}
		if err != nil {
			return nil, err
		}
	}
	return avro.NewUnionSchema(types)
}

func (s *shaper) holdsFixed(schema *avro.FixedSchema, t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return t.Elem().Kind() == reflect.Uint8 && t.Len() == schema.Size()
	case reflect.Uint64:
		s.serial = true
		return schema.Size() == 8
	case reflect.Struct:
		return t.ConvertibleTo(logicalDuration) && logicalType(schema) == avro.Duration
	}
	return false
}

func (s *shaper) holdsPrimitive(schema avro.Schema, t reflect.Type) bool {
	what, lt := schema.Type(), logicalType(schema)
	switch t.Kind() {
	case reflect.Bool:
		return what == avro.Boolean
	case reflect.Int:
		return what == avro.Int || what == avro.Long && t.Size() == 8
	case reflect.Int8, reflect.Uint8, reflect.Int16, reflect.Uint16, reflect.Int32:
		return what == avro.Int
	case reflect.Uint32:
		return what == avro.Long
	case reflect.Int64:
		stamp := lt == avro.TimestampMillis || lt == avro.TimestampMicros
		return what == avro.Int && lt == avro.TimeMillis || what == avro.Long && (t != durationType || !stamp)
	case reflect.Float32:
		return what == avro.Float
	case reflect.Float64:
		return what == avro.Double
	case reflect.String:
		return what == avro.String
	case reflect.Slice:
		s.bytes = true
		return what == avro.Bytes && t.Elem().Kind() == reflect.Uint8
	case reflect.Struct:
		if t.ConvertibleTo(timeType) {
			return slices.Contains(instants, lt)
		}
	}
	return false
}

// branchType is the Go type of one branch of a union that becomes a t.
func branchType(u *avro.UnionSchema, i int, t reflect.Type) reflect.Type {
	switch b := u.Types()[i]; {
	case t == nil || b.Type() == avro.Null:
		return nil
	case isAny(t) && isDecimal(b) && isResolved(u):
		return boxType
	case t.Kind() == reflect.Slice:
		return t
	case t.Kind() == reflect.Pointer:
		return t.Elem()
	}
	return anyType
}

// itemType is the Go type of the items of a t.
func itemType(t reflect.Type) reflect.Type {
	switch {
	case t == nil:
		return nil
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Map:
		return t.Elem()
	}
	return anyType
}
