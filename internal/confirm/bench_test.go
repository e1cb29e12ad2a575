//go:build unix

package confirm_test

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/monitoring"
)

// The broker's share is the same in all of them. Compare them within one run,
// and against a second run of the same. Where other things run, cpu-ns/op, which
// is this process's own, says more than ns/op.
func BenchmarkPublish(b *testing.B) {
	const window = 256
	broker := brokers.RabbitMQ(b)
	queue := newQueue(b, broker, amqp.Table{"x-max-length": 1000})
	p := amqp.Publishing{MessageId: "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b", DeliveryMode: amqp.Persistent, Body: make([]byte, 256)}

	// A careful hand-written loop: confirmed and mandatory, window in flight, and
	// the returns emptied after each confirm.
	b.Run("by hand", func(b *testing.B) {
		ch := raw(b, broker)
		must(b, ch.Confirm(false))
		returns := ch.NotifyReturn(make(chan amqp.Return, 2*window))
		var flight [window]*amqp.DeferredConfirmation
		settle := func(c *amqp.DeferredConfirmation) {
			if c != nil && !c.Wait() {
				b.Fatal("nacked")
			}
			select {
			case <-returns:
				b.Fatal("returned")
			default:
			}
		}
		defer measure(b)()
		for i := range b.N {
			settle(flight[i%window])
			var err error
			flight[i%window], err = ch.PublishWithDeferredConfirm("", queue, true, false, p)
			must(b, err)
		}
		for _, c := range flight {
			settle(c)
		}
	})
	with := func(f func(*testing.B, *confirm.Sender)) func(*testing.B) {
		return func(b *testing.B) {
			conn, err := connection.Open(b.Context(), broker.URL, connection.Config{Monitor: monitoring.Discard{}})
			must(b, err)
			s := confirm.New(conn, window)
			m := message(queue, "")
			m.Publishing = p
			must(b, s.Send(b.Context(), m)) // opens the channel
			stop := measure(b)
			f(b, s)
			stop()
			must(b, s.Close(context.Background()))
			must(b, conn.Close(context.Background()))
		}
	}
	b.Run("Begin and Wait by one", with(func(b *testing.B, s *confirm.Sender) {
		var flight [window]*confirm.Pending
		m := message(queue, "")
		m.Publishing = p
		ctx := b.Context()
		for i := range b.N {
			if f := flight[i%window]; f != nil {
				must(b, f.Wait(ctx))
			}
			var err error
			flight[i%window], err = s.Begin(ctx, m)
			must(b, err)
		}
		for _, f := range flight {
			if f != nil {
				must(b, f.Wait(ctx))
			}
		}
	}))
	b.Run("Send by 256", with(func(b *testing.B, s *confirm.Sender) {
		m := message(queue, "")
		m.Publishing = p
		ctx := b.Context()
		var n atomic.Int64
		var wg sync.WaitGroup
		for range 256 {
			wg.Go(func() {
				for n.Add(1) <= int64(b.N) {
					if err := s.Send(ctx, m); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}))
	b.Run("Send by 1", with(func(b *testing.B, s *confirm.Sender) {
		m := message(queue, "")
		m.Publishing = p
		for range b.N {
			must(b, s.Send(b.Context(), m))
		}
	}))
	b.Run("one by hand", func(b *testing.B) {
		ch := raw(b, broker)
		must(b, ch.Confirm(false))
		defer measure(b)()
		for range b.N {
			c, err := ch.PublishWithDeferredConfirm("", queue, true, false, p)
			must(b, err)
			if !c.Wait() {
				b.Fatal("nacked")
			}
		}
	})
}

// measure begins to measure, and returns what ends it.
func measure(b *testing.B) (stop func()) {
	b.ReportAllocs()
	b.ResetTimer()
	began := cpu(b)
	return func() {
		b.StopTimer()
		b.ReportMetric(float64(cpu(b)-began)/float64(b.N), "cpu-ns/op")
	}
}

// cpu is the time that the system's processors have spent on this process.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
