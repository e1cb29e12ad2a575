package connection

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/warren-mq/warren/monitoring"
)

// link keeps one AMQP connection alive. Its goroutine dials, waits for the end
// of the session, and dials again; everyone else looks at its state.
type link struct {
	config  *settings
	purpose Purpose
	name    string // of the connection

	wg     sync.WaitGroup  // run, and the watchers of sessions
	ctx    context.Context //nolint:containedctx // the link's life: it ends with close
	cancel context.CancelFunc

	mu      sync.Mutex
	started bool
	closing bool
	bye     context.Context //nolint:containedctx // that of close, for run; bounds the goodbye
	goodbye error           // what saying goodbye came to
	live    *Session        // nil while there is none
	err     error           // what ended the last session, or the last dial
	refused error           // a refusal by the whole broker
	changed chan struct{}   // closed and replaced at every change of the above
}

func newLink(cfg *settings, p Purpose, name string) *link {
	ctx, cancel := context.WithCancel(context.Background())
	return &link{config: cfg, purpose: p, name: name, ctx: ctx, cancel: cancel, changed: make(chan struct{})}
}

func (l *link) observe(e monitoring.Event) {
	l.config.monitor.Observe(context.Background(), e)
}

// set changes the state and wakes those who wait for it.
func (l *link) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	close(l.changed)
	l.changed = make(chan struct{})
}

// session returns the live session, or waits for it. A refusal does not end the
// wait: the operator may be mending it.
func (l *link) session(ctx context.Context) (*Session, error) {
	return l.wait(ctx, func() error { return nil })
}

// connect waits for the first session, or for a refusal.
func (l *link) connect(ctx context.Context) error {
	_, err := l.wait(ctx, func() error { return l.refused })
	return err
}

// wait starts the link if need be, and waits until there is a session, or stop
// (called under the lock) returns an error, or ctx ends, or the link is closed.
func (l *link) wait(ctx context.Context, stop func() error) (*Session, error) {
	for {
		l.mu.Lock()
		if l.closing {
			l.mu.Unlock()
			return nil, ErrClosed
		}
		if !l.started {
			l.started = true
			l.wg.Go(l.run)
		}
		s, refused, last, changed := l.live, stop(), l.err, l.changed
		l.mu.Unlock()
		if s != nil && s.Err() == nil {
			return s, nil
		}
		if refused != nil {
			return nil, refused
		}
		if s != nil {
			// It has just ended and run will tell; do not return it.
			last = s.Err()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if last != nil {
				return nil, fmt.Errorf("%w (last error: %w)", context.Cause(ctx), last)
			}
			return nil, context.Cause(ctx)
		}
	}
}

func (l *link) health() error {
	l.mu.Lock()
	s, err, started, closing := l.live, l.err, l.started, l.closing
	l.mu.Unlock()
	if s != nil && s.Err() != nil { // run is about to tell
		s, err = nil, s.Err()
	}
	switch {
	case closing:
		return ErrClosed
	case !started:
		return nil // nobody needs it
	case s == nil && err != nil:
		return fmt.Errorf("%w (%s): %w", ErrNotConnected, l.purpose, err)
	case s == nil:
		return fmt.Errorf("%w (%s)", ErrNotConnected, l.purpose)
	}
	_, blocked := s.Blocked()
	return blocked
}

// run is the link's goroutine. It dials the nodes in turn.
func (l *link) run() {
	nodes := l.config.nodes
	d := dialled{verdicts: make([]verdict, len(nodes))}
	for i := 0; l.ctx.Err() == nil; i = (i + 1) % len(nodes) {
		s, err := l.dial(l.ctx, nodes[i])
		var pause time.Duration
		switch {
		case err == nil:
			pause = l.serve(s, &d)
		case l.ctx.Err() == nil:
			pause = l.failed(i, err, &d)
			if isGone(err) {
				l.set(func() { l.closing = true })
				return
			}
		}
		sleep(l.ctx, pause)
	}
}

// isGone tells whether the dialler says that nobody will ever answer again.
func isGone(err error) bool {
	var gone interface{ Gone() bool }
	return errors.As(err, &gone) && gone.Gone()
}

// failed records a dial that failed and returns the wait before the next.
func (l *link) failed(i int, err error, d *dialled) time.Duration {
	address := l.config.nodes[i]
	node, all := d.failed(i, err)
	var op *net.OpError
	switch {
	case node:
		err = &RefusedError{Address: address, Err: err}
	case errors.As(err, &op) && op.Op == "dial":
		// It says what it did, and where.
	default:
		err = fmt.Errorf("dial %s: %w", address, err)
	}
	pause := d.pause(l.config.MinRedial, l.config.MaxRedial)
	if all {
		pause = jitter(l.config.MaxRedial)
	}
	l.set(func() {
		l.err = err
		if l.refused = nil; all {
			l.refused = err
		}
	})
	l.observe(monitoring.DialFailed{
		Name: l.name, Address: address, Err: err, Refused: node, Tries: d.failures, Next: pause,
	})
	return pause
}

// serve lends s out until it ends, and returns the wait before the next dial.
func (l *link) serve(s *Session, d *dialled) time.Duration {
	// Told before anyone can use it, and so before anything that follows from it.
	l.observe(monitoring.Connected{Name: l.name, Address: s.address, Version: s.version, Took: s.took})
	l.wg.Go(s.watch)
	l.set(func() { l.live, l.err, l.refused = s, nil, nil })
	select {
	case <-s.done:
	case <-l.ctx.Done():
		l.mu.Lock()
		bye := l.bye
		l.mu.Unlock()
		l.goodbye = s.close(bye)
	}
	err := s.Err()
	lived := time.Since(s.born)
	l.set(func() { l.live, l.err = nil, fmt.Errorf("connection to %s: %w", s.address, err) })
	told := err
	if errors.Is(err, ErrClosed) {
		told = nil
	}
	l.observe(monitoring.Disconnected{Name: l.name, Address: s.address, Err: told, Lived: lived})
	if d.ended(lived); errors.Is(err, ErrUnreadable) {
		// The same message ends each connection until the broker's delivery
		// limit moves it: growing waits would only make that last longer.
		return jitter(l.config.MinRedial / 2)
	}
	return d.pause(l.config.MinRedial, l.config.MaxRedial)
}

func (l *link) close(ctx context.Context) error {
	l.set(func() { l.closing, l.bye = true, ctx })
	l.cancel()
	l.wg.Wait()
	return l.goodbye // written by run, which has ended
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
