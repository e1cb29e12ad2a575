package monitoring_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/warren-mq/warren/monitoring"
)

// recorder notes what it is told, under its name, in a list shared with others.
type recorder struct {
	name string
	log  *[]string
}

func (r recorder) Observe(_ context.Context, e monitoring.Event) {
	*r.log = append(*r.log, fmt.Sprintf("%s:%T", r.name, e))
}

// keeper keeps the reports of panics.
type keeper struct{ reports []monitoring.MonitorPanicked }

func (k *keeper) Observe(_ context.Context, e monitoring.Event) {
	if p, ok := e.(monitoring.MonitorPanicked); ok {
		k.reports = append(k.reports, p)
	}
}

func bomb(context.Context, monitoring.Event) { panic("boom") }

// captureDefault collects what is written to the default logger during a test.
func captureDefault(t *testing.T) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	slog.SetDefault(newLogger(&out, slog.LevelDebug))
	return &out
}

func TestAllTellsEveryoneInOrder(t *testing.T) {
	var told []string
	a, b, c, d := recorder{"a", &told}, recorder{"b", &told}, recorder{"c", &told}, recorder{"d", &told}
	for name, m := range map[string]monitoring.Monitor{
		"flat":          monitoring.All(a, b, c, d),
		"with nils":     monitoring.All(nil, a, nil, b, c, d, nil),
		"nested":        monitoring.All(a, monitoring.All(b, monitoring.All(c)), d),
		"wrapped":       monitoring.All(monitoring.All(a, b, c, d)),
		"empty ones":    monitoring.All(monitoring.All(), a, b, monitoring.All(nil), c, d),
		"with a tracer": monitoring.All(tracer{recorder: a}, monitoring.All(b, tracer{recorder: c}), d),
	} {
		told = nil
		m.Observe(t.Context(), monitoring.Acked{})
		want := []string{"a:monitoring.Acked", "b:monitoring.Acked", "c:monitoring.Acked", "d:monitoring.Acked"}
		if !slices.Equal(told, want) {
			t.Errorf("%s: told %v", name, told)
		}
	}
}

func TestAllOfNothingIgnoresEverything(t *testing.T) {
	out := captureDefault(t)
	for _, m := range []monitoring.Monitor{monitoring.All(), monitoring.All(nil), monitoring.All(nil, monitoring.All())} {
		m.Observe(t.Context(), monitoring.Acked{})
	}
	if out.Len() > 0 {
		t.Error(out.String())
	}
}

func TestAllKeepsItsOwnList(t *testing.T) {
	var told []string
	list := []monitoring.Monitor{recorder{"a", &told}}
	m := monitoring.All(list...)
	list[0] = monitoring.Func(bomb)
	m.Observe(t.Context(), monitoring.Acked{})
	if len(told) != 1 {
		t.Errorf("told %v", told)
	}
}

func TestAllContainsAPanicAndReportsItToTheOthers(t *testing.T) {
	out := captureDefault(t)
	var told []string
	m := monitoring.All(recorder{"a", &told}, monitoring.Func(bomb), recorder{"b", &told})
	m.Observe(t.Context(), monitoring.Acked{})
	want := []string{
		"a:monitoring.Acked", "a:monitoring.MonitorPanicked", "b:monitoring.MonitorPanicked", "b:monitoring.Acked",
	}
	if !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	if out.Len() > 0 {
		t.Errorf("logged though reported: %s", out)
	}
}

func TestAllSaysWhoPanickedAndWhere(t *testing.T) {
	k := &keeper{}
	m := monitoring.All(monitoring.Func(bomb), k)
	for range 9 {
		m.Observe(t.Context(), monitoring.Acked{})
	}
	if len(k.reports) != 9 {
		t.Fatalf("%d reports of 9 panics", len(k.reports))
	}
	for i, p := range k.reports {
		if p.Monitor != "monitoring.Func" || p.Event != "monitoring.Acked" || p.Value != "boom" || p.Count != int64(i+1) {
			t.Errorf("panic %d is reported as %+v", i+1, p)
		}
		withStack := slices.Contains([]int{1, 2, 4, 8}, i+1)
		if strings.Contains(string(p.Stack), "monitoring_test.bomb") != withStack {
			t.Errorf("panic %d: the stack is %q", i+1, p.Stack)
		}
	}
}

