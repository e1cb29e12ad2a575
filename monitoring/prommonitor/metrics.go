package prommonitor

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/warren-mq/warren/monitoring/internal/gauges"
)

// metrics are all that a Monitor counts, under the names of docs/monitoring.md.
type metrics struct {
	deliveries, failures, errored, held, lateOutcomes, settleFailed, headersIgnored *prometheus.CounterVec
	handling, queueWait, body                                                       *prometheus.HistogramVec

	lost, published, disconnected, dialFailed, reviewed, panicked *prometheus.CounterVec
	publishing                                                    *prometheus.HistogramVec

	gauges map[gauges.Name]*prometheus.Desc
}

// Upper bounds of buckets, in seconds and bytes.
var (
	handlingBounds  = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	queueWaitBounds = []float64{.005, .025, .1, .5, 1, 5, 15, 60, 300, 900, 3600, 6 * 3600, 24 * 3600}
	publishBounds   = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30}
	bodyBounds      = prometheus.ExponentialBuckets(64, 4, 10) // to 16 MiB
)

const nativeFactor = 1.1

// maker makes metrics, and notes them.
type maker struct {
	cfg Config
	all []prometheus.Collector
}

// completed fills in what is left out.
func (cfg Config) completed() Config {
	if cfg.Namespace == "" {
		cfg.Namespace = "warren"
	}
	if cfg.Handling == nil {
		cfg.Handling = handlingBounds
	}
	if cfg.QueueWait == nil {
		cfg.QueueWait = queueWaitBounds
	}
	return cfg
}

// newMonitor makes a monitor of a completed configuration.
func newMonitor(cfg Config) *Monitor {
	mk := &maker{cfg: cfg}
	m := &Monitor{cfg: cfg, exchanges: map[string]bool{}, metrics: metrics{
		deliveries:     mk.counter("deliveries_total", "Deliveries by how they ended.", "queue", "ending"),
		failures:       mk.counter("failures_total", "Attempts that failed, by how.", "queue", "failure"),
		errored:        mk.counter("errored_total", "Messages that went to the error queue, by why.", "queue", "reason"),
		held:           mk.counter("held_total", "Hops of waits that are composed of several queues.", "queue"),
		lateOutcomes:   mk.counter("late_outcomes_total", "Outcomes of handlers that had been given up.", "queue"),
		settleFailed:   mk.counter("settle_failed_total", "Tries to carry out an outcome that failed.", "queue"),
		headersIgnored: mk.counter("headers_ignored_total", "Headers of Warren that made no sense.", "queue"),
		handling:       mk.histogram("handling_seconds", "How long handlers ran.", cfg.Handling, "queue", "ending"),
		queueWait:      mk.histogram("queue_wait_seconds", "How long messages were ready before their delivery.", cfg.QueueWait, "queue"),
		body:           mk.histogram("body_bytes", "How large bodies are, as received.", bodyBounds, "queue"),

		lost: mk.counter("consumer_lost_total", "Subscriptions that were lost or could not be made.", "queue", "refused"),

		published:    mk.counter("published_total", "Messages that the application published, by what became of them.", "exchange", "result"),
		publishing:   mk.histogram("publishing_seconds", "How long the broker's word took.", publishBounds, "exchange", "result"),
		disconnected: mk.counter("disconnected_total", "Connections that ended and were not closed.", "connection"),
		dialFailed:   mk.counter("dial_failed_total", "Dials that failed.", "connection", "refused"),
		reviewed:     mk.counter("reviewed_total", "Entries of error queues that someone has acted upon, or tried to.", "queue", "action", "result"),
		panicked:     mk.counter("monitor_panicked_total", "Panics of monitors.", "monitor"),

		gauges: map[gauges.Name]*prometheus.Desc{},
	}}
	m.all = mk.all
	for _, g := range gauges.All {
		m.gauges[g.Name] = prometheus.NewDesc(prometheus.BuildFQName(cfg.Namespace, "", string(g.Name)), g.Help, []string{g.Label}, cfg.Labels)
	}
	return m
}

func (mk *maker) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: mk.cfg.Namespace, Name: name, Help: help, ConstLabels: mk.cfg.Labels,
	}, labels)
	mk.all = append(mk.all, c)
	return c
}

func (mk *maker) histogram(name, help string, bounds []float64, labels ...string) *prometheus.HistogramVec {
	o := prometheus.HistogramOpts{
		Namespace: mk.cfg.Namespace, Name: name, Help: help, ConstLabels: mk.cfg.Labels, Buckets: bounds,
	}
	if mk.cfg.Native {
		o.NativeHistogramBucketFactor = nativeFactor
	}
	h := prometheus.NewHistogramVec(o, labels)
	mk.all = append(mk.all, h)
	return h
}
