package otelmonitor_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/otelmonitor"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// kit is a monitor whose spans and metrics can be looked at.
type kit struct {
	*testing.T
	*otelmonitor.Monitor
	spans  *tracetest.InMemoryExporter
	tracer trace.Tracer // of the program
	reader *sdkmetric.ManualReader
}

func newKit(t *testing.T, cfg otelmonitor.Config) *kit {
	t.Helper()
	k := &kit{T: t, spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(k.spans))
	k.tracer = provider.Tracer("program")
	cfg.TracerProvider = provider
	cfg.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(k.reader))
	var err error
	k.Monitor, err = otelmonitor.New(cfg)
	must(t, err)
	return k
}

// span returns the n-th span of a name, from 0.
func (k *kit) span(name string, n int) tracetest.SpanStub {
	k.Helper()
	for _, s := range k.spans.GetSpans() {
		if s.Name == name {
			if n == 0 {
				return s
			}
			n--
		}
	}
	k.Fatalf("there is no such span %q among %v", name, names(k.spans.GetSpans()))
	return tracetest.SpanStub{}
}

func names(spans tracetest.SpanStubs) []string {
	var list []string
	for _, s := range spans {
		list = append(list, s.Name)
	}
	return list
}

// values returns what is measured: "name{attributes}" and its value, or its sum.
func (k *kit) values() map[string]float64 {
	k.Helper()
	var all metricdata.ResourceMetrics
	must(k, k.reader.Collect(context.Background(), &all))
	values := map[string]float64{}
	put := func(name string, set attribute.Set, v float64) {
		values[name+"{"+set.Encoded(attribute.DefaultEncoder())+"}"] = v
	}
	for _, s := range all.ScopeMetrics {
		if !strings.HasSuffix(s.Scope.SchemaURL, "/1.37.0") {
			k.Errorf("the schema is %s", s.Scope.SchemaURL)
		}
		for _, m := range s.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					put(m.Name, p.Attributes, float64(p.Value))
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					put(m.Name, p.Attributes, float64(p.Value))
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					put(m.Name, p.Attributes, p.Sum)
				}
			default:
				k.Errorf("%s is a %T", m.Name, data)
			}
		}
	}
	return values
}

// attributes writes a span's attributes as text.
func attributes(s tracetest.SpanStub) string {
	set := attribute.NewSet(s.Attributes...)
	return set.Encoded(attribute.DefaultEncoder())
}

