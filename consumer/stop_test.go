package consumer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/monitoring"
)

// Whoever stops a consumer while it asks the broker for another subscription must not take its handlers' time away.
func TestStopWhileSubscribing(t *testing.T) {
	t.Parallel()
	onBothOver(t, func(t *testing.T, k *kit, n *netproxy.Network) {
		b := newBlocker()
		r := run(k, b.handle, consumer.Config{Workers: 1})
		k.publish(text("a", "x"))
		receive(t, "the handler", b.began)
		n.Hold(netproxy.FromBroker)
		before := n.Passed(netproxy.ToBroker)
		must(t, r.SetWorkers(3))
		eventually(t, "a question to the broker", func() bool { return n.Passed(netproxy.ToBroker) > before })
		r.cancel()
		never(t, "the handler's context ended", 300*time.Millisecond, func() bool { return len(b.ended) > 0 })
		n.Release()
		never(t, "the handler's context ended", 300*time.Millisecond, func() bool { return len(b.ended) > 0 })
		b.say(1, consumer.Ack())
		must(t, r.wait())
		if got := k.events.endings("a"); got != "Acked 1" {
			t.Errorf("a: %s", got)
		}
		if n := k.ready(k.queue); n != 0 {
			t.Errorf("%d messages are in the queue", n)
		}
	})
}

// A second Stop, with less time than the first, or than Drain, is obeyed.
func TestStopHastensStopping(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		b := newBlocker()
		r := run(k, b.handle, consumer.Config{Workers: 1})
		k.publish(text("a", "x"))
		receive(t, "the handler", b.began)
		r.cancel() // with 25 s to drain
		waitFor[monitoring.ConsumerStopping](k, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		go func() {
			if cause := receive(t, "the end of the context", b.ended); !errors.Is(cause, consumer.ErrDraining) {
				t.Errorf("the handler's context ended because of %v", cause)
			}
			b.say(1, consumer.Retry(errors.New("interrupted")))
		}()
		within(t, "Stop", 2500*time.Millisecond, func() { must(t, r.Stop(ctx)) })
		if got := k.events.endings("a"); got != "HandedBack 1" {
			t.Errorf("a: %s", got)
		}
		eventually(t, "a in the queue", func() bool { return k.ready(k.queue) == 1 })
	})
}

// PEER-BUGS (9): stopping is bounded also while the broker does not answer.
func TestStopWhileTheBrokerIsSilent(t *testing.T) {
	t.Parallel()
	onBothOver(t, func(t *testing.T, k *kit, n *netproxy.Network) {
		b := newBlocker()
		r := run(k, b.handle, consumer.Config{Workers: 1})
		k.publish(texts(5)...)
		receive(t, "the handler", b.began)
		b.say(1, consumer.Retry(nil)) // so that there is something on the publishing connection
		waitFor[monitoring.Retried](k, 1)
		receive(t, "the next handler", b.began)

		n.Hold(netproxy.FromBroker)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		go func() {
			_ = receive(t, "the end of the context", b.ended)
			b.say(1, consumer.Ack())
		}()
		within(t, "Stop", 4*time.Second, func() { _ = r.Stop(ctx) })
		n.Release()
	})
}

func TestStopWhileConnecting(t *testing.T) {
	t.Parallel()
	onBothOver(t, func(t *testing.T, k *kit, n *netproxy.Network) {
		n.Hold(netproxy.FromBroker)
		c := newConsumer(k, newBlocker().handle, consumer.Config{})
		r := start(t, c)
		eventually(t, "a dial", func() bool { return n.Passed(netproxy.ToBroker) > 0 })
		within(t, "Stop", time.Second, func() { must(t, r.stop()) })
		n.Release()
		eventually(t, "the connection", func() bool { return k.conn.Health() == nil })
	})
}
