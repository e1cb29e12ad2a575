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
	rtt     time.Duration      // how long the broker takes for an easy question
}

// stock is what is in a queue.
type stock struct {
	ready int
	known bool // see channel.inspect
}

// open opens a channel, and asks what is in the queue.
func (q *Queue) open(ctx context.Context, s *connection.Session) (*channel, stock, error) {
	c := &channel{session: s, turn: make(chan struct{}, 1)}
	var found stock
	var err error
	c.Channel, err = s.Open(ctx, func(ch *amqp.Channel) error {
		c.closed = ch.NotifyClose(make(chan *amqp.Error, 1))
		began := time.Now()
		if err := ch.Qos(1, 0, false); err != nil {
			return err
		}
		c.rtt = time.Since(began)
		var err error
		found, err = c.inspect(ch, q.name)
		return err
	})
	switch {
	case missing(err):
		return nil, stock{}, fmt.Errorf("%w: %w", ErrNoQueue, err)
	case err != nil:
		return nil, stock{}, err
	}
	return c, found, nil
}

// busy is a little less than the 250 ms that RabbitMQ gives a quorum queue to
// say what is in it.
const busy = 200 * time.Millisecond

// inspect asks how many messages of a queue are ready. RabbitMQ says that a
// quorum queue that is too busy to tell has no messages and no consumers: so
// that is known only if the answer came soon.
func (c *channel) inspect(ch *amqp.Channel, queue string) (stock, error) {
	began := time.Now()
	q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	soon := time.Since(began) < c.rtt+busy
	return stock{ready: q.Messages, known: soon || q.Messages > 0 || q.Consumers > 0}, err
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
