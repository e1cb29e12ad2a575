package retry

import (
	"math"
	"time"
)

// AsLinear tells whether every wait of the policy is step times the number of failed attempts, but at most limit: the
// one kind of back-off that RabbitMQ 4.3's own delayed retry has. A Fixed policy is such a one, whose step is the
// limit; so is Exponential(2, time.Second, 0), which waits 1s, 2s.
//
// For a policy without retries step and limit are 0, and ok is true. Where a Linear policy has no limit, limit is that
// of [MaxWaits] steps, or the longest wait that a queue can hold, whatever n is: the broker is told of it, and shall
// not be told otherwise when n changes. What AsLinear returns for a policy that Validate refuses means nothing.
func (p Policy) AsLinear() (step, limit time.Duration, ok bool) {
	p = p.orDefault()
	if p.retries == 0 {
		return 0, 0, true
	}
	step, _ = p.Wait(1)
	switch {
	case p.shape != linear:
		waits := p.Waits()
		limit = waits[len(waits)-1]
	case p.limit == 0:
		limit = min(times(step, MaxWaits), maxTTL)
	default:
		limit = p.limit
	}
	for failed := 1; failed <= p.tellingWaits(); failed++ {
		if wait, _ := p.Wait(failed); wait != min(times(step, failed), limit) {
			return 0, 0, false
		}
	}
	return step, limit, true
}

// NearestLinear returns the Linear or Fixed policy whose waits differ least from this one's, summed over all retries.
// It has as many retries and this one's longest wait as its limit. It is the same policy if that is linear.
func (p Policy) NearestLinear() Policy {
	if _, _, ok := p.AsLinear(); ok {
		return p
	}
	waits := p.Waits()
	limit := waits[len(waits)-1]
	best, least := Fixed(p.retries, limit), math.Inf(1)
	try := func(step time.Duration) {
		step = min(max(time.Millisecond, step.Truncate(time.Millisecond)), limit)
		q := Linear(p.retries, step, limit)
		if step == limit {
			q = Fixed(p.retries, limit)
		}
		if q.Validate() != nil {
			return
		}
		sum := 0.0
		for failed := 1; failed <= p.tellingWaits(); failed++ {
			theirs, _ := p.Wait(failed)
			ours, _ := q.Wait(failed)
			sum += math.Abs(float64(theirs - ours))
		}
		if sum < least {
			best, least = q, sum
		}
	}
	// The sum is least where a line goes through one of the waits, or reaches the limit just in time, or is the steepest
	// or flattest that there may be.
	for failed := 1; failed <= p.tellingWaits(); failed++ {
		wait, _ := p.Wait(failed)
		for _, at := range []time.Duration{wait, limit} {
			try(at / time.Duration(failed))
			try(at/time.Duration(failed) + time.Millisecond)
		}
	}
	try(limit/MaxWaits + time.Millisecond - 1)
	try(limit)
	return best
}

// tellingWaits is the number of retries after which every wait is like the one before it; of Steps, all of them.
func (p Policy) tellingWaits() int {
	if p = p.orDefault(); p.shape == steps {
		return p.retries
	}
	return min(p.retries, MaxWaits+1)
}
