package codec_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/warren-mq/warren/codec"
)

type order struct {
	ID    string `json:"id"`
	Cents int64  `json:"cents"`
	Lines []line `json:"lines,omitempty"`
}

type line struct {
	SKU   string            `json:"sku"`
	Count int8              `json:"count"`
	Tags  map[string]string `json:"tags,omitempty"`
}

func TestJSONEncodesWhatOthersExpect(t *testing.T) {
	var nobody *order
	for name, test := range map[string]struct {
		value any
		want  string
	}{
		"a struct is one line without an end": {order{ID: "7", Cents: 1200}, `{"id":"7","cents":1200}`},
		"a pointer is what it points to":      {&order{ID: "7"}, `{"id":"7","cents":0}`},
		"signs of HTML stay as they are":      {"<a href=\"x\">&</a>", `"<a href=\"x\">&</a>"`},
		"line ends stay inside the string":    {"a\nb\n", `"a\nb\n"`},
		"nil is null":                         {nil, `null`},
		"a nil pointer is null":               {nobody, `null`},
		"bytes are base64":                    {[]byte("hello"), `"aGVsbG8="`},
		"raw JSON is compacted":               {json.RawMessage(" {\"a\": 1 }\n"), `{"a":1}`},
	} {
		for _, c := range []codec.JSON{{}, {Strict: true}} {
			got, err := c.Encode(test.value)
			if err != nil || string(got) != test.want {
				t.Errorf("%s: %s, %v, want %s", name, got, err, test.want)
			}
		}
	}
}

func TestJSONEncodesNothingButUTF8(t *testing.T) {
	body, err := codec.JSON{}.Encode("a\xffb")
	var back string
	if err != nil || !utf8.Valid(body) || json.Unmarshal(body, &back) != nil || back != "a\ufffdb" {
		t.Errorf("%q, %v", body, err)
	}
}

func TestJSONRefusesToEncodeWhatJSONCannotHold(t *testing.T) {
	type loop struct{ Next *loop }
	around := &loop{}
	around.Next = around
	for name, test := range map[string]struct {
		value any
		want  string
	}{
		"a channel":                     {make(chan int), "encode JSON from chan int: json: unsupported type: chan int"},
		"not a number":                  {math.NaN(), "encode JSON from float64: json: unsupported value: NaN"},
		"a value that contains itself":  {around, "encode JSON from *codec_test.loop: json: unsupported value: encountered a cycle"},
		"raw bytes that are not JSON":   {json.RawMessage("{"), "encode JSON from "},
		"a struct with a field of them": {struct{ F func() }{}, "encode JSON from struct { F func() }: json: unsupported type: func()"},
	} {
		got, err := codec.JSON{}.Encode(test.value)
		if got != nil || err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %s, %v\nwant %s", name, got, err, test.want)
		}
	}
	if got, err := (codec.JSON{}).Encode(1); err != nil || string(got) != "1" {
		t.Errorf("after failures: %s, %v", got, err)
	}
}

func TestBodiesThatWereEncodedAtOnceDoNotShareMemory(t *testing.T) {
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			var bodies [][]byte
			for i := range 200 {
				if i%50 == 0 {
					_, _ = codec.JSON{}.Encode(make(chan int)) // a failure in between
				}
				body, err := codec.JSON{}.Encode(strings.Repeat(fmt.Sprint(worker), i))
				if err != nil {
					t.Error(err)
				}
				bodies = append(bodies, body)
			}
			for i, body := range bodies {
				if want := `"` + strings.Repeat(fmt.Sprint(worker), i) + `"`; string(body) != want {
					t.Errorf("worker %d: %s, want %s", worker, body, want)
				}
			}
		})
	}
	all.Wait()
}

