package consumer

import (
	"fmt"
	"runtime"
	"time"
)

// Kind is what an [Outcome] asks for.
type Kind int

const (
	// KindRetry asks to deliver the message again later. The zero Outcome is one, so
	// that a forgotten outcome loses nothing.
	KindRetry Kind = iota
	// KindAck says that the message is done.
	KindAck
	// KindError says that a person must look at the message.
	KindError
	// KindDefer asks to deliver the message again later, as the same attempt.
	KindDefer
)

// String returns "retry", "ack", "error" or "defer".
func (k Kind) String() string {
	switch k {
	case KindRetry:
		return "retry"
	case KindAck:
		return "ack"
	case KindError:
		return "error"
	case KindDefer:
		return "defer"
	default:
		return fmt.Sprintf("Kind(%d)", int(k))
	}
}

// Outcome says what shall become of a message. Make one with [Ack], [Retry],
// [RetryAfter], [Error] or [Defer]. The zero Outcome is a Retry without an
// error. Outcomes cannot be compared with ==; tests look at Kind, Err and Delay.
type Outcome struct {
	_     [0]func() // not comparable: errors may not be
	kind  Kind
	err   error
	delay time.Duration
	pc    uintptr // where it was made, for the failure's fingerprint
}

// Ack says that the message was handled and is done.
func Ack() Outcome { return Outcome{kind: KindAck} }

// Retry says that handling failed for a reason that will pass, such as a
// service that is down. The message is delivered again after the wait that the
// consumer's retry policy has for this attempt; after the last attempt it goes
// to the error queue with reason "exhausted". err is told to the monitor and
// written on the message; it may be nil.
func Retry(err error) Outcome { return Outcome{kind: KindRetry, err: err, pc: caller()} }

// RetryAfter is [Retry] with a wait of the handler's own, such as the
// Retry-After of an API that failed. It uses up an attempt. The handler runs
// again between d and d plus a second, or d and a twentieth if that is longer,
// as far as the main queue is empty then. Without a positive d it is Retry; more
// than a year is a year.
func RetryAfter(d time.Duration, err error) Outcome {
	return Outcome{kind: KindRetry, err: err, delay: max(0, d), pc: caller()}
}

// Error says that the message will not succeed by being tried again. It goes to
// the error queue with reason "rejected", for a person to look at. err should
// say what they need to know.
func Error(err error) Outcome { return Outcome{kind: KindError, err: err, pc: caller()} }

// Defer says that now is not the time: a rate limit was hit, or a service is
// being maintained. The message is delivered again as after [RetryAfter], but
// as the same attempt. Without a positive d it waits a second; more than a year
// is a year. A message that is deferred once more, Config.MaxAge or longer after
// the first time, goes to the error queue with reason "expired". err says why;
// it may be nil.
func Defer(d time.Duration, err error) Outcome {
	if d <= 0 {
		d = time.Second
	}
	return Outcome{kind: KindDefer, err: err, delay: d, pc: caller()}
}

// Kind returns what the outcome asks for. RetryAfter is a KindRetry.
func (o Outcome) Kind() Kind { return o.kind }

// Err returns the error that the outcome was made with; it may be nil.
func (o Outcome) Err() error { return o.err }

// Delay returns the wait that RetryAfter or Defer was made with, and otherwise
// zero: the wait after a Retry is the policy's.
func (o Outcome) Delay() time.Duration { return o.delay }

// String returns something like "retry after 30s: connection refused".
func (o Outcome) String() string {
	s := o.kind.String()
	if o.delay > 0 {
		s += " after " + o.delay.String()
	}
	if o.err != nil {
		s += fmt.Sprintf(": %v", o.err)
	}
	return s
}

// caller returns where the outcome was made: the caller of our caller.
func caller() uintptr {
	var pcs [1]uintptr
	runtime.Callers(3, pcs[:])
	return pcs[0]
}
