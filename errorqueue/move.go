package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"math"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/confirm"
)

// Target is where entries are published to: to a queue, named by Key, if
// Exchange is empty; or else to an exchange, with a key.
type Target struct{ Exchange, Key string }

// ToQueue is the Target of a queue.
func ToQueue(name string) Target { return Target{Key: name} }

// String returns the name of the queue, or the exchange and the key with a
// slash between them.
func (t Target) String() string {
	if t.Exchange == "" {
		return t.Key
	}
	return t.Exchange + "/" + t.Key
}

func (q *Queue) checkTarget(t Target) error {
	switch {
	case t == Target{}:
		return errors.New("the Target is empty")
	case len(t.Exchange) > math.MaxUint8 || len(t.Key) > math.MaxUint8:
		return errors.New("the Target has a name of more than 255 bytes")
	case t == ToQueue(q.name):
		return errors.New("the Target is the error queue itself")
	}
	return nil
}

// Discard removes entries for good. Export them before, if in doubt.
//
// With ErrLost some of those Done last may still be in the queue. In all else
// it is like Replay.
func (q *Queue) Discard(ctx context.Context, o Options) (Result, error) {
	a := q.act("discard", "", o)
	return a.finish(ctx, (&sweep{action: a}).run(ctx))
}

// Move publishes entries to another queue, and removes each when the broker has
// confirmed that it is there. They are what they were, with all that is known of
// their failure, but for what must not be sent again: an expiration, a user
// id, CC and BCC go into headers that begin with "warren-original-", and what
// the broker has noted of a dead-lettering into those of Warren.
//
// To move entries to the error queue itself is an error. In all else it is like
// Replay.
func (q *Queue) Move(ctx context.Context, to Target, o Options) (Result, error) {
	return q.transfer(ctx, "move", to, o)
}

// Copy is Move, and the entries stay. What is copied once more is there twice.
func (q *Queue) Copy(ctx context.Context, to Target, o Options) (Result, error) {
	return q.transfer(ctx, "copy", to, o)
}

func (q *Queue) transfer(ctx context.Context, verb string, to Target, o Options) (Result, error) {
	a := q.act(verb, to.String(), o)
	if err := q.checkTarget(to); err != nil {
		return a.finish(ctx, err)
	}
	s := &sweep{action: a, keeps: verb == "copy", message: func(e *Entry) (confirm.Message, error) {
		p := carry(&e.Message)
		remember(p.Headers, e)
		return addressed(to, p), nil
	}}
	s.doomed = q.unroutable(ctx, to)
	return a.finish(ctx, s.run(ctx))
}

// unroutable says that a queue or an exchange does not exist. To publish to an
// exchange that is none closes the channel, and leaves what was on its way in
// doubt.
func (q *Queue) unroutable(ctx context.Context, to Target) error {
	var ch *amqp.Channel
	s, err := q.conn.Session(ctx, connection.Consume)
	if err == nil {
		ch, err = s.Open(ctx, func(ch *amqp.Channel) error {
			if to.Exchange != "" {
				return ch.ExchangeDeclarePassive(to.Exchange, amqp.ExchangeDirect, true, false, false, false, nil) // of any kind
			}
			_, err := ch.QueueDeclarePassive(to.Key, true, false, false, false, nil)
			return err
		})
	}
	if missing(err) {
		return fmt.Errorf("%w: %w", confirm.ErrUnroutable, err)
	}
	if err == nil {
		_ = s.Do(ctx, ch.Close)
	}
	return nil // another error is for the call to find out
}
