package confirm

import (
	"context"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Pending is a message on its way.
type Pending struct {
	sender   *Sender
	message  Message
	frameMax int // that it was checked for
	batch    *batch
	state    atomic.Int32

	// told gets a token when the caller should look: when the message was begun,
	// and confirmation is set, or when it is decided otherwise than by that.
	told chan struct{}

	// Below: under channel.mu from the moment it is begun until it is decided,
	// and for the caller once told.
	channel      *channel
	prev, next   *Pending // in flight on the channel
	sent         time.Time
	confirmation *amqp.DeferredConfirmation
	returned     *ReturnedError
	fault        error // why the broker closed the channel because of it
	decided      bool
	result       error
}

// The states of a message. Its caller may take it back while it is queued; once
// the writer has begun, the broker may have it. The writer puts it back to
// queued if the client has certainly not written it whole.
const (
	queued int32 = iota
	begun
	takenBack
)

// Wait waits for the outcome until ctx ends; see Sender.Send. It may be called
// once. If nobody calls it the message is sent all the same.
func (p *Pending) Wait(ctx context.Context) error {
	select {
	case <-p.told:
	case <-ctx.Done():
		if p.state.CompareAndSwap(queued, takenBack) {
			p.sender.finish(p) // the writer frees the slot
			return p.sender.notSent(ctx)
		}
		select {
		case <-p.told:
		default:
			return unknown(context.Cause(ctx))
		}
	}
	if p.confirmation == nil {
		return p.result
	}
	select {
	case <-p.confirmation.Done():
		return p.channel.decide(ctx, p)
	case <-p.told:
		return p.result
	case <-ctx.Done():
	}
	select {
	case <-p.confirmation.Done(): // in the same moment
		return p.channel.decide(ctx, p)
	default:
		return unknown(context.Cause(ctx))
	}
}

// fail decides a message that was not begun.
func (p *Pending) fail(why error) {
	if p.state.CompareAndSwap(queued, begun) {
		p.result = notSent(why)
		p.told <- struct{}{}
		p.sender.finish(p)
	}
	<-p.sender.slots
}

// flight is what is in flight on a channel, oldest first.
type flight struct{ first, last *Pending }

func (f *flight) add(p *Pending) {
	p.prev, p.next = f.last, nil
	if f.last == nil {
		f.first = p
	} else {
		f.last.next = p
	}
	f.last = p
}

func (f *flight) remove(p *Pending) {
	if p.prev == nil {
		f.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		f.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	p.prev, p.next = nil, nil
}
