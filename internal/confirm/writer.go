package confirm

import (
	"errors"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
)

// write is the writer: the only one who publishes, so that a caller whose
// context ends does not wait behind a socket that takes nothing. It runs while
// there is something to send, or a channel to send it on.
func (s *Sender) write() {
	var c *channel
	for p := s.next(c); p != nil; p = s.next(c) {
		c = s.send(c, p)
	}
	if c != nil {
		c.leave()
	}
}

// next waits for a message while c can be used. Otherwise it returns nil if
// there is none, and the writer must then return.
func (s *Sender) next(c *channel) *Pending {
	for c != nil && !c.over() {
		select {
		case p := <-s.queue:
			return p
		case <-c.dead:
		case <-c.retired:
		case <-s.ctx.Done():
		}
	}
	s.mu.Lock() // Begin starts another writer, or this one sees what it has queued
	defer s.mu.Unlock()
	select {
	case p := <-s.queue:
		return p
	default:
		s.writing = false
		return nil
	}
}

// send begins p on c, or on the channel that it returns.
func (s *Sender) send(c *channel, p *Pending) *channel {
	for p.state.Load() != takenBack {
		var err error
		if c, err = s.ready(c, p); err != nil {
			p.fail(err)
			return nil
		}
		if c == nil {
			break
		}
		if c.session.FrameMax() < p.frameMax {
			if err := p.message.check(c.session.FrameMax()); err != nil {
				p.fail(err)
				return c
			}
		}
		if c.publish(p) {
			return c
		}
	}
	<-s.slots
	return c
}

// ready waits until it has a channel that takes messages: c, or another. There
// is none if p is taken back meanwhile, and an error if there never will be one.
func (s *Sender) ready(c *channel, p *Pending) (*channel, error) {
	pause := 50 * time.Millisecond
	for {
		if c != nil && c.over() {
			c.leave()
			c = nil
		}
		if s.ctx.Err() != nil {
			return nil, ErrClosed
		}
		if c != nil {
			again, blocked := c.session.Blocked()
			if blocked == nil {
				return c, nil
			}
			select {
			case <-again:
			case <-c.dead:
			case <-c.retired:
			case <-s.ctx.Done():
			}
			continue
		}
		session, err := s.conn.Session(s.ctx, connection.Publish)
		if err != nil {
			if s.ctx.Err() != nil {
				err = ErrClosed
			}
			return nil, err
		}
		if again, blocked := session.Blocked(); blocked != nil {
			// It would not answer, and be taken for dead.
			select {
			case <-again:
			case <-session.Done():
			case <-s.ctx.Done():
			}
			continue
		}
		if c, err = s.open(session); err == nil {
			continue
		}
		if p.state.Load() == takenBack {
			return nil, nil
		}
		select { // one that does not open channels is not to be asked in a loop
		case <-session.Done():
		case <-time.After(pause):
			pause = min(2*pause, 5*time.Second)
		case <-s.ctx.Done():
		}
	}
}

// open opens a channel in confirm mode.
func (s *Sender) open(session *connection.Session) (*channel, error) {
	c := &channel{
		sender: s, session: session,
		changed: make(chan struct{}, 1),
		dead:    make(chan struct{}),
		retired: make(chan struct{}),
		left:    make(chan struct{}),
	}
	var err error
	c.amqp, err = session.Open(s.ctx, func(ch *amqp.Channel) error {
		c.closed = ch.NotifyClose(make(chan *amqp.Error, 1))
		// At most one for each message in flight. When a channel is retired
		// because of some that are overdue, their slots go to the next one.
		c.returns = ch.NotifyReturn(make(chan amqp.Return, 2*cap(s.slots)))
		if err := ch.Confirm(false); err != nil {
			return fmt.Errorf("ask %s for confirms: %w", session.Address(), err)
		}
		return nil
	})
	s.mu.Lock()
	s.openErr = err
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	s.wg.Go(c.collect)
	return c, nil
}

// publish begins p. It returns false if p is certainly not sent, because c has
// died; p is then queued as before.
func (c *channel) publish(p *Pending) bool {
	c.mu.Lock()
	if c.isDead() {
		c.mu.Unlock()
		return false
	}
	if !p.state.CompareAndSwap(queued, begun) {
		c.mu.Unlock()
		<-c.sender.slots
		return true
	}
	// Before it leaves: its return must find it.
	p.channel, p.sent = c, time.Now()
	c.flight.add(p)
	c.writing = true
	c.mu.Unlock()

	m := &p.message
	confirmation, err := c.amqp.PublishWithDeferredConfirm(m.Exchange, m.Key, !m.Optional, false, m.Publishing)

	// The client says ErrClosed only where the frames of the message are not
	// complete: the broker does not have it. Any other error comes from the
	// socket, after some or all of it was written.
	untouched := errors.Is(err, amqp.ErrClosed)
	c.mu.Lock()
	c.writing = false
	switch {
	case p.decided: // given up meanwhile
		untouched = false
	case err == nil:
		p.confirmation = confirmation
		p.told <- struct{}{}
	case untouched:
		c.flight.remove(p)
		p.state.Store(queued)
	default:
		c.giveUp(p, err)
	}
	c.mu.Unlock()
	c.wake()
	if err == nil {
		return true
	}
	if !errors.Is(err, amqp.ErrClosed) && !errors.Is(err, net.ErrClosed) {
		// The client only notices at its next write, and that may be the next
		// message, which would then be unknown as well.
		c.session.Fail(fmt.Errorf("publish: %w", err))
	}
	<-c.dead
	return !untouched
}
