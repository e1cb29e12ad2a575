package connection_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/monitoring"
)

func TestMain(m *testing.M) { rabbitmq.Main(m) }

// patience is how long a test waits for what should come soon, on a busy
// machine.
const patience = 20 * time.Second

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// until waits for a condition.
func until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("waited %v for: %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// breathe is between things that are done without end: the clock of a bubble
// stands still as long as anyone in it has something to do.
func breathe() { time.Sleep(time.Millisecond) }

// within fails the test if f takes longer than limit.
func within(tb testing.TB, limit time.Duration, what string, f func()) {
	tb.Helper()
	began := time.Now()
	f()
	if took := time.Since(began); took > limit {
		tb.Errorf("%s took %v, want at most %v", what, took, limit)
	}
}

// diary is a monitor that remembers what it was told, and its log lines.
type diary struct {
	mu     sync.Mutex
	events []monitoring.Event
	log    strings.Builder
	lines  monitoring.Monitor
}

func newDiary() *diary {
	d := new(diary)
	d.lines = monitoring.Log(slog.New(slog.NewTextHandler(&d.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	return d
}

func (d *diary) Observe(ctx context.Context, e monitoring.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, e)
	d.lines.Observe(ctx, e)
}

// text is what was logged.
func (d *diary) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// told returns the events of one kind, so far.
func told[E monitoring.Event](d *diary) []E {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []E
	for _, e := range d.events {
		if e, ok := e.(E); ok {
			all = append(all, e)
		}
	}
	return all
}

// quick is a Config that redials at once and tells nobody.
func quick() connection.Config {
	return connection.Config{
		Name:      "connection-test",
		MinRedial: 10 * time.Millisecond,
		MaxRedial: 100 * time.Millisecond,
		Monitor:   monitoring.Discard{},
	}
}

// quickOn is quick for a broker.
func quickOn(b brokers.Broker) connection.Config {
	cfg := quick()
	cfg.Dial = b.Dial
	return cfg
}

// create makes a Connection that is closed when the test ends.
func create(tb testing.TB, url string, cfg connection.Config) *connection.Connection {
	tb.Helper()
	c, err := connection.New(url, cfg)
	must(tb, err)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			tb.Logf("close: %v", err)
		}
	})
	return c
}

// connect makes a Connection that is connected, and closed when the test ends.
func connect(tb testing.TB, url string, cfg connection.Config) *connection.Connection {
	tb.Helper()
	c := create(tb, url, cfg)
	must(tb, c.Connect(soon(tb)))
	return c
}

// createOn is create on a broker, and connectOn is connect.
func createOn(tb testing.TB, b brokers.Broker, cfg connection.Config) *connection.Connection {
	tb.Helper()
	if cfg.Dial == nil {
		cfg.Dial = b.Dial
	}
	return create(tb, b.URL, cfg)
}

func connectOn(tb testing.TB, b brokers.Broker, cfg connection.Config) *connection.Connection {
	tb.Helper()
	c := createOn(tb, b, cfg)
	must(tb, c.Connect(soon(tb)))
	return c
}

// soon is a context that ends after the test's patience.
func soon(tb testing.TB) context.Context { return after(tb, patience) }

// after is a context that ends after d.
func after(tb testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(tb.Context(), d)
	tb.Cleanup(cancel)
	return ctx
}

func session(tb testing.TB, c *connection.Connection, p connection.Purpose) *connection.Session {
	tb.Helper()
	s, err := c.Session(soon(tb), p)
	must(tb, err)
	return s
}

// closedPort returns an address on which nobody listens.
func closedPort(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(tb, err)
	must(tb, l.Close())
	return l.Addr().String()
}

// slow makes memory take the time that a network takes by itself.
func slow(b brokers.Broker, n *netproxy.Network, delay time.Duration) {
	if b.Test != nil {
		n.Delay(netproxy.FromBroker, delay, 0)
	}
}
