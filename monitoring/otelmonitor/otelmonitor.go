// Package otelmonitor traces and measures with OpenTelemetry.
//
//	m, err := otelmonitor.New(otelmonitor.Config{}) // with otel's global providers
//	conn, err := connection.Open(ctx, url, connection.Config{Monitor: monitoring.All(m, monitoring.Log(nil))})
//
// # Traces
//
// A message that is published is a span "send orders", and its context travels in the headers of the message, as W3C
// Trace Context says. The run of a handler is a span "process orders", a child of the former, in whatever program that
// was; the handler's context has it, so what the handler calls is traced, too. A further attempt is a trace of its own,
// or a trace would last for days: it is linked to the first attempt. The context stays with the message over
// retries and in the error queue, for whoever publishes it again.
//
// # Metrics
//
// They are those of docs/monitoring.md, as warren.deliveries, and the four that OpenTelemetry's conventions ask for:
// messaging.process.duration, messaging.client.operation.duration, messaging.client.sent.messages and
// messaging.client.consumed.messages.
//
// Names follow the semantic conventions for messaging, version 1.37.0, which are still in development: the file
// conventions.go holds all of them, and the schema URL of the instrumentation tells the version.
package otelmonitor

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/internal/gauges"
)

// Config holds what may be left out. Its zero value works.
type Config struct {
	// TracerProvider and MeterProvider are where spans and metrics go. Nil means otel's global ones, as they are when
	// they are first used. They stay the caller's: shut them down after the connection.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider

	// Propagator puts a context into headers and finds it there. Nil means W3C Trace Context and Baggage.
	Propagator propagation.TextMapPropagator

	// Links makes the span of a first attempt the root of a trace of its own, linked to the span that published the
	// message, and not its child.
	Links bool
}

// Monitor makes spans and metrics of events. It is a [monitoring.Starter]. Any number of goroutines may use it, and it does
// not block.
type Monitor struct {
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	links      bool
	instruments

	state    gauges.Set
	callback metric.Registration // reads state
}

var _ monitoring.Starter = (*Monitor)(nil)

// New returns a monitor. The error is that of a meter provider that refuses an instrument. The meter provider asks the
// monitor for its gauges, and so keeps it until Close.
func New(cfg Config) (*Monitor, error) {
	if cfg.TracerProvider == nil {
		cfg.TracerProvider = otel.GetTracerProvider()
	}
	if cfg.MeterProvider == nil {
		cfg.MeterProvider = otel.GetMeterProvider()
	}
	if cfg.Propagator == nil {
		cfg.Propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
	}
	m := &Monitor{
		tracer:     cfg.TracerProvider.Tracer(scope, trace.WithSchemaURL(schemaURL)),
		propagator: cfg.Propagator,
		links:      cfg.Links,
	}
	meter := cfg.MeterProvider.Meter(scope, metric.WithSchemaURL(schemaURL))
	var err error
	if m.instruments, err = newInstruments(meter); err == nil {
		var all []metric.Observable
		for _, g := range m.gauges {
			all = append(all, g)
		}
		m.callback, err = meter.RegisterCallback(m.observe, all...)
	}
	if err != nil {
		return nil, fmt.Errorf("make the OpenTelemetry instruments: %w", err)
	}
	return m, nil
}

// Close takes the gauges out of the meter provider. It is for monitors that end before their provider does, and sends
// nothing: that is for the providers to do, when they are shut down.
func (m *Monitor) Close() error { return m.callback.Unregister() }

// Start begins a span.
func (m *Monitor) Start(ctx context.Context, op *monitoring.Operation) context.Context {
	switch op.Kind {
	case monitoring.Publish:
		return m.startPublish(ctx, op)
	case monitoring.Process:
		return m.startProcess(ctx, op)
	}
	return ctx
}

// Observe ends spans and counts.
func (m *Monitor) Observe(ctx context.Context, e monitoring.Event) {
	ran := m.endSpan(ctx, e)
	ctx = context.WithoutCancel(ctx)
	m.state.Observe(e, ran)
	if d, ending, ok := monitoring.EndingOf(e); ok {
		m.ended(ctx, d, ending, e, ran)
	}
	switch e := e.(type) {
	case monitoring.Retried:
		m.failures.Add(ctx, 1, labels(text(queueKey, e.Queue), failureKey.String(e.Failure.String())))
	case monitoring.Errored:
		m.errored.Add(ctx, 1, labels(text(queueKey, e.Queue), reasonKey.String(string(e.Reason))))
		if e.Failure != 0 {
			m.failures.Add(ctx, 1, labels(text(queueKey, e.Queue), failureKey.String(e.Failure.String())))
		}
	case monitoring.Held:
		m.held.Add(ctx, 1, labels(text(queueKey, e.Queue)))
	case monitoring.LateOutcome:
		m.lateOutcomes.Add(ctx, 1, labels(text(queueKey, e.Queue)))
	case monitoring.SettleFailed:
		m.settleFailed.Add(ctx, 1, labels(text(queueKey, e.Queue)))
	case monitoring.HeaderIgnored:
		m.headersIgnored.Add(ctx, 1, labels(text(queueKey, e.Queue)))
	case monitoring.Published:
		m.wasPublished(ctx, e)
	default:
		m.others(ctx, e)
	}
}
