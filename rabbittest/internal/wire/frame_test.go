package wire_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

func TestFramesComeBack(t *testing.T) {
	frames := []wire.Frame{
		{Type: wire.FrameMethod, Channel: 1, Payload: []byte("abc")},
		{Type: wire.FrameBody, Channel: 65535, Payload: bytes.Repeat([]byte("x"), 200_000)},
		{Type: wire.FrameHeartbeat, Payload: []byte{}},
	}
	var b []byte
	for _, f := range frames {
		b = wire.AppendFrame(b, f)
	}
	r := wire.NewReader(iotest.OneByteReader(bytes.NewReader(b)), 0)
	for _, f := range frames {
		if got, err := r.ReadFrame(); err != nil || !reflect.DeepEqual(got, f) {
			t.Fatalf("%d bytes on channel %d: %v", len(got.Payload), got.Channel, err)
		}
	}
	if _, err := r.ReadFrame(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestAFrameThatEndsEarlyIsNoCleanEnd(t *testing.T) {
	whole := wire.AppendFrame(nil, wire.Frame{Type: 1, Channel: 1, Payload: []byte("abc")})
	for n := 1; n < len(whole); n++ {
		_, err := wire.NewReader(bytes.NewReader(whole[:n]), 0).ReadFrame()
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

// The texts are those of RabbitMQ 4.0.5 and 4.3.6. (3.10.8 writes the bytes
// above 127 as they are, which is not UTF-8.)
func TestFramesThatCannotBeRead(t *testing.T) {
	body := func(n int) string { return string([]byte{3, 0, 1, 0, byte(n >> 16), byte(n >> 8), byte(n)}) }
	for _, c := range []struct{ bytes, text string }{
		{"\x01\x00\x01\x00\x00\x00\x04\x00\x5a\x00\x0a\x00", "FRAME_ERROR - type 1, all octets = <<0,90,0,10>>: {invalid_frame_end_marker,0}"},
		{"\x03\x00\x01\x00\x00\x00\x03abc\xcd", `FRAME_ERROR - type 3, all octets = <<"abc">>: {invalid_frame_end_marker,205}`},
		{"\x01\x00\x00\xff\xff\xff\xff", "FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,4294967295,131064}"},
		{body(131073), "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,131073,131064}"},
	} {
		_, err := wire.NewReader(strings.NewReader(c.bytes), 131072).ReadFrame()
		var e *wire.Error
		if !errors.As(err, &e) || e.Code != 501 || e.Text != c.text {
			t.Errorf("%q: %v", c.bytes, err)
		}
	}
	// It is lenient by those eight bytes.
	if f, err := wire.NewReader(strings.NewReader(body(131072)+strings.Repeat("x", 131072)+"\xce"), 131072).ReadFrame(); err != nil {
		t.Errorf("%d bytes: %v", len(f.Payload), err)
	}
}

func TestFramesThatMakeNoSense(t *testing.T) {
	for payload, want := range map[string]string{
		"":                                "type 9, all octets = <<>>",
		"abc":                             `type 9, all octets = <<"abc">>`,
		"a\xe9":                           `type 9, all octets = <<"aé">>`,
		"é":                               `type 9, all octets = <<"é"/utf8>>`,
		"a\n\t\"\\\x1b\x7f\x08":           "type 9, all octets = <<97,10,9,34,92,27,127,8>>",
		"\x1b\x0b\x0c\x0d\n\t\b":          `type 9, all octets = <<"\e\v\f\r\n\t\b">>`,
		"\"\\":                            `type 9, all octets = <<"\"\\">>`,
		"\x07\x07":                        "type 9, all octets = <<7,7>>",
		"€":                               "type 9, all octets = <<226,130,172>>",
		"abcdefghijklmnopqrstu":           `type 9, first 16 octets = <<"abcdefghijklmnop">>`,
		strings.Repeat("\xff", 16):        `type 9, all octets = <<"ÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿ">>`,
		strings.Repeat("\xff", 17) + "ab": `type 9, first 16 octets = <<"ÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿ">>`,
	} {
		f := wire.Frame{Type: 9, Payload: []byte(payload)}
		if got := wire.Unknown(f); got.Code != 501 || got.Text != "FRAME_ERROR - "+want+": unknown_frame" {
			t.Errorf("%q: %v", payload, got)
		}
		if got := wire.Unexpected(f); got.Code != 505 || got.Text != "UNEXPECTED_FRAME - "+want {
			t.Errorf("%q: %v", payload, got)
		}
	}
}

func TestAClaimedLengthTakesNoMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := wire.NewReader(strings.NewReader("\x03\x00\x01\xff\xff\xff\xffabc"), 0).ReadFrame()
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("four gigabytes that did not come took %d bytes", n)
	}
}

func TestABodyIsSplitToTheFrameMax(t *testing.T) {
	for size, want := range map[int][]int{0: nil, 1: {1}, 4088: {4088}, 4089: {4088, 1}, 10_000: {4088, 4088, 1824}} {
		b := wire.AppendContent(nil, 3, wire.Properties{}, bytes.Repeat([]byte("x"), size), 4096)
		r := wire.NewReader(bytes.NewReader(b), 4088)
		f, err := r.ReadFrame()
		if err != nil || f.Type != wire.FrameHeader || f.Channel != 3 {
			t.Fatalf("%+v, %v", f, err)
		}
		if _, n, _, err := wire.ParseHeader(f.Payload); err != nil || n != uint64(size) {
			t.Errorf("the header says %d, not %d: %v", n, size, err)
		}
		var got []int
		for {
			f, err := r.ReadFrame()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || f.Type != wire.FrameBody || f.Channel != 3 {
				t.Fatalf("%+v, %v", f, err)
			}
			got = append(got, len(f.Payload))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d bytes went in pieces of %v, not %v", size, got, want)
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte("\x01\x00\x01\x00\x00\x00\x04\x00\x5a\x00\x0a\xce"))
	f.Add([]byte("\x01\x00\x01\x00\x00\x00\x04\x00\x5a\x00\x0a\x00"))
	f.Add([]byte("\x08\x00\x00\x00\x00\x00\x00\xce\x03\x00\x01\xff\xff\xff\xffx"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewReader(bytes.NewReader(b), 4096)
		var read []byte
		for {
			frame, err := r.ReadFrame()
			if err != nil {
				break
			}
			read = wire.AppendFrame(read, frame)
		}
		if !bytes.HasPrefix(b, read) {
			t.Errorf("% x was read as % x", b, read)
		}
	})
}
