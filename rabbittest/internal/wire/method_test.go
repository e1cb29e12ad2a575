package wire_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// fill sets every field of a method to something that is not its zero value.
func fill(m wire.Method, r *rand.Rand) {
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Kind() {
		case reflect.Bool:
			f.SetBool(r.IntN(2) == 0)
		case reflect.String:
			f.SetString(strings.Repeat("é", r.IntN(100)+1))
		case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			f.SetUint(r.Uint64() >> (64 - f.Type().Bits()))
		default:
			f.Set(reflect.ValueOf(wire.Table{{"k", "v"}, {"n", int64(r.Int32())}}))
		}
	}
}

func TestEveryMethodComesBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	for class := range uint16(256) {
		for method := range uint16(256) {
			m, ok := wire.New(class, method)
			if !ok {
				continue
			}
			if c, n := wire.ID(m); c != class || n != method {
				t.Errorf("%s is %d.%d, and was made as %d.%d", wire.Name(m), c, n, class, method)
			}
			if seen[wire.Name(m)] {
				t.Errorf("two methods are named %s", wire.Name(m))
			}
			seen[wire.Name(m)] = true
			for range 20 {
				fill(m, r)
				b := wire.AppendMethod(nil, m)
				back, err := wire.ParseMethod(b)
				if err != nil || !reflect.DeepEqual(back, m) {
					t.Fatalf("%s: %+v came back as %+v, %v", wire.Name(m), m, back, err)
				}
			}
		}
	}
	if len(seen) != 66 {
		t.Errorf("%d methods are known, not 66", len(seen))
	}
}

func declare(rest string) []byte { return []byte("\x00\x32\x00\x0a\x00\x00" + rest) }

// Codes and texts were observed on RabbitMQ 3.10.8, 4.0.5 and 4.3.6, which
// agree. Code zero is a connection that is reset without a word.
func TestMethodsThatCannotBeRead(t *testing.T) {
	long := "FRAME_ERROR - cannot decode <<0,0,200," + strings.Repeat("113,", 199) + "113>>"
	for name, c := range map[string]struct {
		payload []byte
		code    uint16
		text    string
		class   uint16
	}{
		"nothing":        {[]byte(""), 501, "FRAME_ERROR - type 1, all octets = <<>>: unknown_frame", 0},
		"half an id":     {[]byte("\x00\x3c"), 501, "FRAME_ERROR - type 1, all octets = <<0,60>>: unknown_frame", 0},
		"unknown class":  {[]byte("\x00\x4d\x00\x0a"), 0, "no method has the numbers 77.10", 0},
		"unknown method": {[]byte("\x00\x3c\x00\x4d"), 0, "no method has the numbers 60.77", 0},
		"too short":      {declare("\x05ab"), 501, "FRAME_ERROR - cannot decode <<0,0,5,97,98>>", 50},
		"too long":       {declare("\x01q\x0c\x00\x00\x00\x00xx"), 501, "FRAME_ERROR - cannot decode <<0,0,1,113,12,0,0,0,0,120,120>>", 50},
		"long text":      {declare("\xc8" + strings.Repeat("q", 200)), 501, long, 50},
		"bad UTF-8":      {declare("\x02\xff\xfe\x0c\x00\x00\x00\x00"), 501, "FRAME_ERROR - Malformed UTF-8 in shortstr", 0},
		"both":           {declare("\x02\xff\xfe\x0c\x00\x00\x00\x00x"), 501, "FRAME_ERROR - cannot decode <<0,0,2,255,254,12,0,0,0,0,120>>", 50},
	} {
		_, err := wire.ParseMethod(c.payload)
		var e *wire.Error
		if !errors.As(err, &e) || e.Code != c.code || e.Text != c.text || e.Class != c.class {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestALongReplyTextIsCutAsRabbitMQDoes(t *testing.T) {
	b := wire.AppendMethod(nil, &wire.ConnectionClose{ReplyText: strings.Repeat("x", 300)})
	m, err := wire.ParseMethod(b)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.(*wire.ConnectionClose).ReplyText, strings.Repeat("x", 252)+"..."; got != want {
		t.Errorf("%q", got)
	}
}

func FuzzMethod(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for class := range uint16(100) {
		for method := range uint16(130) {
			if m, ok := wire.New(class, method); ok {
				fill(m, r)
				f.Add(wire.AppendMethod(nil, m))
			}
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := wire.ParseMethod(payload)
		if err != nil {
			return
		}
		back, err := wire.ParseMethod(wire.AppendMethod(nil, m))
		if err != nil || !reflect.DeepEqual(back, m) {
			t.Errorf("%s: %+v came back as %+v, %v", wire.Name(m), m, back, err)
		}
	})
}
