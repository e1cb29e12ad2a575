package publisher_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/publisher"
)

// shaky is a connection whose network is cut after every so many messages, a
// few times.
func shaky(tb testing.TB, every, times int) (*connection.Connection, *diary) {
	tb.Helper()
	net := netproxy.New(brokerOf(tb).Dial)
	events := &diary{}
	n := 0
	events.hook = func(monitoring.Published) {
		if n++; n%every == 0 && n <= every*times {
			net.Cut()
		}
	}
	return open(tb, connection.Config{
		Dial: net.Dial, Monitor: events, MinRedial: 5 * time.Millisecond, MaxRedial: 50 * time.Millisecond,
	}), events
}

// ledger holds what became of each message by its id, and compares it with
// what is on the broker.
type ledger struct {
	mu       sync.Mutex
	outcomes map[string]error
}

func (l *ledger) enter(tb testing.TB, id string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.outcomes == nil {
		l.outcomes = make(map[string]error)
	}
	if _, twice := l.outcomes[id]; twice {
		tb.Errorf("message %s has two results", id)
	}
	l.outcomes[id] = err
}

// compare fails unless each result is true: nil is in the queue, once, unknown
// may be there once, and any other error is not there.
func (l *ledger) compare(tb testing.TB, queue string, want int) (unknown int) {
	tb.Helper()
	there := make(map[string]int)
	for _, d := range drain(tb, queue) {
		there[d.MessageId]++
	}
	for id, err := range l.outcomes {
		n := there[id]
		switch {
		case n > 1:
			tb.Errorf("message %s is there %d times", id, n)
		case err == nil && n == 0:
			tb.Errorf("message %s was confirmed, and is not there", id)
		case errors.Is(err, publisher.ErrUnknown):
			unknown++
		case err != nil && n > 0:
			tb.Errorf("message %s is there, in spite of: %v", id, err)
		}
	}
	if len(l.outcomes) != want {
		tb.Errorf("%d messages have a result, want %d", len(l.outcomes), want)
	}
	return unknown
}

func TestUnroutableInThousandsIsNeverNil(t *testing.T) {
	onBoth(t, func(t on) {
		p := start(t, publisher.Config{})
		missing := rabbitmq.Name(t, "missing")
		const goroutines, each = 8, 1_000
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() {
				for range each {
					if err := p.Publish(t.Context(), missing, 1); !errors.Is(err, publisher.ErrUnroutable) {
						t.Errorf("got %v", err)
					}
				}
			})
		}
		wg.Wait()
	})
}

// Among messages that are routable, and through All.
func TestUnroutableIsToldApartFromItsNeighbours(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{})
		const n = 4_000
		keys := func(yield func(publisher.Message) bool) {
			for i := range n {
				m := publisher.Message{Key: queue, Body: i}
				if i%3 == 0 {
					m.Key = queue + ".missing"
				}
				if !yield(m) {
					return
				}
			}
		}
		for m, err := range publisher.All(t.Context(), p, "", keys) {
			if unroutable := errors.Is(err, publisher.ErrUnroutable); unroutable != (m.Key != queue) || err != nil && !unroutable {
				t.Errorf("%v: %v", m.Body, err)
			}
		}
		take(t, queue, n-n/3-1)
	})
}

// PEER-BUGS 5, with the window full: every caller gets a result, it is true, and
// the publisher goes on.
func TestPeerBugs05ThroughConnectionDropsEachResultIsTrue(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		conn, events := shaky(t, 500, 10)
		p := newPublisher(t, conn, publisher.Config{Window: 8})
		var results ledger
		const goroutines, each = 16, 500
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				for i := range each {
					id := fmt.Sprintf("%d-%d", g, i)
					results.enter(t, id, p.Send(t.Context(), publisher.Message{Key: queue, ID: id, Body: id}))
				}
			})
		}
		wg.Wait()
		must(t, p.Flush(t.Context()))
		must(t, p.Publish(t.Context(), queue, "after all that"))
		unknown := results.compare(t, queue, goroutines*each)
		if n := events.losses(); n < 5 {
			t.Errorf("the connection was lost %d times only", n)
		}
		t.Logf("%d losses, %d of %d unknown", events.losses(), unknown, goroutines*each)
	})
}

func TestAllThroughConnectionDrops(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		conn, events := shaky(t, 1000, 8)
		p := newPublisher(t, conn, publisher.Config{})
		var results ledger
		const n = 10_000
		next := 0
		for m, err := range publisher.All(t.Context(), p, queue, numbered(n)) {
			if m.Body != next {
				t.Fatalf("got the result of %v, want that of %d", m.Body, next)
			}
			next++
			results.enter(t, m.ID, err)
		}
		must(t, p.Flush(t.Context()))
		unknown := results.compare(t, queue, n)
		if n := events.losses(); n < 4 {
			t.Errorf("the connection was lost %d times only", n)
		}
		t.Logf("%d losses, %d of %d unknown", events.losses(), unknown, n)
	})
}

// numbered are n messages, with the ids m0, m1...
func numbered(n int) iter.Seq[publisher.Message] {
	return func(yield func(publisher.Message) bool) {
		for i := range n {
			if !yield(publisher.Message{ID: fmt.Sprintf("m%d", i), Body: i}) {
				return
			}
		}
	}
}

// PEER-BUGS 18: it was not sent, or its result is delivered, and what failed but
// was sent is unknown.
func TestPeerBugs18AContextThatEndsMeanwhile(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{Window: 4})
		must(t, p.Publish(t.Context(), queue, 0))
		take1(t, queue)
		var results ledger
		const goroutines, each = 8, 250
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				for i := range each {
					id := fmt.Sprintf("%d-%d", g, i)
					ctx, cancel := context.WithTimeout(t.Context(), rand.N(2*time.Millisecond))
					results.enter(t, id, p.Send(ctx, publisher.Message{Key: queue, ID: id, Body: id}))
					cancel()
				}
			})
		}
		wg.Wait()
		must(t, p.Flush(t.Context()))
		unknown := results.compare(t, queue, goroutines*each)
		t.Logf("%d of %d unknown", unknown, goroutines*each)
	})
}

func TestManyGoroutines(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{Window: 16})
		const goroutines, each = 64, 50
		var results ledger
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				for m, err := range publisher.All(t.Context(), p, queue, repeat(publisher.Message{Body: g}, each/2)) {
					if err != nil {
						t.Errorf("%v: %v", m.Body, err)
					}
				}
				for i := range each / 2 {
					id := fmt.Sprintf("%d-%d", g, i)
					err := p.Send(t.Context(), publisher.Message{Key: queue, ID: id, Body: g})
					if err != nil {
						t.Error(err)
					}
					results.enter(t, id, err)
				}
			})
		}
		wg.Wait()
		if n := length(t, queue); n != goroutines*each {
			t.Errorf("%d messages, want %d", n, goroutines*each)
		}
		results.compare(t, queue, goroutines*each/2)
	})
}

// repeat yields v n times.
func repeat[T any](v T, n int) iter.Seq[T] {
	return func(yield func(T) bool) {
		for range n {
			if !yield(v) {
				return
			}
		}
	}
}
