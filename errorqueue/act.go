package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/warren-mq/warren/monitoring"
)

// Options say which entries are meant, and how to go about it. The zero value
// means all of them, at once.
type Options struct {
	// Filter selects entries.
	Filter Filter
	// Limit is how many entries are taken, at most; 0 means all that match. What
	// comes after them is not looked at.
	Limit int
	// Rate is how many entries are acted upon in a second, at most; 0 means as
	// many as go. It is at least one in ten minutes. Those that were taken from
	// the queue and wait for their turn are held.
	Rate float64
	// DryRun changes nothing: the Result says what would be done, and what could
	// not be.
	DryRun bool
	// Progress, if set, is told how far it is: up to five times a second, and
	// once in the end. It is called from the goroutine of the caller, which waits
	// for it.
	Progress func(Progress)
}

// slowest is the lowest Rate: an entry that waits for its turn is held, and not
// for so long that the broker would take it back.
const slowest = 1.0 / 600

func (o *Options) check() error {
	switch {
	case o.Limit < 0:
		return fmt.Errorf("Options.Limit is %d", o.Limit)
	case math.IsNaN(o.Rate) || o.Rate < 0 || o.Rate > 0 && o.Rate < slowest:
		return fmt.Errorf("Options.Rate is %v; it must be 0, or at least one in ten minutes", o.Rate)
	}
	return nil
}

// Progress says how far a call is. It counts entries.
type Progress struct {
	// Total is how many were ready in the queue at the beginning; 0 for Import.
	Total int
	// Seen is how many were looked at, and Matched how many of these are meant.
	Seen, Matched int
	// Done is how many were acted upon, and Failed for how many that was in vain.
	Done, Failed int
	// Took is the time since the beginning.
	Took time.Duration
	// Blocked says why it does not go on: it wraps connection.ErrBlocked while
	// the broker takes no messages, being short of memory or disk. What is on its
	// way waits; nothing is lost. Nil otherwise.
	Blocked error
}

// Result says what a call has done, also if it returned an error. It counts
// entries: Matched is Done, Failed and Left together.
type Result struct {
	// Seen is how many were looked at, and Matched how many of these were meant.
	Seen, Matched int
	// Done is how many were acted upon.
	Done int
	// Failed is for how many that was in vain, also if Filter.Match could not
	// tell whether they are meant. They are in the error queue.
	Failed int
	// Left is how many were meant and left alone: those of a dry run, and those
	// that an interruption has come before.
	Left int
	// Run names a replay; see ReplayOptions. Empty for other calls.
	Run string
	// Took is how long the call took.
	Took time.Duration
	// Errors say why entries have Failed: the first ten.
	Errors []EntryError
}

// maxErrors is how many errors a Result has, at most.
const maxErrors = 10

// EntryError says why an entry was not acted upon.
type EntryError struct {
	// ID is that of the entry.
	ID string
	// Err is why. If it is a publisher.ErrUnknown the entry stays, and is perhaps
	// at its destination as well. With a publisher.ErrUnroutable there is no such
	// queue, and with a publisher.ErrRefused the queue took it not: mostly it is
	// full.
	Err error
}

// Error names the entry, and says why.
func (e EntryError) Error() string { return fmt.Sprintf("entry %s: %v", e.ID, e.Err) }

// Unwrap returns Err.
func (e EntryError) Unwrap() error { return e.Err }

// action is one call that acts upon entries: it counts, tells how far it is,
// and keeps the rate.
type action struct {
	q      *Queue
	o      Options
	review monitoring.Reviewed
	began  time.Time
	told   time.Time // when Progress was called last
	pace   pace

	Progress
	errors []EntryError
}

// act begins a call. verb is in the words of the audit trail, and to where the
// entries go.
func (q *Queue) act(verb, to string, o Options) *action {
	a := &action{q: q, o: o, began: time.Now(), review: monitoring.Reviewed{
		Queue: q.main, ErrorQueue: q.name, Action: verb, Filter: o.Filter.String(), To: to, By: q.by(), DryRun: o.DryRun,
	}}
	if o.Rate > 0 {
		a.pace.interval = time.Duration(float64(time.Second) / o.Rate)
	}
	return a
}

// finish ends a call, for which err is the reason if it ended early, and tells
// the audit trail.
func (a *action) finish(ctx context.Context, err error) (Result, error) {
	a.Blocked = nil // nothing waits any more
	a.tell()
	if err != nil {
		err = a.q.failed(a.review.Action, err)
	}
	r := Result{
		Seen: a.Seen, Matched: a.Matched, Done: a.Done, Failed: a.Failed, Left: a.Matched - a.Done - a.Failed,
		Run: a.review.Run, Took: a.Took, Errors: a.errors,
	}
	e := a.review
	e.Matched, e.Done, e.Failed, e.Left, e.Took, e.Err = r.Matched, r.Done, r.Failed, r.Left, r.Took, err
	monitoring.All(a.q.config.Monitor).Observe(ctx, e)
	return r, err
}

// progressEvery is how often Progress is called, at most.
const progressEvery = 200 * time.Millisecond

// note tells how far it is, if it is time to.
func (a *action) note() {
	if a.o.Progress != nil && time.Since(a.told) >= progressEvery {
		a.tell()
	}
}

// waits notes, while nothing goes on, whether the broker takes messages.
func (a *action) waits(blocked error) {
	if blocked != nil || a.Blocked != nil {
		a.Blocked = blocked
		a.note()
	}
}

func (a *action) tell() {
	a.told = time.Now()
	a.Took = a.told.Sub(a.began)
	if a.o.Progress != nil {
		a.o.Progress(a.Progress)
	}
}

// fail counts an entry that stays, and why.
func (a *action) fail(id string, err error) {
	a.Failed++
	if len(a.errors) < maxErrors {
		a.errors = append(a.errors, EntryError{ID: id, Err: err})
	}
}

// full tells whether as many entries were taken as may be.
func (a *action) full() bool { return a.o.Limit > 0 && a.Matched >= a.o.Limit }

// fatalError ends the call: it is not about one entry.
type fatalError struct{ error }

func (e fatalError) Unwrap() error { return e.error }

func isFatal(err error) bool { return errors.As(err, new(fatalError)) }
