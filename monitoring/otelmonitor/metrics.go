package otelmonitor

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/semconv/v1.37.0/messagingconv"

	"github.com/warren-mq/warren/monitoring"
)

// instruments are all that is measured, under the names of docs/monitoring.md.
type instruments struct {
	deliveries, failures, errored, held, lateOutcomes, settleFailed, headersIgnored metric.Int64Counter
	handling, queueWait, body                                                       metric.Float64Histogram

	ready, paused, overloaded, workers metric.Int64Gauge
	running, stuck                     metric.Int64UpDownCounter
	lost                               metric.Int64Counter

	published, disconnected, dialFailed, panicked metric.Int64Counter
	publishing                                    metric.Float64Histogram
	connected, blocked                            metric.Int64Gauge

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

		ready:      m.gauge("consumer_ready", "1", "1 if the consumer is subscribed."),
		paused:     m.gauge("consumer_paused", "1", "1 if the consumer is paused."),
		overloaded: m.gauge("consumer_overloaded", "1", "1 if too many handlers are stuck."),
		workers:    m.gauge("workers", "{worker}", "How many handlers may run at once."),
		running:    m.upDown("running", "{handler}", "How many handlers run."),
		stuck:      m.upDown("stuck", "{handler}", "Handlers that were given up and still run."),
		lost:       m.counter("consumer_lost", "{subscription}", "Subscriptions that were lost or could not be made."),

		published:    m.counter("published", "{message}", "Messages that the application published, by what became of them."),
		publishing:   m.histogram("publishing", "s", "How long the broker's word took.", publishBounds),
		connected:    m.gauge("connected", "1", "1 if the connection is up."),
		disconnected: m.counter("disconnected", "{connection}", "Connections that ended and were not closed."),
		dialFailed:   m.counter("dial_failed", "{dial}", "Dials that failed."),
		blocked:      m.gauge("blocked", "1", "1 if the broker takes no messages."),
		panicked:     m.counter("monitor_panicked", "{panic}", "Panics of monitors."),
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

func (m *maker) upDown(name, unit, help string) metric.Int64UpDownCounter {
	c, err := m.meter.Int64UpDownCounter("warren."+name, metric.WithUnit(unit), metric.WithDescription(help))
	m.note(err)
	return c
}

func (m *maker) gauge(name, unit, help string) metric.Int64Gauge {
	g, err := m.meter.Int64Gauge("warren."+name, metric.WithUnit(unit), metric.WithDescription(help))
	m.note(err)
	return g
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
	queue := queueKey.String(d.Queue)
	m.deliveries.Add(ctx, 1, labels(queue, endingKey.String(ending)))
	m.consumed.Add(ctx, 1, processName, messagingconv.SystemRabbitMQ, measured(d.Queue, errorType(e))...)
	m.body.Record(ctx, float64(d.BodySize), labels(queue))
	if d.QueueWait > 0 {
		m.queueWait.Record(ctx, d.QueueWait.Seconds(), labels(queue))
	}
	if ran {
		m.handling.Record(ctx, d.Handling.Seconds(), labels(queue, endingKey.String(ending)))
		m.process.Record(ctx, d.Handling.Seconds(), processName, messagingconv.SystemRabbitMQ, measured(d.Queue, errorType(e))...)
		m.running.Add(ctx, -1, labels(queue))
	}
}

// errorType is how an attempt failed, or why a message was given up without one; empty if nothing failed.
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
	exchange := e.Exchange
	if exchange == "" {
		exchange = defaultExchange
	}
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

// state measures what is about no message.
func (m *Monitor) state(ctx context.Context, e monitoring.Event) {
	switch e := e.(type) {
	case monitoring.ConsumerReady:
		m.ready.Record(ctx, 1, labels(queueKey.String(e.Queue)))
		m.workers.Record(ctx, int64(e.Workers), labels(queueKey.String(e.Queue)))
	case monitoring.ConsumerLost:
		m.ready.Record(ctx, 0, labels(queueKey.String(e.Queue)))
		m.lost.Add(ctx, 1, labels(queueKey.String(e.Queue), refusedKey.Bool(e.Refused)))
	case monitoring.ConsumerPaused:
		m.ready.Record(ctx, 0, labels(queueKey.String(e.Queue)))
		m.paused.Record(ctx, 1, labels(queueKey.String(e.Queue)))
	case monitoring.ConsumerResumed:
		m.paused.Record(ctx, 0, labels(queueKey.String(e.Queue)))
	case monitoring.ConsumerOverloaded:
		m.ready.Record(ctx, 0, labels(queueKey.String(e.Queue)))
		m.overloaded.Record(ctx, 1, labels(queueKey.String(e.Queue)))
	case monitoring.ConsumerStopping:
		m.ready.Record(ctx, 0, labels(queueKey.String(e.Queue)))
	case monitoring.Connected:
		m.connected.Record(ctx, 1, labels(connectionKey.String(e.Name)))
	case monitoring.Disconnected:
		m.connected.Record(ctx, 0, labels(connectionKey.String(e.Name)))
		m.blocked.Record(ctx, 0, labels(connectionKey.String(e.Name)))
		if e.Err != nil {
			m.disconnected.Add(ctx, 1, labels(connectionKey.String(e.Name)))
		}
	case monitoring.DialFailed:
		m.dialFailed.Add(ctx, 1, labels(connectionKey.String(e.Name), refusedKey.Bool(e.Refused)))
	case monitoring.Blocked:
		m.blocked.Record(ctx, 1, labels(connectionKey.String(e.Name)))
	case monitoring.Unblocked:
		m.blocked.Record(ctx, 0, labels(connectionKey.String(e.Name)))
	case monitoring.MonitorPanicked:
		m.panicked.Add(ctx, 1, labels(monitorKey.String(e.Monitor)))
	}
}
