package otelmonitor

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/semconv/v1.37.0/messagingconv"

	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/internal/gauges"
)

// instruments are all that is measured, under the names of docs/monitoring.md.
type instruments struct {
	deliveries, failures, errored, held, lateOutcomes, settleFailed, headersIgnored metric.Int64Counter
	handling, queueWait, body                                                       metric.Float64Histogram

	lost, published, disconnected, dialFailed, reviewed, panicked metric.Int64Counter
	publishing                                                    metric.Float64Histogram

	gauges map[gauges.Name]metric.Int64Observable

	conventional
}

// Bounds of buckets, in seconds and bytes.
var (
	handlingBounds  = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	queueWaitBounds = []float64{.005, .025, .1, .5, 1, 5, 15, 60, 300, 900, 3600, 6 * 3600, 24 * 3600}
	publishBounds   = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30}
	bodyBounds      = []float64{64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216}
)

// maker makes instruments, until one is refused.
type maker struct {
	meter metric.Meter
	err   error
}

func newInstruments(meter metric.Meter) (instruments, error) {
	m := &maker{meter: meter}
	i := instruments{
		deliveries:     m.counter("deliveries", "{delivery}", "Deliveries by how they ended."),
		failures:       m.counter("failures", "{attempt}", "Attempts that failed, by how."),
		errored:        m.counter("errored", "{message}", "Messages that went to the error queue, by why."),
		held:           m.counter("held", "{hop}", "Hops of waits that are composed of several queues."),
		lateOutcomes:   m.counter("late_outcomes", "{outcome}", "Outcomes of handlers that had been given up."),
		settleFailed:   m.counter("settle_failed", "{try}", "Tries to carry out an outcome that failed."),
		headersIgnored: m.counter("headers_ignored", "{header}", "Headers of Warren that made no sense."),
		handling:       m.histogram("handling", "s", "How long handlers ran.", handlingBounds),
		queueWait:      m.histogram("queue_wait", "s", "How long messages were ready before their delivery.", queueWaitBounds),
		body:           m.histogram("body", "By", "How large bodies are, as received.", bodyBounds),

		lost: m.counter("consumer_lost", "{subscription}", "Subscriptions that were lost or could not be made."),

		published:    m.counter("published", "{message}", "Messages that the application published, by what became of them."),
		publishing:   m.histogram("publishing", "s", "How long the broker's word took.", publishBounds),
		disconnected: m.counter("disconnected", "{connection}", "Connections that ended and were not closed."),
		dialFailed:   m.counter("dial_failed", "{dial}", "Dials that failed."),
		reviewed:     m.counter("reviewed", "{entry}", "Entries of error queues that someone has acted upon, or tried to."),
		panicked:     m.counter("monitor_panicked", "{panic}", "Panics of monitors."),

		gauges: map[gauges.Name]metric.Int64Observable{},
	}
	for _, g := range gauges.All {
		i.gauges[g.Name] = m.observable(g)
	}
	if m.err != nil {
		return i, m.err
	}
	var err error
	i.conventional, err = newConventional(meter)
	return i, err
}

func (m *maker) note(err error) {
	if m.err == nil {
		m.err = err
	}
}

func (m *maker) counter(name, unit, help string) metric.Int64Counter {
	c, err := m.meter.Int64Counter("warren."+name, metric.WithUnit(unit), metric.WithDescription(help))
	m.note(err)
	return c
}

// observable makes an instrument that is read when metrics are collected: one that is only written when it changes would
// be forgotten in between, where temporality is delta.
func (m *maker) observable(g gauges.Info) metric.Int64Observable {
	name, unit, help := "warren."+string(g.Name), metric.WithUnit(g.Unit), metric.WithDescription(g.Help)
	if g.Sum {
		o, err := m.meter.Int64ObservableUpDownCounter(name, unit, help)
		m.note(err)
		return o
	}
	o, err := m.meter.Int64ObservableGauge(name, unit, help)
	m.note(err)
	return o
}

