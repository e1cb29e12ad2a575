package errorqueue

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/header"
)

const (
	// batch is how many entries are given back at a time. A channel of RabbitMQ
	// sends a quorum queue 32 commands, and then gathers what comes until those
	// are done: gathered returns come back in disorder if they are more than 32,
	// or of several consumers.
	batch = 30
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
		if err = p.ask(ctx, (*amqp.Channel).Close); err != nil {
			err = p.lost(ctx, err)
		}
	}
	return errors.Join(kept, err)
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
		d, err := p.take(ctx)
		if err != nil {
			return kept, err
		}
		if d == nil {
			break
		}
		kept = errors.Join(kept, p.keep(ctx, d))
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
	q, err := p.inspect(ctx)
	if err != nil {
		return err
	}
	for hope := settling; len(p.tags) > 0; {
		n := min(batch, len(p.tags))
		for _, tag := range p.tags[:n] {
			if err := p.Nack(tag, false, true); err != nil {
				return p.lost(ctx, err)
			}
		}
		p.tags = p.tags[n:]
		var seen bool
		if q, seen, err = p.settle(ctx, q.Messages+n, hope); err != nil {
			return err
		}
		if hope = max(hope/2, impatient); seen {
			hope = settling
		}
	}
	return nil
}

// settle waits until that many messages are ready, as long as there is hope. The
// number of consumers does not tell whether there is: cancelled ones count as
// long as they hold something.
func (p *pass) settle(ctx context.Context, ready int, hope time.Duration) (q amqp.Queue, seen bool, err error) {
	began := time.Now()
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, impatient) {
		q, err := p.inspect(ctx)
		if err != nil || q.Messages >= ready {
			return q, err == nil, err
		}
		if time.Since(began) >= hope {
			return q, false, nil
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
		err := p.ask(ctx, func(ch *amqp.Channel) error {
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

// inspect asks how many messages and consumers the queue has.
func (p *pass) inspect(ctx context.Context) (q amqp.Queue, err error) {
	err = p.ask(ctx, func(ch *amqp.Channel) (err error) {
		q, err = inspect(ch, p.queue.name)
		return err
	})
	if err != nil {
		return q, p.lost(ctx, err)
	}
	return q, nil
}
