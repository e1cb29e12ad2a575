package consumer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
)

// What may happen to a broker, to one of our own. One after the other, since a node takes seconds to start.
func TestBrokerFaults(t *testing.T) {
	t.Parallel()
	underLoad := func(name string, fault func(*brokers.Node)) brokers.Trial {
		return brokers.Trial{Name: name, Test: func(t *testing.T, n *brokers.Node) { testFaultUnderLoad(t, n, consumer.Tiers, fault) }}
	}
	kill := func(n *brokers.Node) {
		n.Kill()
		n.Boot()
	}
	brokers.Alone(t, nil,
		brokers.Trial{
			Name: "consumer timeout", Test: testConsumerTimeout,
			// Rather than 30 minutes. Only the test of it has handlers that take so long.
			Options: rabbittest.Options{ConsumerTimeout: 4 * time.Second},
		},
		underLoad("connections closed", func(n *brokers.Node) { n.CloseConnections("maintenance") }),
		underLoad("frozen", func(n *brokers.Node) {
			n.Freeze()
			time.Sleep(4 * time.Second) // longer than one and a half heartbeats
			n.Thaw()
		}),
		underLoad("restarted in order", (*brokers.Node).Restart),
		underLoad("killed", kill),
		brokers.Trial{Name: "killed where it makes messages wait", Test: func(t *testing.T, n *brokers.Node) {
			testFaultUnderLoad(t, n, consumer.Native, kill)
		}},
		brokers.Trial{Name: "killed beside Bunnicula", Test: func(t *testing.T, n *brokers.Node) {
			testFaultUnderLoad(t, n, consumer.Bunnicula, func(n *brokers.Node) {
				n.Kill()
				n.Boot()
			})
		}},
		brokers.Trial{Name: "killed while draining", Test: testKilledWhileDraining},
	)
}

// newNodeKit connects to a node that may go away: what cannot be cleaned up goes with it.
func newNodeKit(t *testing.T, node *brokers.Node) *kit {
	t.Helper()
	return newKitOver(t, node.Broker, netproxy.New(node.Dial))
}

// testFaultUnderLoad lets a fault happen while messages are handled, retried and moved.
func testFaultUnderLoad(t *testing.T, node *brokers.Node, waiting consumer.Waiting, fault func(*brokers.Node)) {
	const workers, messages = 5, 1000
	k := newNodeKit(t, node)
	k.needs(waiting)
	l := newLedger()
	c, err := consumer.New(k.conn, k.queue, unsteady(l), consumer.Config{
		Workers: workers, Prefetch: 20, Retry: retry.Fixed(5, time.Second), Waiting: waiting,
	})
	must(t, err)
	r := start(k, c)
	k.waitReady(r)
	k.publish(texts(messages)...)
	node.Sync()
	eventually(t, "a part of them", func() bool { return l.count() > messages/10 })
	fault(node)
	waitFor[monitoring.ConsumerLost](k, 1) // or the fault was none
	k.waitReady(r)
	l.settled(k, messages, time.Minute)
	if l.highest() > workers {
		t.Errorf("%d handlers ran at once", l.highest())
	}
	must(t, r.Health())
	must(t, r.stop())
	k.deleteLater(c.Plan())
}

// The broker takes a message back from a handler that takes too long for it.
func testConsumerTimeout(t *testing.T, node *brokers.Node) {
	k := newNodeKit(t, node)
	b := newBlocker()
	r := run(k, b.handle, consumer.Config{Workers: 1, ConsumerTimeout: time.Hour})
	ready := r.Ready()
	k.publish(text("a", "x"))
	receive(t, "the handler", b.began)
	if cause := receive(t, "the end of its context", b.ended); !errors.Is(cause, consumer.ErrConnectionLost) {
		t.Errorf("the context ended because of %v", cause)
	}
	k.waitReady(r)
	if r.Ready() == ready {
		t.Error("Ready is still the same")
	}
	b.say(1, consumer.Ack()) // too late
	receive(t, "the message again", b.began)
	b.say(1, consumer.Ack())
	eventually(t, "both ends", func() bool { return k.events.endings("a") == "Lost 1, Acked 1" })
	if lost := of[monitoring.ConsumerLost](k.events); len(lost) != 1 || lost[0].Unhandled != 1 || lost[0].Refused {
		t.Errorf("%+v", lost)
	}
	// The connection, which others use, has not suffered. (RabbitMQ 4.3 delivers the message once more on the channel that
	// it has just closed, and the client library ends the connection at that.)
	version := of[monitoring.Connected](k.events)[0].Version
	if n := len(of[monitoring.Disconnected](k.events)); n > 0 && !strings.HasPrefix(version, "4.") {
		t.Errorf("%d connections were lost", n)
	}
	must(t, r.stop())
}

// PEER-BUGS, fault 21: Run returns within its deadline when the broker dies meanwhile.
func testKilledWhileDraining(t *testing.T, node *brokers.Node) {
	k := newNodeKit(t, node)
	b := newBlocker()
	c, err := consumer.New(k.conn, k.queue, b.handle, consumer.Config{Workers: 2, Drain: 20 * time.Second})
	must(t, err)
	r := start(k, c)
	k.waitReady(r)
	k.publish(texts(2)...)
	receive(t, "a handler", b.began)
	receive(t, "another handler", b.began)
	r.cancel()
	waitFor[monitoring.ConsumerStopping](k, 1)
	node.Kill()
	for range 2 {
		if cause := receive(t, "the end of a context", b.ended); !errors.Is(cause, consumer.ErrConnectionLost) {
			t.Errorf("a context ended because of %v", cause)
		}
	}
	b.say(2, consumer.Retry(context.Canceled))
	within(t, "Run", 3*time.Second, func() { must(t, r.wait()) })
	if n := len(of[monitoring.Lost](k.events)); n != 2 {
		t.Errorf("%d are told as lost", n)
	}
}