// A message from the program that publishes it, over a retry, to the error queue.
func TestATraceFollowsAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, otelmonitor.Config{})
		b := rabbittest.New(t)
		conn, err := connection.Open(t.Context(), b.URL(), connection.Config{Name: "shop", Dial: b.Dial, Monitor: k})
		must(t, err)
		handle := func(ctx context.Context, _ consumer.Message[string]) consumer.Outcome {
			_, s := k.tracer.Start(ctx, "work")
			time.Sleep(time.Second)
			s.End()
			return consumer.Retry(errors.New("the bank is down"))
		}
		startup, startSpan := k.tracer.Start(t.Context(), "startup")
		c, err := consumer.New(conn, "orders", handle, consumer.Config{Retry: retry.Fixed(1, time.Minute)})
		must(t, err)
		go func() { _ = c.Run(startup) }()
		<-c.Ready()
		startSpan.End()

		p, err := publisher.New(conn, publisher.Config{})
		must(t, err)
		ctx, request := k.tracer.Start(t.Context(), "request")
		must(t, p.Send(ctx, publisher.Message{Key: "orders", ID: "7", Body: "x"}))
		request.End()
		must(t, b.Queue("orders.error").WaitLen(t.Context(), 1))
		synctest.Wait()

		root, send := k.span("request", 0), k.span("send orders", 0)
		first, second := k.span("process orders", 0), k.span("process orders", 1)
		if send.Parent.SpanID() != root.SpanContext.SpanID() || send.SpanKind != trace.SpanKindProducer {
			t.Errorf("send: %+v", send)
		}
		if first.Parent.SpanID() != send.SpanContext.SpanID() || !first.Parent.IsRemote() || first.SpanKind != trace.SpanKindConsumer {
			t.Errorf("the first attempt is not the child of the publishing: %+v", first.Parent)
		}
		if k.span("work", 0).Parent.SpanID() != first.SpanContext.SpanID() {
			t.Error("what the handler does is not part of its attempt")
		}
		if second.Parent.IsValid() || len(second.Links) != 1 || second.Links[0].SpanContext.SpanID() != first.SpanContext.SpanID() ||
			second.SpanContext.TraceID() == first.SpanContext.TraceID() {
			t.Errorf("the second attempt: parent %v, links %v", second.Parent, second.Links)
		}
		for _, c := range []struct {
			span       tracetest.SpanStub
			attributes string
		}{
			{send, "messaging.destination.name=orders,messaging.message.body.size=3,messaging.message.id=7,messaging.operation.name=send," +
				"messaging.operation.type=send,messaging.rabbitmq.destination.routing_key=orders,messaging.system=rabbitmq,warren.result=confirmed"},
			{first, "error.type=returned,messaging.destination.name=orders,messaging.message.body.size=3,messaging.message.id=7,messaging.operation.name=process," +
				"messaging.operation.type=process,messaging.rabbitmq.destination.routing_key=orders,messaging.system=rabbitmq,warren.attempt=1," +
				"warren.ending=retried,warren.failure=returned,warren.queue=orders,warren.to=orders.retry.1m0s,warren.wait=60"},
			{second, "error.type=returned,messaging.destination.name=orders,messaging.message.body.size=3,messaging.message.id=7,messaging.operation.name=process," +
				"messaging.operation.type=process,messaging.rabbitmq.destination.routing_key=orders,messaging.system=rabbitmq,warren.attempt=2," +
				"warren.ending=errored,warren.failure=returned,warren.queue=orders,warren.reason=exhausted,warren.to=orders.error"},
		} {
			if got := attributes(c.span); got != c.attributes {
				t.Errorf("%s has\n%s, want\n%s", c.span.Name, got, c.attributes)
			}
		}
		if first.Status.Code != codes.Error || first.Status.Description != "the bank is down" || first.Events[0].Name != "exception" ||
			first.Events[0].Attributes[0].Value.AsString() != "*errors.errorString" {
			t.Errorf("the first attempt's status is %+v, its events %+v", first.Status, first.Events)
		}
		if took := first.EndTime.Sub(first.StartTime); took != time.Second {
			t.Errorf("the first attempt took %v", took)
		}

		// In the error queue the message still has the context of its publishing.
		entry := b.Queue("orders.error").Messages()[0]
		if parent := fmt.Sprint(entry.Headers["traceparent"]); !strings.Contains(parent, send.SpanContext.SpanID().String()) {
			t.Errorf("the entry's traceparent is %s", parent)
		}
		must(t, conn.Close(t.Context()))

		values := k.values()
		for name, want := range map[string]float64{
			"warren.deliveries{warren.ending=retried,warren.queue=orders}":                              1,
			"warren.deliveries{warren.ending=errored,warren.queue=orders}":                              1,
			"warren.failures{warren.failure=returned,warren.queue=orders}":                              2,
			"warren.errored{warren.queue=orders,warren.reason=exhausted}":                               1,
			"warren.handling{warren.ending=retried,warren.queue=orders}":                                1,
			"warren.running{warren.queue=orders}":                                                       0,
			"warren.published{warren.exchange=amq.default,warren.result=confirmed}":                     1,
			"warren.disconnected{warren.connection=shop/consume}":                                       0,
			"messaging.process.duration{" + conventional("returned", "orders", "process") + "}":         2,
			"messaging.client.consumed.messages{" + conventional("returned", "orders", "process") + "}": 2,
			"messaging.client.sent.messages{" + conventional("", "amq.default", "send") + "}":           1,
		} {
			if got := values[name]; got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		if t.Failed() {
			for name, v := range values {
				t.Log(name, v)
			}
		}
	})
}

// conventional are the attributes of a conventional metric, as text.
func conventional(errorType, destination, operation string) string {
	s := "messaging.destination.name=" + destination + ",messaging.operation.name=" + operation + ",messaging.system=rabbitmq"
	if errorType != "" {
		s = "error.type=" + errorType + "," + s
	}
	return s
}

