package publisher_test

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/publisher"
)

// source is a sequence of the numbers from 0, and counts what was taken from it.
type source struct {
	n     int
	taken int
	on    func(i int) // called before a number is given
}

func (s *source) all(yield func(int) bool) {
	for i := range s.n {
		if s.on != nil {
			s.on(i)
		}
		s.taken++
		if !yield(i) {
			return
		}
	}
}

func TestAllGivesEveryBodyItsResultInOrder(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		const n, window = 20_000, 100
		p := start(t, publisher.Config{Window: window})
		results := 0
		bodies := source{n: n}
		bodies.on = func(i int) {
			if i-results > window {
				t.Fatalf("body %d is taken after %d results", i, results)
			}
		}
		for i, err := range publisher.All(t.Context(), p, queue, bodies.all) {
			must(t, err)
			if i != results {
				t.Fatalf("got the result of %d, want that of %d", i, results)
			}
			results++
		}
		if results != n {
			t.Errorf("%d results", results)
		}
		for i, m := range take(t, queue, n) {
			if string(m.Body) != fmt.Sprint(i) {
				t.Fatalf("message %d is %s", i, m.Body)
			}
		}
	})
}

func TestAllHasAtMostAWindowInFlight(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		net := netproxy.New(brokerOf(t).Dial)
		cfg := quiet()
		cfg.Dial = net.Dial
		const window = 7
		p := newPublisher(t, open(t, cfg), publisher.Config{Window: window})
		must(t, p.Publish(t.Context(), queue, 0))
		net.Hold(netproxy.FromBroker)
		defer net.Release()
		done := make(chan struct{})
		go func() {
			defer close(done)
			bodies := source{n: 100}
			for _, err := range publisher.All(t.Context(), p, queue, bodies.all) {
				if err != nil {
					t.Error(err)
				}
			}
		}()
		eventually(t, "a window of messages", func() bool { return length(t, queue) >= 1+window })
		if n := length(t, queue) - 1; n != window {
			t.Errorf("%d messages are in flight, want %d", n, window)
		}
		net.Release()
		<-done
		take(t, queue, 1+100)
	})
}

func TestAllWithAWindowOfOne(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{Window: 1})
		results := 0
		bodies := source{n: 20, on: func(i int) {
			if results != i {
				t.Errorf("body %d is taken after %d results", i, results)
			}
		}}
		for _, err := range publisher.All(t.Context(), p, queue, bodies.all) {
			must(t, err)
			results++
		}
		take(t, queue, 20)
	})
}

func TestAllYieldsAResultBeforeItTakesMore(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{})
		results, first := 0, 0
		bodies := source{n: 200, on: func(i int) {
			must(t, p.Flush(t.Context())) // so that all before are confirmed
			runtime.Gosched()
			if results > 0 && first == 0 {
				first = i
			}
		}}
		for _, err := range publisher.All(t.Context(), p, queue, bodies.all) {
			must(t, err)
			results++
		}
		if first == 0 || first > 100 { // the window is larger
			t.Errorf("the first result came before body %d", first)
		}
	})
}

func TestAllCanBeRangedOverAgain(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{})
		all := publisher.All(t.Context(), p, queue, slices.Values([]int{1, 2, 3}))
		for range 2 {
			for _, err := range all {
				must(t, err)
			}
		}
		take(t, queue, 6)
	})
}

func TestAllGoesOnAfterABodyThatFails(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		var events diary
		p := start(t, publisher.Config{Monitor: &events, MaxBody: 20})
		bodies := []any{1, make(chan int), math.NaN(), 2, "a text that is longer than it may be", publisher.Message{Key: queue + ".missing"}, 3}
		want := []string{"", "encode", "encode", "", "too large", "unroutable", ""}
		i := 0
		for body, err := range publisher.All(t.Context(), p, queue, slices.Values(bodies)) {
			if want[i] == "" {
				must(t, err)
			} else {
				isOnly(t, err, want[i])
			}
			if fmt.Sprint(body) != fmt.Sprint(bodies[i]) {
				t.Errorf("result %d is that of %v, want that of %v", i, body, bodies[i])
			}
			i++
		}
		if i != len(bodies) || len(events.all()) != len(bodies) {
			t.Errorf("%d results and %d events", i, len(events.all()))
		}
		take(t, queue, 3)
	})
}

// While the sequence has the word, a message that was not sent before the
// connection died is sent all the same.
func TestAllSendsAgainWhileTheSequencePauses(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		net := netproxy.New(brokerOf(t).Dial)
		var events diary
		p := newPublisher(t, open(t, connection.Config{
			Dial: net.Dial, Monitor: &events, MinRedial: 5 * time.Millisecond,
		}), publisher.Config{Timeout: 10 * time.Second})
		must(t, p.Publish(t.Context(), queue, "x"))
		bodies := source{n: 51, on: func(i int) {
			switch i {
			case 25:
				net.Cut()
			case 50:
				must(t, p.Flush(t.Context())) // does not return before each has its result
			}
		}}
		unknown, n := 0, 0
		var last error
		for _, err := range publisher.All(t.Context(), p, queue, bodies.all) {
			if n++; err != nil {
				isOnly(t, err, "unknown")
				unknown++
			}
			last = err
		}
		must(t, last)
		if n != 51 {
			t.Errorf("%d results, %d unknown", n, unknown)
		}
		if got := length(t, queue); got < 1+51-unknown {
			t.Errorf("%d messages, %d unknown", got, unknown)
		}
	})
}

func TestSeveralAllShareTheWindow(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{Window: 3})
		n := 0
		// One within the other: the outer has the window full.
		for _, err := range publisher.All(t.Context(), p, queue, (&source{n: 30}).all) {
			must(t, err)
			for _, err := range publisher.All(t.Context(), p, queue, (&source{n: 5}).all) {
				must(t, err)
				n++
			}
		}
		take(t, queue, 30+n)
	})
}

// The sequence may itself publish, and may end with a monitor that does.
func TestASequenceThatPublishes(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{Window: 2, Monitor: monitoring.Discard{}})
		bodies := source{n: 20, on: func(int) { must(t, p.Publish(t.Context(), queue, "more")) }}
		for _, err := range publisher.All(t.Context(), p, queue, bodies.all) {
			must(t, err)
		}
		take(t, queue, 40)
	})
}
