package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	amqp "github.com/rabbitmq/amqp091-go"
)

// sender publishes by hand, and looks at what becomes of it: confirmed, refused, or returned.
type sender struct {
	task    *task
	conn    *amqp.Connection
	channel *amqp.Channel
	returns chan amqp.Return
	last    atomic.Uint64

	on        bool
	published prometheus.Counter
	took      prometheus.Observer
	log       *slog.Logger
}

var errRefused = errors.New("the broker did not take a message")

func (t *task) newSender(window int) (s *sender, err error) {
	s = &sender{task: t, on: t.on}
	if s.conn, err = t.connect(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = s.conn.Close()
		}
	}()
	if s.channel, err = s.conn.Channel(); err != nil {
		return nil, err
	}
	s.returns = s.channel.NotifyReturn(make(chan amqp.Return, 2*window))
	if s.on {
		d := newDuties(t.Queue) // whose metrics serve as well
		s.published, s.took, s.log = d.handled, d.took, d.log
	}
	return s, s.channel.Confirm(false)
}

// message is what is published with each body.
func (s *sender) message(contentType string, body []byte) amqp.Publishing {
	return amqp.Publishing{
		ContentType:  contentType,
		DeliveryMode: amqp.Persistent,
		MessageId:    "0195d3a7-" + strconv.FormatUint(s.last.Add(1), 10),
		AppId:        "bench",
		Timestamp:    time.Now(),
		Body:         body,
	}
}

// send publishes the next message.
func (s *sender) send() (*amqp.DeferredConfirmation, error) {
	contentType, body := "application/octet-stream", s.task.body
	if s.on {
		var err error
		if body, err = json.Marshal(s.task.order); err != nil {
			return nil, err
		}
		contentType = "application/json"
	}
	return s.publish(s.task.Queue, s.message(contentType, body))
}

func (s *sender) publish(queue string, p amqp.Publishing) (*amqp.DeferredConfirmation, error) {
	const mandatory, immediate = true, false
	return s.channel.PublishWithDeferredConfirm("", queue, mandatory, immediate, p)
}

// settle waits for the broker's word. What is returned is returned before it is confirmed.
func (s *sender) settle(ctx context.Context, c *amqp.DeferredConfirmation, sent time.Time) error {
	confirmed, err := c.WaitContext(ctx)
	switch {
	case err != nil:
		return err
	case !confirmed:
		return errRefused
	}
	select {
	case r := <-s.returns:
		return fmt.Errorf("a message came back: %s", r.ReplyText)
	default:
	}
	if s.on {
		took := time.Since(sent)
		s.published.Inc()
		s.took.Observe(took.Seconds())
		if s.log.Enabled(ctx, slog.LevelDebug) {
			s.log.LogAttrs(ctx, slog.LevelDebug, "message published", slog.Duration("took", took))
		}
	}
	return nil
}

// publishEach waits for each confirm, in as many goroutines as there are workers. They share a channel, which serves
// them better than one for each: its writes and confirms come together.
func publishEach(ctx context.Context, t *task) error {
	s, err := t.newSender(t.Workers)
	if err != nil {
		return err
	}
	failed := newFailure()
	var left atomic.Int64
	left.Store(t.meter.total)
	t.inWorkers(func() {
		for failed.get() == nil && left.Add(-1) >= 0 {
			failed.note(s.one(ctx))
			t.meter.finish(1)
		}
	})
	return errors.Join(failed.get(), s.conn.Close())
}

func (s *sender) one(ctx context.Context) error {
	sent := time.Now()
	if s.on {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	c, err := s.send()
	if err != nil {
		return err
	}
	return s.settle(ctx, c, sent)
}

// publishPipelined has a window of messages in flight, and waits for the oldest when it is full.
func publishPipelined(ctx context.Context, t *task) error {
	s, err := t.newSender(t.Prefetch)
	if err != nil {
		return err
	}
	return errors.Join(s.pipeline(ctx), s.conn.Close())
}

// flight is a message that is sent.
type flight struct {
	c    *amqp.DeferredConfirmation // nil: there is none
	sent time.Time
}

func (s *sender) pipeline(ctx context.Context) error {
	window := make([]flight, s.task.Prefetch) // a ring
	left := int(s.task.meter.total)
	for left > 0 || window[0].c != nil {
		n := min(left, len(window))
		if err := s.turn(ctx, window, n); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// turn goes once around the ring. It settles what is there, and sends n messages in its place. One deadline for all of
// them is enough.
func (s *sender) turn(ctx context.Context, window []flight, n int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i, f := range window {
		if f.c != nil {
			if err := s.settle(ctx, f.c, f.sent); err != nil {
				return err
			}
			s.task.meter.finish(1)
		}
		window[i] = flight{}
		if i >= n {
			continue
		}
		sent := time.Now()
		c, err := s.send()
		if err != nil {
			return err
		}
		window[i] = flight{c, sent}
	}
	return nil
}
