package consumer_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
)

// What Pause promised for the first time does not hold any more after Resume.
func TestPauseAfterResumeWaitsAnew(t *testing.T) {
	t.Parallel()
	onBothOver(t, func(t *testing.T, k *kit, n *netproxy.Network) {
		b := newBlocker()
		b.say(100, consumer.Ack())
		r := run(k, b.handle, consumer.Config{})
		must(t, r.Pause(t.Context()))
		k.publish(texts(10)...)

		n.Hold(netproxy.FromBroker) // so that the consumer is caught between the two
		before := n.Passed(netproxy.ToBroker)
		resumed := make(chan error, 1)
		go func() { resumed <- r.Resume(t.Context()) }()
		eventually(t, "a question to the broker", func() bool { return n.Passed(netproxy.ToBroker) > before })
		paused := make(chan error, 1)
		go func() { paused <- r.Pause(t.Context()) }()
		if err := <-resumed; !errors.Is(err, consumer.ErrPaused) {
			t.Errorf("Resume: %v", err)
		}
		never(t, "paused, but subscribing", 200*time.Millisecond, func() bool { return len(paused) > 0 })
		n.Release()
		must(t, receive(t, "Pause", paused))
		_, _, total := b.count()
		never(t, "a message while paused", 500*time.Millisecond, func() bool {
			_, _, now := b.count()
			return now > total
		})
	})
}

// The queue is deleted while the consumer is paused: a consumer that declares does so again at once.
func TestResumeWithoutQueue(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		b := newBlocker()
		b.say(1, consumer.Ack())
		r := run(k, b.handle, consumer.Config{})
		must(t, r.Pause(t.Context()))
		k.delete(k.queue)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		must(t, r.Resume(ctx))
		k.publish(text("a", "x"))
		eventually(t, "the end of a", func() bool { return k.events.endings("a") == "Acked 1" })
	})
}

// Pause returns when nothing is in work any more, and not before.
func TestPauseWaitsForWork(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		b := newBlocker()
		r := run(k, b.handle, consumer.Config{Workers: 2, Prefetch: 6})
		k.publish(texts(20)...)
		receive(t, "a handler", b.began)
		receive(t, "another handler", b.began)
		// The window, and the one with which the subscription began narrow.
		eventually(t, "the window", func() bool { return k.ready(k.queue) == 13 })
		ready := r.Ready()
		paused := make(chan error, 1)
		go func() { paused <- r.Pause(t.Context()) }()
		eventually(t, "another Ready", func() bool { return r.Ready() != ready })
		if err := r.Health(); !errors.Is(err, consumer.ErrPaused) {
			t.Errorf("while pausing Health is %v", err)
		}
		b.say(6, consumer.Ack())
		never(t, "paused with one in work", 200*time.Millisecond, func() bool { return len(paused) > 0 })
		short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := r.Pause(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("another Pause returned %v", err)
		}
		b.say(1, consumer.Ack())
		must(t, receive(t, "Pause", paused))
		if _, _, total := b.count(); total != 7 || len(of[monitoring.Acked](k.events)) != 7 {
			t.Errorf("%d handlers have run", total)
		}
		if n := len(waitFor[monitoring.ConsumerPaused](k, 1)); n != 1 {
			t.Errorf("told %d times", n)
		}
		must(t, r.Pause(t.Context())) // again: at once
		if n := k.ready(k.queue); n != 13 {
			t.Errorf("%d messages are in the queue", n)
		}

		must(t, r.Resume(t.Context()))
		must(t, r.Health())
		select {
		case <-r.Ready():
		default:
			t.Error("resumed, but not ready")
		}
		b.say(13, consumer.Ack())
		eventually(t, "all acked", func() bool { return len(of[monitoring.Acked](k.events)) == 20 })
		if n := len(of[monitoring.ConsumerResumed](k.events)); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}

