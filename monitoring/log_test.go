package monitoring_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"log/slog"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/warren-mq/warren/monitoring"
)

// newLogger writes to w from level on, without the time.
func newLogger(w *bytes.Buffer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: withoutTime}))
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && len(groups) == 0 {
		return slog.Attr{}
	}
	return a
}

// attributes is a handler that keeps what it is given.
type attributes struct {
	slog.Handler
	message string
	level   slog.Level
	attrs   map[string]slog.Value
}

func (*attributes) Enabled(context.Context, slog.Level) bool { return true }

func (h *attributes) Handle(_ context.Context, r slog.Record) error {
	h.message, h.level, h.attrs = r.Message, r.Level, map[string]slog.Value{}
	r.Attrs(func(a slog.Attr) bool {
		if _, twice := h.attrs[a.Key]; twice {
			panic("attribute " + a.Key + " twice")
		}
		h.attrs[a.Key] = a.Value
		return true
	})
	return nil
}

// observed is what Log writes for e, by name.
func observed(t *testing.T, e monitoring.Event) *attributes {
	t.Helper()
	h := &attributes{}
	monitoring.Log(slog.New(h)).Observe(t.Context(), e)
	return h
}

func TestLogWritesOneLinePerEvent(t *testing.T) {
	for _, s := range samples {
		t.Run(fmt.Sprintf("%T", s.event), func(t *testing.T) {
			var out bytes.Buffer
			monitoring.Log(newLogger(&out, slog.LevelDebug)).Observe(t.Context(), s.event)
			want := s.line
			if want != "" {
				want += "\n"
			}
			if got := out.String(); got != want {
				t.Errorf("got  %swant %s", got, want)
			}
		})
	}
}

func TestLogNamesHaveOneTypeOverAllEvents(t *testing.T) {
	kinds := map[string]slog.Kind{}
	for _, s := range samples {
		for name, value := range observed(t, s.event).attrs {
			if kind, seen := kinds[name]; seen && kind != value.Kind() {
				t.Errorf("%s is %v in %T and %v elsewhere", name, value.Kind(), s.event, kind)
			}
			kinds[name] = value.Kind()
			if strings.ToLower(name) != name || strings.ContainsAny(name, " -.") {
				t.Errorf("%s is not in snake case", name)
			}
		}
	}
}

func TestLogDocumentsEveryLevelAndMessage(t *testing.T) {
	documented := map[string]bool{}
	for _, decl := range parsePackage(t)["log.go"].Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Name.Name != "Log" {
			continue
		}
		for line := range strings.Lines(f.Doc.Text()) {
			if row, ok := strings.CutPrefix(line, "\t"); ok {
				level, rest, _ := strings.Cut(row, "  ")
				message, event, _ := strings.Cut(strings.TrimSpace(rest), "  ")
				event, _, _ = strings.Cut(strings.TrimSpace(event), ",")
				documented[level+" "+message+" monitoring."+event] = true
			}
		}
	}
	written := map[string]bool{}
	for _, s := range samples {
		if h := observed(t, s.event); h.message != "" {
			written[fmt.Sprintf("%v %s %T", h.level, h.message, s.event)] = true
		}
	}
	for row := range written {
		if !documented[row] {
			t.Errorf("the table of Log lacks %q", row)
		}
	}
	for row := range documented {
		if !written[row] {
			t.Errorf("the table of Log has %q, which is not written", row)
		}
	}
}

func TestLogWithoutLoggerWritesToTheDefaultOfTheMoment(t *testing.T) {
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	m := monitoring.Log(nil)
	var out bytes.Buffer
	slog.SetDefault(newLogger(&out, slog.LevelInfo))
	m.Observe(t.Context(), monitoring.ConsumerPaused{Queue: "orders"})
	if got, want := out.String(), "level=INFO msg=\"consumer paused\" queue=orders\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLogPassesTheContextToTheHandler(t *testing.T) {
	type key struct{}
	var got any
	h := contextHandler(func(ctx context.Context) { got = ctx.Value(key{}) })
	ctx := context.WithValue(t.Context(), key{}, "span")
	monitoring.Log(slog.New(h)).Observe(ctx, monitoring.Acked{})
	if got != "span" {
		t.Errorf("the handler got %v", got)
	}
}

