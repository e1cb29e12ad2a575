// Package prommonitor counts for Prometheus: counters, histograms and gauges of what consumers, publishers and
// connections do.
//
//	registry := prometheus.NewRegistry()
//	m, err := prommonitor.New(registry, prommonitor.Config{})
//	conn, err := connection.Open(ctx, url, connection.Config{Monitor: monitoring.All(m, monitoring.Log(nil))})
//	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
//
// docs/monitoring.md lists every metric. The folder monitoring/dashboards has a dashboard for Grafana, and rules for
// alerts. It knows no global registry.
package prommonitor

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/warren-mq/warren/monitoring"
)

// Config holds what may be left out. Its zero value works.
type Config struct {
	// Namespace begins every name. Empty means "warren". The dashboard and the alerts expect that.
	Namespace string

	// Labels are put on every metric.
	Labels prometheus.Labels

	// Handling and QueueWait are the upper bounds of histogram buckets, in seconds, rising. Nil means 1 ms to a minute, and
	// 5 ms to a day.
	Handling, QueueWait []float64

	// Native adds native histograms, with buckets that differ by a tenth, for servers that have them turned on.
	Native bool
}

// Monitor counts what happens. It is a [prometheus.Collector], and a [monitoring.Starter], since it counts the handlers
// that run. Any number of goroutines may use it, and it does not block.
type Monitor struct {
	metrics
	all []prometheus.Collector
}

var (
	_ prometheus.Collector = (*Monitor)(nil)
	_ monitoring.Starter   = (*Monitor)(nil)
)

