package execute_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/internal/execute"
)

type plain struct{ N int }

type onValue struct{ N int }

func (o onValue) Validate() error { return positive(o.N) }

type onPointer struct{ N int }

func (o *onPointer) Validate() error { return positive(o.N) }

type panicsDecoding struct{}

func (*panicsDecoding) UnmarshalJSON([]byte) error { panic("no JSON today") }

type panicsValidating struct{}

func (panicsValidating) Validate() error { panic(errors.New("no rules today")) }

type rude struct{}

func (rude) Validate() error { return rudeError{} }

type rudeError struct{}

func (rudeError) Error() string { panic("no words today") }

type validator interface{ Validate() error }

func positive(n int) error {
	if n <= 0 {
		return errors.New("n must be positive")
	}
	return nil
}

func decode[T any](t *testing.T, contentType, encoding, body string) (T, error) {
	t.Helper()
	codecs, err := codec.NewSet(codec.JSON{})
	if err != nil {
		t.Fatal(err)
	}
	return execute.NewDecoder[T](codecs, 1<<20).Decode(contentType, encoding, []byte(body))
}

// check decodes and compares the stage of the error, and its text.
func check[T any](t *testing.T, name, body string, stage error, text string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Helper()
		_, err := decode[T](t, "", "", body)
		if !errors.Is(err, stage) {
			t.Fatalf("the error is %v, want %v", err, stage)
		}
		for _, other := range []error{execute.ErrUndecodable, execute.ErrInvalid} {
			if !errors.Is(stage, other) && errors.Is(err, other) {
				t.Errorf("the error is %v as well", other)
			}
		}
		if err != nil && !strings.Contains(err.Error(), text) {
			t.Errorf("the error is %q, want one with %q", err, text)
		}
	})
}

func TestDecode(t *testing.T) {
	check[plain](t, "fine", `{"N":1}`, nil, "")
	check[plain](t, "an empty body", ``, execute.ErrUndecodable, "cannot be decoded")
	check[plain](t, "something behind it", `{} {}`, execute.ErrUndecodable, "cannot be decoded")
	check[plain](t, "another type", `{"N":"one"}`, execute.ErrUndecodable, "string")
	check[panicsDecoding](t, "a codec that panics", `{}`, execute.ErrUndecodable, "panic: no JSON today")

	check[onValue](t, "valid by T", `{"N":1}`, nil, "")
	check[onValue](t, "invalid by T", `{"N":0}`, execute.ErrInvalid, "n must be positive")
	check[onPointer](t, "invalid by *T", `{"N":0}`, execute.ErrInvalid, "n must be positive")
	check[*onValue](t, "invalid by T, of a pointer", `{"N":0}`, execute.ErrInvalid, "n must be positive")
	check[*onPointer](t, "invalid by *T, of a pointer", `{"N":0}`, execute.ErrInvalid, "n must be positive")
	check[*onPointer](t, "a null pointer", `null`, execute.ErrInvalid, "it is null")
	check[*onValue](t, "a null pointer to one with Validate on T", `null`, execute.ErrInvalid, "it is null")
	check[*plain](t, "a null pointer without Validate", `null`, execute.ErrInvalid, "it is null")
	check[**plain](t, "a null pointer to a pointer", `null`, execute.ErrInvalid, "it is null")
	check[onValue](t, "null, of a struct, is the zero struct", `null`, execute.ErrInvalid, "n must be positive")
	check[any](t, "null, of an any, is a value", `null`, nil, "")
	check[map[string]any](t, "null, of a map, is an empty map", `null`, nil, "")
	check[[]int](t, "null, of a slice, is an empty slice", `null`, nil, "")
	check[json.RawMessage](t, "raw JSON", `null`, nil, "")
	check[validator](t, "an interface with methods cannot be decoded into", `{}`, execute.ErrUndecodable, "cannot be decoded")
	check[panicsValidating](t, "a Validate that panics", `{}`, execute.ErrInvalid, "panic: no rules today")
	check[rude](t, "an error that panics", `{}`, execute.ErrInvalid, "the body is invalid")
}

func TestDecodeByContentType(t *testing.T) {
	for _, contentType := range []string{
		"", "application/octet-stream", "application/json", "application/json; charset=utf-8", "Application/JSON ; x=\"y", "application/x-unknown", "\xff",
	} {
		if v, err := decode[plain](t, contentType, "", `{"N":1}`); err != nil || v.N != 1 {
			t.Errorf("%q: %+v, %v", contentType, v, err)
		}
	}
}

func TestDecodeCompressed(t *testing.T) {
	var zipped, deflated bytes.Buffer
	write := func(w io.WriteCloser, text string) {
		_, err := io.WriteString(w, text)
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
	}
	write(gzip.NewWriter(&zipped), `{"N":1}`)
	write(zlib.NewWriter(&deflated), `{"N":1}`)
	for _, test := range []struct{ encoding, body string }{
		{"gzip", zipped.String()},
		{"GZIP", zipped.String()},
		{"deflate", deflated.String()},
		{"utf-8", `{"N":1}`},
		{"binary", `{"N":1}`},
		{"identity", `{"N":1}`}, // of kombu, and others
	} {
		if v, err := decode[plain](t, "", test.encoding, test.body); err != nil || v.N != 1 {
			t.Errorf("%s: %+v, %v", test.encoding, v, err)
		}
	}

	var bomb bytes.Buffer
	write(gzip.NewWriter(&bomb), `"`+strings.Repeat("x", 8<<20)+`"`)
	for name, test := range map[string]struct {
		encoding, body string
		want           error
	}{
		"a bomb":              {"gzip", bomb.String(), codec.ErrTooLarge},
		"an unknown encoding": {"br", `{"N":1}`, codec.ErrUnsupportedEncoding},
		"not compressed":      {"gzip", `{"N":1}`, execute.ErrUndecodable},
		"cut off":             {"gzip", zipped.String()[:20], execute.ErrUndecodable},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := decode[plain](t, "", test.encoding, test.body)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, test.want) || !errors.Is(err, execute.ErrUndecodable) {
			t.Errorf("%s: %v", name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
			t.Errorf("%s: it took %d bytes", name, n)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("application/json", "gzip, deflate", []byte(`{"N":1}`))
	codecs, err := codec.NewSet(codec.JSON{})
	if err != nil {
		f.Fatal(err)
	}
	d := execute.NewDecoder[*onValue](codecs, 1<<16)
	f.Fuzz(func(t *testing.T, contentType, encoding string, body []byte) {
		v, err := d.Decode(contentType, encoding, body)
		switch {
		case err == nil && (v == nil || v.N <= 0):
			t.Fatalf("%+v is taken for valid", v)
		case err != nil && errors.Is(err, execute.ErrUndecodable) == errors.Is(err, execute.ErrInvalid):
			t.Fatalf("%v is neither or both", err)
		}
	})
}
