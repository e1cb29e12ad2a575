package consumer_test

import (
	"bytes"
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

// ackless is a connection that dies instead of acknowledging, once, when armed.
type ackless struct {
	net.Conn
	armed *atomic.Bool
}

func (c ackless) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte{0, 60, 0, 80}) && c.armed.Swap(false) {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// PEER-BUGS (8), on every broker: the connection dies when a message has gone to its retry queue, or to the error queue,
// and that is confirmed, and the acknowledgement has not left. It is there twice then, and the consumer goes on.
func TestACutBetweenConfirmAndAck(t *testing.T) {
	t.Parallel()
	for name, outcome := range map[string]func(error) consumer.Outcome{"retry": consumer.Retry, "error": consumer.Error} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			brokers.Each(t, func(t *testing.T, b brokers.Broker) {
				var armed atomic.Bool
				k := newKitOver(t, b, netproxy.New(func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := b.Dial(ctx, network, address)
					return ackless{conn, &armed}, err
				}))
				var attempts atomic.Int64
				r := run(k, func(context.Context, consumer.Message[[]byte]) consumer.Outcome {
					armed.Store(attempts.Add(1) == 1)
					return outcome(errBank)
				}, consumer.Config{Workers: 1, Retry: retry.Fixed(1, time.Hour)})
				k.publish(text("a", "x"))
				to := map[string]string{"retry": topology.RetryQueue(k.queue, time.Hour), "error": topology.ErrorQueue(k.queue)}[name]
				eventually(t, "two of it", func() bool { return k.ready(to) == 2 })
				if n := attempts.Load(); n != 2 || armed.Load() {
					t.Errorf("%d attempts", n)
				}
				k.waitReady(r)
				must(t, r.stop())
				if n := k.ready(k.queue); n != 0 {
					t.Errorf("%d messages are in the main queue", n)
				}
			})
		})
	}
}
