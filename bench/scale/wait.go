package main

import (
	"context"
	"sync/atomic"
)

// failure ends a measurement with the first thing that goes wrong in it: a figure of a run with a lost connection, or
// a message in the error queue, would be one of something else.
type failure struct{ stop context.CancelCauseFunc }

// failing returns a context that ends with the first failure that is noted.
func failing(ctx context.Context) (context.Context, *failure) {
	ctx, stop := context.WithCancelCause(ctx)
	return ctx, &failure{stop}
}

func (f *failure) note(err error) { f.stop(err) }

// counter waits for the last of so many.
type counter struct {
	left atomic.Int64
	done chan struct{}
}

func newCounter(n int) *counter {
	c := &counter{done: make(chan struct{})}
	c.left.Store(int64(n))
	return c
}

// one counts. It is called by many at once.
func (c *counter) one() {
	if c.left.Add(-1) == 0 {
		close(c.done)
	}
}

func (c *counter) wait(ctx context.Context) error { return either(ctx, c.done) }

// either waits for done, or returns why ctx ended before.
func either(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
