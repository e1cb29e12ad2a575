package connection

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/warren-mq/warren/monitoring"
)

// link keeps one AMQP connection alive. Its goroutine dials, waits for the end
// of the session, and dials again; everyone else looks at its state.
type link struct {
	config  *settings
	purpose Purpose

	wg     sync.WaitGroup // run, and the watchers of sessions
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	started bool
	closing bool
	bye     context.Context // that of close; bounds the goodbye
	goodbye error           // what saying goodbye came to
	live    *Session        // nil while there is none
	err     error           // what ended the last session, or the last dial
	refused error           // a refusal that was made sure of
	changed chan struct{}   // closed and replaced at every change of the above
}

func newLink(cfg *settings, p Purpose) *link {
	ctx, cancel := context.WithCancel(context.Background())
	return &link{config: cfg, purpose: p, ctx: ctx, cancel: cancel, changed: make(chan struct{})}
}

func (l *link) name() string { return l.config.Name + "/" + l.purpose.String() }

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

// run is the link's goroutine.
func (l *link) run() {
	var (
		at       int // index of the address to dial next
		failures int // in a row
		refusals int // in a row
	)
	for l.ctx.Err() == nil {
		address := l.config.addresses[at%len(l.config.addresses)]
		at++
		s, err := l.dial(l.ctx, address)
		if l.ctx.Err() != nil && s == nil {
			return
		}
		var pause time.Duration
		if err != nil {
			failures++
			pause = l.failed(address, err, failures, &refusals)
		} else {
			refusals = 0
			pause = l.serve(s, &failures)
		}
		sleep(l.ctx, pause)
	}
}

// failed records a dial that failed and returns the wait before the next.
func (l *link) failed(address string, err error, failures int, refusals *int) time.Duration {
	refused, guessed := refusal(err)
	sure := false
	if refused {
		*refusals++
		// Every node must have refused and, where the client only guesses from
		// a closed socket, twice: a dying broker closes it, too.
		need := len(l.config.addresses)
		if guessed {
			need = max(need, 2)
		}
		sure = *refusals >= need
		err = &RefusedError{Address: address, Err: err}
	} else {
		*refusals = 0
		err = fmt.Errorf("dial %s: %w", address, err)
	}
	var pause time.Duration
	switch n := len(l.config.addresses); {
	case sure:
		pause = jitter(l.config.MaxRedial)
	case failures%n != 0:
		pause = 0 // the other nodes first
	default:
		pause = l.config.redial(failures / n)
	}
	l.set(func() {
		l.err = err
		if l.refused = nil; sure {
			l.refused = err
		}
	})
	l.observe(monitoring.DialFailed{
		Name: l.name(), Address: address, Err: err, Refused: refused, Tries: failures, Next: pause,
	})
	return pause
}

// serve lends s out until it ends, and returns the wait before the next dial.
func (l *link) serve(s *Session, failures *int) time.Duration {
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
	l.observe(monitoring.Disconnected{Name: l.name(), Address: s.address, Err: told, Lived: lived})
	switch {
	case lived >= steady:
		*failures = 0
		return jitter(l.config.MinRedial / 4)
	case errors.Is(err, ErrUnreadable):
		// The same message ends each connection until the broker's delivery
		// limit moves it: growing waits would only make that last longer.
		return jitter(l.config.MinRedial / 2)
	default:
		*failures++
		return l.config.redial(*failures)
	}
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
