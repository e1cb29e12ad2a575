package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"
)

// JSON is encoding/json, with these rules.
//
// Encoding writes what json.Marshal writes, in one line, except that <, > and & stay as they are: a message is not part
// of a web page, and a person who looks at a queue wants to read it.
//
// Decoding takes exactly one JSON value, with white space around it. These are errors: an empty body, anything after
// the value, a byte order mark, nesting deeper than 10,000, a number that the Go type cannot hold.
//
// What encoding/json lets pass and a sender should know:
//
//   - null leaves the value as it is, and makes a pointer, map or slice nil. A struct then has its zero fields.
//   - Fields that the Go type does not have are ignored. Fields that the body does not have keep their zero values.
//   - Names match whatever their case: "ID" and "id" are the same field.
//   - If a name stands in an object twice, both are decoded into the field, and the last one wins.
//   - Bytes that are no UTF-8 become U+FFFD in strings.
//   - A number that is decoded into an any becomes a float64, which holds whole numbers up to 2⁵³ exactly. Use a struct
//     with int64 fields, or json.Number.
//
// An error names the place, and what encoding/json says: one character of the body at most, and names of fields. It
// does not quote values. Types with an UnmarshalJSON or UnmarshalText of their own make their own errors, which may
// quote what they were given, as time.Time does; of these the first 200 bytes are shown.
type JSON struct {
	// Strict refuses more: fields that the Go type does not have, a name that stands twice in one object, and bodies
	// that are not UTF-8. Names still match whatever their case, and two names that differ only in case are not a
	// double. Decoding takes about a quarter more time. Encoding is the same.
	//
	// Publishers usually add fields before consumers know them. Strict sends the messages of such a publisher to the
	// error queue.
	Strict bool
}

// ContentType returns application/json.
func (JSON) ContentType() string { return "application/json" }

// Encode returns v as JSON. Nil is null. It fails for what JSON cannot hold, such as a channel, NaN or a value that
// contains itself.
func (JSON) Encode(v any) ([]byte, error) {
	w := jsonWriters.Get().(*jsonWriter)
	err := w.encoder.Encode(v)
	body := w.body
	w.body = nil
	if err != nil {
		return nil, fmt.Errorf("encode JSON from %T: %w", v, err)
	}
	jsonWriters.Put(w)
	return bytes.TrimSuffix(body, []byte("\n")), nil // an Encoder ends every value with one
}

// A jsonWriter is an Encoder and where it writes to. Kept in a pool, it costs no more allocations than json.Marshal.
type jsonWriter struct {
	encoder *json.Encoder
	body    []byte
}

var jsonWriters = sync.Pool{New: func() any {
	w := new(jsonWriter)
	w.encoder = json.NewEncoder(w)
	w.encoder.SetEscapeHTML(false)
	return w
}}

// Write copies p: the Encoder uses its buffer again.
func (w *jsonWriter) Write(p []byte) (int, error) {
	w.body = append(w.body, p...)
	return len(p), nil
}

// Decode reads body into v.
func (c JSON) Decode(body []byte, v any) error {
	var err error
	if c.Strict {
		err = decodeStrict(body, v)
	} else {
		err = json.Unmarshal(body, v)
	}
	if err != nil {
		return fmt.Errorf("decode JSON into %s: %w", typeName(v), withoutBody(err))
	}
	return nil
}

func decodeStrict(body []byte, v any) error {
	if !utf8.Valid(body) {
		return errors.New("the body is not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(v)
	if err != nil || len(bytes.TrimLeft(body[decoder.InputOffset():], " \t\r\n")) > 0 {
		// A Decoder expects more input and further values. Of what is not one JSON value, Unmarshal says it better.
		if syntax := json.Unmarshal(body, new(json.RawMessage)); syntax != nil {
			return syntax
		}
		return err
	}
	if name, twice := duplicateName(body); twice {
		return fmt.Errorf("the name %q stands twice in one object", clip(name, maxNameShown))
	}
	return nil
}

const (
	maxNameShown  = 100 // bytes of a name that stands in the body
	maxErrorShown = 200 // bytes of an error that someone else made
)

// withoutBody returns err so that its text shows no more of the body than JSON promises. Errors go to logs and to other
// services; bodies hold what people would not put there.
func withoutBody(err error) error {
	switch err := err.(type) { //nolint:errorlint // what wraps one of these has a text of its own
	case *json.SyntaxError:
		return fmt.Errorf("%w, at byte %d", err, err.Offset)
	case *json.UnmarshalTypeError:
		// Value is "string" or "object", but of a number it is "number 4111111111111111".
		kind, _, _ := strings.Cut(err.Value, " ")
		return &json.UnmarshalTypeError{
			Value: kind, Type: err.Type, Offset: err.Offset, Struct: err.Struct, Field: clip(err.Field, maxNameShown),
		}
	case *json.InvalidUnmarshalError:
		return err
	}
	// encoding/json has no type for two more errors that quote a value. A test fails when their text changes.
	if what, _, quotes := strings.Cut(err.Error(), ", trying to unmarshal "); quotes && strings.HasPrefix(what, "json: ") {
		return errors.New(what)
	}
	return &clipped{err}
}

// A clipped is an error that says only the beginning of what it wraps.
type clipped struct{ error }

func (e *clipped) Error() string { return clip(e.error.Error(), maxErrorShown) }
func (e *clipped) Unwrap() error { return e.error }

// clip returns the first n bytes of s, at most, and says so if that is not all.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}
