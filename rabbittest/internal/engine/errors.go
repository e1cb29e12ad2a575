package engine

import "fmt"

// The reply codes that a broker uses. AMQP 0-9-1, section 1.2 of the generated documentation ("constants").
const (
	NoRoute            = 312
	ConnectionForced   = 320
	AccessRefused      = 403
	NotFound           = 404
	ResourceLocked     = 405
	PreconditionFailed = 406
	FrameError         = 501
	SyntaxError        = 502
	CommandInvalid     = 503
	ChannelError       = 504
	UnexpectedFrame    = 505
	ResourceError      = 506
	NotAllowed         = 530
	NotImplemented     = 540
	InternalError      = 541
)

var names = map[uint16]string{
	NoRoute:            "NO_ROUTE",
	ConnectionForced:   "CONNECTION_FORCED",
	AccessRefused:      "ACCESS_REFUSED",
	NotFound:           "NOT_FOUND",
	ResourceLocked:     "RESOURCE_LOCKED",
	PreconditionFailed: "PRECONDITION_FAILED",
	FrameError:         "FRAME_ERROR",
	SyntaxError:        "SYNTAX_ERROR",
	CommandInvalid:     "COMMAND_INVALID",
	ChannelError:       "CHANNEL_ERROR",
	UnexpectedFrame:    "UNEXPECTED_FRAME",
	ResourceError:      "RESOURCE_ERROR",
	NotAllowed:         "NOT_ALLOWED",
	NotImplemented:     "NOT_IMPLEMENTED",
	InternalError:      "INTERNAL_ERROR",
}

// Error is a refusal, as the client gets it in channel.close or connection.close.
type Error struct {
	Code uint16
	Text string // as RabbitMQ writes it: "NOT_FOUND - no queue 'q' in vhost '/'"
	// Connection: it ends the connection, and not only the channel.
	Connection bool
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s", e.Code, e.Text) }

// ChannelFault returns an error that ends the channel.
func ChannelFault(code uint16, format string, args ...any) *Error {
	return &Error{Code: code, Text: names[code] + " - " + fmt.Sprintf(format, args...)}
}

// ConnectionFault returns an error that ends the connection.
func ConnectionFault(code uint16, format string, args ...any) *Error {
	e := ChannelFault(code, format, args...)
	e.Connection = true
	return e
}
