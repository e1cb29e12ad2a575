package consumer_test

import (
	"context"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
)

// What Pause promised for the first time does not hold any more after Resume.
func TestPauseAfterResumeWaitsAnew(t *testing.T) {
	t.Parallel()
	w := newWires()
	k := newKitOver(t, w)
	b := newBlocker()
	b.say(100, consumer.Ack())
	r := run(k, b.handle, consumer.Config{})
	must(t, r.Pause(t.Context()))
	k.publish(texts(10)...)

	w.hold() // so that the consumer is caught between the two
	before := w.sent()
	resumed := make(chan error, 1)
	go func() { resumed <- r.Resume(t.Context()) }()
	eventually(t, "a question to the broker", func() bool { return w.sent() > before })
	paused := make(chan error, 1)
	go func() { paused <- r.Pause(t.Context()) }()
	<-resumed // told that it is paused
	never(t, "paused, but subscribing", 200*time.Millisecond, func() bool { return len(paused) > 0 })
	w.release()
	must(t, receive(t, "Pause", paused))
	_, _, total := b.count()
	never(t, "a message while paused", 500*time.Millisecond, func() bool {
		_, _, now := b.count()
		return now > total
	})
}

// The queue is deleted while the consumer is paused: a consumer that declares does so again at once.
func TestResumeWithoutQueue(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	b := newBlocker()
	b.say(1, consumer.Ack())
	r := run(k, b.handle, consumer.Config{})
	must(t, r.Pause(t.Context()))
	k.delete(k.queue)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	must(t, r.Resume(ctx))
	k.publish(text("a", "x"))
	eventually(t, "the end of a", func() bool { return k.events.endings("a") == "Acked 1" })
}
