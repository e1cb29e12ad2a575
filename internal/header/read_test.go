package header_test

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/internal/header"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestReadWhatWeWrote(t *testing.T) {
	at := now.UnixMilli()
	s, ignored := header.Read(map[string]any{
		header.Queue: "orders", header.Attempt: int64(3), header.Due: at, header.NotBefore: at + 1, header.NotAfter: at + 2,
		header.DeferredSince: at - 1, header.FirstFailure: "2026-02-28T23:59:59.123456789Z", header.Failures: []any{"one", "two"},
		header.OriginExchange: "events", header.OriginKey: "order.made", header.Cut: []any{"a"}, header.Trace: "t",
		header.Replays: int64(2), header.Replay: "run", "foreign": "x",
	}, "orders", now)
	if len(ignored) > 0 {
		t.Errorf("ignored: %v", ignored)
	}
	if s.Attempt != 3 || !s.Moved || s.Trace != "t" || s.Replays != 2 || s.Replay != "run" || !s.Due.Equal(now) || s.NotBefore.UnixMilli() != at+1 || s.NotAfter.UnixMilli() != at+2 ||
		s.DeferredSince.UnixMilli() != at-1 || s.FirstFailure != "2026-02-28T23:59:59.123456789Z" ||
		s.OriginExchange != "events" || s.OriginKey != "order.made" || !slices.Equal(s.Failures, []any{"one", "two"}) || !slices.Equal(s.Cut, []any{"a"}) {
		t.Errorf("%+v", s)
	}
}

// Applications copy the headers of one message to another.
func TestReadWhatIsAboutAnotherQueue(t *testing.T) {
	for _, owner := range []any{"invoices", "orders.error", "", []byte("order"), "Orders"} {
		s, ignored := header.Read(map[string]any{
			header.Queue: owner, header.Attempt: "nonsense", header.NotBefore: now.UnixMilli() + 1e6,
		}, "orders", now)
		if s.Attempt != 1 || s.Moved || !s.NotBefore.IsZero() || len(ignored) > 0 {
			t.Errorf("%q: %+v, ignored %v", owner, s, ignored)
		}
	}
}

// deep is a table in a table, and so on.
func deep(n int) any {
	var v any = "end"
	for range n {
		v = map[string]any{"x": []any{v}}
	}
	return v
}

// hostile are values that a header of ours may have on a message that someone else wrote.
var hostile = map[string]any{
	"nil": nil, "true": true, "negative": int64(-1), "zero": int64(0), "smallest": int64(math.MinInt64), "largest": int64(math.MaxInt64),
	"NaN": math.NaN(), "infinite": math.Inf(1), "-infinite": math.Inf(-1), "half": 0.5, "float 2^63": math.Pow(2, 63),
	"empty text": "", "text": "three", "text -1": "-1", "text with a space": " 3", "text 0x3": "0x3", "text 2^63": "9223372036854775808",
	"long text": strings.Repeat("9", 1<<16), "bytes": []byte("three"), "no UTF-8": "\xff\xfe", "long bytes": []byte(strings.Repeat("1", 21)),
	"time": now, "table": map[string]any{"a": 1}, "array": []any{int64(3)}, "deep table": deep(1000), "empty array": []any{},
	"uint64": uint64(3), "a struct": struct{}{},
}

func TestReadHostileHeaders(t *testing.T) {
	// A retry of attempt 1 that waits for nothing: what a message is without the header.
	for _, name := range []string{
		header.Attempt, header.Due, header.NotBefore, header.NotAfter, header.DeferredSince, header.FirstFailure,
		header.Failures, header.Cut, header.OriginExchange, header.OriginKey, header.Trace, header.Replays, header.Replay,
	} {
		for kind, v := range hostile {
			s, ignored := header.Read(map[string]any{header.Queue: "orders", name: v}, "orders", now)
			fits := false // some are fine here and there
			switch name {
			case header.Attempt, header.Due, header.NotBefore, header.NotAfter, header.DeferredSince:
				fits = name == header.Attempt && kind == "largest"
			case header.Replays:
				fits = kind == "largest" || kind == "zero"
			case header.Failures, header.Cut:
				_, fits = v.([]any)
			case header.OriginExchange, header.OriginKey, header.Trace, header.Replay:
				most := 255
				if name == header.Replay {
					most = 64
				}
				switch v := v.(type) {
				case string:
					fits = len(v) <= most
				case []byte:
					fits = true
				}
			}
			if told := slices.Equal(ignored, []string{name}); told == fits {
				t.Errorf("%s: %s: ignored %v, %+v", name, kind, ignored, s)
			}
			if fits {
				continue
			}
			s.Moved = false
			if s.Attempt != 1 || !s.Due.IsZero() || !s.NotBefore.IsZero() || !s.NotAfter.IsZero() || !s.DeferredSince.IsZero() ||
				s.FirstFailure != "" || len(s.Failures) > 0 || len(s.Cut) > 0 || s.OriginExchange != "" || s.OriginKey != "" || s.Trace != "" ||
				s.Replays != 0 || s.Replay != "" {
				t.Errorf("%s: %s: %+v", name, kind, s)
			}
		}
	}
	for kind, v := range hostile {
		s, ignored := header.Read(map[string]any{header.Queue: v, header.Attempt: int64(2)}, "orders", now)
		if s.Attempt != 1 || s.Moved {
			t.Errorf("queue: %s: %+v, ignored %v", kind, s, ignored)
		}
	}
}

