package publisher_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
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
}

func TestAllHasAtMostAWindowInFlight(t *testing.T) {
	queue := newQueue(t)
	var net network
	cfg := quiet()
	cfg.Dial = net.dial
	const window = 7
	p := newPublisher(t, open(t, cfg), publisher.Config{Window: window})
	must(t, p.Publish(t.Context(), queue, 0))
	net.hold()
	defer net.release()
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
	net.release()
	<-done
	take(t, queue, 1+100)
}

func TestAllWithAWindowOfOne(t *testing.T) {
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
}

func TestAllYieldsAResultBeforeItTakesMore(t *testing.T) {
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
}

func TestAllCanBeRangedOverAgain(t *testing.T) {
	queue := newQueue(t)
	p := start(t, publisher.Config{})
	all := publisher.All(t.Context(), p, queue, slices.Values([]int{1, 2, 3}))
	for range 2 {
		for _, err := range all {
			must(t, err)
		}
	}
	take(t, queue, 6)
}

func TestAllGoesOnAfterABodyThatFails(t *testing.T) {
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
}

func TestLeavingAllWaitsForWhatIsInFlight(t *testing.T) {
	queue := newQueue(t)
	var events diary
	const window = 50
	p := start(t, publisher.Config{Window: window, Monitor: &events})
	bodies := source{n: 1000}
	results := 0
	for _, err := range publisher.All(t.Context(), p, queue, bodies.all) {
		must(t, err)
		if results++; results == 10 {
			break
		}
	}
	if bodies.taken > 10+window {
		t.Errorf("%d bodies were taken", bodies.taken)
	}
	// Without a Flush: it has waited. And nothing ended in silence.
	take(t, queue, bodies.taken)
	if n := len(events.all()); n != bodies.taken {
		t.Errorf("%d events", n)
	}
}

func TestAPanicInTheSequence(t *testing.T) {
	queue := newQueue(t)
	var events diary
	p := start(t, publisher.Config{Monitor: &events})
	bodies := source{n: 1000, on: func(i int) {
		if i == 100 {
			panic("the database is gone")
		}
	}}
	func() {
		defer func() {
			if r := recover(); r != "the database is gone" {
				t.Errorf("recovered %v", r)
			}
		}()
		for _, err := range publisher.All(t.Context(), p, queue, bodies.all) {
			must(t, err)
		}
	}()
	take(t, queue, 100)
	if n := len(events.all()); n != 100 {
		t.Errorf("%d events", n)
	}
}

// bomb is a body whose encoding panics.
type bomb struct{ armed bool }

func (b bomb) MarshalJSON() ([]byte, error) {
	if b.armed {
		panic("boom")
	}
	return []byte("1"), nil
}

func TestAPanicInTheCodec(t *testing.T) {
	queue := newQueue(t)
	var events diary
	p := start(t, publisher.Config{Monitor: &events})
	recovered := func(f func()) (r any) {
		defer func() { r = recover() }()
		f()
		return nil
	}
	if r := recovered(func() { _ = p.Publish(t.Context(), queue, bomb{armed: true}) }); r != "boom" {
		t.Errorf("recovered %v", r)
	}
	bodies := slices.Repeat([]bomb{{}}, 100)
	bodies[50].armed = true
	if r := recovered(func() {
		for _, err := range publisher.All(t.Context(), p, queue, slices.Values(bodies)) {
			must(t, err)
		}
	}); r != "boom" {
		t.Errorf("recovered %v", r)
	}
	must(t, p.Flush(t.Context())) // nothing is counted as in flight
	take(t, queue, 50)
	failed := 0
	for _, e := range events.all() {
		if e.Err != nil {
			isOnly(t, e.Err, "encode")
			failed++
		}
	}
	if n := len(events.all()); n != 52 || failed != 2 {
		t.Errorf("%d events, %d of failures", n, failed)
	}
}

func TestAPanicInTheLoopOverAll(t *testing.T) {
	queue := newQueue(t)
	var events diary
	p := start(t, publisher.Config{Monitor: &events})
	bodies := source{n: 1000}
	func() {
		defer func() { _ = recover() }()
		for _, err := range publisher.All(t.Context(), p, queue, bodies.all) {
			panic(err)
		}
	}()
	take(t, queue, bodies.taken)
	if n := len(events.all()); n != bodies.taken {
		t.Errorf("%d events of %d messages", n, bodies.taken)
	}
}

