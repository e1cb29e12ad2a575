package errorqueue

import (
	"context"
	"fmt"
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
	closed  <-chan *amqp.Error // one error, then closed
	turn    chan struct{}      // holds a token while a question is open
}

// open opens a channel, and counts what is ready in the queue.
func (q *Queue) open(ctx context.Context, s *connection.Session) (*channel, int, error) {
	c := &channel{session: s, turn: make(chan struct{}, 1)}
	ready := 0
	var err error
	c.Channel, err = s.Open(ctx, func(ch *amqp.Channel) error {
		c.closed = ch.NotifyClose(make(chan *amqp.Error, 1))
		found, err := inspect(ch, q.name)
		ready = found.Messages
		return err
	})
	switch {
	case missing(err):
		return nil, 0, fmt.Errorf("%w: %w", ErrNoQueue, err)
	case err != nil:
		return nil, 0, err
	}
	return c, ready, nil
}

// inspect asks how many messages of a queue are ready, and how many consumers
// it has.
func inspect(ch *amqp.Channel, queue string) (amqp.Queue, error) {
	return ch.QueueDeclarePassive(queue, true, false, false, false, nil)
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

// goodbye is how long closing a channel, on which nothing is at stake, may hold
// up the one who does.
const goodbye = 500 * time.Millisecond

// hangUp closes the channel without waiting long: what it leaves behind ends
// with the session.
func (c *channel) hangUp() {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	_ = c.ask(ctx, (*amqp.Channel).Close)
}

// why returns what ended the channel, which is closed or about to be.
func (c *channel) why() error {
	reason := <-c.closed
	if reason != nil && reason.Server && reason.Code >= amqp.AccessRefused && reason.Code <= amqp.PreconditionFailed {
		return reason // of this channel alone
	}
	timer := time.NewTimer(goodbye)
	defer timer.Stop()
	select { // the session knows why the connection ended, as soon as it has
	case <-c.session.Done():
		return c.session.Err()
	case <-timer.C:
	}
	if reason != nil {
		return reason
	}
	return amqp.ErrClosed
}
