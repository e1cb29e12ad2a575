package confirm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
)

// channel is one AMQP channel in confirm mode.
//
// Two goroutines own it. The writer publishes, so that a caller whose context
// ends does not wait behind a socket that takes nothing. The collector follows
// the messages in the order in which they were sent, for those whose caller has
// left, and sees to it that none waits for ever.
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

	slots    chan struct{} // one for each message in flight
	requests chan *try     // to the writer
	changed  chan struct{} // to the collector: look again
	returns  <-chan amqp.Return
	dead     chan struct{} // closed when the AMQP channel has ended
	written  chan struct{} // closed when the writer has ended
	retired  chan struct{} // closed when no more messages should come

	retireOnce sync.Once

	mu       sync.Mutex
	why      error     // what ended the AMQP channel
	inflight []*try    // begun and not decided, oldest first
	nackedAt time.Time // the first nack after the last ack
}

func (s *Sender) openOn(ctx context.Context, session *connection.Session) (*channel, error) {
	ch, err := session.Channel(ctx)
	if err != nil {
		return nil, err
	}
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	c := &channel{
		sender: s, session: session, amqp: ch,
		slots:    make(chan struct{}, s.window),
		requests: make(chan *try, s.window),
		changed:  make(chan struct{}, 1),
		returns:  ch.NotifyReturn(make(chan amqp.Return, 2*s.window)),
		dead:     make(chan struct{}),
		written:  make(chan struct{}),
		retired:  make(chan struct{}),
	}
	if err := session.Do(ctx, func() error { return ch.Confirm(false) }); err != nil {
		_ = session.Do(context.WithoutCancel(ctx), ch.Close)
		return nil, fmt.Errorf("ask %s for confirms: %w", session.Address(), err)
	}
	s.wg.Go(func() { c.watch(closed) })
	s.wg.Go(c.write)
	s.wg.Go(c.collect)
	return c, nil
}

// watch waits for the end of the AMQP channel.
func (c *channel) watch(closed <-chan *amqp.Error) {
	e, ok := <-closed
	c.mu.Lock()
	switch err := c.session.Err(); {
	case ok && e.Server:
		c.why = e
	case err != nil:
		c.why = err
	case ok:
		c.why = e
	}
	c.mu.Unlock()
	c.sender.retire(c)
	close(c.dead)
}

// write is the writer.
func (c *channel) write() {
	defer close(c.written)
	for {
		select {
		case t := <-c.requests:
			if !c.unblocked() {
				return
			}
			c.publish(t)
		case <-c.dead:
			return
		}
	}
}

// unblocked waits while the broker takes no messages. What is queued can be
// taken back meanwhile. It returns false if the channel ends.
func (c *channel) unblocked() bool {
	for {
		again, blocked := c.session.Blocked()
		if blocked == nil {
			return true
		}
		select {
		case <-again:
		case <-c.dead:
			return false
		}
	}
}

func (c *channel) publish(t *try) {
	// Before it leaves: its return must find it.
	c.mu.Lock()
	t.sent = time.Now()
	c.inflight = append(c.inflight, t)
	c.mu.Unlock()
	if !t.state.CompareAndSwap(queued, begun) {
		c.forget(t)
		return
	}
	m := &t.pending.message
	confirmation, err := c.amqp.PublishWithDeferredConfirm(m.Exchange, m.Key, !m.Optional, false, m.Publishing)
	if err != nil {
		c.forget(t)
		// The client says ErrClosed only where the frames of the message are not
		// complete: the broker does not have it. Any other error comes from the
		// socket, after some or all of it was written.
		if t.err = err; errors.Is(err, amqp.ErrClosed) {
			t.err = errNotBegun
			t.state.Store(takenBack)
		} else {
			t.pending.finish()
		}
		t.told <- struct{}{}
		return
	}
	c.mu.Lock()
	t.confirmation = confirmation
	c.mu.Unlock()
	t.told <- struct{}{}
	c.wake()
}

// wake makes the collector look again.
func (c *channel) wake() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// forget takes back what publish noted.
func (c *channel) forget(t *try) {
	c.mu.Lock()
	c.remove(t)
	c.mu.Unlock()
	c.wake()
}

