// Package confirm publishes messages and waits for the broker's word.
//
// A publish can end in more ways than two. The broker may take the message,
// return it because no queue is bound (and then confirm it all the same), refuse
// it, or die before it says anything, and then nobody knows. This package tells
// them apart, also when thousands are in flight on one channel, and is the only
// place of Warren that publishes.
package confirm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/warren-mq/warren/connection"
)

// Timeout is how long the broker has to confirm one message before its outcome
// is unknown. After the loss of a quorum, confirms were seen to come up to 27 s
// late.
const Timeout = 30 * time.Second

// Sender publishes on the publishing connection of a connection.Connection, on
// one channel at a time, and opens another when that one dies. It is safe for
// concurrent use.
type Sender struct {
	conn   *connection.Connection
	window int

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // goroutines of channels

	mu      sync.Mutex
	closed  bool
	live    *channel
	opening chan struct{} // not nil while someone opens a channel
	batches []*batch      // what Flush waits for; the last one grows
	suspect suspicion
}

// suspicion is how far a Sender went against nothing but nacks. A channel that
// was opened just after a queue's leader died can be nacked for ever, on
// RabbitMQ 3.10; another channel, or else another node, cures it. But a queue
// that is full nacks as well, so nobody is bothered twice before the next ack.
type suspicion int

const (
	trusting   suspicion = iota
	newChannel           // another channel was opened
	newNode              // the session was failed
)

// batch counts messages in flight, so that Flush waits for those before it and
// not for those that come later.
type batch struct {
	n    int
	last bool          // no more will be added
	done chan struct{} // closed when n is 0 and last
}

// New returns a Sender that has at most window messages in flight.
func New(conn *connection.Connection, window int) *Sender {
	s := &Sender{conn: conn, window: window}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Send publishes m and waits for the broker's word until ctx ends. It returns
// nil if the broker has the message, or an error that is one of this package's
// or of package connection, or that wraps the error of ctx. Unless the error is
// an ErrUnknown, the broker does not have the message.
func (s *Sender) Send(ctx context.Context, m Message) error {
	p, err := s.Begin(ctx, m)
	if err != nil {
		return err
	}
	return p.Wait(ctx)
}

// Begin queues m to be published, as soon as fewer than window are in flight.
// Pending.Wait must be called on what it returns, once.
func (s *Sender) Begin(ctx context.Context, m Message) (*Pending, error) {
	p := &Pending{sender: s, message: m}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, ErrClosed
	}
	if len(s.batches) == 0 || s.batches[len(s.batches)-1].last {
		s.batches = append(s.batches, &batch{done: make(chan struct{})})
	}
	p.batch = s.batches[len(s.batches)-1]
	p.batch.n++
	s.mu.Unlock()
	if err := p.enqueue(ctx); err != nil {
		p.finish()
		return nil, err
	}
	return p, nil
}

// channel returns the live channel, or opens one.
func (s *Sender) channel(ctx context.Context) (*channel, error) {
	for {
		s.mu.Lock()
		if c := s.live; c != nil {
			s.mu.Unlock()
			return c, nil
		}
		if s.ctx.Err() != nil {
			s.mu.Unlock()
			return nil, ErrClosed
		}
		opening := s.opening
		mine := opening == nil
		if mine {
			opening = make(chan struct{})
			s.opening = opening
			s.wg.Add(1) // under mu, and before Close waits
		}
		s.mu.Unlock()
		if mine {
			return s.openLive(ctx, opening)
		}
		select {
		case <-opening:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// openLive opens the channel that everyone then uses, and closes opening. If it
// fails, one of those who wait for it tries next.
func (s *Sender) openLive(ctx context.Context, opening chan struct{}) (*channel, error) {
	defer s.wg.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(ErrClosed) })()
	c, err := s.open(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opening = nil
	close(opening)
	if err != nil {
		return nil, err
	}
	if s.ctx.Err() != nil {
		c.retire()
		return nil, ErrClosed
	}
	select {
	case <-c.dead: // already; watch has retired it before it was live
	default:
		s.live = c
	}
	return c, nil
}

// open opens a channel and tries again, on another session, while the broker
// does not let it, until ctx ends.
func (s *Sender) open(ctx context.Context) (*channel, error) {
	wait := 50 * time.Millisecond
	for {
		session, err := s.conn.Session(ctx, connection.Publish)
		if err != nil {
			return nil, err
		}
		c, err := s.openOn(ctx, session)
		if err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w (last error: %w)", context.Cause(ctx), err)
		}
		select { // one that cannot open channels is not to be asked in a loop
		case <-session.Done():
		case <-time.After(wait):
			wait = min(2*wait, 5*time.Second)
		case <-ctx.Done():
		}
	}
}

// retire takes c out of use for new messages. What is in flight on it goes on.
func (s *Sender) retire(c *channel) {
	s.mu.Lock()
	if s.live == c {
		s.live = nil
	}
	s.mu.Unlock()
}

// acked and nacked keep the suspicion; see there.
func (s *Sender) acked() {
	s.mu.Lock()
	s.suspect = trusting
	s.mu.Unlock()
}

func (s *Sender) nackedOnly(c *channel) {
	s.mu.Lock()
	if s.suspect < newNode {
		s.suspect++
	} else {
		s.mu.Unlock()
		return
	}
	step := s.suspect
	if s.live == c {
		s.live = nil
	}
	s.mu.Unlock()
	c.retire()
	if step == newNode {
		c.session.Fail(errors.New("the node refuses every message"))
	}
}

// Flush waits until the outcome of every message that was begun before is
// known, or ctx ends.
func (s *Sender) Flush(ctx context.Context) error {
	s.mu.Lock()
	waiting := make([]*batch, len(s.batches))
	copy(waiting, s.batches)
	for _, b := range waiting {
		if !b.last {
			b.last = true
			if b.n == 0 {
				close(b.done)
			}
		}
	}
	s.sweep()
	s.mu.Unlock()
	for _, b := range waiting {
		select {
		case <-b.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// sweep forgets finished batches. The caller holds mu.
func (s *Sender) sweep() {
	kept := s.batches[:0]
	for _, b := range s.batches {
		if !b.last || b.n > 0 {
			kept = append(kept, b)
		}
	}
	s.batches = kept
}

// Close refuses further messages, waits until the outcome of those in flight is
// known, or ctx ends, and closes the channel. It waits for every goroutine. The
// error is that of ctx; what was in flight then is unknown.
func (s *Sender) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	err := s.Flush(ctx)
	s.cancel()
	s.mu.Lock()
	c := s.live
	s.live = nil
	s.mu.Unlock()
	if c != nil {
		c.retire()
	}
	s.wg.Wait()
	return err
}
