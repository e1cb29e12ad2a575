package codec_test

import (
	"strings"
	"testing"

	"github.com/warren-mq/warren/codec"
)

// A typed is JSON under another content type.
type typed struct {
	codec.JSON
	contentType string
}

func (c typed) ContentType() string { return c.contentType }

func TestASetChoosesByContentType(t *testing.T) {
	avro := typed{contentType: "Avro/Binary; version=1"}
	set, err := codec.NewSet(codec.JSON{}, avro, typed{contentType: "text/plain"})
	if err != nil {
		t.Fatal(err)
	}
	text, fallback := codec.Codec(typed{contentType: "text/plain"}), codec.Codec(codec.JSON{})
	for contentType, want := range map[string]codec.Codec{
		"":                                 fallback,
		"application/octet-stream":         fallback,
		"Application/Octet-Stream; a=b":    fallback,
		"application/json":                 fallback,
		"application/json; charset=utf-8":  fallback,
		"application/problem+json":         fallback,
		"text":                             fallback,
		"text/plain2":                      fallback,
		"; charset=utf-8":                  fallback,
		"\x00\xff":                         fallback,
		strings.Repeat("text/plain", 1000): fallback,
		"text/plain":                       text,
		"text/plain;charset=utf-8":         text,
		"text/plain ; charset=\"a;b\"":     text,
		" text/plain ":                     text,
		"TEXT/Plain":                       text,
		"text/plain; broken; =":            text,
		"avro/binary":                      avro,
		"avro/binary; version=2":           avro,
		"AVRO/BINARY":                      avro,
	} {
		if got := set.For(contentType); got != want {
			t.Errorf("%q: %v, want %v", contentType, got, want)
		}
	}
}

func TestARawFallbackIsFoundByItsOwnType(t *testing.T) {
	set, err := codec.NewSet(codec.Raw{}, codec.JSON{})
	if err != nil {
		t.Fatal(err)
	}
	for contentType, want := range map[string]codec.Codec{
		"": codec.Raw{}, "application/octet-stream": codec.Raw{}, "application/json": codec.JSON{}, "text/plain": codec.Raw{},
	} {
		if got := set.For(contentType); got != want {
			t.Errorf("%q: %T, want %T", contentType, got, want)
		}
	}
}

func TestASetRefusesCodecsThatItCouldNotFind(t *testing.T) {
	for want, codecs := range map[string][]codec.Codec{
		"codec 0 of the set is nil": {nil},
		"codec 1 of the set is nil": {codec.JSON{}, nil},
		`codec 0 of the set, a codec_test.typed, has the content type "": it is empty`:                                    {typed{}},
		`codec 1 of the set, a codec_test.typed, has the content type "json": want type/subtype`:                          {codec.JSON{}, typed{contentType: "json"}},
		`codec 1 of the set, a codec_test.typed, has the content type "a b/c": mime: `:                                    {codec.JSON{}, typed{contentType: "a b/c"}},
		`codec 1 of the set, a codec_test.typed, has the content type ";": mime: `:                                        {codec.JSON{}, typed{contentType: ";"}},
		`codec 2 of the set, a codec_test.typed, has the content type a/b, as a codec_test.typed`:                         {codec.JSON{}, typed{contentType: "a/b"}, typed{contentType: "A/B; c=d"}},
		`codec 1 of the set, a codec.JSON, has the content type application/json, as a codec.JSON`:                        {codec.JSON{}, codec.JSON{Strict: true}},
		`codec 1 of the set, a codec.Raw, has the content type application/octet-stream, which always means the fallback`: {codec.JSON{}, codec.Raw{}},
	} {
		set, err := codec.NewSet(codecs[0], codecs[1:]...)
		if set != nil || err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

func TestASetAllocatesNothingForPlainContentTypes(t *testing.T) {
	set, err := codec.NewSet(codec.JSON{}, typed{contentType: "text/plain"})
	if err != nil {
		t.Fatal(err)
	}
	for _, contentType := range []string{
		"", "application/json", "application/octet-stream", "text/plain", "text/plain; charset=utf-8", "image/png", strings.Repeat("X", 200),
	} {
		if allocs := testing.AllocsPerRun(100, func() { set.For(contentType) }); allocs != 0 {
			t.Errorf("%q: %v allocations", contentType, allocs)
		}
	}
}

func FuzzSetFor(f *testing.F) {
	for _, contentType := range []string{"", "text/plain", "TEXT/PLAIN;a", "application/octet-stream", " ;", "İ/x", "text/plaİn"} {
		f.Add(contentType)
	}
	set, err := codec.NewSet(codec.JSON{}, typed{contentType: "text/plain"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, contentType string) {
		if set.For(contentType) == nil {
			t.Fatal("no codec")
		}
	})
}

func BenchmarkSetFor(b *testing.B) {
	set, err := codec.NewSet(codec.JSON{}, typed{contentType: "text/plain"})
	if err != nil {
		b.Fatal(err)
	}
	for name, contentType := range map[string]string{
		"absent": "", "plain": "application/json", "parameter": "application/json; charset=utf-8", "case": "Application/JSON",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				set.For(contentType)
			}
		})
	}
}
