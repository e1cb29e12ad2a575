package engine

import (
	"fmt"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

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
	return &Error{Code: code, Text: wire.CodeName(code) + " - " + fmt.Sprintf(format, args...)}
}

// ConnectionFault returns an error that ends the connection.
func ConnectionFault(code uint16, format string, args ...any) *Error {
	e := ChannelFault(code, format, args...)
	e.Connection = true
	return e
}
