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
	"reflect"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/internal/gauges"
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
	cfg Config
	metrics
	all   []prometheus.Collector
	state gauges.Set

	mu        sync.RWMutex
	exchanges map[string]bool // those that have been published to
}

var (
	_ prometheus.Collector = (*Monitor)(nil)
	_ monitoring.Starter   = (*Monitor)(nil)
)

// New returns a monitor that is registered with r. If one with the same configuration is registered there already, that
// is the one it returns: several parts of a program can each ask for theirs. It is an error if Config makes no sense, or
// if another collector has the same names and labels: also a monitor with other buckets.
//
// If r is nil the monitor is not registered, and a collector to be registered by the caller.
func New(r prometheus.Registerer, cfg Config) (*Monitor, error) {
	if !rises(cfg.Handling) || !rises(cfg.QueueWait) {
		return nil, fmt.Errorf("Config.Handling or Config.QueueWait does not rise: %v, %v", cfg.Handling, cfg.QueueWait)
	}
	m := newMonitor(cfg.completed())
	if r == nil {
		r = prometheus.NewRegistry() // it tells whether the names make sense
	}
	err := r.Register(m)
	var registered prometheus.AlreadyRegisteredError
	if errors.As(err, &registered) {
		if old, ok := registered.ExistingCollector.(*Monitor); ok && reflect.DeepEqual(old.cfg, m.cfg) {
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
	for _, desc := range m.gauges {
		c <- desc
	}
}

// Collect sends the metrics.
func (m *Monitor) Collect(c chan<- prometheus.Metric) {
	for _, metric := range m.all {
		metric.Collect(c)
	}
	for _, v := range m.state.Values() {
		c <- prometheus.MustNewConstMetric(m.gauges[v.Name], prometheus.GaugeValue, float64(v.Value), v.Of)
	}
}

// ran is in the context of a message whose handler runs, so that what ends it is counted once.
type ran struct{ m *Monitor }

// Start counts a handler that begins.
func (m *Monitor) Start(ctx context.Context, op *monitoring.Operation) context.Context {
	if op.Kind != monitoring.Process {
		return ctx
	}
	m.state.Began(op.Queue)
	return context.WithValue(ctx, ran{m}, true)
}

// Observe counts an event.
func (m *Monitor) Observe(ctx context.Context, e monitoring.Event) {
	d, ending, ended := monitoring.EndingOf(e)
	handled := ended && ctx.Value(ran{m}) != nil
	m.state.Observe(e, handled)
	if ended {
		m.ended(d, ending, handled)
	}
	switch e := e.(type) {
	case monitoring.Retried:
		m.failures.WithLabelValues(gauges.Label(e.Queue), e.Failure.String()).Inc()
	case monitoring.Errored:
		m.errored.WithLabelValues(gauges.Label(e.Queue), string(e.Reason)).Inc()
		if e.Failure != 0 {
			m.failures.WithLabelValues(gauges.Label(e.Queue), e.Failure.String()).Inc()
		}
	case monitoring.Held:
		m.held.WithLabelValues(gauges.Label(e.Queue)).Inc()
	case monitoring.LateOutcome:
		m.lateOutcomes.WithLabelValues(gauges.Label(e.Queue)).Inc()
	case monitoring.SettleFailed:
		m.settleFailed.WithLabelValues(gauges.Label(e.Queue)).Inc()
	case monitoring.HeaderIgnored:
		m.headersIgnored.WithLabelValues(gauges.Label(e.Queue)).Inc()
	case monitoring.Published:
		m.wasPublished(e)
	default:
		m.others(e)
	}
}

func (m *Monitor) ended(d monitoring.Delivery, ending string, handled bool) {
	queue := gauges.Label(d.Queue)
	m.deliveries.WithLabelValues(queue, ending).Inc()
	m.body.WithLabelValues(queue).Observe(float64(d.BodySize))
	if d.QueueWait > 0 {
		m.queueWait.WithLabelValues(queue).Observe(d.QueueWait.Seconds())
	}
	if handled {
		m.handling.WithLabelValues(queue, ending).Observe(d.Handling.Seconds())
	}
}

func (m *Monitor) wasPublished(e monitoring.Published) {
	exchange := gauges.Exchange(e.Exchange)
	m.mu.RLock()
	known := m.exchanges[exchange]
	m.mu.RUnlock()
	if !known {
		m.prepareExchange(exchange)
	}
	m.published.WithLabelValues(exchange, string(e.Result)).Inc()
	m.publishing.WithLabelValues(exchange, string(e.Result)).Observe(e.Took.Seconds())
}

// others counts what is about no message.
func (m *Monitor) others(e monitoring.Event) {
	switch e := e.(type) {
	case monitoring.ConsumerReady:
		m.prepare(gauges.Label(e.Queue))
	case monitoring.ConsumerLost:
		m.prepare(gauges.Label(e.Queue))
		m.lost.WithLabelValues(gauges.Label(e.Queue), strconv.FormatBool(e.Refused)).Inc()
	case monitoring.Connected:
		m.disconnected.WithLabelValues(gauges.Label(e.Name))
	case monitoring.Disconnected:
		if e.Err != nil {
			m.disconnected.WithLabelValues(gauges.Label(e.Name)).Inc()
		}
	case monitoring.DialFailed:
		m.dialFailed.WithLabelValues(gauges.Label(e.Name), strconv.FormatBool(e.Refused)).Inc()
	case monitoring.Reviewed:
		m.reviewed.WithLabelValues(gauges.Label(e.Queue), gauges.Label(e.Action), "done").Add(float64(e.Done))
		m.reviewed.WithLabelValues(gauges.Label(e.Queue), gauges.Label(e.Action), "failed").Add(float64(e.Failed))
	case monitoring.MonitorPanicked:
		m.panicked.WithLabelValues(gauges.Label(e.Monitor)).Inc()
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
}

// prepareExchange is prepare for an exchange, when it is first published to.
func (m *Monitor) prepareExchange(exchange string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.exchanges[exchange] = true
	for _, result := range []monitoring.Result{
		monitoring.ResultConfirmed, monitoring.ResultUnroutable, monitoring.ResultRefused, monitoring.ResultBlocked,
		monitoring.ResultTooLarge, monitoring.ResultUnencodable, monitoring.ResultUnsent, monitoring.ResultUnknown,
	} {
		m.published.WithLabelValues(exchange, string(result))
	}
}
