package consumer

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// state is what everyone may ask, and what the running consumer obeys.
type state struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every change
	ready   chan struct{} // closed while subscribed

	run     *run
	pausing bool // what Pause asks for
	workers int  // what SetWorkers asks for

	paused     bool
	subscribed bool
	since      time.Time // when subscribed was last set
	overloaded bool
	reason     error // why not subscribed
	unreadable bool
	failing    map[*move]*SettleError
}

func (s *state) init(workers int) {
	s.workers = workers
	s.changed, s.ready = make(chan struct{}), make(chan struct{})
	s.failing = map[*move]*SettleError{}
}

// update changes the state, and wakes those who wait for it and the running
// consumer.
func (s *state) update(change func(*state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pausing, workers, was := s.pausing, s.workers, s.snapshot()
	change(s)
	if s.pausing != pausing || s.workers != workers {
		if s.run != nil {
			s.run.wake()
			if s.pausing {
				s.run.interrupt()
			}
		}
	}
	if s.snapshot() != was {
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

type snapshot struct{ running, pausing, paused, subscribed, overloaded bool }

func (s *state) snapshot() snapshot {
	return snapshot{s.run != nil, s.pausing, s.paused, s.subscribed, s.overloaded}
}

func (s *state) start(ctx context.Context, c *Consumer) (*run, error) {
	var r *run
	err := ErrRunning
	s.update(func(s *state) {
		if s.run == nil {
			r, err = newRun(ctx, c, s.workers), nil
			s.run = r
		}
	})
	return r, err
}

func (s *state) finish(r *run, err error) {
	s.setReady(false, nil)
	s.update(func(s *state) {
		s.run, s.paused, s.overloaded, s.unreadable = nil, false, false, false
		clear(s.failing)
	})
	r.err = err
	close(r.done)
}

func (s *state) current() *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run
}

// setReady says whether the consumer is subscribed, or why not.
func (s *state) setReady(subscribed bool, reason error) {
	s.update(func(s *state) {
		switch {
		case subscribed && !s.subscribed:
			close(s.ready)
		case !subscribed && s.subscribed:
			s.ready = make(chan struct{})
		}
		s.subscribed, s.reason, s.since = subscribed, reason, time.Now()
	})
}

// patient is for how long a settlement may fail before Health tells, and a
// subscription must last until nothing is taken for unreadable any more.
const patient = 10 * time.Second

func (s *state) health(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.run == nil:
		return ErrNotRunning
	case s.overloaded:
		return ErrStuck
	case s.unreadable && (!s.subscribed || now.Sub(s.since) < patient):
		return ErrUnreadable
	case s.pausing:
		return ErrPaused
	case !s.subscribed && s.reason != nil:
		return fmt.Errorf("%w: %w", ErrNotReady, s.reason)
	case !s.subscribed:
		return ErrNotReady
	}
	var oldest *SettleError
	for _, e := range s.failing {
		if now.Sub(e.Since) >= patient && (oldest == nil || e.Since.Before(oldest.Since)) {
			oldest = e
		}
	}
	if oldest != nil {
		failure := *oldest
		return &failure
	}
	return nil
}

func (s *state) isSubscribed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.subscribed
}