func TestAllWhenTheContextEnds(t *testing.T) {
	queue := newQueue(t)
	p := start(t, publisher.Config{Window: 20})
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	why := errors.New("enough")
	bodies := source{n: 1000}
	results := 0
	var last error
	for _, err := range publisher.All(ctx, p, queue, bodies.all) {
		if results++; results == 100 {
			cancel(why)
		}
		if err != nil && !errors.Is(err, why) {
			t.Errorf("got %v", err)
		}
		last = err
	}
	if results != bodies.taken {
		t.Errorf("%d results of %d bodies", results, bodies.taken)
	}
	if bodies.taken > 100+20 {
		t.Errorf("%d bodies were taken", bodies.taken)
	}
	// The loop can tell that this was not the end of the sequence.
	isOnly(t, last, "")
	if !errors.Is(last, why) {
		t.Errorf("the last result says %v", last)
	}
}

func TestAllWhenTheContextHasEnded(t *testing.T) {
	queue := newQueue(t)
	p := start(t, publisher.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	bodies := source{n: 1000}
	for _, err := range publisher.All(ctx, p, queue, bodies.all) {
		isOnly(t, err, "")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	if bodies.taken != 1 {
		t.Errorf("%d bodies were taken", bodies.taken)
	}
	take(t, queue, 0)
}

func TestAllWhenEverythingWasConfirmedBeforeTheContextEnded(t *testing.T) {
	queue := newQueue(t)
	p := start(t, publisher.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	bodies := source{n: 11, on: func(i int) {
		if i == 10 {
			must(t, p.Flush(ctx))
			cancel()
		}
	}}
	n := 0
	for i, err := range publisher.All(ctx, p, queue, bodies.all) {
		if (err != nil) != (i == 10) {
			t.Errorf("%d: %v", i, err)
		}
		n++
	}
	if n != 11 {
		t.Errorf("%d results", n)
	}
	take(t, queue, 10)
}

func TestAllWithADeadline(t *testing.T) {
	p := newPublisher(t, offline(t), publisher.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	bodies := source{n: 1000}
	for _, err := range publisher.All(ctx, p, "orders", bodies.all) {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	}
	if bodies.taken > 256+1 {
		t.Errorf("%d bodies were taken", bodies.taken)
	}
}

func TestAllWhenThePublisherIsClosed(t *testing.T) {
	queue := newQueue(t)
	p := start(t, publisher.Config{Window: 20})
	bodies := source{n: 1000}
	results := 0
	var last error
	for _, err := range publisher.All(t.Context(), p, queue, bodies.all) {
		if results++; results == 100 {
			must(t, p.Close(t.Context())) // waits for what is in flight
		}
		if last = err; err != nil {
			isOnly(t, err, "closed")
		}
	}
	isOnly(t, last, "closed")
	if results != bodies.taken || results > 100+20 {
		t.Errorf("%d results of %d bodies", results, bodies.taken)
	}
	take(t, queue, results-1)
}

func TestAllWhenTheConnectionIsClosed(t *testing.T) {
	conn := open(t, quiet())
	queue := newQueue(t)
	p := newPublisher(t, conn, publisher.Config{Window: 20})
	bodies := source{n: 1000}
	results := 0
	var last error
	for _, err := range publisher.All(t.Context(), p, queue, bodies.all) {
		if results++; results == 100 {
			must(t, conn.Close(t.Context()))
		}
		last = err
	}
	if !errors.Is(last, connection.ErrClosed) || errors.Is(last, publisher.ErrUnknown) {
		t.Errorf("the last result says %v", last)
	}
	// Some may have been queued before the end was noticed.
	if results != bodies.taken || results > 100+3*20 {
		t.Errorf("%d results of %d bodies", results, bodies.taken)
	}
}

// While the sequence has the word, a message that was not sent before the
// connection died is sent all the same.
func TestAllSendsAgainWhileTheSequencePauses(t *testing.T) {
	queue := newQueue(t)
	var net network
	var events diary
	p := newPublisher(t, open(t, connection.Config{
		Dial: net.dial, Monitor: &events, MinRedial: 5 * time.Millisecond,
	}), publisher.Config{Timeout: 10 * time.Second})
	must(t, p.Publish(t.Context(), queue, "x"))
	bodies := source{n: 51, on: func(i int) {
		switch i {
		case 25:
			net.cut()
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
}

func TestSeveralAllShareTheWindow(t *testing.T) {
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
}

// The sequence may itself publish, and may end with a monitor that does.
func TestASequenceThatPublishes(t *testing.T) {
	queue := newQueue(t)
	p := start(t, publisher.Config{Window: 2, Monitor: monitoring.Discard{}})
	bodies := source{n: 20, on: func(int) { must(t, p.Publish(t.Context(), queue, "more")) }}
	for _, err := range publisher.All(t.Context(), p, queue, bodies.all) {
		must(t, err)
	}
	take(t, queue, 40)
}
