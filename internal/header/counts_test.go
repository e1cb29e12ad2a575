package header_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/header"
)

func TestFailuresOfBunnicula(t *testing.T) {
	for _, test := range []struct {
		name    string
		headers map[string]any
		want    int
		ok      bool
	}{
		{"none", nil, 0, true},
		{"other headers", map[string]any{"a": int64(7)}, 0, true},
		{"l", map[string]any{"retry-attempts": int64(3)}, 3, true},
		{"I", map[string]any{"retry-attempts": int32(3)}, 3, true},
		{"s", map[string]any{"retry-attempts": int16(3)}, 3, true},
		{"b", map[string]any{"retry-attempts": int8(3)}, 3, true},
		{"B", map[string]any{"retry-attempts": byte(3)}, 3, true},
		{"u", map[string]any{"retry-attempts": uint16(3)}, 3, true},
		{"i", map[string]any{"retry-attempts": uint32(3)}, 3, true},
		{"d", map[string]any{"retry-attempts": 3.0}, 3, true},
		{"S", map[string]any{"retry-attempts": "3"}, 3, true},
		{"x", map[string]any{"retry-attempts": []byte("3")}, 3, true},
		{"negative", map[string]any{"retry-attempts": int64(-1)}, 0, false},
		{"a fraction", map[string]any{"retry-attempts": 1.5}, 0, false},
		{"no number", map[string]any{"retry-attempts": "three"}, 0, false},
		{"void", map[string]any{"retry-attempts": nil}, 0, false},
		{"a table", map[string]any{"retry-attempts": amqp.Table{}}, 0, false},
		{"beyond counting", map[string]any{"retry-attempts": int64(math.MaxInt64)}, math.MaxInt32, true},
	} {
		if n, ok := header.FailuresOfBunnicula(test.headers); n != test.want || ok != test.ok {
			t.Errorf("%s: %d %v, want %d %v", test.name, n, ok, test.want, test.ok)
		}
	}
}

func TestFailuresOfKicks(t *testing.T) {
	death := func(queue, reason string, count any) amqp.Table {
		d := amqp.Table{"queue": queue, "reason": reason}
		if count != nil {
			d["count"] = count
		}
		return d
	}
	for _, test := range []struct {
		name  string
		death any
		want  int
		ok    bool
	}{
		{"two rounds", []any{death("q-retry", "expired", int64(2)), death("q", "rejected", int64(2))}, 2, true},
		{"several reasons", []any{death("q", "delivery_limit", int64(1)), death("q", "rejected", int64(2))}, 3, true},
		{"another queue", []any{death("other", "rejected", int64(9))}, 0, true},
		{"without counts", []any{death("q", "rejected", nil), death("q", "rejected", nil)}, 2, true},
		{"a plain map", []any{map[string]any{"queue": "q", "count": int64(4)}}, 4, true},
		{"a name in bytes", []any{amqp.Table{"queue": []byte("q"), "count": int32(4)}}, 4, true},
		{"negative", []any{death("q", "rejected", int64(-5)), death("q", "expired", int64(1))}, 1, false},
		{"no number", []any{death("q", "rejected", "many")}, 0, false},
		{"no table", []any{"q", nil, death("q", "rejected", int64(1))}, 1, false},
		{"no list", "q", 0, false},
		{"void", nil, 0, false},
		{"beyond counting", []any{death("q", "a", int64(math.MaxInt64)), death("q", "b", int64(math.MaxInt64))}, math.MaxInt32, true},
	} {
		if s, ok := header.FailuresOfKicks(map[string]any{"x-death": test.death}, "q"); s.Failures != test.want || ok != test.ok {
			t.Errorf("%s: %+v %v, want %d %v", test.name, s, ok, test.want, test.ok)
		}
	}
	if s, ok := header.FailuresOfKicks(nil, "q"); s != (header.KicksState{}) || !ok {
		t.Errorf("without headers: %+v %v", s, ok)
	}
}

func TestFirstFailureOfKicks(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	s, ok := header.FailuresOfKicks(map[string]any{"x-death": []any{
		amqp.Table{"queue": "q", "count": int64(1), "reason": "delivery_limit", "time": at.Add(time.Hour), "exchange": "later"},
		amqp.Table{"queue": "q", "count": int64(1), "reason": "rejected", "time": at, "exchange": "sneakers", "routing-keys": []any{"order.new", "cc"}},
		amqp.Table{"queue": "q-retry", "count": int64(1), "time": at.Add(-time.Hour)},
		amqp.Table{"queue": "q", "count": int64(1), "time": "yesterday"},
	}}, "q")
	if want := (header.KicksState{Failures: 3, First: at, Exchange: "sneakers", Key: "order.new"}); s != want || !ok {
		t.Errorf("%+v, want %+v", s, want)
	}
	long := strings.Repeat("k", 256)
	for _, death := range []amqp.Table{
		{"queue": "q", "time": at, "exchange": "x", "routing-keys": []any{long}},
		{"queue": "q", "time": at, "exchange": long, "routing-keys": []any{"k"}},
		{"queue": "q", "time": at, "exchange": 7, "routing-keys": "k"},
	} {
		if s, _ := header.FailuresOfKicks(map[string]any{"x-death": []any{death}}, "q"); s.Exchange != "" || s.Key != "" {
			t.Errorf("%+v", s)
		}
	}
}

func FuzzFailuresOfKicks(f *testing.F) {
	f.Add(`[{"queue":"q","count":2}]`)
	f.Add(`[[],{},{"queue":{},"count":[]},null,{"queue":"q"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			return
		}
		if s, _ := header.FailuresOfKicks(map[string]any{"x-death": v}, "q"); s.Failures < 0 {
			t.Errorf("%+v of %s", s, text)
		}
	})
}
