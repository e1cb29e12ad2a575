package consumer_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/rabbittest"
)

// getting counts what a connection asks with basic.get.
type getting struct {
	net.Conn
	gets *atomic.Int64
}

func (c getting) Write(b []byte) (int, error) {
	c.gets.Add(int64(bytes.Count(b, []byte{0, 60, 0, 70})))
	return c.Conn.Write(b)
}

// Whoever stops makes sure of what the broker may have gathered and not yet done: with three questions, and only after
// more frames than it is known to do at once. Below 4.3 what is handed back counts a delivery anyhow, and is not asked
// for. An answer that brings a message costs that none but its turn.
func TestStoppingMakesSureOfWhatWasGathered(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version string
		acked   int // one by one, behind a message that is in work
		left    int // taken, and not begun
		gets    int64
	}{
		{rabbittest.V4_3, 10, 0, 0},
		{rabbittest.V4_3, 40, 0, 3},
		{rabbittest.V4_0, 40, 0, 3},
		{rabbittest.V4_3, 10, 40, 3},
		{rabbittest.V4_0, 10, 40, 0},
	} {
		t.Run(fmt.Sprintf("%s, %d acked, %d left", test.version, test.acked, test.left), func(t *testing.T) {
			t.Parallel()
			brokers.InBubble(t, rabbittest.Options{Version: test.version}, func(t *testing.T, b brokers.Broker) {
				var gets atomic.Int64
				k := newKitOver(t, b, netproxy.New(func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := b.Dial(ctx, network, address)
					return getting{conn, &gets}, err
				}))
				full := newBlocker()
				r := run(k, func(ctx context.Context, m message) consumer.Outcome {
					if m.ID == "acked" {
						return consumer.Ack()
					}
					return full.handle(ctx, m)
				}, consumer.Config{Workers: 2, Prefetch: 100, Timeout: 20 * time.Second})
				k.publish(text("first", "x"))
				receive(t, "a handler", full.began)
				for range test.acked {
					k.publish(text("acked", "x"))
					time.Sleep(100 * time.Millisecond)
				}
				k.publish(text("second", "x"))
				receive(t, "a handler", full.began)
				for range test.left {
					k.publish(text("left", "x"))
				}
				time.Sleep(time.Second)
				stopped := make(chan error)
				go func() { stopped <- r.stop() }()
				time.Sleep(time.Second)
				full.say(2, consumer.Ack())
				must(t, <-stopped)
				if n := gets.Load(); n != test.gets {
					t.Errorf("it asked %d times, want %d", n, test.gets)
				}
				if n := k.ready(k.queue); n != test.left {
					t.Errorf("%d messages are left", n)
				}
			})
		})
	}
}
