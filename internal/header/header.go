// Package header names the headers that Warren puts on messages, and reads them
// back from messages that anyone may have written.
//
// Every name begins with "warren-". Numbers are signed 64-bit integers, times
// are milliseconds since 1970 where a program compares them and RFC 3339 text
// where a person reads them.
package header

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Prefix begins the name of every header of Warren.
const Prefix = "warren-"

// What a message carries from one attempt to the next. These are valid only on
// a message whose Queue header names the consumer's main queue: applications
// copy the headers of one message to another.
const (
	Queue         = "warren-queue"          // text: the main queue that the rest is about
	Attempt       = "warren-attempt"        // number: the attempt about to run, from 1
	Due           = "warren-due"            // time: when the wait is over
	NotBefore     = "warren-not-before"     // time: if it comes back earlier, it waits on
	NotAfter      = "warren-not-after"      // time: how late it may be
	DeferredSince = "warren-deferred-since" // time: the first deferral
	FirstFailure  = "warren-first-failure"  // RFC 3339
	Failures      = "warren-failures"       // texts: the last few failures, oldest first
	Trace         = "warren-trace"          // text: what a tracing monitor has left on an earlier attempt
	Replays       = "warren-replays"        // number: how often a person has sent it back from the error queue
	Replay        = "warren-replay"         // text: which replay was the last, so that it does not take it again
)

// Where the message came from before Warren moved it for the first time.
const (
	OriginExchange = "warren-origin-exchange"
	OriginKey      = "warren-origin-key"
)

// MaxCut is how many names Cut has, at most.
const MaxCut = 20

// Properties and headers that must not be sent again, as text or array.
const (
	OriginalExpiration = "warren-original-expiration"
	OriginalUserID     = "warren-original-user-id"
	OriginalCC         = "warren-original-cc"
	OriginalBCC        = "warren-original-bcc"
)

// What a message in the error queue tells a person.
const (
	Reason      = "warren-reason"
	Error       = "warren-error"
	ErrorType   = "warren-error-type"
	Stack       = "warren-stack"
	Attempts    = "warren-attempts" // number: attempts that were made
	LastFailure = "warren-last-failure"
	OriginQueue = "warren-origin-queue"
	Host        = "warren-host"
	Process     = "warren-process"
	Fingerprint = "warren-fingerprint"
	// Cut names the headers that were left out, or shortened, because the
	// frame of a message's headers is limited.
	Cut = "warren-cut"
)

// What a quorum queue counts: how often it has seen a delivery of the message
// fail and, since RabbitMQ 4.3, how often it has delivered it. Anyone can forge
// both.
const (
	DeliveryCount = "x-delivery-count"
	AcquiredCount = "x-acquired-count"
)

// IsOurs tells whether a header is one of Warren's.
func IsOurs(name string) bool { return strings.HasPrefix(name, Prefix) }

// IsOriginal tells whether a header holds what must not be sent again.
func IsOriginal(name string) bool { return strings.HasPrefix(name, Prefix+"original-") }

// IsBrokers tells whether a header is one that the broker writes, and that must
// not be sent again: a malformed x-death kills a classic queue of RabbitMQ 3.10
// for good, a well-formed one makes it drop the message as going in circles,
// and a delivery count would be believed.
func IsBrokers(name string) bool {
	if !strings.HasPrefix(name, "x-") {
		return false
	}
	return name == "x-death" || name == DeliveryCount || name == AcquiredCount ||
		strings.HasPrefix(name, "x-first-death-") || strings.HasPrefix(name, "x-last-death-")
}

// State is what the headers of Warren on a received message say.
type State struct {
	// Attempt is the attempt about to run, at least 1.
	Attempt int
	// Due is when its wait was over; zero if it did not wait.
	Due time.Time
	// NotBefore is when it may run, and NotAfter how late that may be; zero if
	// its queue's wait was the whole wait.
	NotBefore, NotAfter time.Time
	// DeferredSince is the first deferral; zero if there was none.
	DeferredSince time.Time
	// Trace is what a tracing monitor has left.
	Trace string
	// Replays is how often it has come back from the error queue, and Replay
	// names the last time.
	Replays int
	Replay  string
	// FirstFailure, Failures and Cut are for the error queue.
	FirstFailure string
	Failures     []any
	Cut          []any
	// Moved says that Warren has moved the message before, and OriginExchange
	// and OriginKey are what it was published with.
	Moved                     bool
	OriginExchange, OriginKey string
}

const (
	// maxAttempt bounds the attempt number. Beyond it, nobody counted.
	maxAttempt = math.MaxInt32

	// MaxWait is the longest wait. A header that asks for more is not ours, and
	// would keep its message from ever being handled.
	MaxWait = 366 * 24 * time.Hour

	// clockSkew is how much the clocks of hosts are believed to differ.
	clockSkew = time.Hour
)

// Read reads the state from headers. Headers that cannot be used are taken as
// absent, and their names are returned. It never fails: headers are input from
// anyone.
func Read(headers map[string]any, queue string, now time.Time) (s State, ignored []string) {
	s.Attempt = 1
	if len(headers) == 0 {
		return s, nil
	}
	owner, present := headers[Queue]
	if !present {
		return s, nil
	}
	name, ok := text(owner)
	if !ok {
		return s, []string{Queue}
	}
	if name != queue {
		return s, nil // another consumer's, copied
	}
	return readOwn(headers, now)
}