const foreign = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestAForeignContext(t *testing.T) {
	for _, c := range []struct {
		name    string
		cfg     otelmonitor.Config
		headers map[string]any
		attempt int
		trace   string // what an earlier attempt has left
		child   bool
		linked  string // the span
	}{
		{name: "none"},
		{name: "as text", headers: map[string]any{"traceparent": foreign}, child: true},
		{name: "as bytes", headers: map[string]any{"traceparent": []byte(foreign)}, child: true},
		{name: "nonsense", headers: map[string]any{"traceparent": "nonsense"}},
		{name: "a number", headers: map[string]any{"traceparent": int64(7)}},
		{name: "far too long", headers: map[string]any{"traceparent": foreign, "tracestate": strings.Repeat("a=b,", 1e5)}, child: true},
		{name: "as a link", cfg: otelmonitor.Config{Links: true}, headers: map[string]any{"traceparent": foreign}, linked: "b7ad6b7169203331"},
		{name: "a retry of a program without traces", headers: map[string]any{"traceparent": foreign}, attempt: 2, linked: "b7ad6b7169203331"},
		{
			name: "a retry", headers: map[string]any{"traceparent": foreign}, attempt: 2,
			trace: "00-0af7651916cd43dd8448eb211c80319c-1111111111111111-01", linked: "1111111111111111",
		},
		{name: "a retry that was tampered with", headers: map[string]any{"traceparent": foreign}, attempt: 2, trace: "x", linked: "b7ad6b7169203331"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKit(t, c.cfg)
			op := &monitoring.Operation{Kind: monitoring.Process, Queue: "q", Attempt: max(c.attempt, 1), Headers: c.headers, Trace: c.trace}
			ctx, mine := k.tracer.Start(t.Context(), "of the consumer")
			ctx = k.Start(ctx, op)
			if op.Trace == "" {
				t.Error("nothing was left for the next attempt")
			}
			k.Observe(ctx, monitoring.Acked{Delivery: monitoring.Delivery{Queue: "q"}})
			s := k.span("process q", 0)
			if s.Parent.SpanID() == mine.SpanContext().SpanID() {
				t.Error("it is a child of the consumer's own span")
			}
			if s.Parent.IsValid() != c.child || c.child && s.Parent.SpanID().String() != "b7ad6b7169203331" {
				t.Errorf("the parent is %v", s.Parent)
			}
			linked := ""
			if len(s.Links) > 0 {
				linked = s.Links[0].SpanContext.SpanID().String()
			}
			if linked != c.linked {
				t.Errorf("it is linked to %q", linked)
			}
			if s.Status.Code != codes.Unset {
				t.Errorf("its status is %v", s.Status)
			}
		})
	}
}

func TestPublishing(t *testing.T) {
	k := newKit(t, otelmonitor.Config{})
	publish := func(op monitoring.Operation, e monitoring.Published) {
		op.Kind = monitoring.Publish
		k.Observe(k.Start(t.Context(), &op), e)
	}
	fresh := map[string]any{}
	publish(monitoring.Operation{Exchange: "events", Key: "order.7.made", Headers: fresh}, monitoring.Published{
		Exchange: "events", MessageID: "1", Result: monitoring.ResultUnroutable, Err: errors.New("no queue"), Took: time.Second,
	})
	s := k.span("send events", 0)
	if got, want := attributes(s), "error.type=unroutable,messaging.destination.name=events:order.7.made,messaging.message.body.size=0,messaging.message.id=1,"+
		"messaging.operation.name=send,messaging.operation.type=send,messaging.rabbitmq.destination.routing_key=order.7.made,messaging.system=rabbitmq,"+
		"warren.result=unroutable"; got != want {
		t.Errorf("it has\n%s, want\n%s", got, want)
	}
	if s.Status.Code != codes.Error || !strings.Contains(fmt.Sprint(fresh["traceparent"]), s.SpanContext.SpanID().String()) {
		t.Errorf("status %v, headers %v", s.Status, fresh)
	}
	again := map[string]any{"traceparent": foreign}
	publish(monitoring.Operation{Key: "orders", Headers: again}, monitoring.Published{Key: "orders", Result: monitoring.ResultConfirmed})
	if again["traceparent"] != foreign {
		t.Errorf("a message that is published again has lost its context: %v", again)
	}
	values := k.values()
	if got := values["messaging.client.sent.messages{"+conventional("unroutable", "events", "send")+"}"]; got != 1 {
		t.Errorf("%v", values)
	}
}

