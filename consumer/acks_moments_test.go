package consumer

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// hooked is a channel on which something happens while a frame is written.
type hooked struct {
	*fakeBroker
	during func()
	inside atomic.Int32
}

func (h *hooked) write(f func() error) error {
	if h.inside.Add(1) > 1 {
		h.tb.Error("two write at once")
	}
	defer h.inside.Add(-1)
	if during := h.during; during != nil {
		h.during = nil
		during()
	}
	return f()
}

func (h *hooked) Ack(tag uint64, multiple bool) error {
	return h.write(func() error { return h.fakeBroker.Ack(tag, multiple) })
}

func (h *hooked) Nack(tag uint64, multiple, requeue bool) error {
	return h.write(func() error { return h.fakeBroker.Nack(tag, multiple, requeue) })
}

// What is settled while a frame is written goes out after it, by the same hand; and not at all if the frame fails.
func TestAcksWhileOneWrites(t *testing.T) {
	for _, fails := range []bool{false, true} {
		broker := &hooked{fakeBroker: newFakeBroker(t)}
		a := newAcks(broker, 10, 1)
		for tag := uint64(1); tag <= 9; tag++ {
			broker.deliver(tag, 10)
			a.received(tag)
			broker.note(tag, true)
		}
		a.done(1)
		a.done(3)
		a.done(4)
		broker.during = func() {
			for tag := uint64(5); tag <= 9; tag++ { // half of the window
				a.done(tag)
			}
			broker.mu.Lock()
			broker.broken = fails
			broker.mu.Unlock()
		}
		a.flush()
		want, acked := 8, 8 // all but 2, one by one
		if fails {
			want, acked = 1, 0
		}
		if broker.frames != want || len(broker.acked) != acked {
			t.Errorf("fails %v: acknowledged %v in %d frames", fails, broker.acked, broker.frames)
		}
		if frames, _ := a.written(); frames != acked {
			t.Errorf("fails %v: it counts %d frames", fails, frames)
		}
	}
}

// A single frame that fails is the last, too.
func TestAcksBehindASlowOneWhileTheChannelEnds(t *testing.T) {
	broker := newFakeBroker(t)
	a := newAcks(broker, 10, 1)
	for tag := uint64(1); tag <= 4; tag++ {
		broker.deliver(tag, 10)
		a.received(tag)
	}
	a.done(2)
	a.done(3)
	broker.broken = true
	a.flush()
	if frames, _ := a.written(); broker.frames != 1 || frames != 0 {
		t.Errorf("%d frames, %d of them count", broker.frames, frames)
	}
}

// The epoch ends while a delivery is handed back: whether the frame has arrived is unknown, so it does not count.
func TestAcksEndWhileOneIsHandedBack(t *testing.T) {
	broker := &hooked{fakeBroker: newFakeBroker(t)}
	a := newAcks(broker, 10, 1)
	broker.deliver(1, 10)
	a.received(1)
	broker.note(1, false)
	broker.during = func() { a.close() }
	if a.handBack(1) {
		t.Error("it counts")
	}
	if _, returns := a.written(); returns != 0 {
		t.Errorf("%d returns", returns)
	}
}

// The time counts from the first that waits, whatever is settled meanwhile.
func TestAcksDoNotPutEachOtherOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := newFakeBroker(t)
		a := newAcks(broker, 1000, 1)
		for tag := uint64(1); tag <= 100; tag++ {
			broker.deliver(tag, 1000)
			a.received(tag)
			broker.note(tag, true)
		}
		began := time.Now()
		for tag := uint64(1); ; tag++ {
			a.done(tag)
			select {
			case <-a.timer.C:
				if waited := time.Since(began); waited != ackDelay {
					t.Errorf("they wait for %v", waited)
				}
				return
			case <-time.After(ackDelay * 3 / 10):
			}
		}
	})
}

// A consumer may run for years without an ack: one that only rejects, or hands back.
func TestAcksForgetWhatIsRefused(t *testing.T) {
	broker := newFakeBroker(t)
	a := newAcks(broker, 10, 1)
	for tag := uint64(1); tag <= 1000; tag++ {
		broker.deliver(tag, 10)
		a.received(tag)
		broker.note(tag, false)
		if tag%2 == 0 {
			a.reject(tag, true)
		} else {
			a.handBack(tag)
		}
		if len(a.entries) > 0 {
			t.Fatalf("%d deliveries are remembered after %d", len(a.entries), tag)
		}
	}
}
