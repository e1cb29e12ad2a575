package guard

import (
	"reflect"
	"strings"

	"github.com/hamba/avro/v2"
)

// wantedFields returns the fields of the record that t has a place for, in the record's order. A t that is no struct,
// or nil, has a place for all.
func wantedFields(r *avro.RecordSchema, t reflect.Type) []wanted {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var places map[string]reflect.Type
	if t != nil && t.Kind() == reflect.Struct {
		places = structFields(t)
	}
	var all []wanted
	for _, f := range r.Fields() {
		switch {
		case t == nil:
			all = append(all, wanted{Field: f, from: -1})
		case places == nil:
			all = append(all, wanted{Field: f, from: -1, t: anyType})
		default:
			if place := find(places, f); place != nil {
				all = append(all, wanted{Field: f, from: -1, t: place})
			}
		}
	}
	return all
}

func find(places map[string]reflect.Type, f *avro.Field) reflect.Type {
	if t := places[f.Name()]; t != nil {
		return t
	}
	for _, alias := range f.Aliases() {
		if t := places[alias]; t != nil {
			return t
		}
	}
	return nil
}

// structFields returns the types of the fields of a struct by their Avro names, as the library finds them: by the tag
// avro, or else by the field's name; those of embedded structs after those of the struct itself.
func structFields(t reflect.Type) map[string]reflect.Type {
	found := make(map[string]reflect.Type)
	seen := make(map[reflect.Type]bool)
	for level := []reflect.Type{t}; len(level) > 0; {
		var next []reflect.Type
		for _, t := range level {
			if seen[t] {
				continue
			}
			seen[t] = true
			for f := range fieldsOf(t) {
				switch {
				case f.Anonymous:
					ft := f.Type
					if ft.Kind() == reflect.Pointer {
						ft = ft.Elem()
					}
					if ft.Kind() == reflect.Struct {
						next = append(next, ft)
					}
				case f.PkgPath == "":
					name := f.Name
					if tag, ok := f.Tag.Lookup("avro"); ok {
						name, _, _ = strings.Cut(tag, ",")
					}
					if found[name] == nil {
						found[name] = f.Type
					}
				}
			}
		}
		level = next
	}
	return found
}

func fieldsOf(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}