// readOwn reads the state of a message that has one. It is apart from Read since
// most messages have none.
func readOwn(headers map[string]any, now time.Time) (s State, ignored []string) {
	r := reader{headers: headers}
	s.Moved = true
	s.Attempt = max(1, r.number(Attempt, 1))
	s.Replays = r.number(Replays, 0)
	s.Due = r.time(Due, now.Add(MaxWait+clockSkew))
	s.NotBefore = r.time(NotBefore, now.Add(MaxWait+clockSkew))
	s.NotAfter = r.time(NotAfter, now.Add(2*MaxWait))
	s.DeferredSince = r.time(DeferredSince, now.Add(clockSkew))
	s.FirstFailure = r.text(FirstFailure, isStamp)
	s.OriginExchange = r.text(OriginExchange, isShort)
	s.OriginKey = r.text(OriginKey, isShort)
	s.Trace = r.text(Trace, IsTrace)
	s.Replay = r.text(Replay, IsRun)
	s.Failures = r.texts(Failures, maxFailures, maxFailure)
	s.Cut = r.texts(Cut, MaxCut, math.MaxUint8)
	return s, r.ignored
}

// reader reads headers one by one. What is absent, or cannot be used, is zero;
// of the latter it keeps the names.
type reader struct {
	headers map[string]any
	ignored []string
}

func (r *reader) ignore(name string) { r.ignored = append(r.ignored, name) }

// number reads a number that is at least that.
func (r *reader) number(name string, least int64) int {
	v, present := r.headers[name]
	if !present {
		return 0
	}
	n, ok := Int(v)
	if !ok || n < least {
		r.ignore(name)
		return 0
	}
	return int(min(n, maxAttempt))
}

// time reads a time that is not after latest.
func (r *reader) time(name string, latest time.Time) (t time.Time) {
	v, present := r.headers[name]
	if !present {
		return t
	}
	n, ok := Int(v)
	if !ok || n <= 0 || n > latest.UnixMilli() {
		r.ignore(name)
		return t
	}
	return time.UnixMilli(n)
}

// text reads a text that fits.
func (r *reader) text(name string, fits func(string) bool) string {
	v, present := r.headers[name]
	if !present {
		return ""
	}
	s, ok := text(v)
	if !ok || !fits(s) {
		r.ignore(name)
		return ""
	}
	return s
}

// texts reads a list of texts; see there.
func (r *reader) texts(name string, most, bytes int) []any {
	v, present := r.headers[name]
	if !present {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		r.ignore(name)
		return nil
	}
	return texts(list, most, bytes)
}

func isStamp(s string) bool {
	if len(s) > len(time.RFC3339Nano) { // before looking at all of it
		return false
	}
	_, err := time.Parse(time.RFC3339Nano, s)
	return err == nil
}

// MaxTrace is the most bytes that a trace has.
const MaxTrace = 255

// IsTrace tells whether s can be kept as a trace.
func IsTrace(s string) bool { return len(s) <= MaxTrace }

// MaxRun is the most bytes that the name of a replay has.
const MaxRun = 64

// IsRun tells whether s can name a replay.
func IsRun(s string) bool { return len(s) <= MaxRun }

// isShort tells whether s can be an exchange's name, or a key.
func isShort(s string) bool { return len(s) <= math.MaxUint8 }

// texts keeps the last few texts of list, each of so many bytes.
func texts(list []any, most, bytes int) []any {
	list = list[max(0, len(list)-most):]
	kept := make([]any, 0, len(list)+1)
	for _, v := range list {
		s, ok := text(v)
		if !ok {
			continue
		}
		if cut := clip(s, bytes); cut != v { // what is not needs no memory
			v = cut
		}
		kept = append(kept, v)
	}
	return kept
}

// Crashes returns how many deliveries of the message have failed, as far as the
// broker's count can be believed: it is 0 on a message that was not redelivered,
// since then whoever published it wrote the header.
func Crashes(headers map[string]any, redelivered bool) int {
	if !redelivered {
		return 0
	}
	return count(headers[DeliveryCount])
}

// Acquired returns how many deliveries of the message there have been before,
// as RabbitMQ 4.3 and later count them.
func Acquired(headers map[string]any) int { return count(headers[AcquiredCount]) }

// AddFailures adds the failures that the broker has counted to the attempt.
func (s *State) AddFailures(n int) {
	s.Attempt = int(min(int64(s.Attempt)+int64(n), maxAttempt))
}

func count(v any) int {
	n, ok := Int(v)
	if !ok || n < 0 {
		return 0
	}
	return int(min(n, maxAttempt))
}

// Int reads a whole number of any type that AMQP can carry, also as text.
func Int(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int32:
		return int64(v), true
	case int16:
		return int64(v), true
	case int8:
		return int64(v), true
	case int:
		return int64(v), true
	case byte:
		return int64(v), true
	case uint16:
		return int64(v), true
	case uint32:
		return int64(v), true
	case float32:
		return whole(float64(v))
	case float64:
		return whole(v)
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	case []byte:
		if len(v) > 20 {
			return 0, false
		}
		return Int(string(v))
	}
	return 0, false
}

func whole(f float64) (int64, bool) {
	if f != math.Trunc(f) || math.Abs(f) >= 1<<63 { // also not a number
		return 0, false
	}
	return int64(f), true
}

func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	}
	return "", false
}
