// Package statsdmonitor reports to StatsD, as Datadog's agent understands it: counters, gauges and distributions with
// tags.
//
//	m, err := statsdmonitor.Open("127.0.0.1:8125", statsdmonitor.Config{})
//	defer m.Close() // after the connection: it sends what is left, and ends a goroutine
//	conn, err := connection.Open(ctx, url, connection.Config{Monitor: monitoring.All(m, monitoring.Log(nil))})
//
// Names begin with "warren.": docs/monitoring.md lists them all. Times are distributions in milliseconds. Tags are
// few: queue, ending, reason, failure, exchange, result, connection, refused, action, monitor.
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
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"

	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/internal/gauges"
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
//
// Gauges are sent when they change, and every ten seconds, which is how often an agent asks itself: an agent forgets a
// gauge that it does not hear of, and a consumer that is idle would look like none. What counts handlers is only sent
// every ten seconds.
type Monitor struct {
	client statsd.ClientInterface
	cfg    Config
	owned  bool

	state   gauges.Set
	sending sync.Mutex
	shown   map[gauge]bool // gauges that were sent last, under sending

	stop     context.CancelFunc // ends the goroutine that sends gauges
	stopped  sync.WaitGroup
	closing  sync.Once
	closeErr error
}

// gauge is one of a queue or a connection.
type gauge struct {
	name gauges.Name
	of   string
}

// interval is how often gauges are sent: agents and servers flush as often.
const interval = 10 * time.Second

var _ monitoring.Starter = (*Monitor)(nil)

// New returns a monitor that sends with a client of yours. When the connection is closed, close the monitor, and then
// the client: it sends what it has gathered then, and drops in silence what comes later.
func New(client statsd.ClientInterface, cfg Config) (*Monitor, error) {
	if client == nil {
		return nil, errors.New("the StatsD client is nil")
	}
	if !(cfg.Rate >= 0 && cfg.Rate <= 1) {
		return nil, fmt.Errorf("Config.Rate is not between 0 and 1: %v", cfg.Rate)
	}
	if cfg.Rate == 0 {
		cfg.Rate = 1
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &Monitor{client: client, cfg: cfg, stop: stop}
	if !cfg.Bunnicula {
		m.stopped.Go(func() { m.repeat(ctx) })
	}
	return m, nil
}

// repeat sends the gauges until ctx ends.
func (m *Monitor) repeat(ctx context.Context) {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			m.sendGauges()
		case <-ctx.Done():
			return
		}
	}
}

