package consumer_test

import (
	"context"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
)

// A channel of RabbitMQ that closes forgets the acknowledgements that it has gathered for a quorum queue. What a
// consumer has acknowledged before it stops must not be delivered again. The first message is in work all the while, so
// that the others are acknowledged one by one.
func TestNoAckIsForgottenAtTheEnd(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		const messages = 5000
		l := newLedger()
		stopping := make(chan struct{})
		handle := func(_ context.Context, m message) consumer.Outcome {
			if m.ID == "0" {
				<-stopping
			}
			l.enter()
			l.leave(m.ID, true)
			return consumer.Ack()
		}
		c := newConsumer(k, handle, consumer.Config{Workers: 4, Prefetch: 3000, Timeout: time.Second, Grace: time.Second})
		must(t, c.Declare(t.Context()))
		k.publish(texts(messages)...)
		r := start(k, c)
		eventually(t, "half of them", func() bool { return l.count() > messages/2 })
		close(stopping)
		must(t, r.stop())

		again := 0
		ch := k.channel()
		for since := time.Now(); time.Since(since) < time.Second; {
			d, ok, err := ch.Get(k.queue, true)
			must(t, err)
			if !ok {
				time.Sleep(10 * time.Millisecond)
				continue
			}
			since = time.Now()
			if l.handled[d.MessageId] > 0 {
				again++
			}
		}
		if again > 0 {
			t.Errorf("%d of %d messages come again, though they were acknowledged", again, l.count())
		}
	})
}
