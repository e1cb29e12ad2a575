package wire_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// every is a table with a field of every type.
func every() wire.Table {
	return wire.Table{
		{"bool", true},
		{"byte", int8(-5)},
		{"unsignedbyte", uint8(200)},
		{"short", int16(-3000)},
		{"unsignedshort", uint16(60000)},
		{"signedint", int32(-70000)},
		{"unsignedint", uint32(4e9)},
		{"long", int64(math.MinInt64)},
		{"float", float32(1.5)},
		{"double", math.Pi},
		{"decimal", wire.Decimal{Scale: 2, Value: math.MaxUint32}},
		{"longstr", "é\x00\xff"},
		{"binary", wire.Binary{0, 1, 2}},
		{"timestamp", wire.Timestamp(math.MaxUint64)},
		{"array", wire.Array{int64(1), "two", nil, wire.Table{{"k", wire.Array{}}}}},
		{"table", wire.Table{{"z", int32(1)}, {"a", int32(2)}, {"", nil}}},
		{"void", nil},
	}
}

func headers(t *testing.T, table wire.Table) wire.Table {
	t.Helper()
	payload := wire.AppendHeader(nil, wire.ClassBasic, 0, wire.Properties{Flags: wire.HasHeaders, Headers: table})
	_, _, p, err := wire.ParseHeader(payload)
	if err != nil {
		t.Fatal(err)
	}
	return p.Headers
}

func TestEveryTypeComesBackInOrder(t *testing.T) {
	if got := headers(t, every()); !reflect.DeepEqual(got, every()) {
		t.Errorf("%v\ncame back as\n%v", every(), got)
	}
}

func TestTypesAreNamedAsRabbitMQDoes(t *testing.T) {
	for _, f := range every() {
		if got := wire.TypeName(f.Value); got != f.Name {
			t.Errorf("%T is named %q, not %q", f.Value, got, f.Name)
		}
	}
	if got := wire.TypeName(int(1)); got != "" {
		t.Errorf("an int, which no field can have, is named %q", got)
	}
}

func TestTableCopies(t *testing.T) {
	old := wire.Table{{"a", 1}, {"b", 2}}
	if got, want := old.With("a", 3), (wire.Table{{"a", 3}, {"b", 2}}); !reflect.DeepEqual(got, want) {
		t.Errorf("with a replaced: %v", got)
	}
	if got, want := old.With("c", 3), (wire.Table{{"a", 1}, {"b", 2}, {"c", 3}}); !reflect.DeepEqual(got, want) {
		t.Errorf("with c appended: %v", got)
	}
	if got, want := old.Without("a", "x"), (wire.Table{{"b", 2}}); !reflect.DeepEqual(got, want) {
		t.Errorf("without a: %v", got)
	}
	if !reflect.DeepEqual(old, wire.Table{{"a", 1}, {"b", 2}}) {
		t.Errorf("the receiver has changed: %v", old)
	}
	if v, ok := old.Get("b"); v != 2 || !ok {
		t.Errorf("b is %v, %v", v, ok)
	}
	if v, ok := old.Get("c"); v != nil || ok {
		t.Errorf("c is %v, %v", v, ok)
	}
}

func TestAnLIsPassedOnInHeadersAndReadInMethods(t *testing.T) {
	sent := wire.Table{{"n", wire.LongLong(7)}, {"in", wire.Table{{"a", wire.Array{wire.LongLong(8)}}}}}
	read := wire.Table{{"n", int64(7)}, {"in", wire.Table{{"a", wire.Array{int64(8)}}}}}
	if got := headers(t, sent); !reflect.DeepEqual(got, sent) {
		t.Errorf("in headers: %#v", got)
	}
	if got := sent.Rewritten(); !reflect.DeepEqual(got, read) {
		t.Errorf("rewritten: %#v", got)
	}
	m, err := wire.ParseMethod(wire.AppendMethod(nil, &wire.QueueDeclare{Arguments: sent}))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.(*wire.QueueDeclare).Arguments; !reflect.DeepEqual(got, read) {
		t.Errorf("in a method: %#v", got)
	}
}

