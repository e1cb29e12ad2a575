package otelmonitor

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/warren-mq/warren/monitoring"
)

// begun is in the context between Start and the event that ends the operation: the handler's own spans may be in the
// same context.
type begun struct{ m *Monitor }

func (m *Monitor) begin(ctx context.Context, name string, op *monitoring.Operation, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	ctx, span := m.tracer.Start(ctx, name, append(options, trace.WithAttributes(spanAttributes(op)...))...)
	return context.WithValue(ctx, begun{m}, span), span
}

// startPublish begins the span of a message that is published, and puts its context into the headers. A message that has
// one already is published again, and keeps it: what happens to it belongs to its first trace.
func (m *Monitor) startPublish(ctx context.Context, op *monitoring.Operation) context.Context {
	ctx, _ = m.begin(ctx, sendName+" "+spanTarget(op.Exchange, op.Key), op, trace.WithSpanKind(trace.SpanKindProducer))
	for _, field := range m.propagator.Fields() {
		if _, taken := op.Headers[field]; taken {
			return ctx
		}
	}
	m.propagator.Inject(ctx, headers(op.Headers))
	return ctx
}

// startProcess begins the span of an attempt.
func (m *Monitor) startProcess(ctx context.Context, op *monitoring.Operation) context.Context {
	m.running.Add(ctx, 1, labels(queueKey.String(op.Queue)))
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
	ctx, span := m.begin(ctx, processName+" "+op.Queue, op, options...)
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
	span, ok := ctx.Value(begun{m}).(trace.Span)
	if !ok {
		return false
	}
	switch e := e.(type) {
	case monitoring.Stuck:
		span.AddEvent("stuck", trace.WithAttributes(semconv.ExceptionStacktrace(string(e.Stack))))
		return true
	case monitoring.Published:
		span.SetAttributes(resultKey.String(string(e.Result)), semconv.MessagingMessageID(e.MessageID))
		failed(span, e.Err, nil, string(e.Result))
		span.End()
		return true
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
		span.SetAttributes(failureKey.String(e.Failure.String()), waitKey.Float64(e.Wait.Seconds()), toKey.String(e.To))
		failed(span, e.Err, e.Stack, e.Failure.String())
	case monitoring.Deferred:
		span.SetAttributes(waitKey.Float64(e.Wait.Seconds()), toKey.String(e.To))
		record(span, e.Err, nil)
	case monitoring.Errored:
		span.SetAttributes(reasonKey.String(string(e.Reason)), toKey.String(e.To))
		failed(span, e.Err, e.Stack, string(e.Reason))
	case monitoring.Lost:
		failed(span, e.Err, nil, ending)
	}
	span.End()
	return true
}

// failed marks a span as failed, if there is an error.
func failed(span trace.Span, err error, stack []byte, kind string) {
	if err == nil {
		return
	}
	record(span, err, stack)
	span.SetAttributes(semconv.ErrorTypeKey.String(kind))
	span.SetStatus(codes.Error, text(err))
}

// record puts an error into a span.
func record(span trace.Span, err error, stack []byte) {
	if err == nil {
		return
	}
	var more []attribute.KeyValue
	if len(stack) > 0 {
		more = append(more, semconv.ExceptionStacktrace(string(stack)))
	}
	span.RecordError(described{err}, trace.WithAttributes(more...))
}

// described is an error whose text is bounded, and whose method does not panic.
type described struct{ error }

func (d described) Error() string { return text(d.error) }

const maxText = 4096 // bytes

func text(err error) (s string) {
	defer func() {
		if recover() != nil {
			s = "an error whose Error method panics"
		}
	}()
	s = err.Error()
	return s[:min(len(s), maxText)]
}
