// Package statsdmonitor reports to StatsD, as Datadog's agent understands it: counters, gauges and distributions with
// tags.
//
//	m, err := statsdmonitor.Open("127.0.0.1:8125", statsdmonitor.Config{})
//	defer m.Close() // after the connection: it sends what is left
//	conn, err := connection.Open(ctx, url, connection.Config{Monitor: monitoring.All(m, monitoring.Log(nil))})
//
// Names begin with "warren.": docs/monitoring.md lists them all. Times are distributions in milliseconds. Tags are
// few: queue, ending, reason, failure, exchange, result, connection, refused, monitor.
//
// With [Config.Bunnicula] it sends what the monitoring of Bunnicula does, under the same names, and dashboards go on
// working while consumers move over.
package statsdmonitor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"

	"github.com/warren-mq/warren/monitoring"
)

// Config holds what may be left out. Its zero value works.
type Config struct {
	// Bunnicula sends Bunnicula's metrics instead of Warren's: for each message the timer QUEUE, and one of the counters
	// QUEUE.success, QUEUE.error, QUEUE.timeout, QUEUE.retry and QUEUE.fail. Give the client Bunnicula's prefix
	// as its namespace.
	Bunnicula bool

	// Rate is the share of distributions that is sent, above 0 and up to 1. 0 means 1. Counters and gauges are always
	// sent: the client adds them up.
	Rate float64
}

// Monitor sends events to StatsD. It is a [monitoring.Starter], since it counts the handlers that run. Any number of
// goroutines may use it. It does not block: what cannot be sent is dropped, as StatsD has it, and counted by the
// client's telemetry.
type Monitor struct {
	client statsd.ClientInterface
	cfg    Config
	owned  bool

	queues sync.Map // of *queue, by name
}

// queue is what gauges need to remember of one main queue.
type queue struct {
	running atomic.Int64
	stuck   atomic.Int64
}

var _ monitoring.Starter = (*Monitor)(nil)

// New returns a monitor that sends with a client of yours. Close the client when the consumers have stopped: it sends
// what it has gathered then, and drops in silence what comes later.
func New(client statsd.ClientInterface, cfg Config) (*Monitor, error) {
	if client == nil {
		return nil, errors.New("the StatsD client is nil")
	}
	if cfg.Rate < 0 || cfg.Rate > 1 {
		return nil, fmt.Errorf("Config.Rate is not between 0 and 1: %v", cfg.Rate)
	}
	if cfg.Rate == 0 {
		cfg.Rate = 1
	}
	return &Monitor{client: client, cfg: cfg}, nil
}

// Open returns a monitor with a client of its own, for the agent at an address: "host:port" for UDP, "unix:///path" for
// a Unix socket; empty means what DD_AGENT_HOST and DD_DOGSTATSD_PORT say. That nobody listens there is no error: UDP
// cannot tell.
//
// The client adds distributions up, too, before it sends them, which an agent must understand (7.25 or later);
// options can say otherwise, and more: namespace, tags for all.
func Open(address string, cfg Config, options ...statsd.Option) (*Monitor, error) {
	all := append([]statsd.Option{statsd.WithExtendedClientSideAggregation()}, options...)
	client, err := statsd.New(address, all...)
	if err != nil {
		return nil, fmt.Errorf("open a StatsD client: %w", err)
	}
	m, err := New(client, cfg)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	m.owned = true
	return m, nil
}

// Close sends what is left, and ends the client if it is the monitor's own. Call it last: what is told later is
// dropped.
func (m *Monitor) Close() error {
	if m.owned {
		return m.client.Close()
	}
	return m.client.Flush()
}

// ran is in the context of a message whose handler runs, so that what ends it is counted once.
type ran struct{ m *Monitor }

// Start counts a handler that begins.
func (m *Monitor) Start(ctx context.Context, op *monitoring.Operation) context.Context {
	if op.Kind != monitoring.Process || m.cfg.Bunnicula {
		return ctx
	}
	m.gauge("running", m.queue(op.Queue).running.Add(1), tag("queue", op.Queue))
	return context.WithValue(ctx, ran{m}, true)
}

// Observe sends what an event says.
func (m *Monitor) Observe(ctx context.Context, e monitoring.Event) {
	if m.cfg.Bunnicula {
		m.bunnicula(e)
		return
	}
	if d, ending, ok := monitoring.EndingOf(e); ok {
		m.ended(ctx, d, ending)
	}
	switch e := e.(type) {
	case monitoring.Retried:
		m.count("failures", tag("queue", e.Queue), tag("failure", e.Failure.String()))
	case monitoring.Errored:
		m.count("errored", tag("queue", e.Queue), tag("reason", string(e.Reason)))
		if e.Failure != 0 {
			m.count("failures", tag("queue", e.Queue), tag("failure", e.Failure.String()))
		}
	case monitoring.Held:
		m.count("held", tag("queue", e.Queue))
	case monitoring.Stuck:
		m.queue(e.Queue).stuck.Store(int64(e.Abandoned))
		m.gauge("stuck", int64(e.Abandoned), tag("queue", e.Queue))
	case monitoring.LateOutcome:
		m.count("late_outcomes", tag("queue", e.Queue))
		m.gauge("stuck", m.queue(e.Queue).stuck.Add(-1), tag("queue", e.Queue))
		m.gauge("consumer_overloaded", 0, tag("queue", e.Queue))
	case monitoring.SettleFailed:
		m.count("settle_failed", tag("queue", e.Queue))
	case monitoring.HeaderIgnored:
		m.count("headers_ignored", tag("queue", e.Queue))
	default:
		m.state(e)
	}
}

