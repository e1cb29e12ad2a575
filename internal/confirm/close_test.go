package confirm_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/monitoring"
)

func TestCloseOfWhatWasNeverUsed(t *testing.T) {
	conn, err := connection.New("amqp://localhost:1/", connection.Config{})
	must(t, err)
	s := confirm.New(conn, 1)
	must(t, s.Flush(t.Context()))
	must(t, s.Close(after(t, -1)))
	must(t, s.Close(t.Context()))
	if err := s.Send(t.Context(), message("q", "1")); !errors.Is(err, confirm.ErrClosed) {
		t.Errorf("got %v", err)
	}
	must(t, conn.Close(t.Context()))
}

func TestCloseWaitsForWhatIsInFlight(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 64)
		queue := newQueue(t, b, nil)
		before := brokers.Goroutines()
		s := confirm.New(r.conn, 64)
		var all results
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := 0; ; i++ {
					id := fmt.Sprintf("%d-%d", g, i)
					err := s.Send(soon(t), message(queue, id))
					all.add(id, err)
					if errors.Is(err, confirm.ErrClosed) {
						return
					}
					if err != nil {
						t.Errorf("%s: %v", id, err)
					}
					breathe()
				}
			})
		}
		until(t, "some to be confirmed", func() bool { n, _, _ := all.count(); return n > 100 })
		must(t, s.Close(t.Context()))
		wg.Wait()
		until(t, "its goroutines to end", func() bool { return brokers.Goroutines() <= before })
		all.verify(t, ids(t, b, queue))
		must(t, r.Send(soon(t), message(queue, "another Sender's"))) // the connection is not its own
	})
}

// When the context of Close ends, what was begun is unknown, and what was not
// is not sent.
func TestCloseGivesUp(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		for _, patience := range []time.Duration{-1, 50 * time.Millisecond} {
			r := start(t, b, 4)
			queue := newQueue(t, b, nil)
			s := confirm.New(r.conn, 4)
			must(t, s.Send(soon(t), message(queue, "first")))
			r.network.Hold(netproxy.FromBroker)
			var all results
			all.add("first", nil)
			var wg sync.WaitGroup
			for i := range 8 { // 4 of them wait for a slot
				wg.Go(func() {
					id := fmt.Sprint(i)
					all.add(id, s.Send(soon(t), message(queue, id)))
				})
			}
			until(t, "the window to be full", func() bool { return s.Free() == 0 })
			within(t, 3*time.Second, "Close", func() {
				if err := s.Close(after(t, patience)); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Close says %v", err)
				}
			})
			within(t, 3*time.Second, "every result", wg.Wait)
			r.network.Release()
			if _, unknown, other := all.count(); unknown == 0 || other < 4 {
				t.Errorf("%d unknown, %d not sent", unknown, other)
			}
			for id, err := range all.all {
				if err != nil && !errors.Is(err, confirm.ErrClosed) {
					t.Errorf("%s: %v", id, err)
				}
			}
			all.verify(t, ids(t, b, queue))
			must(t, s.Close(t.Context()))
			if err := s.Send(soon(t), message(queue, "never")); !errors.Is(err, confirm.ErrClosed) {
				t.Errorf("got %v", err)
			}
			must(t, r.Send(soon(t), message(queue, "another Sender's")))
		}
	})
}

func TestCloseWhileThereIsNoConnection(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 4)
		queue := newQueue(t, b, nil)
		s := confirm.New(r.conn, 4)
		must(t, s.Send(soon(t), message(queue, "first")))
		r.network.CutAt(netproxy.FromBroker, 1)
		r.network.Cut()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				err := s.Send(soon(t), message(queue, "lost"))
				if !errors.Is(err, confirm.ErrClosed) && !errors.Is(err, confirm.ErrUnknown) {
					t.Errorf("got %v", err)
				}
			})
		}
		until(t, "the connection to be lost", func() bool { return r.conn.Health() != nil })
		for range 8 { // which wait for another
			wg.Go(func() {
				if err := s.Send(soon(t), message(queue, "never")); !errors.Is(err, confirm.ErrClosed) || errors.Is(err, confirm.ErrUnknown) {
					t.Errorf("got %v", err)
				}
			})
		}
		within(t, 3*time.Second, "Close", func() { _ = s.Close(after(t, 50*time.Millisecond)) })
		within(t, 3*time.Second, "every result", wg.Wait)
		r.network.CutAt(netproxy.FromBroker, 0)
	})
}

// If the connection is closed first, everyone is told, and nothing is left.
func TestTheConnectionIsClosedFirst(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		queue := newQueue(t, b, nil)
		before := brokers.Goroutines()
		conn, err := connection.Open(soon(t), b.URL, connection.Config{Monitor: monitoring.Discard{}, Dial: b.Dial})
		must(t, err)
		s := confirm.New(conn, 16)
		var all results
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					id := fmt.Sprintf("%d-%d", g, i)
					err := s.Send(soon(t), message(queue, id))
					if all.add(id, err); errors.Is(err, connection.ErrClosed) && !errors.Is(err, confirm.ErrUnknown) {
						return
					}
					if err != nil && !errors.Is(err, confirm.ErrUnknown) {
						t.Errorf("%s: %v", id, err)
					}
					breathe()
				}
			})
		}
		until(t, "some to be confirmed", func() bool { n, _, _ := all.count(); return n > 100 })
		must(t, conn.Close(t.Context()))
		within(t, 5*time.Second, "every result", wg.Wait)
		until(t, "all goroutines to end, before Close", func() bool { return brokers.Goroutines() <= before })
		must(t, s.Close(t.Context()))
		all.verify(t, ids(t, b, queue))
	})
}

func TestFlush(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 64)
		queue := newQueue(t, b, nil)
		must(t, r.Flush(after(t, -1))) // nothing is in flight
		must(t, r.Send(soon(t), message(queue, "first")))
		must(t, r.Flush(after(t, -1)))
		if n := r.Batches(); n > 0 {
			t.Errorf("%d batches are kept though nothing is in flight", n)
		}

		r.network.Hold(netproxy.FromBroker)
		p, err := r.Begin(soon(t), message(queue, "held"))
		must(t, err)
		cause := errors.New("cause")
		ctx, cancel := context.WithCancelCause(t.Context())
		go cancel(cause)
		if err := r.Flush(ctx); !errors.Is(err, cause) {
			t.Errorf("Flush says %v", err)
		}
		if err := r.Flush(after(t, -1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Flush says %v", err)
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { must(t, r.Flush(soon(t))) })
		}
		r.network.Release()
		wg.Wait()
		if n := r.Batches(); n > 0 {
			t.Errorf("%d batches are kept though nothing is in flight", n)
		}
		must(t, p.Wait(after(t, -1)))
	})
}

// Flush waits for what was begun before, and not for what never ends.
func TestFlushDoesNotWaitForWhatComesLater(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 16)
		queue := newQueue(t, b, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for ctx.Err() == nil {
					must(t, r.Send(soon(t), message(queue, "1")))
				}
			})
		}
		for range 100 {
			must(t, r.Flush(soon(t)))
		}
		cancel()
		wg.Wait()
	})
}
