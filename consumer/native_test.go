package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
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

// needs skips a test that the broker is too old for.
func (k *kit) needs(w consumer.Waiting) {
	k.Helper()
	if w == consumer.Native && !k.delaysRetries() {
		k.Skip("this RabbitMQ is older than 4.3")
	}
}

func (k *kit) delaysRetries() bool {
	k.Helper()
	version, _ := k.client().Properties["version"].(string)
	var major, minor int
	_, err := fmt.Sscanf(version, "%d.%d", &major, &minor)
	must(k, err)
	return major > 4 || major == 4 && minor >= 3
}

// onNative is onBoth for brokers that can do it.
func onNative(t *testing.T, test func(t *testing.T, k *kit)) {
	t.Helper()
	onBoth(t, func(t *testing.T, k *kit) {
		t.Helper()
		k.needs(consumer.Native)
		test(t, k)
	})
}

// run is one run of a handler, as it saw its message.
type nativeRun struct {
	message
	at time.Time
}

// native runs a consumer whose handler notes its runs.
func native(k *kit, h consumer.Handler[[]byte], policy retry.Policy) (*running, chan nativeRun) {
	k.Helper()
	runs := make(chan nativeRun, 100)
	r := run(k, func(ctx context.Context, m message) consumer.Outcome {
		runs <- nativeRun{m, time.Now()}
		return h(ctx, m)
	}, consumer.Config{Waiting: consumer.Native, Retry: policy})
	return r, runs
}

func always(o consumer.Outcome) consumer.Handler[[]byte] {
	return func(context.Context, message) consumer.Outcome { return o }
}

