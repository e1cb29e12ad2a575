package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/publisher"
)

// publishers asks what it costs when more goroutines publish through one Publisher.
func publishers() *scenario {
	return &scenario{
		name:  "publishers",
		title: "1, 8 and 64 goroutines publishing",
		about: fmt.Sprintf("Messages of %d bytes to one quorum queue; each goroutine waits for the confirm of its message before it publishes the next. "+
			"All share one Publisher or, by hand, one channel, and messages are mandatory.", bodySize),
		works: func(e extent) (works []work) {
			for _, n := range []int{1, 8, 64} {
				messages := e.of(60_000, 10_000, 100)
				if n == 1 {
					messages /= 6 // it waits for the broker most of the time
				}
				for _, by := range []string{warren, byHand} {
					works = append(works, work{By: by, Size: n, Messages: messages})
				}
			}
			return works
		},
		prepare: func(ctx context.Context, broker string, w work) ([]string, error) {
			return fill(ctx, broker, filling{plan: plan(w.Queue)})
		},
		by:   map[string]func(context.Context, string, work) (figures, error){warren: publishersOfWarren, byHand: publishersByHand},
		size: "goroutines",
		columns: []column{
			{"messages/s", "rate", "%.0f"},
			{"CPU µs/message", "cpu", "%.1f"},
			{"allocations/message", "allocs", "%.1f"},
			{"bytes/message", "bytes", "%.0f"},
			{"goroutines left", "left", "%.0f"},
		},
		charts: []chart{
			{title: "Messages per second", unit: "messages/s", figure: "rate"},
			{title: "CPU per message", unit: "µs", figure: "cpu"},
		},
		bounds: []bound{
			{"goroutines left: 0", func(r rows) verdict { return atMost(r.max(warren, "left"), 0) }},
			{"CPU per message with the most goroutines, against one: ≤ 1 ×", func(r rows) verdict {
				return atMost(r.growth(warren, "cpu"), 1)
			}},
			{"messages/s with the most goroutines, against by hand: ≥ 0.95 ×", func(r rows) verdict {
				return atLeast(r.last(warren, "rate")/r.last(byHand, "rate"), 0.95)
			}},
		},
	}
}

func publishersOfWarren(ctx context.Context, broker string, w work) (figures, error) {
	ctx, failed := failing(ctx)
	c, err := newCrew(broker, failed)
	if err != nil {
		return nil, err
	}
	p, err := publisher.New(c.conn, publisher.Config{})
	if err != nil {
		return c.conclude(ctx, nil, err)
	}
	body := stamp{}.body()
	found, err := spread(w, func(int) error { return p.Publish(ctx, w.Queue, body) })
	return c.conclude(ctx, found, errors.Join(err, p.Close(ctx)))
}

func publishersByHand(ctx context.Context, broker string, w work) (found figures, err error) {
	conn, err := dialByHand(broker)
	if err != nil {
		return nil, err
	}
	s, err := newSender(conn)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	var returned atomic.Int64
	var watch sync.WaitGroup
	returns := s.ch.NotifyReturn(make(chan amqp.Return, 2*w.Size))
	watch.Go(func() {
		for range returns {
			returned.Add(1)
		}
	})
	body := stamp{}.body()
	found, err = spread(w, func(n int) error {
		confirm, err := s.publish(w.Queue, amqp.Publishing{
			ContentType: "application/octet-stream", DeliveryMode: amqp.Persistent, Body: body,
			MessageId: strconv.Itoa(n), AppId: "bench", Timestamp: time.Now(),
		})
		if err != nil {
			return err
		}
		return confirmed(ctx, confirm)
	})
	err = errors.Join(err, conn.Close())
	watch.Wait()
	if n := returned.Load(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d messages were returned", n))
	}
	return found, err
}

// spread lets so many goroutines publish all messages, after one that opens what there is to open.
func spread(w work, publish func(n int) error) (figures, error) {
	if err := publish(w.Messages); err != nil {
		return nil, err
	}
	var (
		next   atomic.Int64
		errs   = make([]error, w.Size)
		wg     sync.WaitGroup
		before = now()
	)
	for i := range w.Size {
		wg.Go(func() {
			for errs[i] == nil {
				n := int(next.Add(1)) - 1
				if n >= w.Messages {
					return
				}
				errs[i] = publish(n)
			}
		})
	}
	wg.Wait()
	return before.since(w.Messages), errors.Join(errs...)
}
