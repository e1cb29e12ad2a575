package errorqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/topology"
)

const (
	// usualLimit is the delivery limit of a quorum queue for which nobody has
	// said another, since RabbitMQ 4.
	usualLimit = 20
	// unlimited is what limitOf returns if a queue has none, or one that nobody
	// reaches.
	unlimited = -1
)

// looks returns how often somebody has taken a message from this queue and
// given it back, as far as its broker counts that; see header.Crashes.
func looks(d *amqp.Delivery, version string) int {
	n := header.Crashes(d.Headers, d.Redelivered)
	if n == 0 || !countsAcquired(version) {
		return n
	}
	if _, died := d.Headers[header.Deaths]; died {
		// It came with the count of the queue in which it died, and giving back
		// does not write over that.
		return 0
	}
	return min(n, header.Acquired(d.Headers))
}

// countsAcquired tells whether quorum queues of that RabbitMQ count every
// delivery in a header of its own, and do not mind what is given back: since
// 4.3.
func countsAcquired(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	x, err := strconv.Atoi(major)
	if err != nil {
		return false
	}
	y, err := strconv.Atoi(minor)
	return x > 4 || x == 4 && err == nil && y >= 3
}

// wear is how far an entry is on its way to being deleted by the broker.
type wear int

const (
	fresh wear = iota
	worn       // half of the way: nothing more is taken
	torn       // most of the way: it is not even given back as it is
)

// wearOf returns how worn an entry is. It asks the broker for the queue's limit
// when it first needs to know.
func (p *pass) wearOf(ctx context.Context, e *Entry) (wear, error) {
	if p.limit == 0 {
		configured := p.queue.config.DeliveryLimit
		if configured == 0 && e.Looks < usualLimit/2 {
			return fresh, nil // of what nobody knows 20 is the least that is assumed
		}
		if err := p.findLimit(ctx, configured); err != nil {
			return fresh, err
		}
	}
	return wearAt(e.Looks, p.limit), nil
}

// likelyWear is wearOf for when the broker cannot be asked. At worst it is too
// much.
func (p *pass) likelyWear(looks int) wear {
	return wearAt(looks, cmp.Or(p.limit, p.queue.config.DeliveryLimit, usualLimit))
}

// wearAt returns how worn an entry is by so many looks. A limit below 0 is none.
func wearAt(looks, limit int) wear {
	switch {
	case limit < 0, looks < max(1, limit/2):
		return fresh
	case looks < limit*3/4:
		return worn
	default:
		return torn
	}
}

// findLimit finds out the delivery limit of the queue. AMQP does not tell, but a
// declaration says whether a queue has these arguments and no others. The limit
// of a policy shows nowhere.
func (p *pass) findLimit(ctx context.Context, configured int) error {
	if configured != 0 {
		p.limit = max(configured, unlimited)
		return nil
	}
	for _, t := range []topology.Type{topology.Quorum, topology.Classic} {
		args := topology.Tiers(p.queue.main, t, nil).Error.Args
		ch, err := p.Session.Open(ctx, func(ch *amqp.Channel) error {
			if _, err := ch.QueueDeclarePassive(p.queue.name, true, false, false, false, nil); err != nil { // or it would be made here
				return err
			}
			_, err := ch.QueueDeclare(p.queue.name, true, false, false, false, args)
			return err
		})
		if err == nil {
			_ = p.Session.Do(ctx, ch.Close)
			p.limit = unlimited
			return nil
		}
		var refused *amqp.Error
		if !errors.As(err, &refused) || !refused.Server || missing(err) {
			return p.lost(ctx, err)
		}
	}
	p.limit = usualLimit
	return nil
}

// refuse says that the queue is worn.
func (p *pass) refuse(e *Entry) error {
	return fmt.Errorf("%w: entry %s was looked at %d times; the broker may delete it after %d",
		ErrWorn, e.ID, e.Looks, p.limit)
}

// keep holds an entry that nobody is to see, so that it is given back in the
// end. One that this might delete is put at the end of the queue instead, where
// its count begins anew. If even that fails it is given back, for want of
// anything better.
func (p *pass) keep(ctx context.Context, d *amqp.Delivery) error {
	e := newEntry(d, p.queue.main, p.Session.Version(), 0)
	w, err := p.wearOf(ctx, &e)
	if err == nil && w == torn {
		if err = p.renew(ctx, d, &e); err == nil {
			return nil
		}
		err = fmt.Errorf("entry %s, which the broker may delete at the next look: %w", e.ID, err)
	}
	p.hold(d)
	return err
}

// renew publishes a copy, and acks the original once the broker has it.
func (p *pass) renew(ctx context.Context, d *amqp.Delivery, e *Entry) error {
	sender := confirm.New(p.queue.conn, 1)
	ctx, cancel := context.WithTimeout(ctx, confirm.Timeout)
	defer cancel()
	defer func() { _ = sender.Close(ctx) }()
	copied := carry(&e.Message)
	remember(copied.Headers, e)
	if err := sender.Send(ctx, addressed(Target{Key: p.queue.name}, copied)); err != nil {
		return err
	}
	if err := p.Ack(d.DeliveryTag, false); err != nil {
		return p.lost(ctx, err)
	}
	p.acked = true
	return nil
}
