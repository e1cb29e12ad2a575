package consumer_test

import (
	"errors"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
)

// The queue is deleted while all workers are busy and more is buffered. That nothing new comes shows at once, not when
// what is buffered has been worked off.
func TestCancelledWhileBusy(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		b := newBlocker()
		r := run(k, b.handle, consumer.Config{Workers: 1, Prefetch: 5})
		k.publish(texts(5)...)
		receive(t, "the handler", b.began)
		ready := r.Ready()
		k.delete(k.queue)
		eventually(t, "another Ready", func() bool { return r.Ready() != ready })
		k.waitReady(r)
		lost := waitFor[monitoring.ConsumerLost](k, 1)[0]
		if !errors.Is(lost.Err, consumer.ErrCancelled) || lost.Refused {
			t.Errorf("%+v", lost)
		}
		if cause := receive(t, "the end of the context", b.ended); !errors.Is(cause, consumer.ErrConnectionLost) {
			t.Errorf("the context ended because of %v", cause)
		}
		b.say(1, consumer.Ack())
		k.publish(text("new", "x"))
		if id := receive(t, "the next message", b.began); id != "new" {
			t.Errorf("after the queue had been deleted there came %q", id)
		}
		b.say(1, consumer.Ack())
		eventually(t, "the end of new", func() bool { return k.events.endings("new") == "Acked 1" })
		if got := k.events.endings("0"); got != "Lost 1" {
			t.Errorf("0: %s", got)
		}
		never(t, "a phantom", 200*time.Millisecond, func() bool { return len(b.began) > 0 })
		must(t, r.Health())
	})
}