// The waits are the policy's, nothing is published for them, and in the end a person finds what they need.
func TestNativeRetries(t *testing.T) {
	t.Parallel()
	onNative(t, func(t *testing.T, k *kit) {
		_, runs := native(k, always(consumer.Retry(errBank)), retry.Linear(3, 400*time.Millisecond, 700*time.Millisecond))
		k.publish(amqp.Publishing{MessageId: "a", Body: []byte("x"), Headers: amqp.Table{"mine": "kept"}})
		waits := []time.Duration{400 * time.Millisecond, 700 * time.Millisecond, 700 * time.Millisecond}
		before := <-runs
		for i, wait := range waits {
			m := <-runs
			if took := m.at.Sub(before.at); took < wait || took > wait+time.Second {
				t.Errorf("attempt %d runs %v after the one before, want %v", i+2, took, wait)
			}
			if m.Attempt != i+2 || !m.Redelivered || m.ID != "a" || m.Key != k.queue || m.Headers["mine"] != "kept" || len(ours(m.Headers)) != 1 {
				t.Errorf("attempt %d: %+v", i+2, m.message)
			}
			before = m
		}
		d := k.takeError()
		for name, want := range map[string]any{
			"warren-reason": "exhausted", "warren-error": errBank.Error(), "warren-attempts": int64(4), "warren-origin-queue": k.queue,
			"warren-origin-key": k.queue, "mine": "kept",
		} {
			if got := d.Headers[name]; got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		for _, name := range []string{"x-delivery-count", "x-acquired-count", "warren-first-failure"} {
			if got, there := d.Headers[name]; there {
				t.Errorf("%s is %v", name, got)
			}
		}
		eventually(t, "the end", func() bool { return k.events.endings("a") == "Retried 1, Retried 2, Retried 3, Errored 4" })
		for i, e := range of[monitoring.Retried](k.events) {
			if e.Wait != waits[i] || e.To != k.queue || !errors.Is(e.Err, errBank) || e.Failure != returned {
				t.Errorf("%+v", e)
			}
		}
		if k.broker.Test != nil {
			published := 0
			for _, e := range k.broker.Test.History() {
				if e.Kind == "published" {
					published++
				}
			}
			if published != 2 { // by the test, and to the error queue
				t.Errorf("%d messages were published", published)
			}
		}
	})
}

// Whoever publishes nothing needs no connection for it: Warren dials one only then.
func TestNativeRetriesPublishNothing(t *testing.T) {
	t.Parallel()
	onBothOver(t, func(t *testing.T, k *kit, _ *netproxy.Network) { // which does not dial before it is needed
		k.needs(consumer.Native)
		native(k, func(_ context.Context, m message) consumer.Outcome {
			if m.Attempt < 4 {
				return consumer.Retry(errBank)
			}
			return consumer.Ack()
		}, retry.Fixed(3, 100*time.Millisecond))
		k.publish(text("a", "x"))
		eventually(t, "the end", func() bool { return k.events.endings("a") == "Retried 1, Retried 2, Retried 3, Acked 4" })
		for _, c := range of[monitoring.Connected](k.events) {
			if strings.HasSuffix(c.Name, "/publish") {
				t.Errorf("%s is connected", c.Name)
			}
		}
		for _, name := range []string{topology.RetryQueue(k.queue, 100*time.Millisecond), topology.RetryQueue(k.queue, time.Second)} {
			if k.exists(name) {
				t.Errorf("%s is there", name)
			}
		}
	})
}

// A wait of the handler's own takes the retry queues, and what the broker counted before is not forgotten. It counts
// from 0 after that, and would make a linear wait too short: so such a one takes the retry queues, too.
func TestNativeWithWaitsOfTheHandler(t *testing.T) {
	t.Parallel()
	onNative(t, func(t *testing.T, k *kit) {
		r, runs := native(k, func(_ context.Context, m message) consumer.Outcome {
			switch {
			case m.Attempt == 2 && m.Headers["warren-deferred-since"] == nil:
				return consumer.Defer(time.Millisecond, errBank)
			case m.Attempt == 3:
				return consumer.RetryAfter(time.Millisecond, errBank)
			case m.Attempt == 6:
				return consumer.Ack()
			}
			return consumer.Retry(errBank)
		}, retry.Linear(6, 300*time.Millisecond, 1200*time.Millisecond))
		k.publish(amqp.Publishing{Body: []byte("x")})
		want := []struct {
			attempt int
			wait    time.Duration // at least, before it
		}{
			{1, 0},
			{2, 300 * time.Millisecond},
			{2, time.Millisecond}, // deferred
			{3, 600 * time.Millisecond},
			{4, time.Millisecond},
			{5, 1200 * time.Millisecond},
			{6, 1200 * time.Millisecond},
		}
		var before nativeRun
		for i, w := range want {
			m := receive(t, fmt.Sprintf("run %d", i+1), runs)
			if m.Attempt != w.attempt || i > 0 && m.at.Sub(before.at) < w.wait || m.at.Sub(before.at) > 3*time.Second && i > 0 {
				t.Errorf("run %d is attempt %d, %v after the one before; want %+v", i+1, m.Attempt, m.at.Sub(before.at), w)
			}
			if (m.ID == "") != (i < 2) {
				t.Errorf("run %d: the id is %q", i+1, m.ID) // it is given when it is published for the first time
			}
			before = m
		}
		eventually(t, "the end", func() bool { return len(of[monitoring.Acked](k.events)) == 1 })
		var to []string
		for _, e := range of[monitoring.Retried](k.events) {
			to = append(to, strings.TrimPrefix(e.To, k.queue))
		}
		// After the deferral the second attempt would wait as the first: 300 ms. After RetryAfter the fourth and fifth, too.
		if got, want := to, []string{"", ".retry.1s", ".retry.1s", ".retry.1s", ".retry.1s"}; !slices.Equal(got, want) {
			t.Errorf("they wait in %q, want %q", got, want)
		}
		must(t, r.stop())
	})
}

// A fixed wait is the broker's also after the retry queues.
func TestNativeAfterADeferral(t *testing.T) {
	t.Parallel()
	onNative(t, func(t *testing.T, k *kit) {
		_, runs := native(k, func(_ context.Context, m message) consumer.Outcome {
			switch {
			case m.Headers["warren-deferred-since"] == nil && m.Attempt == 2:
				return consumer.Defer(time.Millisecond, nil)
			case m.Attempt == 4:
				return consumer.Ack()
			}
			return consumer.Retry(errBank)
		}, retry.Fixed(3, 300*time.Millisecond))
		k.publish(text("a", "x"))
		eventually(t, "the end", func() bool {
			return k.events.endings("a") == "Retried 1, Deferred 2, Retried 2, Retried 3, Acked 4"
		})
		for _, e := range of[monitoring.Retried](k.events) {
			if e.To != k.queue || e.Attempt > 1 && e.QueueWait != 0 && e.Redelivered {
				t.Errorf("%+v", e)
			}
		}
		var attempts []int
		for range 5 {
			attempts = append(attempts, (<-runs).Attempt)
		}
		if !slices.Equal(attempts, []int{1, 2, 2, 3, 4}) {
			t.Errorf("attempts %v", attempts)
		}
	})
}

// A message that has failed does not expire while it waits, as it would in the main queue: nobody would be told, and the
// error queue would not say why.
func TestNativeWithAnExpiration(t *testing.T) {
	t.Parallel()
	onNative(t, func(t *testing.T, k *kit) {
		_, runs := native(k, always(consumer.Retry(errBank)), retry.Fixed(2, time.Second))
		m := text("a", "x")
		m.Expiration = "500"
		k.publish(m)
		d := k.takeError()
		if d.Headers["warren-reason"] != "exhausted" || d.Headers["warren-attempts"] != int64(3) || d.Headers["warren-original-expiration"] != "500" {
			t.Errorf("%v", d.Headers)
		}
		if got := k.events.endings("a"); got != "Retried 1, Retried 2, Errored 3" {
			t.Error(got)
		}
		to := of[monitoring.Retried](k.events)
		if len(to) != 2 || to[0].To == k.queue || to[1].To != k.queue {
			t.Errorf("it waited in %+v", to)
		}
		var last time.Time
		for range 3 {
			r := <-runs
			if !last.IsZero() && r.at.Sub(last) < time.Second {
				t.Errorf("attempt %d came after %v", r.Attempt, r.at.Sub(last))
			}
			last = r.at
		}
	})
}

// What is handed back uses up no attempt and does not wait: what has not started, and a Retry because of the stopping.
func TestNativeHandsBack(t *testing.T) {
	t.Parallel()
	onNative(t, func(t *testing.T, k *kit) {
		b := newBlocker()
		cfg := consumer.Config{
			Waiting: consumer.Native, Workers: 1, Prefetch: 4, Retry: retry.Fixed(3, time.Hour), Timeout: 5 * time.Minute,
			Drain: time.Second,
		}
		r := run(k, b.handle, cfg)
		k.publish(texts(4)...)
		receive(t, "a handler", b.began)
		b.say(1, consumer.Ack()) // the subscription takes more now
		receive(t, "another handler", b.began)
		r.cancel()
		if cause := receive(t, "the end of its context", b.ended); !errors.Is(cause, consumer.ErrDraining) {
			t.Errorf("it ended because of %v", cause)
		}
		b.say(1, consumer.Retry(errBank))
		must(t, r.wait())
		eventually(t, "what was handed back", func() bool { return k.ready(k.queue) == 3 }) // a quorum queue counts a little later
		cfg.Workers, cfg.Drain = 4, 0
		run(k, ack, cfg)
		for i := range 4 {
			eventually(t, "the end", func() bool { return strings.HasSuffix(k.events.endings(fmt.Sprint(i)), "Acked 1") })
		}
	})
}

// Pausing works off what was taken: a Retry waits in the queue meanwhile, and after it.
func TestNativePauses(t *testing.T) {
	t.Parallel()
	onNative(t, func(t *testing.T, k *kit) {
		r, runs := native(k, failOnce, retry.Fixed(1, 500*time.Millisecond))
		k.publish(text("a", "x"))
		<-runs
		must(t, r.Pause(t.Context()))
		if got := k.events.endings("a"); got != "Retried 1" {
			t.Errorf("paused when it had ended as %q", got)
		}
		never(t, "a run while it pauses", time.Second, func() bool { return len(runs) > 0 })
		must(t, r.Resume(t.Context()))
		eventually(t, "the end", func() bool { return k.events.endings("a") == "Retried 1, Acked 2" })
	})
}

func failOnce(_ context.Context, m message) consumer.Outcome {
	if m.Attempt == 1 {
		return consumer.Retry(errBank)
	}
	return consumer.Ack()
}

// A handler that is stuck is retried by the broker, and what it says later does not count.
func TestNativeWithAStuckHandler(t *testing.T) {
	t.Parallel()
	onNative(t, func(t *testing.T, k *kit) {
		b := newBlocker()
		b.deaf = true
		run(k, b.handle, consumer.Config{
			Waiting: consumer.Native, Retry: retry.Fixed(1, 300*time.Millisecond), Workers: 2, Timeout: 100 * time.Millisecond, Grace: 100 * time.Millisecond,
		})
		k.publish(text("a", "x"))
		receive(t, "a handler", b.began)
		retried := waitFor[monitoring.Retried](k, 1)[0]
		if retried.Failure != monitoring.FailureStuck || retried.To != k.queue || len(retried.Stack) == 0 {
			t.Errorf("%+v", retried)
		}
		receive(t, "another handler", b.began)
		b.say(2, consumer.Ack())
		eventually(t, "the end", func() bool { return k.events.endings("a") == "Retried 1, Acked 2" })
		waitFor[monitoring.LateOutcome](k, 1)
	})
}

// A lost connection uses up an attempt, and just one, whether a Retry was on its way or not.
func TestNativeWhereTheConnectionIsLost(t *testing.T) {
	t.Parallel()
	onBothOver(t, func(t *testing.T, k *kit, n *netproxy.Network) {
		k.needs(consumer.Native)
		b := newBlocker()
		r := run(k, b.handle, consumer.Config{Waiting: consumer.Native, Retry: retry.Fixed(3, 200*time.Millisecond)})
		k.publish(text("a", "x"))
		receive(t, "the handler", b.began)
		n.Cut()
		if cause := receive(t, "the end of its context", b.ended); !errors.Is(cause, consumer.ErrConnectionLost) {
			t.Errorf("it ended because of %v", cause)
		}
		b.say(1, consumer.Retry(errBank)) // in vain
		receive(t, "the second attempt", b.began)
		b.say(1, consumer.Retry(errBank))
		receive(t, "the third attempt", b.began)
		b.say(1, consumer.Ack())
		eventually(t, "the end", func() bool { return k.events.endings("a") == "Lost 1, Retried 2, Acked 3" })
		must(t, r.stop())
	})
}

// crash lets a delivery of the queue's message end with its connection, as a process that dies does.
func (k *kit) crash() {
	k.Helper()
	conn, err := k.broker.Client()
	must(k, err)
	ch, err := conn.Channel()
	must(k, err)
	must(k, ch.Qos(1, 0, false))
	in, err := ch.Consume(k.queue, "", false, false, false, false, nil)
	must(k, err)
	receive(k, "a delivery", in)
	must(k, conn.Close())
}

// What kills its process is known for that when it has failed ten times more often than handlers can have rejected it.
func TestNativeCrashes(t *testing.T) {
	t.Parallel()
	onNative(t, func(t *testing.T, k *kit) {
		cfg := consumer.Config{Waiting: consumer.Native, Retry: retry.Fixed(2, 20*time.Millisecond)}
		k.declarePlan(newConsumer(k, ack, cfg).Plan())
		k.publish(text("a", "x"))
		for range 11 {
			k.crash()
		}
		r := run(k, always(consumer.Retry(errBank)), cfg)
		// Its handler runs once more before it is exhausted, however often it crashed.
		d := k.takeError()
		if d.Headers["warren-reason"] != "exhausted" || d.Headers["warren-attempts"] != int64(12) {
			t.Errorf("%v", d.Headers)
		}
		must(t, r.stop())
		k.publish(text("b", "x"))
		for range 12 {
			k.crash()
		}
		run(k, ack, cfg)
		d = k.takeError()
		if d.MessageId != "b" || d.Headers["warren-reason"] != "crashed" {
			t.Errorf("%s: %v", d.MessageId, d.Headers)
		}
		if n := len(of[monitoring.Acked](k.events)); n != 0 {
			t.Errorf("%d messages were handled", n)
		}
	})
}

// A process that is killed uses up an attempt of what it had taken, and the rest goes on from there.
func TestNativeWhereAProcessIsKilled(t *testing.T) {
	t.Parallel()
	k := newKit(t, brokers.RabbitMQ(t))
	k.needs(consumer.Native)
	policy := retry.Linear(5, 200*time.Millisecond, time.Second)
	cfg := consumer.Config{Waiting: consumer.Native, Retry: policy}
	k.declarePlan(newConsumer(k, ack, cfg).Plan())
	k.publish(text("a", "slow"))
	for killed := range 2 {
		process := startChild(k, time.Second, childNative+"="+policy.String())
		eventually(t, "a child that handles the message", func() bool { return len(process.said("began")) == 1 })
		must(t, process.cmd.Process.Kill())
		receive(t, "the child's end", process.exited)
		if n := len(process.said("done")); n != 0 {
			t.Fatalf("child %d had done it", killed)
		}
	}
	run(k, func(_ context.Context, m message) consumer.Outcome {
		if m.Attempt < 5 {
			return consumer.Retry(errBank)
		}
		return consumer.Ack()
	}, cfg)
	eventually(t, "the end", func() bool { return strings.Contains(k.events.endings("a"), "Acked") })
	if got := k.events.endings("a"); got != "Retried 3, Retried 4, Acked 5" {
		t.Errorf("it ends as %s", got)
	}
}

// Counts that a publisher wrote are not the broker's.
func TestNativeForgedCounts(t *testing.T) {
	t.Parallel()
	onNative(t, func(t *testing.T, k *kit) {
		_, runs := native(k, failOnce, retry.Fixed(3, 100*time.Millisecond))
		for _, forged := range []any{int64(77), int64(-3), "many", int32(1 << 30), amqp.Table{}} {
			id := fmt.Sprintf("%T %v", forged, forged)
			k.publish(amqp.Publishing{MessageId: id, Headers: amqp.Table{
				"x-delivery-count": forged, "x-acquired-count": forged, "warren-attempt": int64(3), "warren-queue": "another",
			}})
			eventually(t, "the end", func() bool { return strings.Contains(k.events.endings(id), "Acked") })
			if got := k.events.endings(id); got != "Retried 1, Acked 2" {
				t.Errorf("%s ends as %s", id, got)
			}
		}
		if len(runs) != 10 {
			t.Errorf("%d runs", len(runs))
		}
	})
}

// A message that failed in another quorum queue brings that queue's count along. It is not ours: its first wait takes a
// retry queue, from which it comes back without.
func TestNativeLeavesTheCountsOfAnotherQueue(t *testing.T) {
	t.Parallel()
	onNative(t, func(t *testing.T, k *kit) {
		other := k.queue + ".other"
		native(k, func(_ context.Context, m message) consumer.Outcome {
			if m.Attempt < 3 {
				return consumer.Retry(errBank)
			}
			return consumer.Ack()
		}, retry.Fixed(3, 100*time.Millisecond))
		k.declare(other, amqp.Table{"x-queue-type": "quorum", "x-dead-letter-exchange": "", "x-dead-letter-routing-key": k.queue})
		k.publishTo("", other, text("a", "x"))
		ch := k.channel()
		in, err := ch.Consume(other, "", false, false, false, false, nil)
		must(t, err)
		for range 3 {
			d := receive(t, "a delivery", in)
			must(t, d.Reject(true))
		}
		d := receive(t, "a delivery", in)
		must(t, d.Reject(false))
		eventually(t, "the end", func() bool { return strings.Contains(k.events.endings("a"), "Acked") })
		if got := k.events.endings("a"); got != "Retried 1, Retried 2, Acked 3" {
			t.Errorf("it ends as %s", got)
		}
		retried := of[monitoring.Retried](k.events)
		if got := []string{retried[0].To, retried[1].To}; !slices.Equal(got, []string{topology.RetryQueue(k.queue, time.Second), k.queue}) {
			t.Errorf("it waits in %v", got)
		}
	})
}

// Someone else declared the main queue, and it does not wait: its messages take the retry queues as soon as that shows,
// and do not come back again and again.
func TestNativeOnAQueueThatDoesNotWait(t *testing.T) {
	t.Parallel()
	onNative(t, func(t *testing.T, k *kit) {
		policy := retry.Fixed(2, 300*time.Millisecond)
		plan := topology.Tiers(k.queue, topology.Classic, nil)
		k.declarePlan(plan)
		runs := make(chan nativeRun, 100)
		run(k, func(_ context.Context, m message) consumer.Outcome {
			runs <- nativeRun{m, time.Now()}
			return consumer.Retry(errBank)
		}, consumer.Config{Waiting: consumer.Native, Declare: consumer.DeclareNone, Retry: policy})
		k.publish(text("a", "x"))
		k.takeError()
		var attempts []int
		for range len(runs) {
			attempts = append(attempts, (<-runs).Attempt)
		}
		if !slices.Equal(attempts, []int{1, 1, 2, 2, 3}) { // each comes back at once, just once, and uncounted
			t.Errorf("attempts %v", attempts)
		}
	})
}

// A broker that is too old accepts the arguments and ignores them. So nothing is declared there, let alone consumed.
func TestNativeOnAnOldBroker(t *testing.T) {
	t.Parallel()
	for _, version := range []string{rabbittest.V3_10, rabbittest.V4_0} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			brokers.EachWith(t, rabbittest.Options{Version: version}, func(t *testing.T, b brokers.Broker) {
				k := newKit(t, b)
				if k.delaysRetries() {
					t.Skip("this RabbitMQ is not older than 4.3")
				}
				for mode, declare := range map[string]consumer.Declare{"all": consumer.DeclareAll, "none": consumer.DeclareNone} {
					c := newOld(k, consumer.Config{Waiting: consumer.Native, Declare: declare})
					for name, err := range map[string]error{"Declare": c.Declare(t.Context()), "Run": c.Run(t.Context())} {
						var u *consumer.UnsupportedError
						if !errors.As(err, &u) {
							t.Fatalf("%s, %s: %v", mode, name, err)
						}
						version := of[monitoring.Connected](k.events)[0].Version
						if u.Way != consumer.Native || u.Version != version || u.Needs != "4.3" ||
							!strings.HasSuffix(err.Error(), "Config.Waiting native needs RabbitMQ 4.3 or later, and the broker is RabbitMQ "+version) {
							t.Errorf("%s, %s: %v", mode, name, err)
						}
					}
				}
				for _, name := range []string{k.queue, topology.ErrorQueue(k.queue)} {
					if k.exists(name) {
						t.Errorf("%s is declared", name)
					}
				}
			})
		})
	}
}

