package faults

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Ledger notes what became of messages. It is safe for concurrent use, and needs two bytes for a message, so that an
// hour of them does not look like a leak.
//
// A message is known by its number, which Publish gives out.
type Ledger struct {
	mu       sync.Mutex
	records  []record
	strange  map[string]int // handled or found, and never published
	last     map[string]int // the newest message of each key that was handled
	disorder []string
	open     int // see Open
	done     int // see Done

	handled  time.Time // the last time
	longest  time.Duration
	mark     time.Time
	marked   bool
	slowest  time.Duration
	watching bool
}

// record is what is known of one message.
type record struct {
	state state
	times uint8 // how often it was handled, 255 at most
}

type state uint8

const (
	confirmed state = 1 << iota // the broker has said that it has it
	errored                     // found in the error queue
	queued                      // found in another queue, at the end
	fatal                       // meant for the error queue
)

// NewLedger returns an empty one.
func NewLedger() *Ledger {
	return &Ledger{strange: map[string]int{}, last: map[string]int{}}
}

// Publish returns the number of a message that is about to be published. If it is doomed, it belongs into the error
// queue, and to be handled would be wrong.
func (l *Ledger) Publish(doomed bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	var r record
	if doomed {
		r.state = fatal
	}
	l.records = append(l.records, r)
	return len(l.records) - 1
}

// Confirm notes that the broker has confirmed a message.
func (l *Ledger) Confirm(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &l.records[n]
	if r.state&(confirmed|fatal) == 0 && !r.seen() {
		l.open++
	}
	r.state |= confirmed
}

// seen says whether the message has come out again.
func (r *record) seen() bool { return r.times > 0 || r.state&(errored|queued) != 0 }

// Handled notes that a handler is about to acknowledge a message. The key is empty where no order is promised.
func (l *Ledger) Handled(id, key string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.watching {
		if !l.handled.IsZero() {
			l.longest = max(l.longest, at.Sub(l.handled))
		}
		l.handled = at
	}
	if l.marked && at.After(l.mark) {
		l.marked = false
		l.slowest = max(l.slowest, at.Sub(l.mark))
	}
	n, r := l.find(id)
	if r == nil {
		return
	}
	if last, known := l.last[key]; key != "" && r.times == 0 {
		if known && n < last {
			l.disorder = append(l.disorder, fmt.Sprintf("%s: %d after %d", key, n, last))
		}
		l.last[key] = max(n, last)
	}
	l.see(r)
	if r.times == 0 {
		l.done++
	}
	if r.times < 255 {
		r.times++
	}
}

// Errored notes that a message was found in the error queue.
func (l *Ledger) Errored(id string) { l.found(id, errored) }

// Queued notes that a message was found in a queue in which it waits for a handler.
func (l *Ledger) Queued(id string) { l.found(id, queued) }

func (l *Ledger) found(id string, where state) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, r := l.find(id); r != nil {
		l.see(r)
		r.state |= where
	}
}

// see counts off a message that is about to be noted as seen.
func (l *Ledger) see(r *record) {
	if r.state&(confirmed|fatal) == confirmed && !r.seen() {
		l.open--
	}
}

// find returns the record of a message, and nil for one that nobody published.
func (l *Ledger) find(id string) (int, *record) {
	n, err := strconv.Atoi(id)
	if err != nil || n < 0 || n >= len(l.records) {
		l.strange[id]++
		return 0, nil
	}
	return n, &l.records[n]
}

// Open returns how many messages are confirmed and not seen again yet, without those that are to end in the error
// queue, which nobody looks into meanwhile.
func (l *Ledger) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// Done returns how many messages were handled. Unlike [Ledger.Verdict] it looks at none of them.
func (l *Ledger) Done() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done
}

// Doomed returns how many messages are confirmed, meant for the error queue, and not seen there yet.
func (l *Ledger) Doomed() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.records {
		if r.state&(confirmed|fatal) == confirmed|fatal && !r.seen() {
			n++
		}
	}
	return n
}

// Watch begins to measure the pauses between handled messages, or ends it.
func (l *Ledger) Watch(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watching = on
	l.handled = time.Time{}
}

// Mark notes when a fault was over: the time until the next handled message counts as what it took to consume again.
func (l *Ledger) Mark(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mark, l.marked = at, true
}

// Verdict is what the checker says of a run.
type Verdict struct {
	// Published is how many messages were given out, and Confirmed how many of them the broker has acknowledged.
	Published, Confirmed int
	// Lost are those that were confirmed and were neither handled nor found in any queue.
	Lost []int
	// Unexpected are ids that were handled or found though nobody published them.
	Unexpected []string
	// Astray are messages that were found in the error queue without having been meant for it, and those that were
	// handled though meant for it.
	Astray []int
	// Disordered tells where a key's messages were not first handled in the order in which they were published.
	Disordered []string
	// Left is how many are still in a queue in which they wait for a handler.
	Left int
	// Handled and Errored are how many were handled, and found in the error queue.
	Handled, Errored int
	// Duplicated is how many were handled more than once, or handled and found in the error queue too.
	Duplicated int
	// Gap is the longest pause between two handled messages, and Back the longest from the end of a fault to the next
	// handled message.
	Gap, Back time.Duration
}

// Verdict says what the ledger amounts to. Messages that are in queues must have been noted before.
func (l *Ledger) Verdict() Verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := Verdict{
		Published: len(l.records), Gap: l.longest, Back: l.slowest,
		Unexpected: slices.Sorted(maps.Keys(l.strange)), Disordered: slices.Clone(l.disorder),
	}
	for n, r := range l.records {
		in := func(s state) bool { return r.state&s != 0 }
		count := func(is bool, what *int) {
			if is {
				*what++
			}
		}
		count(in(confirmed), &v.Confirmed)
		count(in(queued), &v.Left)
		count(in(errored), &v.Errored)
		count(r.times > 0, &v.Handled)
		count(r.times > 1 || r.times > 0 && in(errored), &v.Duplicated)
		if in(confirmed) && !r.seen() {
			v.Lost = append(v.Lost, n)
		}
		if in(errored) != in(fatal) && in(errored) || in(fatal) && r.times > 0 {
			v.Astray = append(v.Astray, n)
		}
	}
	return v
}

// Err returns nil if the verdict is what is promised: nothing lost, nothing made up, nothing in the wrong place or
// order, nothing left.
func (v Verdict) Err() error {
	if len(v.Lost)+len(v.Unexpected)+len(v.Astray)+len(v.Disordered)+v.Left == 0 {
		return nil
	}
	return fmt.Errorf("%d lost %v, %d unexpected %v, %d astray %v, %d out of order %v, %d left in queues",
		len(v.Lost), first(v.Lost), len(v.Unexpected), first(v.Unexpected), len(v.Astray), first(v.Astray),
		len(v.Disordered), first(v.Disordered), v.Left)
}

// first returns so many as people like to read.
func first[T any](list []T) []T { return list[:min(len(list), 10)] }
