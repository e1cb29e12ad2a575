package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
)

// All returns the entries that f selects, oldest first, one at a time: the
// queue may be of any size. It holds what it has seen, as all calls do, and
// gives it back, in order, when the loop ends or breaks; only then does the loop
// end. So do not sit in it: what has to wait for a person should be collected,
// and looked at after the loop. After 25 minutes it ends by itself.
//
// An error with an entry is one of f.Match about that entry, and the loop goes
// on after it. One without is the last: it wraps ctx's error, [ErrNoQueue],
// [ErrLost] or [ErrWorn]. The queue is as it was in any case.
//
// An entry belongs to the caller.
func (q *Queue) All(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		open := true // the loop
		err := q.each(ctx, f, func(e Entry, err error) bool {
			open = yield(e, err)
			return open
		})
		if err != nil && open {
			yield(Entry{}, q.failed("list", err))
		}
	}
}

// Get returns the entry with that id, as Entry.ID has it; if several have it,
// the first. The error wraps [ErrNotFound], or is as in [Queue.All]. It reads
// the queue from its beginning, and gives back what it has seen.
func (q *Queue) Get(ctx context.Context, id string) (Entry, error) {
	var found *Entry
	err := q.each(ctx, Filter{IDs: []string{id}}, func(e Entry, _ error) bool {
		found = &e
		return false
	})
	switch {
	case found != nil: // what came after does not matter to it
		return *found, nil
	case err == nil:
		err = ErrNotFound
	}
	return Entry{}, fmt.Errorf("get entry %q of %s: %w", id, q.name, err)
}

// each calls do for every entry that f selects, until do returns false, and
// gives everything back, whatever do does.
func (q *Queue) each(ctx context.Context, f Filter, do func(Entry, error) bool) (err error) {
	l := &look{q: q, given: newNoted(), first: true}
	for again := true; again && err == nil; l.first = false {
		again, err = l.once(ctx, f, do)
	}
	return err
}

// look goes through the queue and changes nothing.
type look struct {
	q     *Queue
	first bool  // this is the first pass
	total int   // ready at the beginning
	seen  int   // by all passes
	given noted // what they have given back
	large int   // the largest entry, in bytes
}

// once makes one pass. It returns whether there should be another.
func (l *look) once(ctx context.Context, f Filter, do func(Entry, error) bool) (again bool, err error) {
	p, err := l.q.begin(ctx, l.large)
	if err != nil {
		return false, err
	}
	defer func() {
		if e := p.end(ctx); err == nil {
			err = e
		}
	}()
	known := l.given.known()
	for l.first || l.seen < l.total {
		h, err := p.next(ctx)
		if l.first {
			l.total = max(l.total, p.total)
		}
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case errors.Is(err, errOverfull):
			l.large = p.large
			return true, nil
		case err != nil:
			return false, err
		}
		if known(&h.Message) { // a pass before has shown it
			continue
		}
		l.seen++
		l.given.add(&h.Message)
		selected, err := f.selects(h.Entry)
		if (selected || err != nil) && !do(h.Entry, err) {
			return false, nil
		}
	}
	return false, nil
}
