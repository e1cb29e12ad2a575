package main

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/warren-mq/warren/bench/internal/page"
	"github.com/warren-mq/warren/bench/internal/sample"
	"github.com/warren-mq/warren/topology"
)

// report makes tables of results.
type report struct {
	results []result
	machine machine
	seed    uint64
}

// section is what stands between two marks of the page.
type section struct{ name, text string }

// sections are the parts of the report that have something to tell. What was not measured stays in the page as it was.
func (r *report) sections() []section {
	all := []section{{"ratios-machine", r.machine.String()}}
	for _, s := range []struct {
		name string
		table
	}{
		{"ratios", r.ratios()},
		{"ratios-latency", r.latency()},
		{"ratios-rest", r.rest()},
		{"ratios-measures", r.measures()},
	} {
		if len(s.rows) > 0 {
			all = append(all, section{s.name, s.String() + s.verdicts()})
		}
	}
	return all
}

func (r *report) write(file string) error {
	for _, s := range r.sections() {
		if err := page.Replace(file, s.name, s.text); err != nil {
			return err
		}
	}
	return nil
}

// cases are those that have results, in the order of the sets.
func (r *report) cases(duties ...duty) []workload {
	var all []workload
	for _, d := range duties {
		var of []workload
		for i := range r.results {
			if w := r.results[i].workload; w.Duty == d && !slices.Contains(of, w) {
				of = append(of, w)
			}
		}
		slices.SortFunc(of, func(a, b workload) int { return strings.Compare(a.sortKey(), b.sortKey()) })
		all = append(all, of...)
	}
	return all
}

// sortKey puts quorum before classic, and small numbers before large ones.
func (w workload) sortKey() string {
	return fmt.Sprintf("%t%8d%8d%8d%8d", w.Type != topology.Quorum, w.Size, w.Rate, w.Workers, w.Prefetch)
}

// of returns one value of each result of a variant.
func (r *report) of(w workload, variant string, value func(*result) float64) []float64 {
	var all []float64
	for i := range r.results {
		if it := &r.results[i]; it.workload == w && it.Variant == variant {
			all = append(all, value(it))
		}
	}
	return all
}

func perSecond(r *result) float64 { return r.PerSecond }
func cpu(r *result) float64       { return r.CPU }
func allocs(r *result) float64    { return r.Allocs }
func allocated(r *result) float64 { return r.Bytes }
func reads(r *result) float64     { return r.Reads }
func writes(r *result) float64    { return r.Writes }
func memory(r *result) float64    { return float64(r.Memory) }

// ratios compares variants, and says which bounds are met.
func (r *report) ratios() table {
	t := table{head: []string{"case", "of", "to", "throughput", "bound", "", "CPU", "bound", "", "allocations", "bound", ""}}
	for _, w := range r.cases(consuming, publishing, pipelining, retrying) {
		for _, c := range comparisons {
			if c.duty == w.Duty {
				t.add(r.compare(w, &c)...)
			}
		}
	}
	return t
}

func (r *report) compare(w workload, c *comparison) []string {
	row := []string{w.String(), c.of, c.to}
	if len(r.of(w, c.of, cpu)) == 0 || len(r.of(w, c.to, cpu)) == 0 {
		return append(row, "–", "", "", "–", "", "", "–", "", "")
	}
	ratio := func(value func(*result) float64, bound float64, atLeast bool) {
		point, interval := sample.Ratio(r.of(w, c.of, value), r.of(w, c.to, value), r.seed)
		row = append(row, fmt.Sprintf("%s (%s to %s)", number(point), number(interval.Low), number(interval.High)))
		switch {
		case bound == 0 || !c.applies(&w):
			row = append(row, "", "")
		case atLeast:
			row = append(row, "≥ "+number(bound), verdict(interval.Low >= bound, interval.High < bound))
		default:
			row = append(row, "≤ "+number(bound), verdict(interval.High <= bound, interval.Low > bound))
		}
	}
	const atLeast, atMost = true, false
	throughput := c.throughput
	if c.gathered > 0 && sample.Median(r.of(w, c.of, writes)) < sample.Median(r.of(w, c.to, writes))/2 {
		throughput = c.gathered
	}
	ratio(perSecond, throughput, atLeast)
	ratio(cpu, c.cpu, atMost)

	more := sample.Median(r.of(w, c.of, allocs)) - sample.Median(r.of(w, c.to, allocs))
	row = append(row, fmt.Sprintf("%+.1f", more))
	if c.allocs == none {
		return append(row, "", "")
	}
	bound, text := c.allocs, fmt.Sprintf("≤ %v", c.allocs)
	if c.decodes {
		needs := decoding(w.Size)
		bound, text = bound+needs, fmt.Sprintf("≤ %v + %v", c.allocs, needs)
	}
	const rounding = 0.05
	return append(row, text, verdict(more <= bound+rounding, more > bound+rounding))
}

