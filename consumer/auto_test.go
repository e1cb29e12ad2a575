package consumer_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

// auto runs a consumer that finds out, and returns what it has chosen.
func auto(k *kit, cfg consumer.Config) (*running, monitoring.WaitingChosen) {
	k.Helper()
	before := len(of[monitoring.WaitingChosen](k.events))
	cfg.Waiting = consumer.Auto
	c, err := consumer.New(k.conn, k.queue, failOnce, cfg)
	must(k, err)
	if got := c.Plan().Waiting; got != "tiers" {
		k.Errorf("before it has met a broker it plans %s", got)
	}
	r := start(k, c)
	k.waitReady(r)
	k.deleteLater(c.Plan())
	chosen := of[monitoring.WaitingChosen](k.events)
	if len(chosen) != before+1 {
		k.Fatalf("%d choices are told, not %d", len(chosen), before+1)
	}
	e := chosen[before]
	if e.Queue != k.queue || e.Consumer == 0 || e.Waiting != c.Plan().Waiting {
		k.Errorf("%+v, and it plans %s", e, c.Plan().Waiting)
	}
	return r, e
}

// goes lets a message fail once, and checks where it waits.
func (k *kit) goes(id, to string) {
	k.Helper()
	k.publish(text(id, "x"))
	eventually(k, "the end of "+id, func() bool { return k.events.endings(id) == "Retried 1, Acked 2" })
	for _, e := range of[monitoring.Retried](k.events) {
		if e.MessageID == id && e.To != to {
			k.Errorf("%s waits in %s, want %s", id, e.To, to)
		}
	}
}

const briefly = 100 * time.Millisecond

// On a new queue it is the best that the broker can do.
func TestAutoTakesTheBest(t *testing.T) {
	t.Parallel()
	for _, version := range []string{rabbittest.V4_0, rabbittest.V4_3} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			brokers.EachWith(t, rabbittest.Options{Version: version}, func(t *testing.T, b brokers.Broker) {
				k := newKit(t, b)
				_, e := auto(k, consumer.Config{Retry: retry.Fixed(1, briefly)})
				if k.delaysRetries() {
					if e.Waiting != "native" || e.Reason != "" {
						t.Errorf("%+v", e)
					}
					k.goes("a", k.queue)
					return
				}
				if e.Waiting != "tiers" || !strings.Contains(e.Reason, "needs RabbitMQ 4.3 or later, and the broker is RabbitMQ ") {
					t.Errorf("%+v", e)
				}
				k.goes("a", topology.RetryQueue(k.queue, briefly))
			})
		})
	}
}

// A policy, or a mode, that leaves no choice is told as the reason.
func TestAutoWithoutAChoice(t *testing.T) {
	t.Parallel()
	onNative(t, func(t *testing.T, k *kit) {
		r, e := auto(k, consumer.Config{Retry: retry.Steps(briefly, briefly, briefly/2)})
		if e.Waiting != "tiers" || !strings.Contains(e.Reason, "grows by the same step") {
			t.Errorf("%+v", e)
		}
		k.goes("a", topology.RetryQueue(k.queue, briefly))
		must(t, r.stop())
		for _, mode := range []consumer.Declare{consumer.DeclareOwn, consumer.DeclareCheck, consumer.DeclareNone} {
			r, e := auto(k, consumer.Config{Retry: retry.Fixed(1, briefly), Declare: mode})
			if e.Waiting != "tiers" || !strings.HasPrefix(e.Reason, "Config.Declare "+mode.String()) {
				t.Errorf("%v: %+v", mode, e)
			}
			must(t, r.stop())
		}
	})
}

// A main queue that is there decides, whichever way it was declared: that is how it is after an upgrade of the broker,
// and for the second of two programs. It is found out anew at each connection, and does not change by that.
func TestAutoTakesTheWayOfTheQueue(t *testing.T) {
	t.Parallel()
	policy := retry.Fixed(1, briefly)
	for _, was := range []consumer.Waiting{consumer.Tiers, consumer.Native} {
		t.Run(was.String(), func(t *testing.T) {
			t.Parallel()
			onBothOver(t, func(t *testing.T, k *kit, n *netproxy.Network) {
				k.needs(consumer.Native)
				before := run(k, failOnce, consumer.Config{Waiting: was, Retry: policy})
				k.goes("before", before.Plan().Queues()[map[consumer.Waiting]int{consumer.Tiers: 2, consumer.Native: 1}[was]].Name)
				must(t, before.stop())
				r, e := auto(k, consumer.Config{Retry: policy})
				if e.Waiting != was.String() || (e.Reason == "") != (was == consumer.Native) {
					t.Errorf("%+v", e)
				}
				if was == consumer.Tiers && !strings.Contains(e.Reason, "x-delayed-retry-type") {
					t.Errorf("the reason is %q", e.Reason)
				}
				for _, id := range []string{"a", "b"} {
					to := k.queue
					if was == consumer.Tiers {
						to = topology.RetryQueue(k.queue, briefly)
					}
					k.goes(id, to)
					ready := r.Ready()
					n.Cut()
					eventually(t, "another subscription", func() bool { return r.Ready() != ready })
					k.waitReady(r)
				}
				if n := len(of[monitoring.WaitingChosen](k.events)); n != 1 {
					t.Errorf("it has chosen %d times", n)
				}
				for _, lost := range of[monitoring.ConsumerLost](k.events) {
					if lost.Refused {
						t.Errorf("%+v", lost)
					}
				}
			})
		})
	}
}

