package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

// PEER-BUGS (1): an acknowledgement that comes after a reconnect has the tag of another delivery by then, and must not
// touch it; or of none, and must not close the channel.
func TestStaleAck(t *testing.T) {
	t.Parallel()
	for name, messages := range map[string]int{"another's tag": 6, "nobody's tag": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBothOver(t, func(t *testing.T, k *kit, n *netproxy.Network) { testStaleAck(t, k, n, messages) })
		})
	}
}

// testStaleAck acks the fourth delivery of a channel after a reconnect. On the next channel there are as many more
// deliveries as messages, all in work.
func testStaleAck(t *testing.T, k *kit, n *netproxy.Network, messages int) {
	var cut atomic.Bool
	before, after := make(chan struct{}), make(chan struct{})
	began := make(chan string, 100)
	r := run(k, func(_ context.Context, m consumer.Message[[]byte]) consumer.Outcome {
		word := before
		if cut.Load() {
			word = after
		}
		began <- m.ID
		if m.ID == "late" || word == after {
			<-word
		}
		return consumer.Ack()
	}, consumer.Config{Workers: 10})
	for i := range 3 {
		k.publish(text(fmt.Sprint("early", i), "x"))
		receive(t, "an early one", began)
	}
	waitFor[monitoring.Acked](k, 3)
	// Their acknowledgements leave within 5 ms.
	never(t, "a loss", 100*time.Millisecond, func() bool { return len(of[monitoring.ConsumerLost](k.events)) > 0 })
	k.publish(text("late", "x"))
	receive(t, "the late one", began)
	cut.Store(true)
	n.Cut()
	receive(t, "the late one again", began)
	for i := range messages {
		k.publish(text(fmt.Sprint("more", i), "x"))
		receive(t, "one more", began)
	}
	close(before) // it acks the tag 4
	lost := waitFor[monitoring.Lost](k, 1)
	if lost[0].MessageID != "late" || lost[0].Outcome != "ack" || lost[0].Err == nil {
		t.Errorf("%+v", lost)
	}
	never(t, "the channel is lost", 200*time.Millisecond, func() bool { return len(of[monitoring.ConsumerLost](k.events)) > 1 })
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_ = r.Stop(ctx) // what was in work comes back
	_ = r.wait()
	want := 1 + messages
	eventually(t, "all in the queue", func() bool { return k.ready(k.queue) == want })
	close(after)
}

// Handlers that run when the connection is lost learn of it, and keep their workers until they return.
func TestConnectionLossKeepsWorkers(t *testing.T) {
	t.Parallel()
	onBothOver(t, func(t *testing.T, k *kit, n *netproxy.Network) {
		b := newBlocker()
		r := run(k, b.handle, consumer.Config{Workers: 3})
		k.publish(texts(9)...)
		for range 3 {
			receive(t, "a handler", b.began)
		}
		for range 3 {
			ready := r.Ready()
			n.Cut()
			eventually(t, "another Ready", func() bool { return r.Ready() != ready })
			k.waitReady(r)
		}
		for range 3 {
			if cause := receive(t, "the end of a context", b.ended); !errors.Is(cause, consumer.ErrConnectionLost) {
				t.Errorf("a context ended because of %v", cause)
			}
		}
		never(t, "more than 3 handlers", 300*time.Millisecond, func() bool { _, most, _ := b.count(); return most > 3 })
		b.say(1, consumer.Ack())
		b.say(1, consumer.Error(errors.New("no")))
		b.say(1, consumer.Retry(nil))
		lost := waitFor[monitoring.Lost](k, 3)
		outcomes := map[string]int{}
		for _, e := range lost {
			outcomes[e.Outcome]++
		}
		if outcomes["ack"] != 1 || outcomes["error"] != 1 || outcomes["retry"] != 1 {
			t.Errorf("lost: %v", outcomes)
		}
		b.say(9, consumer.Ack())
		eventually(t, "all acked", func() bool { return len(of[monitoring.Acked](k.events)) == 9 })
		if _, most, _ := b.count(); most > 3 {
			t.Errorf("%d handlers ran at once", most)
		}
		if n := k.ready(topology.ErrorQueue(k.queue)); n != 0 {
			t.Errorf("%d messages are in the error queue", n)
		}
	})
}

// unsteady is a handler that takes its time, fails now and then, and does not always look at its context.
func unsteady(l *ledger) consumer.Handler[[]byte] {
	return func(ctx context.Context, m consumer.Message[[]byte]) consumer.Outcome {
		l.enter()
		if rand.N(4) == 0 {
			ctx = context.WithoutCancel(ctx)
		}
		nap(ctx, 20*time.Millisecond)
		switch n := rand.N(100); {
		case n < 10 && m.Attempt < 3:
			l.leave(m.ID, false)
			return consumer.Retry(errors.New("not now"))
		case n < 12:
			l.leave(m.ID, false)
			return consumer.Error(errors.New("never"))
		case n < 14:
			l.leave(m.ID, false)
			return consumer.Defer(0, errors.New("later"))
		}
		l.leave(m.ID, true)
		return consumer.Ack()
	}
}