// Resume does not wait for what is still buffered from before.
func TestResumeWhileBusy(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		b := newBlocker()
		r := run(k, b.handle, consumer.Config{Workers: 1, Prefetch: 3})
		k.publish(texts(10)...)
		receive(t, "a handler", b.began)
		eventually(t, "the window", func() bool { return k.ready(k.queue) == 6 })
		paused := make(chan error, 1)
		ready := r.Ready()
		go func() { paused <- r.Pause(t.Context()) }()
		eventually(t, "another Ready", func() bool { return r.Ready() != ready })
		must(t, r.Resume(t.Context()))
		if err := receive(t, "Pause", paused); err == nil {
			t.Error("Pause returned nil, though resumed meanwhile")
		}
		b.say(10, consumer.Ack())
		eventually(t, "all acked", func() bool { return len(of[monitoring.Acked](k.events)) == 10 })
	})
}

// Before Run, Pause makes it start paused; while disconnected, it interrupts connecting.
func TestPauseWithoutConnection(t *testing.T) {
	t.Parallel()
	onBothOver(t, func(t *testing.T, k *kit, n *netproxy.Network) {
		n.Unplug()
		b := newBlocker()
		b.say(100, consumer.Ack())
		c := newConsumer(k, b.handle, consumer.Config{})
		must(t, c.Pause(t.Context()))
		r := start(k, c)
		eventually(t, "paused", func() bool { return errors.Is(r.Health(), consumer.ErrPaused) })
		must(t, r.Pause(t.Context()))
		if n.Dials() != 0 {
			t.Error("dialled while paused")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if err := r.Resume(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a broker Resume returned %v", err)
		}
		within(t, "Pause", time.Second, func() { must(t, r.Pause(t.Context())) })
		n.Plug()
		must(t, r.Resume(t.Context()))
		k.publish(text("a", "x"))
		eventually(t, "the end of a", func() bool { return k.events.endings("a") == "Acked 1" })
		for _, e := range of[monitoring.ConsumerLost](k.events) {
			if errors.Is(e.Err, consumer.ErrPaused) || errors.Is(e.Err, context.Canceled) {
				t.Errorf("pausing is told as a loss: %v", e.Err)
			}
		}

		// Cut while paused: still paused, and nothing is dialled for it.
		must(t, r.Pause(t.Context()))
		n.Unplug()
		eventually(t, "the loss", func() bool { return k.conn.Health() != nil })
		must(t, r.Pause(t.Context()))
		if err := r.Health(); !errors.Is(err, consumer.ErrPaused) {
			t.Errorf("Health is %v", err)
		}
		n.Plug()
		must(t, r.Resume(t.Context()))
	})
}

// Anyone may pause and resume at any time.
func TestPauseConcurrently(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		l := newLedger()
		r := run(k, unsteady(l), consumer.Config{Retry: retry.Fixed(5, 300*time.Millisecond)})
		const messages = 300
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 4 {
					_ = r.Pause(t.Context()) // perhaps another resumes
					nap(t.Context(), 10*time.Millisecond)
					_ = r.Resume(t.Context()) // or pauses
					nap(t.Context(), 10*time.Millisecond)
				}
			})
		}
		k.publish(texts(messages)...)
		within(t, "each Pause and Resume", time.Minute, wg.Wait)
		must(t, r.Resume(t.Context()))
		l.settled(k, messages, time.Minute)
		must(t, r.Health())
	})
}

// Who is about to run it can tell that it will not subscribe.
func TestPausedIsWhatWasAskedForLast(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		c := newConsumer(k, newBlocker().handle, consumer.Config{})
		paused := func(when string, want bool) {
			t.Helper()
			if c.Paused() != want {
				t.Errorf("%s: paused is %v", when, !want)
			}
		}
		paused("before Pause", false)
		must(t, c.Pause(t.Context()))
		paused("after Pause", true)
		r := start(k, c)
		eventually(t, "paused", func() bool { return errors.Is(r.Health(), consumer.ErrPaused) })
		paused("while running", true)
		must(t, c.Resume(t.Context()))
		paused("after Resume", false)
		r.cancel()
		must(t, r.wait())
		paused("after Run", false)
	})
}
