package errorqueue_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/errorqueue"
)

// everyType has a header of each type that AMQP has, and odd ones.
func everyType() map[string]any {
	return map[string]any{
		"int8": int8(-8), "int16": int16(-16), "int32": int32(-32), "int64": int64(math.MinInt64), "large": int64(math.MaxInt64),
		"byte": byte(200), "uint16": uint16(65535), "uint32": uint32(math.MaxUint32),
		"float32": float32(1.1), "float64": math.Pi, "tiny": math.SmallestNonzeroFloat64, "-0": math.Copysign(0, -1), "whole": 5.0,
		"true": true, "false": false, "nil": nil, "text": "größer <b>&\u2028", "no UTF-8": "\xff\xfe", "empty": "", "looks encoded": "base64:QQ==",
		"bytes": []byte{0, 1, 255}, "no bytes": []byte{}, "time": time.Unix(1_700_000_000, 0), "long ago": time.Unix(-1<<40, 0),
		"far": time.Unix(1<<50, 0), "decimal": amqp.Decimal{Scale: 2, Value: -1234},
		"array": []any{int32(1), "two", []any{nil, map[string]any{"x": int16(3)}}}, "no array": []any{},
		"table": map[string]any{"deep": map[string]any{"er": []any{int16(3)}}, "int32": "not a type"}, "no table": map[string]any{},
		"": "a header without a name", "\xff name": "a name that is no text", strings.Repeat("n", 255): "a long name", "base64:": "an odd name",
	}
}

func everything() errorqueue.Message {
	return errorqueue.Message{
		ID: "a", Type: "order.made", AppID: "shop", ContentType: "text/x; charset=utf-8", ContentEncoding: "gzip", CorrelationID: "corr",
		ReplyTo: "replies", UserID: "guest", Expiration: "60000", DeliveryMode: 2, Priority: 7, Timestamp: time.Unix(1_600_000_000, 0),
		Exchange: "shop", Key: "order.made", Redelivered: true, Headers: everyType(), Body: []byte("the body\x00\xff"),
	}
}

func TestAMessageIsTheSameAfterJSON(t *testing.T) {
	odd := everything()
	odd.ID, odd.Type, odd.Key = "\xff id", "base64:", "\x00"
	odd.Timestamp = time.Unix(math.MaxInt64, 0)
	for name, m := range map[string]errorqueue.Message{
		"everything": everything(),
		"odd":        odd,
		"nothing":    {Body: []byte{}},
		"text":       {Body: []byte("<order id=\"7\">größer</order>\r\n")},
		"1970":       {Timestamp: time.Unix(0, 0), Headers: map[string]any{}, Body: []byte("base64:?")},
	} {
		t.Run(name, func(t *testing.T) {
			line, err := json.Marshal(m)
			must(t, err)
			if strings.Contains(string(line), "\n") {
				t.Errorf("it is more than a line: %s", line)
			}
			var got errorqueue.Message
			must(t, json.Unmarshal(line, &got))
			if len(m.Headers) == 0 {
				got.Headers, m.Headers = nil, nil
			}
			if !reflect.DeepEqual(got, m) {
				t.Errorf("got  %#v\nwant %#v\nline %s", got, m, line)
			}
		})
	}
}

