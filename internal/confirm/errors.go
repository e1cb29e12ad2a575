package confirm

import (
	"errors"
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// The outcomes of a publish. Package publisher exports them.
var (
	// ErrUnroutable: the broker has no queue for the message. It returned it, or
	// closed the channel because the exchange does not exist.
	ErrUnroutable = errors.New("no queue takes the message")
	// ErrRefused: the broker answered with a nack, or closed the channel because
	// of the message. A queue that it was routed to does not have it; where
	// there are several, others may.
	ErrRefused = errors.New("the broker refused the message")
	// ErrUnknown: the message was being sent, or was sent, when the connection
	// or the wait for the broker's word ended. The broker may have it.
	ErrUnknown = errors.New("it is unknown whether the broker has the message")
	// ErrTooLarge: headers, properties or body are larger than they may be. The
	// broker does not have the message.
	ErrTooLarge = errors.New("the message is too large")
	// ErrClosed: Close was called. Nothing was sent.
	ErrClosed = errors.New("closed")
	// ErrHeader: a header or property cannot be encoded, or is nothing that the
	// broker takes. Nothing was sent.
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

func unknown(why error) error { return fmt.Errorf("%w: %w", ErrUnknown, why) }

// faultOf returns what it means for m that the broker has closed its channel
// with e, or nil if m is not the reason. every says that it means so for each
// message like m on that channel. Otherwise one before m may have been taken,
// when the exchange or the permission was still there. The texts are those of
// RabbitMQ 3.10 to 4.3.
func faultOf(e *amqp.Error, m *Message) (every bool, fault error) {
	exchange := m.Exchange
	if exchange == "" {
		exchange = "amq.default"
	}
	in := "exchange '" + exchange + "' in vhost '"
	switch e.Code {
	case amqp.NotFound:
		if strings.HasPrefix(e.Reason, "NOT_FOUND - no "+in) {
			return false, ErrUnroutable
		}
	case amqp.AccessRefused:
		for _, what := range []string{
			"access to " + in, "write access to " + in, "cannot publish to internal " + in,
			"access to topic '" + m.Key + "' in " + in, "write access to topic '" + m.Key + "' in " + in,
		} {
			if strings.HasPrefix(e.Reason, "ACCESS_REFUSED - "+what) {
				return false, ErrRefused
			}
		}
	case amqp.PreconditionFailed:
		what, _ := strings.CutPrefix(e.Reason, "PRECONDITION_FAILED - ")
		var size, most int
		switch n, _ := fmt.Sscanf(what, "message size %d is larger than configured max size %d", &size, &most); {
		case n == 2 && len(m.Body) > most:
			return true, ErrTooLarge
		case m.UserId != "" && strings.HasPrefix(what, "user_id property set to '"+m.UserId+"' but "):
			return true, ErrRefused
		case m.ReplyTo == "amq.rabbitmq.reply-to" && strings.HasPrefix(what, "fast reply consumer does not exist"):
			return true, ErrRefused
		}
	}
	return false, nil
}
