package codec_test

import (
	"bytes"
	"encoding/json"
	"net"
	"strings"
	"testing"

	"github.com/warren-mq/warren/codec"
)

type (
	blob  []byte
	label string
	octet byte
)

func TestRawEncodesBytesAndStringsAsTheyAre(t *testing.T) {
	for name, test := range map[string]struct {
		value any
		want  string
	}{
		"bytes":                       {[]byte("a\x00\xff"), "a\x00\xff"},
		"a string":                    {"a\x00\xff", "a\x00\xff"},
		"raw JSON, also if it is not": {json.RawMessage(`{"a" : 1`), `{"a" : 1`},
		"named bytes":                 {blob("b"), "b"},
		"a named string":              {label("c"), "c"},
		"no bytes":                    {[]byte{}, ""},
		"a nil slice":                 {[]byte(nil), ""},
		"a named nil slice":           {blob(nil), ""},
		"an empty string":             {"", ""},
	} {
		got, err := codec.Raw{}.Encode(test.value)
		if err != nil || string(got) != test.want || got == nil {
			t.Errorf("%s: %q, %v, want %q", name, got, err, test.want)
		}
	}
}

func TestRawEncodesACopy(t *testing.T) {
	for _, encode := range []func(b []byte) any{func(b []byte) any { return b }, func(b []byte) any { return blob(b) }} {
		value := []byte("before")
		body, _ := codec.Raw{}.Encode(encode(value))
		copy(value, "after!")
		if string(body) != "before" {
			t.Errorf("the body became %q", body)
		}
	}
}

func TestRawDecodesIntoNewMemory(t *testing.T) {
	body := []byte("body")
	old := []byte("old one")
	bytesOf, named, raw, text, namedText := old, blob(old), json.RawMessage(old), "", label("")
	for _, v := range []any{&bytesOf, &named, &raw, &text, &namedText} {
		if err := (codec.Raw{}).Decode(body, v); err != nil {
			t.Errorf("%T: %v", v, err)
		}
	}
	copy(body, "gone")
	if string(bytesOf) != "body" || string(named) != "body" || string(raw) != "body" || text != "body" || namedText != "body" {
		t.Errorf("%s %s %s %s %s", bytesOf, named, raw, text, namedText)
	}
	if string(old) != "old one" {
		t.Errorf("the slice that was there before became %q", old)
	}
}

func TestRawDecodesAnEmptyBody(t *testing.T) {
	for _, body := range [][]byte{nil, {}} {
		b, n, s := []byte("x"), blob(nil), "x"
		for _, v := range []any{&b, &n, &s} {
			if err := (codec.Raw{}).Decode(body, v); err != nil {
				t.Error(err)
			}
		}
		if b == nil || len(b) != 0 || n == nil || len(n) != 0 || s != "" {
			t.Errorf("%#v %#v %q", b, n, s)
		}
	}
}

func TestRawRefusesEverythingElse(t *testing.T) {
	const only = "only []byte, string and named types of them can be raw"
	for want, v := range map[string]any{
		"encode raw from <nil>: " + only:              nil,
		"encode raw from int: " + only:                7,
		"encode raw from codec_test.order: " + only:   order{},
		"encode raw from []codec_test.octet: " + only: []octet("x"),
		"encode raw from [3]uint8: " + only:           [3]byte{},
		"encode raw from []string: " + only:           []string{"x"},
		"encode raw from *[]uint8: " + only:           &[]byte{},
	} {
		if _, err := (codec.Raw{}).Encode(v); err == nil || err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
	for want, v := range map[string]any{
		"decode raw into nil: want a pointer":                 nil,
		"decode raw into []uint8: want a pointer":             []byte("x"),
		"decode raw into string: want a pointer":              "x",
		"decode raw into []uint8: the pointer is nil":         (*[]byte)(nil),
		"decode raw into string: the pointer is nil":          (*string)(nil),
		"decode raw into codec_test.blob: the pointer is nil": (*blob)(nil),
		"decode raw into codec_test.order: " + only:           new(order),
		"decode raw into interface {}: " + only:               new(any),
		"decode raw into *string: " + only:                    new(*string),
		"decode raw into []codec_test.octet: " + only:         new([]octet),
	} {
		if err := (codec.Raw{}).Decode([]byte("secret"), v); err == nil || err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

func TestDefaultIsRawForBytesAndJSONForTheRest(t *testing.T) {
	raw, asJSON := codec.Codec(codec.Raw{}), codec.Codec(codec.JSON{})
	for name, test := range map[string]struct{ got, want codec.Codec }{
		"bytes":                          {codec.Default[[]byte](), raw},
		"named bytes":                    {codec.Default[blob](), raw},
		"a string":                       {codec.Default[string](), asJSON},
		"a struct":                       {codec.Default[order](), asJSON},
		"a pointer":                      {codec.Default[*order](), asJSON},
		"a pointer to bytes":             {codec.Default[*[]byte](), asJSON},
		"anything":                       {codec.Default[any](), asJSON},
		"raw JSON":                       {codec.Default[json.RawMessage](), asJSON},
		"bytes with a text of their own": {codec.Default[net.IP](), asJSON},
		"a named byte":                   {codec.Default[[]octet](), asJSON},
		"an array":                       {codec.Default[[4]byte](), asJSON},
	} {
		if test.got != test.want {
			t.Errorf("%s: %T, want %T", name, test.got, test.want)
		}
	}
}

func FuzzRawRoundTrip(f *testing.F) {
	f.Add([]byte("body"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		var b []byte
		var s string
		if err := (codec.Raw{}).Decode(body, &b); err != nil || !bytes.Equal(b, body) {
			t.Fatal(b, err)
		}
		if err := (codec.Raw{}).Decode(body, &s); err != nil || s != string(body) {
			t.Fatal(s, err)
		}
		if again, err := (codec.Raw{}).Encode(b); err != nil || !bytes.Equal(again, body) {
			t.Fatal(again, err)
		}
	})
}

func BenchmarkRawDecode(b *testing.B) {
	body := []byte(strings.Repeat("x", 1024))
	b.ReportAllocs()
	for b.Loop() {
		var got []byte
		if err := (codec.Raw{}).Decode(body, &got); err != nil {
			b.Fatal(err)
		}
	}
}