// newOld makes a consumer whose queues are not deleted later: they are not there.
func newOld(k *kit, cfg consumer.Config) *consumer.Consumer {
	k.Helper()
	c, err := consumer.New(k.conn, k.queue, ack, cfg)
	must(k, err)
	return c
}

// What New refuses, and what it says would do instead.
func TestNativeRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		for _, test := range []struct {
			cfg  consumer.Config
			want []string
		}{
			{consumer.Config{Retry: retry.Exponential(5, time.Second, time.Hour)}, []string{
				"Config.Retry", "grows by the same step", "exponential(5, 1s, 1h0m0s)", "nearest that does is linear(5, 2s, 16s)", "Config.Waiting tiers",
			}},
			{consumer.Config{Retry: retry.Steps(time.Minute, time.Second)}, []string{"nearest that does is fixed(2, 1m0s)"}},
			{consumer.Config{Classic: true}, []string{"Config.Classic", "native"}},
			{consumer.Config{Declare: consumer.DeclareOwn}, []string{"Config.Declare own", "someone else", "tiers"}},
		} {
			test.cfg.Waiting = consumer.Native
			_, err := consumer.New(k.conn, k.queue, ack, test.cfg)
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%v: want %q", err, want)
				}
			}
		}
		for _, policy := range []retry.Policy{{}, retry.None(), retry.Linear(16, time.Second, 0), retry.Steps(time.Second, 2*time.Second)} {
			c, err := consumer.New(k.conn, k.queue, ack, consumer.Config{Waiting: consumer.Native, Retry: policy})
			if err != nil {
				t.Errorf("%v: %v", policy, err)
				continue
			}
			if args := c.Plan().Main.Args; args["x-delayed-retry-type"] != "failed" {
				t.Errorf("%v: %v", policy, maps.Collect(maps.All(args)))
			}
		}
	})
}

// The journey of the crash points, where the broker does the waiting.
func TestNativeLosesNothingWhereverAConnectionIsCut(t *testing.T) {
	rabbittest.CrashPointsWith(t, rabbittest.CrashOptions{Broker: rabbittest.Options{Version: rabbittest.V4_3}}, nativeJourney)
}

func TestNativeLosesNothingWheneverTheBrokerIsKilled(t *testing.T) {
	rabbittest.CrashPointsWith(t, rabbittest.CrashOptions{Kill: true, Broker: rabbittest.Options{Version: rabbittest.V4_3}}, nativeJourney)
}

func nativeJourney(t *testing.T, b *rabbittest.Broker) { journeyOf(t, b, consumer.Native) }
