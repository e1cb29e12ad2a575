package execute

import (
	"context"
	"sync"
	"time"
)

// Deadline is a context with a deadline that starts no timer until someone
// waits for it. Most handlers never do, or only through a network connection
// that takes over the deadline itself; a timer for each message costs five
// times as much.
//
// It behaves like context.WithDeadline in every way that a handler can see,
// context.Cause included; but for one: if the time is up, and then the parent
// ends, before anyone has looked, it says that the parent ended.
type Deadline struct {
	parent context.Context
	at     time.Time

	mu     sync.Mutex
	inner  context.Context // nil until someone waits
	cancel context.CancelFunc
	ended  bool // by End
	byEnd  bool // and by nothing else before
}

// NewDeadline returns a context that ends at the given time, or with parent, or
// when End is called, which must happen.
func NewDeadline(parent context.Context, at time.Time) *Deadline {
	return &Deadline{parent: parent, at: at}
}

// Deadline returns when it ends.
func (d *Deadline) Deadline() (time.Time, bool) {
	if at, ok := d.parent.Deadline(); ok && at.Before(d.at) {
		return at, true
	}
	return d.at, true
}

// Done starts the timer, the first time it is called.
func (d *Deadline) Done() <-chan struct{} { return d.real().Done() }

// Err returns why the context has ended, or nil.
func (d *Deadline) Err() error {
	d.mu.Lock()
	inner, ended := d.inner, d.ended
	d.mu.Unlock()
	if inner == nil && !ended && d.parent.Err() == nil && time.Now().Before(d.at) {
		return nil
	}
	return d.real().Err()
}

// Value returns the parent's value for key.
//
// Package context looks for its own cancellable context through Value, with a
// private key that is a *int, when it is asked for a Cause or derives another
// context. It must find the real one. Nobody else's key is likely to be a *int;
// if one is, the answer is still right.
func (d *Deadline) Value(key any) any {
	if _, ok := key.(*int); ok {
		return d.real().Value(key)
	}
	return d.parent.Value(key)
}

// real returns the context that does the work.
func (d *Deadline) real() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inner == nil {
		if d.byEnd {
			d.inner, d.cancel = context.WithCancel(context.WithoutCancel(d.parent))
		} else {
			d.inner, d.cancel = context.WithDeadline(d.parent, d.at)
		}
		if d.ended {
			d.cancel()
		}
	}
	return d.inner
}

// End ends the context and releases what it holds.
func (d *Deadline) End() {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.ended:
	case d.cancel != nil:
		d.cancel()
	default:
		d.byEnd = d.parent.Err() == nil && !d.Expired()
	}
	d.ended = true
}

// Expired tells whether the time is up, whatever ended the context first.
func (d *Deadline) Expired() bool { return !time.Now().Before(d.at) }
