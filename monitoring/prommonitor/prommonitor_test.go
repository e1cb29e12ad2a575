package prommonitor_test

import (
	"context"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/prommonitor"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

var delivery = monitoring.Delivery{
	Queue: "orders", MessageID: "7", Attempt: 2, BodySize: 100, QueueWait: 3 * time.Second, Handling: 40 * time.Millisecond,
}

// everything tells a monitor one event of each kind, and some twice.
func everything(ctx context.Context, m monitoring.Starter) {
	down := errors.New("down")
	begin := func() context.Context {
		return m.Start(ctx, &monitoring.Operation{Kind: monitoring.Process, Queue: "orders"})
	}
	m.Observe(ctx, monitoring.Connected{Name: "shop/consume"})
	m.Observe(ctx, monitoring.ConsumerReady{Queue: "orders", Workers: 4})
	m.Observe(begin(), monitoring.Acked{Delivery: delivery})
	m.Observe(begin(), monitoring.Acked{Delivery: delivery})
	m.Observe(begin(), monitoring.Retried{Delivery: delivery, Failure: monitoring.FailureTimeout})
	m.Observe(begin(), monitoring.Errored{Delivery: delivery, Reason: monitoring.ReasonExhausted, Failure: monitoring.FailurePanic})
	m.Observe(ctx, monitoring.HandedBack{Delivery: monitoring.Delivery{Queue: "orders"}}) // no handler ran
	m.Observe(begin(), monitoring.SettleFailed{Delivery: delivery})                       // and still runs
	m.Observe(m.Start(ctx, &monitoring.Operation{Kind: monitoring.Publish}), monitoring.Published{
		Key: "orders", Took: 2 * time.Millisecond, Result: monitoring.ResultConfirmed,
	})
	for _, e := range []monitoring.Event{
		monitoring.Held{Delivery: delivery},
		monitoring.Stuck{Delivery: delivery, Abandoned: 1},
		monitoring.Stuck{Delivery: delivery, Abandoned: 2},
		monitoring.ConsumerOverloaded{Queue: "orders"},
		monitoring.LateOutcome{Delivery: delivery},
		monitoring.HeaderIgnored{Queue: "orders"},
		monitoring.ConsumerLost{Queue: "orders", Refused: true},
		monitoring.ConsumerPaused{Queue: "orders"},
		monitoring.ConsumerPaused{Queue: "other"},
		monitoring.ConsumerResumed{Queue: "other"},
		monitoring.ConsumerStopping{Queue: "other"},
		monitoring.Published{Exchange: "x", Result: monitoring.ResultUnknown, Err: down},
		monitoring.Connected{Name: "shop/publish"},
		monitoring.Blocked{Name: "shop/publish"},
		monitoring.Blocked{Name: "shop/consume"},
		monitoring.Unblocked{Name: "shop/consume"},
		monitoring.Disconnected{Name: "shop/publish", Err: down},
		monitoring.DialFailed{Name: "shop/publish", Refused: true},
		monitoring.Reviewed{Queue: "orders", Action: "replay", Matched: 10, Done: 5, Failed: 2, Left: 3},
		monitoring.MonitorPanicked{Monitor: "*m.M"},
		monitoring.QueuesDeclared{Queue: "orders"}, // nothing to count
	} {
		m.Observe(ctx, e)
	}
}

func TestWhatIsCounted(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	m, err := prommonitor.New(r, prommonitor.Config{})
	must(t, err)
	everything(t.Context(), m)
	for _, want := range []string{
		`warren_deliveries_total{ending="acked",queue="orders"} 2`,
		`warren_deliveries_total{ending="retried",queue="orders"} 1`,
		`warren_deliveries_total{ending="errored",queue="orders"} 1`,
		`warren_deliveries_total{ending="handed_back",queue="orders"} 1`,
		`warren_deliveries_total{ending="lost",queue="orders"} 0`,
		`warren_failures_total{failure="timeout",queue="orders"} 1`,
		`warren_failures_total{failure="panic",queue="orders"} 1`,
		`warren_failures_total{failure="returned",queue="orders"} 0`,
		`warren_errored_total{queue="orders",reason="exhausted"} 1`,
		`warren_errored_total{queue="orders",reason="crashed"} 0`,
		`warren_handling_seconds_bucket{ending="acked",queue="orders",le="0.025"} 0`,
		`warren_handling_seconds_bucket{ending="acked",queue="orders",le="0.05"} 2`,
		`warren_handling_seconds_sum{ending="acked",queue="orders"} 0.08`,
		`warren_queue_wait_seconds_sum{queue="orders"} 12`,
		`warren_queue_wait_seconds_count{queue="orders"} 4`,
		`warren_body_bytes_sum{queue="orders"} 400`,
		`warren_held_total{queue="orders"} 1`,
		`warren_late_outcomes_total{queue="orders"} 1`,
		`warren_settle_failed_total{queue="orders"} 1`,
		`warren_headers_ignored_total{queue="orders"} 1`,
		`warren_running{queue="orders"} 1`,
		`warren_workers{queue="orders"} 4`,
		`warren_stuck{queue="orders"} 1`,
		`warren_consumer_overloaded{queue="orders"} 1`,
		`warren_consumer_ready{queue="orders"} 0`,
		`warren_consumer_paused{queue="orders"} 1`,
		`warren_consumer_paused{queue="other"} 0`,
		`warren_consumer_lost_total{queue="orders",refused="true"} 1`,
		`warren_published_total{exchange="amq.default",result="confirmed"} 1`,
		`warren_published_total{exchange="x",result="unknown"} 1`,
		`warren_publishing_seconds_sum{exchange="amq.default",result="confirmed"} 0.002`,
		`warren_connected{connection="shop/consume"} 1`,
		`warren_connected{connection="shop/publish"} 0`,
		`warren_disconnected_total{connection="shop/consume"} 0`,
		`warren_disconnected_total{connection="shop/publish"} 1`,
		`warren_blocked{connection="shop/consume"} 0`,
		`warren_blocked{connection="shop/publish"} 0`,
		`warren_dial_failed_total{connection="shop/publish",refused="true"} 1`,
		`warren_reviewed_total{action="replay",queue="orders",result="done"} 5`,
		`warren_reviewed_total{action="replay",queue="orders",result="failed"} 2`,
		`warren_monitor_panicked_total{monitor="*m.M"} 1`,
	} {
		if !strings.Contains(text(t, r), want+"\n") {
			t.Errorf("it lacks %s", want)
		}
	}
	if t.Failed() {
		t.Log(text(t, r))
	}
	problems, err := testutil.GatherAndLint(r)
	must(t, err)
	for _, p := range problems {
		t.Errorf("lint: %s: %s", p.Metric, p.Text)
	}
}

// A registry has one monitor of a kind, whoever asks.
func TestAskingTwiceGivesTheSame(t *testing.T) {
	r := prometheus.NewRegistry()
	first, err := prommonitor.New(r, prommonitor.Config{})
	must(t, err)
	second, err := prommonitor.New(r, prommonitor.Config{})
	must(t, err)
	if first != second {
		t.Error("there are two")
	}
	r = prometheus.NewRegistry()
	for _, part := range []string{"a", "b"} {
		m, err := prommonitor.New(r, prommonitor.Config{Labels: prometheus.Labels{"part": part}})
		must(t, err)
		if m == first || m == second {
			t.Error("another configuration gave the same")
		}
		first, second = m, m
	}
}

func TestCollisionsAndNonsenseAreErrors(t *testing.T) {
	r := prometheus.NewRegistry()
	r.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "warren_running", Help: "Somebody else's."}))
	_, err := prommonitor.New(r, prommonitor.Config{})
	if err == nil || !strings.HasPrefix(err.Error(), "register the Prometheus metrics: ") {
		t.Errorf("a collision: %v", err)
	}
	if _, err := prommonitor.New(r, prommonitor.Config{Namespace: "shop"}); err != nil {
		t.Errorf("another namespace: %v", err)
	}
	if _, err := prommonitor.New(r, prommonitor.Config{Namespace: "shop", Handling: []float64{1, 2}}); err == nil {
		t.Error("other buckets gave a monitor that does not have them")
	}
	if _, err := prommonitor.New(nil, prommonitor.Config{Labels: prometheus.Labels{"queue": "a label of ours"}}); err == nil {
		t.Error("a label twice is no error")
	}
	_, err = prommonitor.New(nil, prommonitor.Config{Handling: []float64{2, 1}})
	if err == nil || err.Error() != "Config.Handling or Config.QueueWait does not rise: [2 1], []" {
		t.Errorf("buckets that fall: %v", err)
	}
}

