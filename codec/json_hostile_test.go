package codec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/codec"
)

// A fussy is a type that decodes itself and quotes all that it was given.
type fussy struct{}

var errFussy = errors.New("not to my taste")

func (*fussy) UnmarshalJSON(body []byte) error { return fmt.Errorf("%w: %s", errFussy, body) }

func TestJSONErrorsDoNotShowTheBody(t *testing.T) {
	const secret = "4111222233334444" // digits, so that it can be a number, too. Names may be shown, values not
	type record struct {
		Small   int8        `json:"small"`
		Text    string      `json:"text"`
		Flag    bool        `json:"flag"`
		Number  json.Number `json:"number"`
		Quoted  int64       `json:"quoted,string"`
		QuotedB bool        `json:"quotedb,string"`
		Bytes   []byte      `json:"bytes"`
		Nested  []record    `json:"nested"`
		Any     any         `json:"any"`
		Address [2]int      `json:"address"`
	}
	for _, body := range []string{
		secret, `"` + secret + `"`, `[` + secret + `]`, `{"x":` + secret, `{"x":"` + secret, `{"` + secret + `":1`, `{"` + secret + `"}`,
		`{"small":` + secret + `}`, `{"small":-` + secret + `}`, `{"small":1.` + secret + `}`, `{"small":"` + secret + `"}`,
		`{"small":[` + secret + `]}`, `{"small":{"` + secret + `":1}}`, `{"text":` + secret + `}`, `{"flag":"` + secret + `"}`,
		`{"number":"x` + secret + `"}`, `{"number":"` + secret + `x"}`, `{"number":[` + secret + `]}`,
		`{"quoted":` + secret + `}`, `{"quoted":"x` + secret + `"}`, `{"quoted":"\"` + secret + `\""}`, `{"quotedb":"` + secret + `"}`,
		`{"bytes":"!` + secret + `"}`,
		`{"nested":[{"nested":[{"small":` + secret + `}]}]}`, `{"any":1e` + secret + `}`, `{"address":"` + secret + `"}`,
		`{"text":"` + secret + `"} x`, `{"text":"` + secret + `"}` + secret, `{"text":"` + secret + `\x"}`, `{"text":"` + secret + "\x01\"}",
		`{"text":"a","text":"` + secret + `"}`, "{\"text\":\"\xff" + secret + `"}`, `{"nested":{"` + secret + `":1}}`, secret + "x", `tru` + secret,
	} {
		for _, c := range []codec.JSON{{}, {Strict: true}} {
			err := c.Decode([]byte(body), new(record))
			if err == nil {
				if c.Strict {
					t.Errorf("%s was decoded", body)
				}
				continue
			}
			for e := err; e != nil; e = errors.Unwrap(e) { // a logger may follow the chain
				if strings.Contains(e.Error(), "1122223333444") {
					t.Errorf("strict %v: %s\nshows: %v", c.Strict, body, e)
				}
			}
		}
	}
}

func TestJSONErrorsAreShortHoweverLongTheBody(t *testing.T) {
	long := strings.Repeat("9", 1<<20)
	type record struct {
		N int
		T time.Time
		S json.Number
	}
	for name, body := range map[string]string{
		"a number":           `{"N":` + long + `}`,
		"a time":             `{"T":"` + long + `"}`,
		"a string":           `{"S":"x` + long + `"}`,
		"an unknown name":    `{"` + long + `":1}`,
		"a name twice":       `{"T":null,"` + long + `":1,"` + long + `":1}`,
		"an unended string":  `{"S":"` + long,
		"something after it": `{}` + long,
	} {
		for _, c := range []codec.JSON{{}, {Strict: true}} {
			if err := c.Decode([]byte(body), new(record)); err != nil && len(err.Error()) > 400 {
				t.Errorf("%s (strict %v): an error of %d bytes", name, c.Strict, len(err.Error()))
			}
		}
	}
	body := `{"` + long + `":1,"` + long + `":1}`
	if err := (codec.JSON{Strict: true}).Decode([]byte(body), new(map[string]int)); err == nil || len(err.Error()) > 400 {
		t.Errorf("a long name twice: an error of %d bytes", len(err.Error()))
	}
	if err := (codec.JSON{}).Decode([]byte(`"`+long+`"`), new(fussy)); err == nil || len(err.Error()) > 400 {
		t.Errorf("the type's own: an error of %d bytes", len(err.Error()))
	}
}

