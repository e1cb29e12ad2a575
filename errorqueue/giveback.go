package errorqueue

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// batch is how many entries are given back at a time. A channel of RabbitMQ
	// sends a quorum queue 32 commands, and then gathers what comes until those
	// are done: gathered returns come back in disorder on 3.10 if they are more
	// than 32, on 4.0 if they are of more than 32 consumers.
	batch = 32
	// settling is how long a batch may take to be ready again. It may never be:
	// others take entries, too.
	settling = 500 * time.Millisecond
	// contested is that time where the queue has other consumers.
	contested = 10 * time.Millisecond
)

// end gives back what is held, in order, and waits until the broker has done
// so, and has read all acks. If it returns an error the broker takes everything
// back that it has not read an ack of. It does not end with ctx; a broker that
// does not answer is hung up on after a while.
func (p *pass) end(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var kept error
	if p.sub != nil {
		if err := p.cancel(ctx); err != nil {
			return err
		}
		for d := range p.sub.deliveries { // those that next has not returned
			kept = errors.Join(kept, p.keep(ctx, &d))
		}
	}
	certain, err := p.giveBack(ctx)
	if err != nil {
		return errors.Join(kept, err)
	}
	if p.acked && !certain {
		if err := p.flush(ctx); err != nil {
			return errors.Join(kept, err)
		}
	}
	if err := p.ask(ctx, (*amqp.Channel).Close); err != nil {
		return errors.Join(kept, p.lost(ctx, err))
	}
	return kept
}

// giveBack returns all that is held, batch by batch. It is certain that the
// broker has carried out all that was asked of it before if the last batch was
// seen to be ready again.
func (p *pass) giveBack(ctx context.Context) (certain bool, err error) {
	if len(p.tags) == 0 {
		return false, nil
	}
	q, err := p.inspect(ctx)
	if err != nil {
		return false, err
	}
	for len(p.tags) > 0 {
		n := min(batch, len(p.tags))
		for _, tag := range p.tags[:n] {
			if err := p.Nack(tag, false, true); err != nil {
				return false, p.lost(ctx, err)
			}
		}
		p.tags = p.tags[n:]
		if q, certain, err = p.settle(ctx, q.Messages+n); err != nil {
			return false, err
		}
	}
	return certain, nil
}

// settle waits until that many messages are ready, as long as there is hope.
func (p *pass) settle(ctx context.Context, ready int) (q amqp.Queue, seen bool, err error) {
	began := time.Now()
	for pause := 100 * time.Microsecond; ; pause *= 2 {
		q, err := p.inspect(ctx)
		if err != nil || q.Messages >= ready {
			return q, err == nil, err
		}
		hope := settling
		if q.Consumers > 0 {
			hope = contested
		}
		if time.Since(began) >= hope {
			return q, false, nil
		}
		time.Sleep(min(pause, hope))
	}
}

// flush waits until the broker has carried out every ack. A channel of RabbitMQ
// that closes forgets the acks that it has gathered for a quorum queue: 2,412 of
// 3,000 entries came back on 4.3. What it asks the queue for a client, such as
// basic.get, is answered after the commands that it has sent before. It hears of
// their end about then, sends what it has gathered meanwhile, and the next
// answer comes after that; one more is for what it hears too late.
func (p *pass) flush(ctx context.Context) error {
	for range 3 {
		err := p.ask(ctx, func(ch *amqp.Channel) error {
			d, ok, err := ch.Get(p.queue.name, false)
			if ok { // somebody has put it there meanwhile
				p.tags = append(p.tags, d.DeliveryTag)
			}
			return err
		})
		if err != nil {
			return p.lost(ctx, err)
		}
	}
	_, err := p.giveBack(ctx)
	return err
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
