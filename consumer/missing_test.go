package consumer_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

// PEER-BUGS test 7: the retry queue is gone, and a CC header hides it from the broker's mandatory flag. A consumer that
// declares declares it again, at once.
func TestRetryQueueIsDeclaredAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		seen := make(chan message, 2)
		r := run(k, twice(seen), soon)
		audit := k.queue + ".audit"
		k.declare(audit, nil)
		k.delete(r.Plan().Retry[0].Name)
		k.publish(amqp.Publishing{MessageId: "a", Headers: amqp.Table{"CC": []any{audit}}})
		waitFor[monitoring.Errored](k, 1)
		if got := k.events.endings("a"); got != "Retried 1, Errored 2" {
			t.Errorf("it ends as %s", got)
		}
		if err := r.Health(); err != nil {
			t.Error(err)
		}
	})
}

func TestErrorQueueIsDeclaredAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(_ *testing.T, k *kit) {
		r := run(k, func(context.Context, message) consumer.Outcome { return consumer.Error(errBank) }, soon)
		k.delete(r.Plan().Error.Name)
		k.publish(text("a", "x"))
		waitFor[monitoring.Errored](k, 1)
		k.takeError()
	})
}

// Where the consumer declares nothing, the message stays where it is, its handler does not run again, and Health names
// the queue. When the queue is back, the outcome is carried out.
func TestAMissingQueueKeepsTheMessage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		declare consumer.Declare
		outcome consumer.Outcome
		missing func(topology.Plan) topology.Queue
		ending  string
	}{
		"retry queue": {
			consumer.DeclareCheck, consumer.Retry(errBank),
			func(p topology.Plan) topology.Queue { return p.Retry[0].Queue }, "Retried 1",
		},
		"error queue": {
			consumer.DeclareNone, consumer.Error(errBank),
			func(p topology.Plan) topology.Queue { return p.Error }, "Errored 1",
		},
		"a queue for composed waits": {
			consumer.DeclareCheck, consumer.RetryAfter(7*time.Second, errBank),
			func(p topology.Plan) topology.Queue {
				q, _ := p.Find(topology.RetryQueue(p.Main.Name, 5*time.Second))
				return q
			}, "Retried 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, k *kit) {
				var runs atomic.Int64
				c := newConsumer(k, func(_ context.Context, m message) consumer.Outcome {
					if m.ID != "a" {
						return consumer.Ack()
					}
					runs.Add(1)
					return test.outcome
				}, consumer.Config{Declare: test.declare, Retry: retry.Fixed(3, time.Hour)})
				k.declarePlan(c.Plan())
				r := start(t, c)
				k.waitReady(r)
				q := test.missing(c.Plan())
				k.delete(q.Name)
				k.publish(amqp.Publishing{MessageId: "a", Headers: amqp.Table{"CC": []any{"nobody"}}})
				failed := waitFor[monitoring.SettleFailed](k, 2)
				if failed[0].To != q.Name || failed[0].Tries != 1 || failed[1].Tries != 2 || failed[0].Next <= 0 || failed[0].MessageID != "a" {
					t.Errorf("%+v", failed)
				}
				if err := r.Health(); err != nil {
					t.Errorf("after a moment it says %v", err)
				}
				k.publish(text("b", "x")) // others are handled meanwhile
				eventually(t, "the other", func() bool { return k.events.endings("b") == "Acked 1" })
				var settle *consumer.SettleError
				eventually(t, "Health to tell", func() bool { return errors.As(r.Health(), &settle) })
				if settle.Queue != q.Name || settle.MessageID != "a" || time.Since(settle.Since) < 10*time.Second || settle.Err == nil ||
					!strings.Contains(settle.Error(), q.Name) {
					t.Errorf("%+v", settle)
				}
				if got := k.events.endings("a"); got != "" {
					t.Errorf("it ends as %s", got)
				}
				k.declare(q.Name, q.Args)
				eventually(t, "the end", func() bool { return k.events.endings("a") == test.ending })
				eventually(t, "health", func() bool { return r.Health() == nil })
				if n := runs.Load(); n != 1 {
					t.Errorf("the handler ran %d times", n)
				}
				if n := k.ready(q.Name); n != 1 {
					t.Errorf("%d messages are in %s", n, q.Name)
				}
			})
		})
	}
}

// Matrix row 19: a full error queue refuses. The message stays unacked, and is settled when there is room.
func TestAFullErrorQueueKeepsTheMessage(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		var runs atomic.Int64
		c := newConsumer(k, func(context.Context, message) consumer.Outcome {
			runs.Add(1)
			return consumer.Error(errBank)
		}, consumer.Config{Declare: consumer.DeclareNone, Workers: 1})
		plan := c.Plan()
		plan.Error.Args = amqp.Table{"x-max-length": int64(1), "x-overflow": "reject-publish"}
		k.declarePlan(plan)
		r := start(t, c)
		k.waitReady(r)
		k.publishTo("", plan.Error.Name, text("old", "x"))
		k.publish(text("a", "x"))
		eventually(t, "five tries", func() bool { return len(of[monitoring.SettleFailed](k.events)) >= 5 })
		for _, e := range of[monitoring.SettleFailed](k.events) {
			if e.To != plan.Error.Name || e.Next > 5*time.Second {
				t.Errorf("%+v", e)
			}
		}
		if n := k.ready(k.queue); n != 0 {
			t.Errorf("%d messages are back in the main queue", n)
		}
		if got := k.events.endings("a"); got != "" {
			t.Errorf("it ends as %s", got)
		}
		k.take(plan.Error.Name, 1)
		eventually(t, "the end", func() bool { return k.events.endings("a") == "Errored 1" })
		if n := runs.Load(); n != 1 {
			t.Errorf("the handler ran %d times", n)
		}
	})
}

// What cannot be settled is still the broker's when the consumer stops, and Run says so.
func TestStoppingWithAnOutcomeThatCannotBeCarriedOut(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		c := newConsumer(k, func(context.Context, message) consumer.Outcome { return consumer.Retry(errBank) },
			consumer.Config{Declare: consumer.DeclareCheck, Drain: 300 * time.Millisecond})
		k.declarePlan(c.Plan())
		r := start(t, c)
		k.waitReady(r)
		k.delete(c.Plan().Retry[0].Name)
		k.publish(text("a", "x"))
		waitFor[monitoring.SettleFailed](k, 1)
		var drain *consumer.DrainError
		if err := r.stop(); !errors.As(err, &drain) || len(drain.Unfinished) != 1 || drain.Unfinished[0].MessageID != "a" || drain.Unfinished[0].Handling {
			t.Errorf("Run returned %v", err)
		}
		eventually(t, "the message to be back", func() bool { return k.ready(k.queue) == 1 })
		if got := k.events.endings("a"); got != "Lost 1" {
			t.Errorf("it ends as %s", got)
		}
	})
}