// PEER-BUGS (16): a hundred reconnects under load. Nothing is lost, and TestMain finds no goroutine left.
func TestHundredReconnects(t *testing.T) {
	t.Parallel()
	onBothOver(t, func(t *testing.T, k *kit, n *netproxy.Network) {
		const workers, messages, cuts = 5, 3000, 100
		l := newLedger()
		r := run(k, unsteady(l), consumer.Config{Workers: workers, Prefetch: 20, Retry: retry.Fixed(5, 300*time.Millisecond)})
		list := texts(messages)
		for i := range cuts {
			k.publish(list[i*messages/cuts : (i+1)*messages/cuts]...)
			k.waitReady(r)
			ready := r.Ready()
			nap(t.Context(), 60*time.Millisecond)
			if n.Cut() > 0 {
				eventually(t, "another Ready", func() bool { return r.Ready() != ready })
			}
		}
		l.settled(k, messages, 2*time.Minute)
		if n := len(of[monitoring.ConsumerReady](k.events)); n <= cuts/2 {
			t.Errorf("only %d reconnects", n)
		}
		if l.highest() > workers {
			t.Errorf("%d handlers ran at once", l.highest())
		}
		must(t, r.stop())
	})
}

// PEER-BUGS (3): the connection is cut at every step of the protocol, after so many bytes received, or sent.
func TestCutAtEveryStep(t *testing.T) {
	t.Parallel()
	onBothOver(t, func(t *testing.T, k *kit, n *netproxy.Network) {
		const stride, until = 97, 3000
		var dials atomic.Int64
		n.Dialled = func(one *netproxy.Conn) {
			switch at := dials.Add(1); {
			case at*stride/2 > until:
			case at%2 == 0:
				one.CutAt(netproxy.FromBroker, at*stride/2)
			default:
				one.CutAt(netproxy.ToBroker, at*stride/2)
			}
		}
		l := newLedger()
		c := newConsumer(k, unsteady(l), consumer.Config{Prefetch: 20, Retry: retry.Fixed(5, 300*time.Millisecond)})
		_, err := k.channel().QueueDeclare(c.Plan().Main.Name, true, false, false, false, c.Plan().Main.Args)
		must(t, err)
		_, err = k.channel().QueueDeclare(c.Plan().Error.Name, true, false, false, false, c.Plan().Error.Args)
		must(t, err)
		r := start(k, c)
		messages := 0
		for ; ; messages += 10 { // until all the cuts are over
			if dials.Load()*stride/2 > until {
				break
			}
			list := texts(messages + 10)
			k.publish(list[messages:]...)
			nap(t.Context(), 50*time.Millisecond)
		}
		l.settled(k, messages, 2*time.Minute)
		must(t, r.stop())
	})
}

// The broker cannot be reached when Run begins; Run waits.
func TestUnreachableAtStart(t *testing.T) {
	t.Parallel()
	onBothOver(t, func(t *testing.T, k *kit, n *netproxy.Network) {
		n.Unplug()
		b := newBlocker()
		b.say(1, consumer.Ack())
		c := newConsumer(k, b.handle, consumer.Config{})
		if err := c.Health(); !errors.Is(err, consumer.ErrNotRunning) {
			t.Errorf("before Run Health is %v", err)
		}
		r := start(k, c)
		eventually(t, "a reason in Health", func() bool {
			err := r.Health()
			return errors.Is(err, consumer.ErrNotReady) && len(of[monitoring.DialFailed](k.events)) > 0
		})
		n.Plug()
		k.waitReady(r)
		must(t, r.Health())
		k.publish(text("a", "x"))
		eventually(t, "the end of a", func() bool { return k.events.endings("a") == "Acked 1" })
		must(t, r.stop())
		if err := r.Health(); !errors.Is(err, consumer.ErrNotRunning) {
			t.Errorf("after Run Health is %v", err)
		}
	})
}

// A long handler on a bad network: the broker counts each delivery that ends with the connection, as it counts crashes.
// But this process has survived them all.
func TestLossesAreNoCrashes(t *testing.T) {
	t.Parallel()
	onBothOver(t, func(t *testing.T, k *kit, n *netproxy.Network) {
		const cuts = 13
		attempts := make(chan int, 100)
		r := run(k, func(ctx context.Context, m consumer.Message[[]byte]) consumer.Outcome {
			attempts <- m.Attempt
			if len(of[monitoring.ConsumerLost](k.events)) < cuts {
				<-ctx.Done()
			}
			return consumer.Ack()
		}, consumer.Config{})
		k.publish(texts(1)...)
		for range cuts {
			k.waitReady(r)
			ready := r.Ready()
			if n := receive(t, "the handler", attempts); n != 1 {
				t.Errorf("it is attempt %d", n)
			}
			n.Cut()
			eventually(t, "another Ready", func() bool { return r.Ready() != ready })
		}
		eventually(t, "its end", func() bool { return len(of[monitoring.Acked](k.events)) == 1 })
		if e := of[monitoring.Errored](k.events); len(e) > 0 {
			t.Errorf("%s went to the error queue: %s, %v", e[0].MessageID, e[0].Reason, e[0].Err)
		}
	})
}
