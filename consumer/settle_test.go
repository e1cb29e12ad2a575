package consumer

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

var errTest = errors.New("the bank is down")

func TestSettle(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Now()
	steps := retry.Steps(time.Second, 5*time.Second, time.Minute)
	first := header.State{Attempt: 1}
	attempt := func(n int) header.State { return header.State{Attempt: n} }
	deferred := func(ago time.Duration) header.State { return header.State{Attempt: 2, DeferredSince: now.Add(-ago)} }

	for _, test := range []struct {
		name   string
		result result
		state  header.State
		policy retry.Policy
		want   verdict
	}{
		{"ack", result{outcome: Ack()}, first, steps, verdict{fate: done}},
		{
			"ack after the deadline counts", // what the handler did is done
			result{outcome: Ack(), failure: monitoring.FailureTimeout},
			first, steps,
			verdict{fate: done},
		},
		{"ack while draining", result{outcome: Ack(), drained: true}, first, steps, verdict{fate: done}},
		{
			"retry takes the wait of the attempt that failed",
			result{outcome: Retry(errTest), failure: monitoring.FailureReturned},
			attempt(2), steps,
			verdict{fate: held, wait: 5 * time.Second, failure: monitoring.FailureReturned, err: errTest},
		},
		{
			"the last retry",
			result{outcome: Retry(errTest), failure: monitoring.FailureReturned},
			attempt(3), steps,
			verdict{fate: held, wait: time.Minute, failure: monitoring.FailureReturned, err: errTest},
		},
		{
			"no retry is left",
			result{outcome: Retry(errTest), failure: monitoring.FailureReturned},
			attempt(4), steps,
			verdict{fate: errored, reason: monitoring.ReasonExhausted, failure: monitoring.FailureReturned, err: errTest},
		},
		{
			"the policy has become shorter meanwhile",
			result{outcome: Retry(errTest), failure: monitoring.FailureReturned},
			attempt(9), retry.Fixed(2, time.Second),
			verdict{fate: errored, reason: monitoring.ReasonExhausted, failure: monitoring.FailureReturned, err: errTest},
		},
		{
			"the policy has become longer meanwhile",
			result{outcome: Retry(errTest), failure: monitoring.FailureReturned},
			attempt(4), retry.Fixed(9, time.Second),
			verdict{fate: held, wait: time.Second, failure: monitoring.FailureReturned, err: errTest},
		},
		{
			"no policy",
			result{outcome: Retry(nil), failure: monitoring.FailureReturned},
			first, retry.None(),
			verdict{fate: errored, reason: monitoring.ReasonExhausted, failure: monitoring.FailureReturned},
		},
		{
			"a forged attempt",
			result{outcome: Retry(nil), failure: monitoring.FailureReturned},
			attempt(math.MaxInt32), steps,
			verdict{fate: errored, reason: monitoring.ReasonExhausted, failure: monitoring.FailureReturned},
		},
		{
			"retry for ever",
			result{outcome: Retry(nil), failure: monitoring.FailureReturned},
			attempt(math.MaxInt32), retry.Fixed(math.MaxInt, time.Second),
			verdict{fate: held, wait: time.Second, failure: monitoring.FailureReturned},
		},
		{
			"the zero outcome is a retry",
			result{failure: monitoring.FailureReturned},
			first, steps,
			verdict{fate: held, wait: time.Second, failure: monitoring.FailureReturned},
		},
		{
			"retry after",
			result{outcome: RetryAfter(7*time.Second, errTest), failure: monitoring.FailureReturned},
			first, steps,
			verdict{fate: held, wait: 7 * time.Second, composed: true, failure: monitoring.FailureReturned, err: errTest},
		},
		{
			"retry after uses up the last attempt, too",
			result{outcome: RetryAfter(time.Second, errTest), failure: monitoring.FailureReturned},
			attempt(4), steps,
			verdict{fate: errored, reason: monitoring.ReasonExhausted, failure: monitoring.FailureReturned, err: errTest},
		},
		{
			"retry after nothing is retry",
			result{outcome: RetryAfter(0, errTest), failure: monitoring.FailureReturned},
			first, steps,
			verdict{fate: held, wait: time.Second, failure: monitoring.FailureReturned, err: errTest},
		},
		{
			"retry after less than nothing is retry",
			result{outcome: RetryAfter(math.MinInt64, errTest), failure: monitoring.FailureReturned},
			first, steps,
			verdict{fate: held, wait: time.Second, failure: monitoring.FailureReturned, err: errTest},
		},
		{
			"retry after a nanosecond",
			result{outcome: RetryAfter(1, errTest), failure: monitoring.FailureReturned},
			first, steps,
			verdict{fate: held, wait: 1, composed: true, failure: monitoring.FailureReturned, err: errTest},
		},
		{
			"retry after for ever is a year",
			result{outcome: RetryAfter(math.MaxInt64, errTest), failure: monitoring.FailureReturned},
			first, steps,
			verdict{fate: held, wait: header.MaxWait, composed: true, failure: monitoring.FailureReturned, err: errTest},
		},
		{
			"error",
			result{outcome: Error(errTest)},
			first, steps,
			verdict{fate: errored, reason: monitoring.ReasonRejected, failure: monitoring.FailureReturned, err: errTest},
		},
		{
			"error while draining",
			result{outcome: Error(errTest), drained: true},
			first, steps,
			verdict{fate: errored, reason: monitoring.ReasonRejected, failure: monitoring.FailureReturned, err: errTest},
		},
		{
			"defer",
			result{outcome: Defer(time.Hour, errTest)},
			attempt(4), steps,
			verdict{fate: held, wait: time.Hour, composed: true, deferred: true, err: errTest},
		},
		{
			"defer without a time is a second",
			result{outcome: Defer(-1, nil)},
			first, steps,
			verdict{fate: held, wait: time.Second, composed: true, deferred: true},
		},
		{
			"defer for ever is a year",
			result{outcome: Defer(math.MaxInt64, nil)},
			first, steps,
			verdict{fate: held, wait: header.MaxWait, composed: true, deferred: true},
		},
		{
			"defer again",
			result{outcome: Defer(time.Minute, nil)},
			deferred(day - time.Second), steps,
			verdict{fate: held, wait: time.Minute, composed: true, deferred: true},
		},
		{
			"defer for too long",
			result{outcome: Defer(time.Minute, errTest)},
			deferred(day), steps,
			verdict{fate: errored, reason: monitoring.ReasonExpired, failure: monitoring.FailureReturned, err: errTest},
		},
		{
			"retry after a deferral that is too old is a retry",
			result{outcome: Retry(errTest), failure: monitoring.FailureReturned},
			deferred(9 * day), steps,
			verdict{fate: held, wait: 5 * time.Second, failure: monitoring.FailureReturned, err: errTest},
		},
		{
			"defer while draining",
			result{outcome: Defer(time.Minute, nil), drained: true},
			first, steps,
			verdict{fate: held, wait: time.Minute, composed: true, deferred: true},
		},
		{
			"retry while draining",
			result{outcome: Retry(errTest), failure: monitoring.FailureReturned, drained: true},
			attempt(4), steps,
			verdict{fate: returned, failure: monitoring.FailureReturned, err: errTest},
		},
		{
			"panic",
			result{outcome: Outcome{err: errTest}, failure: monitoring.FailurePanic, stack: []byte("stack")},
			first, steps,
			verdict{fate: held, wait: time.Second, failure: monitoring.FailurePanic, err: errTest, stack: []byte("stack")},
		},
		{
			"undecodable",
			result{outcome: Outcome{kind: KindError, err: errTest}, reason: monitoring.ReasonUndecodable},
			first, steps,
			verdict{fate: errored, reason: monitoring.ReasonUndecodable, err: errTest},
		},
		{
			"invalid while draining",
			result{outcome: Outcome{kind: KindError, err: errTest}, reason: monitoring.ReasonInvalid, drained: true},
			first, steps,
			verdict{fate: errored, reason: monitoring.ReasonInvalid, err: errTest},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := settle(test.result, test.state, test.policy, day, now)
			if !errors.Is(got.err, test.want.err) {
				t.Errorf("err is %v, want %v", got.err, test.want.err)
			}
			if string(got.stack) != string(test.want.stack) {
				t.Errorf("stack is %q", got.stack)
			}
			want := test.want
			if got.fate != want.fate || got.reason != want.reason || got.wait != want.wait ||
				got.composed != want.composed || got.deferred != want.deferred || got.failure != want.failure {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestWhatExpiresSaysForHowLong(t *testing.T) {
	now := time.Now()
	for _, err := range []error{nil, errTest} {
		v := settle(result{outcome: Defer(time.Second, err)}, header.State{Attempt: 1, DeferredSince: now.Add(-25 * time.Hour)},
			retry.Policy{}, 24*time.Hour, now)
		if v.err == nil || !strings.Contains(v.err.Error(), "deferred again and again for 25h0m0s") || strings.Contains(v.err.Error(), "%!") {
			t.Errorf("the error is %v", v.err)
		}
	}
}

// A wait of the policy has a queue of its own, which does not need to be told when the wait is over.
func TestAWaitOfThePolicyIsOneQueue(t *testing.T) {
	p := topology.Tiers("q", topology.Quorum, []time.Duration{time.Second, 7 * time.Second})
	v := verdict{fate: held, wait: 7 * time.Second}
	if q, notBefore, notAfter := v.target(&p, time.Now()); q.Wait != 7*time.Second || !notBefore.IsZero() || !notAfter.IsZero() {
		t.Errorf("%+v, not before %v, not after %v", q, notBefore, notAfter)
	}
}

// The composed wait ends between d and d plus the slack, on the millisecond clock that the header has.
func TestTargetNeverEndsEarly(t *testing.T) {
	p := topology.Tiers("q", topology.Quorum, nil)
	now := time.Unix(1_700_000_000, 999_999)
	for _, d := range []time.Duration{1, time.Microsecond, time.Millisecond + 1, time.Second - 1, 33 * time.Second, header.MaxWait} {
		v := verdict{fate: held, wait: d, composed: true}
		_, notBefore, notAfter := v.target(&p, now)
		if at := time.UnixMilli(notBefore.UnixMilli()); at.Before(now.Add(d)) {
			t.Errorf("%v: it may run %v early", d, now.Add(d).Sub(at))
		}
		if late := notAfter.Sub(now.Add(d)); late > topology.Slack(d)+time.Millisecond || late < topology.Slack(d) {
			t.Errorf("%v: it may be %v late", d, late)
		}
	}
}
