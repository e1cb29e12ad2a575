package confirm_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/confirm"
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

// breathe is between messages that are sent without end: the clock of a bubble
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

// after is a context that ends after d.
func after(tb testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(tb.Context(), d)
	tb.Cleanup(cancel)
	return ctx
}

func soon(tb testing.TB) context.Context { return after(tb, patience) }

// rig is a Sender on a connection of its own, through a network that the test
// can disturb.
type rig struct {
	*confirm.Sender
	network *netproxy.Network
	conn    *connection.Connection

	mu     sync.Mutex
	losses []error // of connections
}

func (r *rig) Observe(_ context.Context, e monitoring.Event) {
	if e, ok := e.(monitoring.Disconnected); ok && e.Err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.losses = append(r.losses, e.Err)
	}
}

func (r *rig) lost() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.losses)
}

// start makes a rig on a broker, until the test ends.
func start(tb testing.TB, b brokers.Broker, window int) *rig {
	tb.Helper()
	return startOn(tb, b, window, connection.Config{})
}

func startOn(tb testing.TB, b brokers.Broker, window int, cfg connection.Config) *rig {
	tb.Helper()
	r := &rig{network: netproxy.New(b.Dial)}
	cfg.Name = "confirm-test"
	cfg.MinRedial, cfg.MaxRedial = 5*time.Millisecond, 50*time.Millisecond
	cfg.Monitor = r
	cfg.Dial = r.network.Dial
	var err error
	r.conn, err = connection.Open(soon(tb), b.URL, cfg)
	must(tb, err)
	r.Sender = confirm.New(r.conn, window)
	tb.Cleanup(func() {
		r.network.Release()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			tb.Errorf("close the sender: %v", err)
		}
		if free := r.Free(); free != window {
			tb.Errorf("%d of %d slots are free in the end", free, window)
		}
		if err := r.conn.Close(ctx); err != nil {
			tb.Logf("close the connection: %v", err)
		}
	})
	return r
}

// raw is a channel of the client library, to see what is on the broker.
func raw(tb testing.TB, b brokers.Broker) *amqp.Channel {
	tb.Helper()
	conn, err := b.Client()
	must(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	must(tb, err)
	return ch
}

// newQueue declares a queue until the test ends.
func newQueue(tb testing.TB, b brokers.Broker, args amqp.Table) string {
	tb.Helper()
	queue := rabbitmq.Name(tb, "confirm")
	const durable, autoDelete, exclusive, noWait = true, false, false, false
	_, err := raw(tb, b).QueueDeclare(queue, durable, autoDelete, exclusive, noWait, args)
	must(tb, err)
	b.Delete(tb, queue)
	return queue
}

// message is a message to a queue.
func message(queue, id string) confirm.Message {
	return confirm.Message{Key: queue, Publishing: amqp.Publishing{
		MessageId: id, DeliveryMode: amqp.Persistent, Body: []byte(id),
	}}
}

// ids takes all that is in a queue, and returns how often each id is there.
func ids(tb testing.TB, b brokers.Broker, queue string) map[string]int {
	tb.Helper()
	ch := raw(tb, b)
	defer func() { _ = ch.Close() }() // or it would take what comes later
	n, last := -1, 0
	// What was written to a connection that has ended since may still arrive.
	until(tb, "the queue to be at rest", func() bool {
		q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		must(tb, err)
		same := q.Messages == n
		if n = q.Messages; same {
			last++
		} else {
			last = 0
		}
		return last == 10
	})
	deliveries, err := ch.Consume(queue, "", true, false, false, false, nil)
	must(tb, err)
	all := make(map[string]int)
	for i := range n {
		select {
		case d := <-deliveries:
			all[d.MessageId]++
		case <-time.After(patience):
			tb.Fatalf("%d of %d messages came", i, n)
		}
	}
	return all
}

// results collects what became of messages, by their id.
type results struct {
	mu  sync.Mutex
	all map[string]error
}

func (r *results) add(id string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = make(map[string]error)
	}
	r.all[id] = err
}

// count returns how many are nil, unknown, and else.
func (r *results) count() (fine, unknown, other int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, err := range r.all {
		switch {
		case err == nil:
			fine++
		case errors.Is(err, confirm.ErrUnknown):
			unknown++
		default:
			other++
		}
	}
	return fine, unknown, other
}

// true compares the results with what is in the queue: what is nil must be
// there, once; what is neither nil nor unknown must not.
func (r *results) verify(tb testing.TB, there map[string]int) {
	tb.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	wrong := 0
	for _, id := range slices.Sorted(maps.Keys(r.all)) {
		err, n := r.all[id], there[id]
		if errors.Is(err, confirm.ErrUnknown) && n <= 1 || err == nil && n == 1 ||
			err != nil && !errors.Is(err, confirm.ErrUnknown) && n == 0 {
			continue
		}
		if wrong++; wrong <= 10 {
			tb.Errorf("%s is %d times in the queue, and its result is: %v", id, n, err)
		}
	}
	for id := range there {
		if _, ok := r.all[id]; !ok {
			tb.Errorf("%s is in the queue and was never sent", id)
		}
	}
	if wrong > 10 {
		tb.Errorf("%d results are wrong", wrong)
	}
}

// many runs f from 8 goroutines, n times each, with an id for each call.
func many(n int, f func(id string)) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range n {
				f(fmt.Sprintf("%d-%05d", g, i))
			}
		})
	}
	wg.Wait()
}
