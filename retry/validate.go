package retry

import (
	"fmt"
	"math"
	"time"
)

// maxTTL is the longest x-message-ttl that every RabbitMQ accepts: an Erlang timer holds 2³²−1 ms.
const maxTTL = math.MaxUint32 * time.Millisecond

// Validate returns nil if a consumer can carry the policy out, or an error that names the argument which is wrong:
//
//   - n is negative;
//   - a wait, or the limit, is not positive, below 1 ms, not a whole number of milliseconds, or 2³² ms or more (a limit
//     of 0 is none, and fine);
//   - the limit is below the first wait;
//   - there are more than [MaxWaits] distinct waits, or they grow beyond what a queue can hold, for want of a limit.
//
// The arguments are checked even if n is 0. For no retries at all, write [None]. There is no bound on n itself: retries
// for ever are Fixed(math.MaxInt, wait).
//
// The error reads "retry.Exponential: limit is 1s, must not be below first, which is 1m0s".
func (p Policy) Validate() error {
	p = p.orDefault()
	if p.retries < 0 {
		return p.refuse("n is %d, must not be negative", p.retries)
	}
	if err := p.validateArguments(); err != nil {
		return err
	}
	waits := p.distinct()
	switch {
	case len(waits) <= MaxWaits:
	case p.shape == steps:
		return p.refuse("%d distinct waits, must be at most %d: each is a queue on the broker", len(waits), MaxWaits)
	default:
		return p.refuse("n is %d, which makes more than %d distinct waits, each a queue on the broker: lower n or set a lower limit",
			p.retries, MaxWaits)
	}
	if n := len(waits); n > 0 && waits[n-1] > maxTTL {
		return p.refuse("n is %d, which makes the last wait longer than %v, the most that a RabbitMQ queue holds: lower n or set a limit",
			p.retries, maxTTL)
	}
	return nil
}

// validateArguments checks each wait that was given, by itself.
func (p Policy) validateArguments() error {
	switch p.shape {
	case fixed:
		return p.validateWait("wait", p.first)
	case steps:
		for i := range p.retries {
			if err := p.validateWait(fmt.Sprintf("waits[%d]", i), p.step(i)); err != nil {
				return err
			}
		}
		return nil
	case unset, linear, exponential:
		// Below. The zero policy is a fixed one by now.
	}
	first := "first"
	if p.shape == linear {
		first = "step"
	}
	if err := p.validateWait(first, p.first); err != nil {
		return err
	}
	if p.limit == 0 {
		return nil
	}
	if err := p.validateWait("limit", p.limit); err != nil {
		return err
	}
	if p.limit < p.first {
		return p.refuse("limit is %v, must not be below %s, which is %v", p.limit, first, p.first)
	}
	return nil
}

// validateWait checks one wait against what a queue's time to live can be. Below 1 ms is told apart from not whole,
// since the usual mistake there is a bare number: Fixed(3, 5) is five nanoseconds.
func (p Policy) validateWait(name string, wait time.Duration) error {
	switch {
	case wait <= 0:
		return p.refuse("%s is %v, must be positive", name, wait)
	case wait < time.Millisecond:
		return p.refuse("%s is %v, must be at least 1ms", name, wait)
	case wait%time.Millisecond != 0:
		return p.refuse("%s is %v, must be whole milliseconds, in which RabbitMQ counts", name, wait)
	case wait > maxTTL:
		return p.refuse("%s is %v, must be at most %v, the most that a RabbitMQ queue holds", name, wait, maxTTL)
	}
	return nil
}

// refuse makes the error: the constructor's name, and what is wrong.
func (p Policy) refuse(format string, args ...any) error {
	name := [...]string{fixed: "Fixed", linear: "Linear", exponential: "Exponential", steps: "Steps"}[p.shape]
	return fmt.Errorf("retry.%s: %s", name, fmt.Sprintf(format, args...))
}