func TestWhatIsMeasured(t *testing.T) {
	k := newKit(t, otelmonitor.Config{})
	d := monitoring.Delivery{Queue: "q", BodySize: 100, QueueWait: 3 * time.Second, Handling: time.Second}
	begin := func() context.Context {
		return k.Start(t.Context(), &monitoring.Operation{Kind: monitoring.Process, Queue: "q", Attempt: 1})
	}
	k.Observe(begin(), monitoring.Acked{Delivery: d})
	k.Observe(begin(), monitoring.Deferred{Delivery: d, Err: errors.New("limit"), Wait: time.Minute})
	k.Observe(begin(), monitoring.Lost{Delivery: d, Outcome: "ack", Err: errors.New("gone")})
	k.Observe(begin(), monitoring.HandedBack{Delivery: d})
	still := begin()
	k.Observe(still, monitoring.Stuck{Delivery: d, Stack: []byte("goroutine 1")})
	k.Observe(still, monitoring.SettleFailed{Delivery: d})
	k.Observe(t.Context(), monitoring.Errored{Delivery: monitoring.Delivery{Queue: "q"}, Reason: monitoring.ReasonUndecodable, Err: errors.New("not JSON")})
	for _, e := range []monitoring.Event{
		monitoring.Held{Delivery: d},
		monitoring.LateOutcome{Delivery: d},
		monitoring.HeaderIgnored{Queue: "q"},
		monitoring.ConsumerReady{Queue: "q", Workers: 4},
		monitoring.ConsumerLost{Queue: "q", Refused: true},
		monitoring.ConsumerPaused{Queue: "q"},
		monitoring.ConsumerOverloaded{Queue: "q"},
		monitoring.ConsumerReady{Queue: "r", Workers: 2},
		monitoring.ConsumerStopped{Queue: "r"},
		monitoring.Connected{Name: "c"},
		monitoring.Disconnected{Name: "d", Err: errors.New("gone")},
		monitoring.DialFailed{Name: "d"},
		monitoring.Blocked{Name: "c"},
		monitoring.Reviewed{Queue: "q", Action: "replay", Matched: 10, Done: 5, Failed: 2, Left: 3},
		monitoring.MonitorPanicked{Monitor: "*m.M"},
	} {
		k.Observe(t.Context(), e)
	}
	values := k.values()
	want := map[string]float64{
		"warren.deliveries{warren.ending=acked,warren.queue=q}":                     1,
		"warren.deliveries{warren.ending=deferred,warren.queue=q}":                  1,
		"warren.deliveries{warren.ending=lost,warren.queue=q}":                      1,
		"warren.deliveries{warren.ending=handed_back,warren.queue=q}":               1,
		"warren.deliveries{warren.ending=errored,warren.queue=q}":                   1,
		"warren.errored{warren.queue=q,warren.reason=undecodable}":                  1,
		"warren.handling{warren.ending=acked,warren.queue=q}":                       1,
		"warren.handling{warren.ending=deferred,warren.queue=q}":                    1,
		"warren.handling{warren.ending=lost,warren.queue=q}":                        1,
		"warren.handling{warren.ending=handed_back,warren.queue=q}":                 1,
		"warren.queue_wait{warren.queue=q}":                                         12,
		"warren.body{warren.queue=q}":                                               400,
		"warren.running{warren.queue=q}":                                            1,
		"warren.stuck{warren.queue=q}":                                              0,
		"warren.held{warren.queue=q}":                                               1,
		"warren.late_outcomes{warren.queue=q}":                                      1,
		"warren.settle_failed{warren.queue=q}":                                      1,
		"warren.headers_ignored{warren.queue=q}":                                    1,
		"warren.consumer_ready{warren.queue=q}":                                     0,
		"warren.consumer_paused{warren.queue=q}":                                    1,
		"warren.consumer_overloaded{warren.queue=q}":                                1,
		"warren.consumer_lost{warren.queue=q,warren.refused=true}":                  1,
		"warren.workers{warren.queue=q}":                                            4,
		"warren.connected{warren.connection=c}":                                     1,
		"warren.connected{warren.connection=d}":                                     0,
		"warren.disconnected{warren.connection=d}":                                  1,
		"warren.dial_failed{warren.connection=d,warren.refused=false}":              1,
		"warren.blocked{warren.connection=c}":                                       1,
		"warren.blocked{warren.connection=d}":                                       0,
		"warren.reviewed{warren.action=replay,warren.queue=q,warren.result=done}":   5,
		"warren.reviewed{warren.action=replay,warren.queue=q,warren.result=failed}": 2,
		"warren.monitor_panicked{warren.monitor=*m.M}":                              1,
	}
	for name, v := range want {
		if got, ok := values[name]; !ok || got != v {
			t.Errorf("%s is %v (%v), want %v", name, got, ok, v)
		}
	}
	for name := range values {
		if _, ok := want[name]; !ok && strings.HasPrefix(name, "warren.") {
			t.Errorf("%s was not expected", name)
		}
	}
	if n := len(k.spans.GetSpans()); n != 4 { // one still runs
		t.Errorf("spans: %v", names(k.spans.GetSpans()))
	}
}

// docs/monitoring.md names every attribute of ours: a label of a metric, or one of a span.
func TestThePageNamesEveryAttribute(t *testing.T) {
	page, err := os.ReadFile("../../docs/monitoring.md")
	must(t, err)
	source, err := os.ReadFile("conventions.go")
	must(t, err)
	keys := regexp.MustCompile(`Key\("warren\.([a-z_]+)"\)`).FindAllSubmatch(source, -1)
	if len(keys) < 10 {
		t.Errorf("found only %d", len(keys))
	}
	for _, key := range keys {
		label := regexp.MustCompile(`(?m)^\| .* \| ([a-z]+, )?` + string(key[1]) + `(, [a-z]+)? \|`)
		if !label.Match(page) && !strings.Contains(string(page), "`warren."+string(key[1])+"`") {
			t.Errorf("the page lacks %s", key[1])
		}
	}
}
