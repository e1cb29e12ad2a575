package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

// An arbitrary wait is composed of the ones that the retry queues have: the handler runs between d and a second later,
// or a twentieth of d, and hops are neither attempts nor endings.
func TestRetryAfterIsComposed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		wait, most time.Duration
	}{
		{50 * time.Millisecond, 1050 * time.Millisecond},
		{3300 * time.Millisecond, 4300 * time.Millisecond},
		{33 * time.Second, 35 * time.Second},
	} {
		t.Run(test.wait.String(), func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, k *kit) {
				if test.wait > 10*time.Second && testing.Short() {
					t.Skip("it waits for " + test.wait.String())
				}
				runs := make(chan time.Time, 10)
				run(k, func(_ context.Context, m message) consumer.Outcome {
					runs <- time.Now()
					if m.Attempt == 1 {
						return consumer.RetryAfter(test.wait, errBank)
					}
					return consumer.Ack()
				}, consumer.Config{})
				k.publish(text("a", "x"))
				first := <-runs
				var second time.Time
				select {
				case second = <-runs:
				case <-time.After(test.wait + patience):
					t.Fatal("it does not run again")
				}
				// RabbitMQ's timers, and this machine, may be slow; a second is for them.
				if took := second.Sub(first); took < test.wait || took > test.most+time.Second {
					t.Errorf("it ran again after %v", took)
				}
				eventually(t, "the end", func() bool { return k.events.endings("a") == "Retried 1, Acked 2" })
				held := of[monitoring.Held](k.events)
				t.Logf("it ran again after %v, with %d hops", second.Sub(first), len(held))
				if len(held) > 25 || test.wait > 2*time.Second && len(held) == 0 {
					t.Errorf("%d hops", len(held))
				}
				for _, h := range held {
					if h.Attempt != 2 || h.Left <= 0 || h.Wait <= 0 || h.To != topology.RetryQueue(k.queue, h.Wait) {
						t.Errorf("%+v", h)
					}
				}
			})
		})
	}
}

func TestDeferUsesUpNoAttempt(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		var mu sync.Mutex
		var attempts []int
		run(k, func(_ context.Context, m message) consumer.Outcome {
			mu.Lock()
			defer mu.Unlock()
			attempts = append(attempts, m.Attempt)
			switch len(attempts) {
			case 1, 2, 4:
				return consumer.Defer(time.Millisecond, errBank)
			case 3:
				return consumer.Retry(errBank)
			}
			return consumer.Ack()
		}, consumer.Config{Retry: retry.Fixed(1, 50*time.Millisecond)})
		k.publish(text("a", "x"))
		eventually(t, "the end", func() bool { return strings.HasSuffix(k.events.endings("a"), "Acked 2") })
		if got, want := k.events.endings("a"), "Deferred 1, Deferred 1, Retried 1, Deferred 2, Acked 2"; got != want {
			t.Errorf("it ends as %s, want %s", got, want)
		}
		if !slices.Equal(attempts, []int{1, 1, 1, 2, 2}) {
			t.Errorf("attempts %v", attempts)
		}
		for _, e := range of[monitoring.Deferred](k.events) {
			if !errors.Is(e.Err, errBank) || e.Wait != time.Millisecond || !strings.HasPrefix(e.To, k.queue+".retry.") {
				t.Errorf("told: %+v", e)
			}
		}
	})
}

func TestDeferExpires(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		run(k, func(context.Context, message) consumer.Outcome { return consumer.Defer(50*time.Millisecond, errBank) },
			consumer.Config{MaxAge: 300 * time.Millisecond, Retry: retry.Fixed(1, 100*time.Millisecond)})
		k.publish(text("a", "x"))
		d := k.takeError()
		if d.Headers["warren-reason"] != "expired" || !strings.Contains(d.Headers["warren-error"].(string), errBank.Error()) {
			t.Errorf("%v", d.Headers)
		}
		eventually(t, "the end", func() bool { return strings.HasSuffix(k.events.endings("a"), ", Errored 1") })
		if got := k.events.endings("a"); !strings.HasPrefix(got, "Deferred 1, Deferred 1") {
			t.Errorf("it ends as %s", got)
		}
	})
}

// A message that comes a little too early is not sent round again: its worker waits for the rest.
func TestALittleTooEarlyIsWaitedFor(t *testing.T) {
	t.Parallel()
	brokers.InBubble(t, rabbittest.Options{}, func(t *testing.T, b brokers.Broker) {
		k := newKit(t, b)
		runs := make(chan time.Time, 1)
		run(k, func(context.Context, message) consumer.Outcome {
			runs <- time.Now()
			return consumer.Ack()
		}, consumer.Config{})
		for _, early := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 21 * time.Millisecond} {
			due := time.Now().Add(early).Truncate(time.Millisecond)
			k.publish(amqp.Publishing{MessageId: "a", Headers: amqp.Table{
				"warren-queue": k.queue, "warren-attempt": int64(2), "warren-not-before": due.UnixMilli(),
			}})
			hops := early / (21 * time.Millisecond)
			if ran := <-runs; ran.Before(due) || hops == 0 && ran.After(due) {
				t.Errorf("%v too early: it ran %v after its time", early, ran.Sub(due))
			}
			if n := len(of[monitoring.Held](k.events)); n != int(hops) {
				t.Errorf("%v too early: %d hops", early, n)
			}
		}
	})
}