type contextHandler func(context.Context)

func (contextHandler) Enabled(context.Context, slog.Level) bool          { return true }
func (h contextHandler) Handle(ctx context.Context, _ slog.Record) error { h(ctx); return nil }
func (h contextHandler) WithAttrs([]slog.Attr) slog.Handler              { return h }
func (h contextHandler) WithGroup(string) slog.Handler                   { return h }

// refused has an Error method that does not survive a nil receiver.
type refused struct{ code int }

func (r *refused) Error() string { return fmt.Sprint("refused with ", r.code) }

type explosive struct{}

func (explosive) String() string { panic("in String") }

func TestLogSurvivesErrorsThatPanic(t *testing.T) {
	typedNil := error((*refused)(nil))
	for name, err := range map[string]error{
		"a nil pointer":              typedNil,
		"a nil pointer among others": errors.Join(errDown, typedNil),
	} {
		t.Run(name, func(t *testing.T) {
			for _, e := range []monitoring.Event{
				monitoring.Retried{Err: err},
				monitoring.Deferred{Err: err},
				monitoring.Errored{Err: err},
				monitoring.Lost{Err: err},
				monitoring.LateOutcome{Err: err},
				monitoring.SettleFailed{Err: err},
				monitoring.Published{Err: err},
				monitoring.Disconnected{Err: err},
				monitoring.DialFailed{Err: err},
				monitoring.ConsumerLost{Err: err},
				monitoring.ConsumerStopped{Err: err},
			} {
				got := observed(t, e).attrs["error"].String()
				if want := fmt.Sprintf("a %T whose Error method panics", err); got != want {
					t.Errorf("%T: error is %q, want %q", e, got, want)
				}
			}
		})
	}
}