// Open returns a monitor with a client of its own, for the agent at an address: "host:port" for UDP, "unix:///path" for
// a Unix socket; empty means what DD_AGENT_HOST and DD_DOGSTATSD_PORT say. That nobody listens there is no error: UDP
// cannot tell.
//
// The client adds distributions up, too, before it sends them, which an agent must understand (7.25 or later);
// options can say otherwise, and more: namespace, tags for all. With [Config.Bunnicula] it sends nothing that a plain
// StatsD does not understand: one value in a line, no field of Datadog's.
func Open(address string, cfg Config, options ...statsd.Option) (*Monitor, error) {
	ours := []statsd.Option{statsd.WithExtendedClientSideAggregation()}
	if cfg.Bunnicula {
		ours = []statsd.Option{statsd.WithoutTelemetry(), statsd.WithoutOriginDetection()}
	}
	client, err := statsd.New(address, append(ours, options...)...)
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
// dropped, or not sent before the next Flush of a client of yours. It waits for the monitor's goroutine to end. Further
// calls do nothing, and return the same.
func (m *Monitor) Close() error {
	m.closing.Do(func() {
		m.stop()
		m.stopped.Wait()
		m.sendGauges()
		if m.owned {
			m.closeErr = m.client.Close()
		} else {
			m.closeErr = m.client.Flush()
		}
	})
	return m.closeErr
}

// ran is in the context of a message whose handler runs, so that what ends it is counted once.
type ran struct{ m *Monitor }

// Start counts a handler that begins.
func (m *Monitor) Start(ctx context.Context, op *monitoring.Operation) context.Context {
	if op.Kind != monitoring.Process || m.cfg.Bunnicula {
		return ctx
	}
	m.state.Began(op.Queue)
	return context.WithValue(ctx, ran{m}, true)
}

// Observe sends what an event says.
func (m *Monitor) Observe(ctx context.Context, e monitoring.Event) {
	if m.cfg.Bunnicula {
		m.bunnicula(e)
		return
	}
	d, ending, ended := monitoring.EndingOf(e)
	handled := ended && ctx.Value(ran{m}) != nil
	if m.state.Observe(e, handled) {
		m.sendGauges()
	}
	if ended {
		m.ended(d, ending, handled)
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
	case monitoring.LateOutcome:
		m.count("late_outcomes", tag("queue", e.Queue))
	case monitoring.SettleFailed:
		m.count("settle_failed", tag("queue", e.Queue))
	case monitoring.HeaderIgnored:
		m.count("headers_ignored", tag("queue", e.Queue))
	default:
		m.others(e)
	}
}

// ended sends what the end of a delivery says.
func (m *Monitor) ended(d monitoring.Delivery, ending string, handled bool) {
	name := tag("queue", d.Queue)
	m.count("deliveries", name, tag("ending", ending))
	m.distribution("body", float64(d.BodySize), name)
	if d.QueueWait > 0 {
		m.distribution("queue_wait", milliseconds(d.QueueWait), name)
	}
	if handled {
		m.distribution("handling", milliseconds(d.Handling), name, tag("ending", ending))
	}
}

// others sends what is about no message that was received.
func (m *Monitor) others(e monitoring.Event) {
	switch e := e.(type) {
	case monitoring.ConsumerLost:
		m.count("consumer_lost", tag("queue", e.Queue), tag("refused", strconv.FormatBool(e.Refused)))
	case monitoring.Published:
		exchange, result := tag("exchange", gauges.Exchange(e.Exchange)), tag("result", string(e.Result))
		m.count("published", exchange, result)
		m.distribution("publishing", milliseconds(e.Took), exchange, result)
	case monitoring.Disconnected:
		if e.Err != nil {
			m.count("disconnected", tag("connection", e.Name))
		}
	case monitoring.DialFailed:
		m.count("dial_failed", tag("connection", e.Name), tag("refused", strconv.FormatBool(e.Refused)))
	case monitoring.Reviewed:
		m.countMany("reviewed", e.Done, tag("queue", e.Queue), tag("action", e.Action), tag("result", "done"))
		m.countMany("reviewed", e.Failed, tag("queue", e.Queue), tag("action", e.Action), tag("result", "failed"))
	case monitoring.MonitorPanicked:
		m.count("monitor_panicked", tag("monitor", e.Monitor))
	}
}

// sendGauges sends all gauges, and a last 0 for those that are no more. Nobody sends at the same time, or an older
// value could be the last.
func (m *Monitor) sendGauges() {
	m.sending.Lock()
	defer m.sending.Unlock()
	before := m.shown
	m.shown = make(map[gauge]bool, len(before))
	for _, v := range m.state.Values() {
		g := gauge{v.Name, v.Of}
		m.shown[g] = true
		delete(before, g)
		m.gauge(g, v.Value)
	}
	for g := range before {
		m.gauge(g, 0)
	}
}

// The client's errors say that it is closed, or that its buffer is full. There is nobody to tell, and its telemetry
// counts them.

func (m *Monitor) count(name string, tags ...string) {
	m.countMany(name, 1, tags...)
}

// countMany sends nothing for none: StatsD has no use for it.
func (m *Monitor) countMany(name string, n int, tags ...string) {
	if n > 0 {
		_ = m.client.Count("warren."+name, int64(n), tags, 1)
	}
}

func (m *Monitor) gauge(g gauge, value int64) {
	_ = m.client.Gauge("warren."+string(g.name), float64(value), []string{tag(labels[g.name], g.of)}, 1)
}

// labels are the tags' names, by those of the gauges.
var labels = func() map[gauges.Name]string {
	all := map[gauges.Name]string{}
	for _, g := range gauges.All {
		all[g.Name] = g.Label
	}
	return all
}()

func (m *Monitor) distribution(name string, value float64, tags ...string) {
	_ = m.client.Distribution("warren."+name, value, tags, m.cfg.Rate)
}

// tag makes a tag. What would end it, or the packet, is replaced: StatsD cannot escape.
func tag(name, value string) string { return name + ":" + unsayable.Replace(gauges.Label(value)) }

var unsayable = strings.NewReplacer(",", "_", "|", "_", "\n", "_", "\r", "_")

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
