package consumer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/monitoring"
)

// move carries a message to another queue: it is published there, the broker
// confirms that it has it, and only then the delivery is acknowledged. Whatever
// fails in between, the message is still in the main queue.
type move struct {
	d       *delivery
	to      string
	message confirm.Message
	event   monitoring.Event // what to tell when it is done
	outcome string           // for Lost
	since   time.Time        // when it was first tried
	over    bool             // under the state's lock
}

// startMove settles d in a goroutine of its own. What is to be published is made
// here: a new goroutine has a small stack, and its growing costs more.
func (r *run) startMove(d *delivery, v *verdict) {
	if d.epoch.over.Err() != nil {
		// A publish now would be a certain duplicate.
		r.lose(d, outcomeName(v))
		r.settled()
		return
	}
	d.identify()
	now := time.Now()
	m := &move{d: d, outcome: outcomeName(v)}
	if v.fate == errored {
		f := r.failure(d, v, now)
		to := d.epoch.way.errorAddress(d)
		m.to = to.name()
		m.message = r.errorMessage(d, v, f, to)
		m.event = monitoring.Errored{
			Delivery: d.about, Reason: v.reason, Failure: v.failure, Err: v.err, Stack: v.stack,
			Fingerprint: f.Fingerprint(), To: m.to,
		}
	} else {
		q, notBefore, notAfter := v.target(&d.epoch.plan, now)
		m.to = q.Name
		m.message = r.retryMessage(d, v, q, notBefore, notAfter, now)
		m.event = r.heldEvent(d, v, m.to, now)
	}
	r.moves.Go(func() { r.carryOut(m) })
}

// heldEvent tells that a message waits for its next delivery.
func (r *run) heldEvent(d *delivery, v *verdict, to string, now time.Time) monitoring.Event {
	if v.deferred {
		return monitoring.Deferred{Delivery: d.about, Err: v.err, Wait: v.wait, To: to}
	}
	e := monitoring.Retried{Delivery: d.about, Failure: v.failure, Err: v.err, Stack: v.stack, Wait: v.wait, To: to}
	if v.failure == monitoring.FailurePanic {
		f := r.failure(d, v, now)
		e.Fingerprint = f.Fingerprint()
	}
	return e
}

// holdOn puts a message that came back too early into a retry queue for the rest
// of its wait, or a part of it.
func (r *run) holdOn(d *delivery, left time.Duration) {
	d.identify()
	slack := max(0, d.state.NotAfter.Sub(d.state.NotBefore))
	q := d.epoch.plan.Compose(left, slack)
	m := &move{d: d, to: q.Name} // no outcome: no handler ran
	m.message = r.heldMessage(d, q)
	m.event = monitoring.Held{Delivery: d.about, Left: left, Wait: q.Wait, To: q.Name}
	r.moves.Go(func() { r.carryOut(m) })
}

// identify gives a message that came without an id one. It stays.
func (d *delivery) identify() {
	if d.about.MessageID == "" {
		d.about.MessageID = d.epoch.ids.Next(time.Now())
	}
}

func outcomeName(v *verdict) string {
	switch {
	case v.failure == monitoring.FailurePanic, v.failure == monitoring.FailureTimeout:
		return v.failure.String()
	case v.fate == errored && v.reason != monitoring.ReasonExhausted:
		return "error"
	case v.deferred:
		return "defer"
	default:
		return "retry"
	}
}

var errNoWord = errors.New("the broker has not answered yet")

const (
	minMovePause = 100 * time.Millisecond
	maxMovePause = 5 * time.Second
)

// carryOut tries until it has worked, or the epoch is over, or the consumer has
// stopped. The handler does not run again for it.
func (r *run) carryOut(m *move) {
	defer r.settled()
	d := m.d
	ctx := d.epoch.settling
	m.since = time.Now()
	// A broker that takes no messages, and one that is stuck, say nothing at all.
	slow := time.AfterFunc(patient, func() { r.trouble(m, errNoWord) })
	defer slow.Stop()
	wait := minMovePause
	declared, failing := false, false
	for tries := 1; ; tries++ {
		err := r.sendOnce(ctx, m)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			r.giveUpMove(m, err)
			return
		}
		if errors.Is(err, confirm.ErrUnroutable) && !declared {
			// The queue is not there: deleted, or needed for the first time.
			declared = true
			declareErr := r.declareMissing(ctx, &d.epoch.plan, m.to)
			if declareErr == nil {
				continue
			}
			err = fmt.Errorf("%w (%w)", err, declareErr)
		} else {
			declared = false
		}
		failing = true
		r.trouble(m, err)
		next := wait - rand.N(wait/2)
		r.observe(d.ctx, monitoring.SettleFailed{Delivery: d.about, To: m.to, Err: err, Tries: tries, Next: next})
		pause(ctx, next)
		wait = min(2*wait, maxMovePause)
		if ctx.Err() != nil {
			r.giveUpMove(m, err)
			return
		}
	}
	if !slow.Stop() || failing {
		r.state.update(func(s *state) {
			m.over = true
			delete(s.failing, m)
		})
	}
	if d.epoch.acks.done(d.DeliveryTag) {
		r.observe(d.ctx, m.event)
	} else {
		r.lose(d, m.outcome)
	}
}

// sendOnce publishes once and waits for the broker's word.
func (r *run) sendOnce(ctx context.Context, m *move) error {
	ctx, cancel := context.WithTimeout(ctx, confirm.Timeout)
	defer cancel()
	return r.sender.Send(ctx, m.message)
}

// trouble notes, for Health, why m is not done yet.
func (r *run) trouble(m *move, err error) {
	r.state.update(func(s *state) {
		if m.over || errors.Is(err, errNoWord) && s.failing[m] != nil {
			return
		}
		s.failing[m] = m.failed(err)
	})
}

func (m *move) failed(err error) *SettleError {
	return &SettleError{Queue: m.to, MessageID: m.d.about.MessageID, Since: m.since, Err: err}
}

// giveUpMove ends a move whose epoch, or consumer, has ended.
func (r *run) giveUpMove(m *move, err error) {
	r.state.update(func(s *state) {
		m.over = true
		if r.settling.Err() != nil && m.d.epoch.over.Err() == nil {
			s.failing[m] = m.failed(err) // stays for the DrainError
			return
		}
		delete(s.failing, m)
	})
	r.lose(m.d, m.outcome)
}
