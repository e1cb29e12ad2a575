package topology_test

import (
	"math"
	"testing"
	"time"

	"github.com/warren-mq/warren/topology"
)

func TestNativeArguments(t *testing.T) {
	for _, test := range []struct {
		step, limit   time.Duration
		retries       int
		min, max, end int64
	}{
		{time.Second, 5 * time.Second, 3, 1000, 5000, 100},
		{time.Second, time.Second, 80, 1000, 1000, 100},
		{time.Second, time.Second, 81, 1000, 1000, 1000},
		{time.Second, time.Second, 980, 1000, 1000, 1000},
		{time.Second, time.Second, 981, 1000, 1000, 10_000},
		{time.Second, time.Second, math.MaxInt, 1000, 1000, 1e18},
		{0, 0, 0, 1000, 1000, 100}, // what kills its process comes back after a second
	} {
		a := topology.Native("q", test.step, test.limit, test.retries).Main.Args
		if a["x-delayed-retry-min"] != test.min || a["x-delayed-retry-max"] != test.max || a["x-delivery-limit"] != test.end {
			t.Errorf("%v, %v, %d: %v", test.step, test.limit, test.retries, a)
		}
	}
}

// All but the main queue is as with tiers: consumers of both ways can share an error queue, and the messages that wait
// for RetryAfter and Defer stay where they are when the way changes.
func TestNativeDiffersInTheMainQueueOnly(t *testing.T) {
	n, tiers := topology.Native("q", time.Second, time.Second, 3), topology.Tiers("q", topology.Quorum, nil)
	if n.Waiting != "native" || len(n.Retry) != 0 {
		t.Errorf("%q, %v", n.Waiting, n.Retry)
	}
	n.Main, n.Waiting = tiers.Main, tiers.Waiting
	if got, want := render(n), render(tiers); got != want {
		t.Errorf("%s\nis not\n%s", got, want)
	}
}
