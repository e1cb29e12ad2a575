package codec_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/warren-mq/warren/codec"
)

// pack compresses body once for each of the formats, the first first.
func pack(tb testing.TB, body []byte, formats ...string) []byte {
	tb.Helper()
	for _, format := range formats {
		var packed bytes.Buffer
		var w io.WriteCloser
		switch format {
		case "gzip":
			w = gzip.NewWriter(&packed)
		case "zlib":
			w = zlib.NewWriter(&packed)
		case "flate":
			w, _ = flate.NewWriter(&packed, flate.BestCompression)
		}
		if _, err := w.Write(body); err != nil {
			tb.Fatal(err)
		}
		if err := w.Close(); err != nil {
			tb.Fatal(err)
		}
		body = packed.Bytes()
	}
	return body
}

func TestDecompressUndoesTheEncoding(t *testing.T) {
	noise := make([]byte, 300<<10)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(noise)
	for name, body := range map[string][]byte{
		"nothing": {}, "a byte": {0}, "text": []byte("hello, hello"), "a page": bytes.Repeat([]byte("hello "), 2000), "noise": noise,
	} {
		for encoding, formats := range map[string][]string{
			"gzip":                      {"gzip"},
			"x-gzip":                    {"gzip"},
			" GZIP ":                    {"gzip"},
			"deflate":                   {"zlib"},
			"Deflate":                   {"flate"},
			"gzip, deflate":             {"gzip", "zlib"},
			"deflate, gzip":             {"flate", "gzip"},
			"deflate,gzip,deflate":      {"zlib", "gzip", "flate"},
			"gzip, utf-8":               {"gzip"},
			"identity, gzip,, identity": {"gzip"},
			"gzip:UTF-8":                {"gzip"}, // Spring AMQP
			"gzip:deflate:UTF-8":        {"zlib", "gzip"},
			"gzip , gzip\t,gzip":        {"gzip", "gzip", "gzip"},
		} {
			packed := pack(t, body, formats...)
			before := bytes.Clone(packed)
			got, err := codec.Decompress(encoding, packed, 0)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%s, %q: %d bytes, %v, want %d bytes", name, encoding, len(got), err, len(body))
			}
			if !bytes.Equal(packed, before) {
				t.Errorf("%s, %q: the body was changed", name, encoding)
			}
		}
	}
}

func TestEncodingsThatDoNothingReturnTheBodyItself(t *testing.T) {
	body := []byte("plain")
	for _, encoding := range []string{
		"", " ", ",", "identity", "Identity", "utf-8", "UTF-8", "utf8", "utf-16le", "us-ascii", "US-ASCII", "binary", "ascii", "8bit", "ISO-8859-1",
		"latin1", "latin-1", "windows-1252", "cp1252", "Shift_JIS", "euc-jp", "KOI8-R", "gb18030", "utf-8, identity", "identity:utf-8",
	} {
		got, err := codec.Decompress(encoding, body, 1) // the limit is for what is decompressed
		if err != nil || len(got) != len(body) || &got[0] != &body[0] {
			t.Errorf("%q: %q, %v", encoding, got, err)
		}
	}
	if got, err := codec.Decompress("utf-8", nil, 0); got != nil || err != nil {
		t.Errorf("no body became %q, %v", got, err)
	}
	for _, encoding := range []string{"", "utf-8", "identity"} {
		if allocs := testing.AllocsPerRun(100, func() { _, _ = codec.Decompress(encoding, body, 0) }); allocs != 0 {
			t.Errorf("%q: %v allocations", encoding, allocs)
		}
	}
}

