package consumer_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
)

var (
	chaosSeed  = flag.Uint64("chaos.seed", 0, "repeat the random operations of TestChaos; 0: others each time")
	chaosSteps = flag.Int("chaos.steps", 120, "how many operations TestChaos does")
)

// TestChaos does at random what may be done to a consumer, in any order, while messages come and are handled, and
// checks what must hold whatever happens: nothing is lost, never too many handlers run, everything returns in time.
func TestChaos(t *testing.T) {
	t.Parallel()
	onBothOver(t, func(t *testing.T, k *kit, n *netproxy.Network) {
		const most = 6
		seed := *chaosSeed
		if seed == 0 {
			seed = rand.Uint64()
		}
		t.Logf("repeat it with -chaos.seed=%d", seed)
		dice := rand.New(rand.NewPCG(seed, 0))
		l := newLedger()
		c := newConsumer(k, unsteady(l), consumer.Config{
			Workers: 3, Prefetch: 12, Drain: 2 * time.Second, Immediate: 1,
			Timeout: 100 * time.Millisecond, Grace: 100 * time.Millisecond, Retry: retry.Fixed(5, 300*time.Millisecond),
		})
		k.declarePlan(c.Plan())
		var r *running
		ctx := func(d time.Duration) context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(dice.Int64N(int64(d))))
			t.Cleanup(cancel)
			return ctx
		}
		messages := 0
		// Handlers that outlive their Run, at its end and at most: they are not counted against the next one.
		before, outlived := 0, 0
		var log []string
		defer func() {
			if t.Failed() {
				t.Logf("it did: %v", log)
			}
		}()
		for range *chaosSteps {
			if r == nil {
				before = l.now()
				outlived = max(outlived, before)
				r = start(k, c)
				// A Stop that comes before Run has no effect.
				eventually(t, "Run", func() bool { return !errors.Is(c.Health(), consumer.ErrNotRunning) })
			}
			operations := []struct {
				name string
				do   func()
			}{
				{"publish", func() {
					k.publish(texts(messages + 20)[messages:]...)
					messages += 20
				}},
				{"pause", func() {
					if err := r.Pause(ctx(100 * time.Millisecond)); err == nil && l.now() > before {
						t.Errorf("paused, but %d handlers run, and not just %d of an earlier Run", l.now(), before)
					}
				}},
				{"resume", func() { _ = r.Resume(ctx(100 * time.Millisecond)) }},
				{"workers", func() { must(t, r.SetWorkers(1+dice.IntN(most))) }},
				{"cut", func() { n.Cut() }},
				{"unplug", func() {
					n.Unplug()
					nap(t.Context(), 50*time.Millisecond)
					n.Plug()
				}},
				{"hold", func() {
					n.Hold(netproxy.FromBroker)
					nap(t.Context(), 200*time.Millisecond)
					n.Release()
				}},
				{"stop", func() {
					within(t, "Stop", 5*time.Second, func() {
						if err := r.Stop(ctx(500 * time.Millisecond)); err != nil && !errors.As(err, new(*consumer.DrainError)) {
							t.Errorf("Stop returned %v", err)
						}
					})
					<-r.done
					r = nil
				}},
				{"cancel", func() {
					within(t, "Run", 7*time.Second, func() {
						if err := r.stop(); err != nil && !errors.As(err, new(*consumer.DrainError)) {
							t.Errorf("Run returned %v", err)
						}
					})
					r = nil
				}},
				{"nap", func() { nap(t.Context(), 100*time.Millisecond) }},
				{"look", func() {
					_ = r.Health()
					select {
					case <-r.Ready():
					default:
					}
				}},
			}
			o := operations[dice.IntN(len(operations))]
			log = append(log, o.name)
			o.do()
			nap(t.Context(), 20*time.Millisecond)
		}
		if r == nil {
			outlived = max(outlived, l.now())
			r = start(k, c)
		}
		must(t, r.Resume(t.Context()))
		k.waitReady(r)
		l.settled(k, messages, time.Minute)
		must(t, r.Health())
		if limit := most + len(of[monitoring.Stuck](k.events)) + outlived; l.highest() > limit {
			t.Errorf("%d handlers ran at once, more than %d", l.highest(), limit)
		}
		must(t, r.stop())
		t.Logf("%d messages, %d reconnects, %d runs", messages, len(of[monitoring.ConsumerReady](k.events)), len(of[monitoring.ConsumerStopped](k.events)))
	})
}
