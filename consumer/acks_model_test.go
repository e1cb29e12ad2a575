package consumer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// fakeBroker is what a broker knows of one channel: what it has delivered and has no word about. It answers as RabbitMQ
// does, and checks what the consumer promises.
type fakeBroker struct {
	tb testing.TB

	mu          sync.Mutex
	outstanding []uint64        // delivered, in order
	settled     map[uint64]bool // the application is done with it; false: it is being handed back, or rejected
	acked       map[uint64]bool
	nacked      map[uint64]bool
	rejected    map[uint64]bool
	frames      int
	broken      bool // the channel has ended
	freed       chan struct{}
}

func newFakeBroker(tb testing.TB) *fakeBroker {
	return &fakeBroker{
		tb: tb, settled: map[uint64]bool{}, acked: map[uint64]bool{}, nacked: map[uint64]bool{}, rejected: map[uint64]bool{},
		freed: make(chan struct{}, 1),
	}
}

var errBroken = errors.New("the channel has ended")

func (b *fakeBroker) Ack(tag uint64, multiple bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.frames++
	if b.broken {
		return errBroken
	}
	covered, rest := b.collect(tag, multiple)
	for _, tag := range covered {
		if done, word := b.settled[tag]; !done || !word {
			b.tb.Errorf("delivery %d is acknowledged, and its handler has not said so", tag)
		}
		b.acked[tag] = true
	}
	b.free(rest)
	return nil
}

func (b *fakeBroker) Nack(tag uint64, multiple, requeue bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.frames++
	if b.broken {
		return errBroken
	}
	if multiple || !requeue {
		b.tb.Errorf("nack of %d: multiple %v, requeue %v", tag, multiple, requeue)
	}
	covered, rest := b.collect(tag, false)
	for _, tag := range covered {
		b.nacked[tag] = true
	}
	b.free(rest)
	return nil
}

func (b *fakeBroker) Reject(tag uint64, requeue bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.frames++
	if b.broken {
		return errBroken
	}
	if requeue != (tag%2 == 0) {
		b.tb.Errorf("reject of %d: requeue %v", tag, requeue)
	}
	covered, rest := b.collect(tag, false)
	for _, tag := range covered {
		b.rejected[tag] = true
	}
	b.free(rest)
	return nil
}

// collect splits what is outstanding as RabbitMQ does. A tag that it does not find ends the channel (406), and every
// message of the channel is delivered again.
func (b *fakeBroker) collect(tag uint64, multiple bool) (covered, rest []uint64) {
	for i, t := range b.outstanding {
		switch {
		case t == tag:
			return append(covered, t), append(rest, b.outstanding[i+1:]...)
		case multiple:
			covered = append(covered, t)
		default:
			rest = append(rest, t)
		}
	}
	b.tb.Errorf("PRECONDITION_FAILED - unknown delivery tag %d (multiple: %v)", tag, multiple)
	return nil, b.outstanding
}

func (b *fakeBroker) free(rest []uint64) {
	b.outstanding = rest
	select {
	case b.freed <- struct{}{}:
	default:
	}
}

// note says that a delivery is settled, or else about to be handed back.
func (b *fakeBroker) note(tag uint64, settled bool) {
	b.mu.Lock()
	b.settled[tag] = settled
	b.mu.Unlock()
}

