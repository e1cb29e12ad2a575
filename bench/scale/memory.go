package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/retry"
)

// memory asks what a message in work weighs.
func memory() *scenario {
	return &scenario{
		name:  "memory",
		title: "Memory with 10,000 messages in flight",
		about: fmt.Sprintf("As many messages of %d bytes as the prefetch are taken, with handlers that wait: with 16 workers most of them wait in the process, "+
			"with as many workers as messages each has a handler. What is shown is beyond the program before it connected, after a garbage collection.", bodySize),
		works: func(e extent) (works []work) {
			messages := e.of(10_000, 10_000, 300)
			for _, workers := range []int{16, messages} {
				for _, by := range []string{warren, byHand} {
					works = append(works, work{
						By: by, Size: workers, Messages: messages,
						Wait: e.lasting(time.Second, 500*time.Millisecond, 50*time.Millisecond),
					})
				}
			}
			return works
		},
		prepare: func(ctx context.Context, broker string, w work) ([]string, error) {
			return fill(ctx, broker, filling{plan: plan(w.Queue, time.Minute), messages: w.Messages})
		},
		by:   map[string]func(context.Context, string, work) (figures, error){warren: memoryOfWarren, byHand: memoryByHand},
		once: true,
		size: "workers",
		columns: []column{
			{"heap, KiB/message", "heap", "%.2f"},
			{"stacks, KiB/message", "stacks", "%.2f"},
			{"RSS, KiB/message", "resident", "%.2f"},
			{"goroutines", "goroutines", "%.0f"},
			{"goroutines left", "left", "%.0f"},
		},
		bounds: []bound{
			{"heap and stacks per message with few workers, against by hand: ≤ 1.5 ×", func(r rows) verdict {
				return atMost(r.first(warren, "memory")/r.first(byHand, "memory"), 1.5)
			}},
			{"heap and stacks per message with a worker for each, against by hand: ≤ 2 ×", func(r rows) verdict {
				return atMost(r.last(warren, "memory")/r.last(byHand, "memory"), 2)
			}},
			{"goroutines beyond workers: ≤ 32", func(r rows) verdict {
				sizes := r.sizes()
				return atMost(r.last(warren, "goroutines")-float64(sizes[len(sizes)-1]), 32)
			}},
			{"goroutines left: 0", func(r rows) verdict { return atMost(r.max(warren, "left"), 0) }},
		},
	}
}

// taken waits until the queue has nothing ready any more, and what was on its way has come: until the heap does not
// grow any more.
func taken(ctx context.Context, ch *amqp.Channel, w work) error {
	for heap := int64(0); ; {
		const durable, autoDelete, exclusive, noWait = true, false, false, false
		q, err := ch.QueueDeclarePassive(w.Queue, durable, autoDelete, exclusive, noWait, nil)
		if err != nil {
			return err
		}
		before := heap
		if heap = holds().heap; q.Messages == 0 && heap-before < heap/100 {
			return nil
		}
		select {
		case <-time.After(w.Wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func memoryOfWarren(ctx context.Context, broker string, w work) (found figures, err error) {
	watching, err := amqp.Dial(broker)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, watching.Close()) }()
	ch, err := watching.Channel()
	if err != nil {
		return nil, err
	}
	ctx, failed := failing(ctx)
	c, err := newCrew(broker, failed)
	if err != nil {
		return nil, err
	}
	release, settled := make(chan struct{}), newCounter(w.Messages)
	err = c.consume(w.Queue, consumer.Config{
		Workers: w.Size, Prefetch: w.Messages, Retry: retry.Fixed(3, time.Minute),
		ConsumerTimeout: 100 * time.Hour, // of rounds of Timeout: nothing here takes as long as it could
	}, settled.one, func(context.Context, consumer.Message[[]byte]) consumer.Outcome {
		<-release
		return consumer.Ack()
	})
	if err == nil {
		err = c.start(ctx)
	}
	if err == nil {
		err = taken(ctx, ch, w)
	}
	if err != nil {
		close(release)
		return c.conclude(ctx, nil, err)
	}
	found = figures{}
	found.rest(c.before, w.Messages)
	close(release)
	return c.conclude(ctx, found, settled.wait(ctx))
}

func memoryByHand(ctx context.Context, broker string, w work) (found figures, err error) {
	watching, err := amqp.Dial(broker)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, watching.Close()) }()
	ch, err := watching.Channel()
	if err != nil {
		return nil, err
	}
	ctx, failed := failing(ctx)
	before := holds()
	conn, err := dialByHand(broker)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	release, settled := make(chan struct{}), newCounter(w.Messages)
	h := hand{
		queue: w.Queue, workers: w.Size, prefetch: w.Messages, failed: failed,
		handle: func(*amqp.Delivery) (*amqp.DeferredConfirmation, error) {
			<-release
			settled.one()
			return nil, nil
		},
	}
	err = h.start(conn)
	if err == nil {
		err = taken(ctx, ch, w)
	}
	if err == nil {
		found = figures{}
		found.rest(before, w.Messages)
	}
	close(release)
	return found, errors.Join(err, settled.wait(ctx), h.stop())
}
