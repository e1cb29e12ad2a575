package consumer_test

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
)

// A count of deliveries that a publisher has written must not send a message to the error queue unhandled, also once the
// broker has marked it as redelivered. A quorum queue overwrites the count; a classic one never has any.
func TestForgedDeliveryCount(t *testing.T) {
	t.Parallel()
	for name, classic := range map[string]bool{"quorum": false, "classic": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, k *kit) {
				cfg := consumer.Config{Classic: classic}
				k.declarePlan(newConsumer(k, ack, cfg).Plan())
				k.publish(amqp.Publishing{MessageId: "a", Headers: amqp.Table{"x-delivery-count": int64(77), "x-acquired-count": int64(77)}})
				ch := k.channel()
				d, ok, err := ch.Get(k.queue, false)
				must(t, err)
				if !ok {
					t.Fatal("the message is not there")
				}
				must(t, d.Nack(false, true))
				must(t, ch.Close())
				run(k, ack, cfg)
				eventually(t, "the end", func() bool { return k.events.endings("a") != "" })
				if got := k.events.endings("a"); got != "Acked 1" {
					t.Errorf("it ends as %s", got)
				}
			})
		})
	}
}
