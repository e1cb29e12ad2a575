package faults_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/internal/faults"
)

func TestGrowth(t *testing.T) {
	const mebi = 1 << 20
	run := func(n int, at func(part float64) faults.Weight) (list []faults.Sample) {
		dice := rand.New(rand.NewPCG(1, 2))
		for i := range n {
			w := at(float64(i) / float64(n-1))
			w.Heap += dice.Float64() * 6 * mebi // a sample may be odd by more than the growth that matters
			w.Goroutines += float64(dice.IntN(40))
			list = append(list, faults.Sample{At: time.Duration(i) * 20 * time.Second, Weight: w})
		}
		return list
	}
	for name, c := range map[string]struct {
		samples []faults.Sample
		want    string
	}{
		"nothing": {nil, ""},
		"level": {run(180, func(float64) faults.Weight {
			return faults.Weight{Heap: 10 * mebi, Resident: 40 * mebi, Goroutines: 60}
		}), ""},
		"a heap":       {run(180, func(p float64) faults.Weight { return faults.Weight{Heap: (10 + 9*p) * mebi} }), "the heap"},
		"resident":     {run(180, func(p float64) faults.Weight { return faults.Weight{Resident: (40 + 30*p) * mebi} }), "the resident memory"},
		"goroutines":   {run(180, func(p float64) faults.Weight { return faults.Weight{Goroutines: 60 + 60*p} }), "the number of goroutines"},
		"shrinks":      {run(180, func(p float64) faults.Weight { return faults.Weight{Heap: (50 - 20*p) * mebi, Goroutines: 90 - 50*p} }), ""},
		"too few":      {run(4, func(p float64) faults.Weight { return faults.Weight{Heap: (10 + 90*p) * mebi} }), ""},
		"one odd last": {run(40, func(p float64) faults.Weight { return faults.Weight{Heap: (10 + 500*float64(int(p))) * mebi} }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			first, last, err := faults.Growth(c.samples)
			if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q (first %v, last %v)", err, c.want, first, last)
			}
		})
	}
	first, last, _ := faults.Growth(run(100, func(p float64) faults.Weight { return faults.Weight{Resident: p} }))
	if first.Resident > 0.1 || last.Resident < 0.9 {
		t.Errorf("the first and the last tenth are %v and %v", first, last)
	}
}