// The form is a contract: files of today are read in years.
func TestTheJSONOfAMessage(t *testing.T) {
	m := errorqueue.Message{
		ID: "7", ContentType: "application/json", DeliveryMode: 2, Timestamp: time.Unix(1_600_000_000, 0), Key: "orders.error",
		Headers: map[string]any{
			"a": "text", "b": int64(3), "c": int32(3), "d": []byte{0, 1}, "e": map[string]any{"x": []any{1.5, float32(2)}}, "f": nil, "g": "\xff",
			"h": amqp.Decimal{Scale: 2, Value: 1234}, "i": time.Unix(0, 0), "j": math.Inf(-1), "k": true,
		},
		Body: []byte(`{"id":7}`),
	}
	want := `{"id":"7","content_type":"application/json","delivery_mode":2,"timestamp":"2020-09-13T12:26:40Z","key":"orders.error",` +
		`"headers":{"a":"text","b":3,"c":{"int32":3},"d":{"bytes":"AAE="},"e":{"table":{"x":[{"float64":1.5},{"float32":2}]}},"f":null,` +
		`"g":"base64:/w==","h":{"decimal":[1234,2]},"i":{"time":"1970-01-01T00:00:00Z"},"j":{"float64":"-Inf"},"k":true},` +
		`"body":"{\"id\":7}"}`
	got, err := m.MarshalJSON()
	must(t, err)
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestWhatIsNoMessageIsRefused(t *testing.T) {
	for _, test := range []struct{ line, why string }{
		{``, "EOF"},
		{`[]`, "cannot unmarshal array"},
		{`{}`, "no body"},
		{`{"body":null}`, "no body"},
		{`{"body":"","colour":"red"}`, `unknown field "colour"`},
		{`{"body":""} {}`, "more after"},
		{`{"body":"base64:?"}`, "is base64"},
		{`{"id":"base64:?","body":""}`, "is base64"},
		{`{"body":"` + "\xff" + `"}`, "not UTF-8"},
		{`{"body":"\ud800"}`, "surrogate"},
		{`{"body":"\udc00\ud800"}`, "surrogate"},
		{`{"body":"\ud800x"}`, "surrogate"},
		{`{"priority":256,"body":""}`, "priority"},
		{`{"timestamp":1.5,"body":""}`, "timestamp"},
		{`{"timestamp":true,"body":""}`, "timestamp"},
		{`{"timestamp":"now","body":""}`, "timestamp"},
		{`{"headers":[],"body":""}`, "headers"},
		{`{"headers":{"a":1.5},"body":""}`, "float64"},
		{`{"headers":{"a":{}},"body":""}`, "an object has one name"},
		{`{"headers":{"a":{"int8":128}},"body":""}`, "out of range"},
		{`{"headers":{"a":{"uint8":-1}},"body":""}`, "invalid"},
		{`{"headers":{"a":{"uint16":"1"}},"body":""}`, "no number"},
		{`{"headers":{"a":{"int64":1}},"body":""}`, `no type "int64"`},
		{`{"headers":{"a":{"float32":"1"}},"body":""}`, "text and no number"},
		{`{"headers":{"a":{"float32":1e99}},"body":""}`, "out of range"},
		{`{"headers":{"a":{"decimal":1}},"body":""}`, "a decimal is"},
		{`{"headers":{"a":{"decimal":[1,256]}},"body":""}`, "out of range"},
		{`{"headers":{"a":{"bytes":"?"}},"body":""}`, "base64"},
		{`{"headers":{"a":{"bytes":7}},"body":""}`, "base64"},
		{`{"headers":{"a":{"table":[]}},"body":""}`, "a table is an object"},
		{`{"headers":{"a":{"time":"2020-01-01T00:00:00.5Z"}},"body":""}`, "whole seconds"},
		{`{"headers":{"a":[{"table":{"b":[{"x":1}]}}]},"body":""}`, `no type "x"`},
		{`{"headers":{"base64:?":1},"body":""}`, "is base64"},
	} {
		line, why := test.line, test.why
		m := everything()
		err := m.UnmarshalJSON([]byte(line))
		if err == nil {
			t.Errorf("%s is taken: %#v", line, m)
			continue
		}
		if !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(why)) {
			t.Errorf("%s: %v, want %q", line, err, why)
		}
		if !reflect.DeepEqual(m, everything()) {
			t.Errorf("%s: it has changed the message", line)
		}
	}
	if _, err := (errorqueue.Message{Headers: map[string]any{"a": struct{}{}}}).MarshalJSON(); err == nil {
		t.Error("a header of no type of AMQP is written")
	}
}

// Escapes that JSON allows, as other programs write them.
func TestOtherWritersOfJSON(t *testing.T) {
	var m errorqueue.Message
	must(t, json.Unmarshal([]byte(` { "body" : "\ud83d\ude00 \\ud800 \u00e9 \/", "headers": {"\u0061": null} } `), &m))
	if string(m.Body) != "😀 \\ud800 é /" {
		t.Errorf("%q", m.Body)
	}
	if _, ok := m.Headers["a"]; !ok {
		t.Errorf("%v", m.Headers)
	}
}

// Whatever was written is read as it was, and whatever can be read is written so that it is read again as the same.
func FuzzMessage(f *testing.F) {
	line, err := everything().MarshalJSON()
	must(f, err)
	f.Add(string(line), "id", "\xff", int64(1), 1.5, []byte{0})
	f.Add(`{"body":"base64:AA==","headers":{"a":[{"decimal":[1,2]}]}}`, "base64:", "k", int64(-1), math.Inf(1), []byte(nil))
	f.Add(`{"timestamp":-5,"body":"\ud83d\ude00","headers":{"":{"float32":-0}}}`, "", "", int64(math.MaxInt64), 0.1, []byte("x"))
	f.Fuzz(func(t *testing.T, line, text, name string, n int64, x float64, raw []byte) {
		if math.IsNaN(x) {
			x = 0 // equals nothing
		}
		if raw == nil {
			raw = []byte{}
		}
		m := errorqueue.Message{
			ID: text, Type: name, ContentType: string(raw), Expiration: text, DeliveryMode: uint8(n), Priority: uint8(n >> 8), Key: name,
			Timestamp: time.Unix(n, 0), Redelivered: n%2 == 0, Body: raw,
			Headers: map[string]any{name: []any{
				text, n, int8(n), int16(n), int32(n), byte(n), uint16(n), uint32(n), x, float32(x), raw, time.Unix(n, 0),
				amqp.Decimal{Scale: uint8(n), Value: int32(n)},
				nil, n > 0,
				map[string]any{text: []any{x, text}},
			}},
		}
		again := roundTrip(t, m)
		if m.Timestamp.IsZero() {
			again.Timestamp = m.Timestamp
		}
		if !reflect.DeepEqual(again, m) {
			t.Fatalf("%#v\nwas %#v", again, m)
		}
		var read errorqueue.Message
		if err := read.UnmarshalJSON([]byte(line)); err != nil {
			return
		}
		first := roundTrip(t, read)
		a, err := first.MarshalJSON()
		must(t, err)
		b, err := read.MarshalJSON()
		must(t, err)
		if string(a) != string(b) {
			t.Fatalf("%s\nwas %s", a, b)
		}
	})
}

func roundTrip(t *testing.T, m errorqueue.Message) (again errorqueue.Message) {
	t.Helper()
	line, err := m.MarshalJSON()
	must(t, err)
	if err := again.UnmarshalJSON(line); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return again
}