func TestAllLogsThePanicOfALoneMonitorEverLessOften(t *testing.T) {
	out := captureDefault(t)
	m := monitoring.All(monitoring.Func(bomb))
	var logged []int
	for i := range 20 {
		out.Reset()
		m.Observe(t.Context(), monitoring.Acked{})
		if out.Len() == 0 {
			continue
		}
		logged = append(logged, i+1)
		want := fmt.Sprintf("level=ERROR msg=\"monitor panicked\" monitor=monitoring.Func event=monitoring.Acked panic=boom count=%d stack=", i+1)
		if got := out.String(); !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if want := []int{1, 2, 4, 8, 16}; !slices.Equal(logged, want) {
		t.Errorf("logged at %v, want %v", logged, want)
	}
}

// However the panics of several interleave, each of them is heard of.
func TestAllLogsEachOfSeveralThatAlwaysPanic(t *testing.T) {
	type a struct{ monitoring.Func }
	type b struct{ monitoring.Func }
	type c struct{ monitoring.Func }
	out := captureDefault(t)
	m := monitoring.All(a{bomb}, b{bomb}, c{bomb})
	for range 100 {
		m.Observe(t.Context(), monitoring.Acked{})
	}
	for _, name := range []string{"a", "b", "c"} {
		n := strings.Count(out.String(), "monitor=monitoring_test."+name+" ")
		if n < 2 || n > 10 {
			t.Errorf("%s panicked 300 times and has %d lines", name, n)
		}
	}
}

func TestAllNeverReportsAPanicAtAReport(t *testing.T) {
	out := captureDefault(t)
	k := &keeper{}
	var depth, deepest int
	onReports := monitoring.Func(func(_ context.Context, e monitoring.Event) {
		depth++
		deepest = max(deepest, depth)
		defer func() { depth-- }()
		if _, ok := e.(monitoring.MonitorPanicked); ok {
			panic("at the report")
		}
	})
	m := monitoring.All(monitoring.Func(bomb), onReports, k)
	for range 3 {
		m.Observe(t.Context(), monitoring.Acked{})
	}
	if len(k.reports) != 3 || deepest != 1 {
		t.Errorf("%d reports, %d deep", len(k.reports), deepest)
	}
	for _, p := range k.reports {
		if p.Value != "boom" {
			t.Errorf("reported: %+v", p)
		}
	}
	// What another All, hidden in a monitor of the application, reports.
	k.reports = nil
	m.Observe(t.Context(), monitoring.MonitorPanicked{Value: "foreign"})
	if len(k.reports) != 1 || k.reports[0].Value != "foreign" {
		t.Errorf("reports of a panic at a foreign report: %+v", k.reports)
	}
	if out.Len() > 0 {
		t.Errorf("logged though reported: %s", out)
	}
	// It is counted, though: bomb panicked 3 times, at the foreign report, and now.
	k.reports = nil
	m.Observe(t.Context(), monitoring.Acked{})
	if got := k.reports[0].Count; got != 5 {
		t.Errorf("the count is %d", got)
	}
}

func TestAllLogsIfNoOtherSurvivesTheReport(t *testing.T) {
	out := captureDefault(t)
	monitoring.All(monitoring.Func(bomb), monitoring.Func(func(_ context.Context, e monitoring.Event) {
		if _, ok := e.(monitoring.MonitorPanicked); ok {
			panic("at the report")
		}
	})).Observe(t.Context(), monitoring.Acked{})
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "panic=boom") {
		t.Errorf("logged %q", got)
	}
}

func TestAllSurvivesADefaultLoggerThatPanics(t *testing.T) {
	captureDefault(t)
	slog.SetDefault(slog.New(contextHandler(func(context.Context) { panic("in the handler") })))
	monitoring.All(monitoring.Func(bomb)).Observe(t.Context(), monitoring.Acked{})
	monitoring.All(monitoring.Log(nil)).Observe(t.Context(), monitoring.Acked{})
}

