package consumertest

import (
	"context"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/monitoring"
)

// Fate says what becomes of a message.
type Fate int

const (
	// Acked messages are done.
	Acked Fate = iota + 1
	// Retried messages wait for their next attempt: in a retry queue, or in the
	// main queue with consumer.Native.
	Retried
	// Deferred messages wait in a retry queue for the same attempt.
	Deferred
	// Errored messages are in the error queue.
	Errored
	// Redelivered messages are delivered again by the broker, as the same
	// attempt, whatever the handler said: the connection was lost, or the
	// consumer stopped first.
	Redelivered
	// Held messages have come before they were due, and wait on. No handler ran.
	Held
)

// String returns "acked", "retried", "deferred", "errored", "redelivered" or
// "held".
func (f Fate) String() string {
	switch f {
	case Acked:
		return "acked"
	case Retried:
		return "retried"
	case Deferred:
		return "deferred"
	case Errored:
		return "errored"
	case Redelivered:
		return "redelivered"
	case Held:
		return "held"
	default:
		return fmt.Sprintf("Fate(%d)", int(f))
	}
}

// Result is what came of one delivery. It is plain data.
type Result struct {
	// Fate is what the consumer makes of it all. It is never zero.
	Fate Fate

	// Runs is how often the handler ran: 0 if the body could not be given to it,
	// and more than 1 with Config.Immediate.
	Runs int
	// Outcome is what the handler said at last. It is the zero Outcome, which is
	// a Retry, if it did not run or did not return.
	Outcome consumer.Outcome
	// Failure is how the attempt failed; 0 if it did not, or did not run.
	Failure monitoring.Failure
	// Err is the error that the consumer tells: the handler's, a description of
	// its panic or timeout, or why the body was not given to it. Nil if there is
	// none.
	Err error
	// Stack is that of the panic, or of the handler that is stuck.
	Stack []byte

	// Reason is why an errored message is in the error queue.
	Reason monitoring.Reason
	// Wait is how long a message that is retried or deferred waits, or has still
	// to wait if it is held.
	Wait time.Duration
	// To is the retry queue or error queue that the message goes to, or the main
	// queue that holds it back, and Sent the message that would be published
	// there, with all its headers. Sent is nil if nothing is published. After RetryAfter and Defer, To is the first
	// of the queues that make up the wait.
	To   string
	Sent *amqp.Publishing
}

// String returns what became of the message in one line, such as "retried after
// 1m0s: connection refused" or "errored, exhausted: connection refused".
func (r Result) String() string {
	s := r.Fate.String()
	switch r.Fate {
	case Retried:
		s += fmt.Sprintf(" after %v", r.Wait)
	case Deferred, Held:
		s += fmt.Sprintf(" for %v", r.Wait)
	case Errored:
		s += fmt.Sprintf(", %s", r.Reason)
	case Acked, Redelivered:
	}
	if r.Err != nil {
		s += fmt.Sprintf(": %v", r.Err)
	}
	return s
}

// notes is the consumer's monitor, and what the handler is seen to do. A handler
// that is stuck may write to it when the result has been read.
type notes struct {
	mu sync.Mutex
	r  Result
}

func (n *notes) begin() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.r.Runs++
	n.r.Outcome = consumer.Outcome{}
}

func (n *notes) end(o consumer.Outcome) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.r.Outcome = o
}

// Observe notes the one event that ends a delivery.
func (n *notes) Observe(_ context.Context, event monitoring.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := &n.r
	switch e := event.(type) {
	case monitoring.Acked:
		r.Fate = Acked
	case monitoring.Retried:
		r.Fate, r.Failure, r.Err, r.Stack, r.Wait, r.To = Retried, e.Failure, e.Err, e.Stack, e.Wait, e.To
	case monitoring.Deferred:
		r.Fate, r.Err, r.Wait, r.To = Deferred, e.Err, e.Wait, e.To
	case monitoring.Errored:
		r.Fate, r.Failure, r.Err, r.Stack, r.Reason, r.To = Errored, e.Failure, e.Err, e.Stack, e.Reason, e.To
	case monitoring.Held:
		r.Fate, r.Wait, r.To = Held, e.Left, e.To
	}
}

// result returns what is noted, given what was published.
func (n *notes) result(sent []confirm.Message) Result {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.r
	if r.Fate == 0 { // handed back, lost, or not settled
		r.Fate = Redelivered
	}
	if len(sent) > 0 {
		r.Sent = &sent[0].Publishing
	}
	return r
}
