//go:build linux || darwin

package faults_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/faults"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/publisher"
)

const (
	heartbeat  = 2 * time.Second
	publishers = 8
	rate       = 200 // messages a second, of all publishers
	// patience is how long a run may take to come to rest. A retry queue that could not deliver tries again after
	// three minutes on its own (DESIGN.md, D2), and where a fault makes them all do so, as the death of a leader does on
	// 3.10, a message that is retried thrice waits for all of them.
	patience      = 4 * time.Minute
	timerPatience = 15 * time.Minute
)

// bench is one run: a queue, what publishes to it and what consumes it, and the ledger of both.
type bench struct {
	t      *testing.T
	node   *rabbitmq.Node
	others []*rabbitmq.Node // of its cluster
	access *access          // nil: only over TCP
	net    *netproxy.Network
	conn   *connection.Connection
	queue  string
	ledger *faults.Ledger
	cfg    consumer.Config
	log    *tail

	look  func(*bench, consumer.Message[order]) // see fault
	entry func(*bench, amqp.Delivery)

	broken  *rabbitmq.Node // by a fault that mends it again
	counted atomic.Int64   // the largest delivery count that a child has seen

	goroutines int // before it began
	consumer   *consumer.Consumer
	running    chan struct{} // closed when Run has returned
	result     error         // what it returned
	children   []*child
	publisher  *publisher.Publisher

	mix     []string
	pad     string
	loading context.CancelFunc // ends the load
	giveUp  context.CancelFunc // ends what the load has begun
	load    sync.WaitGroup
	turn    int
	timers  bool // see fault
}

// newBench connects to a node, or to all of its cluster. Nothing is consumed yet, but the queues are there to stay.
func newBench(t *testing.T, node *rabbitmq.Node, mix []string, cfg consumer.Config, others ...*rabbitmq.Node) *bench {
	t.Helper()
	return newBenchOver(t, overTCP, nil, node, mix, cfg, others...)
}

// newBenchOver is newBench for who gets to the node in another way.
func newBenchOver(
	t *testing.T, how over, a *access, node *rabbitmq.Node, mix []string, cfg consumer.Config, others ...*rabbitmq.Node,
) *bench {
	t.Helper()
	b := &bench{
		t: t, node: node, access: a, others: others, net: netproxy.New(nil), queue: rabbitmq.Name(t, "f"), ledger: faults.NewLedger(),
		cfg: cfg, mix: mix, log: new(tail),
	}
	b.label()
	b.goroutines = b.alive()
	var err error
	var addresses []string
	for _, n := range others {
		addresses = append(addresses, n.Address())
	}
	connecting := connection.Config{
		Name: "faults", Addresses: addresses, Dial: b.net.Dial, Heartbeat: heartbeat, MaxRedial: time.Second,
		Monitor: monitoring.Log(slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelWarn}))),
	}
	url := b.reach(how, &connecting)
	b.conn, err = connection.New(url, connecting)
	must(t, err)
	t.Cleanup(b.abandon)
	handle := handling(func(id string) { b.ledger.Handled(id, "", time.Now()) })
	b.consumer, err = consumer.New(b.conn, b.queue, func(ctx context.Context, m consumer.Message[order]) consumer.Outcome {
		if b.look != nil {
			b.look(b, m)
		}
		return handle(ctx, m)
	}, cfg)
	must(t, err)
	b.publisher, err = publisher.New(b.conn, publisher.Config{})
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	must(t, b.consumer.Declare(ctx))
	for _, n := range append(others, node) {
		must(t, n.Sync(ctx))
	}
	return b
}

