package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
)

// longest is how long a pass may hold entries. After 30 minutes RabbitMQ, by
// default, takes them back and closes the channel.
const longest = 25 * time.Minute

// pass goes through the queue once. It takes the entries that are ready when
// it begins, and holds each until it is acked, or until the end gives it back.
// It keeps their tags, not their bodies. It is for one goroutine.
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
	likely    int       // how large the next one is expected to be
	wary      bool      // one as large as the largest is always expected
}

// held is an entry that a pass holds.
type held struct {
	Entry
	tag uint64
}

// begin starts a pass. Whatever it returned must be ended. large is the largest
// entry of an earlier pass that has ended with errOverfull, in bytes, or 0.
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
		total: found.ready, chunk: min(firstChunk, q.config.Chunk),
		large: large, likely: large, wary: large > 0,
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
