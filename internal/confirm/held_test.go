package confirm_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
)

// inBubble runs test on a rabbittest only: for what would take minutes, or cannot be seen from outside.
func inBubble(t *testing.T, test func(t *testing.T, b brokers.Broker)) {
	t.Helper()
	brokers.InBubble(t, rabbittest.Options{}, test)
}

// The broker reads nothing, and the writer is held up in the middle of a message. What is in its hands is unknown, what
// is behind it is not sent, and nobody has to wait longer than they wanted.
func TestAWriterThatIsHeldUp(t *testing.T) {
	inBubble(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 1)
		queue := newQueue(t, b, nil)
		s := confirm.New(r.conn, 2)
		must(t, s.Send(soon(t), message(queue, "first")))
		r.network.Hold(netproxy.ToBroker)
		if err := s.Send(after(t, time.Second), message(queue, "held")); !errors.Is(err, confirm.ErrUnknown) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("what is being written: %v", err)
		}
		var wg sync.WaitGroup
		for range 3 { // one is behind it, two wait for a slot
			wg.Go(func() {
				if err := s.Send(soon(t), message(queue, "never")); !errors.Is(err, confirm.ErrClosed) || errors.Is(err, confirm.ErrUnknown) {
					t.Errorf("what is behind it: %v", err)
				}
			})
		}
		synctest.Wait()
		wg.Go(func() {
			err := s.Send(after(t, time.Second), message(queue, "never"))
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, confirm.ErrUnknown) {
				t.Errorf("who does not wait for the end: %v", err)
			}
		})
		began := time.Now()
		if err := s.Close(after(t, 2*time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close says %v", err)
		}
		if took := time.Since(began); took > 2500*time.Millisecond {
			t.Errorf("Close took %v", took)
		}
		r.network.Cut()
		r.network.Release()
		within(t, time.Second, "every result", wg.Wait)
		if there := ids(t, b, queue); there["first"] != 1 || there["never"] > 0 {
			t.Errorf("in the queue: %v", there)
		}
	})
}

// Nothing is taken any more while Close waits for what is in flight.
func TestCloseTakesNothingMore(t *testing.T) {
	inBubble(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 4)
		queue := newQueue(t, b, nil)
		before := brokers.Goroutines()
		r.network.Delay(netproxy.FromBroker, 50*time.Millisecond, 0)
		b.Test.HoldConfirms()
		p, err := r.Begin(soon(t), message(queue, "1"))
		must(t, err)
		closed := make(chan error)
		go func() { closed <- r.Close(soon(t)) }()
		time.Sleep(time.Second)
		if err := r.Send(soon(t), message(queue, "2")); !errors.Is(err, confirm.ErrClosed) {
			t.Errorf("got %v", err)
		}
		if n := r.Free(); n != 3 {
			t.Errorf("%d slots are free", n)
		}
		b.Test.ReleaseConfirms()
		must(t, <-closed)
		synctest.Wait()
		if now := brokers.Goroutines(); now > before { // one of them closes the channel
			t.Errorf("%d goroutines, and %d before", now, before)
		}
		must(t, p.Wait(soon(t)))
	})
}

// The connection is closed while messages wait for another one. One of them is taken back before that.
func TestTheConnectionIsClosedWhileMessagesWait(t *testing.T) {
	inBubble(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 4)
		must(t, r.Send(soon(t), optional("first")))
		r.network.Hold(netproxy.ToBroker)
		held, err := r.Begin(soon(t), optional("held"))
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		back, err := r.Begin(ctx, optional("back"))
		must(t, err)
		waits, err := r.Begin(soon(t), optional("waits"))
		must(t, err)
		synctest.Wait()
		b.Test.RefuseDials(rabbittest.Always)
		r.network.Cut()
		if err := held.Wait(soon(t)); !errors.Is(err, confirm.ErrUnknown) {
			t.Errorf("what was being written: %v", err)
		}
		synctest.Wait() // for the writer, which has the next in its hands
		cancel()
		if err := back.Wait(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, confirm.ErrUnknown) {
			t.Errorf("what is taken back: %v", err)
		}
		must(t, r.conn.Close(soon(t)))
		if err := waits.Wait(soon(t)); !errors.Is(err, connection.ErrClosed) || errors.Is(err, confirm.ErrClosed) || errors.Is(err, confirm.ErrUnknown) {
			t.Errorf("what waits: %v", err)
		}
		must(t, r.Flush(after(t, time.Second)))
		synctest.Wait() // the writer frees the slots after that
		if n := r.Free(); n != 4 {
			t.Errorf("%d slots are free", n)
		}
	})
}