func TestAllSurvivesPanicsOfEveryKind(t *testing.T) {
	captureDefault(t)
	loop := []any{nil}
	loop[0] = loop
	for _, value := range []any{nil, 1, errDown, (*refused)(nil), explosive{}, loop} {
		k := &keeper{}
		burst := monitoring.Func(func(context.Context, monitoring.Event) { panic(value) })
		monitoring.All(burst, k).Observe(t.Context(), monitoring.Acked{})
		monitoring.All(burst).Observe(t.Context(), monitoring.Acked{})
		if len(k.reports) != 1 || k.reports[0].Value == nil {
			t.Errorf("panic(%T) is reported as %+v", value, k.reports)
		}
	}
}

func TestAllCountsAMonitorOnceWhereverItsAllIsNested(t *testing.T) {
	k := &keeper{}
	inner := monitoring.All(monitoring.Func(bomb), k)
	inner.Observe(t.Context(), monitoring.Acked{})
	monitoring.All(inner).Observe(t.Context(), monitoring.Acked{})
	monitoring.All(monitoring.Discard{}, inner).Observe(t.Context(), monitoring.Acked{})
	var counts []int64
	for _, p := range k.reports {
		counts = append(counts, p.Count)
	}
	if !slices.Equal(counts, []int64{1, 2, 3}) {
		t.Errorf("counts %v", counts)
	}
}

// same is a Starter that keeps the context.
type same struct{ monitoring.Discard }

func (same) Start(ctx context.Context, _ *monitoring.Operation) context.Context { return ctx }

func TestAllAllocatesNothing(t *testing.T) {
	m := monitoring.All(monitoring.Discard{}, same{}, monitoring.Func(func(context.Context, monitoring.Event) {}))
	ctx, e, op := t.Context(), monitoring.Event(monitoring.Acked{Delivery: delivery}), &monitoring.Operation{}
	if n := testing.AllocsPerRun(100, func() { m.Observe(ctx, e) }); n != 0 {
		t.Errorf("Observe: %v allocations", n)
	}
	s := m.(monitoring.Starter)
	if n := testing.AllocsPerRun(100, func() { s.Start(ctx, op) }); n != 0 {
		t.Errorf("Start: %v allocations", n)
	}
}

func TestAllMayBeUsedByManyAtOnce(t *testing.T) {
	const goroutines, rounds = 8, 250
	out := captureDefault(t)
	var acked, reports, withStack, highest atomic.Int64
	counter := monitoring.Func(func(_ context.Context, e monitoring.Event) {
		switch e := e.(type) {
		case monitoring.Acked:
			acked.Add(1)
		case monitoring.MonitorPanicked:
			reports.Add(1)
			if e.Stack != nil {
				withStack.Add(1)
			}
			for now := highest.Load(); e.Count > now; now = highest.Load() {
				if highest.CompareAndSwap(now, e.Count) {
					break
				}
			}
		}
	})
	m := monitoring.All(monitoring.Func(bomb), same{}, counter, monitoring.Log(nil))
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range rounds {
				ctx := m.(monitoring.Starter).Start(t.Context(), &monitoring.Operation{})
				m.Observe(ctx, monitoring.Acked{})
			}
		})
	}
	wg.Wait()
	const total = goroutines * rounds
	if acked.Load() != total || reports.Load() != total || highest.Load() != total {
		t.Errorf("of %d: %d acked, %d reports, highest count %d", total, acked.Load(), reports.Load(), highest.Load())
	}
	if n := withStack.Load(); n < 1 || n > 11 { // one for each bit of 2000
		t.Errorf("%d stacks", n)
	}
	if n := strings.Count(out.String(), "message acked"); n != total {
		t.Errorf("%d lines", n)
	}
}

func BenchmarkAll(b *testing.B) {
	m := monitoring.All(monitoring.Discard{}, monitoring.Discard{})
	e := monitoring.Event(monitoring.Acked{Delivery: delivery})
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(b.Context(), e)
	}
}