func TestLogDescribesAnyPanicValue(t *testing.T) {
	loop := []any{nil}
	loop[0] = loop // formatting it never ends
	for want, value := range map[string]any{
		"":             nil,
		"no map":       "no map",
		"42":           42,
		"NaN":          math.NaN(),
		"bank is down": errDown,
		"a *monitoring_test.refused whose Error method panics":   (*refused)(nil),
		"a monitoring_test.explosive whose String method panics": explosive{},
		"a []interface {}": loop,
		"a struct {}":      struct{}{},
	} {
		e := monitoring.MonitorPanicked{Value: value, Stack: []byte("goroutine 1")}
		got := ""
		if v, ok := observed(t, e).attrs["panic"]; ok {
			got = v.String()
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLogBoundsTexts(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	h := observed(t, monitoring.Errored{
		Delivery: monitoring.Delivery{Queue: long, MessageID: long, Type: long, Exchange: long, Key: long},
		Reason:   monitoring.Reason(long), Err: errors.New(long), Stack: []byte(long), Fingerprint: long, To: long,
	})
	for name, value := range h.attrs {
		limit := 1024
		if name == "stack" {
			limit = 8192
		}
		if got := value.String(); len(got) > limit+len("…") {
			t.Errorf("%s has %d bytes", name, len(got))
		}
	}
	if got := h.attrs["error"].String(); got != long[:1024]+"…" {
		t.Errorf("the error is cut to %d bytes ending in %q", len(got), got[len(got)-8:])
	}
	if got := h.attrs["stack"].String(); got != long[:8192]+"…" {
		t.Errorf("the stack is cut to %d bytes", len(got))
	}
}

func TestLogWritesValidUTF8(t *testing.T) {
	for name, text := range map[string]string{
		"no UTF-8":                 "caf\xe9",
		"cut within a character":   "x" + strings.Repeat("é", 2000),
		"cut within no character":  strings.Repeat("\x80", 2000),
		"cut after many bytes":     strings.Repeat("€", 2000),
		"ends within a character":  "x\xe2\x82",
		"cut to exactly the bound": strings.Repeat("é", 512),
	} {
		got := observed(t, monitoring.Lost{Err: errors.New(text)}).attrs["error"].String()
		if !utf8.ValidString(got) {
			t.Errorf("%s: %q", name, got)
		}
		if utf8.ValidString(text) && strings.ContainsRune(got, utf8.RuneError) {
			t.Errorf("%s: a character was broken: %q", name, got[len(got)-10:])
		}
	}
}

func TestLogWritesBodiesOnRequestOnly(t *testing.T) {
	secret := monitoring.Delivery{Queue: "orders", Body: []byte("s3cr3t")}
	withBody := []monitoring.Event{monitoring.Retried{Delivery: secret}, monitoring.Errored{Delivery: secret}}
	without := []monitoring.Event{
		monitoring.Acked{Delivery: secret},
		monitoring.Deferred{Delivery: secret},
		monitoring.HandedBack{Delivery: secret},
		monitoring.Lost{Delivery: secret},
		monitoring.Stuck{Delivery: secret},
		monitoring.LateOutcome{Delivery: secret},
		monitoring.SettleFailed{Delivery: secret},
	}
	var out bytes.Buffer
	logger := newLogger(&out, slog.LevelDebug)
	plainLog, bodyLog := monitoring.Log(logger), monitoring.LogBodies(logger, 100)
	for _, m := range []monitoring.Monitor{plainLog, monitoring.LogBodies(logger, 0), monitoring.LogBodies(logger, -1)} {
		for _, e := range append(without, withBody...) {
			m.Observe(t.Context(), e)
		}
	}
	for _, e := range without {
		bodyLog.Observe(t.Context(), e)
	}
	if strings.Contains(out.String(), "s3cr3t") {
		t.Errorf("a body in the log:\n%s", out.String())
	}
	for _, e := range withBody {
		out.Reset()
		bodyLog.Observe(t.Context(), e)
		if !strings.HasSuffix(out.String(), " body=s3cr3t\n") {
			t.Errorf("%T: no body in %s", e, out.String())
		}
	}
}

func TestLogCutsBodies(t *testing.T) {
	for _, c := range []struct {
		name, body string
		limit      int
		want       string
	}{
		{"short enough", "héllo", 6, "héllo"},
		{"cut", "héllo", 5, "héll"},
		{"cut between characters", "héllo", 3, "hé"},
		{"cut within a character", "héllo", 2, "h"},
		{"cut within the first character", "€uro", 2, ""},
		{"cut within no character", "\x80\x80\x80\x80\x80\x80", 5, `"\x80\x80\x80\x80\x80"`},
		{"not UTF-8", "h\xe9llo", 100, `"h\xe9llo"`},
		{"not UTF-8, after the cut", "hello\xe9", 5, "hello"},
		{"ends within a character", "h\xc3", 100, `"h\xc3"`},
		{"empty", "", 100, ""},
	} {
		h := &attributes{}
		monitoring.LogBodies(slog.New(h), c.limit).
			Observe(t.Context(), monitoring.Errored{Delivery: monitoring.Delivery{Body: []byte(c.body)}})
		got := ""
		if v, ok := h.attrs["body"]; ok {
			got = v.String()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestLogAllocatesNothingForADisabledLevel(t *testing.T) {
	var out bytes.Buffer
	for name, m := range map[string]monitoring.Monitor{
		"Log":         monitoring.Log(newLogger(&out, slog.LevelError+1)),
		"All of Logs": monitoring.All(monitoring.Log(newLogger(&out, slog.LevelError+1)), monitoring.Discard{}),
	} {
		for _, s := range samples {
			if n := testing.AllocsPerRun(100, func() { m.Observe(t.Context(), s.event) }); n != 0 {
				t.Errorf("%s: %T costs %v allocations", name, s.event, n)
			}
		}
	}
	if out.Len() > 0 {
		t.Errorf("written though disabled: %s", out.String())
	}
}

func BenchmarkLogAckedDisabled(b *testing.B) {
	m := monitoring.All(monitoring.Log(newLogger(&bytes.Buffer{}, slog.LevelInfo)))
	e := monitoring.Event(monitoring.Acked{Delivery: delivery})
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(b.Context(), e)
	}
}

func BenchmarkLogRetried(b *testing.B) {
	var out bytes.Buffer
	m := monitoring.All(monitoring.Log(newLogger(&out, slog.LevelInfo)))
	e := monitoring.Event(monitoring.Retried{Delivery: delivery, Failure: monitoring.FailureReturned, Err: errDown})
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		m.Observe(b.Context(), e)
	}
}