// When a connection that takes no messages dies, nobody says that it takes them again. What has waited for that goes out
// on the next one, or is told when the Sender is closed.
func TestABlockedConnectionDies(t *testing.T) {
	for _, overdue := range []bool{false, true} { // then there is no channel
		for _, closes := range []bool{false, true} {
			inBubble(t, func(t *testing.T, b brokers.Broker) {
				r := start(t, b, 4)
				r.SetTimeout(time.Minute)
				if overdue {
					r.SetTimeout(time.Second)
				}
				queue := newQueue(t, b, nil)
				var all results
				all.add("first", r.Send(soon(t), message(queue, "first")))
				b.Test.Block("low on memory")
				all.add("begun", r.Send(after(t, 100*time.Millisecond), message(queue, "begun"))) // which makes the broker tell
				late := make(chan error)
				go func() { late <- r.Send(after(t, time.Minute), message(queue, "late")) }()
				time.Sleep(15 * time.Second) // longer than a call may take that the broker does not answer
				if lost := r.lost(); len(lost) > 0 {
					t.Errorf("lost: %v", lost)
				}
				if closes {
					began := time.Now()
					_ = r.Close(after(t, 100*time.Millisecond))
					if took := time.Since(began); took > 250*time.Millisecond {
						t.Errorf("Close took %v", took)
					}
				}
				r.network.Cut()
				b.Test.Unblock()
				err := <-late
				if all.add("late", err); err != nil != closes || closes && !errors.Is(err, confirm.ErrClosed) {
					t.Errorf("closes %v: %v", closes, err)
				}
				all.verify(t, ids(t, b, queue))
			})
		}
	}
}

// A channel lives through an alarm: what follows goes out on it.
func TestAnAlarmCostsNoChannel(t *testing.T) {
	onCounted(t, func(t *testing.T, b *rabbittest.Broker, s *confirm.Sender, opened *[]time.Time) {
		for range 3 {
			must(t, s.Send(t.Context(), optional("1")))
			b.Block("low on disk")
			sent := make(chan error, 4)
			for range cap(sent) {
				go func() { sent <- s.Send(t.Context(), optional("2")) }()
			}
			time.Sleep(time.Second)
			b.Unblock()
			for range cap(sent) {
				must(t, <-sent)
			}
		}
		if n := len(*opened); n != 1 {
			t.Errorf("%d channels were opened", n)
		}
	})
}

// Each message has its own time, and the next ones do not go behind one that was not confirmed in time.
func TestEachMessageHasItsOwnTime(t *testing.T) {
	onCounted(t, func(t *testing.T, b *rabbittest.Broker, s *confirm.Sender, opened *[]time.Time) {
		must(t, s.Send(t.Context(), optional("0")))
		b.HoldConfirms()
		began := time.Now()
		var wg sync.WaitGroup
		for _, at := range []time.Duration{0, time.Second, 1500 * time.Millisecond, 29 * time.Second} {
			wg.Go(func() {
				time.Sleep(at)
				err := s.Send(t.Context(), optional("1"))
				if took := time.Since(began) - at; took != confirm.Timeout || !errors.Is(err, confirm.ErrUnknown) {
					t.Errorf("sent after %v: %v after %v", at, err, took)
				}
			})
		}
		wg.Wait()
		if err := s.Send(t.Context(), optional("2")); !errors.Is(err, confirm.ErrUnknown) {
			t.Errorf("got %v", err)
		}
		if n := len(*opened); n != 2 {
			t.Errorf("%d channels were opened", n)
		}
	})
}

// A channel that is out of use is closed, and a Sender whose connection was closed leaves nothing behind, also if there
// is nothing more to send.
func TestWhatIsIdleIsPutAway(t *testing.T) {
	inBubble(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 4)
		s := confirm.New(r.conn, 4)
		before := brokers.Goroutines()
		must(t, s.Send(soon(t), optional("1")))
		b.Test.HoldConfirms()
		if err := s.Send(after(t, time.Minute), optional("2")); !errors.Is(err, confirm.ErrUnknown) {
			t.Errorf("got %v", err)
		}
		b.Test.ReleaseConfirms()
		time.Sleep(time.Second)
		if now := brokers.Goroutines(); now > before {
			t.Errorf("%d goroutines, and %d before", now, before)
		}
		must(t, s.Send(soon(t), optional("3")))
		b.Test.HoldConfirms()
		p, err := s.Begin(soon(t), optional("4"))
		must(t, err)
		synctest.Wait()
		must(t, r.conn.Close(soon(t)))
		if err := p.Wait(soon(t)); !errors.Is(err, confirm.ErrUnknown) || !errors.Is(err, connection.ErrClosed) {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Second)
		if now := brokers.Goroutines(); now > before {
			t.Errorf("%d goroutines, and %d before", now, before)
		}
		must(t, s.Close(soon(t)))
	})
}

// optional is a message that needs no queue.
func optional(id string) confirm.Message {
	m := message("nobody", id)
	m.Optional = true
	return m
}

// onCounted runs test in a bubble, on a connection that notes when channels are opened.
func onCounted(t *testing.T, test func(t *testing.T, b *rabbittest.Broker, s *confirm.Sender, opened *[]time.Time)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := rabbittest.New(t)
		var opened []time.Time
		conn, err := connection.New(b.URL(), connection.Config{Monitor: monitoring.Discard{}, Dial: counting(b.Dial, &opened)})
		must(t, err)
		s := confirm.New(conn, 16)
		test(t, b, s, &opened)
		must(t, s.Close(t.Context()))
		must(t, conn.Close(t.Context()))
	})
}