func (m *maker) histogram(name, unit, help string, bounds []float64) metric.Float64Histogram {
	h, err := m.meter.Float64Histogram("warren."+name, metric.WithUnit(unit), metric.WithDescription(help),
		metric.WithExplicitBucketBoundaries(bounds...))
	m.note(err)
	return h
}

func labels(list ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributes(list...)
}

// ended measures a delivery that has ended. ran says that a handler had it.
func (m *Monitor) ended(ctx context.Context, d monitoring.Delivery, ending string, e monitoring.Event, ran bool) {
	queue := text(queueKey, d.Queue)
	m.deliveries.Add(ctx, 1, labels(queue, endingKey.String(ending)))
	m.consumed.Add(ctx, 1, processName, messagingconv.SystemRabbitMQ, measured(d.Queue, errorType(e))...)
	m.body.Record(ctx, float64(d.BodySize), labels(queue))
	if d.QueueWait > 0 {
		m.queueWait.Record(ctx, d.QueueWait.Seconds(), labels(queue))
	}
	if ran {
		m.handling.Record(ctx, d.Handling.Seconds(), labels(queue, endingKey.String(ending)))
		m.process.Record(ctx, d.Handling.Seconds(), processName, messagingconv.SystemRabbitMQ, measured(d.Queue, errorType(e))...)
	}
}

// errorType is how an attempt failed, or why a message was given up without one; empty if nothing failed. Metrics and
// spans have the same.
func errorType(e monitoring.Event) string {
	switch e := e.(type) {
	case monitoring.Retried:
		return e.Failure.String()
	case monitoring.Errored:
		if e.Failure != 0 {
			return e.Failure.String()
		}
		return string(e.Reason)
	case monitoring.Lost:
		return "lost"
	}
	return ""
}

func (m *Monitor) wasPublished(ctx context.Context, e monitoring.Published) {
	exchange := gauges.Exchange(e.Exchange)
	with := labels(exchangeKey.String(exchange), resultKey.String(string(e.Result)))
	m.published.Add(ctx, 1, with)
	m.publishing.Record(ctx, e.Took.Seconds(), with)
	failure := ""
	if e.Result != monitoring.ResultConfirmed {
		failure = string(e.Result)
	}
	m.sent.Add(ctx, 1, sendName, messagingconv.SystemRabbitMQ, measured(exchange, failure)...)
	m.client.Record(ctx, e.Took.Seconds(), sendName, messagingconv.SystemRabbitMQ, measured(exchange, failure)...)
}

// others measures what is about no message.
func (m *Monitor) others(ctx context.Context, e monitoring.Event) {
	switch e := e.(type) {
	case monitoring.ConsumerLost:
		m.lost.Add(ctx, 1, labels(text(queueKey, e.Queue), refusedKey.Bool(e.Refused)))
	case monitoring.Disconnected:
		if e.Err != nil {
			m.disconnected.Add(ctx, 1, labels(text(connectionKey, e.Name)))
		}
	case monitoring.DialFailed:
		m.dialFailed.Add(ctx, 1, labels(text(connectionKey, e.Name), refusedKey.Bool(e.Refused)))
	case monitoring.Reviewed:
		m.reviewed.Add(ctx, int64(e.Done), labels(text(queueKey, e.Queue), text(actionKey, e.Action), resultKey.String("done")))
		m.reviewed.Add(ctx, int64(e.Failed), labels(text(queueKey, e.Queue), text(actionKey, e.Action), resultKey.String("failed")))
	case monitoring.MonitorPanicked:
		m.panicked.Add(ctx, 1, labels(text(monitorKey, e.Monitor)))
	}
}

// observe reads the gauges.
func (m *Monitor) observe(_ context.Context, o metric.Observer) error {
	for _, v := range m.state.Values() {
		key := queueKey
		if v.Name == gauges.Connected || v.Name == gauges.Blocked {
			key = connectionKey
		}
		o.ObserveInt64(m.gauges[v.Name], v.Value, labels(key.String(v.Of)))
	}
	return nil
}
