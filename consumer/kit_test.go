package consumer_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/topology"
)

// patience is how long a test waits for what must happen. Machines are slow, and RabbitMQ has timers.
const patience = 30 * time.Second

// kit is what most tests need: a broker, a queue of their own, Warren's connection to it, another one of the bare
// client library to see and do what Warren does not, and a record of what the monitor was told.
type kit struct {
	testing.TB
	broker brokers.Broker
	queue  string
	conn   *connection.Connection
	events *events

	mu  sync.Mutex
	raw *amqp.Connection
}

// onBoth runs a test on rabbittest, in a bubble, and on RabbitMQ. What it waits for costs nothing in the bubble, and
// there it cannot have subtests.
func onBoth(t *testing.T, test func(t *testing.T, k *kit)) {
	t.Helper()
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		t.Helper()
		test(t, newKit(t, b))
	})
}

// newKit connects to a broker. The queue is not declared.
func newKit(tb testing.TB, b brokers.Broker) *kit {
	tb.Helper()
	k := &kit{TB: tb, broker: b, queue: rabbitmq.Name(tb, "c"), events: newEvents()}
	k.conn = open(tb, b, k.events)
	return k
}

// open connects until the test ends.
func open(tb testing.TB, b brokers.Broker, m monitoring.Monitor) *connection.Connection {
	tb.Helper()
	conn, err := connection.Open(tb.Context(), b.URL, connection.Config{Name: "consumer-test", Monitor: m, Dial: b.Dial})
	must(tb, err)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := conn.Close(ctx); err != nil {
			tb.Errorf("close the connection: %v", err)
		}
	})
	return conn
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// silence is for those who have nothing to say.
var silence = monitoring.Log(slog.New(slog.DiscardHandler))

// running is a consumer whose Run runs in a goroutine.
type running struct {
	*consumer.Consumer
	tb     testing.TB
	cancel context.CancelFunc
	done   chan struct{} // closed when Run has returned, with err
	err    error
}

// newConsumer makes a consumer of the kit's queue. All that it may declare is deleted when the test ends.
func newConsumer[T any](k *kit, h consumer.Handler[T], cfg consumer.Config) *consumer.Consumer {
	k.Helper()
	c, err := consumer.New(k.conn, k.queue, h, cfg)
	must(k, err)
	k.deleteLater(c.Plan())
	return c
}

// run runs a consumer of the kit's queue until the test ends, and waits until it is ready. A Run that returns an error
// fails the test, unless the test takes it with stop or wait.
func run[T any](k *kit, h consumer.Handler[T], cfg consumer.Config) *running {
	k.Helper()
	r := start(k, newConsumer(k, h, cfg))
	k.waitReady(r)
	return r
}

// start calls Run in a goroutine.
func start(tb testing.TB, c *consumer.Consumer) *running {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Consumer: c, tb: tb, cancel: cancel, done: make(chan struct{})}
	taken := false
	go func() {
		defer close(r.done)
		r.err = c.Run(ctx)
	}()
	tb.Cleanup(func() {
		select {
		case <-r.done:
			taken = true // the test saw it end
		default:
		}
		if err := r.stop(); err != nil && !taken {
			tb.Errorf("run: %v", err)
		}
	})
	return r
}

// stop ends Run's context, waits for Run and returns what it returned.
func (r *running) stop() error {
	r.tb.Helper()
	r.cancel()
	return r.wait()
}

// wait waits for Run to return.
func (r *running) wait() error {
	r.tb.Helper()
	select {
	case <-r.done:
	case <-time.After(2 * patience):
		r.tb.Fatal("Run does not return")
	}
	return r.err
}

// waitReady waits until the consumer is subscribed.
func (k *kit) waitReady(r *running) {
	k.Helper()
	select {
	case <-r.Ready():
	case <-r.done:
		k.Fatalf("Run returned before the consumer was ready: %v", r.err)
	case <-time.After(patience):
		k.Fatalf("the consumer is not ready: %v", r.Health())
	}
}

// client returns the bare client library's connection, and dials if need be.
func (k *kit) client() *amqp.Connection {
	k.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.raw == nil || k.raw.IsClosed() {
		conn, err := k.broker.Client()
		must(k, err)
		k.raw = conn
		k.Cleanup(func() { _ = conn.Close() })
	}
	return k.raw
}

// channel opens a channel of the bare client library, until the test ends.
func (k *kit) channel() *amqp.Channel {
	k.Helper()
	ch, err := k.client().Channel()
	must(k, err)
	k.Cleanup(func() { _ = ch.Close() })
	return ch
}

// publish puts messages into the kit's queue, and waits until the broker has them.
func (k *kit) publish(messages ...amqp.Publishing) {
	k.Helper()
	k.publishTo("", k.queue, messages...)
}

// publishTo publishes messages, mandatory, and waits until the broker has them.
func (k *kit) publishTo(exchange, key string, messages ...amqp.Publishing) {
	k.Helper()
	brokers.Publish(k, k.client(), exchange, key, messages...)
}

