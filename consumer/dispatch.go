package consumer

import (
	"context"
	"fmt"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/monitoring"
)

// dispatch is the one place where a received message is given to a worker. It
// returns when the consumer shall stop, or else with what ended the epoch.
//
// It takes a delivery from the client's buffer only when it has given away the
// one before. So what has not started is still in the client's buffer, but for
// one, and can be handed back.
func (e *epoch) dispatch() error {
	look := true // at what the state asks for
	hasty := 0   // deliveries taken or given away since it has looked at everything
	for {
		if look {
			look = false
			if err := e.attend(); err != nil {
				return err
			}
		}
		e.takeAside()
		var in <-chan amqp.Delivery
		var out chan<- *delivery
		switch {
		case e.next != nil && e.mayRun():
			out = e.pool.jobs
		case e.next == nil && len(e.subs) > 0:
			in = e.subs[0].deliveries
		}
		if hasty < mostHasty && len(e.wakeup) == 0 && e.stopping.Err() == nil {
			// To look at everything costs more than all else that is done here.
			hasty++
			select {
			case d, ok := <-in:
				again, err := e.took(d, ok)
				if err != nil {
					return err
				}
				look = again
				continue
			default:
			}
			select {
			case out <- e.next:
				e.gave()
				continue
			default:
			}
		}
		hasty = 0
		select {
		case d, ok := <-in:
			again, err := e.took(d, ok)
			if err != nil {
				return err
			}
			look = again
		case out <- e.next:
			e.gave()
		case <-e.wakeup:
			look = true
		case <-e.acks.timer.C:
			e.acks.flush()
		case <-e.silence.due:
			e.look()
		case a := <-e.silence.answers:
			if err := e.weigh(a); err != nil {
				return err
			}
		case reason := <-e.closed:
			return e.why(reason)
		case tag, ok := <-e.cancels:
			if !ok {
				e.cancels = nil // the channel has closed
				continue
			}
			// Now, and not when what is buffered has been worked off: that may
			// take long, and nothing new comes.
			if n := len(e.subs); n > 0 && e.subs[n-1].tag == tag && !e.subs[n-1].leaving {
				return e.cancelledByBroker()
			}
		case <-e.stopping.Done():
			return nil
		}
	}
}

// mostHasty is how often the dispatcher takes a delivery, or gives it away,
// before it looks whether anything else has happened: some microseconds' worth.
const mostHasty = 16

// took takes a delivery, or notes that the oldest subscription has no more. It
// returns whether to look at what the state asks for.
func (e *epoch) took(d amqp.Delivery, ok bool) (look bool, err error) {
	if ok {
		return false, e.receive(d)
	}
	return true, e.ended()
}

// gave notes that a worker has the next delivery.
func (e *epoch) gave() {
	e.pool.active.Add(1)
	e.alone = e.next.suspect()
	e.next = nil
}

// attend does what the state asks for: pause, resume, other workers.
func (e *epoch) attend() error {
	pausing, overloaded := e.wanted()
	if pausing || overloaded {
		return e.rest(pausing, overloaded)
	}
	e.state.mu.Lock()
	workers := e.state.workers
	e.state.mu.Unlock()
	if workers != e.workers {
		was := e.prefetch
		e.workers = workers
		e.prefetch, _ = e.config.prefetch(workers)
		if e.prefetch != was && e.subscribed() && !e.narrow {
			if err := e.widen(); err != nil {
				return err
			}
		}
		e.acks.resize(e.window(), e.workers)
		e.observe(e.handling, monitoring.ConsumerResized{
			Queue: e.queue, Consumer: e.number, Workers: e.workers, Prefetch: e.prefetch,
		})
	}
	if !e.subscribed() && !e.suspecting() {
		if err := e.subscribe(e.soft, true); err != nil {
			return err
		}
	}
	if !e.state.isSubscribed() {
		e.nowReady()
	}
	return nil
}

// window is how many deliveries the broker sends ahead.
func (e *epoch) window() int {
	if e.narrow {
		return 1
	}
	return e.prefetch
}

// rest ends the subscription while the consumer pauses or is overloaded.
func (e *epoch) rest(pausing, overloaded bool) error {
	reason := ErrPaused
	if overloaded {
		reason = ErrStuck
	}
	if e.state.isSubscribed() {
		e.state.setReady(false, reason)
	}
	if overloaded {
		// Nobody is there to work it off. Others may have it.
		if err := e.handBackBuffered(e.stopping); err != nil {
			return err
		}
	} else if err := e.cancel(e.stopping, 0); err != nil {
		return err
	}
	if pausing && len(e.subs) == 0 && e.open.Load() == 0 {
		e.nowPaused()
	}
	return nil
}

