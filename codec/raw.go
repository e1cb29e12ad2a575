package codec

import (
	"errors"
	"fmt"
	"reflect"
)

// Raw passes bodies through as they are. It encodes []byte, string and their named types, such as json.RawMessage, and
// decodes into pointers to them. Any other type is an error, never a guess. Any bytes are good, also none: an empty
// body is an empty string, and an empty slice that is not nil.
//
// The content type is application/octet-stream. A program that sends text or an image sets a better one on its
// messages.
type Raw struct{}

var errNotBytes = errors.New("only []byte, string and named types of them can be raw")

// ContentType returns application/octet-stream.
func (Raw) ContentType() string { return octetStream }

// Encode returns a copy of the bytes in v, so that the caller may use its slice again. A nil slice is an empty body.
func (Raw) Encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return append([]byte{}, v...), nil
	case string:
		return []byte(v), nil
	}
	switch r := reflect.ValueOf(v); {
	case !r.IsValid():
	case isBytes(r.Type()):
		return append([]byte{}, r.Bytes()...), nil
	case r.Kind() == reflect.String:
		return []byte(r.String()), nil
	}
	return nil, fmt.Errorf("encode raw from %T: %w", v, errNotBytes)
}

// Decode stores a copy of body in what v points to, always in new memory.
func (Raw) Decode(body []byte, v any) error {
	switch v := v.(type) {
	case *[]byte:
		if v != nil {
			*v = append([]byte{}, body...)
			return nil
		}
	case *string:
		if v != nil {
			*v = string(body)
			return nil
		}
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Pointer {
		return fmt.Errorf("decode raw into %s: want a pointer", typeName(v))
	}
	if r.IsNil() {
		return fmt.Errorf("decode raw into %s: the pointer is nil", typeName(v))
	}
	switch r = r.Elem(); {
	case isBytes(r.Type()):
		r.SetBytes(append([]byte{}, body...))
	case r.Kind() == reflect.String:
		r.SetString(string(body))
	default:
		return fmt.Errorf("decode raw into %s: %w", typeName(v), errNotBytes)
	}
	return nil
}

// isBytes says whether t is []byte or a named type of it. A slice of a named byte type is not: such a type may stand
// for something else.
func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem() == reflect.TypeFor[byte]()
}
