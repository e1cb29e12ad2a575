package header_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/header"
)

// kicksEntry is what Kicks 3.4 has written, as the broker had it.
func kicksEntry(t *testing.T, i int) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "kicks.error.json"))
	if err != nil {
		t.Fatal(err)
	}
	var entries []struct {
		Headers map[string]struct {
			Type  string `json:"t"`
			Value string `json:"v"`
		} `json:"headers"`
	}
	if err := json.Unmarshal(text, &entries); err != nil {
		t.Fatal(err)
	}
	return entries[i].Headers[header.RetryInfo].Value
}

func sample(err error) header.KicksFailure {
	at := time.Date(2026, 11, 21, 22, 56, 21, 5, time.UTC)
	f := header.NewFailure(at, 3, "returned", err, nil, "billing.Charge")
	return header.NewKicksFailure(f, 3, map[string]any{
		"content_type": "application/octet-stream", "delivery_mode": uint8(2), "priority": uint8(0),
		"headers": amqp.Table{
			"x-death": []any{
				amqp.Table{
					"count": int64(2), "exchange": "q.kicks-retry", "queue": "q.kicks-retry", "reason": "expired",
					"routing-keys": []any{"q.kicks"}, "time": time.Date(2026, 11, 21, 22, 56, 20, 0, time.UTC),
				},
				amqp.Table{
					"count": int64(2), "exchange": "sneakers", "queue": "q.kicks", "reason": "rejected",
					"routing-keys": []any{"q.kicks"}, "time": time.Date(2026, 11, 21, 22, 56, 19, 0, time.UTC),
				},
			},
			"x-first-death-exchange": "sneakers", "x-first-death-queue": "q.kicks", "x-first-death-reason": "rejected",
		},
	})
}

// For the failures that the contract was recorded with we write what Kicks has written; only the order differs.
func TestRetryInfoIsKicksOwn(t *testing.T) {
	got, want := decoded(t, sample(nil).JSON(nil)), decoded(t, kicksEntry(t, 1))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("we write\n%v\nand Kicks\n%v", got, want)
	}
	got, want = decoded(t, sample(errors.New("the message said throw")).JSON(nil)), decoded(t, kicksEntry(t, 0))
	for _, m := range []map[string]any{got, want} {
		delete(m, "backtrace")   // Ruby's
		delete(m, "error_class") // RuntimeError
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("we write\n%v\nand Kicks\n%v", got, want)
	}
}

func decoded(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return m
}

// A message that has been in the error queue before: the newest first, in each of the shapes that Kicks leaves.
func TestRetryInfoOfSeveralRounds(t *testing.T) {
	object := `{"error":"first","num_attempts":3}`
	for name, earlier := range map[string]any{
		"an object":        object,
		"in bytes":         []byte(object),
		"an array":         "[" + object + "]",
		"Kicks' own pairs": `[["error","first"],["num_attempts",3]]`,
	} {
		var rounds []struct {
			Error       string `json:"error"`
			NumAttempts int    `json:"num_attempts"`
		}
		text := sample(errors.New("second")).JSON(earlier)
		if err := json.Unmarshal([]byte(text), &rounds); err != nil {
			t.Errorf("%s: %v: %s", name, err, text)
			continue
		}
		if len(rounds) != 2 || rounds[0].Error != "second" || rounds[1].Error != "first" || rounds[1].NumAttempts != 3 {
			t.Errorf("%s: %+v", name, rounds)
		}
	}
	mixed := `[{"error":"third"},["error","second"],["num_attempts",2],["error","first"],["num_attempts",1],{"error":"zeroth"},7,[1,2],["x"]]`
	var errs []string
	for _, r := range header.Rounds(mixed) {
		s, _ := decoded(t, string(r))["error"].(string)
		errs = append(errs, s)
	}
	if want := []string{"third", "second", "first", "zeroth"}; !slices.Equal(errs, want) {
		t.Errorf("%v, want %v", errs, want)
	}
}

func TestRoundsOfWhatIsUnreadable(t *testing.T) {
	for _, v := range []any{"", "null", "7", "{", `"text"`, int64(7), amqp.Table{}, "\xff"} {
		if r := header.Rounds(v); len(r) != 1 || !strings.Contains(string(r[0]), "unreadable") {
			t.Errorf("%q: %s", v, r)
		}
	}
	if r := header.Rounds(nil); r != nil {
		t.Errorf("nothing: %s", r)
	}
	if r := header.Rounds("[]"); r != nil {
		t.Errorf("an empty array: %s", r)
	}
}

// It repeats what may be large, and all of it must fit into one frame with that.
func TestRetryInfoIsBounded(t *testing.T) {
	const most = 16 << 10
	huge := sample(errors.New(strings.Repeat("\x01", 1<<20)))
	huge.Properties["headers"] = amqp.Table{"a": strings.Repeat("\x02", 1<<20)}
	huge.Properties["type"] = strings.Repeat("\x03", 255)
	if n := len(huge.JSON(strings.Repeat("x", 1<<20))); n > most {
		t.Errorf("it has %d bytes", n)
	}
	round := `{"error":"` + strings.Repeat("x", 1000) + `"}`
	var rounds []json.RawMessage
	if err := json.Unmarshal([]byte(sample(errors.New("new")).JSON("["+strings.Repeat(round+",", 99)+round+"]")), &rounds); err != nil {
		t.Fatal(err)
	}
	if len(rounds) != 10 || decoded(t, string(rounds[0]))["error"] != "new" {
		t.Errorf("it keeps %d rounds", len(rounds))
	}
}

func TestRetryInfoOfAnyHeaders(t *testing.T) {
	k := sample(nil)
	k.Properties["headers"] = map[string]any{
		"nan": math.NaN(), "inf": float32(math.Inf(1)), "bytes": []byte{0xff}, "bad\xff": "bad\xff", "decimal": amqp.Decimal{Scale: 2, Value: 314},
		"void": nil, "nested": amqp.Table{"list": []any{amqp.Table{"x": int8(1)}}}, "nest": nest(40),
	}
	h, _ := decoded(t, k.JSON(nil))["properties"].(map[string]any)["headers"].(map[string]any)
	if h["nan"] != "NaN" || h["bytes"] != "?" || h["bad?"] != "bad?" || h["void"] != nil {
		t.Errorf("%v", h)
	}
	if nested, _ := json.Marshal(h["nested"]); string(nested) != `{"list":[{"x":1}]}` {
		t.Errorf("%s", nested)
	}
}

func nest(n int) any {
	v := any("the end")
	for range n {
		v = []any{v}
	}
	return v
}

// The stack of a panic is Kicks' backtrace: its first ten lines.
func TestRetryInfoOfAPanic(t *testing.T) {
	f := header.NewFailure(time.Unix(0, 0), 1, "panic", errors.New("boom"), []byte(strings.Repeat("billing.Charge()\n\tbilling.go:7\n", 20)), "")
	k := header.NewKicksFailure(f, 1, nil)
	if len(k.Backtrace) != 10 || k.Backtrace[0] != "billing.Charge()" || k.Backtrace[1] != "billing.go:7" {
		t.Errorf("%q", k.Backtrace)
	}
	if k.Error != "boom" || k.Message != "boom" || k.Class != "*errors.errorString" {
		t.Errorf("%+v", k)
	}
}

func FuzzRounds(f *testing.F) {
	f.Add(`[["error","first"],["num_attempts",3]]`)
	f.Add(`{"error":"x"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		if out := sample(nil).JSON(text); json.Unmarshal([]byte(out), &v) != nil {
			t.Errorf("%q becomes %q", text, out)
		}
	})
}