func TestUnregistered(t *testing.T) {
	m, err := prommonitor.New(nil, prommonitor.Config{Native: true})
	must(t, err)
	everything(t.Context(), m)
	if n := testutil.CollectAndCount(m, "warren_held_total"); n != 1 {
		t.Errorf("it collects %d", n)
	}
}

// Other programs name exchanges and queues, and not always in UTF-8.
func TestNamesThatAreNotUTF8(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	m, err := prommonitor.New(r, prommonitor.Config{})
	must(t, err)
	d := monitoring.Delivery{Queue: "q\xff"}
	ctx := m.Start(t.Context(), &monitoring.Operation{Kind: monitoring.Process, Queue: d.Queue})
	m.Observe(t.Context(), monitoring.ConsumerReady{Queue: d.Queue, Workers: 1})
	m.Observe(ctx, monitoring.Acked{Delivery: d})
	m.Observe(t.Context(), monitoring.Published{Exchange: "x\xff", Result: monitoring.ResultUnsent})
	has(t, r, `warren_running{queue="q�"} 0`)
	has(t, r, `warren_published_total{exchange="x�",result="unsent"} 1`)
}

// An increase from nothing is none to Prometheus.
func TestCountersOfAnExchangeBeginAtZero(t *testing.T) {
	r := prometheus.NewRegistry()
	m, err := prommonitor.New(r, prommonitor.Config{})
	must(t, err)
	m.Observe(t.Context(), monitoring.Published{Result: monitoring.ResultConfirmed})
	has(t, r, `warren_published_total{exchange="amq.default",result="unroutable"} 0`)
}

