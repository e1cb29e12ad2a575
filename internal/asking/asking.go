// Package asking asks the broker questions on an AMQP channel, one at a time.
// Of two that are open on one channel the client gives each the other's answer.
package asking

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
)

// Goodbye is how long closing a channel, or a connection on which nothing is at
// stake, may hold up the one who does.
const Goodbye = 500 * time.Millisecond

// Channel is an AMQP channel on which one question is asked at a time, also
// when the one who asked has left. Asking and HangUp are safe for concurrent
// use; the rest is as safe as the client's own channel.
type Channel struct {
	*amqp.Channel
	// Session is the connection that the channel is on.
	Session *connection.Session

	turn chan struct{} // holds a token while a question is open
}

// Open opens a channel. Its first questions are setup's, which may be nil; if
// that fails there is no channel. It returns an error if the session has ended
// or ends meanwhile, or does not answer, or if ctx ends.
func Open(ctx context.Context, s *connection.Session, setup func(*amqp.Channel) error) (*Channel, error) {
	if setup == nil {
		setup = func(*amqp.Channel) error { return nil }
	}
	ch, err := s.Open(ctx, setup)
	if err != nil {
		return nil, err
	}
	return &Channel{Channel: ch, Session: s, turn: make(chan struct{}, 1)}, nil
}

// Ask runs f, which asks the broker something. If ctx ends first Ask returns
// its cause, and f goes on; a broker that does not answer is hung up on.
func (c *Channel) Ask(ctx context.Context, f func(*amqp.Channel) error) error {
	return c.Session.Do(ctx, func() error {
		c.turn <- struct{}{}
		defer func() { <-c.turn }()
		return f(c.Channel)
	})
}

// HangUp closes the channel without waiting for longer than Goodbye: what it
// leaves behind ends with the session.
func (c *Channel) HangUp() {
	ctx, cancel := context.WithTimeout(context.Background(), Goodbye)
	defer cancel()
	_ = c.Ask(ctx, (*amqp.Channel).Close)
}
