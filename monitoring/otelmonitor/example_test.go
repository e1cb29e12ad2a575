package otelmonitor_test

import (
	"context"
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/otelmonitor"
)

func ExampleNew() {
	spans := tracetest.NewInMemoryExporter() // stands for a collector
	m, err := otelmonitor.New(otelmonitor.Config{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))})
	if err != nil {
		fmt.Println(err)
		return
	}
	// connection.Config{Monitor: m} has it told what happens. A consumer does this for each message:
	ctx := m.Start(context.Background(), &monitoring.Operation{Kind: monitoring.Process, Queue: "orders", Attempt: 1})
	m.Observe(ctx, monitoring.Acked{Delivery: monitoring.Delivery{Queue: "orders"}})

	for _, s := range spans.GetSpans() {
		fmt.Println(s.SpanKind, s.Name)
	}
	// Output: consumer process orders
}
