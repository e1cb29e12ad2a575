package consumer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
)

// What a monitor is told lets it say at any time how things stand.

func TestAStoppedRunTellsWhatItReturns(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		c := newConsumer(k, newBlocker().handle, consumer.Config{Declare: consumer.DeclareCheck}) // nothing is there
		err := start(k, c).wait()
		var refused *consumer.DeclareError
		if told := waitFor[monitoring.ConsumerStopped](k, 1); !errors.As(told[0].Err, &refused) || told[0].Err.Error() != err.Error() {
			t.Errorf("Run returned %v, told is %v", err, told[0].Err)
		}
	})
}

// A handler that outlives Run: its delivery ends nevertheless, and once.
func TestWhatOutlivesRunHasAnEnding(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		b := newBlocker()
		b.deaf = true
		r := run(k, b.handle, consumer.Config{Workers: 1})
		k.publish(text("a", "x"))
		receive(t, "a handler", b.began)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Stop(ctx); !errors.As(err, new(*consumer.DrainError)) {
			t.Fatalf("Stop returned %v", err)
		}
		_ = r.wait()
		if got := k.events.endings("a"); got != "Lost 1" {
			t.Errorf("told: %q", got)
		}
		lost := of[monitoring.Lost](k.events)
		if len(lost) != 1 || lost[0].Outcome != "" || !errors.Is(lost[0].Err, consumer.ErrDraining) {
			t.Errorf("told: %+v", lost)
		}
		b.say(1, consumer.Ack())
		if late := waitFor[monitoring.LateOutcome](k, 1); late[0].Outcome != "ack" {
			t.Errorf("the late outcome is %q", late[0].Outcome)
		}
		if got := k.events.endings("a"); got != "Lost 1" {
			t.Errorf("told: %q", got)
		}
	})
}

func TestOtherWorkersAreTold(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		r := run(k, newBlocker().handle, consumer.Config{Workers: 2})
		must(t, r.SetWorkers(5))
		e := waitFor[monitoring.ConsumerResized](k, 1)[0]
		ready := of[monitoring.ConsumerReady](k.events)[0]
		if e.Queue != k.queue || e.Workers != 5 || e.Prefetch != 10 || e.Consumer != ready.Consumer || e.Consumer == 0 {
			t.Errorf("told: %+v after %+v", e, ready)
		}
		must(t, r.SetWorkers(5)) // as it is
		never(t, "it is told", 100*time.Millisecond, func() bool { return len(of[monitoring.ConsumerResized](k.events)) > 1 })
	})
}

// That a consumer is resumed is told also if it cannot subscribe, and that it pauses again, too.
func TestResumedWithoutABroker(t *testing.T) {
	t.Parallel()
	onBothOver(t, func(t *testing.T, k *kit, n *netproxy.Network) {
		r := run(k, newBlocker().handle, consumer.Config{})
		must(t, r.Pause(t.Context()))
		n.Unplug()
		eventually(t, "the loss", func() bool { return k.conn.Health() != nil })
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if err := r.Resume(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a broker Resume returned %v", err)
		}
		waitFor[monitoring.ConsumerResumed](k, 1)
		must(t, r.Pause(t.Context()))
		if n := len(waitFor[monitoring.ConsumerPaused](k, 2)); n != 2 {
			t.Errorf("told %d times that it pauses", n)
		}
		n.Plug()
	})
}

func TestConsumersOfOneQueueAreToldApart(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		run(k, newBlocker().handle, consumer.Config{})
		waitFor[monitoring.ConsumerReady](k, 1)
		other := run(k, newBlocker().handle, consumer.Config{})
		ready := waitFor[monitoring.ConsumerReady](k, 2)
		if ready[0].Consumer == ready[1].Consumer {
			t.Errorf("told: %+v", ready)
		}
		must(t, other.stop())
		if stopped := waitFor[monitoring.ConsumerStopped](k, 1); stopped[0].Consumer != ready[1].Consumer {
			t.Errorf("%+v, but it is %+v", stopped[0], ready[1])
		}
	})
}

// brittle is a body whose Validate panics.
type brittle struct{}

func (brittle) Validate() error { panic("in Validate") }

// A panic is told with its stack wherever it was, and with one fingerprint.
func TestPanicsAreToldAlike(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		run(k, func(context.Context, consumer.Message[[]byte]) consumer.Outcome {
			panic("in the handler")
		}, consumer.Config{Retry: retry.Fixed(1, 10*time.Millisecond)})
		k.publish(text("a", "x"))
		retried, errored := waitFor[monitoring.Retried](k, 1)[0], waitFor[monitoring.Errored](k, 1)[0]
		if retried.Fingerprint == "" || retried.Fingerprint != errored.Fingerprint {
			t.Errorf("the fingerprints are %q and %q", retried.Fingerprint, errored.Fingerprint)
		}
	})
	onBoth(t, func(t *testing.T, k *kit) {
		run(k, func(context.Context, consumer.Message[brittle]) consumer.Outcome {
			return consumer.Ack()
		}, consumer.Config{})
		m := text("a", "{}")
		m.ContentType = "application/json"
		k.publish(m)
		if e := waitFor[monitoring.Errored](k, 1)[0]; e.Reason != monitoring.ReasonInvalid || len(e.Stack) == 0 {
			t.Errorf("told: %q, %v, stack %q", e.Reason, e.Err, e.Stack)
		}
	})
}
