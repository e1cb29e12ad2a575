package consumer_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
)

// DESIGN.md, D13: one handler of 2 s among 8 workers must not hold up the others. Acknowledging prefixes only lets as
// many through meanwhile as are prefetched. The benchmarks measure how many it is.
func TestASlowHandlerStarvesNobody(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		const slowFor, before, after = 2 * time.Second, 300, 4000
		var count atomic.Int64
		began := make(chan struct{})
		during := make(chan int64, 1)
		run(k, func(_ context.Context, m message) consumer.Outcome {
			if m.ID == "slow" {
				close(began)
				was := count.Load()
				time.Sleep(slowFor)
				during <- count.Load() - was
				return consumer.Ack()
			}
			time.Sleep(time.Millisecond)
			count.Add(1)
			return consumer.Ack()
		}, consumer.Config{Workers: 8})

		messages := make([]amqp.Publishing, after)
		for i := range messages {
			messages[i] = text(fmt.Sprint(i), "x")
		}
		k.publish(messages[:before]...)
		eventually(t, "the first ones", func() bool { return count.Load() == before })
		k.publish(text("slow", "x"))
		<-began
		k.publish(messages...)
		n := <-during
		if n < 20*16 { // starved, it is the prefetch of 16
			t.Errorf("%d messages were handled while one handler took %v", n, slowFor)
		}
		eventually(t, "all", func() bool { return count.Load() == before+after })
	})
}