// ended takes away the oldest subscription, whose deliveries have ended.
func (e *epoch) ended() error {
	s := e.subs[0]
	e.subs = e.subs[1:]
	switch {
	case s.leaving:
		return nil
	case e.IsClosed():
		return e.reason(amqp.ErrClosed)
	default:
		return e.cancelledByBroker()
	}
}

func (e *epoch) cancelledByBroker() error {
	return fmt.Errorf("%w to %s: was the queue deleted?", ErrCancelled, e.queue)
}

// mayRun tells whether the next delivery may be given to a worker now. While a
// suspect runs, nothing else does.
func (e *epoch) mayRun() bool {
	if !e.alone {
		return true
	}
	if !e.pool.idle() {
		return false
	}
	e.alone = false
	return true
}

// setAside keeps a delivery that may be what kills the process until nothing
// else is taken: whatever is would be counted with it when the process dies, in
// work or not, and in the end be taken for a killer, too. So if the broker sends
// ahead it is told to send no more, and what it has sent is worked off first.
//
// From RabbitMQ 4.3 on, which counts how often a message was acquired, to hand
// back is not counted: then there is one suspect at a time. Before, it would
// count as much as a death does.
func (e *epoch) setAside(d *delivery) error {
	if len(e.aside) > 0 && header.Acquired(d.Headers) > 0 {
		e.handBack(d)
		return nil
	}
	e.aside = append(e.aside, d)
	if e.window() == 1 {
		return nil
	}
	return e.cancel(e.stopping, 0)
}

// takeAside makes a suspect the next to run, once there is nothing but suspects.
func (e *epoch) takeAside() {
	n := len(e.aside)
	if n == 0 || e.next != nil || len(e.subs) > 1 || len(e.subs) == 1 && (e.window() > 1 || e.subs[0].leaving) {
		return
	}
	e.wantOpen.Store(int64(n))
	if e.open.Load() > int64(n) {
		return // whoever settles the last of the others wakes us
	}
	e.wantOpen.Store(0)
	e.acks.flush() // of the others
	i := first(e.aside)
	e.next = e.aside[i]
	e.aside = slices.Delete(e.aside, i, i+1)
}

// suspecting tells whether a suspect waits or runs, so that nothing else may be
// taken.
func (e *epoch) suspecting() bool {
	return len(e.aside) > 0 || e.next != nil && e.next.suspect() || e.alone && e.open.Load() > 0
}

// early is how much too early a message may come so that a worker waits for the
// rest of it. Clocks differ by about that much.
const early = 20 * time.Millisecond

// receive decides what is done with a delivery: it becomes next, or is settled
// without a handler.
func (e *epoch) receive(in amqp.Delivery) error {
	d := e.newDelivery(in)
	e.latest = in.DeliveryTag
	e.acks.received(in.DeliveryTag)
	e.taken()
	if !e.heard {
		e.heard = true
		e.state.update(func(s *state) { s.unreadable = false })
	}
	d.crashes = e.way.crashes(d)
	if e.narrow && !d.suspect() && e.subscribed() { // not what a cancelled one had sent already
		if err := e.widen(); err != nil {
			e.next = d
			return err
		}
	}
	// Lost connections are counted, too. Those of ours were no crashes: here we
	// are.
	if d.crashes-e.survived >= maxCrashes {
		e.conclude(d, result{
			outcome: Outcome{kind: KindError, err: fmt.Errorf("%d deliveries ended with a dead process or connection", d.crashes)},
			reason:  monitoring.ReasonCrashed,
		})
		return nil
	}
	if left := time.Until(d.state.NotBefore); left > 0 && !d.state.NotBefore.IsZero() {
		if left > early {
			e.holdOn(d, left)
			return nil
		}
		d.early = left
	}
	if d.suspect() {
		return e.setAside(d)
	}
	e.next = d
	return nil
}

// handBackBuffered ends the subscription, and hands back what no worker has.
func (e *epoch) handBackBuffered(ctx context.Context) error {
	// First the cancellation, or what goes back would come again.
	if err := e.cancel(ctx, 0); err != nil {
		e.dropBuffered()
		return err
	}
	if d := e.next; d != nil {
		e.next = nil
		e.handBack(d)
	}
	for _, d := range e.aside {
		e.handBack(d)
	}
	e.aside = nil
	for _, s := range e.subs {
		for in := range s.deliveries { // ends with the cancellation, or the channel
			e.returnUnstarted(in)
		}
	}
	e.subs = nil
	return nil
}
