package monitoring

import "time"

// Delivery says which delivery of which message an event is about.
type Delivery struct {
	// Queue is the main queue of the consumer.
	Queue string
	// MessageID is the id of the message; empty if its publisher gave none.
	MessageID string
	// Type is the message's type property; often empty.
	Type string
	// Attempt is the attempt that this delivery was, counted from 1.
	Attempt int
	// Redelivered says that the broker has delivered this message before,
	// perhaps without anyone having handled it.
	Redelivered bool
	// Exchange and Key are what the message was first published with.
	Exchange, Key string
	// BodySize is the size of the body in bytes, as received.
	BodySize int
	// Body is the body as received. It is shared, not copied: never modify it,
	// and copy what you keep.
	Body []byte
	// Published is when the message was first published, by its timestamp
	// property; zero if its publisher set none. AMQP counts whole seconds.
	Published time.Time
	// QueueWait is for how long the message has been ready in the main queue
	// before this delivery, as far as timestamps tell: since it was published
	// or, on a later attempt, since its retry was due. Zero if unknown, and
	// never negative. It trusts the clocks of the hosts involved, and for the
	// first attempt of a foreign publisher's message it is up to a second too
	// long.
	QueueWait time.Duration
	// Handling is how long the handler ran. Zero if it did not run.
	Handling time.Duration
}

// Acked is a message that was handled and is done. Acknowledgements are gathered
// for up to five milliseconds: if the connection is lost in that time, the
// message is delivered again although Acked was told.
type Acked struct {
	Delivery
}

// Retried is a message that will be delivered again after Wait: its handler
// said Retry or RetryAfter, or timed out, panicked or got stuck.
type Retried struct {
	Delivery
	// Failure says how the attempt failed.
	Failure Failure
	// Err is what the handler returned, or a description of the timeout or
	// panic.
	Err error
	// Stack is the stack of the panic, or of a handler that was stuck.
	Stack []byte
	// Fingerprint of a panic is that of the [Errored] that follows if the last
	// attempt panics alike. Other failures have none here.
	Fingerprint string
	// Wait is how long the message waits before the next attempt.
	Wait time.Duration
	// To is the retry queue that it waits in, or the main queue where that holds
	// it back itself.
	To string
}

// Deferred is a message that will be delivered again after Wait, without having
// used up an attempt: its handler said Defer.
type Deferred struct {
	Delivery
	// Err is why; it may be nil.
	Err error
	// Wait is how long the message waits.
	Wait time.Duration
	// To is the retry queue that it waits in.
	To string
}

// Errored is a message that was moved to the error queue, for a person to look
// at. This is the event to alert on.
type Errored struct {
	Delivery
	// Reason says why it was given up.
	Reason Reason
	// Failure says how the last attempt failed; zero if no handler ran.
	Failure Failure
	// Err is the last error.
	Err error
	// Stack is the stack of the panic, if the last attempt panicked, or the codec
	// or Validate did; or of the handler, if it was stuck.
	Stack []byte
	// Fingerprint is equal for failures that are probably the same.
	Fingerprint string
	// To is the error queue.
	To string
}

// HandedBack is a delivery that went back to the main queue unhandled, or whose
// outcome was not counted, because the consumer is stopping or pausing.
// Someone else gets it.
type HandedBack struct {
	Delivery
}

// Lost is a delivery whose outcome could not be told to the broker because its
// channel or connection died first, or its consumer had to stop. The message is still with the broker and
// will be delivered again: a handler that had finished runs a second time.
type Lost struct {
	Delivery
	// Outcome is "ack", "retry", "error" or "defer", if the handler had
	// finished, or "panic" or "timeout". Empty if no handler ran, or it was
	// still running when its consumer had to stop: what it returns later is a
	// [LateOutcome] then.
	Outcome string
	// Err is what ended the channel or connection, or consumer.ErrDraining.
	Err error
}

// Held is a message that came back from a retry queue before it was due, and
// takes another: an arbitrary wait is composed of the ones that the retry
// queues have. No handler ran. It is not one of the six endings: the message
// has not been worked on.
type Held struct {
	Delivery
	// Left is how long it still has to wait.
	Left time.Duration
	// Wait is the wait of the queue that it waits in now.
	Wait time.Duration
	// To is that queue.
	To string
}

