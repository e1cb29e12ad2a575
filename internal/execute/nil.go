package execute

import "reflect"

// isNil tells whether v is a nil pointer. Kinds that cannot be are told apart
// by the type alone, so that plain structs cost nothing.
func isNil[T any](v T) bool {
	t := reflect.TypeFor[T]()
	switch t.Kind() {
	case reflect.Pointer:
		return reflect.ValueOf(v).IsNil()
	case reflect.Interface:
		x := reflect.ValueOf(v) // of what is in it
		return x.Kind() == reflect.Pointer && x.IsNil()
	}
	return false
}
