package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

// SIGTERM under load, while some handlers are slow and one ignores everything. The process is back within its deadline.
// What was handled is done with, the rest is in the queue. Handing it back has counted as a delivery once at most, and not
// at all since RabbitMQ 4.3, but for what is stuck. PEER-BUGS (2).
func TestTerminatedUnderLoad(t *testing.T) {
	t.Parallel()
	brokers.EachOverTCP(t, func(t *testing.T, b brokers.Broker) {
		const messages, enough, drain, grace = 400, 50, 2 * time.Second, 3 * time.Second
		k := newKit(t, b)
		k.declarePlan(newConsumer(k, newBlocker().handle, consumer.Config{}).Plan())
		list := texts(messages)
		list[10].Body = []byte("stuck")
		for i := enough - 10; i < messages; i += 20 {
			list[i].Body = []byte("polite") // it takes as long as it may
		}
		k.publish(list...)
		child := startChild(k, drain)
		eventually(t, "some to be handled", func() bool { return len(child.said("done")) >= enough-20 && len(child.said("began")) >= enough-5 })
		took, code := child.terminate(t)
		if code != 1 || took < drain || took > drain+grace+2*time.Second {
			t.Errorf("after %v it exits with %d", took, code)
		}
		if told := strings.Join(child.said("run:"), "\n"); !strings.Contains(told, ": 1 messages were not settled in time: 10") {
			t.Errorf("Run returned %s", told)
		}
		done := map[string]bool{}
		for _, id := range child.said("done") {
			done[id] = true
		}
		began := len(child.said("began"))
		if began <= len(done)+1 || len(done) == messages {
			t.Errorf("of %d messages %d began and %d were done: there was no load", messages, began, len(done))
		}
		for _, d := range k.take(k.queue, messages-len(done)) {
			most := 1
			if free := strings.HasPrefix(k.version(), "4.3"); free && d.MessageId != "10" {
				most = 0
			}
			if n := header.Crashes(d.Headers, true); n > most || done[d.MessageId] {
				t.Errorf("%s has %d deliveries on it; done: %v", d.MessageId, n, done[d.MessageId])
			}
			if a := d.Headers[header.Attempt]; a != nil {
				t.Errorf("%s has used up an attempt: the next is %v", d.MessageId, a)
			}
		}
		for _, q := range []string{topology.RetryQueue(k.queue, time.Hour), topology.ErrorQueue(k.queue), k.queue} {
			if k.exists(q) && k.ready(q) > 0 {
				t.Errorf("%d messages are in %s", k.ready(q), q)
			}
		}
	})
}

// version is that of the broker.
func (k *kit) version() string {
	k.Helper()
	return waitFor[monitoring.Connected](k, 1)[0].Version
}

// The broker is gone when the consumer shall stop, or goes meanwhile: Run returns within its deadline all the same, what
// was not settled is the broker's, and those who outlive Run are named.
func TestStopWithTheBrokerGone(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]func(*netproxy.Network){
		"unplugged":        (*netproxy.Network).Unplug,
		"black hole":       (*netproxy.Network).Freeze,
		"it hears nothing": func(n *netproxy.Network) { n.Hold(netproxy.ToBroker) },
		"it says nothing":  func(n *netproxy.Network) { n.Hold(netproxy.FromBroker) },
	} {
		for when, meanwhile := range map[string]bool{"before": false, "meanwhile": true} {
			t.Run(name+", "+when, func(t *testing.T) {
				t.Parallel()
				// Over TCP: in a bubble time stands still for a write that holds the client's lock.
				brokers.EachOverTCP(t, func(t *testing.T, b brokers.Broker) {
					n := netproxy.New(b.Dial)
					k := newKitOver(t, b, n)
					k.conn = openSlowly(t, b, n, k.events)
					testStopWithTheBrokerGone(t, k, n, gone, meanwhile)
				})
			})
		}
	}
}

// openSlowly is openOver, but neither heartbeats nor a bound of writes help Run to return.
func openSlowly(tb testing.TB, b brokers.Broker, n *netproxy.Network, m monitoring.Monitor) *connection.Connection {
	tb.Helper()
	conn, err := connection.New(b.URL, connection.Config{
		Name: "consumer-stop", Monitor: m, Dial: n.Dial, Heartbeat: time.Minute, WriteTimeout: time.Minute,
	})
	must(tb, err)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	})
	return conn
}

func testStopWithTheBrokerGone(t *testing.T, k *kit, n *netproxy.Network, gone func(*netproxy.Network), meanwhile bool) {
	const drain, grace, slack = 2 * time.Second, 3 * time.Second, 2 * time.Second
	kinds := []string{"quick", "slow", "polite", "retries", "errors", "stuck"}
	word, release := make(chan struct{}), make(chan struct{})
	var late atomic.Bool
	letGo := sync.OnceFunc(func() { close(release) })
	defer letGo()
	began := make(chan string, 100)
	r := run(k, func(ctx context.Context, m consumer.Message[[]byte]) consumer.Outcome {
		if late.Load() {
			t.Errorf("%s begins while the consumer stops", m.ID)
		}
		began <- m.ID
		<-word
		switch string(m.Body) {
		case "slow":
			time.Sleep(time.Second) // whatever its context says
		case "polite":
			<-ctx.Done()
			return consumer.Retry(context.Cause(ctx))
		case "retries":
			return consumer.Retry(errBank)
		case "errors":
			return consumer.Error(errBank)
		case "stuck":
			<-release
		}
		return consumer.Ack()
	}, consumer.Config{Workers: len(kinds), Prefetch: 20, Drain: drain, Retry: retry.Fixed(1, time.Hour)})
	list := texts(20)
	for i := range list {
		list[i].Body = []byte("waits")
		if i < len(kinds) {
			list[i].Body = []byte(kinds[i])
		}
	}
	k.publish(list[:1]...) // the subscription is narrow until it has seen one
	receive(t, "the first handler", began)
	k.publish(list[1:]...)
	for range kinds[1:] {
		receive(t, "a handler", began)
	}
	if !meanwhile {
		gone(n)
	}
	r.cancel()
	waitFor[monitoring.ConsumerStopping](k, 1)
	late.Store(true)
	if meanwhile {
		gone(n)
	}
	close(word)
	var err error
	within(t, "Run", drain+grace+slack, func() { err = r.wait() })
	var unfinished *consumer.DrainError
	if !errors.As(err, &unfinished) {
		t.Fatalf("Run returned %v", err)
	}
	stuck := 0
	for _, u := range unfinished.Unfinished {
		if u.Handling {
			stuck++
		}
	}
	if stuck != 1 {
		t.Errorf("Run returned %v", err)
	}
	letGo()
	n.Release()
	n.Plug()
	nothingIsMissing(k, len(list))
}

// nothingIsMissing waits until each of n messages is done, or in a queue.
func nothingIsMissing(k *kit, n int) {
	k.Helper()
	found := map[string]bool{}
	for _, e := range of[monitoring.Acked](k.events) {
		found[e.MessageID] = true
	}
	ch := k.channel()
	defer func() { _ = ch.Close() }()
	queues := []string{k.queue, topology.ErrorQueue(k.queue), topology.RetryQueue(k.queue, time.Hour)}
	eventually(k, fmt.Sprintf("all of %d messages", n), func() bool {
		for _, q := range queues {
			for {
				d, ok, err := ch.Get(q, true)
				must(k, err)
				if !ok {
					break
				}
				found[d.MessageId] = true
			}
		}
		return len(found) == n
	})
}
