package confirm

import (
	"context"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
)

// channel is one AMQP channel in confirm mode.
//
// What makes the outcome right: the client's reader puts a return into the
// returns channel, whose buffer holds a whole window, before it resolves the
// confirmation that follows it. So whoever sees a confirmation resolved and
// then empties the returns, under the lock, knows whether this message was
// returned. A goroutine that merely reads the returns lags behind, and takes
// unroutable messages for delivered ones.
type channel struct {
	sender  *Sender
	session *connection.Session
	amqp    *amqp.Channel
	closed  <-chan *amqp.Error
	returns <-chan amqp.Return

	changed chan struct{} // to the collector: look again
	// dead is closed when the AMQP channel has ended, and the writer is not in
	// it. From then on, why says what ended it.
	dead    chan struct{}
	retired chan struct{} // closed when no more messages should come
	left    chan struct{} // closed when the writer has left for good

	retireOnce, leaveOnce sync.Once

	mu      sync.Mutex
	flight  flight
	writing bool // the writer is in the client
	why     error
}

// over tells whether the writer should leave.
func (c *channel) over() bool {
	select {
	case <-c.dead:
	case <-c.retired:
	case <-c.sender.ctx.Done():
	default:
		return false
	}
	return true
}

func (c *channel) isDead() bool {
	select {
	case <-c.dead:
		return true
	default:
		return false
	}
}

// retire takes c out of use for new messages. What is in flight goes on.
func (c *channel) retire() { c.retireOnce.Do(func() { close(c.retired) }) }

// leave lets the collector close the AMQP channel once nothing is in flight.
// Closed under a message being sent, the broker would end the connection.
func (c *channel) leave() { c.leaveOnce.Do(func() { close(c.left) }) }

// wake makes the collector look again.
func (c *channel) wake() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// decide returns the outcome of p, whose confirmation is resolved.
func (c *channel) decide(ctx context.Context, p *Pending) error {
	if !p.confirmation.Acked() && c.amqp.IsClosed() && !c.hasDecided(p) {
		// The client resolves everything as not acked when it closes. So this
		// says nothing, and the collector is about to tell why. (Not if it has
		// decided p, retired the channel for that and closed it, before its
		// caller came here: then it has left.)
		select {
		case <-c.dead:
		case <-ctx.Done():
			return unknown(context.Cause(ctx))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !p.decided {
		c.settle(p, c.outcome(p))
	}
	return p.result
}

func (c *channel) hasDecided(p *Pending) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return p.decided
}

// outcome is what the broker's answer to p means. The caller holds mu.
func (c *channel) outcome(p *Pending) error {
	acked := p.confirmation.Acked()
	c.takeReturns()
	switch {
	case p.returned != nil:
		return p.returned
	case acked:
		return nil
	case p.fault != nil:
		return fmt.Errorf("%w: %w", p.fault, c.why)
	case c.isDead():
		return unknown(c.why)
	default:
		return ErrRefused
	}
}

// takeReturns empties the returns. The caller holds mu.
func (c *channel) takeReturns() {
	for {
		select {
		case r, ok := <-c.returns:
			if !ok {
				return
			}
			c.match(&r)
		default:
			return
		}
	}
}

// match finds the message that was returned. Several that look alike may be in
// flight, and then it cannot tell which: it takes them all for returned, since
// a caller who sends again makes at worst a duplicate.
func (c *channel) match(r *amqp.Return) {
	for p := c.flight.first; p != nil; p = p.next {
		m := &p.message
		if m.MessageId == r.MessageId && m.Key == r.RoutingKey && m.Exchange == r.Exchange {
			p.returned = &ReturnedError{
				Exchange: r.Exchange, Key: r.RoutingKey, Code: int(r.ReplyCode), Text: r.ReplyText,
			}
		}
	}
}

// settle decides p. The caller holds mu.
func (c *channel) settle(p *Pending, result error) {
	p.decided, p.result = true, result
	c.flight.remove(p)
	<-c.sender.slots // never waits: p has one
	c.sender.settled(c, p)
}

// giveUp decides p without waiting for its confirmation, because of why, and
// tells its caller. The caller holds mu.
func (c *channel) giveUp(p *Pending, why error) {
	if p.confirmation != nil && p.confirmation.Acked() { // behind one that is not
		c.settle(p, c.outcome(p))
		return
	}
	c.settle(p, unknown(why))
	p.told <- struct{}{} // has room for this and the one of publish
}

// collect is the collector. It learns how the AMQP channel ends, decides what
// nobody waits for, and sees to it that nobody waits for ever.
func (c *channel) collect() {
	overdue := time.NewTimer(time.Hour)
	overdue.Stop()
	defer overdue.Stop()
	armed := false // only while something is in flight
	stop, left := c.sender.ctx.Done(), c.left
	for {
		head := c.sweep()
		var answered <-chan struct{}
		changed := c.changed
		if head != nil {
			// Others may be answered before it, but they have their callers, or
			// have waited so long already.
			answered, changed = head.confirmation.Done(), nil
			if !armed {
				armed = true
				overdue.Reset(c.sender.timeout - time.Since(head.sent))
			}
		} else if left == nil && c.idle() {
			c.close()
			return
		}
		select {
		case <-answered:
		case <-changed:
		case <-left:
			left = nil
		case e, ok := <-c.closed:
			c.end(e, ok)
			return
		case <-overdue.C:
			armed = false
			c.expire()
		case <-stop:
			stop = nil
			c.abandon()
		}
	}
}

// sweep decides what is answered at the head, and returns the oldest message
// that is not; or nil if there is no use in waiting for its answer.
func (c *channel) sweep() (head *Pending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := c.flight.first; p != nil; p = c.flight.first {
		if p.confirmation == nil { // the writer is at it
			return nil
		}
		select {
		case <-p.confirmation.Done():
		default:
			return p
		}
		if c.amqp.IsClosed() { // which may have resolved it; its end is about to tell
			return nil
		}
		c.settle(p, c.outcome(p))
	}
	return nil
}

func (c *channel) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flight.first == nil
}

