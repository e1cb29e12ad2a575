package where_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/errorqueue/where"
)

func entry(body string) errorqueue.Entry {
	return errorqueue.Entry{
		ID: "7", Position: 3, Queue: "orders", Source: "warren", Reason: "exhausted", Error: "bank: timeout after 3.2s",
		Attempts: 4, FirstFailure: time.Now().Add(-26 * time.Hour), LastFailure: time.Now().Add(-25 * time.Hour),
		Failures: []string{"one", "two"}, Fingerprint: "c0ffee", Replays: 1, Looks: 2,
		Message: errorqueue.Message{
			Type: "order.created", ContentType: "application/json", Priority: 4, Key: "orders.error", Redelivered: true,
			Headers: map[string]any{"tenant": "acme", "n": int64(5)}, Body: []byte(body),
		},
	}
}

const order = `{"amount":120.5,"id":9007199254740993,"items":[{"sku":"a","n":2},{"sku":"b","n":0}],"customer":{"id":7},"note":null}`

func TestAnExpressionSelects(t *testing.T) {
	for text, want := range map[string]bool{
		`true`:                  true,
		`reason == "exhausted"`: true,
		`reason != "exhausted"`: false,
		`reason == "exhausted" && body.amount > 100 && age > duration("2h")`: true,
		`age > duration("1d2h")`:                          false,
		`age > duration("1d")`:                            true,
		`last_failure > first_failure`:                    true,
		`last_failure > date("2020-01-01")`:               true,
		`last_failure < now()`:                            true,
		`error contains "timeout" and attempts >= 4`:      true,
		`error matches "^bank: .* after [0-9.]+s$"`:       true,
		`type startsWith "order."`:                        true,
		`headers.tenant in ["acme", "umbrella"]`:          true,
		`headers.n == 5`:                                  true,
		`headers["missing"] == nil`:                       true,
		`"two" in failures`:                               true,
		`body.id == 9007199254740993`:                     true,
		`body.id == 9007199254740992`:                     false,
		`any(body.items, .n == 0)`:                        true,
		`all(body.items, .n > 0)`:                         false,
		`count(body.items, .sku == "a") == 1`:             true,
		`any(body.items, {any(keys(#), # == "sku")})`:     true,
		`sum(map(body.items, .n)) == 2`:                   true,
		`(body.discount ?? 0) < 1`:                        true,
		`body.seller?.id == nil`:                          true,
		`body.customer?.id == 7`:                          true,
		`body.note == nil`:                                true,
		`size < 200 and text contains "9007199254740993"`: true,
		`len(body.items) == 2`:                            true,
		`priority == 4 && redelivered && routing_key == "orders.error" && queue == "orders"`: true,
		`replays == 1 && looks == 2 && position == 3 && source == "warren"`:                  true,
		`let a = body.amount; a > 120 and a < 121`:                                           true,
	} {
		match, err := where.Parse(text, where.Config{})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := match(entry(order)); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestWhatIsNoExpressionIsToldWithItsPosition(t *testing.T) {
	for _, c := range []struct {
		text         string
		line, column int
		says         string
	}{
		{"", 0, 0, "empty"},
		{" \n", 0, 0, "empty"},
		{`reason = "exhausted"`, 1, 8, ""},
		{`reazon == "exhausted"`, 1, 1, "unknown name reazon"},
		{`attempts > 3 &&`, 1, 0, "unexpected token EOF"},
		{`attempts > "three"`, 1, 10, "mismatched types int and string"},
		{`attempts`, 0, 0, "expected bool, but got int"},
		{"attempts > 3 &&\n  lost", 2, 3, "unknown name lost"},
		{`reduce(1..10, #acc + #) > 3`, 1, 1, "reduce"},
		{`any(groupBy(failures, #), len(#) > 1)`, 1, 5, "groupBy"},
		{`error matches body.pattern`, 1, 0, "must be a text in quotes"},
		{`$env["the decoded body"] == nil`, 1, 1, "unknown name $env"},
		{`len(repeat(text, 1000000)) > 1`, 1, 5, "repeat"},
		{`age > duration(3)`, 1, 16, "duration"},
		{strings.Repeat("!", 70_000) + "true", 0, 0, "bytes"},
		{strings.Repeat("!", 2000) + "true", 0, 0, "nodes"},
	} {
		_, err := where.Parse(c.text, where.Config{})
		var wrong *where.Error
		if !errors.As(err, &wrong) {
			t.Errorf("%.50s: %v", c.text, err)
			continue
		}
		if !strings.Contains(wrong.Error(), c.says) || c.line != 0 && wrong.Line != c.line || c.column != 0 && wrong.Column != c.column {
			t.Errorf("%.50s: line %d, column %d: %v", c.text, wrong.Line, wrong.Column, err)
		}
	}
	_, err := where.Parse("attempts > 3 and\treazon == 7", where.Config{})
	want := "column 18: unknown name reazon\n    attempts > 3 and reazon == 7\n                     ^"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestWhatCannotBeToldOfAnEntryIsAnError(t *testing.T) {
	for _, c := range []struct{ text, body, says string }{
		{`body.amount > 100`, `{}`, "say what to take instead"},
		{`body.customer.id == 7`, `{}`, "say what to take instead"},
		{`body.amount > 100`, `{"amount":"much"}`, "column 13: "},
		{`body.paid`, `{"paid":1}`, "not yes or no"},
		{`body.amount > 100`, `<order/>`, "it is not JSON"},
		{`body.amount > 100`, `{} {}`, "something follows"},
		{`body.amount > 100`, ``, "it is empty"},
		{`body.amount > 100`, `"` + strings.Repeat("x", where.DefaultMaxBody) + `"`, "the limit is"},
		{`any(1..2000000, # == -1)`, `{}`, "memory budget exceeded"},
		{`any(body, {any(body, {any(body, {any(body, # == 7)})})})`, "[" + strings.Repeat("0,", 1<<18) + "0]", "takes longer"},
		{`body == 1`, strings.Repeat("[", 1_000_000), "not JSON"},
	} {
		match, err := where.Parse(c.text, where.Config{})
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		began := time.Now()
		yes, err := match(entry(c.body))
		if yes || err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s of %.50s: %v, %v", c.text, c.body, yes, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %v", c.text, took)
		}
	}
}

func TestBodiesAreDecodedOnlyIfAskedFor(t *testing.T) {
	asked := 0
	match, err := where.Parse(`reason == "rejected" && (body == 1 || body == 2)`, where.Config{
		Decode: func(e errorqueue.Entry) (any, error) {
			asked++
			if string(e.Message.Body) == "bad" {
				return nil, errors.New("no such schema")
			}
			return 2, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	e := entry("bad")
	if yes, err := match(e); yes || err != nil || asked != 0 {
		t.Errorf("an entry of another reason: %v, %v, asked %d times", yes, err, asked)
	}
	e.Reason = "rejected"
	if yes, err := match(e); yes || err == nil || !strings.Contains(err.Error(), "no such schema") || asked != 1 {
		t.Errorf("a body that cannot be decoded: %v, %v, asked %d times", yes, err, asked)
	}
	e.Message.Body = []byte("good")
	if yes, err := match(e); !yes || err != nil || asked != 2 {
		t.Errorf("a body: %v, %v, asked %d times", yes, err, asked)
	}
}

func TestContentEncodingsAreUndone(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	long := order + strings.Repeat(" ", 1000)
	_, _ = fmt.Fprint(w, long)
	_ = w.Close()
	e := entry(b.String())
	e.Message.ContentEncoding = "gzip"
	for limit, fits := range map[int]bool{len(long): true, len(long) - 1: false} {
		match, err := where.Parse(`body.amount > 100`, where.Config{MaxBody: limit})
		if err != nil {
			t.Fatal(err)
		}
		if yes, err := match(e); yes != fits || (err == nil) != fits {
			t.Errorf("limit %d: %v, %v", limit, yes, err)
		}
	}
}

func TestEveryNameIsKnown(t *testing.T) {
	for _, name := range where.Names() {
		if _, err := where.Parse(name+" == "+name, where.Config{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"3d": 72 * time.Hour, "1d12h30m": 36*time.Hour + 30*time.Minute, "2h": 2 * time.Hour, "0": 0, "1.5s": 1500 * time.Millisecond,
	} {
		if got, err := where.ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "3", "-3d", "3d-2h", "3dd", "99999d", "1d2"} {
		if got, err := where.ParseDuration(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func FuzzBody(f *testing.F) {
	f.Add(`any(body.items, .n == 0) && body.amount > 100`, order)
	f.Add(`body.a.b.c == headers.x`, `{"a":[1e999]}`)
	f.Fuzz(func(_ *testing.T, text, body string) {
		match, err := where.Parse(text, where.Config{MaxBody: 1 << 16})
		if err != nil {
			return
		}
		_, _ = match(entry(body))
	})
}

func ExampleParse() {
	match, err := where.Parse(`reason == "exhausted" && body.amount > 100 && age > duration("2h")`, where.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	yes, err := match(errorqueue.Entry{
		Reason:      "exhausted",
		LastFailure: time.Now().Add(-3 * time.Hour),
		Message:     errorqueue.Message{Body: []byte(`{"amount": 250}`)},
	})
	fmt.Println(yes, err)

	_, err = where.Parse(`reason == "exhausted" && amount > 100`, where.Config{})
	fmt.Println(err)
	// Output:
	// true <nil>
	// column 26: unknown name amount
	//     reason == "exhausted" && amount > 100
	//                              ^
}
