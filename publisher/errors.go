package publisher

import (
	"errors"
	"fmt"
	"strings"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/confirm"
)

// What can become of a message that was not published. Ask with errors.Is.
var (
	// ErrUnknown: the message was sent, or was being sent, when the connection
	// was lost, the context ended, or the broker had not confirmed it for 30 s.
	// The broker may have it, in some of its queues or in all. Publish it again
	// with the same id, and let the consumer bear to see it twice.
	ErrUnknown = confirm.ErrUnknown

	// ErrUnroutable: no queue takes the message, because none is bound for its
	// key, or because the exchange does not exist. The broker has thrown it
	// away. Declare the queue or mend the destination, and publish it again.
	// The details, if the broker gave them, are a [*ReturnedError].
	ErrUnroutable = confirm.ErrUnroutable

	// ErrRefused: the broker did not take the message. A queue that it was routed
	// to is full, or cannot be reached now; where it was routed to several,
	// others may have it. Publish it again, with the same id, after a pause. If
	// the error wraps an *amqp091.Error, the user may not publish there, or may
	// not use that UserID: that does not pass by itself.
	ErrRefused = confirm.ErrRefused

	// ErrBlocked: the broker takes no messages, because it is short of memory or
	// disk, and took none until the context ended. Nothing was sent. Publish it
	// again when it takes them, and tell the operator.
	ErrBlocked = connection.ErrBlocked

	// ErrTooLarge: the body is larger than Config.MaxBody, or than the broker
	// takes; or the headers and properties together are larger than what fits
	// into one frame (4 KiB less than the broker's frame_max, normally 124 KiB);
	// or one property is longer than 255 bytes. The broker does not have the
	// message. It will be so again.
	ErrTooLarge = confirm.ErrTooLarge

	// ErrEncode: the message cannot be written: the codec does not take the
	// body, AMQP has no type for a header, or a field makes no sense. Nothing
	// was sent. It will be so again.
	ErrEncode = errors.New("the message cannot be encoded")

	// ErrClosed: the Publisher is closed. Nothing was sent. If it was the
	// connection that was closed, the error is connection.ErrClosed instead.
	ErrClosed = confirm.ErrClosed
)

// ReturnedError is a message that the broker returned, as it reported it. Its
// fields are Exchange and Key, which it was published to, and Code and Text,
// such as 312 and NO_ROUTE. It is an [ErrUnroutable].
type ReturnedError = confirm.ReturnedError

// Error is a message that was not published, or of which that is unknown.
type Error struct {
	// ID is the message's id, also where the caller gave none. To publish the
	// message again, give the same as Message.ID.
	ID string
	// Exchange and Key are where it was published to. For a message to a queue
	// the exchange is empty and the key is the queue.
	Exchange, Key string
	// Err is why.
	Err error
}

// Error says where the message was to go, and why it did not.
func (e *Error) Error() string {
	const most = 200 // bytes of a name; AMQP has at most 255
	if e.Exchange == "" {
		return fmt.Sprintf("publish to %s: %v", clip(e.Key, most), e.Err)
	}
	return fmt.Sprintf("publish to exchange %s with key %q: %v", clip(e.Exchange, most), clip(e.Key, most), e.Err)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// errPanicked is what the monitor is told when the call ended with a panic, or
// with the end of the caller's goroutine, before there was a message to send.
var errPanicked = fmt.Errorf("%w: the encoding panicked", ErrEncode)

func cannotEncode(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrEncode, fmt.Errorf(format, args...))
}

// clip returns the first n bytes of s, at most.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