// abandon ends what a failed test has left, and tells what happened last.
func (b *bench) abandon() {
	b.net.Plug()
	b.net.Release()
	if b.loading != nil {
		b.loading()
		b.giveUp()
		b.load.Wait()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = b.consumer.Stop(ctx)
	if b.running != nil {
		<-b.running
	}
	_ = b.conn.Close(ctx)
	if b.t.Failed() {
		b.t.Logf("the last that it told:\n%s", b.log)
	}
}

// consume starts the consumer in this process, and waits until it consumes.
func (b *bench) consume() {
	b.start()
	b.waitReady()
}

// start starts the consumer in this process.
func (b *bench) start() {
	b.running = make(chan struct{})
	go func() {
		defer close(b.running)
		b.result = b.consumer.Run(context.WithoutCancel(b.t.Context()))
	}()
}

// waitReady waits until the consumer in this process is subscribed and healthy.
func (b *bench) waitReady() {
	b.t.Helper()
	b.eventually("the consumer is healthy", time.Minute, func() bool { return b.consumer.Health() == nil })
}

// publish starts the load.
func (b *bench) publish() {
	loading, cancel := context.WithCancel(context.Background())
	trying, giveUp := context.WithCancel(context.Background())
	b.loading, b.giveUp = cancel, giveUp
	var mu sync.Mutex
	next := func() (do string) {
		mu.Lock()
		defer mu.Unlock()
		b.turn++
		return b.mix[b.turn%len(b.mix)]
	}
	for range publishers {
		b.load.Go(func() {
			tick := time.NewTicker(time.Second * publishers / rate)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					b.send(trying, next())
				case <-loading.Done():
					return
				}
			}
		})
	}
	b.ledger.Watch(true)
}

// send publishes one message for as long as it takes, as someone does who must not lose it.
func (b *bench) send(ctx context.Context, do string) {
	n := b.ledger.Publish(isDoomed(do))
	m := publisher.Message{Key: b.queue, ID: strconv.Itoa(n), Body: order{Do: do, Pad: b.pad}}
	for ctx.Err() == nil {
		once, cancel := context.WithTimeout(ctx, 10*time.Second)
		err := b.publisher.Send(once, m)
		cancel()
		if err == nil {
			b.ledger.Confirm(n)
			return
		}
		if errors.Is(err, publisher.ErrTooLarge) || errors.Is(err, publisher.ErrEncode) || errors.Is(err, publisher.ErrClosed) {
			b.t.Errorf("publish: %v", err)
			return
		}
		nap(ctx, 50*time.Millisecond)
	}
}

// quiet ends the load, and returns when every message of it is done with.
func (b *bench) quiet() {
	b.t.Helper()
	b.loading()
	done := make(chan struct{})
	go func() {
		b.load.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		b.t.Error("after a minute not all of the load is published")
	}
	b.giveUp()
	<-done
	b.ledger.Watch(false)
	b.eventually("every message is handled", b.patience(), func() bool { return b.ledger.Open() == 0 })
}

// empty returns when every message is where it stays. The count of the error queue is true at once, those of the others
// a few seconds later.
func (b *bench) empty() {
	b.t.Helper()
	b.eventually("the error queue has what it should", b.patience(), func() bool { return b.depth(b.errorQueue()) >= b.ledger.Doomed() })
	b.eventually("the queues are empty", b.patience(), func() bool { return b.waiting() == 0 })
}

// finish ends the run, looks at what it leaves, and returns the verdict.
func (b *bench) finish() faults.Verdict {
	t := b.t
	t.Helper()
	b.quiet()
	if b.running != nil {
		b.waitReady()
	}
	b.empty()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if b.running != nil {
		must(t, b.consumer.Stop(ctx))
		<-b.running
		must(t, b.result)
	}
	for _, c := range b.children {
		c.stop(t)
	}
	must(t, b.publisher.Close(ctx))
	must(t, b.conn.Close(ctx))
	b.eventually("no goroutine is left", 10*time.Second, func() bool { return b.alive() <= b.goroutines })
	for _, what := range []string{"connections", "channels"} {
		b.eventually("no "+what+" are left", 20*time.Second, func() bool { return b.ctl("list_"+what, "pid") == "" })
	}
	b.harvest(true)
	return b.ledger.Verdict()
}

