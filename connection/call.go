package connection

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Do runs f, which asks the broker something, in a goroutine. It returns what f
// returns or, when ctx ends first, the error of ctx; f then goes on by itself.
//
// If f has not returned after 10 s the session fails: a broker without a quorum
// answers nothing, and reports no error either. One that has blocked the
// connection does not answer, too; then f has 10 s after that.
func (s *Session) Do(ctx context.Context, f func() error) error {
	return s.call(ctx, s.limited(f), func() {})
}

// DoPatiently is Do for a question about what may be at fault by itself, such as
// one queue: the session does not fail for want of an answer. Until there is one,
// the channel that was asked on is of no use.
func (s *Session) DoPatiently(ctx context.Context, f func() error) error {
	return s.call(ctx, f, func() {})
}

// Channel opens a channel. It returns an error if the session has ended or ends
// meanwhile, or does not answer, or if ctx ends.
func (s *Session) Channel(ctx context.Context) (*amqp.Channel, error) {
	return s.Open(ctx, func(*amqp.Channel) error { return nil })
}

// Open opens a channel and runs setup on it, within the 10 s of Do. If setup
// returns an error, or if ctx ends first, the channel is closed once setup has
// returned, and there is an error.
func (s *Session) Open(ctx context.Context, setup func(*amqp.Channel) error) (*amqp.Channel, error) {
	var ch *amqp.Channel
	err := s.call(ctx, s.limited(func() (err error) {
		if ch, err = s.conn.Channel(); err != nil {
			return fmt.Errorf("open a channel on %s: %w", s.address, err)
		}
		if err := setup(ch); err != nil {
			_ = ch.Close()
			return err
		}
		return nil
	}), func() {
		// In the goroutine that has asked: two questions at once on one channel
		// would get each other's answers.
		if ch != nil {
			defer s.expectAnswer()()
			_ = ch.Close()
		}
	})
	if err != nil {
		return nil, err
	}
	return ch, nil
}

// call is DoPatiently; late is called in the goroutine of f after it, if ctx has ended
// and nobody takes what f returns.
func (s *Session) call(ctx context.Context, f func() error, late func()) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.mu.Lock()
	if s.ended {
		defer s.mu.Unlock()
		return s.cause
	}
	s.calls.Add(1)
	s.mu.Unlock()

	var taken atomic.Bool // the result, by the caller; or the caller's leave
	result := make(chan error, 1)
	go func() {
		defer s.calls.Done()
		err := f()
		if taken.Swap(true) {
			late()
			return
		}
		result <- err
	}()
	select {
	case err := <-result:
		return s.lost(err)
	case <-ctx.Done():
		if taken.Swap(true) {
			return s.lost(<-result) // in the same moment
		}
		return context.Cause(ctx)
	}
}

// limited is f, after 10 s of which the session fails.
func (s *Session) limited(f func() error) func() error {
	return func() error {
		defer s.expectAnswer()()
		return f()
	}
}

// expectAnswer fails the session unless what it returns is called in time.
func (s *Session) expectAnswer() (answered func()) {
	var (
		mu    sync.Mutex
		over  bool
		timer *time.Timer
		limit = s.link.config.callTimeout
	)
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(limit, func() {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case over:
		case s.sock.blocked.Load() != nil:
			timer.Reset(limit)
		default:
			s.Fail(fmt.Errorf("%w within %v", errNoAnswer, limit))
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		timer.Stop()
	}
}

// lost says why the connection is gone where the client says just that it is.
func (s *Session) lost(err error) error {
	var e *amqp.Error
	if !errors.As(err, &e) || e.Server {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil {
		return s.cause
	}
	return err
}
