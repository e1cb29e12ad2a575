package main

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/warren-mq/warren/monitoring"
)

// tally is a monitor that keeps the books: what became of each message. It shows how to write one: a method
// that picks the events it cares about, is safe for many goroutines at once, and returns soon.
type tally struct {
	rest monitoring.Monitor // is told what is not counted
	done chan struct{}      // closed when every message has come to its end

	mu    sync.Mutex
	fates map[string]*fate // by message id
	sums  sums
}

// fate is what has become of one message so far.
type fate struct {
	ours     bool // published by this run; others were left by one that was interrupted
	ended    bool
	retried  int
	deferred int
}

// sums is what has become of all of them.
type sums struct {
	published int // messages of this run
	acked     int // of these
	errored   int // of these
	strangers int // messages that an earlier run had left, and that came to their end now
	open      int // messages without an end, of any run

	failures map[monitoring.Failure]int // how attempts failed that were retried
	defeats  map[string]defeat          // why messages were errored, by fingerprint
	deferred int
	// patient is how many messages were acked at the first attempt although they had been deferred, and overcharged
	// how many used up more attempts than they had failures. With Defer there are none of these.
	patient, overcharged int
	// handedBack and lost are deliveries that came to nothing, since the program was stopped or the broker
	// was away. Their messages come again.
	handedBack, lost int
}

// defeat is a reason for which messages were errored.
type defeat struct {
	count   int
	reason  monitoring.Reason
	example string // the error of the first of them
}

func newTally(rest monitoring.Monitor) *tally {
	return &tally{
		rest:  rest,
		done:  make(chan struct{}),
		fates: make(map[string]*fate),
		sums:  sums{failures: make(map[monitoring.Failure]int), defeats: make(map[string]defeat)},
	}
}

// expect says that a message with this id will be published. It is called for all before the first is.
func (t *tally) expect(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fates[id] = &fate{ours: true}
	t.sums.published++
	t.sums.open++
}

// Observe counts an event, or passes it on.
func (t *tally) Observe(ctx context.Context, e monitoring.Event) {
	if !t.count(e) {
		t.rest.Observe(ctx, e)
	}
}

// count returns whether the event is one that is counted. Each run of the handler ends in one of the first six.
func (t *tally) count(e monitoring.Event) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e := e.(type) {
	case monitoring.Acked:
		if f := t.end(e.Delivery); f != nil && f.ours {
			t.sums.acked++
			if f.deferred > 0 && e.Attempt == 1 {
				t.sums.patient++
			}
		}
	case monitoring.Errored:
		if f := t.end(e.Delivery); f != nil && f.ours {
			t.sums.errored++
			d := t.sums.defeats[e.Fingerprint]
			if d.count++; d.count == 1 {
				d.reason, d.example = e.Reason, fmt.Sprint(e.Err)
			}
			t.sums.defeats[e.Fingerprint] = d
		}
	case monitoring.Retried:
		t.fate(e.Delivery).retried++
		t.sums.failures[e.Failure]++
	case monitoring.Deferred:
		t.fate(e.Delivery).deferred++
		t.sums.deferred++
	case monitoring.HandedBack:
		t.sums.handedBack++
	case monitoring.Lost:
		t.sums.lost++
	case monitoring.Published:
		// publisher.All has told the same.
	default:
		return false
	}
	return true
}

// fate returns the books on one message.
func (t *tally) fate(d monitoring.Delivery) *fate {
	f, known := t.fates[d.MessageID]
	if !known {
		f = &fate{}
		t.fates[d.MessageID] = f
		t.sums.open++
	}
	return f
}

// end closes the books on one message. It returns nil if they are closed: after a lost connection a message may
// come to its end twice.
func (t *tally) end(d monitoring.Delivery) *fate {
	f := t.fate(d)
	if f.ended {
		return nil
	}
	f.ended = true
	if !f.ours {
		t.sums.strangers++
	}
	if f.ours && d.Attempt > f.retried+1 {
		t.sums.overcharged++
	}
	if t.sums.open--; t.sums.open == 0 {
		t.closeOnce()
	}
	return f
}

// closeOnce closes done. A stranger that turns up late may bring open down to zero again.
func (t *tally) closeOnce() {
	select {
	case <-t.done:
	default:
		close(t.done)
	}
}

// now returns the sums so far.
func (t *tally) now() sums {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sums
	s.failures = maps.Clone(s.failures)
	s.defeats = maps.Clone(s.defeats)
	return s
}
