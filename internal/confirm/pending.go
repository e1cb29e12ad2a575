package confirm

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Pending is a message on its way.
type Pending struct {
	sender  *Sender
	message Message
	batch   *batch

	try *try // the present one

	finished atomic.Bool
}

// try is one try to publish a message on one channel. A message whose channel
// dies before its turn is tried again, with another try: the old channel may
// still come across the old one.
type try struct {
	pending *Pending
	channel *channel
	state   atomic.Int32
	// told gets a token when the channel's writer is done with the message,
	// with confirmation or err set, and another if the broker's time is up.
	told chan struct{}
	err  error

	// Below: under channel.mu, until decided.
	confirmation *amqp.DeferredConfirmation
	sent         time.Time
	returned     *ReturnedError
	decided      bool
	result       error
}

// The states of a try. Its owner may take it back while it is queued; once the
// writer has begun, the broker may have the message.
const (
	queued int32 = iota
	begun
	takenBack
)

// errNotBegun is a publish that the client refused before it wrote anything.
var errNotBegun = errors.New("not begun")

// enqueue puts p on the live channel. An error means that it was not sent.
func (p *Pending) enqueue(ctx context.Context) error {
	for {
		c, err := p.sender.channel(ctx)
		if err != nil {
			return notSent(err)
		}
		if err := p.message.check(c.session.FrameMax()); err != nil {
			return err
		}
		select {
		case c.slots <- struct{}{}:
		case <-c.dead:
			continue
		case <-c.retired:
			continue
		case <-ctx.Done():
			return c.notSent(ctx)
		}
		p.try = &try{pending: p, channel: c, told: make(chan struct{}, 2)}
		c.requests <- p.try // has room for every slot
		return nil
	}
}

// Wait waits for the outcome until ctx ends; see Sender.Send.
func (p *Pending) Wait(ctx context.Context) error {
	for {
		again, err := p.try.await(ctx)
		if again {
			if err = p.enqueue(ctx); err == nil {
				continue
			}
			p.finish()
			return err
		}
		// What the writer has begun stays in flight until the broker decides,
		// or the end of the channel, and is finished then.
		if p.try.state.Load() != begun {
			p.finish()
		}
		return err
	}
}

// await waits for the outcome of one try; again says that its channel died
// before the message was begun.
func (t *try) await(ctx context.Context) (again bool, err error) {
	c := t.channel
	select {
	case <-t.told:
	case <-c.dead:
		if t.state.CompareAndSwap(queued, takenBack) {
			return true, nil
		}
		<-t.told // the writer is at it, and its connection is dead
	case <-ctx.Done():
		if t.state.CompareAndSwap(queued, takenBack) {
			return false, c.notSent(ctx)
		}
		select {
		case <-t.told:
		default:
			return false, unknown(context.Cause(ctx))
		}
	}
	switch {
	case errors.Is(t.err, errNotBegun):
		return true, nil
	case t.err != nil:
		return false, unknown(t.err)
	}
	select {
	case <-t.confirmation.Done():
		return false, c.decide(t)
	case <-t.told:
		return false, errNoConfirm
	case <-ctx.Done():
		select {
		case <-t.confirmation.Done(): // in the same moment
			return false, c.decide(t)
		default:
			return false, unknown(context.Cause(ctx))
		}
	}
}

var errNoConfirm = unknown(fmt.Errorf("no confirm within %v", Timeout))

// finish takes p out of what Flush waits for.
func (p *Pending) finish() {
	if p.finished.Swap(true) {
		return
	}
	s := p.sender
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.batch.n--; p.batch.n == 0 && p.batch.last {
		close(p.batch.done)
		s.sweep()
	}
}

func notSent(why error) error { return fmt.Errorf("not sent: %w", why) }

// notSent says why the message was not sent until ctx ended.
func (c *channel) notSent(ctx context.Context) error {
	if _, blocked := c.session.Blocked(); blocked != nil {
		return notSent(fmt.Errorf("%w (%w)", blocked, context.Cause(ctx)))
	}
	return notSent(context.Cause(ctx))
}
