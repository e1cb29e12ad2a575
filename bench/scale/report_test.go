package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

func someRows() rows {
	at := func(by string, size int, rate float64) result {
		return result{work{By: by, Size: size}, figures{"rate": rate}}
	}
	return rows{at(warren, 1, 10), at(warren, 1, 30), at(warren, 1, 20), at(byHand, 1, 25), at(warren, 8, 80), at(byHand, 8, 100)}
}

func TestReport(t *testing.T) {
	s := scenario{
		about: "About.", size: "consumers",
		columns: []column{{"messages/s", "rate", "%.0f"}},
		charts:  []chart{{title: "Rate", unit: "messages/s", figure: "rate"}},
		bounds: []bound{
			{"growth", func(r rows) verdict { return atMost(r.growth(warren, "rate"), 3) }},
			{"share", func(r rows) verdict { return atLeast(r.last(warren, "rate")/r.last(byHand, "rate"), 0.8) }},
			{"most", func(r rows) verdict { return atMost(r.max(warren, "rate"), 80) }},
			{"least", func(r rows) verdict { return atLeast(r.min(warren, "rate"), 11) }},
			{"of what was not measured", func(r rows) verdict { return atMost(r.last(warren, "cpu"), 1) }},
		},
	}
	const want = `About.

| by | consumers | messages/s |
|---|---|---|
| Warren | 1 | 20 (10 to 30) |
| by hand | 1 | 25 |
| Warren | 8 | 80 |
| by hand | 8 | 100 |

Rate: the first line is Warren, the second line is by hand.

` + "```mermaid" + `
xychart-beta
    title "Rate"
    x-axis "consumers" ["1", "8"]
    y-axis "messages/s" 0 --> 100
    line [20.00, 80.00]
    line [25.00, 100]
` + "```" + `

| bound | measured |
|---|---|
| growth | 4 (**not met**) |
| share | 0.8 (met) |
| most | 80 (met) |
| least | 10 (**not met**) |
| of what was not measured | unknown (**not met**) |

The machine.
`
	if got := s.report(someRows(), "The machine."); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A way that lacks a value is left out, and a chart without lines, too.
func TestChartOfWhatIsMissing(t *testing.T) {
	c := chart{title: "Lateness", points: distribution()}
	r := rows{{work{By: warren}, figures{}}}
	for _, q := range quantiles {
		r[0].figures[q.figure] = 1000 * q.share
	}
	var b strings.Builder
	c.write(&b, &scenario{}, append(r, result{work{By: byHand}, figures{"p50": 1}}))
	if text := b.String(); strings.Count(text, "line [") != 1 || !strings.Contains(text, `["p10", "p25", "p50", "p75", "p90", "p99", "p99.9", "most"]`) {
		t.Error(text)
	}
	b.Reset()
	c.write(&b, &scenario{}, rows{{work{By: byHand}, figures{"p50": 1}}})
	if b.Len() > 0 {
		t.Error(b.String())
	}
}

func TestCeiling(t *testing.T) {
	for v, want := range map[float64]float64{0: 1, 0.3: 0.3, 1: 1, 1.2: 1.5, 17: 20, 99: 100, 101: 150, 64_000: 70_000} {
		if got := ceiling(v); math.Abs(got-want) > want/1e9 {
			t.Errorf("above %g is %g, want %g", v, got, want)
		}
	}
}

func TestLateness(t *testing.T) {
	l := newLateness(2)
	for _, id := range []string{"0", "1"} {
		if err := l.arrive(id); err == nil {
			t.Errorf("%s may arrive before it has left", id)
		}
		if err := l.leave(id, time.Hour); err != nil {
			t.Error(err)
		}
		if err := l.leave(id, time.Hour); err == nil {
			t.Errorf("%s may leave twice", id)
		}
		if err := l.arrive(id); err != nil {
			t.Error(err)
		}
		if err := l.arrive(id); err == nil {
			t.Errorf("%s may arrive twice", id)
		}
	}
	for _, id := range []string{"2", "-1", "", "x"} {
		if l.leave(id, 0) == nil || l.arrive(id) == nil {
			t.Errorf("there is no message %q", id)
		}
	}
	f, err := l.found(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// An hour too early, but for the time that has passed.
	if least := f["least"]; least < -3.6e6 || least > -3.5e6 {
		t.Errorf("the least lateness is %g ms", least)
	}
}

// The messages of a key must come in order; a turn that is left out, or that comes twice, is told.
func TestTurns(t *testing.T) {
	s := &turns{done: newCounter(5)}
	for _, turn := range []uint32{0, 1, 3, 2, 3} {
		s.handle(stamp{key: 7, turn: turn}.body())
	}
	<-s.done.done
	if n := s.disorder.Load(); n != 2 {
		t.Errorf("%d are out of order, want 2", n)
	}
}

func TestShares(t *testing.T) {
	w, sum := work{Messages: 1000, Size: 7}, 0
	for i := range w.Size {
		sum += share(w, i)
	}
	if sum != w.Messages {
		t.Errorf("the shares are %d in all", sum)
	}
}