// PEER-BUGS test 12: one retry queue for each wait, so a long wait does not stand in the way of a short one.
func TestALongWaitDoesNotDelayAShortOne(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		acked := make(chan time.Time, 1)
		run(k, func(_ context.Context, m message) consumer.Outcome {
			switch {
			case m.ID == "long":
				return consumer.Retry(errBank) // with Steps, 1 h comes first
			case m.Attempt == 1:
				return consumer.RetryAfter(time.Second, errBank)
			}
			acked <- time.Now()
			return consumer.Ack()
		}, consumer.Config{Retry: retry.Steps(time.Hour, time.Second)})
		k.publish(text("long", "x"))
		waitFor[monitoring.Retried](k, 1)
		k.publish(text("short", "x"))
		began := time.Now()
		select {
		case at := <-acked:
			if took := at.Sub(began); took < 990*time.Millisecond || took > 5*time.Second {
				t.Errorf("the short wait took %v", took)
			}
		case <-time.After(patience):
			t.Fatal("the short wait does not end")
		}
		if got := k.events.endings("long"); got != "Retried 1" {
			t.Errorf("the long one ends as %s", got)
		}
		if n := k.ready(topology.RetryQueue(k.queue, time.Hour)); n != 1 {
			t.Errorf("%d messages wait for an hour", n)
		}
	})
}

// The queues of which waits are composed are declared when one is first needed; the policy's at the start. Declaring all
// of it once more is no contradiction.
func TestQueuesAreDeclaredWhenNeeded(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		handler := func(_ context.Context, m message) consumer.Outcome {
			if m.Attempt == 1 {
				return consumer.RetryAfter(10*time.Second, errBank)
			}
			return consumer.Ack()
		}
		cfg := consumer.Config{Retry: retry.Fixed(1, time.Minute)}
		r := run(k, handler, cfg)
		plan := r.Plan()
		for _, q := range plan.Queues() {
			if !k.exists(q.Name) {
				t.Errorf("%s is not there", q.Name)
			}
		}
		there := func() (names []string) {
			for _, rung := range plan.Rungs {
				if k.exists(rung.Name) {
					names = append(names, rung.Name)
				}
			}
			return names
		}
		if names := there(); len(names) > 0 {
			t.Errorf("%v are there before anyone needs them", names)
		}
		k.publish(text("a", "x"))
		retried := waitFor[monitoring.Retried](k, 1)
		if names := there(); !slices.Equal(names, []string{topology.RetryQueue(k.queue, 5*time.Second)}) || retried[0].To != names[0] {
			t.Errorf("there are %v, and it went to %s", names, retried[0].To)
		}
		must(t, r.stop())
		k.declarePlan(plan) // as another program would
		if err := run(k, handler, cfg).stop(); err != nil {
			t.Error(err)
		}
		if failed := of[monitoring.SettleFailed](k.events); len(failed) > 0 {
			t.Errorf("it is no failure to declare a queue when it is first needed: %v", failed[0].Err)
		}
	})
}

// failFirst retries every message once, and those whose body says so for ever.
func failFirst(_ context.Context, m message) consumer.Outcome {
	if m.Attempt == 1 || string(m.Body) == "hopeless" {
		return consumer.Retry(errBank)
	}
	return consumer.Error(errors.New("handled")) // so that the test can count it
}

// Two programs of which one has been configured anew: neither is refused, and nothing is left in the queue that only
// the old one knows.
func TestTwoProgramsWithTwoPolicies(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		begin := func(policy retry.Policy) *running {
			program := newKit(t, k.broker) // with connections of its own
			program.queue = k.queue
			return run(program, failFirst, consumer.Config{Retry: policy, Workers: 2})
		}
		old := begin(retry.Fixed(3, time.Second))
		begin(retry.Fixed(2, 5*time.Second))
		const n = 40
		var messages []amqp.Publishing
		for i := range n {
			body := "fine"
			if i%10 == 0 {
				body = "hopeless"
			}
			messages = append(messages, text(fmt.Sprint(i), body))
		}
		k.publish(messages[:n/2]...)
		k.publish(messages[n/2:]...)
		short := topology.RetryQueue(k.queue, time.Second)
		eventually(t, "a message in the old queue", func() bool { return k.ready(short) > 0 })
		must(t, old.stop())
		handled := map[string]bool{}
		for _, d := range k.take(topology.ErrorQueue(k.queue), n) {
			if handled[d.MessageId] {
				t.Errorf("%s is there twice", d.MessageId)
			}
			handled[d.MessageId] = true
		}
		if n := k.ready(short); n != 0 {
			t.Errorf("%d messages are left in the queue of the old policy", n)
		}
	})
}
