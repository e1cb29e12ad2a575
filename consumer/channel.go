package consumer

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
)

// channel is an AMQP channel on which one question is asked at a time, also
// when the one who asked has left: the client would give the answer to whoever
// asks next.
type channel struct {
	*amqp.Channel
	session *connection.Session
	turn    chan struct{} // holds a token while a question is open
}

func openChannel(ctx context.Context, s *connection.Session) (*channel, error) {
	ch, err := s.Channel(ctx)
	if err != nil {
		return nil, err
	}
	return &channel{Channel: ch, session: s, turn: make(chan struct{}, 1)}, nil
}

// ask runs f, which asks the broker something. If ctx ends first ask returns
// its cause, and f goes on; a broker that does not answer is hung up on.
func (c *channel) ask(ctx context.Context, f func(*amqp.Channel) error) error {
	return c.session.Do(ctx, func() error {
		c.turn <- struct{}{}
		defer func() { <-c.turn }()
		return f(c.Channel)
	})
}

// goodbye is how long closing a channel may hold up the one who does.
const goodbye = 500 * time.Millisecond

// hangUp closes the channel without waiting long: what it leaves behind ends
// with the session.
func (c *channel) hangUp() {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	_ = c.ask(ctx, (*amqp.Channel).Close)
}
