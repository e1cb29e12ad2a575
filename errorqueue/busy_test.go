package errorqueue_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/rabbittest"
)

// busyConn is a connection to a broker that is too busy, the next few times, to say what is in a queue: RabbitMQ says
// after 250 ms that nothing is, and that nobody reads it.
type busyConn struct {
	net.Conn
	queue string
	times *atomic.Int32
}

func (c busyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	answer := append([]byte{0, 50, 0, 11, byte(len(c.queue))}, c.queue...) // queue.declare-ok
	if i := bytes.Index(b[:n], answer); i >= 0 && c.times.Add(-1) >= 0 {
		time.Sleep(250 * time.Millisecond)
		clear(b[i+len(answer):][:8])
	}
	return n, err
}

// busyKit is a kit with n entries in a queue that is too busy to tell how many, as often as left says.
func busyKit(t *testing.T, b brokers.Broker, n int) (k *kit, left *atomic.Int32) {
	t.Helper()
	k, left = newKit(t, b), new(atomic.Int32)
	k.declare(nil)
	k.publish(numbered(n)...)
	dial := b.Dial
	k.broker.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return busyConn{conn, k.name, left}, err
	}
	k.conn = k.connect()
	return k, left
}

// A queue that does not tell how many entries it has is worked through all the same.
func TestActsOnABusyQueue(t *testing.T) {
	t.Parallel()
	for _, times := range []int32{1, 2, 3} {
		brokers.InBubble(t, rabbittest.Options{}, func(t *testing.T, b brokers.Broker) {
			k, left := busyKit(t, b, 100)
			q := k.queue(errorqueue.Config{})

			left.Store(times)
			told := errorqueue.Progress{}
			r, err := q.Discard(t.Context(), errorqueue.Options{
				DryRun: true, Progress: func(p errorqueue.Progress) { told = p },
			})
			if err != nil || r.Matched != 100 || told.Total != 100 {
				t.Errorf("busy %d times, a dry run: %+v of %d, %v", times, r, told.Total, err)
			}
			left.Store(times)
			if r, err = q.Discard(t.Context(), errorqueue.Options{}); err != nil || r.Done != 100 {
				t.Errorf("busy %d times: %+v, %v", times, r, err)
			}
		})
	}
}

// Who leaves while the broker is asked does not look at the answer that comes later; the race detector would see it.
func TestLeavingABusyQueue(t *testing.T) {
	t.Parallel()
	brokers.InBubble(t, rabbittest.Options{}, func(t *testing.T, b brokers.Broker) {
		k, left := busyKit(t, b, 3)
		left.Store(2)
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond) // in the midst of the second answer
		defer cancel()
		_, err := k.queue(errorqueue.Config{}).Discard(ctx, errorqueue.Options{})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it is %v", err)
		}
		if ready := k.ready(k.name); ready != 3 {
			t.Errorf("%d are left", ready)
		}
	})
}
