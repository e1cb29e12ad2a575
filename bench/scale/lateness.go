package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/warren-mq/warren/bench/internal/sample"
)

// lateness notes when messages are due and when they come. Due is counted from the moment at which the handler asks
// to try again: what it takes to get the message into its retry queue is late, too.
type lateness struct {
	began  time.Time
	due    []atomic.Int64 // after began; 0: it has not left
	late   []atomic.Int64
	came   []atomic.Bool
	left   *counter
	parked atomic.Int64 // when the last one left
	all    *counter
}

func newLateness(n int) *lateness {
	return &lateness{
		began: time.Now(), due: make([]atomic.Int64, n), late: make([]atomic.Int64, n), came: make([]atomic.Bool, n),
		left: newCounter(n), all: newCounter(n),
	}
}

// leave notes that the message begins to wait.
func (l *lateness) leave(id string, wait time.Duration) error {
	n, err := l.number(id)
	if err != nil {
		return err
	}
	t := time.Since(l.began)
	if !l.due[n].CompareAndSwap(0, int64(t+wait)) {
		return fmt.Errorf("message %d came twice before its wait", n)
	}
	l.parked.Store(int64(t)) // of the last one it is the latest, near enough
	l.left.one()
	return nil
}

// arrive notes that the wait is over.
func (l *lateness) arrive(id string) error {
	t := time.Since(l.began)
	n, err := l.number(id)
	if err != nil {
		return err
	}
	if l.due[n].Load() == 0 || !l.came[n].CompareAndSwap(false, true) {
		return fmt.Errorf("message %d came after its wait twice, or never left", n)
	}
	l.late[n].Store(int64(t) - l.due[n].Load())
	l.all.one()
	return nil
}

func (l *lateness) number(id string) (int, error) {
	n, err := numberOf(id)
	if err == nil && n >= len(l.due) {
		err = fmt.Errorf("there is no message %d", n)
	}
	return n, err
}

// quantiles are what is shown of lateness, in milliseconds.
var quantiles = []struct {
	column
	share float64
}{
	{column{"p10", "p10", "%.0f"}, 0.1},
	{column{"p25", "p25", "%.0f"}, 0.25},
	{column{"p50", "p50", "%.0f"}, 0.5},
	{column{"p75", "p75", "%.0f"}, 0.75},
	{column{"p90", "p90", "%.0f"}, 0.9},
	{column{"p99", "p99", "%.0f"}, 0.99},
	{column{"p99.9", "p99.9", "%.0f"}, 0.999},
	{column{"most", "most", "%.0f"}, 1},
}

// distribution is the points of a plot.
func distribution() (points []column) {
	for _, q := range quantiles {
		points = append(points, q.column)
	}
	return points
}

// found waits until all have come, and returns the figures.
func (l *lateness) found(ctx context.Context) (figures, error) {
	if err := l.all.wait(ctx); err != nil {
		return nil, err
	}
	values := make([]float64, len(l.late))
	for i := range l.late {
		values[i] = milliseconds(time.Duration(l.late[i].Load()))
	}
	f := figures{"parking": time.Duration(l.parked.Load()).Seconds(), "messages": float64(len(values))}
	f.spread(values)
	return f, nil
}

// spread adds the quantiles of values.
func (f figures) spread(values []float64) {
	for _, q := range quantiles {
		f[q.figure] = sample.Quantile(values, q.share)
	}
	f["least"] = sample.Quantile(values, 0)
}
