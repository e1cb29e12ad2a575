package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
)

//go:noinline
func recurse(depth int) int {
	if depth == 0 {
		panic(errors.New(strings.Repeat("a long text, ", 10_000)))
	}
	return recurse(depth-1) + 1
}

// Headers that nearly fill a frame, and ours on top of it: the connection would end for everyone. Ours are cut, the
// sender's stay, and the message tells what is missing.
func TestLargeHeadersReachTheErrorQueue(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		run(k, func(_ context.Context, m message) consumer.Outcome {
			if strings.HasPrefix(m.ID, "large") {
				recurse(200)
			}
			return consumer.Ack()
		}, consumer.Config{Retry: retry.Fixed(1, 100*time.Millisecond)})
		sizes := []int{100_000, 120_000, 125_000, 126_500, 128_000, 129_500}
		for _, size := range sizes {
			k.publish(amqp.Publishing{MessageId: fmt.Sprint("large", size), Headers: amqp.Table{
				"large": strings.Repeat("x", size-100), "small": "y", "CC": []any{"nobody"},
			}, Body: []byte("body"), Expiration: "1000000"})
			k.publish(text(fmt.Sprint("other", size), "x"))
		}
		for _, d := range k.take(k.queue+".error", len(sizes)) {
			t.Logf("%s: cut %v", d.MessageId, d.Headers["warren-cut"])
			var size int
			_, _ = fmt.Sscanf(d.MessageId, "large%d", &size)
			cut, _ := d.Headers["warren-cut"].([]any)
			large, _ := d.Headers["large"].(string)
			switch {
			case d.Headers["warren-reason"] != "exhausted" || string(d.Body) != "body" || d.Headers["small"] != "y":
				t.Errorf("%s: %v", d.MessageId, d.Headers["warren-reason"])
			case size <= 126_500 && len(large) != size-100:
				t.Errorf("%s: the sender's header is cut, though cutting ours is enough", d.MessageId)
			case size > 129_000 && large != "":
				t.Errorf("%s: how does it fit?", d.MessageId)
			case (large == "") != slices.Contains(cut, any("large")):
				t.Errorf("%s: the sender's header is gone, and cut names %v", d.MessageId, cut)
			case size <= 128_000 && (d.Headers["warren-origin-queue"] == nil || d.Headers["warren-attempts"] != int64(2)):
				t.Errorf("%s: more than needed is cut: %v", d.MessageId, cut)
			case size >= 125_000 && size < 129_000 && !slices.Contains(cut, any("warren-stack")):
				t.Errorf("%s: cut names %v", d.MessageId, cut)
			case size == 100_000 && (len(cut) > 0 || d.Headers["warren-stack"] == nil):
				t.Errorf("%s: cut names %v", d.MessageId, cut)
			}
		}
		for _, size := range sizes {
			id := fmt.Sprint("other", size)
			eventually(t, "the other ones", func() bool { return k.events.endings(id) == "Acked 1" })
		}
		if n := len(of[monitoring.Connected](k.events)); n != 2 {
			t.Errorf("the connections came up %d times", n)
		}
	})
}

// What no consumer of this client library can read ends every connection that it is delivered to. The others are handled
// all the same, Health tells, and RabbitMQ's delivery limit moves it to the error queue in the end.
func TestUnreadableMessages(t *testing.T) {
	t.Parallel()
	deep := any("end")
	for range 20 {
		deep = amqp.Table{"x": []any{deep}}
	}
	for name, headers := range map[string]amqp.Table{
		"too large": {"large": strings.Repeat("x", 131_050-15)},
		"too deep":  {"deep": deep},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, k *kit) {
				r := run(k, func(context.Context, message) consumer.Outcome { return consumer.Ack() }, consumer.Config{Workers: 4})
				k.publish(text("before", "x"))
				k.publish(amqp.Publishing{MessageId: "a", Headers: headers})
				var others []amqp.Publishing
				for i := range 50 {
					others = append(others, text(fmt.Sprint("other", i), "x"))
				}
				k.publish(others...)
				eventually(t, "Health to tell", func() bool { return errors.Is(r.Health(), consumer.ErrUnreadable) })
				deadline := time.Now().Add(80 * time.Second)
				for k.ready(k.queue+".error") == 0 && time.Now().Before(deadline) {
					time.Sleep(50 * time.Millisecond)
				}
				if n := k.ready(k.queue + ".error"); n != 1 {
					t.Fatalf("%d messages are in the error queue", n)
				}
				for i := range others {
					id := fmt.Sprint("other", i)
					eventually(t, id, func() bool { return strings.HasSuffix(k.events.endings(id), "Acked 1") })
				}
				eventually(t, "health", func() bool { return r.Health() == nil })
				k.publish(text("after", "x"))
				eventually(t, "one more", func() bool { return k.events.endings("after") == "Acked 1" })
			})
		})
	}
}

// A classic queue has no limit of deliveries: what nobody can read stays until someone takes it out. Until then the
// consumer comes back less and less often, and not ten times a second for ever.
func TestUnreadableMessagesOfClassicQueues(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		r := run(k, ack, consumer.Config{Waiting: consumer.Kicks})
		k.publish(amqp.Publishing{MessageId: "a", Headers: amqp.Table{"large": strings.Repeat("x", 131_050-15)}})
		eventually(t, "Health to tell", func() bool { return errors.Is(r.Health(), consumer.ErrUnreadable) })
		lost := func() int { return len(of[monitoring.ConsumerLost](k.events)) }
		never(t, "lost eleven times within five seconds", 5*time.Second, func() bool { return lost() > 10 })
		if n := lost(); n < 2 {
			t.Errorf("it was lost %d times in five seconds", n)
		}
		_, err := k.channel().QueuePurge(k.queue, false) // by hand, if need be
		must(t, err)
		eventually(t, "health", func() bool { return r.Health() == nil })
		k.publish(text("after", "x"))
		eventually(t, "one more", func() bool { return k.events.endings("after") == "Acked 1" })
	})
}