// New returns a monitor that is registered with r. If one with the same configuration is registered there already, that
// is the one it returns: several parts of a program can each ask for theirs. The error is that of r: another
// collector has the same names, or Config makes no sense.
//
// If r is nil the monitor is not registered, and a collector to be registered by the caller.
func New(r prometheus.Registerer, cfg Config) (*Monitor, error) {
	if !rises(cfg.Handling) || !rises(cfg.QueueWait) {
		return nil, fmt.Errorf("Config.Handling or Config.QueueWait does not rise: %v, %v", cfg.Handling, cfg.QueueWait)
	}
	m := newMonitor(cfg)
	if r == nil {
		return m, nil
	}
	err := r.Register(m)
	var registered prometheus.AlreadyRegisteredError
	if errors.As(err, &registered) {
		if old, ok := registered.ExistingCollector.(*Monitor); ok {
			return old, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("register the Prometheus metrics: %w", err)
	}
	return m, nil
}

// rises tells whether bounds are some that client_golang takes: it panics at others, at the first message.
func rises(bounds []float64) bool {
	for i := range bounds {
		if i > 0 && !(bounds[i-1] < bounds[i]) {
			return false
		}
	}
	return true
}

// Describe sends what there is to collect.
func (m *Monitor) Describe(c chan<- *prometheus.Desc) {
	for _, metric := range m.all {
		metric.Describe(c)
	}
}

// Collect sends the metrics.
func (m *Monitor) Collect(c chan<- prometheus.Metric) {
	for _, metric := range m.all {
		metric.Collect(c)
	}
}

// ran is in the context of a message whose handler runs, so that what ends it is counted once.
type ran struct{ m *Monitor }

// Start counts a handler that begins.
func (m *Monitor) Start(ctx context.Context, op *monitoring.Operation) context.Context {
	if op.Kind != monitoring.Process {
		return ctx
	}
	m.running.WithLabelValues(op.Queue).Inc()
	return context.WithValue(ctx, ran{m}, true)
}

// Observe counts an event.
func (m *Monitor) Observe(ctx context.Context, e monitoring.Event) {
	if d, ending, ok := monitoring.EndingOf(e); ok {
		m.ended(ctx, d, ending)
	}
	switch e := e.(type) {
	case monitoring.Retried:
		m.failures.WithLabelValues(e.Queue, e.Failure.String()).Inc()
	case monitoring.Errored:
		m.errored.WithLabelValues(e.Queue, string(e.Reason)).Inc()
		if e.Failure != 0 {
			m.failures.WithLabelValues(e.Queue, e.Failure.String()).Inc()
		}
	case monitoring.Held:
		m.held.WithLabelValues(e.Queue).Inc()
	case monitoring.Stuck:
		m.stuck.WithLabelValues(e.Queue).Set(float64(e.Abandoned))
	case monitoring.LateOutcome:
		m.lateOutcomes.WithLabelValues(e.Queue).Inc()
		m.stuck.WithLabelValues(e.Queue).Dec()
		m.overloaded.WithLabelValues(e.Queue).Set(0)
	case monitoring.SettleFailed:
		m.settleFailed.WithLabelValues(e.Queue).Inc()
	case monitoring.HeaderIgnored:
		m.headersIgnored.WithLabelValues(e.Queue).Inc()
	default:
		m.state(e)
	}
}

func (m *Monitor) ended(ctx context.Context, d monitoring.Delivery, ending string) {
	m.deliveries.WithLabelValues(d.Queue, ending).Inc()
	m.body.WithLabelValues(d.Queue).Observe(float64(d.BodySize))
	if d.QueueWait > 0 {
		m.queueWait.WithLabelValues(d.Queue).Observe(d.QueueWait.Seconds())
	}
	if ctx.Value(ran{m}) != nil {
		m.handling.WithLabelValues(d.Queue, ending).Observe(d.Handling.Seconds())
		m.running.WithLabelValues(d.Queue).Dec()
	}
}

// state counts what is about no message.
func (m *Monitor) state(e monitoring.Event) {
	switch e := e.(type) {
	case monitoring.ConsumerReady:
		m.prepare(e.Queue)
		m.ready.WithLabelValues(e.Queue).Set(1)
		m.workers.WithLabelValues(e.Queue).Set(float64(e.Workers))
	case monitoring.ConsumerLost:
		m.ready.WithLabelValues(e.Queue).Set(0)
		m.lost.WithLabelValues(e.Queue, strconv.FormatBool(e.Refused)).Inc()
	case monitoring.ConsumerPaused:
		m.ready.WithLabelValues(e.Queue).Set(0)
		m.paused.WithLabelValues(e.Queue).Set(1)
	case monitoring.ConsumerResumed:
		m.paused.WithLabelValues(e.Queue).Set(0)
	case monitoring.ConsumerOverloaded:
		m.ready.WithLabelValues(e.Queue).Set(0)
		m.overloaded.WithLabelValues(e.Queue).Set(1)
	case monitoring.ConsumerStopping:
		m.ready.WithLabelValues(e.Queue).Set(0)
	case monitoring.Published:
		exchange := e.Exchange
		if exchange == "" {
			exchange = "amq.default" // RabbitMQ's own name for it
		}
		m.published.WithLabelValues(exchange, string(e.Result)).Inc()
		m.publishing.WithLabelValues(exchange, string(e.Result)).Observe(e.Took.Seconds())
	case monitoring.Connected:
		m.connected.WithLabelValues(e.Name).Set(1)
		m.disconnected.WithLabelValues(e.Name)
		m.blocked.WithLabelValues(e.Name).Set(0)
	case monitoring.Disconnected:
		m.connected.WithLabelValues(e.Name).Set(0)
		m.blocked.WithLabelValues(e.Name).Set(0)
		if e.Err != nil {
			m.disconnected.WithLabelValues(e.Name).Inc()
		}
	case monitoring.DialFailed:
		m.dialFailed.WithLabelValues(e.Name, strconv.FormatBool(e.Refused)).Inc()
		m.connected.WithLabelValues(e.Name).Set(0)
	case monitoring.Blocked:
		m.blocked.WithLabelValues(e.Name).Set(1)
	case monitoring.Unblocked:
		m.blocked.WithLabelValues(e.Name).Set(0)
	case monitoring.MonitorPanicked:
		m.panicked.WithLabelValues(e.Monitor).Inc()
	}
}

// prepare makes the counters of a queue appear as 0: an increase from nothing is none to Prometheus, so the first
// message in the error queue would alert nobody.
func (m *Monitor) prepare(queue string) {
	for _, ending := range []string{"acked", "retried", "deferred", "errored", "handed_back", "lost"} {
		m.deliveries.WithLabelValues(queue, ending)
	}
	for _, reason := range []monitoring.Reason{
		monitoring.ReasonRejected, monitoring.ReasonExhausted, monitoring.ReasonUndecodable, monitoring.ReasonInvalid,
		monitoring.ReasonCrashed, monitoring.ReasonExpired,
	} {
		m.errored.WithLabelValues(queue, string(reason))
	}
	for f := monitoring.FailureReturned; f <= monitoring.FailureStuck; f++ {
		m.failures.WithLabelValues(queue, f.String())
	}
	for _, refused := range []string{"true", "false"} {
		m.lost.WithLabelValues(queue, refused)
	}
	m.settleFailed.WithLabelValues(queue)
	m.stuck.WithLabelValues(queue)
	m.running.WithLabelValues(queue)
	m.paused.WithLabelValues(queue)
	m.overloaded.WithLabelValues(queue)
}
