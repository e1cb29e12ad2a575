package consumer_test

import (
	"errors"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/monitoring"
)

// Matrix row 24, channel_max: the connection has no channel left for a consumer. It waits, says why, does not disturb the
// others, and begins when there is one.
func TestNoChannelIsLeft(t *testing.T) {
	t.Parallel()
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		k := newKit(t, b.With("channel_max=1"))
		k.broker = b // what the test itself does needs more of them
		first := newBlocker()
		first.say(10, consumer.Ack())
		r := run(k, first.handle, consumer.Config{})

		other := &kit{TB: t, broker: b, queue: k.queue + ".other", conn: k.conn, events: newEvents()}
		second := newBlocker()
		second.say(10, consumer.Ack())
		late := start(t, newConsumer(other, second.handle, consumer.Config{Monitor: other.events}))
		lost := waitFor[monitoring.ConsumerLost](other, 3)
		for _, e := range lost {
			if !errors.Is(e.Err, amqp.ErrChannelMax) || e.Refused {
				t.Errorf("%+v", e)
			}
		}
		if lost[2].Next < 150*time.Millisecond { // 400 ms, less up to half
			t.Errorf("the waits are %v, %v, %v", lost[0].Next, lost[1].Next, lost[2].Next)
		}
		if err := late.Health(); !errors.Is(err, consumer.ErrNotReady) || !errors.Is(err, amqp.ErrChannelMax) {
			t.Errorf("Health says %v", err)
		}
		k.publish(text("a", "x"))
		eventually(t, "the other's message", func() bool { return k.events.endings("a") == "Acked 1" })

		must(t, r.stop())
		k.waitReady(late)
		other.publish(text("b", "x"))
		eventually(t, "its message", func() bool { return other.events.endings("b") == "Acked 1" })
		if n := len(of[monitoring.Disconnected](k.events)); n > 0 {
			t.Errorf("%d connections were lost", n)
		}
	})
}
