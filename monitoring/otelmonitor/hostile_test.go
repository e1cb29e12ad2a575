package otelmonitor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/otelmonitor"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/rabbittest"
)

// A meter provider that forgets what it has sent still shows how things stand, until the monitor is closed.
func TestGaugesAreReadEachTime(t *testing.T) {
	delta := func(sdkmetric.InstrumentKind) metricdata.Temporality { return metricdata.DeltaTemporality }
	k := &kit{T: t, reader: sdkmetric.NewManualReader(sdkmetric.WithTemporalitySelector(delta))}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(k.reader))
	m, err := otelmonitor.New(otelmonitor.Config{MeterProvider: provider})
	must(t, err)
	m.Observe(t.Context(), monitoring.ConsumerReady{Queue: "q", Workers: 4})
	for range 2 {
		if values := k.values(); values["warren.consumer_ready{warren.queue=q}"] != 1 {
			t.Errorf("%v", values)
		}
	}
	must(t, m.Close())
	if values := k.values(); len(values) > 0 {
		t.Errorf("closed, it shows %v", values)
	}
}

// What a handler does not get published has nothing to do with its span.
func TestAPublishThatFailsInAHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, otelmonitor.Config{})
		b := rabbittest.New(t)
		conn, err := connection.Open(t.Context(), b.URL(), connection.Config{Dial: b.Dial, Monitor: k.Monitor})
		must(t, err)
		p, err := publisher.New(conn, publisher.Config{})
		must(t, err)
		c, err := consumer.New(conn, "orders", func(ctx context.Context, _ consumer.Message[string]) consumer.Outcome {
			if err := p.Publish(ctx, "orders", make(chan int)); err == nil { // it cannot be encoded
				t.Error("it was published")
			}
			time.Sleep(time.Second)
			return consumer.Ack()
		}, consumer.Config{})
		must(t, err)
		run, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(run) }()
		<-c.Ready()
		must(t, b.Queue("orders").Publish(rabbittest.Message{MessageID: "1", Body: []byte(`"x"`)}))
		time.Sleep(2 * time.Second)
		stop()
		must(t, <-done)
		s := k.span("process orders", 0)
		if took := s.EndTime.Sub(s.StartTime); took != time.Second || s.Status.Code != codes.Unset || !strings.Contains(attributes(s), "warren.ending=acked") {
			t.Errorf("it took %v, its status is %+v, it has %s", took, s.Status, attributes(s))
		}
		must(t, conn.Close(t.Context()))
	})
}

func TestHeadersThatAreNoContext(t *testing.T) {
	member, err := baggage.NewMember("tenant", "acme")
	must(t, err)
	all, err := baggage.New(member)
	must(t, err)
	for name, c := range map[string]struct {
		headers map[string]any
		baggage string
	}{
		"none":          {map[string]any{}, "tenant=acme"},
		"nonsense":      {map[string]any{"traceparent": "nonsense", "tracestate": "a=b"}, "tenant=acme"},
		"baggage alone": {map[string]any{"baggage": "tenant=other"}, "tenant=other"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t, otelmonitor.Config{})
			ctx := baggage.ContextWithBaggage(t.Context(), all)
			ctx = k.Start(ctx, &monitoring.Operation{Kind: monitoring.Publish, Key: "orders", Headers: c.headers})
			k.Observe(ctx, monitoring.Published{Result: monitoring.ResultConfirmed})
			id := k.span("send orders", 0).SpanContext.SpanID().String()
			if got := fmt.Sprint(c.headers["traceparent"]); !strings.Contains(got, id) || c.headers["baggage"] != c.baggage {
				t.Errorf("the headers are %v", c.headers)
			}
		})
	}
}