// What an interval means for a bound.
const (
	met    = "met"
	missed = "**not met**"
	open   = "interval covers it"
)

func verdict(isMet, isMissed bool) string {
	switch {
	case isMet:
		return met
	case isMissed:
		return missed
	default:
		return open
	}
}

// decoding is how many allocations encoding/json needs for a body of that size: the fewest of some tries, since others
// may allocate meanwhile.
func decoding(size int) float64 {
	_, body, err := newOrder(size)
	if err != nil {
		return math.NaN()
	}
	fewest := uint64(math.MaxUint64)
	for range 100 {
		var before, after runtime.MemStats
		var o order
		runtime.ReadMemStats(&before)
		err := json.Unmarshal(body, &o)
		runtime.ReadMemStats(&after)
		if err != nil {
			return math.NaN()
		}
		fewest = min(fewest, after.Mallocs-before.Mallocs)
	}
	return float64(fewest)
}

// latency is the table of delays at fixed rates. The delays of all rounds are put together.
func (r *report) latency() table {
	t := table{head: []string{"case", "variant", "p50 ms", "p99 ms", "p99.9 ms", "n", "p50 of single runs", "p99 of single runs", "CPU µs/msg"}}
	for _, w := range r.cases(delaying) {
		for _, v := range variants(w.Duty) {
			var all, p50, p99 []float64
			for i := range r.results {
				it := &r.results[i]
				if it.workload != w || it.Variant != v.name {
					continue
				}
				var run []float64
				for _, us := range it.Latencies {
					run = append(run, float64(us)/1000)
				}
				all = append(all, run...)
				p50, p99 = append(p50, sample.Quantile(run, 0.5)), append(p99, sample.Quantile(run, 0.99))
			}
			if len(all) == 0 {
				continue
			}
			rare := number(sample.Quantile(all, 0.999))
			if len(all) < 10_000 {
				rare = "(" + rare + ")" // rests on less than ten of them
			}
			t.add(w.String(), v.name, number(sample.Quantile(all, 0.5)), number(sample.Quantile(all, 0.99)), rare, strconv.Itoa(len(all)),
				spread(p50), spread(p99), number(1e6*sample.Median(r.of(w, v.name, cpu))))
		}
	}
	return t
}

// rest is the table of consumers with nothing to do.
func (r *report) rest() table {
	t := table{head: []string{"case", "variant", "CPU, % of a core", "bound", "", "memory, MiB", "goroutines"}}
	for _, w := range r.cases(resting) {
		for _, v := range variants(w.Duty) {
			used := r.of(w, v.name, cpu) // for each second
			if len(used) == 0 {
				continue
			}
			row := []string{w.String(), v.name, spread(used, 100)}
			if v.name == "warren" {
				most := slices.Max(used)
				row = append(row, fmt.Sprintf("< %v", 100*rested), verdict(most < rested, slices.Min(used) >= rested))
			} else {
				row = append(row, "", "")
			}
			t.add(append(row, spread(r.of(w, v.name, memory), 1.0/(1<<20)),
				number(sample.Median(r.of(w, v.name, func(it *result) float64 { return float64(it.Goroutines) }))))...)
		}
	}
	return t
}

// measures is the table of what the ratios were made of.
func (r *report) measures() table {
	t := table{head: []string{
		"case", "variant", "msgs/s", "CPU µs/msg", "allocations/msg", "bytes/msg", "writes/msg", "reads/msg", "memory, MiB", "runs",
	}}
	for _, w := range r.cases(consuming, publishing, pipelining, retrying) {
		for _, v := range variants(w.Duty) {
			rates := r.of(w, v.name, perSecond)
			if len(rates) == 0 {
				continue
			}
			t.add(w.String(), v.name, spread(rates), spread(r.of(w, v.name, cpu), 1e6),
				number(sample.Median(r.of(w, v.name, allocs))), number(sample.Median(r.of(w, v.name, allocated))),
				number(sample.Median(r.of(w, v.name, writes))), number(sample.Median(r.of(w, v.name, reads))),
				number(sample.Median(r.of(w, v.name, memory))/(1<<20)), strconv.Itoa(len(rates)))
		}
	}
	return t
}
