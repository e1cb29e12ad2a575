package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/asking"
	"github.com/warren-mq/warren/internal/confirm"
)

const (
	// window is how many messages are on their way at once, at most, and
	// windowBytes about how much they may take in memory, beyond one.
	window      = 256
	windowBytes = 4 << 20
	// grace is how long what is on its way may take after the call's context has
	// ended: what the broker has confirmed can then still be acked, and is no
	// duplicate.
	grace = 5 * time.Second
)

// parcel is a message on its way.
type parcel struct {
	id      string
	held    *held // nil if it is from a file
	size    int
	pending *confirm.Pending
	err     error // what became of it
	unsent  bool  // because nobody waits any more
}

// courier publishes messages in order, many at once, and hands each back to its
// owner when the broker has answered. All but one goroutine, which waits for the
// answers, is the owner's.
type courier struct {
	sender  *confirm.Sender
	settle  func(parcel) // called from within the methods, as is
	waits   func(error)  // now and then, above all while a method waits: whether the broker takes messages
	ticks   *time.Ticker // for that
	trusted bool         // the broker answers for each message

	begun, told chan parcel // have room for the window
	out, bytes  int         // of what was begun and is not settled
	waiting     sync.WaitGroup
	ctx         context.Context //nolint:containedctx // that of the waiting, which outlives the call's
	giveUp      context.CancelFunc
}

// newCourier returns a courier, which must be closed.
func newCourier(conn *connection.Connection, settle func(parcel), waits func(error)) *courier {
	c := &courier{
		sender: confirm.New(conn, window), settle: settle, waits: waits, ticks: time.NewTicker(progressEvery),
		begun: make(chan parcel, window), told: make(chan parcel, window),
	}
	c.ctx, c.giveUp = context.WithCancel(context.Background())
	c.waiting.Go(func() {
		for p := range c.begun {
			p.err = p.pending.Wait(c.ctx)
			c.told <- p
		}
	})
	return c
}

// full tells whether a message of this size must wait until another is
// answered. Until the broker has answered for one each goes alone: where it refuses
// them by closing the channel, because of a permission, it could not be told of
// those before the last whether they were taken.
func (c *courier) full(size int) bool {
	return c.out == window || c.out > 0 && (!c.trusted || c.bytes+size > windowBytes)
}

// publish sends a message, sooner or later. An error says that it was not sent,
// and that no other will be.
func (c *courier) publish(ctx context.Context, m confirm.Message, p parcel) error {
	for c.full(p.size) {
		select {
		case <-c.ticks.C:
			c.waits(c.sender.Blocked())
		case p := <-c.told:
			c.take(p)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	var err error
	p.pending, err = c.sender.Begin(ctx, m)
	switch {
	case err == nil:
		c.out++
		c.bytes += p.size
		c.begun <- p
	case errors.Is(err, confirm.ErrTooLarge) || errors.Is(err, confirm.ErrHeader):
		p.err = err
		c.settle(p)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		return err
	}
	return nil
}

// take settles a message that the broker has answered for.
func (c *courier) take(p parcel) {
	c.out--
	c.bytes -= p.size
	c.trusted = c.trusted || p.err == nil || isVerdict(p.err) && !errors.As(p.err, new(*amqp.Error)) // which closes the channel
	p.unsent = p.err != nil && c.ctx.Err() != nil && !isVerdict(p.err)
	c.waits(c.sender.Blocked())
	c.settle(p)
}

// collect settles what the broker has answered for by now.
func (c *courier) collect() {
	for {
		select {
		case p := <-c.told:
			c.take(p)
		default:
			return
		}
	}
}

// sleep settles answers for so long. The error is ctx's.
func (c *courier) sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-c.ticks.C:
			c.waits(c.sender.Blocked())
		case p := <-c.told:
			c.take(p)
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// drain waits for all answers. If ctx ends it waits for a while longer, or, if
// gone is the cause, not at all: nobody can use the answers then. What was not
// sent by then is not sent.
func (c *courier) drain(ctx context.Context, gone error) {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	ended, late := ctx.Done(), (<-chan time.Time)(nil)
	for c.out > 0 {
		select {
		case <-c.ticks.C:
			c.waits(c.sender.Blocked())
		case p := <-c.told:
			c.take(p)
		case <-ended:
			if gone != nil && errors.Is(context.Cause(ctx), gone) {
				c.giveUp()
			}
			timer.Reset(grace)
			ended, late = nil, timer.C
		case <-late:
			c.giveUp()
		}
	}
}

// isVerdict tells whether err is about the message, and not about the sending.
func isVerdict(err error) bool {
	for _, word := range []error{confirm.ErrUnknown, confirm.ErrUnroutable, confirm.ErrRefused, confirm.ErrTooLarge, confirm.ErrHeader} {
		if errors.Is(err, word) {
			return true
		}
	}
	return false
}

// close ends the courier, which must have been drained.
func (c *courier) close() {
	c.ticks.Stop()
	close(c.begun)
	c.giveUp()
	c.waiting.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), asking.Goodbye)
	defer cancel()
	_ = c.sender.Close(ctx) // what it could tell was told for each message
}

// stays says what err means for an entry that was to be published.
func stays(err error) error {
	if errors.Is(err, confirm.ErrUnknown) {
		return fmt.Errorf("it stays, and was perhaps published as well: %w", err)
	}
	return err
}
