package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
)

// The benchmarks measure Warren beside loops that are written by hand on the
// same client, as well as they can be, in one run on one broker. DESIGN.md,
// section 7, has the bounds. Beside throughput they report the CPU time of this
// process for each message. Run them with -benchtime=20000x or so, several
// times, and mind that identical code differs by a quarter on a busy machine.

// loop consumes n messages of queue and returns when all are acknowledged.
type loop func(b *testing.B, broker, queue string, n, workers, prefetch int)

func BenchmarkConsume(b *testing.B) {
	for _, c := range []struct{ workers, prefetch int }{{1, 100}, {16, 100}} {
		for _, l := range []struct {
			name string
			run  loop
		}{
			{"raw-each", rawEach}, {"raw-each-again", rawEach}, {"raw-prefix", rawPrefix}, {"warren", warrenAck},
		} {
			b.Run(fmt.Sprintf("workers=%d/%s", c.workers, l.name), func(b *testing.B) {
				measure(b, c.workers, c.prefetch, l.run)
			})
		}
	}
}

// BenchmarkRetry moves every message to a retry queue.
func BenchmarkRetry(b *testing.B) {
	for _, workers := range []int{1, 16} {
		for _, l := range []struct {
			name string
			run  loop
		}{
			{"raw-waiting", rawRetryWaiting}, {"raw-pipelined", rawRetryPipelined}, {"warren", warrenRetry},
		} {
			b.Run(fmt.Sprintf("workers=%d/%s", workers, l.name), func(b *testing.B) {
				measure(b, workers, 100, l.run)
			})
		}
	}
}

func measure(b *testing.B, workers, prefetch int, run loop) {
	b.StopTimer()
	broker := rabbitmq.URL(b)
	queue := rabbitmq.Name(b, "bench")
	b.Cleanup(func() {
		rabbitmq.Delete(b, broker, queue, queue+".error", queue+".retry.1h0m0s")
	})
	fill(b, broker, queue, b.N)
	b.ReportAllocs()
	before := cpu()
	b.StartTimer()
	run(b, broker, queue, b.N, workers, prefetch)
	b.StopTimer()
	b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}

// fill declares the queues as Warren does, and publishes n messages.
func fill(b *testing.B, broker, queue string, n int) {
	b.Helper()
	conn := rawDial(b, broker)
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	must(b, err)
	c, err := consumer.New(newConnection(b, broker), queue, func(context.Context, consumer.Message[[]byte]) consumer.Outcome {
		return consumer.Ack()
	}, consumer.Config{Retry: retry.Fixed(1, time.Hour)})
	must(b, err)
	plan := c.Plan()
	for _, q := range plan.Queues() {
		_, err := ch.QueueDeclare(q.Name, true, false, false, false, q.Args)
		must(b, err)
	}
	must(b, ch.Confirm(false))
	window := make([]*amqp.DeferredConfirmation, 0, 256)
	body := make([]byte, 256)
	for i := range n {
		dc, err := ch.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{
			Body: body, DeliveryMode: amqp.Persistent, MessageId: fmt.Sprint(i),
		})
		must(b, err)
		if window = append(window, dc); len(window) == cap(window) || i == n-1 {
			for _, dc := range window {
				if !dc.Wait() {
					b.Fatal("not confirmed")
				}
			}
			window = window[:0]
		}
	}
}

func rawDial(tb testing.TB, broker string) *amqp.Connection {
	conn, err := amqp.Dial(broker)
	must(tb, err)
	return conn
}

func newConnection(tb testing.TB, broker string) *connection.Connection {
	conn, err := connection.New(broker, connection.Config{Monitor: monitoring.Discard{}})
	must(tb, err)
	return conn
}

// rawConsume reads n deliveries in so many goroutines.
func rawConsume(b *testing.B, broker, queue string, n, workers, prefetch int, handle func(ch *amqp.Channel, d *amqp.Delivery)) {
	conn := rawDial(b, broker)
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	must(b, err)
	must(b, ch.Qos(prefetch, 0, false))
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	must(b, err)
	var left atomic.Int64
	left.Store(int64(n))
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				select {
				case d := <-deliveries:
					handle(ch, &d)
					if left.Add(-1) == 0 {
						close(done)
					}
				case <-done:
					return
				}
			}
		})
	}
	wg.Wait()
}

