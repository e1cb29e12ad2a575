package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
)

// A message that the client library cannot read ends the connection that it is delivered to, a hundred times. Those who
// share the connection with its consumer lose it once, and their messages are handled, also by slow handlers, which
// would else reach the broker's delivery limit with it.
func TestUnreadableAmongNeighbours(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		slow := func(ctx context.Context, _ message) consumer.Outcome {
			select {
			case <-time.After(3 * time.Second):
				return consumer.Ack()
			case <-ctx.Done():
				return consumer.Retry(context.Cause(ctx))
			}
		}
		var neighbours []*running
		for i := range 5 {
			c, err := consumer.New(k.conn, fmt.Sprintf("%s.%d", k.queue, i), slow, consumer.Config{})
			must(t, err)
			k.deleteLater(c.Plan())
			r := start(k, c)
			k.waitReady(r)
			neighbours = append(neighbours, r)
			k.publishTo("", r.Queue(), text(fmt.Sprint("n", i), "x"))
		}
		r := run(k, func(context.Context, message) consumer.Outcome { return consumer.Ack() }, consumer.Config{})
		k.publish(amqp.Publishing{MessageId: "a", Headers: amqp.Table{"large": strings.Repeat("x", 131_050-15)}})
		eventuallyWithin(t, "the error queue", 80*time.Second, func() bool { return k.ready(k.queue+".error") == 1 })
		for i := range neighbours {
			id := fmt.Sprint("n", i)
			eventually(t, "the end of "+id, func() bool { return strings.HasSuffix(k.events.endings(id), "Acked 1") })
		}
		lost := map[string]int{}
		for _, e := range of[monitoring.ConsumerLost](k.events) {
			lost[e.Queue]++
			if !errors.Is(e.Err, consumer.ErrUnreadable) {
				t.Errorf("%s was lost because of %v", e.Queue, e.Err)
			}
		}
		for _, n := range neighbours {
			if lost[n.Queue()] > 1 {
				t.Errorf("%s was lost %d times", n.Queue(), lost[n.Queue()])
			}
			must(t, n.Health())
		}
		if lost[r.Queue()] < 10 {
			t.Errorf("the consumer of it was lost %d times: how was it moved?", lost[r.Queue()])
		}
		eventually(t, "health", func() bool { return r.Health() == nil })
		must(t, k.conn.Health())
	})
}
