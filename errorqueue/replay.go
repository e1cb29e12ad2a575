package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/internal/header"
)

// ReplayOptions are the options of Replay.
type ReplayOptions struct {
	Options
	// ToOrigin publishes each message with the exchange and key with which it
	// was first published, and not straight to the main queue. Other queues may
	// be bound there, and get it a second time.
	ToOrigin bool
	// Run names this replay, in at most 64 bytes of printable text; empty means
	// a new id. Entries that a replay of this name has published already, and
	// that have failed again, do not match. So a replay ends, and one that was
	// interrupted is resumed with the Run of its Result.
	Run string
}

// ids makes names of replays.
var ids header.IDs

// Replay publishes entries to the main queue, and removes each when the broker
// has confirmed that it is there. Consumers handle it as a message at its first
// attempt. What has failed before is kept, and the next entry says how often it
// was replayed.
//
// Whatever dies on the way leaves a message twice at worst: it is in the main
// queue then, and its entry in the error queue, too. With ErrLost that may be so
// for entries that were Done last: nobody knows which of them the broker has
// removed. Entries of another main queue are not replayed: they fail, and say
// where they belong.
//
// The order is that of the queue. Everything that is seen is held until Replay
// returns; a long one gives back now and then what it leaves. If ctx ends, what
// is on its way gets five more seconds.
//
// The error is about the options, is ctx's cause, or wraps ErrNoQueue, ErrLost
// or ErrWorn. The Result is true in any case. Failed entries are no error.
func (q *Queue) Replay(ctx context.Context, o ReplayOptions) (Result, error) {
	to := Target{Key: q.main}
	a := q.act("replay", to.String(), o.Options)
	if o.ToOrigin {
		a.review.To = "origin"
	}
	if o.Run == "" {
		o.Run = ids.Next(a.began)
	}
	if !isRun(o.Run) {
		return a.finish(ctx, fmt.Errorf("ReplayOptions.Run must be printable text of at most %d bytes: %.80q", header.MaxRun, o.Run))
	}
	a.review.Run = o.Run
	origins := &origins{q: q, asked: map[string]error{}}
	s := &sweep{
		action: a,
		spare:  func(e *Entry) bool { return e.Message.Headers[header.Replay] == any(o.Run) },
		message: func(e *Entry) (confirm.Message, error) {
			to := to
			if o.ToOrigin {
				var err error
				if to, err = origins.of(ctx, e); err != nil {
					return confirm.Message{}, err
				}
			}
			p, err := q.replayed(e, o.Run, time.Now())
			return addressed(to, p), err
		},
	}
	if !o.ToOrigin {
		s.doomed = q.unroutable(ctx, to)
	}
	return a.finish(ctx, s.run(ctx))
}

// origins finds where entries were first published to.
type origins struct {
	q     *Queue
	asked map[string]error // by exchange, why nothing can be published to it
}

// of returns an entry's origin, or why nothing can be published there.
func (o *origins) of(ctx context.Context, e *Entry) (Target, error) {
	to := Target{Exchange: e.OriginExchange, Key: e.OriginKey}
	if to == (Target{}) {
		return to, errors.New("nothing tells with which exchange and key it was first published")
	}
	if to.Exchange == "" {
		return to, nil // the broker returns what has no queue
	}
	err, asked := o.asked[to.Exchange]
	if !asked {
		err = o.q.unroutable(ctx, to)
		o.asked[to.Exchange] = err
	}
	return to, err
}

// isRun tells whether s can name a replay, and be read and typed by people.
func isRun(s string) bool {
	if s == "" || !header.IsRun(s) || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// replayed returns an entry's message as it is published to the main queue.
func (q *Queue) replayed(e *Entry, run string, now time.Time) (amqp.Publishing, error) {
	if e.Queue != "" && e.Queue != q.main {
		return amqp.Publishing{}, fmt.Errorf("it has failed in queue %q, not in %q: replay it there, or move it", e.Queue, q.main)
	}
	p := carry(&e.Message)
	h := p.Headers
	about := e.Source == SourceWarren || h[header.Queue] == any(q.main)
	for name := range h {
		if header.IsOurs(name) && (!about || !staysOnReplay(name)) {
			delete(h, name)
		}
	}
	delete(h, header.RetryAttempts) // or the first failure would be the last
	h[header.Queue] = q.main
	h[header.Attempt] = int64(1)
	h[header.Due] = now.UnixMilli() // it has waited since now, not since it was first published
	h[header.Replays] = int64(e.Replays) + 1
	h[header.Replay] = run
	if e.OriginKey != "" || e.OriginExchange != "" {
		h[header.OriginExchange], h[header.OriginKey] = e.OriginExchange, e.OriginKey
	}
	if _, present := h[header.FirstFailure]; !present && !e.FirstFailure.IsZero() {
		h[header.FirstFailure] = stamp(e.FirstFailure)
	}
	if list := e.history(); len(list) > 0 {
		h[header.Failures] = list
	}
	return p, nil
}

// staysOnReplay tells whether a header of ours goes with the message to its next
// attempt. The rest is about its stay in the error queue, or about waits: one that was
// deferred for too long would be expired at once.
func staysOnReplay(name string) bool {
	switch name {
	case header.Failures, header.FirstFailure, header.Cut, header.Trace, header.OriginExchange, header.OriginKey:
		return true
	}
	return header.IsOriginal(name)
}

// history is what has failed so far, for the next entry.
func (e *Entry) history() []any {
	var list []any
	for _, line := range e.Failures {
		list = append(list, line)
	}
	if e.Reason != "" && (len(list) == 0 || e.Source == SourceBroker) { // which does not write one
		f := header.Failure{At: e.LastFailure, Attempt: e.Attempts, Kind: e.Reason, Text: e.Error}
		list = f.Append(list)
	}
	return list
}