// A queue that is declared anew in the other way, by someone else, is found out, too: nothing that waits is lost by it.
func TestAutoFollowsAQueueThatIsDeclaredAnew(t *testing.T) {
	t.Parallel()
	onNative(t, func(t *testing.T, k *kit) {
		policy := retry.Fixed(1, 3*time.Second)
		tiers := topology.Tiers(k.queue, topology.Quorum, policy.Waits())
		k.declarePlan(tiers)
		r, _ := auto(k, consumer.Config{Retry: policy})
		k.publish(text("a", "x"))
		waitFor[monitoring.Retried](k, 1)
		// In one go: the consumer declares it again as soon as it notices.
		must(t, r.stop())
		k.delete(k.queue)
		k.declare(k.queue, topology.Native(k.queue, 3*time.Second, 3*time.Second, 1).Main.Args)
		r = start(k, r.Consumer)
		k.waitReady(r)
		chosen := of[monitoring.WaitingChosen](k.events)
		if len(chosen) != 2 || chosen[1].Waiting != "native" || r.Plan().Waiting != "native" {
			t.Errorf("%+v", chosen)
		}
		eventually(t, "the end of what has waited", func() bool { return k.events.endings("a") == "Retried 1, Acked 2" })
		k.goes("b", k.queue)
	})
}

// A queue that is neither the one nor the other is refused, as ever, and with what the best way has against it.
func TestAutoOnAQueueOfSomeoneElse(t *testing.T) {
	t.Parallel()
	onNative(t, func(t *testing.T, k *kit) {
		k.declare(k.queue, amqp.Table{"x-queue-type": "classic"})
		c, err := consumer.New(k.conn, k.queue, ack, consumer.Config{Waiting: consumer.Auto})
		must(t, err)
		var refused *consumer.DeclareError
		if err := c.Run(t.Context()); !errors.As(err, &refused) || refused.Queue != k.queue || refused.Argument != "x-dead-letter-exchange" {
			t.Errorf("%v", err)
		}
		if n := len(of[monitoring.WaitingChosen](k.events)); n != 0 {
			t.Errorf("it has chosen %d times", n)
		}
		k.deleteQueuesLater(topology.ErrorQueue(k.queue))

		// And so is one that waits for another time.
		k.delete(k.queue)
		k.declare(k.queue, topology.Native(k.queue, time.Second, time.Second, 3).Main.Args)
		if err := c.Run(t.Context()); !errors.As(err, &refused) || refused.Argument != "x-delayed-retry-min" || refused.Theirs != "1000" {
			t.Errorf("%v", err)
		}
	})
}

// The broker changes behind a consumer that runs: another node of a mixed cluster, or an older one put in its place.
func TestNativeOnABrokerThatBecomesOld(t *testing.T) {
	t.Parallel()
	for _, waiting := range []consumer.Waiting{consumer.Native, consumer.Auto} {
		t.Run(waiting.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				now := rabbittest.NewWith(t, rabbittest.Options{Version: rabbittest.V4_3})
				old := rabbittest.NewWith(t, rabbittest.Options{Version: rabbittest.V4_0})
				at := now
				n := netproxy.New(func(ctx context.Context, network, address string) (net.Conn, error) {
					return at.Dial(ctx, network, address)
				})
				k := newKitOver(t, brokers.Broker{URL: now.URL(), Test: now, Dial: now.Dial}, n)
				c, err := consumer.New(k.conn, k.queue, failOnce, consumer.Config{Waiting: waiting})
				must(t, err)
				r := start(k, c)
				k.waitReady(r)
				at = old
				n.Cut()
				if waiting == consumer.Auto {
					eventually(t, "the old way", func() bool { return old.Queue(topology.RetryQueue(k.queue, time.Minute)).Exists() })
					k.waitReady(r)
					if got := r.Plan().Waiting; got != "tiers" {
						t.Errorf("it is %s", got)
					}
					return
				}
				lost := waitFor[monitoring.ConsumerLost](k, 2)[1]
				var u *consumer.UnsupportedError
				if !errors.As(lost.Err, &u) || !lost.Refused || lost.Next < 15*time.Second {
					t.Errorf("%+v", lost)
				}
				if err := r.Health(); !errors.As(err, &u) || !errors.Is(err, consumer.ErrNotReady) {
					t.Errorf("Health: %v", err)
				}
				time.Sleep(time.Minute)
				if old.Queue(k.queue).Exists() {
					t.Error("the queue is declared")
				}
				at = now
				n.Cut()
				k.waitReady(r)
				k.publish(text("a", "x"))
				eventuallyWithin(t, "the end", 2*time.Minute, func() bool { return k.events.endings("a") == "Retried 1, Acked 2" })
			})
		})
	}
}
