package retry_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/retry"
)

const (
	ms     = time.Millisecond
	sec    = time.Second
	minute = time.Minute
	hour   = time.Hour
)

// hostile are numbers that a header, a configuration file or a slip may hand in.
var hostile = []int{math.MinInt, math.MinInt + 1, -1, 0, 1, 2, 62, 63, 64, 65, 1 << 31, 1 << 40, math.MaxInt - 1, math.MaxInt}

var hostileWaits = []time.Duration{math.MinInt64, -1, 0, 1, ms, sec, hour, 1 << 62, math.MaxInt64}

func TestAPolicyNamesItsWaitsInOrder(t *testing.T) {
	tests := map[string]struct {
		policy retry.Policy
		waits  []time.Duration // one for each retry
		queues []time.Duration // one for each retry queue
	}{
		"the zero value is three retries, a minute apart": {
			retry.Policy{}, []time.Duration{minute, minute, minute}, []time.Duration{minute},
		},
		"none has no retries and no queues": {retry.None(), nil, nil},
		"fixed waits the same each time":    {retry.Fixed(2, 5*sec), []time.Duration{5 * sec, 5 * sec}, []time.Duration{5 * sec}},
		"no retries need no queue":          {retry.Fixed(0, sec), nil, nil},
		"a negative n is no retries":        {retry.Fixed(-1, sec), nil, nil},
		"linear grows by its step": {
			retry.Linear(3, 10*sec, 0), []time.Duration{10 * sec, 20 * sec, 30 * sec}, []time.Duration{10 * sec, 20 * sec, 30 * sec},
		},
		"linear stops at its limit, also between two steps": {
			retry.Linear(4, 10*sec, 25*sec),
			[]time.Duration{10 * sec, 20 * sec, 25 * sec, 25 * sec},
			[]time.Duration{10 * sec, 20 * sec, 25 * sec},
		},
		"exponential doubles": {
			retry.Exponential(4, sec, 0), []time.Duration{sec, 2 * sec, 4 * sec, 8 * sec}, []time.Duration{sec, 2 * sec, 4 * sec, 8 * sec},
		},
		"exponential stops at its limit": {
			retry.Exponential(5, sec, 5*sec),
			[]time.Duration{sec, 2 * sec, 4 * sec, 5 * sec, 5 * sec},
			[]time.Duration{sec, 2 * sec, 4 * sec, 5 * sec},
		},
		"a limit that equals the first wait makes it fixed": {
			retry.Exponential(3, sec, sec), []time.Duration{sec, sec, sec}, []time.Duration{sec},
		},
		"steps keep their order, their queues are sorted and shared": {
			retry.Steps(hour, sec, hour, minute), []time.Duration{hour, sec, hour, minute}, []time.Duration{sec, minute, hour},
		},
		"steps without any are none": {retry.Steps(), nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.policy.Retries(); got != len(test.waits) {
				t.Errorf("Retries() = %d, want %d", got, len(test.waits))
			}
			for i, want := range test.waits {
				if got, ok := test.policy.Wait(i + 1); got != want || !ok {
					t.Errorf("Wait(%d) = %v, %v, want %v, true", i+1, got, ok, want)
				}
			}
			for _, failed := range []int{math.MinInt, -1, 0, len(test.waits) + 1, math.MaxInt} {
				if got, ok := test.policy.Wait(failed); got != 0 || ok {
					t.Errorf("Wait(%d) = %v, %v, want 0, false", failed, got, ok)
				}
			}
			if got := test.policy.Waits(); !slices.Equal(got, test.queues) {
				t.Errorf("Waits() = %v, want %v", got, test.queues)
			}
		})
	}
}

func TestWaitsNeverShrinkNorOverflow(t *testing.T) {
	for _, n := range hostile {
		for _, first := range []time.Duration{1, ms, sec, hour, 1 << 62, math.MaxInt64} {
			for _, limit := range []time.Duration{0, first, max(first, hour), math.MaxInt64} {
				for _, policy := range []retry.Policy{retry.Fixed(n, first), retry.Linear(n, first, limit), retry.Exponential(n, first, limit)} {
					last := time.Duration(0)
					for _, failed := range hostile {
						wait, ok := policy.Wait(failed)
						if !ok {
							continue
						}
						if wait < last || wait < first || limit > 0 && wait > limit {
							t.Fatalf("%v: Wait(%d) = %v after %v", policy, failed, wait, last)
						}
						last = wait
					}
				}
			}
		}
	}
}

