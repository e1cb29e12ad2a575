package retry_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/warren-mq/warren/retry"
)

const second = time.Second

func TestAsLinear(t *testing.T) {
	for _, test := range []struct {
		policy      retry.Policy
		step, limit time.Duration
		ok          bool
	}{
		{retry.Policy{}, minute, minute, true},
		{retry.None(), 0, 0, true},
		{retry.Fixed(0, second), 0, 0, true},
		{retry.Fixed(math.MaxInt, second), second, second, true},
		{retry.Linear(5, 10*second, 30*second), 10 * second, 30 * second, true},
		{retry.Linear(2, 10*second, hour), 10 * second, hour, true},
		{retry.Linear(3, 10*second, 0), 10 * second, 160 * second, true},
		{retry.Linear(5, 10*second, 0), 10 * second, 160 * second, true}, // the same: n does not matter
		{retry.Linear(2, 500*hour, 0), 500 * hour, math.MaxUint32 * ms, true},
		{retry.Exponential(1, second, 0), second, second, true},
		{retry.Exponential(2, second, 0), second, 2 * second, true},
		{retry.Exponential(9, second, 2*second), second, 2 * second, true},
		{retry.Exponential(3, second, 0), 0, 0, false},
		{retry.Exponential(3, second, 3*second), second, 3 * second, true},
		{retry.Exponential(math.MaxInt, second, hour), 0, 0, false},
		{retry.Steps(second), second, second, true},
		{retry.Steps(second, 2*second, 3*second, 3*second), second, 3 * second, true},
		{retry.Steps(second, 2*second, 3*second, 2*second), 0, 0, false},
		{retry.Steps(2*second, second), 0, 0, false},
	} {
		step, limit, ok := test.policy.AsLinear()
		if step != test.step || limit != test.limit || ok != test.ok {
			t.Errorf("%v: %v, %v, %v", test.policy, step, limit, ok)
		}
	}
}

func TestNearestLinear(t *testing.T) {
	for _, test := range []struct{ policy, want retry.Policy }{
		{retry.Policy{}, retry.Fixed(3, minute)},
		{retry.Linear(3, second, 0), retry.Linear(3, second, 0)},
		{retry.Exponential(3, second, 0), retry.Linear(3, second, 4*second)},                 // 1 2 3 for 1 2 4
		{retry.Exponential(5, second, hour), retry.Linear(5, 2*second, 16*second)},           // 2 4 6 8 10 for 1 2 4 8 16
		{retry.Exponential(20, second, hour), retry.Linear(20, 225*second, hour)},            // no flatter one is allowed
		{retry.Steps(2*second, second), retry.Fixed(2, 2*second)},                            // it never shrinks
		{retry.Steps(second, second, 30*second), retry.Linear(3, second, 30*second)},         // 1 2 3; 10 20 30 is as far off
		{retry.Steps(5*second, 30*second, 30*second), retry.Linear(3, 15*second, 30*second)}, // its first wait is the one that differs
	} {
		got := test.policy.NearestLinear()
		if got != test.want {
			t.Errorf("%v: nearest is %v, want %v", test.policy, got, test.want)
		}
	}
}

// Whatever the policy, the nearest is one that can be used, with as many retries, and no other step comes
// nearer.
func TestNearestLinearIsNearest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	distance := func(a, b retry.Policy) (sum time.Duration) {
		for failed := 1; failed <= a.Retries(); failed++ {
			x, _ := a.Wait(failed)
			y, _ := b.Wait(failed)
			sum += (x - y).Abs()
		}
		return sum
	}
	for range 300 {
		n := 2 + r.IntN(6)
		waits := make([]time.Duration, n)
		for i := range waits {
			waits[i] = time.Duration(1+r.IntN(20)) * 10 * ms
		}
		p := retry.Steps(waits...)
		q := p.NearestLinear()
		if err := q.Validate(); err != nil || q.Retries() != n {
			t.Fatalf("%v: %v: %v", p, q, err)
		}
		if _, _, ok := q.AsLinear(); !ok {
			t.Fatalf("%v: %v is not linear", p, q)
		}
		all := p.Waits()
		limit := all[len(all)-1]
		for step := ms; step <= limit; step += ms {
			other := retry.Linear(n, step, limit)
			if other.Validate() == nil && distance(p, other) < distance(p, q) {
				t.Fatalf("%v: %v is off by %v, and %v by %v", p, q, distance(p, q), other, distance(p, other))
			}
		}
	}
}
