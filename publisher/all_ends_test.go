package publisher_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/publisher"
)

// How a loop over All can end before the sequence does.

func TestLeavingAllWaitsForWhatIsInFlight(t *testing.T) {
	onBoth(t, func(t on) {
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
	})
}

func TestAPanicInTheSequence(t *testing.T) {
	onBoth(t, func(t on) {
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
	})
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
	onBoth(t, func(t on) {
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
	})
}

func TestAPanicInTheLoopOverAll(t *testing.T) {
	onBoth(t, func(t on) {
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
	})
}

func TestAllWhenTheContextEnds(t *testing.T) {
	onBoth(t, func(t on) {
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
	})
}

func TestAllWhenTheContextHasEnded(t *testing.T) {
	onBoth(t, func(t on) {
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
	})
}

func TestAllWhenEverythingWasConfirmedBeforeTheContextEnded(t *testing.T) {
	onBoth(t, func(t on) {
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
	})
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
	onBoth(t, func(t on) {
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
	})
}

func TestAllWhenTheConnectionIsClosed(t *testing.T) {
	onBoth(t, func(t on) {
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
	})
}
