package topology_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/warren-mq/warren/topology"
)

// compose follows a message that shall wait for d, through queues that each take delay longer than they should. It
// returns when the handler runs and the waits it took.
func compose(p *topology.Plan, d, delay time.Duration) (ran time.Duration, hops []time.Duration) {
	slack := topology.Slack(d)
	for ran < d {
		r := p.Compose(d-ran, slack)
		hops = append(hops, r.Wait)
		ran += r.Wait + delay
		if len(hops) > 10_000 {
			return ran, hops
		}
	}
	return ran, hops
}

// checkComposition asserts what DESIGN.md (D3) promises: the handler runs between d and d plus a second, or a
// twentieth, and each hop adds its own delay.
func checkComposition(t *testing.T, waits []time.Duration, d, delay time.Duration) {
	t.Helper()
	p := topology.Tiers("q", topology.Quorum, waits)
	ran, hops := compose(&p, d, delay)
	if late := ran - d; late < 0 || late > topology.Slack(d)+time.Duration(len(hops))*delay {
		t.Errorf("waits %v, delay %v: %v is composed as %v, which is %v late", waits, delay, d, hops, late)
	}
	// Below the longest rung it is a number of hops that does not matter; above, one for each of those.
	if most := 25 + int(d/(2*time.Hour)); len(hops) > most {
		t.Errorf("waits %v: %v takes %d hops: %v", waits, d, len(hops), hops)
	}
	names := map[string]bool{}
	for _, wait := range hops {
		if !slices.Contains(waits, wait) {
			names[topology.RetryQueue("q", wait)] = true
		}
	}
	if len(names) > 6 {
		t.Errorf("%v needs %d further queues", d, len(names))
	}
}

func TestComposeEndsInTime(t *testing.T) {
	const day = 24 * time.Hour
	policies := [][]time.Duration{
		nil,
		{time.Minute},
		{time.Millisecond},
		{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second},
		{3 * time.Second, 5 * time.Hour},
		{7 * day, 49 * day},
	}
	exact := []time.Duration{
		1, time.Millisecond, 999 * time.Millisecond, time.Second, 1001 * time.Millisecond, 3300 * time.Millisecond,
		4 * time.Second, 5 * time.Second, 19 * time.Second, 20 * time.Second, 29 * time.Second, 33 * time.Second,
		time.Minute, 179 * time.Second, 181 * time.Second, 19*time.Minute + 59*time.Second, time.Hour, 119 * time.Minute,
		2*time.Hour + 1, day - 1, day, 30 * day,
	}
	for _, waits := range policies {
		for _, d := range exact {
			checkComposition(t, waits, d, 0)
			checkComposition(t, waits, d, 5*time.Millisecond)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		// From a millisecond to 30 days, each order of magnitude as often as the others.
		d := time.Duration(math.Exp(r.Float64()*math.Log(float64(30*day/time.Millisecond))) * float64(time.Millisecond))
		checkComposition(t, policies[r.IntN(len(policies))], d, time.Duration(r.IntN(50))*time.Millisecond)
	}
}

// How many queues a wait goes through: the comment at the rungs says so.
func TestComposeTakesFewHops(t *testing.T) {
	p := topology.Tiers("q", topology.Quorum, nil)
	most := 0
	for d := time.Second; d <= 24*time.Hour; d += time.Second {
		_, hops := compose(&p, d, 3*time.Millisecond)
		most = max(most, len(hops))
	}
	if most != 14 {
		t.Errorf("it takes up to %d hops, not 14", most)
	}
}

func FuzzCompose(f *testing.F) {
	f.Add(int64(time.Second), int64(time.Second), int64(time.Minute))
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), int64(1e6))
	f.Add(int64(math.MinInt64), int64(math.MinInt64), int64(1e6))
	f.Fuzz(func(t *testing.T, left, slack, wait int64) {
		if wait < 1 {
			return
		}
		p := topology.Tiers("q", topology.Quorum, []time.Duration{time.Duration(wait)})
		r := p.Compose(time.Duration(left), time.Duration(slack))
		if r.Wait <= 0 {
			t.Fatalf("no queue for %v, late by %v", time.Duration(left), time.Duration(slack))
		}
		// Whatever the headers say, a message makes progress, and waits at most a rung too long.
		if _, ok := p.Find(r.Name); !ok {
			t.Fatalf("%s is none of the plan's queues", r.Name)
		}
	})
}

func TestComposeOfAnEmptyPlan(t *testing.T) {
	var p topology.Plan
	if r := p.Compose(time.Second, 0); r.Name != "" {
		t.Errorf("it found %q", r.Name)
	}
}
