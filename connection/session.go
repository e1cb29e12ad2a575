package connection

import (
	"context"
	"errors"
	"fmt"
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
	out     *gatherer // what the client writes to
	sock    *socket   // below it
	address string
	version string
	born    time.Time
	took    time.Duration // the dial

	closed <-chan *amqp.Error
	blocks <-chan amqp.Blocking

	failed chan struct{} // closed by the first Fail
	done   chan struct{} // closed when the AMQP connection has ended

	mu    sync.Mutex
	cause error          // why Warren ended it, or why it ended
	ended bool           // no new calls
	calls sync.WaitGroup // goroutines of Do
}

// blockade is the time while the broker takes no messages.
type blockade struct {
	reason string // the broker's
	since  time.Time
	over   chan struct{} // closed at its end
}

func newSession(l *link, conn *amqp.Connection, out *gatherer, sock *socket, address string) *Session {
	version, _ := conn.Properties["version"].(string)
	sock.silent.Store(int64(conn.Config.Heartbeat * 3 / 2)) // as the client does it
	return &Session{
		link: l, conn: conn, out: out, sock: sock, address: address, version: version, born: time.Now(),
		// As early as possible: what ends before is an end without a reason.
		closed: conn.NotifyClose(make(chan *amqp.Error, 1)),
		blocks: conn.NotifyBlocked(make(chan amqp.Blocking, 8)),
		failed: make(chan struct{}), done: make(chan struct{}),
	}
}

// watch follows the AMQP connection to its end. It is the only reader of both
// channels and never leaves them unread: a full one would stop the client's
// reader for seconds.
func (s *Session) watch() {
	var why *amqp.Error
	closed, blocks, failed := s.closed, s.blocks, s.failed
	for closed != nil || blocks != nil {
		select {
		case e, ok := <-closed:
			if !ok {
				closed = nil
				continue
			}
			why = e
			if s.sock.silence() == nil {
				s.out.finish() // or the client's answer is lost
			}
			// The client is about to close it as well, but over TLS it says
			// goodbye first, and that to a broker that may not be listening.
			s.hangUp()
		case b, ok := <-blocks:
			if !ok {
				blocks = nil
				continue
			}
			s.block(b)
		case <-failed:
			failed = nil
			s.abort()
		}
	}
	s.end(why)
	close(s.done)
	s.calls.Wait() // each ends with the connection
}

// end notes what ended the AMQP connection.
func (s *Session) end(why *amqp.Error) {
	silence := s.sock.silence()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	switch {
	case s.cause != nil:
	case unreadable(why):
		s.cause = fmt.Errorf("%w: %w", ErrUnreadable, why)
	case why == nil:
		// It ended before anyone listened. It was not the application.
		s.cause = errLost
	case silence != nil && !why.Server:
		s.cause = fmt.Errorf("%w: %w", silence, why)
	default:
		s.cause = why
	}
}

func (s *Session) block(b amqp.Blocking) {
	now := s.sock.blocked.Load()
	switch {
	case b.Active && now == nil:
		s.sock.blocked.Store(&blockade{reason: b.Reason, since: time.Now(), over: make(chan struct{})})
		s.link.observe(monitoring.Blocked{Name: s.link.name, Address: s.address, Reason: b.Reason})
	case !b.Active && now != nil:
		s.sock.blocked.Store(nil)
		close(now.over)
		s.link.observe(monitoring.Unblocked{
			Name: s.link.name, Address: s.address, After: time.Since(now.since),
		})
	}
}

// Done is closed when the AMQP connection has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err returns nil while the AMQP connection lives, and then what ended it:
// [ErrClosed] if the application closed it, what was given to Fail, an error
// that wraps [ErrUnreadable], or mostly one that wraps an *amqp091.Error.
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

// Heartbeat returns how often either side shows that it is alive, as both have
// agreed; 0 if neither does.
func (s *Session) Heartbeat() time.Duration { return max(0, s.conn.Config.Heartbeat) }

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
	b := s.sock.blocked.Load()
	if b == nil {
		return nil, nil
	}
	return b.over, fmt.Errorf("%w: %s", ErrBlocked, b.reason)
}

// Fail ends the session, because of err: for a connection that does not answer,
// or whose node cannot be used. It does not say goodbye, and does not wait. The
// Connection then dials the next address. All but the first call do nothing.
func (s *Session) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause == nil {
		s.cause = err
		close(s.failed)
	}
}

// abort ends the AMQP connection at once. Closing the socket is what ends a
// client that waits in a write, or for an answer. It does not end one whose
// reader is held up by something else: for that, the client's own Close is
// needed, which fails in the socket and then ends everything.
func (s *Session) abort() {
	s.hangUp()
	_ = s.conn.CloseDeadline(time.Now())
}

// hangUp closes the socket at once. What the client writes from then on fails,
// which it could not learn from a gatherer that still accepts.
func (s *Session) hangUp() {
	s.out.abandon()
	_ = s.sock.Close()
}

// close says goodbye until ctx ends, then hangs up, and waits for the end.
func (s *Session) close(ctx context.Context) error {
	s.mu.Lock()
	if s.cause == nil {
		s.cause = ErrClosed
	}
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, func() {
		s.hangUp()
		// A client whose reader is held up by something else than the socket goes
		// on waiting for the answer, until a write fails.
		_ = s.conn.UpdateSecret("", "")
	})
	err := s.conn.Close()
	stop()
	s.hangUp()
	<-s.done
	switch {
	case err == nil, errors.Is(err, amqp.ErrClosed): // or it had ended by itself
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("say goodbye to %s: %w: %w", s.address, errNoAnswer, context.Cause(ctx))
	default:
		return fmt.Errorf("say goodbye to %s: %w", s.address, err)
	}
}