// remove takes t out of what is in flight. The caller holds mu.
func (c *channel) remove(t *try) {
	t.decided = true
	<-c.slots // never blocks: t has one
	for i, other := range c.inflight {
		if other == t {
			copy(c.inflight[i:], c.inflight[i+1:])
			c.inflight[len(c.inflight)-1] = nil
			c.inflight = c.inflight[:len(c.inflight)-1]
			return
		}
	}
}

// decide returns the outcome of t, whose confirmation is resolved.
func (c *channel) decide(t *try) error {
	acked := t.confirmation.Acked()
	if !acked && c.amqp.IsClosed() {
		// The client resolves everything as not acked when it closes. So this
		// says nothing, and watch is about to tell why.
		<-c.dead
	}
	c.mu.Lock()
	if t.decided {
		c.mu.Unlock()
		return t.result
	}
	c.takeReturns()
	stale := false
	switch why := c.why; {
	case t.returned != nil:
		t.result = t.returned
	case acked:
	case c.isDead() && noExchange(why, t.pending.message.Exchange):
		t.result = fmt.Errorf("%w: %w", ErrUnroutable, why)
	case c.isDead():
		t.result = unknown(why)
	default:
		t.result = ErrRefused
		if c.nackedAt.IsZero() {
			c.nackedAt = time.Now()
		}
		stale = time.Since(c.nackedAt) > time.Second
	}
	if acked {
		c.nackedAt = time.Time{}
	}
	c.remove(t)
	c.mu.Unlock()
	t.pending.finish()
	switch {
	case acked:
		c.sender.acked()
	case stale:
		c.sender.nackedOnly(c)
	}
	return t.result
}

func (c *channel) isDead() bool {
	select {
	case <-c.dead:
		return true
	default:
		return false
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
	for _, t := range c.inflight {
		m := &t.pending.message
		if m.MessageId == r.MessageId && m.Key == r.RoutingKey && m.Exchange == r.Exchange {
			t.returned = &ReturnedError{
				Exchange: r.Exchange, Key: r.RoutingKey, Code: int(r.ReplyCode), Text: r.ReplyText,
			}
		}
	}
}

// retire makes the collector close the AMQP channel once nothing is in flight.
func (c *channel) retire() { c.retireOnce.Do(func() { close(c.retired) }) }

// collect is the collector.
func (c *channel) collect() {
	overdue := time.NewTimer(Timeout)
	defer overdue.Stop()
	retired := c.retired
	for {
		t, idle := c.oldest()
		switch {
		case t != nil:
			c.follow(t, overdue)
			continue
		case idle && retired == nil:
			c.close()
			return
		}
		select {
		case <-c.changed:
		case <-retired:
			retired = nil
		case <-c.written:
			// Dead, and nothing can come any more.
			if t, _ := c.oldest(); t == nil {
				return
			}
		}
	}
}

// oldest returns the oldest message that waits for the broker's word, and
// whether there is nothing at all.
func (c *channel) oldest() (t *try, idle bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.inflight {
		if t.confirmation != nil {
			return t, false
		}
	}
	return nil, len(c.inflight) == 0 && len(c.requests) == 0
}

// follow waits until t is decided, or the broker's time for it is up.
func (c *channel) follow(t *try, overdue *time.Timer) {
	select {
	case <-t.confirmation.Done():
		_ = c.decide(t)
	case <-c.sender.ctx.Done():
		// Close has waited long enough. Closing the AMQP channel resolves
		// everything.
		c.close()
		<-t.confirmation.Done()
		_ = c.decide(t)
	case <-overdue.C:
		// The timer is shared by all messages, and set when it has fired and
		// not for each: what it was set for may be long over.
		if left := Timeout - time.Since(t.sent); left > 0 {
			overdue.Reset(left)
			return
		}
		overdue.Reset(0)
		// New messages should not wait behind it, and a confirm that comes yet
		// is for nobody.
		c.sender.retire(c)
		c.retire()
		c.expire(t)
	}
}

// expire gives up waiting for t.
func (c *channel) expire(t *try) {
	c.mu.Lock()
	if t.decided {
		c.mu.Unlock()
		return
	}
	t.result = errNoConfirm
	c.remove(t)
	c.mu.Unlock()
	t.pending.finish()
	t.told <- struct{}{}
}

func (c *channel) close() {
	_ = c.session.Do(context.Background(), c.amqp.Close)
}
