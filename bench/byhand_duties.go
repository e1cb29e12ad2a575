package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	amqp "github.com/rabbitmq/amqp091-go"
)

// errLater is why handlers want a retry.
var errLater = errors.New("the bank is down")

// handler returns what is done with a delivery: nothing, or everything that is on.
func (t *task) handler() func(*amqp.Delivery) error {
	if !t.on {
		return func(*amqp.Delivery) error { return nil }
	}
	d := newDuties(t.Queue)
	return func(delivery *amqp.Delivery) error {
		return d.run(delivery, func(_ context.Context, o *order) error { return o.use() })
	}
}

// duties are what a program by hand does for each message when everything is on: a deadline, a guard against panics, JSON,
// counters and histograms, and a logger that is asked. It does it as directly as one program can do it for itself: its
// metrics are looked up once.
type duties struct {
	deadline time.Duration
	handled  prometheus.Counter
	failed   prometheus.Counter
	took     prometheus.Observer
	size     prometheus.Observer
	log      *slog.Logger
}

func newDuties(queue string) *duties {
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	messages := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "messages_total"}, []string{"queue", "outcome"})
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "handling_seconds", Buckets: buckets}, []string{"queue"})
	bytes := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "body_bytes", Buckets: prometheus.ExponentialBuckets(64, 4, 8)}, []string{"queue"})
	prometheus.NewRegistry().MustRegister(messages, seconds, bytes)
	return &duties{
		deadline: timeout,
		handled:  messages.WithLabelValues(queue, "handled"),
		failed:   messages.WithLabelValues(queue, "failed"),
		took:     seconds.WithLabelValues(queue),
		size:     bytes.WithLabelValues(queue),
		log:      quiet(),
	}
}

// quiet is a logger that writes warnings, to nowhere.
func quiet() *slog.Logger {
	return slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelWarn})) //nolint:sloglint // DiscardHandler would not format them
}

func (d *duties) run(delivery *amqp.Delivery, handle func(context.Context, *order) error) (err error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), d.deadline)
	defer func() {
		cancel()
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
		took := time.Since(began)
		d.took.Observe(took.Seconds())
		d.size.Observe(float64(len(delivery.Body)))
		if err != nil {
			d.failed.Inc()
			d.log.LogAttrs(ctx, slog.LevelWarn, "message failed", slog.String("queue", delivery.RoutingKey),
				slog.String("id", delivery.MessageId), slog.Duration("handling", took), slog.Any("error", err))
			return
		}
		d.handled.Inc()
		if d.log.Enabled(ctx, slog.LevelDebug) {
			d.log.LogAttrs(ctx, slog.LevelDebug, "message handled", slog.String("id", delivery.MessageId), slog.Duration("handling", took))
		}
	}()
	var o order
	if err := json.Unmarshal(delivery.Body, &o); err != nil {
		return err
	}
	return handle(ctx, &o)
}
