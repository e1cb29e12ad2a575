package publisher_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/publisher"
)

// The benchmarks come in pairs: by hand is the loop that someone would write
// with amqp091-go, with as many in flight.
//
//	go test -run '^$' -bench . -count 10 ./publisher

const benchWindow = 256

func benchQueue(b *testing.B) string {
	queue := rabbitmq.Name(b, "bench")
	declare(b, queue, amqp.Table{"x-queue-type": "quorum"})
	return queue
}

func benchPublisher(b *testing.B) *publisher.Publisher {
	return newPublisher(b, open(b, quiet()), publisher.Config{Window: benchWindow, Monitor: monitoring.Discard{}})
}

var benchBody = make([]byte, 256)

func BenchmarkPublish(b *testing.B) {
	for _, goroutines := range []int{1, 64} {
		b.Run(fmt.Sprintf("by=hand/goroutines=%d", goroutines), func(b *testing.B) {
			h := byHand(b)
			spread(b, goroutines, func(queue string) error {
				c, err := h.publish(queue)
				if err == nil && !c.Wait() {
					err = errNotConfirmed
				}
				return err
			})
		})
		b.Run(fmt.Sprintf("by=Publish/goroutines=%d", goroutines), func(b *testing.B) {
			p := benchPublisher(b)
			spread(b, goroutines, func(queue string) error { return p.Publish(b.Context(), queue, benchBody) })
		})
	}
}

// spread lets so many goroutines publish b.N messages in all.
func spread(b *testing.B, goroutines int, publish func(queue string) error) {
	queue := benchQueue(b)
	must(b, publish(queue)) // opens what there is to open
	b.ReportAllocs()
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := publish(queue); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkAll(b *testing.B) {
	b.Run("by=hand", func(b *testing.B) {
		queue := benchQueue(b)
		h := byHand(b)
		b.ReportAllocs()
		b.ResetTimer()
		var window []*amqp.DeferredConfirmation
		for range b.N {
			if len(window) == benchWindow {
				if !window[0].Wait() {
					b.Fatal(errNotConfirmed)
				}
				window = window[1:]
			}
			c, err := h.publish(queue)
			must(b, err)
			window = append(window, c)
		}
		for _, c := range window {
			if !c.Wait() {
				b.Fatal(errNotConfirmed)
			}
		}
	})
	b.Run("by=All", func(b *testing.B) {
		queue := benchQueue(b)
		p := benchPublisher(b)
		must(b, p.Publish(b.Context(), queue, benchBody))
		b.ReportAllocs()
		b.ResetTimer()
		for _, err := range publisher.All(context.Background(), p, queue, repeat(benchBody, b.N)) {
			must(b, err)
		}
	})
}

func repeat[T any](v T, n int) iter.Seq[T] {
	return func(yield func(T) bool) {
		for range n {
			if !yield(v) {
				return
			}
		}
	}
}

// hand is the channel of the loop by hand. It does what a careful program does:
// mandatory, confirmed, and it looks at what comes back.
type hand struct {
	channel  *amqp.Channel
	returned atomic.Int64
	count    atomic.Int64
}

func byHand(b *testing.B) *hand {
	conn, err := amqp.Dial(rabbitmq.URL(b))
	must(b, err)
	h := &hand{}
	h.channel, err = conn.Channel()
	must(b, err)
	must(b, h.channel.Confirm(false))
	returns := h.channel.NotifyReturn(make(chan amqp.Return, 2*benchWindow))
	var wg sync.WaitGroup
	wg.Go(func() {
		for range returns {
			h.returned.Add(1)
		}
	})
	b.Cleanup(func() {
		must(b, conn.Close())
		wg.Wait()
		if n := h.returned.Load(); n > 0 {
			b.Errorf("%d messages were returned", n)
		}
	})
	return h
}

func (h *hand) publish(queue string) (*amqp.DeferredConfirmation, error) {
	const mandatory, immediate = true, false
	return h.channel.PublishWithDeferredConfirm("", queue, mandatory, immediate, amqp.Publishing{
		ContentType:  "application/octet-stream",
		DeliveryMode: amqp.Persistent,
		MessageId:    fmt.Sprintf("0195d3a7-0000-7000-8000-%012d", h.count.Add(1)),
		AppId:        "bench",
		Timestamp:    time.Now(),
		Body:         benchBody,
	})
}