func TestErrorWithoutAnError(t *testing.T) {
	k := newKit(t, otelmonitor.Config{})
	begin := func() context.Context {
		return k.Start(t.Context(), &monitoring.Operation{Kind: monitoring.Process, Queue: "q", Attempt: 1})
	}
	k.Observe(begin(), monitoring.Retried{Failure: monitoring.FailureReturned})
	k.Observe(begin(), monitoring.Errored{Reason: monitoring.ReasonRejected, Failure: monitoring.FailureReturned})
	for n := range 2 {
		if s := k.span("process q", n); s.Status.Code != codes.Error || !strings.Contains(attributes(s), "error.type=returned") {
			t.Errorf("its status is %v, it has %s", s.Status, attributes(s))
		}
	}
}

// An exporter drops a whole batch because of one text that is not UTF-8.
func TestEverythingIsUTF8(t *testing.T) {
	const bad = "a\xffb"
	k := newKit(t, otelmonitor.Config{})
	for _, e := range []monitoring.Event{
		monitoring.Retried{Delivery: monitoring.Delivery{Queue: bad}, Err: errors.New(bad), Stack: []byte(bad), To: bad},
		monitoring.Errored{Delivery: monitoring.Delivery{Queue: bad}, Err: errors.New("x" + strings.Repeat("ü", 3000)), To: bad},
	} {
		op := &monitoring.Operation{Kind: monitoring.Process, Queue: bad, Exchange: bad, Key: bad, MessageID: bad, Attempt: 1}
		ctx := k.Start(t.Context(), op)
		k.Observe(ctx, monitoring.Stuck{Delivery: monitoring.Delivery{Queue: bad}, Stack: []byte(bad)})
		k.Observe(ctx, e)
	}
	for _, op := range []*monitoring.Operation{{Exchange: bad, Key: bad, MessageID: bad}, {Key: bad}} {
		op.Kind, op.Headers = monitoring.Publish, map[string]any{}
		k.Observe(k.Start(t.Context(), op), monitoring.Published{Exchange: bad, MessageID: bad, Result: monitoring.ResultUnsent, Err: errors.New(bad)})
	}
	k.Observe(t.Context(), monitoring.ConsumerLost{Queue: bad})
	k.Observe(t.Context(), monitoring.DialFailed{Name: bad})
	for _, s := range k.spans.GetSpans() {
		texts := []string{s.Name, s.Status.Description, attributes(s)}
		for _, e := range s.Events {
			set := attribute.NewSet(e.Attributes...)
			texts = append(texts, e.Name, set.Encoded(attribute.DefaultEncoder()))
		}
		for _, text := range texts {
			if !utf8.ValidString(text) {
				t.Errorf("%s: %.100q", s.Name, text)
			}
		}
	}
	for name := range k.values() {
		if !utf8.ValidString(name) {
			t.Errorf("%q", name)
		}
	}
}

func TestSpansToTemporaryQueuesHaveOneName(t *testing.T) {
	k := newKit(t, otelmonitor.Config{})
	for _, key := range []string{"amq.gen-JzTY20BRgKO-HjmUJj0wLg", "amq.rabbitmq.reply-to.g1h2AA5yZXBseUA"} {
		op := &monitoring.Operation{Kind: monitoring.Publish, Key: key, Headers: map[string]any{}}
		k.Observe(k.Start(t.Context(), op), monitoring.Published{Key: key, Result: monitoring.ResultConfirmed})
	}
	k.span("send (temporary)", 1)
}

// panics is an error whose method panics.
type panics struct{ error }

func TestHostileErrors(t *testing.T) {
	k := newKit(t, otelmonitor.Config{})
	for _, err := range []error{panics{}, errors.New(strings.Repeat("x", 1e6))} {
		ctx := k.Start(t.Context(), &monitoring.Operation{Kind: monitoring.Process, Queue: "q", Attempt: 1})
		k.Observe(ctx, monitoring.Errored{Delivery: monitoring.Delivery{Queue: "q"}, Reason: monitoring.ReasonRejected, Err: err})
	}
	got := []string{k.span("process q", 0).Status.Description, k.span("process q", 1).Status.Description}
	if !slices.Equal(got, []string{"an error whose Error method panics", strings.Repeat("x", 4096)}) {
		t.Errorf("got %.100q", got)
	}
}
