package consumer_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

// The way of docs/from-bunnicula.md and docs/from-kicks.md, to the end: the library alone, beside it ours, ours alone, and
// then Warren's own queues, while somebody publishes to an exchange all the time. Nothing is missing, and the queues of the
// library are empty.
func TestTheWholeWayFromPeers(t *testing.T) {
	t.Parallel()
	besidePeers(t, func(t *testing.T, k *kit, w wayOf) {
		var mu sync.Mutex
		handled := map[string]int{}
		done := func(body string) {
			mu.Lock()
			defer mu.Unlock()
			handled[body]++
		}
		published := 0
		exchange := k.queue + ".events"
		must(t, k.channel().ExchangeDeclare(exchange, "topic", true, false, false, false, nil))
		k.Cleanup(func() { _ = k.channel().ExchangeDelete(exchange, false, false) })
		publish := func() {
			var batch []amqp.Publishing
			for range 20 {
				published++
				batch = append(batch, amqp.Publishing{Body: fmt.Appendf(nil, "message %d", published)})
			}
			k.publishTo(exchange, "order.new", batch...)
		}
		handler := func(_ context.Context, m message) consumer.Outcome {
			if m.Attempt == 1 {
				return consumer.Retry(errBank)
			}
			done(string(m.Body))
			return consumer.Ack()
		}
		bindings := []consumer.Binding{{Exchange: exchange, Kind: "topic", Keys: []string{"order.*"}}}

		t.Log("the library alone")
		stop := k.runPeer(w.library, new(attempts), func(d *amqp.Delivery, attempt int) bool {
			if attempt > 1 {
				done(string(d.Body))
			}
			return attempt > 1
		})
		must(t, k.channel().QueueBind(k.queue, "order.*", exchange, false, nil))
		publish()

		t.Log("beside it ours")
		cfg := consumer.Config{Waiting: w.waiting, Workers: 2, Retry: retry.Fixed(peerMax, peerWait), Bindings: bindings}
		if w.waiting == consumer.Bunnicula {
			cfg.Bindings = []consumer.Binding{{Exchange: exchange, Keys: []string{"order.*"}}}
		}
		old := run(k, handler, cfg)
		publish()

		t.Log("ours alone")
		stop()
		publish()

		t.Log("Warren's own queues")
		second := newKit(t, k.broker)
		run(second, handler, consumer.Config{Bindings: bindings, Retry: retry.Fixed(3, peerWait)})
		must(t, k.channel().QueueUnbind(k.queue, "order.*", exchange, nil))
		publish()
		eventually(t, "all messages", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(handled) == published
		})
		must(t, old.stop())
		names := []string{k.queue, k.queue + "-retry", k.queue + "-error"}
		if w.waiting == consumer.Bunnicula {
			names = append(names, topology.RetryQueue(k.queue, peerWait))
		}
		for _, name := range names {
			if n := k.ready(name); n != 0 {
				t.Errorf("%d messages are in %s", n, name)
			}
		}
		for body, n := range handled {
			if n != 1 {
				t.Errorf("%s was handled %d times", body, n)
			}
		}
	})
}