// Strict and not, the two decode alike unless strict is set.
func TestJSONDecodesExactlyOneValue(t *testing.T) {
	const both, lax, neither = "both", "lax", "neither"
	for name, test := range map[string]struct {
		body    string
		decodes string
		want    order
		fault   string // of the strict one, if only that fails
	}{
		"an object":                     {`{"id":"7","cents":12}`, both, order{ID: "7", Cents: 12}, ""},
		"white space around it":         {"\r\n\t {\"id\":\"7\"} \n", both, order{ID: "7"}, ""},
		"null leaves a struct as it is": {`null`, both, order{}, ""},
		"missing fields are zero":       {`{}`, both, order{}, ""},
		"nothing":                       {``, neither, order{}, "unexpected end of JSON input"},
		"only white space":              {" \n", neither, order{}, "unexpected end of JSON input"},
		"half an object":                {`{"id":"7"`, neither, order{}, "unexpected end of JSON input"},
		"a second value":                {`{"id":"7"}{"id":"8"}`, neither, order{}, "after top-level value, at byte "},
		"something after it":            {`{"id":"7"} ]`, neither, order{}, "after top-level value, at byte "},
		"a zero byte after it":          {"{}\x00", neither, order{}, "after top-level value, at byte "},
		"a byte order mark":             {"\ufeff{}", neither, order{}, "invalid character"},
		"another type":                  {`{"cents":"12"}`, neither, order{}, "cannot unmarshal string into Go struct field order.cents"},
		"another type altogether":       {`[1]`, neither, order{}, "cannot unmarshal array into Go value of type codec_test.order"},
		"a number that is too large":    {`{"cents":9223372036854775808}`, neither, order{}, "cannot unmarshal number into"},
		"a number with a fraction":      {`{"cents":1.5}`, neither, order{}, "cannot unmarshal number into"},
		"NaN":                           {`{"cents":NaN}`, neither, order{}, "invalid character 'N'"},
		"a comment":                     {`{} // done`, neither, order{}, "after top-level value, at byte "},
		"a comma at the end":            {`{"id":"7",}`, neither, order{}, "invalid character '}'"},
		"single quotes":                 {`{'id':'7'}`, neither, order{}, "invalid character '\\''"},
		"names of another case":         {`{"ID":"7","Cents":1}`, both, order{ID: "7", Cents: 1}, ""},
		"names that differ in case":     {`{"id":"7","ID":"8"}`, both, order{ID: "8"}, ""},
		"a field that the type has not": {`{"id":"7","colour":"red"}`, lax, order{ID: "7"}, `unknown field "colour"`},
		"a name twice":                  {`{"id":"7","id":"8"}`, lax, order{ID: "8"}, `the name "id" stands twice in one object`},
		"a name twice, once escaped":    {`{"id":"7","\u0069d":"8"}`, lax, order{ID: "8"}, `the name "id" stands twice`},
		"a name twice, far within":      {`{"lines":[{"sku":"a"},{"tags":{"x":"1","y":"2","x":"3"}}]}`, lax, order{Lines: []line{{SKU: "a"}, {Tags: map[string]string{"x": "3", "y": "2"}}}}, `the name "x" stands twice`},
		"one name in several objects":   {`{"id":"id","lines":[{"sku":"sku"},{"sku":"sku","tags":{"sku":"id"}}],"cents":1}`, both, order{ID: "id", Cents: 1, Lines: []line{{SKU: "sku"}, {SKU: "sku", Tags: map[string]string{"sku": "id"}}}}, ""},
		"strings that look like JSON":   {`{"id":"{\"id\":\"\\\"","lines":[{"sku":"}\\"}]}`, both, order{ID: `{"id":"\"`, Lines: []line{{SKU: `}\`}}}, ""},
		"a string that is not UTF-8":    {"{\"id\":\"a\xffb\"}", lax, order{ID: "a\ufffdb"}, "the body is not UTF-8"},
		"half a surrogate pair":         {`{"id":"\ud800"}`, both, order{ID: "\ufffd"}, ""},
	} {
		for _, c := range []codec.JSON{{}, {Strict: true}} {
			var got order
			err := c.Decode([]byte(test.body), &got)
			if test.decodes == both || test.decodes == lax && !c.Strict {
				if err != nil || fmt.Sprint(got) != fmt.Sprint(test.want) {
					t.Errorf("%s (strict %v): %v, %v, want %v", name, c.Strict, got, err, test.want)
				}
				continue
			}
			if err == nil || !strings.HasPrefix(err.Error(), "decode JSON into codec_test.order: ") || !strings.Contains(err.Error(), test.fault) {
				t.Errorf("%s (strict %v): %v\nwant %s", name, c.Strict, err, test.fault)
			}
		}
	}
}

func TestJSONDecodesIntoWhatAProgramHas(t *testing.T) {
	var pointer *order
	decode(t, `{"id":"7"}`, &pointer)
	if pointer == nil || pointer.ID != "7" {
		t.Errorf("a pointer became %v", pointer)
	}
	decode(t, `null`, &pointer)
	if pointer != nil {
		t.Errorf("null left a pointer to %v", pointer)
	}
	var anything any
	decode(t, `{"n":9007199254740993}`, &anything)
	if got := anything.(map[string]any)["n"]; got != float64(9007199254740992) {
		t.Errorf("a number in an any became %v", got)
	}
	var number json.Number
	decode(t, `1e999999`, &number)
	if number != "1e999999" {
		t.Errorf("a huge number became %v", number)
	}
	var exact int64
	decode(t, `9007199254740993`, &exact)
	if exact != 9007199254740993 {
		t.Errorf("a number became %v", exact)
	}
}

func decode(t *testing.T, body string, v any) {
	t.Helper()
	if err := (codec.JSON{}).Decode([]byte(body), v); err != nil {
		t.Errorf("%s: %v", body, err)
	}
}

func TestJSONSaysWhatIsWrongWithTheTarget(t *testing.T) {
	var nobody *order
	for want, v := range map[string]any{
		"decode JSON into nil: json: Unmarshal(nil)":                                          nil,
		"decode JSON into codec_test.order: json: Unmarshal(non-pointer codec_test.order)":    order{},
		"decode JSON into codec_test.order: json: Unmarshal(nil *codec_test.order)":           nobody,
		"decode JSON into chan int: json: cannot unmarshal object into Go value of type chan": new(chan int),
	} {
		for _, c := range []codec.JSON{{}, {Strict: true}} {
			if err := c.Decode([]byte(`{}`), v); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("strict %v: %v\nwant %s", c.Strict, err, want)
			}
		}
	}
}

func TestJSONErrorsCanBeToldApart(t *testing.T) {
	var syntax *json.SyntaxError
	for _, body := range []string{``, `{`, `{}x`, `{]`} {
		for _, c := range []codec.JSON{{}, {Strict: true}} {
			if err := c.Decode([]byte(body), new(order)); !errors.As(err, &syntax) {
				t.Errorf("%s (strict %v): %v is no SyntaxError", body, c.Strict, err)
			}
		}
	}
	var mismatch *json.UnmarshalTypeError
	if err := (codec.JSON{}).Decode([]byte(`{"cents":true}`), new(order)); !errors.As(err, &mismatch) || mismatch.Field != "cents" {
		t.Errorf("%v is no UnmarshalTypeError", err)
	}
	if err := (codec.JSON{}).Decode([]byte(`"x"`), new(fussy)); !errors.Is(err, errFussy) {
		t.Errorf("%v is not the error of the type", err)
	}
}

func TestJSONKeepsNothingOfTheBody(t *testing.T) {
	type record struct {
		Raw   json.RawMessage
		Text  string
		Bytes []byte
		Any   any
		Map   map[string]string
	}
	for _, c := range []codec.JSON{{}, {Strict: true}} {
		body := []byte(`{"Raw":{"a":1},"Text":"text","Bytes":"aGVsbG8=","Any":["any"],"Map":{"key":"value"}}`)
		var got record
		if err := c.Decode(body, &got); err != nil {
			t.Fatal(err)
		}
		before := fmt.Sprint(got)
		clear(body)
		if after := fmt.Sprint(got); after != before {
			t.Errorf("strict %v: %s became %s", c.Strict, before, after)
		}
	}
}

func TestJSONAllocatesNoMoreThanTheStandardLibrary(t *testing.T) {
	value := sample()
	ours := testing.AllocsPerRun(200, func() { _, _ = codec.JSON{}.Encode(value) })
	theirs := testing.AllocsPerRun(200, func() { _, _ = json.Marshal(value) })
	if ours > theirs+0.5 && !raceEnabled {
		t.Errorf("encoding needs %v allocations, json.Marshal %v", ours, theirs)
	}
	body, _ := json.Marshal(value)
	ours = testing.AllocsPerRun(200, func() { _ = codec.JSON{}.Decode(body, new(order)) })
	theirs = testing.AllocsPerRun(200, func() { _ = json.Unmarshal(body, new(order)) })
	if ours > theirs {
		t.Errorf("decoding needs %v allocations, json.Unmarshal %v", ours, theirs)
	}
}

func sample() *order {
	o := &order{ID: "0190b2c4-7e1a-7cde-8f00-1234567890ab", Cents: 129900}
	for i := range 5 {
		o.Lines = append(o.Lines, line{SKU: fmt.Sprintf("SKU-%04d", i), Count: int8(i), Tags: map[string]string{"colour": "red & blue"}})
	}
	return o
}

func BenchmarkJSONEncode(b *testing.B) {
	value := sample()
	b.Run("codec", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = codec.JSON{}.Encode(value)
		}
	})
	b.Run("json.Marshal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = json.Marshal(value)
		}
	})
}

func BenchmarkJSONDecode(b *testing.B) {
	body, _ := json.Marshal(sample())
	for name, decode := range map[string]func([]byte, any) error{
		"codec": codec.JSON{}.Decode, "strict": codec.JSON{Strict: true}.Decode, "json.Unmarshal": json.Unmarshal,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if err := decode(body, new(order)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
