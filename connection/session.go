package connection

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/monitoring"
)

// Session is one life of one AMQP connection. It is what Warren's own packages
// build on; applications rarely need it. It is safe for concurrent use.
type Session struct {
	link    *link
	conn    *amqp.Connection
	raw     net.Conn
	address string
	version string
	born    time.Time

	done chan struct{} // closed when the AMQP connection has ended

	mu      sync.Mutex
	cause   error          // why Warren ended it, or why it ended
	ended   bool           // no new calls
	calls   sync.WaitGroup // goroutines of Do
	blocked string         // the broker's reason; only if unblocked is not nil
	// unblocked is not nil while the broker takes no messages, and is closed
	// when it takes them again.
	unblocked chan struct{}
	since     time.Time
}

func newSession(l *link, conn *amqp.Connection, raw net.Conn, address, version string, began time.Time) *Session {
	s := &Session{
		link: l, conn: conn, raw: raw, address: address, version: version,
		born: time.Now(), done: make(chan struct{}),
	}
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 8))
	l.observe(monitoring.Connected{Name: l.name(), Address: address, Version: version, Took: time.Since(began)})
	l.wg.Go(func() { s.watch(closed, blocked) })
	return s
}

// watch follows the AMQP connection to its end. It is the only reader of both
// channels and never leaves them unread: a full one would stop the client's
// reader for seconds.
func (s *Session) watch(closed <-chan *amqp.Error, blocked <-chan amqp.Blocking) {
	var why *amqp.Error
	for closed != nil || blocked != nil {
		select {
		case e, ok := <-closed:
			if !ok {
				closed = nil
				continue
			}
			why = e
		case b, ok := <-blocked:
			if !ok {
				blocked = nil
				continue
			}
			s.block(b)
		}
	}
	s.mu.Lock()
	s.ended = true
	switch {
	case s.cause != nil:
	case unreadable(why):
		s.cause = fmt.Errorf("%w: %w", ErrUnreadable, why)
	case why != nil:
		s.cause = why
	default:
		s.cause = ErrClosed
	}
	s.mu.Unlock()
	_ = s.raw.Close()
	close(s.done)
	s.calls.Wait() // each ends with the connection
}

func (s *Session) block(b amqp.Blocking) {
	s.mu.Lock()
	var e monitoring.Event
	switch {
	case b.Active && s.unblocked == nil:
		s.blocked, s.unblocked, s.since = b.Reason, make(chan struct{}), time.Now()
		e = monitoring.Blocked{Name: s.link.name(), Address: s.address, Reason: b.Reason}
	case !b.Active && s.unblocked != nil:
		close(s.unblocked)
		s.unblocked = nil
		e = monitoring.Unblocked{Name: s.link.name(), Address: s.address, After: time.Since(s.since)}
	}
	s.mu.Unlock()
	if e != nil {
		s.link.observe(e)
	}
}

// Done is closed when the AMQP connection has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err returns nil while the AMQP connection lives, and then what ended it:
// [ErrClosed] if the application closed it, what was given to Fail, an error
// that wraps [ErrUnreadable], or an *amqp091.Error.
func (s *Session) Err() error {
	select {
	case <-s.done:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.cause
	default:
		return nil
	}
}

// Address returns the host and port of the node.
func (s *Session) Address() string { return s.address }

// Version returns the broker's version, such as "3.10.8"; it may be empty.
func (s *Session) Version() string { return s.version }

// FrameMax returns how large a frame may be, in bytes. A message's properties
// and headers travel in one frame.
func (s *Session) FrameMax() int {
	if n := s.conn.Config.FrameSize; n > 0 {
		return n
	}
	return frameSize
}

// Blocked returns nil while the broker takes messages, and otherwise an error
// that wraps [ErrBlocked], and a channel that is closed when it takes them
// again. It is not closed when the session ends.
func (s *Session) Blocked() (<-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unblocked == nil {
		return nil, nil
	}
	return s.unblocked, fmt.Errorf("%w: %s", ErrBlocked, s.blocked)
}

// Fail hangs up, because of err: for a connection that does not answer, or
// whose node cannot be used. The Connection then dials the next address.
func (s *Session) Fail(err error) {
	s.mu.Lock()
	if s.cause == nil {
		s.cause = err
	}
	s.mu.Unlock()
	// Closing the socket is what ends a client that waits in a write or for an
	// answer; its own Close would wait behind them.
	_ = s.raw.Close()
}

// Do runs f, which asks the broker something, in a goroutine. It returns what f
// returns or, when ctx ends first, the error of ctx; f then goes on by itself.
// If f has not returned after 10 s the session fails: a broker without a quorum
// answers nothing, and reports no error either.
func (s *Session) Do(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return s.lost(nil)
	}
	s.calls.Add(1)
	s.mu.Unlock()

	result := make(chan error, 1)
	overdue := time.AfterFunc(callTimeout, func() {
		s.Fail(fmt.Errorf("%w within %v", errNoAnswer, callTimeout))
	})
	go func() {
		defer s.calls.Done()
		err := f()
		overdue.Stop()
		result <- err
	}()
	select {
	case err := <-result:
		return s.lost(err)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lost says why the connection is gone where the client says just that it is.
func (s *Session) lost(err error) error {
	if err != nil && !errors.Is(err, amqp.ErrClosed) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.cause != nil && (err != nil || s.ended):
		return s.cause
	case s.ended:
		return amqp.ErrClosed
	}
	return err
}

// Channel opens a channel. It returns an error if the session has ended or ends
// meanwhile, or does not answer, or if ctx ends.
func (s *Session) Channel(ctx context.Context) (*amqp.Channel, error) {
	var (
		mu    sync.Mutex
		ch    *amqp.Channel
		alone bool // the caller has left
	)
	err := s.Do(ctx, func() error {
		opened, err := s.conn.Channel()
		if err != nil {
			return err
		}
		mu.Lock()
		ch = opened
		left := alone
		mu.Unlock()
		if left {
			return opened.Close()
		}
		return nil
	})
	mu.Lock()
	alone = true
	opened := ch
	mu.Unlock()
	if err != nil {
		if opened != nil { // ctx ended in the same moment
			_ = s.Do(context.WithoutCancel(ctx), opened.Close)
		}
		return nil, fmt.Errorf("open a channel on %s: %w", s.address, err)
	}
	return opened, nil
}

// close says goodbye until ctx ends, then hangs up, and waits for the end.
func (s *Session) close(ctx context.Context) error {
	deadline, _ := ctx.Deadline()
	stop := context.AfterFunc(ctx, func() { s.Fail(ErrClosed) })
	defer stop()
	err := s.conn.CloseDeadline(deadline)
	if errors.Is(err, amqp.ErrClosed) {
		err = nil // it had ended by itself
	}
	s.Fail(ErrClosed)
	<-s.done
	return err
}
