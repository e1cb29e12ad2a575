package publisher_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/publisher"
)

func TestOneEventForEachMessage(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		var events diary
		p := start(t, publisher.Config{Monitor: &events})
		must(t, p.Publish(t.Context(), queue, "hello"))
		unroutable := p.Send(t.Context(), publisher.Message{Exchange: "amq.topic", Key: queue, ID: "7", Body: []byte("abc")})
		refused := p.Send(t.Context(), publisher.Message{Key: queue, ID: "8", Body: make(chan int)})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		notSent := p.Publish(ended, queue, 1)
		must(t, p.Close(t.Context()))
		closed := p.Publish(t.Context(), queue, 1)

		id := take1(t, queue).MessageId
		for i, want := range []monitoring.Published{
			{Key: queue, MessageID: id, BodySize: 7, Result: monitoring.ResultConfirmed},
			{Exchange: "amq.topic", Key: queue, MessageID: "7", BodySize: 3, Result: monitoring.ResultUnroutable, Err: unroutable},
			{Key: queue, MessageID: "8", Result: monitoring.ResultUnencodable, Err: refused},
			{Key: queue, Result: monitoring.ResultUnsent, Err: notSent},
			{Key: queue, BodySize: 1, Result: monitoring.ResultUnsent, Err: closed},
		} {
			if i >= len(events.all()) {
				t.Fatalf("there are %d events", i)
			}
			got := events.all()[i]
			if got.Took <= 0 && t.broker.Test == nil /* in a bubble nothing takes time */ || got.Took > 10*time.Second {
				t.Errorf("event %d took %v", i, got.Took)
			}
			if got.MessageID == "" {
				t.Errorf("event %d has no id", i)
			}
			if want.MessageID == "" {
				got.MessageID = ""
			}
			got.Took = 0
			if got != want {
				t.Errorf("event %d: got %+v, want %+v", i, got, want)
			}
		}
		if n := len(events.all()); n != 5 {
			t.Errorf("there are %d events", n)
		}
	})
}

func TestTheMonitorOfTheConnectionIsTheDefault(t *testing.T) {
	onBoth(t, func(t on) {
		var connections, own diary
		cfg := quiet()
		cfg.Monitor = &connections
		conn := open(t, cfg)
		queue := newQueue(t)
		must(t, newPublisher(t, conn, publisher.Config{}).Publish(t.Context(), queue, 1))
		must(t, newPublisher(t, conn, publisher.Config{Monitor: &own}).Publish(t.Context(), queue, 1))
		if len(connections.all()) != 1 || len(own.all()) != 1 {
			t.Errorf("%d and %d events", len(connections.all()), len(own.all()))
		}
	})
}

func TestAMonitorThatPanicsChangesNothing(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		panics := monitoring.Func(func(context.Context, monitoring.Event) { panic("boom") })
		p := start(t, publisher.Config{Monitor: monitoring.All(panics, monitoring.Discard{})})
		must(t, p.Publish(t.Context(), queue, 1))
		for _, err := range publisher.All(t.Context(), p, queue, repeat(1, 10)) {
			must(t, err)
		}
		take(t, queue, 11)
	})
}

type spanKey struct{}

// tracer is a Starter that puts its operations' numbers into context and
// headers.
type tracer struct {
	mu         sync.Mutex
	operations []monitoring.Operation
	ended      []int // the numbers in Observe's contexts
	add        any
}

func (tr *tracer) Start(ctx context.Context, op *monitoring.Operation) context.Context {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	copied := *op
	copied.Headers = maps.Clone(op.Headers)
	tr.operations = append(tr.operations, copied)
	if tr.add != nil {
		op.Headers["traceparent"] = tr.add
	}
	op.Headers["n"] = len(tr.operations)
	return context.WithValue(ctx, spanKey{}, len(tr.operations))
}

func (tr *tracer) Observe(ctx context.Context, e monitoring.Event) {
	if _, ok := e.(monitoring.Published); !ok {
		return
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	n, _ := ctx.Value(spanKey{}).(int)
	tr.ended = append(tr.ended, n)
}

func TestAStarterIsToldAndMayAddHeaders(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		tr := &tracer{add: "00-abc-def-01"}
		p := start(t, publisher.Config{Monitor: monitoring.All(tr, monitoring.Discard{})})
		headers := map[string]any{"mine": 1, "warren-attempt": 3}
		must(t, p.Send(t.Context(), publisher.Message{Key: queue, ID: "7", Body: "hello", Headers: headers}))
		must(t, p.Publish(t.Context(), queue, 1))

		op := tr.operations[0]
		if op.Kind != monitoring.Publish || op.Queue != "" || op.Exchange != "" || op.Key != queue ||
			op.MessageID != "7" || op.Attempt != 0 || op.BodySize != 7 || !maps.Equal(op.Headers, map[string]any{"mine": 1}) {
			t.Errorf("got %+v", op)
		}
		if tr.operations[1].Headers == nil {
			t.Error("the headers are nil")
		}
		if len(headers) != 2 {
			t.Errorf("the caller's headers were changed: %v", headers)
		}
		m := take(t, queue, 2)
		if h := m[0].Headers; len(h) != 3 || h["traceparent"] != "00-abc-def-01" || h["n"] != int64(1) || h["mine"] != int64(1) {
			t.Errorf("got %v", h)
		}
		if tr.ended[0] != 1 || tr.ended[1] != 2 {
			t.Errorf("the events came with the contexts %v", tr.ended)
		}
	})
}

func TestAStartersHeadersAreChecked(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{Monitor: &tracer{add: func() {}}})
		isOnly(t, p.Publish(t.Context(), queue, 1), "encode")
		p = start(t, publisher.Config{Monitor: &tracer{add: string(make([]byte, 130<<10))}})
		isOnly(t, p.Publish(t.Context(), queue, 1), "too large")
		take(t, queue, 0)
	})
}

func TestAStarterIsNotToldOfWhatDoesNotLeave(t *testing.T) {
	var tr tracer
	p := newPublisher(t, offline(t), publisher.Config{Monitor: &tr, MaxBody: 3})
	for _, body := range []any{make(chan int), "too large"} {
		if err := p.Publish(t.Context(), "orders", body); err == nil {
			t.Errorf("%v: got nil", body)
		}
	}
	if len(tr.operations) != 0 || len(tr.ended) != 2 {
		t.Errorf("%d operations, %d events", len(tr.operations), len(tr.ended))
	}
}

func TestAStarterInAll(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		var tr tracer
		p := start(t, publisher.Config{Monitor: &tr})
		for _, err := range publisher.All(t.Context(), p, queue, repeat(1, 500)) {
			must(t, err)
		}
		for i, n := range tr.ended {
			if n != i+1 {
				t.Fatalf("event %d came with the context of operation %d", i+1, n)
			}
		}
		for i, m := range take(t, queue, 500) {
			if m.Headers["n"] != int64(i+1) {
				t.Fatalf("message %d has the headers of operation %v", i+1, m.Headers["n"])
			}
		}
	})
}

// stopper is a Starter whose context has ended: that is not the message's.
type stopper struct{ monitoring.Discard }

func (stopper) Start(ctx context.Context, _ *monitoring.Operation) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	cancel(errors.New("the span is over"))
	return ctx
}

func TestAStartersContextIsForTheMonitorOnly(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{Monitor: stopper{}})
		must(t, p.Publish(t.Context(), queue, 1))
		for _, err := range publisher.All(t.Context(), p, queue, repeat(1, 3)) {
			must(t, err)
		}
		take(t, queue, 4)
	})
}