func TestJSONNestedTooDeepIsAnErrorAndNotACrash(t *testing.T) {
	type tree struct{ Children []tree }
	const depth = 2_000_000
	for name, body := range map[string]string{
		"arrays":         strings.Repeat("[", depth),
		"closed arrays":  strings.Repeat("[", depth) + strings.Repeat("]", depth),
		"objects":        strings.Repeat(`{"Children":`, depth),
		"trees":          strings.Repeat(`{"Children":[`, depth/4) + strings.Repeat(`]}`, depth/4),
		"unknown fields": `{"x":` + strings.Repeat("[", depth),
	} {
		for _, c := range []codec.JSON{{}, {Strict: true}} {
			for _, v := range []any{new(any), new(tree), new(json.RawMessage)} {
				if err := c.Decode([]byte(body), v); err == nil {
					t.Errorf("%s into %T (strict %v) were decoded", name, v, c.Strict)
				}
			}
		}
	}
	// Just within the bound, the search for doubles is made.
	body := strings.Repeat(`{"a":`, 9000) + `{"b":1,"b":2}` + strings.Repeat("}", 9000)
	if err := (codec.JSON{Strict: true}).Decode([]byte(body), new(any)); err == nil || !strings.Contains(err.Error(), `"b" stands twice`) {
		t.Errorf("a double at depth 9000: %v", err)
	}
}

func TestAnObjectOfManyNamesIsSearchedInLinearTime(t *testing.T) {
	var body strings.Builder
	body.WriteString("{")
	for i := range 100_000 {
		fmt.Fprintf(&body, `"k%d":0,`, i)
	}
	for last, twice := range map[string]bool{`"last":0}`: false, `"k17":0}`: true, `"k3":0}`: true, `"k99999":0}`: true} {
		start := time.Now()
		err := codec.JSON{Strict: true}.Decode([]byte(body.String()+last), new(map[string]int))
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s took %v", last, took)
		}
		if twice != (err != nil) {
			t.Errorf("%s: %v", last, err)
		}
	}
}

func FuzzJSONDecode(f *testing.F) {
	for _, body := range []string{
		``, `null`, `{}`, `{"id":"7","cents":12}`, `{"id":"7","id":"8"}`, `{"id":"7","\u0069d":"8"}`, `{"lines":[{"sku":"a","count":300}]}`,
		`{"id":"\ud800"}`, "{\"id\":\"\xff\"}", `{"a":{"a":{"a":1}},"b":["a","a"]}`, `[1e400]`, `{"x":"{\"x\":"}{}`, `{"":1,"":2}`,
		`{"a":1 , "b" :2,"\\":3,"\"":4,"\"" :5}`, strings.Repeat("[", 100), `{"id":"7"} ]`, "\ufeff{}",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		for _, v := range []func() any{
			func() any { return new(order) }, func() any { return new(any) }, func() any { return new(json.RawMessage) },
			func() any { return new(map[string]any) },
		} {
			lax, strict := v(), v()
			laxErr := codec.JSON{}.Decode(body, lax)
			strictErr := codec.JSON{Strict: true}.Decode(body, strict)
			if laxErr == nil && !json.Valid(body) {
				t.Fatalf("%q is not JSON and was decoded", body)
			}
			if strictErr == nil && (laxErr != nil || !reflect.DeepEqual(lax, strict)) {
				t.Fatalf("%q: strict made %v of it, lax %v, %v", body, strict, lax, laxErr)
			}
			for _, err := range []error{laxErr, strictErr} {
				if err != nil && len(err.Error()) > 1000 {
					t.Fatalf("an error of %d bytes", len(err.Error()))
				}
			}
		}
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		// The search for doubles agrees with one that is made of tokens.
		if strictErr := (codec.JSON{Strict: true}).Decode(body, new(any)); (codec.JSON{}).Decode(body, new(any)) == nil {
			refused := strictErr != nil && strings.Contains(strictErr.Error(), "stands twice")
			if notUTF8 := strictErr != nil && !refused; !notUTF8 && refused != hasDouble(json.NewDecoder(bytes.NewReader(body))) {
				t.Fatalf("%q: %v", body, strictErr)
			}
		}
	})
}

// hasDouble says whether an object of the value that comes next has a name twice, the slow way.
func hasDouble(d *json.Decoder) bool {
	token, err := d.Token()
	if err != nil {
		return false
	}
	found := false
	switch token {
	case json.Delim('['):
		for d.More() {
			found = hasDouble(d) || found
		}
		_, _ = d.Token()
	case json.Delim('{'):
		names := map[string]bool{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return found
			}
			found = found || names[name.(string)]
			names[name.(string)] = true
			found = hasDouble(d) || found
		}
		_, _ = d.Token()
	}
	return found
}