func (b *bench) patience() time.Duration {
	if b.timers || len(b.others) > 0 {
		return timerPatience
	}
	return patience
}

// queues are the names of all queues of the run.
func (b *bench) queues() (list []string) {
	plan := b.consumer.Plan()
	for _, q := range plan.Queues() {
		list = append(list, q.Name)
	}
	for _, r := range plan.Rungs {
		list = append(list, r.Name)
	}
	return list
}

// errorQueue is where the run's failures go.
func (b *bench) errorQueue() string { return b.consumer.Plan().Error.Name }

// depth returns how many messages wait in a queue, as it is now.
func (b *bench) depth(queue string) int {
	b.t.Helper()
	conn, err := amqp.Dial(b.node.URL())
	must(b.t, err)
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	must(b.t, err)
	q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	must(b.t, err)
	return q.Messages
}

// waiting returns how many messages are in the queues but for the error queue, in whatever state. RabbitMQ counts them
// every few seconds.
func (b *bench) waiting() (sum int) {
	out := b.ctl("list_queues", "name", "messages")
	for line := range strings.Lines(out) {
		name, count, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if !strings.HasPrefix(name, b.queue) || name == b.errorQueue() {
			continue
		}
		n, err := strconv.Atoi(count)
		if err != nil {
			return 1 // a queue that does not tell
		}
		sum += n
	}
	return sum
}

// harvest takes what is in the queues, and notes it. If last is true it deletes them.
func (b *bench) harvest(last bool) {
	t := b.t
	t.Helper()
	conn, err := amqp.Dial(b.node.URL())
	must(t, err)
	defer func() { _ = conn.Close() }()

	// All at once, since RabbitMQ 3.10 may take 5 s to delete a queue.
	var deleted sync.WaitGroup
	defer deleted.Wait()
	for _, name := range b.queues() {
		if !last && name != b.errorQueue() {
			continue
		}
		ch, err := conn.Channel()
		must(t, err)
		if _, err := ch.QueueDeclarePassive(name, true, false, false, false, nil); err != nil {
			if refused := new(amqp.Error); !errors.As(err, &refused) || refused.Code != amqp.NotFound {
				t.Errorf("harvest %s: %v", name, err)
			}
			continue // a rung that was not needed
		}
		for {
			d, ok, err := ch.Get(name, true)
			must(t, err)
			if !ok {
				break
			}
			if name == b.errorQueue() {
				b.ledger.Errored(d.MessageId)
				if b.entry != nil {
					b.entry(b, d)
				}
			} else {
				b.ledger.Queued(d.MessageId)
			}
		}
		if last {
			deleted.Go(func() {
				if _, err := ch.QueueDelete(name, false, false, false); err != nil {
					t.Errorf("delete %s: %v", name, err)
				}
			})
		} else {
			must(t, ch.Close())
		}
	}
}

// ctl runs rabbitmqctl, and returns nothing but an error of the test if that fails.
func (b *bench) ctl(args ...string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute) // a third of a second on a machine that has time
	defer cancel()
	out, err := b.node.Ctl(ctx, args...)
	if err != nil {
		b.t.Error(err)
	}
	return strings.TrimSpace(out)
}

func (b *bench) eventually(what string, limit time.Duration, ok func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(limit); !ok(); nap(context.Background(), 50*time.Millisecond) {
		if time.Now().After(deadline) {
			v := b.ledger.Verdict()
			b.t.Fatalf("not within %v: %s (%d confirmed, %d handled, %d open, health: %v)",
				limit, what, v.Confirmed, v.Handled, b.ledger.Open(), b.consumer.Health())
		}
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (w *tail) Write(p []byte) (int, error) {
	const most = 1 << 16
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	if len(w.text) > 2*most {
		w.text = bytes.Clone(w.text[len(w.text)-most:])
	}
	return len(p), nil
}

func (w *tail) String() string {
	const shown = 4000
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.text[max(0, len(w.text)-shown):])
}