func TestEveryMethodIsQuickAndTotalForHostileArguments(t *testing.T) {
	start := time.Now()
	for _, n := range hostile {
		for _, first := range hostileWaits {
			for _, limit := range hostileWaits {
				for _, policy := range []retry.Policy{retry.Fixed(n, first), retry.Linear(n, first, limit), retry.Exponential(n, first, limit)} {
					if got := policy.Waits(); len(got) > retry.MaxWaits {
						t.Errorf("%v: %d waits, want at most %d", policy, len(got), retry.MaxWaits)
					}
					for _, failed := range hostile {
						policy.Wait(failed)
					}
					_ = policy.Validate()
					_ = policy.String()
					if policy.Retries() < 0 {
						t.Errorf("%v: Retries() = %d", policy, policy.Retries())
					}
				}
			}
		}
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestWaitsStopAtTheBoundButTheShortestAreThere(t *testing.T) {
	many := make([]time.Duration, 1000)
	for i := range many {
		many[i] = time.Duration(1000-i) * sec
	}
	for _, policy := range []retry.Policy{retry.Linear(math.MaxInt, sec, 0), retry.Steps(many...)} {
		waits := policy.Waits()
		if len(waits) != retry.MaxWaits || waits[0] != sec || waits[15] != 16*sec {
			t.Errorf("Waits() = %v, want 1s to 16s", waits)
		}
	}
}

func TestFixedCostsTheSameForAnyNumberOfRetries(t *testing.T) {
	allocs := testing.AllocsPerRun(100, func() {
		policy := retry.Fixed(1_000_000_000, sec)
		if wait, ok := policy.Wait(999_999_999); wait != sec || !ok {
			t.Fatal(wait, ok)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want 0", allocs)
	}
}

func TestStepsAndWaitsAreCopies(t *testing.T) {
	waits := []time.Duration{sec, minute}
	policy := retry.Steps(waits...)
	waits[0] = hour
	policy.Waits()[0] = hour
	if got, _ := policy.Wait(1); got != sec {
		t.Errorf("Wait(1) = %v, want 1s", got)
	}
	if got := policy.Waits()[0]; got != sec {
		t.Errorf("Waits()[0] = %v, want 1s", got)
	}
}

func TestPoliciesCanBeCompared(t *testing.T) {
	if (retry.Policy{}) != retry.Fixed(3, time.Minute) {
		t.Error("the zero value differs from Fixed(3, time.Minute)")
	}
	if (retry.Policy{}) == retry.Fixed(0, 0) {
		t.Error("the zero value equals Fixed(0, 0), which has no retries")
	}
	if other := retry.Steps(sec, minute); retry.Steps(sec, minute) != other {
		t.Error("the same steps differ")
	}
	if retry.Steps(sec, minute) == retry.Steps(minute, sec) {
		t.Error("different steps are equal")
	}
}

func TestValidateTakesWhatTheBrokerTakes(t *testing.T) {
	sixteen := make([]time.Duration, 0, 64)
	for i := range 64 {
		sixteen = append(sixteen, time.Duration(1+i%16)*sec)
	}
	for name, policy := range map[string]retry.Policy{
		"the zero value":                           {},
		"none":                                     retry.None(),
		"no retries":                               retry.Fixed(0, sec),
		"retries for ever":                         retry.Fixed(math.MaxInt, sec),
		"the shortest wait":                        retry.Fixed(1, ms),
		"the longest wait":                         retry.Fixed(1, (1<<32-1)*ms),
		"the longest limit":                        retry.Exponential(100, hour, (1<<32-1)*ms),
		"exponential for ever, up to an hour":      retry.Exponential(math.MaxInt, sec, hour),
		"as many queues as are allowed":            retry.Linear(16, sec, 0),
		"more retries than queues":                 retry.Linear(17, sec, 16*sec),
		"many steps that share a few queues":       retry.Steps(sixteen...),
		"a limit that is never reached":            retry.Exponential(2, sec, hour),
		"a limit that is between two of the waits": retry.Exponential(9, sec, 100*sec),
	} {
		if err := policy.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidateNamesTheArgumentThatIsWrong(t *testing.T) {
	seventeen := make([]time.Duration, 17)
	for i := range seventeen {
		seventeen[i] = time.Duration(i+1) * sec
	}
	for _, test := range []struct {
		policy retry.Policy
		want   string
	}{
		{retry.Fixed(-1, sec), "retry.Fixed: n is -1, must not be negative"},
		{retry.Linear(math.MinInt, sec, 0), "retry.Linear: n is -9223372036854775808, must not be negative"},
		{retry.Fixed(3, 0), "retry.Fixed: wait is 0s, must be positive"},
		{retry.Fixed(0, 0), "retry.Fixed: wait is 0s, must be positive"},
		{retry.Fixed(3, -sec), "retry.Fixed: wait is -1s, must be positive"},
		{retry.Fixed(3, 5), "retry.Fixed: wait is 5ns, must be at least 1ms"},
		{retry.Fixed(3, 1500*time.Microsecond), "retry.Fixed: wait is 1.5ms, must be whole milliseconds"},
		{retry.Fixed(3, (1<<32)*ms), "retry.Fixed: wait is 1193h2m47.296s, must be at most 1193h2m47.295s"},
		{retry.Linear(3, 0, sec), "retry.Linear: step is 0s, must be positive"},
		{retry.Linear(3, minute, sec), "retry.Linear: limit is 1s, must not be below step, which is 1m0s"},
		{retry.Exponential(3, -1, 0), "retry.Exponential: first is -1ns, must be positive"},
		{retry.Exponential(3, minute, sec), "retry.Exponential: limit is 1s, must not be below first, which is 1m0s"},
		{retry.Exponential(3, sec, -1), "retry.Exponential: limit is -1ns, must be positive"},
		{retry.Exponential(3, sec, sec+1), "retry.Exponential: limit is 1.000000001s, must be whole milliseconds"},
		{retry.Exponential(3, sec, math.MaxInt64), "retry.Exponential: limit is 2562047h47m16.854775807s, must be "},
		{retry.Exponential(17, sec, 0), "retry.Exponential: n is 17, which makes more than 16 distinct waits"},
		{retry.Exponential(1<<40, ms, (1<<32-1)*ms), "retry.Exponential: n is 1099511627776, which makes more than 16 distinct waits"},
		{retry.Exponential(12, hour, 0), "retry.Exponential: n is 12, which makes the last wait longer than 1193h2m47.295s"},
		{retry.Linear(1<<40, sec, 0), "retry.Linear: n is 1099511627776, which makes more than 16 distinct waits"},
		{retry.Linear(2, 1000*hour, 0), "retry.Linear: n is 2, which makes the last wait longer than"},
		{retry.Steps(sec, 0), "retry.Steps: waits[1] is 0s, must be positive"},
		{retry.Steps(seventeen...), "retry.Steps: 17 distinct waits, must be at most 16"},
	} {
		err := test.policy.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%v: %v\nwant %s", test.policy, err, test.want)
		}
	}
}