// end notes why the AMQP channel has ended, and decides what is in flight.
func (c *channel) end(e *amqp.Error, ok bool) {
	var why error
	if ok && e.Server {
		why = e
	} else {
		// The connection has ended, and the session knows more.
		<-c.session.Done()
		why = c.session.Err()
	}
	c.mu.Lock()
	for c.writing { // what the writer is at may be to blame, or not be sent
		c.mu.Unlock()
		<-c.changed
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	c.why = why
	c.blame(e)
	close(c.dead)
	for p := c.flight.first; p != nil; p = c.flight.first {
		c.settle(p, c.outcome(p))
	}
}

// blame finds the message because of which the broker has closed the channel.
// The caller holds mu.
func (c *channel) blame(e *amqp.Error) {
	if e == nil || !e.Server {
		return
	}
	for p := c.flight.last; p != nil; p = p.prev {
		every, fault := faultOf(e, &p.message)
		if fault == nil {
			continue
		}
		if p.fault = fault; !every {
			// Those before it may have been taken while that was still possible.
			return
		}
	}
}

// expire gives up what has waited too long for its confirm. New messages should
// not wait behind it, and a confirm that comes yet is for nobody.
func (c *channel) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := c.flight.first; p != nil && time.Since(p.sent) >= c.sender.timeout; p = c.flight.first {
		c.retire()
		c.giveUp(p, fmt.Errorf("no confirm within %v", c.sender.timeout))
	}
}

// abandon gives up everything: Close has waited long enough.
func (c *channel) abandon() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := c.flight.first; p != nil; p = c.flight.first {
		c.giveUp(p, ErrClosed)
	}
}

// close closes the AMQP channel. If the broker does not answer, that goes on
// without us, and the session looks after it.
func (c *channel) close() {
	if _, blocked := c.session.Blocked(); blocked != nil {
		return // it cannot answer; the channel ends with the connection
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	_ = c.session.Do(ctx, c.amqp.Close)
}