// deliver delivers the next message, once fewer than window are outstanding.
func (b *fakeBroker) deliver(tag uint64, window int) {
	for {
		b.mu.Lock()
		if len(b.outstanding) < window {
			b.outstanding = append(b.outstanding, tag)
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		select {
		case <-b.freed:
		case <-time.After(5 * time.Second):
			b.tb.Errorf("delivery %d cannot come: the window of %d is full, and nobody acknowledges", tag, window)
			return
		}
	}
}

// A consumer's life with its acknowledgements, in many random interleavings: workers settle, hand back or reject what they
// are given in any order and at any pace, the window changes, and the dispatcher flushes when the timer says so.
func TestAcksAgainstABroker(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 0))
			workers := 1 + r.IntN(9)
			window := workers + r.IntN(2*workers+1)
			const messages = 400
			handsBack, rejects, slow := r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0

			broker := newFakeBroker(t)
			a := newAcks(broker, window, workers)
			deliveries := make(chan uint64)
			jobs := make(chan uint64)
			go func() {
				defer close(deliveries)
				for tag := uint64(1); tag <= messages; tag++ {
					broker.deliver(tag, window)
					deliveries <- tag
				}
			}()
			var pool sync.WaitGroup
			for w := range workers {
				pool.Go(func() {
					r := rand.New(rand.NewPCG(seed, uint64(w)+1))
					for tag := range jobs {
						if slow && r.IntN(50) == 0 {
							time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
						} else {
							time.Sleep(time.Duration(r.IntN(300)) * time.Microsecond)
						}
						if handsBack && r.IntN(5) == 0 {
							broker.note(tag, false)
							if !a.handBack(tag) {
								t.Errorf("%d is not handed back", tag)
							}
							continue
						}
						if rejects && r.IntN(5) == 0 {
							broker.note(tag, false)
							if !a.reject(tag, tag%2 == 0) {
								t.Errorf("%d is not rejected", tag)
							}
							continue
						}
						broker.note(tag, true)
						if !a.done(tag) {
							t.Errorf("%d is late", tag)
						}
					}
				})
			}
			// The dispatcher.
			for deliveries := (<-chan uint64)(deliveries); deliveries != nil; {
				select {
				case tag, ok := <-deliveries:
					if !ok {
						deliveries = nil
						continue
					}
					a.received(tag)
					for given := false; !given; {
						select {
						case jobs <- tag:
							given = true
						case <-a.timer.C:
							a.flush()
						}
					}
					if tag == messages/2 {
						a.resize(window, workers) // as a new subscription does
					}
				case <-a.timer.C:
					a.flush()
				}
			}
			close(jobs)
			pool.Wait()
			a.hurry()
			open := a.close()
			broker.mu.Lock()
			defer broker.mu.Unlock()
			if open != 0 || len(broker.outstanding) > 0 || len(broker.acked)+len(broker.nacked)+len(broker.rejected) != messages {
				t.Errorf("%d open; the broker has no word about %v; %d acked, %d handed back, %d rejected",
					open, broker.outstanding, len(broker.acked), len(broker.nacked), len(broker.rejected))
			}
			notGone := func(s ackState) bool { return s != ackGone }
			if a.first+uint64(len(a.entries)) != messages+1 || slices.ContainsFunc(a.entries, notGone) || len(a.settled) != 0 || a.waiting != 0 {
				t.Errorf("left: first %d, %d entries, settled %v, %d waiting", a.first, len(a.entries), a.settled, a.waiting)
			}
		})
	}
}

// Whatever is settled is acknowledged within the delay, though nothing else happens.
func TestAcksLeaveNothingBehind(t *testing.T) {
	broker := newFakeBroker(t)
	a := newAcks(broker, 100, 1)
	for tag := uint64(1); tag <= 40; tag++ {
		broker.deliver(tag, 100)
		a.received(tag)
	}
	for _, tag := range []uint64{3, 4, 1} {
		broker.note(tag, true)
		a.done(tag)
	}
	if broker.frames != 0 {
		t.Errorf("%d frames before the time", broker.frames)
	}
	began := time.Now()
	<-a.timer.C
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
	a.flush()
	if len(broker.acked) != 3 || broker.frames != 3 {
		t.Errorf("acknowledged %v in %d frames", broker.acked, broker.frames)
	}
}

