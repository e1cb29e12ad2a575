package confirm

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// The outcomes of a publish. Package publisher exports them.
var (
	// ErrUnroutable: the broker has no queue for the message, and returned it.
	ErrUnroutable = errors.New("no queue takes the message")
	// ErrRefused: the broker answered with a nack. It does not have the message.
	ErrRefused = errors.New("the broker refused the message")
	// ErrUnknown: the message was being sent, or was sent, when the connection
	// or the wait for the broker's word ended. The broker may have it.
	ErrUnknown = errors.New("it is unknown whether the broker has the message")
	// ErrTooLarge: headers, properties or body are larger than they may be.
	// Nothing was sent.
	ErrTooLarge = errors.New("the message is too large")
	// ErrClosed: Close was called. Nothing was sent.
	ErrClosed = errors.New("closed")
	// ErrHeader: a header has a type that AMQP does not have. Nothing was sent.
	ErrHeader = errors.New("a header cannot be encoded")
)

// ReturnedError is a message that the broker returned. It is an ErrUnroutable.
type ReturnedError struct {
	Exchange, Key string
	// Code and Text are the broker's, such as 312 and NO_ROUTE.
	Code int
	Text string
}

func (e *ReturnedError) Error() string {
	return fmt.Sprintf("%v: exchange %q, key %q: %d %s", ErrUnroutable, e.Exchange, e.Key, e.Code, e.Text)
}

// Is says that a returned message is unroutable.
func (e *ReturnedError) Is(target error) bool { return target == ErrUnroutable }

func unknown(why error) error {
	if why == nil {
		return ErrUnknown
	}
	return fmt.Errorf("%w: %w", ErrUnknown, why)
}

// noExchange tells whether the channel was closed because of the exchange that
// a message was sent to. Such a message, unlike its neighbours on the channel,
// was certainly not taken. RabbitMQ quotes the name in its text.
func noExchange(why error, exchange string) bool {
	var e *amqp.Error
	return exchange != "" && errors.As(why, &e) && e.Code == amqp.NotFound &&
		e.Server && containsQuoted(e.Reason, exchange)
}
