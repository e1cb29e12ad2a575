package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
)

const (
	// firstChunk is how many entries a pass takes first: whoever wants the first
	// few should not disturb hundreds. It doubles from chunk to chunk.
	firstChunk = 32
	// chunkBytes is about how much a chunk may take in memory, by the largest
	// entry so far, and roomBytes how much of one that turns out to be larger is
	// kept, beyond one entry.
	chunkBytes = 4 << 20
	roomBytes  = 2 * chunkBytes
	// quiet is after how long without a delivery the broker is asked whether
	// there are more.
	quiet = 50 * time.Millisecond
	// patience is for how long the broker may deliver nothing although it says
	// that entries are ready.
	patience = 15 * time.Second
	// longest is how long a pass may hold entries. After 30 minutes RabbitMQ, by
	// default, takes them back and closes the channel.
	longest = 25 * time.Minute
)

// pass goes through the queue once. It takes the entries that are ready when
// it begins, and holds each until it is acked, or until the end gives it back.
// It keeps their tags, not their bodies. It is for one goroutine.
//
// A chunk is a consumer of its own: a consumer's prefetch cannot be changed,
// and one without a limit would bring the whole queue into memory. Once a chunk
// is full its consumer is cancelled, and the broker goes on waiting for an
// answer to what it has delivered.
type pass struct {
	queue   *Queue
	private *connection.Private
	*channel
	began time.Time
	total int // ready at the beginning: there will be no more than these
	seen  int
	// uncounted says that nobody knew total at the beginning.
	uncounted bool

	limit     int      // of deliveries; 0 if it is not known yet, or unlimited
	tags      []uint64 // held, ascending
	firsts    []uint64 // the first of each chunk that is among them, ascending
	from      string   // the chunk of the last that was held
	acked     bool     // some were acked
	sub       *subscription
	fetched   []arrival // received, and not taken yet
	fill      int       // how much of the chunk is kept, in bytes
	overfull  bool      // the rest of the chunk is not
	exhausted bool      // nothing was ready when it was asked last
	returned  bool      // the last entry that was taken was given back before: see wasReturned
	chunk     int       // how large the next may be
	asked     int       // how large the last one is
	large     int       // the largest entry so far, in bytes
}

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

// subscription is one chunk.
type subscription struct {
	tag        string
	deliveries <-chan amqp.Delivery
	left       int // not received yet
	cancelled  bool
}

// held is an entry that a pass holds.
type held struct {
	Entry
	tag uint64
}

// begin starts a pass. Whatever it returned must be ended. large is the largest
// entry that an earlier pass has seen, in bytes, or 0.
func (q *Queue) begin(ctx context.Context, large int) (*pass, error) {
	// Its own, since an entry that the client cannot read ends the connection.
	private := q.conn.Private("errors/" + q.name)
	s, err := private.Session(ctx)
	if err != nil {
		_ = hangUp(private)
		return nil, err
	}
	ch, found, err := q.open(ctx, s)
	if err != nil {
		_ = hangUp(private)
		return nil, err
	}
	p := &pass{
		queue: q, private: private, channel: ch, began: time.Now(),
		total: found.ready, chunk: min(firstChunk, q.config.Chunk), large: large,
	}
	if !found.known {
		p.total, p.uncounted = 1, true // a delivery, or the lack of one, will tell
	}
	return p, nil
}

// next returns the next entry, or io.EOF after the last. Other errors are
// errOverfull, ctx's, or wrap ErrLost or ErrWorn; nothing follows them.
func (p *pass) next(ctx context.Context) (*held, error) {
	if p.seen < p.total && time.Since(p.began) > longest {
		return nil, fmt.Errorf("%w: entries cannot be held for longer than %v", ErrLost, longest)
	}
	a, err := p.take(ctx)
	switch {
	case err != nil:
		return nil, err
	case a == nil:
		return nil, io.EOF
	case a.emptied:
		p.hold(&a.Delivery)
		return nil, errOverfull
	}
	d := &a.Delivery
	h := &held{Entry: newEntry(d, p.queue.main, p.Session.Version(), p.seen), tag: d.DeliveryTag}
	switch w, err := p.wearOf(ctx, &h.Entry); {
	case err != nil:
		p.hold(d)
		return nil, err
	case w != fresh:
		return nil, errors.Join(p.refuse(&h.Entry), p.keep(ctx, d))
	}
	p.hold(d)
	return h, nil
}

// take returns the next delivery, and nil after the last. It is the caller's to
// hold.
func (p *pass) take(ctx context.Context) (*arrival, error) {
	if ctx.Err() != nil && p.seen < p.total {
		return nil, context.Cause(ctx)
	}
	if len(p.fetched) == 0 && p.seen < p.total {
		if err := p.fetch(ctx); err != nil {
			return nil, err
		}
	}
	if len(p.fetched) == 0 {
		return nil, nil
	}
	a := p.fetched[0]
	p.fetched[0] = arrival{} // or its body would be kept as long as the chunk
	p.fetched = p.fetched[1:]
	p.seen++
	p.returned = a.returned
	return &a, nil
}

// fetch receives the next chunk, and ends its consumer before anything of it is
// acked. An ack would make room for more, and what the broker gives to a consumer
// that is about to be cancelled goes back by itself, ahead of all that is held.
func (p *pass) fetch(ctx context.Context) error {
	p.fetched, p.fill, p.overfull = nil, 0, false
	if err := p.subscribe(ctx); err != nil {
		return err
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
	p.large = max(p.large, bytes)
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
	if p.large > 0 {
		n = min(n, max(1, chunkBytes/p.large))
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

// hold keeps a delivery until it is acked or given back.
func (p *pass) hold(d *amqp.Delivery) {
	p.tags = append(p.tags, d.DeliveryTag)
	if d.ConsumerTag == "" || d.ConsumerTag != p.from {
		p.firsts, p.from = append(p.firsts, d.DeliveryTag), d.ConsumerTag
	}
}

// ack removes an entry from the queue. That the broker has done so is known
// when end returns nil.
func (p *pass) ack(h *held) error {
	i, ok := slices.BinarySearch(p.tags, h.tag)
	if !ok {
		return fmt.Errorf("entry %s is not held", h.ID)
	}
	if err := p.Ack(h.tag, false); err != nil {
		return p.lost(context.Background(), err)
	}
	p.acked = true
	p.tags = slices.Delete(p.tags, i, i+1)
	return nil
}

// lost wraps what ended the channel; it returns ctx's error if that is why.
func (p *pass) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil && !p.IsClosed() {
		return context.Cause(ctx)
	}
	if p.IsClosed() {
		err = p.why()
	}
	if errors.Is(err, connection.ErrUnreadable) {
		return fmt.Errorf("%w: among the %d entries after number %d: %w", ErrLost, p.asked, p.seen+len(p.fetched), err)
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}
