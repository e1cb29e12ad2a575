package sample_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/warren-mq/warren/bench/internal/sample"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		values []float64
		q      float64
		want   float64
	}{
		{"the middle of an odd number", []float64{9, 1, 5}, 0.5, 5},
		{"between the middle two", []float64{4, 1, 2, 3}, 0.5, 2.5},
		{"of one", []float64{7}, 0.99, 7},
		{"the least", []float64{3, 1, 2}, 0, 1},
		{"the greatest", []float64{3, 1, 2}, 1, 3},
		{"on the line between two", []float64{0, 10}, 0.25, 2.5},
		{"of none", nil, 0.5, math.NaN()},
		{"no share", []float64{1}, 1.5, math.NaN()},
		{"not a number", []float64{1}, math.NaN(), math.NaN()},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			before := slices.Clone(test.values)
			got := sample.Quantile(test.values, test.q)
			if got != test.want && !(math.IsNaN(got) && math.IsNaN(test.want)) {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if !slices.Equal(before, test.values) {
				t.Errorf("the values became %v", test.values)
			}
		})
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	if got := sample.Spread([]float64{2, 9, 4}); got != (sample.Range{Low: 2, High: 9}) {
		t.Errorf("got %v", got)
	}
	if got := sample.Spread(nil); !math.IsNaN(got.Low) || !math.IsNaN(got.High) {
		t.Errorf("of none: %v", got)
	}
}

// TestInterval draws from a distribution whose median is known: about 95 of 100 intervals must hold it.
func TestInterval(t *testing.T) {
	t.Parallel()
	const median, trials, size = 100, 100, 15
	r := rand.New(rand.NewPCG(1, 2))
	held := 0
	for seed := range uint64(trials) {
		values := make([]float64, size)
		for i := range values {
			values[i] = median + 10*r.NormFloat64()
		}
		interval := sample.Interval(values, seed)
		if interval.Contains(median) {
			held++
		}
		if !interval.Contains(sample.Median(values)) {
			t.Errorf("%v does not hold the median of %v itself", interval, values)
		}
	}
	if held < 85*trials/100 || held == trials {
		t.Errorf("%d of %d intervals held the true median", held, trials)
	}
}

func TestRatio(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	draw := func(median float64) []float64 {
		values := make([]float64, 20)
		for i := range values {
			values[i] = median * (1 + r.NormFloat64()/50)
		}
		return values
	}
	of, to := draw(150), draw(100)
	point, interval := sample.Ratio(of, to, 1)
	if point != sample.Median(of)/sample.Median(to) || math.Abs(point-1.5) > 0.05 {
		t.Errorf("the ratio is %v, want 1.5", point)
	}
	if !interval.Contains(1.5) || interval.Contains(1.4) || interval.Contains(1.6) {
		t.Errorf("the interval is %v", interval)
	}
	if _, again := sample.Ratio(of, to, 1); again != interval {
		t.Errorf("the same seed gave %v and %v", interval, again)
	}
	if _, other := sample.Ratio(of, to, 2); other == interval {
		t.Errorf("another seed gave %v, too", other)
	}
	if _, same := sample.Ratio(of, of, 1); !same.Contains(1) {
		t.Errorf("identical values differ: %v", same)
	}
}

func TestOfNothing(t *testing.T) {
	t.Parallel()
	if got := sample.Interval(nil, 1); !math.IsNaN(got.Low) || !math.IsNaN(got.High) {
		t.Errorf("the interval of none is %v", got)
	}
	if point, got := sample.Ratio([]float64{1}, nil, 1); !math.IsNaN(point) || !math.IsNaN(got.Low) {
		t.Errorf("the ratio to none is %v, %v", point, got)
	}
	if got := sample.Interval([]float64{4}, 1); got != (sample.Range{Low: 4, High: 4}) {
		t.Errorf("the interval of one is %v", got)
	}
}