func TestUnknownEncodingsAreNamed(t *testing.T) {
	for encoding, want := range map[string]string{
		"br":                         `unsupported content encoding "br"`,
		"zstd":                       `unsupported content encoding "zstd"`,
		"gzip, br":                   `unsupported content encoding "br"`,
		"gzip:zip":                   `unsupported content encoding "zip"`,
		"gzip deflate":               `unsupported content encoding "gzip deflate"`,
		"gzip;q=1":                   `unsupported content encoding "gzip;q=1"`,
		"\x00":                       `unsupported content encoding "\x00"`,
		"gzip,gzip,gzip,gzip":        `unsupported content encoding: compressed 4 times, at most 3 are undone`,
		"gzip,gzip,utf-8,gzip:gzip":  `unsupported content encoding: compressed 4 times, at most 3 are undone`,
		strings.Repeat("gzip,", 100): `unsupported content encoding: compressed 100 times, at most 3 are undone`,
	} {
		got, err := codec.Decompress(encoding, []byte("body"), 0)
		if got != nil || !errors.Is(err, codec.ErrUnsupportedEncoding) || err.Error() != want {
			t.Errorf("%q: %v\nwant %s", encoding, err, want)
		}
	}
	if _, err := codec.Decompress(strings.Repeat("x", 1<<20), nil, 0); len(err.Error()) > 400 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

var layerings = map[string]struct {
	encoding string
	formats  []string
}{
	"gzip":         {"gzip", []string{"gzip"}},
	"zlib":         {"deflate", []string{"zlib"}},
	"flate":        {"deflate", []string{"flate"}},
	"zlib in gzip": {"deflate, gzip", []string{"zlib", "gzip"}},
	"gzip in zlib": {"gzip, deflate", []string{"gzip", "zlib"}},
	"thrice":       {"gzip, deflate, gzip", []string{"gzip", "flate", "gzip"}},
}

func TestTheLimitIsWhatMayComeOut(t *testing.T) {
	for name, l := range layerings {
		for _, size := range []int{1, 100, 4095, 4096, 4097, 8192, 1<<20 + 1} {
			packed := pack(t, make([]byte, size), l.formats...)
			for _, limit := range []int{size, size + 1, math.MaxInt, math.MaxInt - 1} {
				if size < 100 && limit < 100 && len(l.formats) > 1 {
					continue // the layers beneath are larger than what they hold
				}
				if got, err := codec.Decompress(l.encoding, packed, limit); err != nil || len(got) != size {
					t.Errorf("%s of %d with limit %d: %d bytes, %v", name, size, limit, len(got), err)
				}
			}
			for _, limit := range []int{1, size / 2, size - 1} {
				if limit < 1 || limit == size {
					continue
				}
				if got, err := codec.Decompress(l.encoding, packed, limit); !errors.Is(err, codec.ErrTooLarge) || got != nil {
					t.Errorf("%s of %d with limit %d: %d bytes, %v", name, size, limit, len(got), err)
				}
			}
		}
	}
}

func TestTheLimitHoldsForTheLayersBeneathToo(t *testing.T) {
	// Many empty members: nothing comes out in the end, but what is beneath is large.
	empty := bytes.Repeat(pack(t, nil, "gzip"), 10_000)
	packed := pack(t, empty, "gzip")
	if got, err := codec.Decompress("gzip, gzip", packed, len(empty)); err != nil || len(got) != 0 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := codec.Decompress("gzip, gzip", packed, len(empty)-1); !errors.Is(err, codec.ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

func TestTheDefaultLimitHolds(t *testing.T) {
	within := bytes.Repeat(pack(t, make([]byte, 1<<20), "gzip"), codec.DefaultLimit>>20)
	beyond := append(bytes.Clone(within), pack(t, []byte("x"), "gzip")...)
	for _, limit := range []int{0, math.MinInt} {
		if got, err := codec.Decompress("gzip", within, limit); err != nil || len(got) != codec.DefaultLimit {
			t.Errorf("at the limit: %d bytes, %v", len(got), err)
		}
		if _, err := codec.Decompress("gzip", beyond, limit); !errors.Is(err, codec.ErrTooLarge) {
			t.Errorf("beyond the limit: %v", err)
		}
	}
}

func TestABombCostsTheLimitAndNoMore(t *testing.T) {
	const limit, constant = 1 << 20, 512 << 10
	bomb := make([]byte, 6<<20)
	for name, l := range layerings {
		packed := pack(t, bomb, l.formats...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := codec.Decompress(l.encoding, packed, limit)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, codec.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		if cost := after.TotalAlloc - before.TotalAlloc; cost > limit+constant {
			t.Errorf("%s: a bomb of %d bytes cost %d kB, limit %d kB", name, len(packed), cost>>10, limit>>10)
		}
	}
}

func TestABodyThatIsCutShortIsAnError(t *testing.T) {
	for name, l := range layerings {
		packed := pack(t, []byte("secret, not so secret, very secret"), l.formats...)
		for n := range packed {
			got, err := codec.Decompress(l.encoding, packed[:n], 0)
			if got != nil || err == nil || !strings.HasPrefix(err.Error(), "decompress ") {
				t.Errorf("%s cut to %d of %d bytes: %q, %v", name, n, len(packed), got, err)
			}
			if errors.Is(err, io.EOF) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s cut to %d of %d bytes: %v", name, n, len(packed), err)
			}
		}
	}
}

func TestSomethingAfterTheDataIsAnError(t *testing.T) {
	for name, l := range layerings {
		packed := pack(t, []byte("hello"), l.formats...)
		for _, more := range []string{"\x00", "x", "\r\n", strings.Repeat("\x00", 5000), "\x1f\x8b"} {
			if got, err := codec.Decompress(l.encoding, append(bytes.Clone(packed), more...), 0); err == nil {
				t.Errorf("%s and then %.5q: %q", name, more, got)
			}
		}
		// The same beneath the outermost layer.
		inner := append(pack(t, []byte("hello"), "flate"), 0)
		if got, err := codec.Decompress("deflate, "+l.encoding, pack(t, inner, l.formats...), 0); len(l.formats) < 3 && err == nil {
			t.Errorf("%s around data with something after it: %q", name, got)
		}
	}
}

func TestSeveralGzipMembersAreOneBody(t *testing.T) {
	packed := append(append(pack(t, []byte("one "), "gzip"), pack(t, nil, "gzip")...), pack(t, []byte("two"), "gzip")...)
	got, err := codec.Decompress("gzip", packed, 7)
	if err != nil || string(got) != "one two" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := codec.Decompress("gzip", packed, 6); !errors.Is(err, codec.ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

func TestADamagedBodyIsAnErrorOrUnchanged(t *testing.T) {
	body := []byte("hello, hello, hello, good-bye")
	for name, l := range layerings {
		packed := pack(t, body, l.formats...)
		for i := range packed {
			for bit := range 8 {
				damaged := bytes.Clone(packed)
				damaged[i] ^= 1 << bit
				got, err := codec.Decompress(l.encoding, damaged, 1<<20)
				if err == nil && !bytes.Equal(got, body) && name != "flate" { // which has no checksum
					t.Errorf("%s with bit %d of byte %d turned: %q", name, bit, i, got)
				}
			}
		}
	}
}

func TestADictionaryThatWeDoNotHaveIsAnError(t *testing.T) {
	var packed bytes.Buffer
	w, err := zlib.NewWriterLevelDict(&packed, zlib.BestCompression, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte("hello"))
	_ = w.Close()
	for range 3 { // also on a decompressor that is used again
		if got, err := codec.Decompress("deflate", packed.Bytes(), 0); err == nil {
			t.Errorf("%q", got)
		}
		if got, err := codec.Decompress("deflate", pack(t, []byte("fine"), "zlib"), 0); err != nil || string(got) != "fine" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestDecompressorsThatAreUsedAgainDoNotMixBodies(t *testing.T) {
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 25 {
				body := []byte(strings.Repeat(fmt.Sprintf("worker %d ", worker), i*40))
				for name, l := range layerings {
					packed := pack(t, body, l.formats...)
					if i%3 == 0 {
						_, _ = codec.Decompress(l.encoding, packed[:len(packed)/2], 0) // a failure in between
					}
					if got, err := codec.Decompress(l.encoding, packed, 0); err != nil || !bytes.Equal(got, body) {
						t.Errorf("%s: %d bytes, %v, want %d", name, len(got), err, len(body))
					}
				}
			}
		})
	}
	all.Wait()
}

func FuzzDecompress(f *testing.F) {
	for _, l := range layerings {
		for _, body := range []string{"", "hello, hello", strings.Repeat("x", 10_000)} {
			f.Add(l.encoding, pack(f, []byte(body), l.formats...), 5000)
		}
	}
	f.Add("", []byte("hello"), 0)
	f.Add("utf-8", []byte("hello"), 1)
	f.Add("gzip:UTF-8", []byte("\x1f\x8b\x08"), -1)
	f.Add("br, gzip", []byte{}, 10)
	f.Add("deflate", []byte("\x78\x9c"), 10)
	f.Add("gzip", append(pack(f, []byte("a"), "gzip"), "junk"...), 10)
	f.Fuzz(func(t *testing.T, encoding string, body []byte, limit int) {
		if limit <= 0 || limit > 1<<20 {
			limit = 1 << 20
		}
		before := bytes.Clone(body)
		got, err := codec.Decompress(encoding, body, limit)
		if !bytes.Equal(body, before) {
			t.Fatal("the body was changed")
		}
		if err != nil {
			if got != nil || errors.Is(err, io.EOF) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			return
		}
		plain := len(got) == len(body) && (len(got) == 0 || &got[0] == &body[0])
		if len(got) > limit && !plain {
			t.Fatalf("%d bytes came out, limit %d", len(got), limit)
		}
		if again, err := codec.Decompress(encoding, body, limit); err != nil || !bytes.Equal(again, got) {
			t.Fatalf("the second time: %d bytes, %v", len(again), err)
		}
	})
}

func BenchmarkDecompress(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10, 4 << 20} {
		body := []byte(strings.Repeat(`{"id":"7","cents":1200},`, size/24))
		for _, format := range []string{"gzip", "zlib", "flate"} {
			packed := pack(b, body, format)
			encoding := strings.NewReplacer("zlib", "deflate", "flate", "deflate").Replace(format)
			b.Run(fmt.Sprintf("%s/%d", format, size), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					if _, err := codec.Decompress(encoding, packed, 0); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
