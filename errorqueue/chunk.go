package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// firstChunk is how many entries a pass takes first: whoever wants the first
	// few should not disturb hundreds. It doubles from chunk to chunk.
	firstChunk = 32
	// chunkBytes is about how much a chunk may take in memory, as far as can be
	// told before, and roomBytes how much of one that turns out to be larger is
	// kept, beyond one entry.
	chunkBytes = 4 << 20
	roomBytes  = 2 * chunkBytes
	// quiet is after how long without a delivery the broker is asked whether
	// there are more.
	quiet = 50 * time.Millisecond
	// patience is for how long the broker may deliver nothing although it says
	// that entries are ready.
	patience = 15 * time.Second
)

// arrival is a delivery that a pass has received.
type arrival struct {
	amqp.Delivery
	returned bool // see wasReturned
	// emptied says that there was no room for it: only its tags are left, with
	// which it can be given back.
	emptied bool
}

// errOverfull says that the next entry was emptied. Another pass, which knows
// how large entries are, can take it.
var errOverfull = errors.New("there was no room for the next entry")

// subscription is one chunk. Each is a consumer of its own: a consumer's prefetch
// cannot be changed, and one without a limit would bring the whole queue into
// memory. Once a chunk is full its consumer is cancelled, and the broker goes on
// waiting for an answer to what it has delivered.
type subscription struct {
	tag        string
	deliveries <-chan amqp.Delivery
	left       int // not received yet
	cancelled  bool
}

// fetch receives the next chunk, and ends its consumer before anything of it is
// acked. An ack would make room for more, and what the broker gives to a consumer
// that is about to be cancelled goes back by itself, ahead of all that is held.
func (p *pass) fetch(ctx context.Context) error {
	p.fetched, p.fill, p.overfull = nil, 0, false
	if err := p.subscribe(ctx); err != nil {
		return err
	}
	if !p.wary {
		p.likely /= 2 // or one large entry would make all after it go singly
	}
	for p.sub.left > 0 && !p.exhausted && !p.overfull {
		if err := p.receive(ctx); err != nil {
			return err
		}
	}
	if err := p.finish(ctx); err != nil {
		return err
	}
	if p.exhausted {
		p.total = p.seen + len(p.fetched)
	}
	if !p.uncounted || len(p.fetched) == 0 {
		return nil
	}
	found, err := p.inspect(ctx)
	if err != nil {
		return err
	}
	if p.uncounted = !found.known; p.uncounted {
		found.ready = 1
	}
	p.total = p.seen + len(p.fetched) + found.ready
	return nil
}

// finish ends the chunk, and takes what it has brought.
func (p *pass) finish(ctx context.Context) error {
	if err := p.cancel(ctx); err != nil {
		return err
	}
	// What the broker has sent before it answers a cancel comes before that answer.
	for d := range p.sub.deliveries {
		p.arrive(&d)
	}
	p.sub = nil
	if p.IsClosed() { // perhaps that was not all
		return p.lost(ctx, amqp.ErrClosed)
	}
	return nil
}

// arrive takes a delivery in. How large entries are is known when they come, and
// the broker has sent the whole chunk then. So where they are suddenly much
// larger than those before, what there is no room for is emptied. A torn one is
// not, since it cannot be given back as it is.
func (p *pass) arrive(d *amqp.Delivery) {
	a := arrival{Delivery: *d, returned: wasReturned(d)}
	bytes := size(d)
	p.sub.left--
	p.large, p.likely = max(p.large, bytes), max(p.likely, bytes)
	p.overfull = p.overfull || p.fill > 0 && p.fill+bytes > roomBytes
	if p.overfull && p.likelyWear(looks(d, p.Session.Version())) != torn {
		a.Delivery = amqp.Delivery{DeliveryTag: d.DeliveryTag, ConsumerTag: d.ConsumerTag}
		a.emptied = true
	} else {
		p.fill += bytes
	}
	p.fetched = append(p.fetched, a)
}

// meanwhile asks the broker something while deliveries come. Its answer comes
// after all that it has sent before, and what nobody receives is in memory, too.
func (p *pass) meanwhile(question func() error) error {
	answer := make(chan error, 1)
	go func() { answer <- question() }()
	for deliveries := p.sub.deliveries; ; {
		select {
		case d, ok := <-deliveries:
			if !ok {
				deliveries = nil
				continue
			}
			p.arrive(&d)
		case err := <-answer:
			return err
		}
	}
}

var consumerTags atomic.Int64

// subscribe asks for the next chunk.
func (p *pass) subscribe(ctx context.Context) error {
	n := min(p.chunk, p.total-p.seen)
	if p.likely > 0 {
		n = min(n, max(1, chunkBytes/p.likely))
	}
	p.chunk = min(2*p.chunk, p.queue.config.Chunk)
	host, _ := os.Hostname() // or none
	s := &subscription{tag: fmt.Sprintf("review/%.100s/%d/%d", host, os.Getpid(), consumerTags.Add(1)), left: n}
	p.asked = n
	err := p.Ask(ctx, func(ch *amqp.Channel) (err error) {
		if err := ch.Qos(n, 0, false); err != nil {
			return err
		}
		s.deliveries, err = ch.Consume(p.queue.name, s.tag, false, false, false, false, nil)
		return err
	})
	if err != nil {
		return p.lost(ctx, err)
	}
	p.sub = s
	return nil
}

// receive takes in the next delivery of the chunk, or more, or finds out that
// there is none. Entries that were ready at the beginning may have gone to
// somebody else, so it asks now and then whether there are any.
func (p *pass) receive(ctx context.Context) error {
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	for began := time.Now(); ; timer.Reset(quiet) {
		select {
		case d, ok := <-p.sub.deliveries:
			switch {
			case ok:
				p.arrive(&d)
				return nil
			case p.IsClosed():
				return p.lost(ctx, amqp.ErrClosed)
			default:
				return fmt.Errorf("%w: the broker cancelled the subscription: the queue is gone, or has moved", ErrLost)
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
		}
		var found stock
		left := p.sub.left
		err := p.meanwhile(func() (err error) {
			found, err = p.inspect(ctx)
			return err
		})
		switch {
		case err != nil:
			return err
		case p.sub.left < left:
			return nil
		case found.known && found.ready == 0:
			// Some may be under way, so it is the cancel that tells.
			p.exhausted = true
			return nil
		case time.Since(began) > patience && !found.known:
			return fmt.Errorf("%w: %w", ErrLost, errBusy)
		case time.Since(began) > patience:
			return fmt.Errorf("%w: %d entries are ready, but the broker delivers none: "+
				"another consumer may be the only one that it serves", ErrLost, found.ready)
		}
	}
}

// cancel ends the chunk. What it has brought can still be received.
func (p *pass) cancel(ctx context.Context) error {
	if p.sub.cancelled {
		return nil
	}
	err := p.meanwhile(func() error {
		return p.Ask(ctx, func(ch *amqp.Channel) error { return ch.Cancel(p.sub.tag, false) })
	})
	if err != nil {
		return p.lost(ctx, err)
	}
	p.sub.cancelled = true
	return nil
}
