package consumer

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/warren-mq/warren/connection"
)

var (
	// ErrConnectionLost is the cause of a handler's context that ended because
	// the connection, or the subscription, on which its message came is gone.
	// The broker delivers the message again, whatever the handler returns.
	ErrConnectionLost = errors.New("the connection on which the message came is lost")

	// ErrDraining is the cause of a handler's context that ended because the
	// consumer is stopping and has waited for as long as it may. A Retry after
	// that hands the message back to the queue, without counting the attempt.
	ErrDraining = errors.New("the consumer is stopping")

	// ErrNotRunning is what Health, and others, return before Run and after it.
	ErrNotRunning = errors.New("the consumer is not running")

	// ErrRunning is what Run returns when it is called twice at a time.
	ErrRunning = errors.New("the consumer is running already")

	// ErrNotReady is what Health returns while the consumer is not subscribed
	// to its queue. It comes with the reason.
	ErrNotReady = errors.New("the consumer is not subscribed to its queue")

	// ErrPaused is what Health returns while the consumer is paused.
	ErrPaused = errors.New("the consumer is paused")

	// ErrStuck is what Health returns while as many handlers as allowed are
	// stuck, so that the consumer takes no messages.
	ErrStuck = errors.New("too many handlers are stuck")

	// ErrUnreadable is what Health returns while a message that the client
	// library cannot read ends each connection that it is delivered to. The
	// broker moves it to the error queue after a hundred deliveries; a classic
	// queue, such as those of Bunnicula and Kicks, has no such limit, and
	// someone must take it out: docs/waiting.md tells how.
	ErrUnreadable = connection.ErrUnreadable

	// ErrSilent is why a consumer is not ready whose queue has stopped serving it
	// without a word, which Config.Silence has brought to light: a quorum queue
	// whose process is dead, which the broker tells nobody, or a broker that has
	// forgotten the subscription. The messages are safe. The consumer tries to
	// subscribe again until it can; RabbitMQ starts a dead process when the node
	// is restarted.
	ErrSilent = errors.New("the queue has stopped serving the consumer")

	// ErrCancelled is why a consumer is not ready after the broker has
	// cancelled its subscription: the queue was deleted or has moved.
	ErrCancelled = errors.New("the broker cancelled the subscription")
)

// DeclareError is a queue, exchange or binding that the broker refuses. No
// other consumer is affected.
type DeclareError struct {
	// Verb is "declare", "check", "bind to" or "consume".
	Verb string
	// Queue is the name of the queue or exchange.
	Queue string
	// Argument is the argument that differs from what the broker has, if that
	// is the reason (406). Ours and Theirs are its values as text, "none" if it
	// is absent. Theirs is empty if the broker does not tell: where names are
	// long it has no room for it.
	Argument, Ours, Theirs string
	// Err is the broker's answer, an *amqp091.Error.
	Err error
}

// Error names the verb, the queue and the reason.
func (e *DeclareError) Error() string {
	if e.Argument == "" || e.Theirs == "" {
		return fmt.Sprintf("%s %s: %v", e.Verb, e.Queue, e.Err)
	}
	return fmt.Sprintf("%s %s: argument %s: ours is %q, the broker's is %q: %v",
		e.Verb, e.Queue, e.Argument, e.Ours, e.Theirs, e.Err)
}

// Unwrap returns Err.
func (e *DeclareError) Unwrap() error { return e.Err }

// UnsupportedError is a broker that cannot let messages wait in the way that
// Config.Waiting asks for. Nothing is declared there, and nothing consumed.
type UnsupportedError struct {
	// Way is the way of waiting.
	Way Waiting
	// Version is the broker's; empty if it does not tell.
	Version string
	// Needs is the first version that can do it, such as "4.3".
	Needs string
}

// Error names the way and both versions.
func (e *UnsupportedError) Error() string {
	broker := "is RabbitMQ " + e.Version
	if e.Version == "" {
		broker = "does not tell its version"
	}
	return fmt.Sprintf("Config.Waiting %v needs RabbitMQ %s or later, and the broker %s", e.Way, e.Needs, broker)
}

// SettleError is what Health returns while the outcome of a message has not
// been carried out for ten seconds or more. The message is unacked and safe.
type SettleError struct {
	// Queue is the queue that it cannot be moved to.
	Queue string
	// MessageID is the id of the message.
	MessageID string
	// Since is when it was first tried.
	Since time.Time
	// Err is why.
	Err error
}

// Error names the queue and the reason.
func (e *SettleError) Error() string {
	return fmt.Sprintf("move message %s to %s: no success since %s: %v",
		e.MessageID, e.Queue, e.Since.Format(time.RFC3339), e.Err)
}

// Unwrap returns Err.
func (e *SettleError) Unwrap() error { return e.Err }

// DrainError is what Run and Stop return when the consumer stopped before every
// message that it had taken was settled, or while handlers still run. The broker
// delivers the messages again, but for those of handlers that had been stuck
// before, which have been retried already.
type DrainError struct {
	// Queue is the main queue.
	Queue string
	// Unfinished names the messages.
	Unfinished []Unfinished
}

// Unfinished is a message that was not settled when the consumer stopped.
type Unfinished struct {
	MessageID string
	Attempt   int
	// Handling says that the handler still runs, for Running now, and Stack
	// where it is. Its goroutine is left behind. Otherwise the handler has
	// returned, and its outcome could not be carried out.
	Handling bool
	Running  time.Duration
	Stack    []byte
}

// Error names the queue and the messages.
func (e *DrainError) Error() string {
	const most = 5
	ids := make([]string, 0, most+1)
	for i, u := range e.Unfinished {
		if i == most {
			ids = append(ids, fmt.Sprintf("and %d more", len(e.Unfinished)-most))
			break
		}
		id := u.MessageID
		if id == "" {
			id = "(no id)"
		}
		ids = append(ids, id)
	}
	return fmt.Sprintf("stop consuming %s: %d messages were not settled in time: %s",
		e.Queue, len(e.Unfinished), strings.Join(ids, ", "))
}
