// Package confirm publishes messages and waits for the broker's word.
//
// A publish can end in more ways than two. The broker may take the message,
// return it because no queue is bound (and then confirm it all the same), refuse
// it, or die before it says anything, and then nobody knows. This package tells
// them apart, also when thousands are in flight on one channel, and is the only
// place of Warren that publishes.
//
// A message is queued by its caller, begun by the writer, of which each [Sender]
// has one, and decided when the broker has answered, by its caller or, where
// that has left, by the collector, of which each AMQP channel has one. What was
// not begun survives the channel and can be taken back; what was begun is in the
// broker's hands.
package confirm

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warren-mq/warren/connection"
)

// Timeout is how long the broker has to confirm one message before its outcome
// is unknown. After the loss of a quorum, confirms were seen to come up to 27 s
// late.
const Timeout = 30 * time.Second

// farewell is how long Close waits for its goroutines after its context has
// ended, and how long a collector waits for the end of its AMQP channel.
const farewell = 200 * time.Millisecond

// Sender publishes on the publishing connection of a connection.Connection, on
// one channel at a time, and opens another when that one dies. It is safe for
// concurrent use.
type Sender struct {
	conn    *connection.Connection
	timeout time.Duration
	session atomic.Pointer[connection.Session] // the last one seen
	slots   chan struct{}                      // one for each message from Begin to its outcome
	queue   chan *Pending                      // what the writer has not seen; has room for every slot

	ctx    context.Context //nolint:containedctx // the Sender's life: it ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // the writer, and the collectors

	mu      sync.Mutex
	closed  bool     // Begin refuses
	writing bool     // the writer runs
	openErr error    // why the last channel could not be opened
	batches []*batch // what Flush waits for; the last one grows
	doubts  doubts
}

// batch counts messages in flight, so that Flush waits for those before it and
// not for those that come later.
type batch struct {
	n    int
	last bool          // no more will be added
	done chan struct{} // closed when n is 0 and last
}

// New returns a Sender that has at most window messages in flight, at least
// one. It does no I/O. A Sender that was used must be closed.
func New(conn *connection.Connection, window int) *Sender {
	s := &Sender{
		conn: conn, timeout: Timeout,
		slots: make(chan struct{}, window), queue: make(chan *Pending, window),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Send publishes m and waits for the broker's word until ctx ends. It returns
// nil if the broker has the message, in every queue that it was routed to.
// Otherwise the error is one of this package's or of package connection, or
// wraps that of ctx. Unless it is an ErrUnknown, the broker does not have the
// message, or not in every queue that it was routed to.
func (s *Sender) Send(ctx context.Context, m Message) error {
	p, err := s.Begin(ctx, m)
	if err != nil {
		return err
	}
	return p.Wait(ctx)
}

// Begin queues m to be published, in the order of the calls. It waits until ctx
// ends for a connection, and while window messages are in flight. An error means
// that m is not sent. Otherwise it is sent sooner or later, also if the
// connection dies before its turn, unless Pending.Wait takes it back. What m
// refers to must not be changed before the outcome is known.
func (s *Sender) Begin(ctx context.Context, m Message) (*Pending, error) {
	if s.ctx.Err() != nil {
		return nil, notSent(ErrClosed)
	}
	if ctx.Err() != nil {
		return nil, s.notSent(ctx)
	}
	session := s.session.Load()
	if session == nil || session.Err() != nil {
		var err error
		if session, err = s.connect(ctx); err != nil {
			return nil, notSent(err)
		}
	}
	frameMax := session.FrameMax()
	if err := m.check(frameMax); err != nil {
		return nil, err
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, s.notSent(ctx)
	case <-s.ctx.Done():
		return nil, notSent(ErrClosed)
	}
	p := &Pending{sender: s, message: m, frameMax: frameMax, told: make(chan struct{}, 2)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		<-s.slots
		return nil, notSent(ErrClosed)
	}
	if len(s.batches) == 0 || s.batches[len(s.batches)-1].last {
		s.batches = append(s.batches, &batch{done: make(chan struct{})})
	}
	p.batch = s.batches[len(s.batches)-1]
	p.batch.n++
	s.queue <- p // has room
	if !s.writing {
		s.writing = true
		s.wg.Go(s.write)
	}
	return p, nil
}

// connect waits for a session until ctx ends, or Close gives up.
func (s *Sender) connect(ctx context.Context) (*connection.Session, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(ErrClosed) })()
	session, err := s.conn.Session(ctx, connection.Publish)
	if err != nil {
		return nil, err
	}
	s.session.Store(session)
	return session, nil
}

// finish takes p out of what Flush waits for.
func (s *Sender) finish(p *Pending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finishLocked(p)
}

func (s *Sender) finishLocked(p *Pending) {
	if p.batch.n--; p.batch.n == 0 && p.batch.last {
		close(p.batch.done)
		s.sweep()
	}
}

// sweep forgets finished batches. The caller holds mu.
func (s *Sender) sweep() {
	kept := s.batches[:0]
	for _, b := range s.batches {
		if !b.last || b.n > 0 {
			kept = append(kept, b)
		}
	}
	clear(s.batches[len(kept):])
	s.batches = kept
}

// notSent says why a message was not sent until ctx ended.
func (s *Sender) notSent(ctx context.Context) error {
	// ctx has ended, so this does not wait. Its error says why there is none.
	session, err := s.conn.Session(ctx, connection.Publish)
	if err != nil {
		return notSent(err)
	}
	s.mu.Lock()
	last := s.openErr
	s.mu.Unlock()
	if _, blocked := session.Blocked(); blocked != nil {
		last = blocked
	}
	if last != nil {
		return notSent(fmt.Errorf("%w: %w", context.Cause(ctx), last))
	}
	return notSent(context.Cause(ctx))
}

func notSent(why error) error { return fmt.Errorf("not sent: %w", why) }

// Flush waits until the outcome of every message that was begun before is
// known, or ctx ends; then it returns the error of ctx.
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
			continue
		default:
		}
		select {
		case <-b.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Close refuses further messages, waits until the outcome of those in flight is
// known, or ctx ends, and closes the channel. If ctx ends first, the error is
// that of ctx, what was not begun is not sent, and what was begun is unknown.
// No goroutine is left, unless one is held up in a write to a broker that does
// not read: that ends with the write's timeout, or with the connection.
func (s *Sender) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	err := s.Flush(ctx)
	s.cancel()
	ended := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		select {
		case <-ended:
		case <-time.After(farewell):
		}
	}
	return err
}
