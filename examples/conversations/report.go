package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/topology"
)

// report is what a run has come to.
type report struct {
	sums
	stored  int            // different conversations
	answers map[string]int // of the provider, by what they were
	queues  lengths
	took    time.Duration
}

// lengths is how many messages are in each queue.
type lengths struct {
	main, retry, error int
	errorQueue         string
}

// measure asks the broker how many messages are in each queue of the plan.
func measure(conn *connection.Connection, plan topology.Plan) (l lengths, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ch, err := conn.Channel(ctx, connection.Consume)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, ch.Close()) }()
	for _, q := range plan.Queues() {
		const durable, autoDelete, exclusive, noWait = true, false, false, false
		now, err := ch.QueueDeclarePassive(q.Name, durable, autoDelete, exclusive, noWait, nil)
		if err != nil {
			return l, fmt.Errorf("measure %s: %w", q.Name, err)
		}
		switch q.Name {
		case plan.Main.Name:
			l.main = now.Messages
		case plan.Error.Name:
			l.error, l.errorQueue = now.Messages, q.Name
		default:
			l.retry += now.Messages
		}
	}
	return l, nil
}

// progress prints a line each second until every message has come to its end, or ctx ends.
func progress(ctx context.Context, books *tally, began time.Time, out *log.Logger) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-books.done:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
			s := books.now()
			out.Printf("%4.0f s: %3d acked, %2d errored, %3d to go", time.Since(began).Seconds(), s.acked, s.errored, s.open)
		}
	}
}

// String tells what the run has come to.
func (r report) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	line("\nThe provider answered:")
	for _, answer := range slices.Sorted(maps.Keys(r.answers)) {
		line("  %4d x %s", r.answers[answer], answer)
	}
	line("\nWhat became of the jobs, in %.1f s:", r.took.Seconds())
	line("  %4d published", r.published)
	line("  %4d acked, and %d different conversations stored", r.acked, r.stored)
	line("  %4d errored", r.errored)
	for _, d := range slices.SortedFunc(maps.Values(r.defeats), byCount) {
		line("      %4d %s: %s", d.count, d.reason, d.example)
	}
	failed, late := r.failures[monitoring.FailureReturned], r.failures[monitoring.FailureTimeout]
	line("  %4d times retried: %d that failed, %d that took too long", failed+late, failed, late)
	line("  %4d times deferred; after that, %d jobs were acked at their first attempt", r.deferred, r.patient)
	if r.strangers > 0 {
		line("  %4d jobs that an earlier run had left were done, too", r.strangers)
	}
	if n := r.handedBack + r.lost; n > 0 {
		line("  %4d deliveries came to nothing; their messages are with the broker", n)
	}
	line("\nThe broker has %d messages in the main queue, %d in retry queues, %d in the error queue.",
		r.queues.main, r.queues.retry, r.queues.error)
	if r.check() == nil {
		line("%d acked + %d errored = %d published, and nothing is left to do.", r.acked, r.errored, r.published)
	}
	return b.String()
}

func byCount(a, b defeat) int {
	return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.example, b.example))
}

// check says what is not as it must be: that every job that was published is either acked or in the error queue,
// and that nothing is left over.
func (r report) check() error {
	var errs []error
	if r.acked+r.errored != r.published {
		errs = append(errs, fmt.Errorf("%d acked + %d errored is not %d published: "+
			"the others are still in the queues, for the next run", r.acked, r.errored, r.published))
	} else if r.queues.main+r.queues.retry > 0 {
		errs = append(errs, fmt.Errorf("all jobs are done, but %d messages are in the main queue and %d in retry queues",
			r.queues.main, r.queues.retry))
	}
	if r.stored > r.acked {
		errs = append(errs, fmt.Errorf("%d conversations are stored, but only %d jobs acked", r.stored, r.acked))
	}
	if r.overcharged > 0 {
		errs = append(errs, fmt.Errorf("%d jobs used up more attempts than they had failures", r.overcharged))
	}
	return errors.Join(errs...)
}