// Grouped over the prefix, singly behind it: as few frames as possible, and nobody waits for a slow handler.
func TestAcksGroup(t *testing.T) {
	for _, test := range []struct {
		name    string
		settled []uint64
		frames  int
	}{
		{"the whole prefix", []uint64{3, 1, 2, 5, 4}, 1},
		{"one", []uint64{1}, 1},
		{"behind a slow one", []uint64{2, 3, 4}, 3},
		{"both sides of a slow one", []uint64{1, 2, 4, 5}, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			broker := newFakeBroker(t)
			a := newAcks(broker, 100, 1)
			for tag := uint64(1); tag <= 10; tag++ {
				broker.deliver(tag, 100)
				a.received(tag)
			}
			for _, tag := range test.settled {
				broker.note(tag, true)
				a.done(tag)
			}
			a.flush()
			if len(broker.acked) != len(test.settled) || broker.frames != test.frames {
				t.Errorf("acknowledged %v in %d frames", broker.acked, broker.frames)
			}
			if !a.handBack(9) || !a.handBack(10) || !a.reject(8, true) {
				t.Error("not handed back, or not rejected")
			}
			if frames, returns := a.written(); frames != test.frames+1 || returns != 2 {
				t.Errorf("it counts %d frames, %d returns", frames, returns)
			}
			if frames, returns := a.written(); frames != 0 || returns != 0 {
				t.Errorf("it counts %d frames, %d returns again", frames, returns)
			}
			a.hurry() // and then at once
			broker.note(7, true)
			if a.done(7); !broker.acked[7] {
				t.Error("not acknowledged at once")
			}
			if open := a.close(); open != 10-4-len(test.settled) {
				t.Errorf("%d open", open)
			}
		})
	}
}

// One slow handler, and a window that is nearly used up: what is settled must free it at once.
func TestAcksFreeTheWindowInTime(t *testing.T) {
	for _, test := range []struct {
		name            string
		window, workers int
		delivered       uint64
		settled         uint64 // tags from 2 on; 1 is slow
		acked           int
	}{
		{"half of the window is settled", 16, 8, 16, 8, 8},
		{"less than that", 16, 8, 16, 7, 0},
		{"workers could run out of work", 10, 8, 10, 3, 3},
		{"not yet", 10, 8, 10, 2, 0},
		{"half of the window is free", 12, 8, 6, 3, 0},
		{"less than that is free", 12, 8, 7, 3, 1},
		{"a window of one", 1, 1, 1, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			broker := newFakeBroker(t)
			a := newAcks(broker, 1000, 1)
			a.resize(test.window, test.workers)
			for tag := range test.delivered {
				broker.deliver(tag+1, test.window)
				a.received(tag + 1)
			}
			for tag := range test.settled {
				broker.note(tag+2, true)
				a.done(tag + 2)
			}
			if len(broker.acked) != test.acked {
				t.Errorf("acknowledged are %v", broker.acked)
			}
			if open := a.close(); open != int(test.delivered)-test.acked {
				t.Errorf("%d open", open)
			}
		})
	}
}

// After the end of its channel, nothing is sent and nothing breaks; the outcomes count as late.
func TestAcksAfterTheEnd(t *testing.T) {
	broker := newFakeBroker(t)
	a := newAcks(broker, 4, 2)
	for tag := uint64(1); tag <= 4; tag++ {
		broker.deliver(tag, 4)
		a.received(tag)
	}
	broker.mu.Lock()
	broker.broken = true
	broker.mu.Unlock()
	if a.handBack(4) || a.reject(4, true) {
		t.Error("handed back, or rejected, on a channel that has ended")
	}
	a.done(1)
	a.done(2) // the frame fails
	open := a.close()
	frames := broker.frames
	if a.done(3) || a.handBack(3) || a.reject(3, true) {
		t.Error("an outcome counts after the end")
	}
	a.flush()
	a.hurry()
	if broker.frames != frames {
		t.Error("frames are sent after the end")
	}
	if open < 2 || a.late != 1 {
		t.Errorf("%d open, %d late", open, a.late)
	}
}