// text is a message with a body of plain text.
func text(id, body string) amqp.Publishing {
	return amqp.Publishing{MessageId: id, Body: []byte(body)}
}

// declare declares a durable queue, until the test ends.
func (k *kit) declare(queue string, args amqp.Table) {
	k.Helper()
	_, err := k.channel().QueueDeclare(queue, true, false, false, false, args)
	must(k, err)
	k.deleteQueuesLater(queue)
}

// declarePlan declares what a plan has, rungs too, until the test ends.
func (k *kit) declarePlan(p topology.Plan) {
	k.Helper()
	ch := k.channel()
	queues := p.Queues()
	for _, r := range p.Rungs {
		queues = append(queues, r.Queue)
	}
	for _, q := range queues {
		_, err := ch.QueueDeclare(q.Name, true, false, false, false, q.Args)
		must(k, err)
	}
	k.deleteLater(p)
}

func (k *kit) deleteLater(p topology.Plan) {
	names := []string{p.Main.Name, p.Error.Name}
	for _, r := range slices.Concat(p.Retry, p.Rungs) {
		names = append(names, r.Name)
	}
	for _, q := range p.Peers {
		names = append(names, q.Name)
	}
	k.deleteQueuesLater(names...)
	if k.broker.Test == nil && len(p.Peers) > 0 {
		k.Cleanup(func() {
			ch, err := k.client().Channel()
			for _, e := range p.Exchanges {
				if err == nil && e.Name != topology.KicksExchange { // everyone's
					err = ch.ExchangeDelete(e.Name, false, false)
				}
			}
			if err != nil {
				k.Errorf("clean up: %v", err)
			}
		})
	}
}

// deleteQueuesLater deletes queues when the test ends: all at once, since RabbitMQ 3.10 may take 5 s for one of them.
func (k *kit) deleteQueuesLater(names ...string) {
	if k.broker.Test != nil {
		return // it goes with the test, and tells of them before if the test has failed
	}
	k.Cleanup(func() {
		conn := k.client()
		var all sync.WaitGroup
		for _, name := range names {
			all.Go(func() {
				ch, err := conn.Channel()
				if err == nil {
					_, err = ch.QueueDelete(name, false, false, false)
				}
				if err != nil {
					k.Errorf("clean up: %v", err)
					return
				}
				_ = ch.Close()
			})
		}
		all.Wait()
	})
}

// delete deletes a queue now.
func (k *kit) delete(queue string) {
	k.Helper()
	_, err := k.channel().QueueDelete(queue, false, false, false)
	must(k, err)
}

// exists tells whether a queue is there.
func (k *kit) exists(queue string) bool {
	k.Helper()
	_, err := k.channel().QueueDeclarePassive(queue, true, false, false, false, nil)
	if err == nil {
		return true
	}
	if e := new(amqp.Error); !errors.As(err, &e) || e.Code != amqp.NotFound {
		k.Fatal(err)
	}
	return false
}

// ready returns how many messages in a queue wait for someone to take them.
func (k *kit) ready(queue string) int {
	k.Helper()
	ch := k.channel()
	defer func() { _ = ch.Close() }()
	q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	must(k, err)
	return q.Messages
}

// take waits for n messages in a queue and takes them out, oldest first.
func (k *kit) take(queue string, n int) []amqp.Delivery {
	k.Helper()
	ch := k.channel()
	defer func() { _ = ch.Close() }()
	var all []amqp.Delivery
	eventually(k, "messages in "+queue, func() bool {
		d, ok, err := ch.Get(queue, true)
		must(k, err)
		if ok {
			all = append(all, d)
		}
		return len(all) == n
	})
	return all
}

// takeError waits for one message in the error queue, and takes it out.
func (k *kit) takeError() amqp.Delivery {
	k.Helper()
	return k.take(topology.ErrorQueue(k.queue), 1)[0]
}

// eventually waits until a condition holds.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	brokers.Eventually(tb, what, holds)
}

// never fails if a condition holds within d: for what must not happen.
func never(tb testing.TB, what string, d time.Duration, holds func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if holds() {
			tb.Fatalf("this must not be: %s", what)
		}
	}
}

// events is a monitor that keeps what it is told.
type events struct {
	mu   sync.Mutex
	list []monitoring.Event
}

func newEvents() *events { return new(events) }

func (e *events) Observe(_ context.Context, event monitoring.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, event)
}

// all returns a copy of the events so far.
func (e *events) all() []monitoring.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.list)
}

// of returns the events of one kind.
func of[E monitoring.Event](e *events) []E {
	var list []E
	for _, event := range e.all() {
		if event, ok := event.(E); ok {
			list = append(list, event)
		}
	}
	return list
}

// waitFor waits for n events of one kind and returns all there are.
func waitFor[E monitoring.Event](k *kit, n int) []E {
	k.Helper()
	var list []E
	var kind E
	eventually(k, eventName(kind), func() bool {
		list = of[E](k.events)
		return len(list) >= n
	})
	return list
}
