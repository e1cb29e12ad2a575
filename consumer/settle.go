package consumer

import (
	"errors"
	"fmt"
	"time"

	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

// fate is what becomes of a delivery.
type fate int

const (
	done     fate = iota // acknowledge it
	held                 // put it into a retry queue
	errored              // put it into the error queue
	returned             // hand it back to the main queue
)

// verdict is a fate with what carrying it out needs.
type verdict struct {
	fate
	reason monitoring.Reason // why it errored

	wait     time.Duration // how long it is held
	composed bool          // of as many retry queues as it takes
	deferred bool          // held without using up the attempt

	failure monitoring.Failure // how the attempt failed; 0 if it did not run
	err     error
	stack   []byte
	pc      uintptr
}

// result is what came of running, or not running, the handler.
type result struct {
	outcome Outcome
	failure monitoring.Failure // 0 unless it failed
	reason  monitoring.Reason  // the body could not be given to the handler
	stack   []byte
	drained bool // the handler was told to give up, because the consumer stops
}

// settle decides what becomes of a message. It is pure: everything that follows
// from an outcome is decided here.
func settle(r result, s header.State, policy retry.Policy, maxAge time.Duration, now time.Time) verdict {
	o := r.outcome
	v := verdict{err: o.err, failure: r.failure, stack: r.stack, pc: o.pc}
	if r.reason != "" {
		v.fate, v.reason = errored, r.reason
		return v
	}
	switch o.kind {
	case KindAck:
		v.fate, v.failure = done, 0
	case KindError:
		v.fate, v.reason, v.failure = errored, monitoring.ReasonRejected, monitoring.FailureReturned
	case KindDefer:
		if since := s.DeferredSince; !since.IsZero() && now.Sub(since) >= maxAge {
			v.fate, v.reason, v.failure = errored, monitoring.ReasonExpired, monitoring.FailureReturned
			v.err = expired(o.err, now.Sub(since))
			break
		}
		v.fate, v.wait, v.composed, v.deferred, v.failure = held, min(o.delay, header.MaxWait), true, true, 0
	default: // KindRetry
		wait, more := policy.Wait(s.Attempt)
		switch {
		case r.drained:
			v.fate = returned
		case !more:
			v.fate, v.reason = errored, monitoring.ReasonExhausted
		case o.delay > 0:
			v.fate, v.wait, v.composed = held, min(o.delay, header.MaxWait), true
		default:
			v.fate, v.wait = held, wait
		}
	}
	return v
}

func expired(err error, age time.Duration) error {
	text := fmt.Sprintf("deferred again and again for %v", age.Round(time.Second))
	if err == nil {
		return errors.New(text)
	}
	return fmt.Errorf("%s: %w", text, err)
}

// target returns the retry queue that a held message goes to now, and what its
// headers shall say about the rest of its wait.
func (v *verdict) target(p *topology.Plan, now time.Time) (q topology.Retry, notBefore, notAfter time.Time) {
	if !v.composed {
		q, _ = p.Exactly(v.wait)
		return q, time.Time{}, time.Time{}
	}
	slack := topology.Slack(v.wait)
	// The headers count milliseconds, and must not end the wait early.
	notBefore = now.Add(v.wait + time.Millisecond - 1).Truncate(time.Millisecond)
	return p.Compose(v.wait, slack), notBefore, notBefore.Add(slack)
}
