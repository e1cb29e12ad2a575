package consumer

import (
	"slices"
	"sync"
	"time"
)

// acks acknowledges the deliveries of one epoch, several with one frame where
// that is possible: one frame for each costs a third of the throughput.
//
// A frame with "multiple" acknowledges a tag and every earlier one. So it may
// only reach over deliveries that are all settled: a prefix. What is settled
// behind a delivery that is not waits for the same moment, and is then
// acknowledged singly, or one slow handler would take the whole window out of
// use. The moment is at hand when half of the window is settled, or 5 ms have
// passed, or the workers could run out of deliveries.
type acks struct {
	channel acknowledger
	timer   *time.Timer // fires when flush is due

	mu       sync.Mutex
	closed   bool
	eager    bool // acknowledge each at once
	window   int
	workers  int
	first    uint64     // the tag of entries[0]
	entries  []ackState // by tag, from first on
	settled  []uint64   // tags to acknowledge
	waiting  int        // deliveries that are not settled
	flushing bool       // someone writes frames
	late     int        // outcomes that came after the end
	armed    bool       // the timer runs
	spare    []uint64   // for the next settled
	frames   int        // that end a delivery, written since someone has asked
	returns  int        // frames that hand one back, likewise
}

type acknowledger interface {
	Ack(tag uint64, multiple bool) error
	Nack(tag uint64, multiple, requeue bool) error
	Reject(tag uint64, requeue bool) error
}

type ackState uint8

const (
	ackWaiting ackState = iota
	ackSettled          // to be acknowledged
	ackGone             // acknowledged, rejected or handed back
)

// ackDelay is for how long an acknowledgement may wait for others.
const ackDelay = 5 * time.Millisecond

func newAcks(channel acknowledger, window, workers int) *acks {
	a := &acks{channel: channel, window: window, workers: workers, first: 1}
	a.timer = time.NewTimer(time.Hour)
	a.timer.Stop()
	return a
}

// resize follows a change of the subscription.
func (a *acks) resize(window, workers int) {
	a.mu.Lock()
	a.window, a.workers = window, workers
	a.mu.Unlock()
}

// received notes a delivery. Tags count up by one on a channel.
func (a *acks) received(tag uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.first+uint64(len(a.entries)) <= tag {
		a.entries = append(a.entries, ackWaiting)
	}
	a.waiting++
}

// done notes that a delivery is settled, and acknowledges it soon. It returns
// false if the epoch is over, and the broker will deliver the message again.
func (a *acks) done(tag uint64) bool {
	a.mu.Lock()
	if a.closed {
		a.late++
		a.mu.Unlock()
		return false
	}
	a.entries[tag-a.first] = ackSettled
	a.settled = append(a.settled, tag)
	a.waiting--
	now := a.eager || len(a.settled) >= max(1, a.window/2) || a.starving()
	if !now && !a.armed {
		a.armed = true
		a.timer.Reset(ackDelay)
	}
	a.mu.Unlock()
	if now {
		a.flush()
	}
	return true
}

// starving tells whether the workers could run out of deliveries because of
// what is settled and not acknowledged: there are fewer left than workers, and
// the broker may soon send no more. While most of the window is free, waiting
// for others costs nothing. The caller holds mu.
func (a *acks) starving() bool {
	return a.waiting < a.workers && a.waiting+len(a.settled) > a.window/2
}

// handBack puts a delivery back into the queue. It returns false if the epoch
// is over, which does the same.
func (a *acks) handBack(tag uint64) bool {
	return a.refuse(tag, &a.returns, func() error { return a.channel.Nack(tag, false, true) })
}

// reject refuses a delivery: with requeue the broker puts it back into the queue,
// as a failed one, and without it dead-letters it. It returns false if the epoch
// is over, and the broker delivers the message again.
func (a *acks) reject(tag uint64, requeue bool) bool {
	return a.refuse(tag, &a.frames, func() error { return a.channel.Reject(tag, requeue) })
}

// refuse writes the frame that ends a delivery otherwise than an acknowledgement,
// and counts it.
func (a *acks) refuse(tag uint64, count *int, write func() error) bool {
	a.mu.Lock()
	closed := a.closed
	a.mu.Unlock()
	if closed {
		return false
	}
	// First the frame, then the note: while the tag counts as waiting, no frame
	// with "multiple" reaches over it.
	if write() != nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.entries[tag-a.first] = ackGone
	a.waiting--
	*count++
	// A consumer that acknowledges nothing never flushes.
	n := 0
	for n < len(a.entries) && a.entries[n] == ackGone {
		n++
	}
	a.forget(n)
	return true
}

// flush acknowledges what is settled. No lock is held while frames are written;
// one goroutine writes at a time, since a frame with "multiple" for a tag that a
// later one has covered already would be an error that closes the channel.
func (a *acks) flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.armed = false
	if a.flushing {
		return // the one who writes looks again
	}
	a.flushing = true
	for len(a.settled) > 0 && !a.closed {
		tags := a.settled
		a.settled = a.spare[:0]
		upTo, grouped := a.prefix()
		for _, tag := range tags {
			if tag > upTo {
				a.entries[tag-a.first] = ackGone
			}
		}
		a.mu.Unlock()
		frames, err := a.write(tags, upTo, grouped)
		a.mu.Lock()
		a.frames += frames
		a.spare = tags
		if err != nil {
			break // the channel has ended, and the epoch is about to notice
		}
	}
	a.flushing = false
}

// prefix forgets the leading entries that are settled or gone, and returns the
// last settled tag among them and how many they were. The caller holds mu.
func (a *acks) prefix() (upTo uint64, grouped int) {
	n := 0
	for n < len(a.entries) && a.entries[n] != ackWaiting {
		if a.entries[n] == ackSettled {
			upTo = a.first + uint64(n)
			grouped++
		}
		n++
	}
	a.forget(n)
	return upTo, grouped
}

// forget drops the first n entries. The window bounds what is behind, so moving
// it is cheap. The caller holds mu.
func (a *acks) forget(n int) {
	if n == 0 {
		return
	}
	a.first += uint64(n)
	a.entries = slices.Delete(a.entries, 0, n)
}

func (a *acks) write(tags []uint64, upTo uint64, grouped int) (frames int, err error) {
	if grouped > 0 {
		if err := a.channel.Ack(upTo, grouped > 1); err != nil {
			return frames, err
		}
		frames++
	}
	if grouped == len(tags) {
		return frames, nil
	}
	slices.Sort(tags)
	for _, tag := range tags {
		if tag > upTo {
			if err := a.channel.Ack(tag, false); err != nil {
				return frames, err
			}
			frames++
		}
	}
	return frames, nil
}

// written returns how many frames were written since it was last asked.
func (a *acks) written() (frames, returns int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	frames, returns = a.frames, a.returns
	a.frames, a.returns = 0, 0
	return frames, returns
}

// hurry makes every acknowledgement leave at once, from now on.
func (a *acks) hurry() {
	a.mu.Lock()
	a.eager = true
	a.mu.Unlock()
	a.flush()
}

// close ends the epoch's acknowledgements and returns how many deliveries were
// not settled, or not acknowledged yet.
func (a *acks) close() (open int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	a.timer.Stop()
	open = a.waiting + len(a.settled)
	a.settled = nil
	return open
}
