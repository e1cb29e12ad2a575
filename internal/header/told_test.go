package header_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/header"
)

func TestReadTold(t *testing.T) {
	if _, ok := header.ReadTold(map[string]any{"warren-error": "x", "warren-attempts": int64(1)}); ok {
		t.Error("there is no reason, and it is believed")
	}
	got, ok := header.ReadTold(map[string]any{
		"warren-reason": "exhausted", "warren-error": "boom", "warren-error-type": "*fs.PathError", "warren-stack": "goroutine 1",
		"warren-attempts": int64(4), "warren-first-failure": "2026-03-01T12:00:00.5Z", "warren-last-failure": "2026-03-01T13:00:00+01:00",
		"warren-failures": []any{"one", int64(2), "three"}, "warren-fingerprint": "0123456789abcdef", "warren-host": "h", "warren-process": "p[1]",
		"warren-origin-queue": "orders", "warren-origin-exchange": "events", "warren-origin-key": "order.made", "warren-cut": []any{"big"},
		"warren-replays": int64(2),
	})
	want := header.Told{
		Queue: "orders", Reason: "exhausted", Error: "boom", ErrorType: "*fs.PathError", Stack: "goroutine 1", Attempts: 4,
		FirstFailure: now.Add(500 * time.Millisecond), LastFailure: now, Failures: []string{"one", "three"}, Fingerprint: "0123456789abcdef",
		Host: "h", Process: "p[1]", OriginExchange: "events", OriginKey: "order.made", Cut: []string{"big"}, Replays: 2,
	}
	if !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

// deaths are as amqp091-go reads them.
func deaths(all ...amqp.Table) map[string]any {
	var list []any
	for _, d := range all {
		list = append(list, d)
	}
	return map[string]any{"x-death": list}
}

func TestToldByBroker(t *testing.T) {
	died := amqp.Table{
		"queue": "orders", "reason": "delivery_limit", "count": int64(1), "exchange": "", "routing-keys": []any{"orders"}, "time": now,
	}
	waited := amqp.Table{
		"queue": "orders.retry.1m0s", "reason": "expired", "count": int64(3), "exchange": "events", "routing-keys": []any{"order.made", "x"},
		"time": now.Add(-time.Hour),
	}
	got, ok := header.ToldByBroker(deaths(died, waited), now)
	if !ok || got.Queue != "orders" || got.Reason != "delivery_limit" || !got.LastFailure.Equal(now) || got.OriginExchange != "events" || got.OriginKey != "order.made" || got.Attempts != 0 {
		t.Errorf("%+v", got)
	}
	headers := deaths(died)
	headers["warren-queue"], headers["warren-attempt"], headers["warren-failures"] = "orders", int64(3), []any{"first", "second"}
	headers["warren-first-failure"], headers["warren-origin-exchange"], headers["warren-origin-key"] = "2026-02-28T12:00:00Z", "events", "order.paid"
	got, _ = header.ToldByBroker(headers, now)
	if got.Attempts != 3 || len(got.Failures) != 2 || got.OriginKey != "order.paid" || got.FirstFailure.Day() != 28 || got.Error != "" {
		t.Errorf("on its way through the retry queues: %+v", got)
	}
	for _, nonsense := range []any{nil, "a", []any{}, []any{"a", int64(4)}, []any{amqp.Table{"queue": int64(1), "reason": "x"}}, []any{amqp.Table{}}} {
		if got, ok := header.ToldByBroker(map[string]any{"x-death": nonsense}, now); ok {
			t.Errorf("%v is read as %+v", nonsense, got)
		}
	}
}

func TestToldByBunnicula(t *testing.T) {
	for _, n := range []any{int8(3), int16(3), int32(3), int64(3), byte(3), uint16(3), uint32(3), 3.0, "3"} {
		if got, ok := header.ToldByBunnicula(map[string]any{"retry-attempts": n}); !ok || got.Attempts != 3 {
			t.Errorf("%T: %+v", n, got)
		}
	}
	for _, n := range []any{int64(-1), "three", nil, math.NaN(), []any{}} {
		if got, ok := header.ToldByBunnicula(map[string]any{"retry-attempts": n}); !ok || got.Attempts != 0 {
			t.Errorf("%v: %+v", n, got)
		}
	}
}

// Kicks writes an object, then an array of objects, and, what its own second round makes of the first, pairs.
func TestToldByKicks(t *testing.T) {
	first := kicksEntry(t, 0)
	got, ok := header.ToldByKicks(map[string]any{"retry_info": first})
	at := time.Date(2026, 11, 21, 22, 56, 21, 0, time.UTC)
	if !ok || got.Reason != "exhausted" || got.Error != "the message said throw" || got.ErrorType != "RuntimeError" || got.Attempts != 3 ||
		!got.LastFailure.Equal(at) || !got.FirstFailure.Equal(at) || got.Queue != "q.kicks" || got.OriginExchange != "sneakers" || got.OriginKey != "q.kicks" {
		t.Errorf("an object: %+v", got)
	}
	if !slices.Equal(got.Failures, []string{"2026-11-21T22:56:21Z attempt 3: returned: the message said throw"}) {
		t.Errorf("failures %q", got.Failures)
	}
	newest := `{"error":"reject","num_attempts":"2","failed_at":"2026-11-22T08:00:00+00:00","properties":{}}`
	pairs := `["error","old"],["num_attempts",3],["failed_at","2026-11-20T10:00:00+02:00"]`
	for name, text := range map[string]string{
		"objects": "[" + newest + `,{"error":"old","num_attempts":3,"failed_at":"2026-11-20T10:00:00+02:00"}]`,
		"pairs":   "[" + newest + "," + pairs + "]",
	} {
		for _, v := range []any{text, []byte(text)} {
			got, ok := header.ToldByKicks(map[string]any{"retry_info": v})
			if !ok || got.Error != "reject" || got.Attempts != 2 || got.LastFailure.Day() != 22 || got.FirstFailure.Hour() != 8 || got.FirstFailure.Day() != 20 {
				t.Errorf("%s as %T: %+v", name, v, got)
			}
			if len(got.Failures) != 2 || !strings.Contains(got.Failures[0], "old") || !strings.Contains(got.Failures[1], "reject") {
				t.Errorf("%s: failures %q", name, got.Failures)
			}
		}
	}
	for _, nonsense := range []any{nil, "", "null", "3", "[[[", "{", int64(7), []any{}, `{"error":3,"num_attempts":[],"failed_at":{},"properties":"x","backtrace":4}`} {
		if got, ok := header.ToldByKicks(map[string]any{"retry_info": nonsense}); !ok || got.Attempts != 0 || !got.LastFailure.IsZero() {
			t.Errorf("%v: %v %+v", nonsense, ok, got)
		}
	}
}

// names are the headers that are read.
var names = []string{
	"warren-reason", "warren-error", "warren-error-type", "warren-stack", "warren-attempts", "warren-first-failure", "warren-last-failure",
	"warren-failures", "warren-fingerprint", "warren-host", "warren-process", "warren-origin-queue", "warren-origin-exchange",
	"warren-origin-key", "warren-cut", "warren-replays", "warren-queue", "warren-attempt", "x-death", "retry_info", "retry-attempts",
}

func checkTold(t *testing.T, headers map[string]any) {
	t.Helper()
	var all []header.Told
	for _, read := range []func() (header.Told, bool){
		func() (header.Told, bool) { return header.ReadTold(headers) },
		func() (header.Told, bool) { return header.ToldByBroker(headers, now) },
		func() (header.Told, bool) { return header.ToldByKicks(headers) },
		func() (header.Told, bool) { return header.ToldByBunnicula(headers) },
	} {
		told, _ := read()
		all = append(all, told)
	}
	for _, told := range all {
		if told.Attempts < 0 || told.Replays < 0 || len(told.Failures) > 5 || len(told.Cut) > header.MaxCut {
			t.Errorf("%+v", told)
		}
		for name, s := range map[string]string{
			"queue": told.Queue, "reason": told.Reason, "error": told.Error, "type": told.ErrorType, "stack": told.Stack, "fingerprint": told.Fingerprint,
			"host": told.Host, "process": told.Process, "exchange": told.OriginExchange, "key": told.OriginKey, "frame": told.Frame,
			"failures": strings.Join(told.Failures, ""), "cut": strings.Join(told.Cut, ""),
		} {
			if len(s) > 16<<10 || !utf8.ValidString(s) {
				t.Errorf("%s has %d bytes, or is no text: %.50q", name, len(s), s)
			}
		}
	}
}

// Headers are input from anyone.
func TestToldByHostileHeaders(t *testing.T) {
	all := map[string]any{}
	for what, v := range hostile {
		headers := map[string]any{}
		for _, name := range names {
			headers[name] = v
			checkTold(t, map[string]any{name: v})
		}
		headers["warren-reason"] = "x"
		checkTold(t, headers)
		all[what] = v
	}
	for _, v := range hostile {
		checkTold(t, deaths(amqp.Table{"queue": v, "reason": v, "count": v, "time": v, "exchange": v, "routing-keys": v}))
		checkTold(t, deaths(amqp.Table{"queue": "q", "reason": "r", "count": v, "time": v, "exchange": v, "routing-keys": []any{v, v}}))
	}
	checkTold(t, map[string]any{"x-death": slices.Repeat([]any{amqp.Table{"queue": "q", "reason": "r"}}, 10_000)})
	checkTold(t, map[string]any{"x-death": []any{all}})
}

func FuzzTold(f *testing.F) {
	f.Add(uint8(0), `"exhausted"`, `"x"`)
	f.Add(uint8(18), `[{"queue":"orders","reason":"expired","count":3,"time":"2026-03-01T12:00:00Z","routing-keys":["a"]}]`, `3`)
	f.Add(uint8(19), `{"error":"x","num_attempts":3,"failed_at":"2026-03-01T12:00:00Z","properties":{"headers":{"x-death":[{"queue":"q","reason":"rejected"}]}}}`, `1`)
	f.Add(uint8(19), `[["error","x"],["num_attempts",3],{"error":[]}]`, `1`)
	f.Fuzz(func(t *testing.T, which uint8, text, other string) {
		headers := map[string]any{"warren-reason": "x", "warren-queue": "orders"}
		name := names[int(which)%len(names)]
		for i, s := range []string{text, other} {
			var v any = s
			var parsed any
			if json.Unmarshal([]byte(s), &parsed) == nil {
				v = parsed
			}
			headers[names[(int(which)+i)%len(names)]] = v
		}
		checkTold(t, headers)
		checkTold(t, map[string]any{name: text}) // as it is: for retry_info, say
		checkTold(t, map[string]any{name: []byte(fmt.Sprint(other, text))})
	})
}