func TestAWrappedRegistererGivesTheSameTwice(t *testing.T) {
	r := prometheus.WrapRegistererWith(prometheus.Labels{"app": "shop"}, prometheus.NewRegistry())
	first, err := prommonitor.New(r, prommonitor.Config{})
	must(t, err)
	second, err := prommonitor.New(r, prommonitor.Config{})
	must(t, err)
	if first != second {
		t.Error("there are two")
	}
}

// What the dashboard and the alerts ask for exists.
func TestEveryMetricOfTheDashboardsExists(t *testing.T) {
	r := prometheus.NewRegistry()
	m, err := prommonitor.New(r, prommonitor.Config{})
	must(t, err)
	everything(t.Context(), m)
	families, err := r.Gather()
	must(t, err)
	var exist []string
	for _, f := range families {
		exist = append(exist, f.GetName(), f.GetName()+"_bucket", f.GetName()+"_sum", f.GetName()+"_count")
	}
	for _, file := range []string{"../dashboards/warren-grafana.json", "../dashboards/warren-alerts.yml", "../../docs/monitoring.md"} {
		b, err := os.ReadFile(file)
		must(t, err)
		names := regexp.MustCompile(`\bwarren_[a-z_]+`).FindAllString(string(b), -1)
		if len(names) < 3 {
			t.Errorf("%s names %d metrics", file, len(names))
		}
		for _, name := range names {
			if name != "warren_" && !slices.Contains(exist, name) {
				t.Errorf("%s: there is no %s", file, name)
			}
		}
	}
}

// docs/monitoring.md lists every metric, and no other.
func TestThePageNamesEveryMetric(t *testing.T) {
	b, err := os.ReadFile("../../docs/monitoring.md")
	must(t, err)
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (counter|gauge|histogram)(?:, (seconds|bytes|0 or 1))? \\|").FindAllStringSubmatch(string(b), -1) {
		name := "warren_" + m[1]
		switch m[2] {
		case "counter":
			name += "_total"
		case "histogram":
			name += "_" + m[3]
		}
		documented[name] = true
	}
	r := prometheus.NewRegistry()
	m, err := prommonitor.New(r, prommonitor.Config{})
	must(t, err)
	everything(t.Context(), m)
	families, err := r.Gather()
	must(t, err)
	for _, f := range families {
		if !documented[f.GetName()] {
			t.Errorf("the page lacks %s", f.GetName())
		}
		delete(documented, f.GetName())
	}
	for name := range documented {
		t.Errorf("the page has %s, which does not exist", name)
	}
}

// A consumer on a broker, in virtual time: what is counted is what happened.
func TestAConsumerIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		r := prometheus.NewRegistry()
		m, err := prommonitor.New(r, prommonitor.Config{})
		must(t, err)
		b := rabbittest.New(t)
		conn, err := connection.Open(ctx, b.URL(), connection.Config{Name: "shop", Dial: b.Dial, Monitor: m})
		must(t, err)
		handle := func(_ context.Context, m consumer.Message[string]) consumer.Outcome {
			time.Sleep(2 * time.Second)
			if m.Attempt == 1 {
				panic("at first")
			}
			return consumer.Ack()
		}
		c, err := consumer.New(conn, "orders", handle, consumer.Config{Workers: 3, Retry: retry.Fixed(1, time.Minute)})
		must(t, err)
		running, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- c.Run(running) }()
		<-c.Ready()
		p, err := publisher.New(conn, publisher.Config{})
		must(t, err)
		must(t, p.Publish(ctx, "orders", "good"))
		time.Sleep(time.Second)
		has(t, r, `warren_running{queue="orders"} 1`)
		time.Sleep(time.Hour)
		b.DropConnections()
		time.Sleep(time.Hour)
		has(t, r, `warren_disconnected_total{connection="shop/consume"} 1`)
		has(t, r, `warren_consumer_ready{queue="orders"} 1`)
		stop()
		must(t, <-done)
		must(t, p.Close(ctx))
		must(t, conn.Close(ctx))
		for _, want := range []string{
			`warren_deliveries_total{ending="acked",queue="orders"} 1`,
			`warren_deliveries_total{ending="retried",queue="orders"} 1`,
			`warren_failures_total{failure="panic",queue="orders"} 1`,
			`warren_handling_seconds_sum{ending="acked",queue="orders"} 2`,
			`warren_consumer_lost_total{queue="orders",refused="false"} 1`,
			`warren_published_total{exchange="amq.default",result="confirmed"} 1`,
		} {
			has(t, r, want)
		}
		// What is no more has no gauges.
		for _, gone := range []string{"warren_consumer_ready{", "warren_running{", "warren_connected{"} {
			if all := text(t, r); strings.Contains(all, gone) {
				t.Errorf("there still is %s", gone)
			}
		}
	})
}

func has(t *testing.T, g prometheus.Gatherer, line string) {
	t.Helper()
	if all := text(t, g); !strings.Contains(all, line+"\n") {
		t.Errorf("it lacks %s:\n%s", line, all)
	}
}