// ended sends what the end of a delivery says.
func (m *Monitor) ended(ctx context.Context, d monitoring.Delivery, ending string) {
	name := tag("queue", d.Queue)
	m.count("deliveries", name, tag("ending", ending))
	m.distribution("body", float64(d.BodySize), name)
	if d.QueueWait > 0 {
		m.distribution("queue_wait", milliseconds(d.QueueWait), name)
	}
	if ctx.Value(ran{m}) == nil {
		return // no handler ran
	}
	m.distribution("handling", milliseconds(d.Handling), name, tag("ending", ending))
	m.gauge("running", m.queue(d.Queue).running.Add(-1), name)
}

// state sends what is about no message.
func (m *Monitor) state(e monitoring.Event) {
	switch e := e.(type) {
	case monitoring.ConsumerReady:
		m.gauge("consumer_ready", 1, tag("queue", e.Queue))
		m.gauge("workers", int64(e.Workers), tag("queue", e.Queue))
	case monitoring.ConsumerLost:
		m.gauge("consumer_ready", 0, tag("queue", e.Queue))
		m.count("consumer_lost", tag("queue", e.Queue), tag("refused", strconv.FormatBool(e.Refused)))
	case monitoring.ConsumerPaused:
		m.gauge("consumer_ready", 0, tag("queue", e.Queue))
		m.gauge("consumer_paused", 1, tag("queue", e.Queue))
	case monitoring.ConsumerResumed:
		m.gauge("consumer_paused", 0, tag("queue", e.Queue))
	case monitoring.ConsumerOverloaded:
		m.gauge("consumer_ready", 0, tag("queue", e.Queue))
		m.gauge("consumer_overloaded", 1, tag("queue", e.Queue))
	case monitoring.ConsumerStopping:
		m.gauge("consumer_ready", 0, tag("queue", e.Queue))
	case monitoring.Published:
		m.count("published", tag("exchange", exchange(e.Exchange)), tag("result", string(e.Result)))
		m.distribution("publishing", milliseconds(e.Took), tag("exchange", exchange(e.Exchange)), tag("result", string(e.Result)))
	case monitoring.Connected:
		m.gauge("connected", 1, tag("connection", e.Name))
	case monitoring.Disconnected:
		m.gauge("connected", 0, tag("connection", e.Name))
		m.gauge("blocked", 0, tag("connection", e.Name))
		if e.Err != nil {
			m.count("disconnected", tag("connection", e.Name))
		}
	case monitoring.DialFailed:
		m.count("dial_failed", tag("connection", e.Name), tag("refused", strconv.FormatBool(e.Refused)))
	case monitoring.Blocked:
		m.gauge("blocked", 1, tag("connection", e.Name))
	case monitoring.Unblocked:
		m.gauge("blocked", 0, tag("connection", e.Name))
	case monitoring.MonitorPanicked:
		m.count("monitor_panicked", tag("monitor", e.Monitor))
	}
}

func (m *Monitor) queue(name string) *queue {
	if q, ok := m.queues.Load(name); ok {
		return q.(*queue)
	}
	q, _ := m.queues.LoadOrStore(name, new(queue))
	return q.(*queue)
}

// The client's errors say that it is closed, or that its buffer is full. There is nobody to tell, and its telemetry
// counts them.

func (m *Monitor) count(name string, tags ...string) {
	_ = m.client.Count("warren."+name, 1, tags, 1)
}

func (m *Monitor) gauge(name string, value int64, tags ...string) {
	_ = m.client.Gauge("warren."+name, float64(value), tags, 1)
}

func (m *Monitor) distribution(name string, value float64, tags ...string) {
	_ = m.client.Distribution("warren."+name, value, tags, m.cfg.Rate)
}

// tag makes a tag. What would end it, or the packet, is replaced: StatsD cannot escape.
func tag(name, value string) string { return name + ":" + unsayable.Replace(value) }

var unsayable = strings.NewReplacer(",", "_", "|", "_", "\n", "_", "\r", "_")

// exchange is RabbitMQ's own name for the default exchange, or the exchange's.
func exchange(name string) string {
	if name == "" {
		return "amq.default"
	}
	return name
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
