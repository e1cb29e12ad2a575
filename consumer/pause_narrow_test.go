package consumer_test

import (
	"context"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
)

// A subscription begins with a prefetch of one and is replaced by a wider one
// when its first message comes. If that message is taken after the consumer has
// begun to pause, there must be no wider one: it would consume while paused, and
// Resume would wait for ever for what is there already.
func TestPauseWhileTheFirstMessageComes(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		r := run(k, func(context.Context, consumer.Message[[]byte]) consumer.Outcome { return consumer.Ack() }, consumer.Config{})
		k.publish(texts(500)...)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		for i := range 300 {
			// Resumed while it is about to pause.
			short, cancel := context.WithTimeout(ctx, time.Duration(i%30)*100*time.Microsecond)
			_ = r.Pause(short)
			cancel()
			must(t, r.Resume(ctx))
			k.publish(texts(3)...)
		}
		must(t, r.Pause(ctx))
		select {
		case <-r.Ready():
			t.Error("it is ready while it is paused")
		default:
		}
	})
}
