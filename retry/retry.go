// Package retry says how long a message waits before each further attempt.
//
// A [Policy] is data and does nothing by itself. The consumer asks it two things: which retry queues to declare
// ([Policy.Waits]), and, after an attempt has failed, in which of them the message waits ([Policy.Wait]). One queue is
// declared for each distinct wait, so a policy with few of them is a cheap one: Exponential(20, time.Second,
// time.Minute) has twenty retries and seven queues.
//
// # Counting
//
// n is always the number of retries: what comes after the first attempt. Fixed(3, time.Minute) runs the handler up to
// four times, with a minute before the second, third and fourth. Attempts are counted from 1.
//
// # Waits
//
// A wait becomes the time to live of a queue (x-message-ttl), which RabbitMQ counts in milliseconds. So it must be a
// whole number of milliseconds, at least 1 ms, and less than 2³² ms (49 days and 17 hours). Warren rounds nothing:
// [Policy.Validate] refuses what does not fit. The wait counts from the moment the broker has the message in the retry
// queue. It is the least that passes before the next attempt: a busy main queue or a stopped consumer adds to it.
//
// # Choosing
//
// Use [Fixed] where a failure is as likely to be over after one minute as after two, [Exponential] with a limit where
// the other side needs time to recover, [Linear] for something between, [Steps] to write down each wait, and [None]
// where a failed message is for a person at once.
package retry

import (
	"encoding/binary"
	"math"
	"slices"
	"time"
)

// MaxWaits is the largest number of distinct waits that a policy may have. Each is a queue of its own on the broker;
// six to eight serve nearly every purpose.
const MaxWaits = 16

// What the zero Policy stands for.
const (
	defaultRetries = 3
	defaultWait    = time.Minute
)

// A Policy says how many retries a message has, and how long it waits before each.
//
// The zero value is Fixed(3, time.Minute). Make others with [None], [Fixed], [Linear], [Exponential] and [Steps], or
// with [Parse] from text. The constructors take any argument and never fail, so that a policy can be written inside a
// struct literal; [Policy.Validate] says whether the arguments make sense, and the consumer asks it when it is made.
//
// A Policy cannot be changed once it is made. It is small, safe for concurrent use, and can be compared with ==: two
// policies are equal if the same constructor made them from the same arguments.
type Policy struct {
	shape   shape
	retries int
	first   time.Duration // the wait of fixed, the step of linear, the first wait of exponential
	limit   time.Duration // of linear and exponential; 0: none
	steps   string        // of steps: eight bytes for each wait, in a string so that == works and nobody can change it
}

// A shape is the way in which the waits of a policy grow.
type shape uint8

const (
	unset shape = iota // the zero Policy
	fixed
	linear
	exponential
	steps
)

// None has no retries: a message that fails goes to the error queue after its first attempt.
func None() Policy { return Steps() }

// Fixed has n retries, each after the same wait: Fixed(3, time.Minute) is up to four attempts. It needs one retry
// queue, however large n is, and costs nothing more for a large one.
func Fixed(n int, wait time.Duration) Policy {
	if n == defaultRetries && wait == defaultWait {
		return Policy{} // so that it equals the zero value
	}
	return Policy{shape: fixed, retries: n, first: wait}
}

// Linear has n retries, after step, 2*step, 3*step and so on, but never after more than limit. A limit of 0 means that
// there is none; then every retry needs a queue of its own, and n can be at most [MaxWaits].
//
// Linear(5, 10*time.Second, 30*time.Second) waits 10s, 20s, 30s, 30s, 30s, in three retry queues.
func Linear(n int, step, limit time.Duration) Policy {
	return Policy{shape: linear, retries: n, first: step, limit: limit}
}

// Exponential has n retries, the first of them after first. Each further wait is twice the one before it, but never
// more than limit. A limit of 0 means that there is none; then every retry needs a queue of its own, and n can be at
// most [MaxWaits].
//
// Exponential(6, time.Second, 10*time.Second) waits 1s, 2s, 4s, 8s, 10s, 10s, in five retry queues.
func Exponential(n int, first, limit time.Duration) Policy {
	return Policy{shape: exponential, retries: n, first: first, limit: limit}
}

