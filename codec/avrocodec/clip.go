package avrocodec

import (
	"reflect"

	"github.com/warren-mq/warren/codec/avrocodec/internal/guard"
)

// clipper returns a function that cuts the capacity of every slice of bytes in a value of t down to its length; nil if
// there can be none. The library takes small strings and slices from one piece of memory, and gives slices the rest of
// it as capacity: an append to one would change the strings after it, also those of other messages.
func clipper(t reflect.Type) func(reflect.Value) {
	return (&clippers{known: make(map[reflect.Type]*clipped)}).of(t)
}

type clippers struct{ known map[reflect.Type]*clipped }

// clipped is the function for a type that may contain itself.
type clipped struct {
	once func(reflect.Value)
	done bool
}

func (c *clippers) of(t reflect.Type) func(reflect.Value) {
	if known := c.known[t]; known != nil {
		if known.done {
			return known.once
		}
		return func(v reflect.Value) { // in the making
			if known.once != nil {
				known.once(v)
			}
		}
	}
	known := new(clipped)
	c.known[t] = known
	known.once = c.make(t)
	known.done = true
	return known.once
}

func (c *clippers) make(t reflect.Type) func(reflect.Value) {
	switch t.Kind() {
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return func(v reflect.Value) {
				if !v.IsNil() && v.CanSet() { // an embedded one cannot be set, and is not decoded either
					v.Set(v.Slice3(0, v.Len(), v.Len()))
				}
			}
		}
		if item := c.of(t.Elem()); item != nil {
			return func(v reflect.Value) {
				for i := range v.Len() {
					item(v.Index(i))
				}
			}
		}
	case reflect.Pointer:
		if item := c.of(t.Elem()); item != nil {
			return func(v reflect.Value) {
				if !v.IsNil() {
					item(v.Elem())
				}
			}
		}
	case reflect.Map:
		if item := c.of(t.Elem()); item != nil {
			return func(v reflect.Value) { clipMap(v, item) }
		}
	case reflect.Interface:
		return clipAny
	case reflect.Struct:
		return c.structOf(t)
	}
	return nil
}

func (c *clippers) structOf(t reflect.Type) func(reflect.Value) {
	type field struct {
		at   int
		clip func(reflect.Value)
	}
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		if f.PkgPath != "" && !f.Anonymous {
			continue
		}
		if clip := c.of(f.Type); clip != nil {
			fields = append(fields, field{i, clip})
		}
	}
	if fields == nil {
		return nil
	}
	return func(v reflect.Value) {
		for _, f := range fields {
			f.clip(v.Field(f.at))
		}
	}
}

func clipMap(v reflect.Value, item func(reflect.Value)) {
	if v.IsNil() {
		return
	}
	held := reflect.New(v.Type().Elem()).Elem()
	for entries := v.MapRange(); entries.Next(); {
		held.Set(entries.Value())
		item(held)
		v.SetMapIndex(entries.Key(), held)
	}
}

// clipAny does so for what the library makes of its own accord, and opens boxes.
func clipAny(v reflect.Value) {
	if inside, ok := guard.Unbox(v.Interface()); ok {
		v.Set(reflect.ValueOf(inside))
	}
	switch x := v.Interface().(type) {
	case []byte:
		v.Set(reflect.ValueOf(x[:len(x):len(x)]))
	case []any:
		for i := range x {
			clipAny(reflect.ValueOf(x).Index(i))
		}
	case map[string]any:
		clipMap(reflect.ValueOf(x), clipAny)
	}
}
