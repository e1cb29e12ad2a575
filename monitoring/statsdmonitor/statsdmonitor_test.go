package statsdmonitor_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/statsdmonitor"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
)

// agent receives what a client sends, as Datadog's agent does: datagrams over UDP.
type agent struct {
	conn net.PacketConn
}

func newAgent(t *testing.T) *agent {
	t.Helper()
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &agent{conn: conn}
}

func (a *agent) address() string { return a.conn.LocalAddr().String() }

// line is one metric of DogStatsD. https://docs.datadoghq.com/developers/dogstatsd/datagram_shell
type line struct {
	name, kind string
	values     []float64
	tags       string // sorted
}

var format = regexp.MustCompile(`^([A-Za-z][\w./-]*):([-\d.e+]+(?::[-\d.e+]+)*)\|(c|g|d|ms|h)((?:\|[@#TcCe][^|]*)*)$`)

// lines waits until the client is closed, and reads all that it sent, strictly.
func (a *agent) lines(t *testing.T) []line {
	t.Helper()
	must(t, a.conn.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
	var all []line
	buffer := make([]byte, 65536)
	for {
		n, _, err := a.conn.ReadFrom(buffer)
		if err != nil {
			return all
		}
		for text := range strings.Lines(string(buffer[:n])) {
			text = strings.TrimSuffix(text, "\n")
			m := format.FindStringSubmatch(text)
			if m == nil {
				t.Errorf("this is no metric: %q", text)
				continue
			}
			l := line{name: m[1], kind: m[3]}
			for v := range strings.SplitSeq(m[2], ":") {
				f, err := strconv.ParseFloat(v, 64)
				must(t, err)
				l.values = append(l.values, f)
			}
			for field := range strings.SplitSeq(m[4], "|") {
				if tags, ok := strings.CutPrefix(field, "#"); ok {
					list := strings.Split(tags, ",")
					slices.Sort(list)
					l.tags = strings.Join(list, ",")
				}
			}
			all = append(all, l)
		}
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// quiet leaves out what the client says of itself.
var quiet = []statsd.Option{statsd.WithoutTelemetry(), statsd.WithoutOriginDetection()}

// observed returns what a monitor sends for some events, each as "name|kind|tags=sum".
func observed(t *testing.T, cfg statsdmonitor.Config, tell func(m *statsdmonitor.Monitor)) map[string]float64 {
	t.Helper()
	a := newAgent(t)
	m, err := statsdmonitor.Open(a.address(), cfg, quiet...)
	must(t, err)
	tell(m)
	must(t, m.Close())
	sums := map[string]float64{}
	for _, l := range a.lines(t) {
		for _, v := range l.values {
			key := l.name + "|" + l.kind + "|" + l.tags
			if l.kind == "g" {
				sums[key] = v // the last one counts
			} else {
				sums[key] += v
			}
		}
	}
	return sums
}

func expect(t *testing.T, got map[string]float64, want ...string) {
	t.Helper()
	var lines []string
	for key, v := range got {
		lines = append(lines, fmt.Sprintf("%s=%v", key, v))
	}
	slices.Sort(lines)
	slices.Sort(want)
	if !slices.Equal(lines, want) {
		t.Errorf("sent\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

var delivery = monitoring.Delivery{
	Queue: "orders", MessageID: "7", Attempt: 2, BodySize: 12, QueueWait: 3 * time.Second, Handling: 40 * time.Millisecond,
}

func TestWhatMessagesSend(t *testing.T) {
	got := observed(t, statsdmonitor.Config{}, func(m *statsdmonitor.Monitor) {
		begin := func() context.Context {
			return m.Start(t.Context(), &monitoring.Operation{Kind: monitoring.Process, Queue: "orders"})
		}
		m.Observe(begin(), monitoring.Acked{Delivery: delivery})
		m.Observe(begin(), monitoring.Acked{Delivery: delivery})
		m.Observe(begin(), monitoring.Retried{Delivery: delivery, Failure: monitoring.FailureTimeout})
		m.Observe(begin(), monitoring.Errored{Delivery: delivery, Reason: monitoring.ReasonExhausted, Failure: monitoring.FailurePanic})
		m.Observe(t.Context(), monitoring.HandedBack{Delivery: monitoring.Delivery{Queue: "orders"}}) // no handler ran
		m.Observe(begin(), monitoring.SettleFailed{Delivery: delivery})                               // and still runs
		m.Observe(t.Context(), monitoring.Held{Delivery: delivery})
		m.Observe(t.Context(), monitoring.Stuck{Delivery: delivery, Abandoned: 1})
		m.Observe(t.Context(), monitoring.Stuck{Delivery: delivery, Abandoned: 2})
		m.Observe(t.Context(), monitoring.LateOutcome{Delivery: delivery})
		m.Observe(t.Context(), monitoring.HeaderIgnored{Queue: "orders"})
	})
	expect(
		t, got,
		"warren.deliveries|c|ending:acked,queue:orders=2",
		"warren.deliveries|c|ending:errored,queue:orders=1",
		"warren.deliveries|c|ending:handed_back,queue:orders=1",
		"warren.deliveries|c|ending:retried,queue:orders=1",
		"warren.failures|c|failure:timeout,queue:orders=1",
		"warren.failures|c|failure:panic,queue:orders=1",
		"warren.errored|c|queue:orders,reason:exhausted=1",
		"warren.handling|d|ending:acked,queue:orders=80",
		"warren.handling|d|ending:retried,queue:orders=40",
		"warren.handling|d|ending:errored,queue:orders=40",
		"warren.queue_wait|d|queue:orders=12000",
		"warren.body|d|queue:orders=48",
		"warren.running|g|queue:orders=1",
		"warren.settle_failed|c|queue:orders=1",
		"warren.held|c|queue:orders=1",
		"warren.stuck|g|queue:orders=1",
		"warren.late_outcomes|c|queue:orders=1",
		"warren.headers_ignored|c|queue:orders=1",
	)
}

func TestWhatStatesSend(t *testing.T) {
	down := errors.New("down")
	got := observed(t, statsdmonitor.Config{}, func(m *statsdmonitor.Monitor) {
		for _, e := range []monitoring.Event{
			monitoring.ConsumerReady{Queue: "a", Workers: 4},
			monitoring.ConsumerReady{Queue: "b", Workers: 1},
			monitoring.ConsumerLost{Queue: "b", Err: down, Refused: true},
			monitoring.ConsumerReady{Queue: "c", Workers: 1},
			monitoring.ConsumerPaused{Queue: "c"},
			monitoring.ConsumerReady{Queue: "d", Workers: 1},
			monitoring.ConsumerPaused{Queue: "d"},
			monitoring.ConsumerResumed{Queue: "d"},
			monitoring.ConsumerOverloaded{Queue: "e", Stuck: 8},
			monitoring.ConsumerStopping{Queue: "f"},
			monitoring.Published{Key: "orders", Took: 2 * time.Millisecond, Result: monitoring.ResultConfirmed},
			monitoring.Published{Exchange: "x", Took: 3 * time.Millisecond, Result: monitoring.ResultUnroutable, Err: down},
			monitoring.Connected{Name: "shop/consume"},
			monitoring.Connected{Name: "shop/publish"},
			monitoring.Disconnected{Name: "shop/publish", Err: down},
			monitoring.Connected{Name: "shop/other"},
			monitoring.Disconnected{Name: "shop/other"}, // closed by the application
			monitoring.DialFailed{Name: "shop/publish", Err: down},
			monitoring.Blocked{Name: "shop/consume"},
			monitoring.Unblocked{Name: "shop/consume"},
			monitoring.Reviewed{Queue: "a", Action: "replay", Matched: 10, Done: 5, Failed: 2, Left: 3},
			monitoring.Reviewed{Queue: "a", Action: "discard", DryRun: true, Matched: 1, Left: 1},
			monitoring.MonitorPanicked{Monitor: "*m.M"},
			monitoring.QueuesDeclared{Queue: "a"},
			monitoring.ConsumerStopped{Queue: "f"},
		} {
			m.Observe(t.Context(), e)
		}
	})
	want := []string{
		"warren.consumer_lost|c|queue:b,refused:true=1",
		"warren.published|c|exchange:amq.default,result:confirmed=1", "warren.publishing|d|exchange:amq.default,result:confirmed=2",
		"warren.published|c|exchange:x,result:unroutable=1", "warren.publishing|d|exchange:x,result:unroutable=3",
		"warren.disconnected|c|connection:shop/publish=1",
		"warren.dial_failed|c|connection:shop/publish,refused:false=1",
		"warren.reviewed|c|action:replay,queue:a,result:done=5",
		"warren.reviewed|c|action:replay,queue:a,result:failed=2",
		"warren.monitor_panicked|c|monitor:*m.M=1",
		"warren.connected|g|connection:shop/consume=1", "warren.blocked|g|connection:shop/consume=0",
		"warren.connected|g|connection:shop/publish=0", "warren.blocked|g|connection:shop/publish=0",
		"warren.connected|g|connection:shop/other=0", "warren.blocked|g|connection:shop/other=0",
	}
	for _, q := range []struct {
		name                               string
		ready, paused, overloaded, workers int
	}{
		{"a", 1, 0, 0, 4}, {"b", 0, 0, 0, 1}, {"c", 0, 1, 0, 1}, {"d", 0, 0, 0, 1}, {"e", 0, 0, 1, 0}, {"f", 0, 0, 0, 0},
	} {
		for name, v := range map[string]int{
			"consumer_ready": q.ready, "consumer_paused": q.paused, "consumer_overloaded": q.overloaded, "workers": q.workers,
			"running": 0, "stuck": 0,
		} {
			want = append(want, fmt.Sprintf("warren.%s|g|queue:%s=%d", name, q.name, v))
		}
	}
	expect(t, got, want...)
}

// client notes gauges, and whether it is flushed.
type client struct {
	statsd.NoOpClient
	gauges  []string
	flushed int
}

func (c *client) Gauge(name string, value float64, tags []string, _ float64) error {
	c.gauges = append(c.gauges, fmt.Sprintf("%s %v=%v", name, tags, value))
	return nil
}

func (c *client) Flush() error { c.flushed++; return nil }

// An agent forgets gauges that it does not hear of.
func TestGaugesAreSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &client{}
		m, err := statsdmonitor.New(c, statsdmonitor.Config{})
		must(t, err)
		times := func(g string) (n int) {
			synctest.Wait()
			for _, sent := range c.gauges {
				if sent == g {
					n++
				}
			}
			return n
		}
		m.Observe(t.Context(), monitoring.ConsumerReady{Queue: "q", Workers: 2})
		ctx := m.Start(t.Context(), &monitoring.Operation{Kind: monitoring.Process, Queue: "q"})
		time.Sleep(25 * time.Second) // an idle consumer
		if n, running := times("warren.consumer_ready [queue:q]=1"), times("warren.running [queue:q]=1"); n != 3 || running != 2 {
			t.Errorf("sent %d and %d times", n, running)
		}
		m.Observe(ctx, monitoring.Acked{Delivery: monitoring.Delivery{Queue: "q"}})
		m.Observe(t.Context(), monitoring.ConsumerStopped{Queue: "q"})
		time.Sleep(time.Minute)
		if n := times("warren.consumer_ready [queue:q]=0"); n != 1 {
			t.Errorf("a consumer that has stopped: sent %d times", n)
		}
		must(t, m.Close())
		must(t, m.Close())
		if c.flushed != 1 {
			t.Errorf("flushed %d times", c.flushed)
		}
	})
}

// With Bunnicula's names it sends what any StatsD understands.
func TestBunniculaNeedsNoDatadog(t *testing.T) {
	a := newAgent(t)
	m, err := statsdmonitor.Open(a.address(), statsdmonitor.Config{Bunnicula: true})
	must(t, err)
	for range 3 {
		m.Observe(t.Context(), monitoring.Acked{Delivery: delivery})
	}
	must(t, m.Close())
	must(t, m.Close())
	plain := regexp.MustCompile(`^[\w.]+:[\d.]+\|(c|ms)$`)
	var buffer [65536]byte
	must(t, a.conn.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
	lines := 0
	for {
		n, _, err := a.conn.ReadFrom(buffer[:])
		if err != nil {
			break
		}
		for text := range strings.FieldsSeq(string(buffer[:n])) {
			if lines++; !plain.MatchString(text) {
				t.Errorf("it sends %q", text)
			}
		}
	}
	if lines != 4 {
		t.Errorf("%d lines", lines)
	}
}

func TestBunniculasNames(t *testing.T) {
	got := observed(t, statsdmonitor.Config{Bunnicula: true}, func(m *statsdmonitor.Monitor) {
		if ctx := m.Start(t.Context(), &monitoring.Operation{Kind: monitoring.Process}); ctx != t.Context() {
			t.Error("it has put something into the context")
		}
		for _, e := range []monitoring.Event{
			monitoring.Acked{Delivery: delivery},
			monitoring.Retried{Delivery: delivery, Failure: monitoring.FailureReturned},
			monitoring.Deferred{Delivery: delivery},
			monitoring.Retried{Delivery: delivery, Failure: monitoring.FailureTimeout},
			monitoring.Retried{Delivery: delivery, Failure: monitoring.FailureStuck},
			monitoring.Retried{Delivery: delivery, Failure: monitoring.FailurePanic},
			monitoring.Errored{Delivery: delivery, Reason: monitoring.ReasonRejected, Failure: monitoring.FailureReturned},
			monitoring.Errored{Delivery: monitoring.Delivery{Queue: "orders"}, Reason: monitoring.ReasonUndecodable},
			monitoring.Errored{Delivery: delivery, Reason: monitoring.ReasonExhausted, Failure: monitoring.FailureReturned},
			monitoring.Errored{Delivery: delivery, Reason: monitoring.ReasonExhausted, Failure: monitoring.FailurePanic},
			monitoring.HandedBack{Delivery: monitoring.Delivery{Queue: "orders"}},
			monitoring.Connected{Name: "shop"},
		} {
			m.Observe(t.Context(), e)
		}
	})
	expect(
		t, got,
		"orders|ms|=360", // nine handlers
		"orders.success|c|=1", "orders.retry|c|=3", "orders.timeout|c|=2", "orders.fail|c|=2", "orders.error|c|=2",
	)
}

// A consumer on a broker: what is sent is what happened.
func TestAConsumerIsWatched(t *testing.T) {
	got := observed(t, statsdmonitor.Config{}, func(m *statsdmonitor.Monitor) {
		ctx := t.Context()
		b := rabbittest.New(t)
		conn, err := connection.Open(ctx, b.URL(), connection.Config{Name: "shop", Dial: b.Dial, Monitor: m})
		must(t, err)
		handle := func(_ context.Context, m consumer.Message[string]) consumer.Outcome {
			switch {
			case m.Body == "bad":
				return consumer.Error(errors.New("bad"))
			case m.Attempt == 1:
				panic("at first")
			}
			return consumer.Ack()
		}
		c, err := consumer.New(conn, "orders", handle, consumer.Config{Workers: 3, Retry: retry.Fixed(1, time.Millisecond)})
		must(t, err)
		running, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- c.Run(running) }()
		<-c.Ready()
		p, err := publisher.New(conn, publisher.Config{})
		must(t, err)
		must(t, p.Publish(ctx, "orders", "good"))
		must(t, p.Publish(ctx, "orders", "bad"))
		must(t, b.Queue("orders.error").WaitLen(ctx, 1))
		must(t, b.Queue("orders").Wait(ctx, func(q rabbittest.Queue) bool {
			acked := 0
			for _, e := range q.History() {
				if e.Kind == "acked" {
					acked++
				}
			}
			return acked == 3
		}))
		stop()
		must(t, <-done)
		must(t, p.Close(ctx))
		must(t, conn.Close(ctx))
	})
	for key, want := range map[string]float64{
		"warren.deliveries|c|ending:acked,queue:orders":            1,
		"warren.deliveries|c|ending:retried,queue:orders":          1,
		"warren.deliveries|c|ending:errored,queue:orders":          1,
		"warren.failures|c|failure:panic,queue:orders":             1,
		"warren.failures|c|failure:returned,queue:orders":          1,
		"warren.errored|c|queue:orders,reason:rejected":            1,
		"warren.running|g|queue:orders":                            0,
		"warren.workers|g|queue:orders":                            0, // it has stopped
		"warren.consumer_ready|g|queue:orders":                     0,
		"warren.published|c|exchange:amq.default,result:confirmed": 2,
		"warren.connected|g|connection:shop/consume":               0,
		"warren.connected|g|connection:shop/publish":               0,
		"warren.disconnected|c|connection:shop/consume":            0,
		"warren.dial_failed|c|connection:shop,refused:false":       0,
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
}

func TestNamesThatStatsDCannotSay(t *testing.T) {
	d := monitoring.Delivery{Queue: "a,b|c:d\ne"}
	got := observed(t, statsdmonitor.Config{}, func(m *statsdmonitor.Monitor) {
		m.Observe(t.Context(), monitoring.Held{Delivery: d})
	})
	expect(t, got, "warren.held|c|queue:a_b_c:d_e=1")
	got = observed(t, statsdmonitor.Config{Bunnicula: true}, func(m *statsdmonitor.Monitor) {
		m.Observe(t.Context(), monitoring.Acked{Delivery: d})
	})
	expect(t, got, "a_b_c_d_e.success|c|=1")
}

func TestBadConfigurations(t *testing.T) {
	if _, err := statsdmonitor.New(nil, statsdmonitor.Config{}); err == nil || err.Error() != "the StatsD client is nil" {
		t.Errorf("a nil client: %v", err)
	}
	if _, err := statsdmonitor.New(&statsd.NoOpClient{}, statsdmonitor.Config{Rate: 2}); err == nil || err.Error() != "Config.Rate is not between 0 and 1: 2" {
		t.Errorf("a rate of 2: %v", err)
	}
	t.Setenv("DD_AGENT_HOST", "")
	if _, err := statsdmonitor.Open("", statsdmonitor.Config{}); err == nil || !strings.HasPrefix(err.Error(), "open a StatsD client: ") {
		t.Errorf("no address: %v", err)
	}
	if _, err := statsdmonitor.Open("127.0.0.1:1", statsdmonitor.Config{Rate: -1}); err == nil {
		t.Error("a negative rate was taken")
	}
}
