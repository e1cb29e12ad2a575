package main

import (
	"math"
	"strings"
	"testing"

	"github.com/warren-mq/warren/topology"
)

func TestNumber(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0.00", 1.234: "1.23", 12.34: "12.3", 123.4: "123", 12345.6: "12346", 0.0012: "0.0012", -0.5: "-0.50",
		math.Inf(1): "–", 0.01: "0.01",
	} {
		if got := number(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
	if got := number(math.NaN()); got != "–" {
		t.Error(got)
	}
	if got := spread([]float64{0.2, 0.1, 0.4}, 100); got != "20.0 (10.0 to 40.0)" {
		t.Error(got)
	}
}

// measured is a report in which variants of one case were so many times as fast as 1,000/s.
func measured(w workload, factor map[string][]float64) *report {
	r := &report{seed: 1}
	for variant, factors := range factor {
		for _, f := range factors {
			r.results = append(r.results, result{
				job: job{workload: w, Variant: variant}, PerSecond: 1000 * f, CPU: 1e-5 / f, Allocs: 40, Bytes: 1000, Memory: 1 << 24,
			})
		}
	}
	return r
}

func TestRatios(t *testing.T) {
	t.Parallel()
	w := workload{Duty: consuming, Type: topology.Quorum, Size: small, Workers: 4, Prefetch: 100, N: 10}
	steady := []float64{1, 1, 1, 1, 1}
	r := measured(w, map[string][]float64{
		"raw-each":    steady,
		"raw-prefix":  {2, 2.1, 1.9, 2, 2},
		"warren":      {1.6, 1.55, 1.65, 1.6, 1.6}, // 1.3 of the first, and not 0.95 of the second
		"raw-each-on": steady,
		"warren-on":   {0.7, 0.9, 1, 1.1, 1.2},
	})
	got := r.ratios().String()
	for _, want := range []string{
		"| warren         | raw-each      | 1.60 (1.55 to 1.65) | ≥ 1.30 | met ",
		"| warren         | raw-prefix    | 0.80 (0.76 to 0.84) | ≥ 0.95 | **not met** ",
		"| warren-on      | raw-each-on   | 1.00 (0.70 to 1.20) | ≥ 0.95 | interval covers it | 1.00 (0.83 to 1.43) | ≤ 1.05 | interval covers it ",
		"| +0.0        | ≤ 4      | met ",
		"| raw-each-again | raw-each      | – ", // was not measured
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
	if got := r.ratios().verdicts(); !strings.Contains(got, "3 are met, 1 are not, and of 2 the interval says neither") {
		t.Error(got)
	}
	if n := strings.Count(got, w.String()); n != 1 {
		t.Errorf("the name of the case is there %d times", n)
	}
}

func TestAllocationsBound(t *testing.T) {
	t.Parallel()
	w := workload{Duty: consuming, Type: topology.Quorum, Size: small, Workers: 4, Prefetch: 100, N: 10}
	r := measured(w, map[string][]float64{"raw-each": {1, 1}, "warren": {1, 1}, "warren-on": {1, 1}})
	for i := range r.results {
		switch r.results[i].Variant {
		case "warren":
			r.results[i].Allocs += 4.2
		case "warren-on":
			r.results[i].Allocs += 4 + decoding(small)
		}
	}
	got := r.ratios().String()
	for _, want := range []string{"| +4.2        | ≤ 4      | **not met** ", "| met "} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
	if n := decoding(small); n < 5 || n > 30 {
		t.Errorf("encoding/json needs %v allocations", n)
	}
}

// The bound for waiting is for one worker.
func TestWaitingIsBoundedForOneWorker(t *testing.T) {
	t.Parallel()
	for workers, bounds := range map[int]int{1: 1, 16: 0} {
		w := workload{Duty: retrying, Type: topology.Quorum, Size: small, Workers: workers, Prefetch: 100, N: 10}
		r := measured(w, map[string][]float64{"raw-waiting": {1}, "warren": {3}})
		if got := r.ratios().String(); strings.Count(got, "≥ 2.50") != bounds {
			t.Errorf("%d workers:\n%s", workers, got)
		}
	}
}

// Who gathers writes has promised more.
func TestGatheredWrites(t *testing.T) {
	t.Parallel()
	for writes, want := range map[float64]string{1: "| ≥ 0.95 | met ", 0.1: "| ≥ 1.20 | **not met** "} {
		w := workload{Duty: pipelining, Type: topology.Quorum, Size: small, Workers: 1, Prefetch: 100, N: 10}
		r := measured(w, map[string][]float64{"raw": {1, 1}, "warren": {1.1, 1.1}})
		for i := range r.results {
			if r.results[i].Writes = 1; r.results[i].Variant == "warren" {
				r.results[i].Writes = writes
			}
		}
		if got := r.ratios().String(); !strings.Contains(got, want) {
			t.Errorf("%v writes:\n%s", writes, got)
		}
	}
}

func TestRest(t *testing.T) {
	t.Parallel()
	w := workload{Duty: resting, Type: topology.Quorum, Workers: 4, Prefetch: 8, For: restFor}
	for used, want := range map[float64]string{1.002e-3: "met", 2e-2: "**not met**"} {
		r := measured(w, map[string][]float64{"warren": {1e-5 / used}})
		if got := r.rest().String(); !strings.Contains(got, "| < 1   | "+want+" ") {
			t.Errorf("%v of a core: %s", used, got)
		}
	}
}

func TestSectionsOfWhatWasMeasured(t *testing.T) {
	t.Parallel()
	w := workload{Duty: consuming, Type: topology.Quorum, Size: small, Workers: 4, Prefetch: 100, N: 10}
	var names []string
	for _, s := range measured(w, map[string][]float64{"warren": {1}}).sections() {
		names = append(names, s.name)
	}
	if got := strings.Join(names, " "); got != "ratios-machine ratios ratios-measures" {
		t.Error(got)
	}
}

func TestCasesInOrder(t *testing.T) {
	t.Parallel()
	var r report
	for _, w := range []workload{
		{Duty: retrying, Type: topology.Quorum, Size: small, Workers: 1, Prefetch: 10},
		{Duty: consuming, Type: topology.Classic, Size: small, Workers: 1, Prefetch: 10},
		{Duty: consuming, Type: topology.Quorum, Size: small, Workers: 16, Prefetch: 10},
		{Duty: consuming, Type: topology.Quorum, Size: small, Workers: 4, Prefetch: 100},
		{Duty: consuming, Type: topology.Quorum, Size: large, Workers: 1, Prefetch: 10},
		{Duty: consuming, Type: topology.Quorum, Size: small, Workers: 16, Prefetch: 10},
	} {
		r.results = append(r.results, result{job: job{workload: w}})
	}
	var got []string
	for _, w := range r.cases(consuming, retrying) {
		got = append(got, w.String())
	}
	const want = `consume/quorum/256B/workers=4/prefetch=100
consume/quorum/256B/workers=16/prefetch=10
consume/quorum/4KiB/workers=1/prefetch=10
consume/classic/256B/workers=1/prefetch=10
retry/quorum/256B/workers=1/prefetch=10`
	if strings.Join(got, "\n") != want {
		t.Error(strings.Join(got, "\n"))
	}
}