// Steps has one retry for each of the waits, in the order in which they are given. A wait may occur more than once and
// shares its queue. Without any it is [None]. The waits are copied.
func Steps(waits ...time.Duration) Policy {
	packed := make([]byte, 0, len(waits)*stepSize)
	for _, wait := range waits {
		packed = binary.BigEndian.AppendUint64(packed, uint64(wait))
	}
	return Policy{shape: steps, retries: len(waits), steps: string(packed)}
}

// Retries is the number of retries after the first attempt: attempts less one. It is never negative.
func (p Policy) Retries() int { return max(0, p.orDefault().retries) }

// Wait is how long the message waits once its failed-th attempt has failed, counted from 1: Wait(1) is the wait between
// the first attempt and the second. ok is false, and the wait 0, if no retry is left after that attempt, or if failed
// is less than 1.
//
// Wait takes any number and neither panics nor overflows. What it returns for a policy that Validate refuses means
// nothing.
func (p Policy) Wait(failed int) (wait time.Duration, ok bool) {
	p = p.orDefault()
	if failed < 1 || failed > p.retries {
		return 0, false
	}
	switch p.shape {
	case linear:
		return p.capped(times(p.first, failed)), true
	case exponential:
		return p.capped(doubled(p.first, failed-1)), true
	case steps:
		return p.step(failed - 1), true
	default:
		return p.first, true
	}
}

// Waits returns the distinct waits of the policy, the shortest first: one for each retry queue that a consumer
// declares. It is empty if there are no retries. The slice is the caller's.
//
// It returns at most [MaxWaits] waits, the shortest, even for a policy that Validate refuses because it has more. So it
// is quick whatever n is.
func (p Policy) Waits() []time.Duration {
	waits := p.distinct()
	return waits[:min(len(waits), MaxWaits)]
}

// distinct returns the distinct waits, the shortest first. If there are more than MaxWaits, it may stop at one more
// than that, which is enough to know it.
func (p Policy) distinct() []time.Duration {
	p = p.orDefault()
	var waits []time.Duration
	if p.shape == steps {
		for i := range p.retries {
			waits = append(waits, p.step(i))
		}
		slices.Sort(waits)
		return slices.Compact(waits)
	}
	for failed := 1; len(waits) <= MaxWaits; failed++ {
		wait, ok := p.Wait(failed)
		// The waits of the other shapes never shrink. Once one equals the one before it, none will differ any more.
		if !ok || len(waits) > 0 && wait == waits[len(waits)-1] {
			break
		}
		waits = append(waits, wait)
	}
	return waits
}

// orDefault puts the default in the place of the zero value. Every method begins with it.
func (p Policy) orDefault() Policy {
	if p.shape == unset {
		return Policy{shape: fixed, retries: defaultRetries, first: defaultWait}
	}
	return p
}

// capped holds a wait that has grown to the limit.
func (p Policy) capped(wait time.Duration) time.Duration {
	if p.limit > 0 {
		return min(wait, p.limit)
	}
	return wait
}

// stepSize is the number of bytes that one wait takes in Policy.steps.
const stepSize = 8

// step unpacks the wait of the i-th retry, counted from 0, that Steps has packed.
func (p Policy) step(i int) time.Duration {
	var packed [stepSize]byte
	copy(packed[:], p.steps[i*stepSize:])
	return time.Duration(binary.BigEndian.Uint64(packed[:]))
}

// longest stands for every wait that a Duration cannot hold.
const longest = time.Duration(math.MaxInt64)

// times returns n times d, or longest if that is more than a Duration holds. n is at least 1.
func times(d time.Duration, n int) time.Duration {
	if d <= 0 {
		return d
	}
	if int64(n) > int64(longest/d) {
		return longest
	}
	return d * time.Duration(n)
}

// doubled returns d doubled n times, or longest if that is more than a Duration holds. n is at least 0.
func doubled(d time.Duration, n int) time.Duration {
	if d <= 0 {
		return d
	}
	if n > 62 || d > longest>>n {
		return longest
	}
	return d << n
}
