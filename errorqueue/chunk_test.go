package errorqueue_test

import (
	"bytes"
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/rabbittest"
)

// countingConn counts the subscriptions that are asked for.
type countingConn struct {
	net.Conn
	subscriptions *atomic.Int32
}

func (c countingConn) Write(b []byte) (int, error) {
	c.subscriptions.Add(int32(bytes.Count(b, []byte{0, 60, 0, 20}))) // basic.consume
	return c.Conn.Write(b)
}

// One large entry does not make all that come after it go singly. On RabbitMQ 5,000 took 9.6 s behind one of 5 MB, and
// 0.2 s without it.
func TestALargeEntryDoesNotSlowDownTheRest(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]int{"first": 0, "in between": 900} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			brokers.InBubble(t, rabbittest.Options{}, func(t *testing.T, b brokers.Broker) {
				k := newKit(t, b)
				k.declare(nil)
				const n = 5000
				var all []amqp.Publishing
				for i := range n {
					body := []byte("x")
					if i == where {
						body = bytes.Repeat(body, 5<<20)
					}
					all = append(all, failed(k, i+1, body))
				}
				k.publish(all...)
				var subscriptions atomic.Int32
				dial := b.Dial
				k.broker.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					conn, err := dial(ctx, network, addr)
					return countingConn{conn, &subscriptions}, err
				}
				k.conn = k.connect()
				if got := len(k.list(k.queue(errorqueue.Config{}), errorqueue.Filter{})); got != n {
					t.Errorf("%d are listed", got)
				}
				if chunks := subscriptions.Load(); chunks > 30 {
					t.Errorf("it took %d chunks", chunks)
				}
			})
		})
	}
}

// A call that gives back now and then what it leaves goes on after that, also if nobody could say at its beginning how
// many entries there are.
func TestABusyQueueIsCountedLater(t *testing.T) {
	t.Parallel()
	for times := range int32(6) {
		for _, dry := range []bool{true, false} {
			brokers.InBubble(t, rabbittest.Options{}, func(t *testing.T, b brokers.Broker) {
				k, left := busyKit(t, b, 20)
				left.Store(times)
				var told errorqueue.Progress
				slow := func(errorqueue.Entry) (bool, error) {
					time.Sleep(400 * time.Second)
					return true, nil
				}
				r, err := k.queue(errorqueue.Config{}).Discard(t.Context(), errorqueue.Options{
					Filter: errorqueue.Filter{Match: slow}, DryRun: dry, Progress: func(p errorqueue.Progress) { told = p },
				})
				if err != nil || r.Matched != 20 || r.Failed != 0 || told.Total != 20 {
					t.Errorf("busy %d times, dry: %t: %+v of %d, %v", times, dry, r, told.Total, err)
				}
			})
		}
	}
}

// A call that reads for longer than it holds what it has read gets to the end all the same.
func TestSlowReadingComesToAnEnd(t *testing.T) {
	t.Parallel()
	brokers.InBubble(t, rabbittest.Options{}, func(t *testing.T, b brokers.Broker) {
		k := newKit(t, b)
		k.declare(nil)
		const n = 100
		k.publish(numbered(n)...)
		dial := b.Dial
		k.broker.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			return slowConn{conn}, err
		}
		k.conn = k.connect()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		r, err := k.queue(errorqueue.Config{Chunk: 1}).Discard(ctx, errorqueue.Options{DryRun: true})
		if err != nil || r.Matched != n || r.Seen != n {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// slowConn is a connection on which each subscription takes a while.
type slowConn struct{ net.Conn }

func (c slowConn) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte{0, 60, 0, 20}) {
		time.Sleep(7 * time.Second)
	}
	return c.Conn.Write(b)
}
