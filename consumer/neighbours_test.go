package consumer_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/topology"
)

// Many consumers on one connection. One is refused when it starts; another one's queue is replaced by a foreign one
// while it runs. The others do not notice.
func TestRefusedAmongNeighbours(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		var neighbours []*running
		for i := range 5 {
			b := newBlocker()
			b.say(1000, consumer.Ack())
			c, err := consumer.New(k.conn, fmt.Sprintf("%s.%d", k.queue, i), b.handle, consumer.Config{})
			must(t, err)
			k.deleteLater(c.Plan())
			r := start(k, c)
			k.waitReady(r)
			neighbours = append(neighbours, r)
		}

		c := newConsumer(k, newBlocker().handle, consumer.Config{})
		args := maps.Clone(amqp.Table(c.Plan().Main.Args))
		args["x-delivery-limit"] = int64(7)
		k.declare(k.queue, args)
		err := c.Run(t.Context())
		var refused *consumer.DeclareError
		if !errors.As(err, &refused) || refused.Queue != k.queue || refused.Argument != "x-delivery-limit" ||
			refused.Ours != "100" || refused.Theirs != "7" {
			t.Errorf("Run returned %v", err)
		}

		victim := neighbours[0]
		k.delete(victim.Queue())
		// It may be faster, and then this is refused.
		_, _ = k.channel().QueueDeclare(victim.Queue(), true, false, false, false, nil)
		eventually(t, "a refusal, or its own queue", func() bool {
			return errors.As(victim.Health(), &refused) || len(of[monitoring.ConsumerReady](k.events)) > 5
		})

		for i, r := range neighbours[1:] {
			must(t, r.Health())
			k.publishTo("", r.Queue(), text(fmt.Sprint("n", i), "x"))
			eventually(t, "the end of a neighbour's message", func() bool { return k.events.endings(fmt.Sprint("n", i)) == "Acked 1" })
		}
		if n := len(of[monitoring.Disconnected](k.events)); n > 0 {
			t.Errorf("%d connections were lost", n)
		}
		for _, e := range of[monitoring.ConsumerLost](k.events) {
			if e.Queue != victim.Queue() {
				t.Errorf("%s was lost: %v", e.Queue, e.Err)
			}
		}
	})
}

// The queue is not there, and the consumer is one that does not declare: unready, and slow tries, until it is.
func TestMissingQueue(t *testing.T) {
	t.Parallel()
	for _, mode := range []consumer.Declare{consumer.DeclareNone, consumer.DeclareCheck} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, k *kit) {
				b := newBlocker()
				b.say(10, consumer.Ack())
				c := newConsumer(k, b.handle, consumer.Config{Declare: mode})
				var refused *consumer.DeclareError
				if err := c.Run(t.Context()); !errors.As(err, &refused) {
					t.Errorf("without a queue Run returned %v", err)
				}
				k.declarePlan(c.Plan())
				r := start(k, c)
				k.waitReady(r)
				ready := r.Ready()
				k.delete(k.queue)
				lost := waitFor[monitoring.ConsumerLost](k, 2)
				if !errors.Is(lost[0].Err, consumer.ErrCancelled) || lost[0].Refused || lost[0].Next > time.Second {
					t.Errorf("%+v", lost[0])
				}
				if !errors.As(lost[1].Err, &refused) || !lost[1].Refused || lost[1].Next < 10*time.Second {
					t.Errorf("%+v", lost[1])
				}
				if err := r.Health(); !errors.Is(err, consumer.ErrNotReady) || !errors.As(err, &refused) || refused.Queue != k.queue {
					t.Errorf("Health is %v", err)
				}
				if r.Ready() == ready {
					t.Error("Ready is still the same")
				}
				k.declarePlan(c.Plan())
				eventuallyWithin(t, "ready", 40*time.Second, func() bool { return r.Health() == nil })
				k.publish(text("a", "x"))
				eventually(t, "the end of a", func() bool { return k.events.endings("a") == "Acked 1" })
				if n := k.ready(topology.ErrorQueue(k.queue)); n != 0 {
					t.Errorf("%d phantoms", n)
				}
			})
		})
	}
}