// Stuck is a handler that went on running, though its context ended Grace ago.
// Its message is retried as after a timeout, another worker takes its place,
// and what it returns later is dropped, which is reported as [LateOutcome].
// Go cannot end a goroutine from outside; the handler must be mended.
type Stuck struct {
	Delivery
	// Running is how long it has been running.
	Running time.Duration
	// Stack is where it is.
	Stack []byte
	// Abandoned is the number of handlers of this consumer that are stuck now,
	// of at most Limit. At the limit the consumer takes no more messages.
	Abandoned, Limit int
}

// LateOutcome is what a handler returned after it had been given up: it was
// [Stuck], or still running when its consumer had to stop. It has no effect on
// the message.
type LateOutcome struct {
	Delivery
	// Outcome is "ack", "retry", "error" or "defer", or "panic".
	Outcome string
	// Err is the error it carried.
	Err error
	// After is how long after it had been given up.
	After time.Duration
}

// SettleFailed says that the outcome of a message could not be carried out,
// though the connection lives, and that it will be tried again. The message is
// unacked and safe, but it does not move. See a consumer's Health.
type SettleFailed struct {
	Delivery
	// To is the queue that the message could not be moved to.
	To string
	// Err is why.
	Err error
	// Tries is how often it was tried so far.
	Tries int
	// Next is when it is tried again, from now.
	Next time.Duration
}

// Failure says how an attempt failed.
type Failure int

const (
	// FailureReturned is an error that the handler returned.
	FailureReturned Failure = iota + 1
	// FailureTimeout is a handler that returned after its deadline.
	FailureTimeout
	// FailurePanic is a handler that panicked, or ended its goroutine.
	FailurePanic
	// FailureStuck is a handler that was given up.
	FailureStuck
)

// String returns "returned", "timeout", "panic" or "stuck".
func (f Failure) String() string {
	switch f {
	case FailureReturned:
		return "returned"
	case FailureTimeout:
		return "timeout"
	case FailurePanic:
		return "panic"
	case FailureStuck:
		return "stuck"
	default:
		return ""
	}
}

// Reason says why a message went to the error queue. Its text is also the value
// of the header warren-reason there.
type Reason string

const (
	// ReasonRejected is a handler that said Error.
	ReasonRejected Reason = "rejected"
	// ReasonExhausted is a Retry after the last attempt.
	ReasonExhausted Reason = "exhausted"
	// ReasonUndecodable is a body that could not be decoded. No handler ran.
	ReasonUndecodable Reason = "undecodable"
	// ReasonInvalid is a body whose Validate method returned an error. No
	// handler ran.
	ReasonInvalid Reason = "invalid"
	// ReasonCrashed is a message whose deliveries ended with a dead process,
	// again and again. No handler ran this time.
	ReasonCrashed Reason = "crashed"
	// ReasonExpired is a message that was deferred for longer than MaxAge.
	ReasonExpired Reason = "expired"
)

func (Acked) event()        {}
func (Retried) event()      {}
func (Deferred) event()     {}
func (Errored) event()      {}
func (HandedBack) event()   {}
func (Lost) event()         {}
func (Held) event()         {}
func (Stuck) event()        {}
func (LateOutcome) event()  {}
func (SettleFailed) event() {}

// EndingOf tells which delivery has ended with e and how, in a word: "acked",
// "retried", "deferred", "errored", "handed_back" or "lost". The other events
// end none.
func EndingOf(e Event) (d Delivery, ending string, ok bool) {
	switch e := e.(type) {
	case Acked:
		return e.Delivery, "acked", true
	case Retried:
		return e.Delivery, "retried", true
	case Deferred:
		return e.Delivery, "deferred", true
	case Errored:
		return e.Delivery, "errored", true
	case HandedBack:
		return e.Delivery, "handed_back", true
	case Lost:
		return e.Delivery, "lost", true
	}
	return Delivery{}, "", false
}
