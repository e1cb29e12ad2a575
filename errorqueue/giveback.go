package errorqueue

import (
	"context"
	"errors"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/asking"
	"github.com/warren-mq/warren/internal/header"
)

const (
	// A channel of RabbitMQ sends a quorum queue 32 commands, and then gathers
	// what comes until those are done. Returns that it has gathered, or that are
	// more than 32 in one command, come back in disorder on 3.10, and those of
	// several consumers on all versions. So this is how many entries of one chunk
	// are given back by one command, and how many commands are sent before their
	// entries must be ready again.
	together = 32
	batch    = 30
	// settling is how long a batch may take to be ready again. It may never be:
	// others take entries, too. So it is halved, down to impatient, for each
	// batch that is not seen to be ready.
	settling  = 2 * time.Second
	impatient = 20 * time.Millisecond
)

// end gives back what is held, in order, and waits until the broker has done
// so, and has carried out all acks. If it returns an error the broker takes
// everything back of which it has not read an ack. It does not end with ctx; a
// broker that does not answer is hung up on after a while.
func (p *pass) end(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	// What matters is over with the channel.
	defer func() { _ = hangUp(p.private) }()
	kept, err := p.gather(ctx)
	if err != nil {
		return errors.Join(kept, err)
	}
	if p.acked {
		err = p.flush(ctx)
	}
	if err == nil {
		err = p.giveBack(ctx)
	}
	if err == nil {
		if err = p.Ask(ctx, (*amqp.Channel).Close); err != nil {
			err = p.lost(ctx, err)
		}
	}
	return errors.Join(kept, err)
}

// hangUp closes a connection that nobody needs any more.
func hangUp(c *connection.Private) error {
	ctx, cancel := context.WithTimeout(context.Background(), asking.Goodbye)
	defer cancel()
	return c.Close(ctx)
}

// gather takes what must be given back together with what is held: what has
// been delivered already, and, of a quorum queue, all that was ever given back.
// A quorum queue keeps such messages ahead of the others, in the order in which
// they came back. So what is given back now goes behind those that wait there,
// unless they are given back after it.
func (p *pass) gather(ctx context.Context) (kept, err error) {
	if p.sub != nil {
		if err := p.finish(ctx); err != nil {
			return nil, err
		}
	}
	for len(p.fetched) > 0 || p.returned {
		a, err := p.take(ctx)
		if err != nil {
			return kept, err
		}
		if a == nil {
			break
		}
		kept = errors.Join(kept, p.keep(ctx, &a.Delivery))
	}
	return kept, nil
}

// wasReturned tells whether a quorum queue had given out the message before.
// Classic queues put everything back where it was, and count nothing.
func wasReturned(d *amqp.Delivery) bool {
	_, counted := d.Headers[header.DeliveryCount]
	return d.Redelivered && (counted || header.Acquired(d.Headers) > 0)
}

// giveBack returns all that is held, batch by batch.
func (p *pass) giveBack(ctx context.Context) error {
	if len(p.tags) == 0 {
		return nil
	}
	ready, _, err := p.settle(ctx, 0, settling)
	if err != nil {
		return err
	}
	for hope := settling; len(p.tags) > 0; {
		given := 0
		for range batch {
			n := p.sameChunk()
			if n == 0 {
				break
			}
			// All before the last of them were given back, or acked.
			if err := p.Nack(p.tags[n-1], true, true); err != nil {
				return p.lost(ctx, err)
			}
			p.tags = p.tags[n:]
			given += n
		}
		var seen bool
		if ready, seen, err = p.settle(ctx, ready+given, hope); err != nil {
			return err
		}
		if hope = max(hope/2, impatient); seen {
			hope = settling
		}
	}
	return nil
}

// sameChunk returns how many entries can be given back by one command: the
// first few, of one chunk.
func (p *pass) sameChunk() int {
	if len(p.tags) == 0 {
		return 0
	}
	for len(p.firsts) > 0 && p.firsts[0] <= p.tags[0] {
		p.firsts = p.firsts[1:] // this chunk, or one before it
	}
	n := min(together, len(p.tags))
	if len(p.firsts) > 0 {
		if i, _ := slices.BinarySearch(p.tags[:n], p.firsts[0]); i < n {
			return i
		}
	}
	return n
}

// settle waits until that many messages are ready, as long as there is hope,
// and returns how many are. The number of consumers does not tell whether there
// is hope: cancelled ones count as long as they hold something.
func (p *pass) settle(ctx context.Context, want int, hope time.Duration) (ready int, seen bool, err error) {
	ready = want // until it is known
	began := time.Now()
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, impatient) {
		found, err := p.inspect(ctx)
		if err != nil {
			return 0, false, err
		}
		if found.known {
			ready = found.ready
		}
		if found.known && ready >= want {
			return ready, true, nil
		}
		if time.Since(began) >= hope {
			return ready, false, nil
		}
		time.Sleep(pause)
	}
}

// flush waits until the broker has carried out every ack. A channel of RabbitMQ
// that closes forgets the acks that it has gathered for a quorum queue: 2,412 of
// 3,000 entries came back on 4.3. What it asks the queue for a client, such as
// basic.get, is answered after the commands that it has sent before. It hears of
// their end about then, sends what it has gathered meanwhile, and the next
// answer comes after that; one more is for what it hears too late. Returns wait
// for that: they would be gathered, too.
func (p *pass) flush(ctx context.Context) error {
	for range 3 {
		var next *amqp.Delivery
		err := p.Ask(ctx, func(ch *amqp.Channel) error {
			d, ok, err := ch.Get(p.queue.name, false)
			if ok { // it goes back with what is held
				next = &d
			}
			return err
		})
		if err != nil {
			return p.lost(ctx, err)
		}
		if next != nil {
			if err := p.keep(ctx, next); err != nil {
				return err
			}
		}
	}
	return nil
}

// inspect asks what is in the queue.
func (p *pass) inspect(ctx context.Context) (stock, error) {
	var found stock // not to be looked at if ctx ends first: who asks goes on
	err := p.Ask(ctx, func(ch *amqp.Channel) (err error) {
		found, err = p.channel.inspect(ch, p.queue.name)
		return err
	})
	if err != nil {
		return stock{}, p.lost(ctx, err)
	}
	return found, nil
}