func rawEach(b *testing.B, broker, queue string, n, workers, prefetch int) {
	rawConsume(b, broker, queue, n, workers, prefetch, func(_ *amqp.Channel, d *amqp.Delivery) {
		if err := d.Ack(false); err != nil {
			b.Error(err)
		}
	})
}

// rawPrefix acknowledges what is finished in a row, half a window at a time.
func rawPrefix(b *testing.B, broker, queue string, n, workers, prefetch int) {
	var (
		mu       sync.Mutex
		finished = map[uint64]bool{}
		next     = uint64(1)
		acked    uint64
	)
	rawConsume(b, broker, queue, n, workers, prefetch, func(ch *amqp.Channel, d *amqp.Delivery) {
		mu.Lock()
		defer mu.Unlock()
		finished[d.DeliveryTag] = true
		for finished[next] {
			delete(finished, next)
			next++
		}
		if upTo := next - 1; upTo-acked >= uint64(prefetch/2) || upTo == uint64(n) {
			acked = upTo
			if err := ch.Ack(upTo, true); err != nil {
				b.Error(err)
			}
		}
	})
}

// warren consumes n messages with a handler that returns outcome.
func warren(b *testing.B, broker, queue string, n, workers, prefetch int, outcome consumer.Outcome, settled func(monitoring.Event) bool) {
	conn := newConnection(b, broker)
	defer func() { _ = conn.Close(context.Background()) }()
	ctx, stop := context.WithCancel(context.Background())
	var left atomic.Int64
	left.Store(int64(n))
	c, err := consumer.New(conn, queue, func(context.Context, consumer.Message[[]byte]) consumer.Outcome { return outcome },
		consumer.Config{
			Workers: workers, Prefetch: prefetch, Timeout: 10 * time.Second, Grace: time.Second, Declare: consumer.DeclareNone,
			Retry: retry.Fixed(1, time.Hour),
			Monitor: monitoring.Func(func(_ context.Context, e monitoring.Event) {
				if settled(e) && left.Add(-1) == 0 {
					stop()
				}
			}),
		})
	must(b, err)
	must(b, c.Run(ctx))
}

func warrenAck(b *testing.B, broker, queue string, n, workers, prefetch int) {
	warren(b, broker, queue, n, workers, prefetch, consumer.Ack(), func(e monitoring.Event) bool {
		_, ok := e.(monitoring.Acked)
		return ok
	})
}

func warrenRetry(b *testing.B, broker, queue string, n, workers, prefetch int) {
	warren(b, broker, queue, n, workers, prefetch, consumer.Retry(errors.New("later")), func(e monitoring.Event) bool {
		_, ok := e.(monitoring.Retried)
		return ok
	})
}

// rawRetryWaiting publishes to the retry queue and waits for each confirm.
func rawRetryWaiting(b *testing.B, broker, queue string, n, workers, prefetch int) {
	pub := confirming(b, broker)
	rawConsume(b, broker, queue, n, workers, prefetch, func(_ *amqp.Channel, d *amqp.Delivery) {
		if republish(b, pub, queue, d).Wait() {
			_ = d.Ack(false)
		}
	})
}

// rawRetryPipelined goes on with the next message and acknowledges when the
// confirm comes.
func rawRetryPipelined(b *testing.B, broker, queue string, n, workers, prefetch int) {
	pub := confirming(b, broker)
	type pending struct {
		dc *amqp.DeferredConfirmation
		d  amqp.Delivery
	}
	waiting := make(chan pending, prefetch)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range n {
			p := <-waiting
			if p.dc.Wait() {
				_ = p.d.Ack(false)
			}
		}
	})
	rawConsume(b, broker, queue, n, workers, prefetch, func(_ *amqp.Channel, d *amqp.Delivery) {
		waiting <- pending{republish(b, pub, queue, d), *d}
	})
	wg.Wait()
}

func confirming(b *testing.B, broker string) *amqp.Channel {
	conn := rawDial(b, broker)
	b.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	must(b, err)
	must(b, ch.Confirm(false))
	return ch
}

func republish(b *testing.B, ch *amqp.Channel, queue string, d *amqp.Delivery) *amqp.DeferredConfirmation {
	dc, err := ch.PublishWithDeferredConfirm("", queue+".retry.1h0m0s", true, false, amqp.Publishing{
		Headers: amqp.Table{"attempt": int64(2)}, Body: d.Body, DeliveryMode: amqp.Persistent, MessageId: d.MessageId,
	})
	if err != nil {
		b.Fatal(err)
	}
	return dc
}
