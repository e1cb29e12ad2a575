package consumer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
)

// The number of workers follows SetWorkers, up and down, and so does how many messages are taken ahead.
func TestSetWorkers(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		b := newBlocker()
		r := run(k, b.handle, consumer.Config{Workers: 2})
		k.publish(texts(100)...)
		running := func(n int) func() bool {
			return func() bool {
				now, _, _ := b.count()
				return now == n
			}
		}
		eventually(t, "2 handlers", running(2))
		// The window, and the one with which the subscription began narrow.
		eventually(t, "5 taken", func() bool { return k.ready(k.queue) == 95 })

		must(t, r.SetWorkers(8))
		eventually(t, "8 handlers", running(8))
		// 16 for the 8, and at most the 5 of the subscriptions before.
		eventually(t, "the wider window", func() bool { return k.ready(k.queue) <= 84 })
		never(t, "more handlers, or messages taken", 200*time.Millisecond, func() bool {
			return !running(8)() || k.ready(k.queue) < 79
		})

		must(t, r.SetWorkers(1))
		b.say(7, consumer.Ack())
		eventually(t, "one handler", running(1))
		never(t, "another one", 100*time.Millisecond, func() bool { return !running(1)() })
		b.say(1, consumer.Ack())
		eventually(t, "the next", func() bool { _, _, total := b.count(); return total == 9 })
		never(t, "another one", 100*time.Millisecond, func() bool { return !running(1)() })

		must(t, r.SetWorkers(5))
		b.say(100, consumer.Ack())
		eventually(t, "all acked", func() bool { return len(of[monitoring.Acked](k.events)) == 100 })
		if _, most, _ := b.count(); most > 8 {
			t.Errorf("%d handlers ran at once", most)
		}
		for _, n := range []int{0, -1, 1 << 20} {
			if r.SetWorkers(n) == nil {
				t.Errorf("SetWorkers(%d) returned nil", n)
			}
		}
		must(t, r.Health())
	})
}

// Up and down under load, and before Run: nothing is lost, and never too many run.
func TestSetWorkersUnderLoad(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		const messages, most = 1000, 10
		l := newLedger()
		c := newConsumer(k, unsteady(l), consumer.Config{Workers: 50, Retry: retry.Fixed(5, 300*time.Millisecond)})
		must(t, c.SetWorkers(3))
		r := start(k, c)
		k.waitReady(r)
		if e := of[monitoring.ConsumerReady](k.events)[0]; e.Workers != 3 || e.Prefetch != 6 {
			t.Errorf("%+v", e)
		}
		k.publish(texts(messages)...)
		for i := range 60 {
			must(t, r.SetWorkers(1+(i*7)%most))
			nap(t.Context(), 30*time.Millisecond)
		}
		must(t, r.SetWorkers(most))
		l.settled(k, messages, time.Minute)
		if l.highest() > most {
			t.Errorf("%d handlers ran at once", l.highest())
		}
		if n := len(of[monitoring.Lost](k.events)); n > 0 {
			t.Errorf("%d outcomes had no effect", n)
		}
		must(t, r.stop())
	})
}

// Runs of Config.Immediate are the same attempt, in the same time.
func TestImmediateIsOneAttempt(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		type seen struct {
			id       string
			attempt  int
			deadline time.Time
		}
		runs := make(chan seen, 100)
		run(k, func(ctx context.Context, m consumer.Message[[]byte]) consumer.Outcome {
			at, _ := ctx.Deadline()
			runs <- seen{m.ID, m.Attempt, at}
			switch string(m.Body) {
			case "panic":
				panic("at the disco")
			case "after":
				return consumer.RetryAfter(time.Hour, nil)
			case "slow":
				<-ctx.Done()
			}
			return consumer.Retry(errors.New("no"))
		}, consumer.Config{Workers: 1, Immediate: 2, Timeout: 2 * time.Second, Retry: retry.Fixed(1, 300*time.Millisecond)})
		take := func(n int) []seen {
			var list []seen
			for range n {
				list = append(list, receive(t, "a run", runs))
			}
			return list
		}
		for _, body := range []string{"plain", "panic"} {
			k.publish(text(body, body))
			list := take(4) // three of the first attempt, one of the second
			for i, s := range list[:3] {
				if s.attempt != 1 || s.deadline != list[0].deadline {
					t.Errorf("%s: run %d is attempt %d, until %v after the first's", body, i, s.attempt, s.deadline.Sub(list[0].deadline))
				}
			}
			if list[3].attempt != 2 {
				t.Errorf("%s: the fourth run is attempt %d", body, list[3].attempt)
			}
			eventually(t, "its end", func() bool { return k.events.endings(body) == "Retried 1, Errored 2" })
		}
		k.publish(text("after", "after")) // has a wait of its own
		take(1)
		eventually(t, "its end", func() bool { return k.events.endings("after") == "Retried 1" })
		k.publish(text("slow", "slow")) // has no time left
		take(1)
		eventually(t, "its end", func() bool { return len(k.events.endings("slow")) > 0 })
		if e := of[monitoring.Retried](k.events); e[len(e)-1].Failure != monitoring.FailureTimeout {
			t.Errorf("%+v", e[len(e)-1])
		}
	})
}
