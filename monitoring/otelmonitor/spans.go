package otelmonitor

import (
	"context"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/internal/gauges"
)

// begun is in the context between Start and the event that ends the operation: the handler's own spans may be in the
// same context.
type begun struct {
	m    *Monitor
	kind monitoring.OperationKind // what a handler publishes, it publishes with its own context
}

func (m *Monitor) begin(ctx context.Context, name string, op *monitoring.Operation, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	ctx, span := m.tracer.Start(ctx, name, append(options, trace.WithAttributes(spanAttributes(op)...))...)
	return context.WithValue(ctx, begun{m, op.Kind}, span), span
}

// startPublish begins the span of a message that is published, and puts its context into the headers. A message that has
// one already is published again, and keeps it: what happens to it belongs to its first trace.
func (m *Monitor) startPublish(ctx context.Context, op *monitoring.Operation) context.Context {
	ctx, _ = m.begin(ctx, sendName+" "+spanTarget(op.Exchange, op.Key), op, trace.WithSpanKind(trace.SpanKindProducer))
	if trace.SpanContextFromContext(m.propagator.Extract(context.Background(), headers(op.Headers))).IsValid() {
		return ctx
	}
	carrier := propagation.MapCarrier{}
	m.propagator.Inject(ctx, carrier)
	for field, value := range carrier {
		if _, taken := op.Headers[field]; taken && field == "baggage" {
			continue // the application's own
		}
		headers(op.Headers).Set(field, value)
	}
	return ctx
}

// startProcess begins the span of an attempt.
func (m *Monitor) startProcess(ctx context.Context, op *monitoring.Operation) context.Context {
	m.state.Began(op.Queue)
	// The consumer's context may have a span of its own, such as that of the program's start.
	ctx = trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	ctx = m.propagator.Extract(ctx, headers(op.Headers))
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer)}
	creation := trace.SpanContextFromContext(ctx)
	first := parse(op.Trace)
	switch {
	case first.IsValid():
		options = append(options, trace.WithNewRoot(), trace.WithLinks(trace.Link{SpanContext: first}))
	case creation.IsValid() && (m.links || op.Attempt > 1):
		options = append(options, trace.WithNewRoot(), trace.WithLinks(trace.Link{SpanContext: creation}))
	}
	ctx, span := m.begin(ctx, processName+" "+gauges.Label(op.Queue), op, options...)
	if !first.IsValid() {
		op.Trace = format(span.SpanContext())
	}
	return ctx
}

// format and parse write and read a span context as W3C Trace Context does, whatever the program's propagator.

func format(sc trace.SpanContext) string {
	if !sc.IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), sc), carrier)
	return carrier["traceparent"]
}

func parse(text string) trace.SpanContext {
	if text == "" {
		return trace.SpanContext{}
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": text})
	return trace.SpanContextFromContext(ctx)
}

// endSpan ends the span of an operation, and tells whether one had begun.
func (m *Monitor) endSpan(ctx context.Context, e monitoring.Event) bool {
	if e, ok := e.(monitoring.Published); ok {
		span, ok := ctx.Value(begun{m, monitoring.Publish}).(trace.Span)
		if !ok {
			return false // it came to nothing before it began
		}
		span.SetAttributes(resultKey.String(string(e.Result)), text(semconv.MessagingMessageIDKey, e.MessageID))
		if e.Result != monitoring.ResultConfirmed {
			failed(span, e.Err, nil, string(e.Result))
		}
		span.End()
		return true
	}
	span, ok := ctx.Value(begun{m, monitoring.Process}).(trace.Span)
	if !ok {
		return false
	}
	if e, ok := e.(monitoring.Stuck); ok {
		span.AddEvent("stuck", trace.WithAttributes(text(semconv.ExceptionStacktraceKey, string(e.Stack))))
	}
	d, ending, ok := monitoring.EndingOf(e)
	if !ok {
		return true
	}
	span.SetAttributes(endingKey.String(ending))
	if d.QueueWait > 0 {
		span.SetAttributes(queueWaitKey.Float64(d.QueueWait.Seconds()))
	}
	switch e := e.(type) {
	case monitoring.Retried:
		span.SetAttributes(failureKey.String(e.Failure.String()), waitKey.Float64(e.Wait.Seconds()), text(toKey, e.To))
		failed(span, e.Err, e.Stack, errorType(e))
	case monitoring.Deferred:
		span.SetAttributes(waitKey.Float64(e.Wait.Seconds()), text(toKey, e.To))
		record(span, e.Err, nil)
	case monitoring.Errored:
		span.SetAttributes(reasonKey.String(string(e.Reason)), text(toKey, e.To))
		if e.Failure != 0 {
			span.SetAttributes(failureKey.String(e.Failure.String()))
		}
		failed(span, e.Err, e.Stack, errorType(e))
	case monitoring.Lost:
		failed(span, e.Err, nil, errorType(e))
	}
	span.End()
	return true
}

// failed marks a span as failed, also if nobody says why.
func failed(span trace.Span, err error, stack []byte, kind string) {
	record(span, err, stack)
	span.SetAttributes(semconv.ErrorTypeKey.String(kind))
	why := ""
	if err != nil {
		why = errorText(err)
	}
	span.SetStatus(codes.Error, why)
}

// record puts an error into a span, as RecordError does, which names the type and asks for the text itself.
func record(span trace.Span, err error, stack []byte) {
	if err == nil {
		return
	}
	list := []attribute.KeyValue{
		text(semconv.ExceptionTypeKey, fmt.Sprintf("%T", err)), text(semconv.ExceptionMessageKey, errorText(err)),
	}
	if len(stack) > 0 {
		list = append(list, text(semconv.ExceptionStacktraceKey, string(stack)))
	}
	span.AddEvent(semconv.ExceptionEventName, trace.WithAttributes(list...))
}

const maxText = 4096 // bytes

// errorText is the text of an error, bounded and UTF-8. Its method may panic.
func errorText(err error) (s string) {
	defer func() {
		if recover() != nil {
			s = "an error whose Error method panics"
		}
	}()
	s = err.Error()
	if len(s) > maxText {
		return strings.ToValidUTF8(s[:maxText], "")
	}
	return gauges.Label(s)
}
