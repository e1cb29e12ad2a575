package consumer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/monitoring"
)

// onBothOver is onBoth over a network that the test can spoil.
func onBothOver(t *testing.T, test func(t *testing.T, k *kit, n *netproxy.Network)) {
	t.Helper()
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		t.Helper()
		n := netproxy.New(b.Dial)
		test(t, newKitOver(t, b, n), n)
	})
}

// newKitOver is newKit over a network. It does not connect yet.
func newKitOver(tb testing.TB, b brokers.Broker, n *netproxy.Network) *kit {
	tb.Helper()
	k := &kit{TB: tb, broker: b, queue: rabbitmq.Name(tb, "c"), events: newEvents()}
	k.conn = openOver(tb, b, n, k.events)
	return k
}

// openOver connects over a network, and dials again soon, until the test ends.
func openOver(tb testing.TB, b brokers.Broker, n *netproxy.Network, e *events) *connection.Connection {
	tb.Helper()
	conn, err := connection.New(b.URL, connection.Config{
		Name: "consumer-life", Monitor: e, Dial: n.Dial, Heartbeat: 2 * time.Second,
		MinRedial: 5 * time.Millisecond, MaxRedial: 50 * time.Millisecond,
	})
	must(tb, err)
	tb.Cleanup(func() {
		n.Release()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = conn.Close(ctx) // some tests leave it cut
	})
	return conn
}

// blocker is a handler that tells of each message and waits for the word to go on.
type blocker struct {
	began chan string // ids
	word  chan consumer.Outcome
	// ended gets the causes of contexts that ended meanwhile. The handler goes on waiting.
	ended chan error
	deaf  bool // it does not look at its context

	mu      sync.Mutex
	running int
	most    int // at once
	total   int
}

func newBlocker() *blocker {
	return &blocker{began: make(chan string, 1000), word: make(chan consumer.Outcome, 1000), ended: make(chan error, 1000)}
}

func (b *blocker) handle(ctx context.Context, m consumer.Message[[]byte]) consumer.Outcome {
	b.enter()
	defer b.leave()
	b.began <- m.ID
	if b.deaf {
		return <-b.word
	}
	select {
	case o := <-b.word:
		return o
	case <-ctx.Done():
		b.ended <- context.Cause(ctx)
		return <-b.word
	}
}

func (b *blocker) enter() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running++
	b.total++
	b.most = max(b.most, b.running)
}

func (b *blocker) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running--
}

func (b *blocker) count() (running, most, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.running, b.most, b.total
}

// say lets n handlers return o.
func (b *blocker) say(n int, o consumer.Outcome) {
	for range n {
		b.word <- o
	}
}

// receive waits for a value.
func receive[T any](tb testing.TB, what string, c <-chan T) (v T) {
	tb.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		tb.Fatalf("waited in vain for %s", what)
	}
	return v
}

// within fails unless f returns in time.
func within(tb testing.TB, what string, d time.Duration, f func()) (took time.Duration) {
	tb.Helper()
	began := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(d + patience):
		tb.Fatalf("%s does not return", what)
	}
	if took = time.Since(began); took > d {
		tb.Errorf("%s took %v, more than %v", what, took, d)
	}
	return took
}

// texts are messages with the ids "0" to n-1.
func texts(n int) []amqp.Publishing {
	list := make([]amqp.Publishing, n)
	for i := range list {
		list[i] = text(fmt.Sprint(i), "x")
	}
	return list
}

// ledger notes which messages were handled.
type ledger struct {
	mu      sync.Mutex
	handled map[string]int
	running int
	most    int
}

func newLedger() *ledger { return &ledger{handled: map[string]int{}} }

func (l *ledger) enter() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running++
	l.most = max(l.most, l.running)
}

// leave notes that the handler of id returned, and whether it said that the message is done.
func (l *ledger) leave(id string, done bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	if done {
		l.handled[id]++
	}
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.handled)
}

// now returns how many handlers run.
func (l *ledger) now() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running
}

// highest returns how many handlers ran at once, at most.
func (l *ledger) highest() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.most
}

// missing returns which of n messages with the ids "0" to n-1 are neither handled nor known to be in the error queue.
func (l *ledger) missing(k *kit, n int) []string {
	found := map[string]bool{}
	for _, e := range of[monitoring.Errored](k.events) {
		found[e.MessageID] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var missing []string
	for i := range n {
		if id := fmt.Sprint(i); !found[id] && l.handled[id] == 0 {
			missing = append(missing, id)
		}
	}
	return missing
}

// settled waits until none is missing.
func (l *ledger) settled(k *kit, n int, patience time.Duration) {
	k.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		missing := l.missing(k, n)
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			k.Fatalf("of %d messages %d are not settled: %v; %d are in the main queue", n, len(missing), missing, k.ready(k.queue))
		}
	}
}

// nap sleeps for a random time below d, or until ctx ends.
func nap(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(rand.N(d)):
	case <-ctx.Done():
	}
}

// eventuallyWithin is eventually for what takes long.
func eventuallyWithin(tb testing.TB, what string, d time.Duration, holds func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(d); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("waited in vain for %s", what)
		}
	}
}
