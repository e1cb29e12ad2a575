// Package sample says what a handful of measurements tells: a median, and how far it can be trusted. The same
// measurements and seed give the same answer. It is pure.
package sample

import (
	"math"
	"math/rand/v2"
	"slices"
)

// resamples is how often a bootstrap draws. The ends of an interval then move by less than they mean.
const resamples = 4000

// tail is what a 95 % interval leaves out on each side.
const tail = 0.025

// Range is an interval with its ends.
type Range struct{ Low, High float64 }

// Contains says whether v is within r, or at an end of it.
func (r Range) Contains(v float64) bool { return r.Low <= v && v <= r.High }

// Spread returns the least and the greatest of values, or NaN for both if there are none.
func Spread(values []float64) Range {
	if len(values) == 0 {
		return Range{math.NaN(), math.NaN()}
	}
	return Range{slices.Min(values), slices.Max(values)}
}

// Median returns the middle of values, or the mean of the two in the middle. It is NaN if there are none. The
// values are left as they are.
func Median(values []float64) float64 { return Quantile(values, 0.5) }

// Quantile returns what a share q of values is at most: 0 is the least, 0.99 the 99th percentile, 1 the greatest.
// Between two values it is on the straight line. It is NaN if there are none. The values are left as they are.
//
// A quantile needs company on both sides: that of 0.999 says little below some ten thousand values.
func Quantile(values []float64, q float64) float64 {
	return quantile(slices.Sorted(slices.Values(values)), q)
}

// quantile is Quantile of values in order.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 || !(q >= 0 && q <= 1) {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	below := int(at)
	if below+1 == len(sorted) {
		return sorted[below]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}

// Interval returns where the median lies with 95 % confidence, by bootstrap: medians of values that are drawn
// from values, with replacement. With fewer than five values it says little.
func Interval(values []float64, seed uint64) Range {
	return bootstrap(seed, func(r *rand.Rand) float64 { return redrawn(r, values) })
}

// Ratio returns the median of of divided by that of to, and where that ratio lies with 95 % confidence, by
// bootstrap: both are drawn anew, each for itself.
func Ratio(of, to []float64, seed uint64) (float64, Range) {
	return Median(of) / Median(to), bootstrap(seed, func(r *rand.Rand) float64 {
		return redrawn(r, of) / redrawn(r, to)
	})
}

func bootstrap(seed uint64, draw func(*rand.Rand) float64) Range {
	r := rand.New(rand.NewPCG(seed, 0))
	drawn := make([]float64, resamples)
	for i := range drawn {
		drawn[i] = draw(r)
	}
	slices.Sort(drawn)
	return Range{quantile(drawn, tail), quantile(drawn, 1-tail)}
}

// redrawn is the median of as many values, each drawn from all of them.
func redrawn(r *rand.Rand, values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	drawn := make([]float64, len(values))
	for i := range drawn {
		drawn[i] = values[r.IntN(len(values))]
	}
	slices.Sort(drawn)
	return quantile(drawn, 0.5)
}