// A message must not be kept from its handler for ever, and a deferral must end.
func TestReadBoundsTimes(t *testing.T) {
	for _, test := range []struct {
		name, header string
		at           time.Time
		ignored      bool
	}{
		{"the longest wait", header.NotBefore, now.Add(header.MaxWait), false},
		{"a wait beyond that", header.NotBefore, now.Add(header.MaxWait + 2*time.Hour), true},
		{"the year 9999", header.NotBefore, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), true},
		{"the slack of the longest wait", header.NotAfter, now.Add(header.MaxWait * 21 / 20), false},
		{"a slack beyond that", header.NotAfter, now.Add(3 * header.MaxWait), true},
		{"deferred now, by another clock", header.DeferredSince, now.Add(time.Minute), false},
		{"deferred tomorrow", header.DeferredSince, now.Add(24 * time.Hour), true},
		{"deferred long ago", header.DeferredSince, time.UnixMilli(1), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, ignored := header.Read(map[string]any{header.Queue: "q", test.header: test.at.UnixMilli()}, "q", now)
			if (len(ignored) > 0) != test.ignored {
				t.Errorf("ignored: %v", ignored)
			}
		})
	}
}

func TestReadKeepsTheLastFewFailures(t *testing.T) {
	list := make([]any, 0, 1000)
	for range 998 {
		list = append(list, strings.Repeat("x", 1000))
	}
	list = append(list, deep(100), "\xff last")
	s, ignored := header.Read(map[string]any{header.Queue: "q", header.Failures: list}, "q", now)
	if len(ignored) > 0 || len(s.Failures) != 4 || s.Failures[3] != "? last" {
		t.Errorf("%v, ignored %v", s.Failures, ignored)
	}
	for _, f := range s.Failures {
		if n := len(f.(string)); n > 240 {
			t.Errorf("one has %d bytes", n)
		}
	}
}

func TestInt(t *testing.T) {
	for _, v := range []any{
		int(3), int8(3), int16(3), int32(3), int64(3), byte(3), uint16(3), uint32(3), float32(3), float64(3), "3", "+3", []byte("3"),
	} {
		if n, ok := header.Int(v); !ok || n != 3 {
			t.Errorf("%T: %d, %v", v, n, ok)
		}
	}
	if n, ok := header.Int(-math.Pow(2, 62)); !ok || n != -1<<62 {
		t.Errorf("-2^62: %d, %v", n, ok)
	}
	for kind, v := range hostile {
		n, ok := header.Int(v)
		switch kind {
		case "negative", "zero", "smallest", "largest", "text -1":
			if !ok {
				t.Errorf("%s is none", kind)
			}
		default:
			if ok {
				t.Errorf("%s is %d", kind, n)
			}
		}
	}
}

func TestCrashes(t *testing.T) {
	for _, test := range []struct {
		name        string
		value       any
		redelivered bool
		want        int
	}{
		{"of the broker", int64(3), true, 3},
		{"forged on a message that nobody has had", int64(77), false, 0},
		{"absent", nil, true, 0},
		{"negative", int64(-3), true, 0},
		{"huge", int64(math.MaxInt64), true, math.MaxInt32},
		{"not a number", math.NaN(), true, 0},
		{"a table", map[string]any{}, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := header.Crashes(map[string]any{header.DeliveryCount: test.value}, test.redelivered); got != test.want {
				t.Errorf("%d, want %d", got, test.want)
			}
		})
	}
}

func TestWhatIsTheBrokers(t *testing.T) {
	for _, name := range []string{
		"x-death", "x-delivery-count", "x-acquired-count", "x-first-death-queue", "x-first-death-reason", "x-last-death-exchange",
	} {
		if !header.IsBrokers(name) {
			t.Errorf("%s is sent again", name)
		}
	}
	for _, name := range []string{"", "x-", "x-deathly", "x-my-delivery-count", "X-Death", "warren-attempt", "x-match", "x-stream-offset"} {
		if header.IsBrokers(name) {
			t.Errorf("%q is dropped", name)
		}
	}
}

// Whatever the headers are, reading them gives a state that can be used, and tells of each header once at most.
func FuzzRead(f *testing.F) {
	for _, v := range hostile {
		switch v := v.(type) {
		case string:
			f.Add(v, int64(1), 1.5, []byte(v))
		case int64:
			f.Add("", v, 0.0, []byte(nil))
		case float64:
			f.Add("", int64(0), v, []byte(nil))
		}
	}
	names := []string{
		header.Attempt, header.Due, header.NotBefore, header.NotAfter, header.DeferredSince, header.FirstFailure,
		header.Failures, header.Cut, header.OriginExchange, header.OriginKey, header.Trace, header.DeliveryCount,
		header.Replays, header.Replay,
	}
	f.Fuzz(func(t *testing.T, text string, n int64, x float64, raw []byte) {
		for shift := range 5 {
			values := []any{text, n, x, raw, []any{text, n, raw, map[string]any{text: n}}}
			h := map[string]any{header.Queue: "q"}
			for i, name := range names {
				h[name] = values[(i+shift)%len(values)]
			}
			before := maps.Clone(h)
			s, ignored := header.Read(h, "q", now)
			if len(h) != len(before) {
				t.Fatal("it has changed the headers")
			}
			if s.Attempt < 1 || s.NotBefore.After(now.Add(2*header.MaxWait)) || s.DeferredSince.After(now.Add(2*time.Hour)) {
				t.Fatalf("%+v", s)
			}
			if len(s.Failures) > 5 || len(s.FirstFailure) > 64 || len(s.OriginKey) > 255 || len(s.OriginExchange) > 255 || len(s.Trace) > 255 ||
				s.Replays < 0 || len(s.Replay) > 64 {
				t.Fatalf("%+v", s)
			}
			slices.Sort(ignored)
			if len(slices.Compact(ignored)) != len(ignored) {
				t.Fatalf("ignored twice: %v", ignored)
			}
			if c := header.Crashes(h, true); c < 0 {
				t.Fatalf("%d crashes", c)
			}
		}
	})
}