// nested is a table of that many tables in each other.
func nested(depth int) wire.Table {
	t := wire.Table{}
	for range depth {
		t = wire.Table{{"t", t}}
	}
	return t
}

// What cannot be read in a table kills RabbitMQ's reader when it stands in a
// method, and its channel when it stands in a header (observed on 3.10.8, 4.0.5
// and 4.3.6).
func TestTablesThatCannotBeRead(t *testing.T) {
	for name, field := range map[string]string{
		"unknown tag":     "\x01kZabc",
		"name too long":   "\x09k",
		"no tag":          "\x01k",
		"value too short": "\x01kI\x00\x00",
		"string too long": "\x01kS\x00\x00\x00\x09abc",
		"claimed length":  "\x01kx\xff\xff\xff\xff",
		"not a number":    "\x01kd\x7f\xf8\x00\x00\x00\x00\x00\x01",
		"infinite":        "\x01kf\x7f\x80\x00\x00",
		"in an array":     "\x01kA\x00\x00\x00\x02Zx",
		"in a table":      "\x01kF\x00\x00\x00\x03\x01aZ",
	} {
		size := string([]byte{0, 0, 0, byte(len(field))})
		declare := "\x00\x32\x00\x0a" + "\x00\x00" + "\x01q" + "\x00" + size + field
		var e *wire.Error
		if _, err := wire.ParseMethod([]byte(declare)); !errors.As(err, &e) || e.Code != 0 {
			t.Errorf("%s in a method: %v", name, err)
		}
		header := "\x00\x3c\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x05" + "\x20\x00" + size + field
		if _, n, _, err := wire.ParseHeader([]byte(header)); !errors.As(err, &e) || e.Code != 541 || e.Text != "INTERNAL_ERROR" || n != 5 {
			t.Errorf("%s in a header: %v, size %d", name, err, n)
		}
	}
}

func TestTablesMayLieDeepButNotTooDeep(t *testing.T) {
	if got := headers(t, nested(1000)); !reflect.DeepEqual(got, nested(1000)) {
		t.Error("a thousand levels came back different")
	}
	payload := wire.AppendHeader(nil, wire.ClassBasic, 0, wire.Properties{Flags: wire.HasHeaders, Headers: nested(2000)})
	if _, _, _, err := wire.ParseHeader(payload); err == nil {
		t.Error("two thousand levels were read")
	}
}

func TestAWrongGoTypeIsLoud(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an int was written")
		}
	}()
	headers(t, wire.Table{{"k", 1}})
}

func FuzzHeader(f *testing.F) {
	all := wire.Properties{
		Flags: 0xfffc, ContentType: "text/plain", ContentEncoding: "gzip", Headers: every(), DeliveryMode: 2, Priority: 9,
		CorrelationID: "c", ReplyTo: "r", Expiration: "60000", MessageID: "m", Timestamp: 1, Type: "t", UserID: "guest",
		AppID: "a", ClusterID: "x",
	}
	f.Add(wire.AppendHeader(nil, wire.ClassBasic, 1<<40, all))
	f.Add(wire.AppendHeader(nil, wire.ClassBasic, 0, wire.Properties{Flags: wire.HasHeaders, Headers: nested(3)}))
	f.Add([]byte("\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00\x00\x0b\x01kL\x00\x00\x00\x00\x00\x00\x00\x05"))
	f.Add([]byte("\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x01\x00\x00"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		class, size, p, err := wire.ParseHeader(payload)
		if err != nil {
			return
		}
		b := wire.AppendHeader(nil, class, size, p)
		class2, size2, p2, err := wire.ParseHeader(b)
		if err != nil || class2 != class || size2 != size || !reflect.DeepEqual(p2, p) {
			t.Errorf("%+v came back as %+v, %v", p, p2, err)
		}
		if again := wire.AppendHeader(nil, class2, size2, p2); !bytes.Equal(again, b) {
			t.Errorf("% x is written as % x the second time", b, again)
		}
	})
}
