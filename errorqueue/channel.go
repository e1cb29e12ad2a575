package errorqueue

import (
	"context"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/asking"
)

// channel is what a queue is looked at with.
type channel struct {
	*asking.Channel
	closed <-chan *amqp.Error // one error, then closed
	rtt    time.Duration      // how long the broker takes for an easy question
}

// stock is what is in a queue.
type stock struct {
	ready int
	known bool // see channel.inspect
}

// open opens a channel, and asks what is in the queue.
func (q *Queue) open(ctx context.Context, s *connection.Session) (*channel, stock, error) {
	c := new(channel)
	var found stock
	var err error
	c.Channel, err = asking.Open(ctx, s, func(ch *amqp.Channel) error {
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

// why returns what ended the channel, which is closed or about to be.
func (c *channel) why() error {
	reason := <-c.closed
	if reason != nil && reason.Server && reason.Code >= amqp.AccessRefused && reason.Code <= amqp.PreconditionFailed {
		return reason // of this channel alone
	}
	timer := time.NewTimer(asking.Goodbye)
	defer timer.Stop()
	select { // the session knows why the connection ended, as soon as it has
	case <-c.Session.Done():
		return c.Session.Err()
	case <-timer.C:
	}
	if reason != nil {
		return reason
	}
	return amqp.ErrClosed
}
