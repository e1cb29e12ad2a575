package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/execute"
	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/monitoring"
)

// delivery is one delivery on its way through the consumer.
type delivery struct {
	amqp.Delivery
	epoch   *epoch
	state   header.State
	about   monitoring.Delivery
	started time.Time
	// early is how much too early it came; so little that a worker waits.
	early time.Duration
	// failures is how many failed deliveries the broker has counted that are
	// attempts, where it is the broker who counts them.
	failures int
	// crashes is how many of its deliveries have failed.
	crashes int
	// ctx is what monitors get with its events: the handler's context, once it
	// has one.
	ctx context.Context
}

// newDelivery reads a delivery.
func (e *epoch) newDelivery(in amqp.Delivery) *delivery {
	d := &delivery{Delivery: in, epoch: e, ctx: e.handling}
	var ignored []string
	d.state, ignored = header.Read(in.Headers, e.queue, time.Now())
	ignored = append(ignored, e.way.read(d)...)
	a := &d.about
	a.Queue = e.queue
	a.MessageID, a.Type = in.MessageId, in.Type
	a.Attempt = d.state.Attempt
	a.Redelivered = in.Redelivered
	a.Exchange, a.Key = in.Exchange, in.RoutingKey
	if s := &d.state; s.OriginExchange != "" || s.OriginKey != "" {
		a.Exchange, a.Key = s.OriginExchange, s.OriginKey
	}
	a.Body, a.BodySize = in.Body, len(in.Body)
	a.Published = in.Timestamp
	for _, name := range ignored {
		e.observe(d.ctx, monitoring.HeaderIgnored{Queue: e.queue, MessageID: in.MessageId, Header: name})
	}
	return d
}

// queueWait returns for how long the message has been ready, as far as can be
// told.
func (d *delivery) queueWait(now time.Time) time.Duration {
	if d.failures > 0 {
		return 0 // the headers are those of an earlier attempt
	}
	since := d.Timestamp // in whole seconds
	if at, ok := header.TimeOf(d.MessageId); ok && at.Sub(since).Abs() < 2*time.Second {
		since = at
	}
	if !d.state.Due.IsZero() {
		since = d.state.Due
	}
	if !d.state.NotBefore.IsZero() {
		since = d.state.NotBefore
	}
	if since.IsZero() {
		return 0
	}
	return max(0, now.Sub(since))
}

// handle runs the handler for d in a worker, and concludes. It returns false if
// the worker must leave because it was given up meanwhile. It does not return
// at all if the handler ends its goroutine.
func (r *run) handle(w *worker, d *delivery) (stay bool) {
	if d.early > 0 {
		pause(d.epoch.handling, d.early)
	}
	if d.epoch.over.Err() != nil {
		// Its handler would only run for nothing: it runs again.
		r.pool.release()
		r.lose(d, "")
		r.settled()
		return true
	}
	d.started = time.Now()
	d.about.QueueWait = d.queueWait(d.started)
	ctx := execute.NewDeadline(d.epoch.handling, d.started.Add(r.config.Timeout))
	d.ctx = ctx
	if r.starter != nil {
		op := monitoring.Operation{
			Kind: monitoring.Process, Queue: r.queue, Exchange: d.about.Exchange, Key: d.about.Key,
			MessageID: d.about.MessageID, Attempt: d.about.Attempt, BodySize: d.about.BodySize, Headers: d.Headers,
			Trace: d.state.Trace,
		}
		d.ctx = r.starter.Start(ctx, &op)
		d.state.Trace = ""
		if header.IsTrace(op.Trace) {
			d.state.Trace = op.Trace
		}
	}
	may := r.pool.begin(w, d)
	var res result
	defer func() { // also when the goroutine ends
		now := time.Now()
		if res.outcome.kind == KindRetry && res.reason == "" {
			if res.failure == 0 {
				res.failure = monitoring.FailureReturned
				if ctx.Expired() {
					res.failure = monitoring.FailureTimeout
				}
			}
			res.drained = errors.Is(context.Cause(d.epoch.handling), ErrDraining)
		}
		ctx.End()
		handling := now.Sub(d.started)
		if givenUp := r.pool.end(w); !givenUp.IsZero() {
			r.late(d, res, now.Sub(givenUp))
			return
		}
		d.about.Handling = handling
		r.conclude(d, res)
		stay = true
	}()
	if !may {
		res = result{outcome: Retry(ErrDraining)}
		return
	}
	again := 0
	if d.state.Attempt == 1 {
		again = r.config.Immediate
	}
	for {
		r.runOnce(d, &res)
		if again == 0 || res.outcome.kind != KindRetry || res.outcome.delay > 0 || res.reason != "" || ctx.Err() != nil {
			return
		}
		again--
	}
}

// runOnce runs the handler once, contained. It notes the result instead of
// returning it: if the handler ends its goroutine, runOnce does not return.
func (r *run) runOnce(d *delivery, res *result) {
	execute.Guard(func() {
		outcome, reason := r.execute(d.ctx, d)
		*res = result{outcome: outcome, reason: reason}
		if reason != "" {
			var p *execute.Panic
			if errors.As(outcome.err, &p) {
				res.stack = p.Stack // of the codec, or of Validate
			}
		}
	}, func(p *execute.Panic) {
		*res = result{outcome: Outcome{err: p}, failure: monitoring.FailurePanic, stack: p.Stack}
	})
}

// late tells of an outcome that came after its handler had been given up.
func (r *run) late(d *delivery, res result, after time.Duration) {
	outcome := res.outcome.kind.String()
	if res.failure == monitoring.FailurePanic {
		outcome = res.failure.String()
	}
	r.observe(d.ctx, monitoring.LateOutcome{Delivery: d.about, Outcome: outcome, Err: res.outcome.err, After: after})
}

func errStuck(running time.Duration) error {
	return fmt.Errorf("the handler was still running after %v", running.Round(time.Millisecond))
}

// conclude settles d: what takes one frame at once, and what must be published in
// a goroutine of its own, so that the worker goes on. The prefetch bounds how
// many.
func (r *run) conclude(d *delivery, res result) {
	if res.failure == monitoring.FailureTimeout && res.outcome.err == nil {
		res.outcome.err = fmt.Errorf("the handler's time of %v was up: %w", r.config.Timeout, context.DeadlineExceeded)
	}
	v := settle(res, d.state, r.config.Retry, r.config.MaxAge, time.Now())
	switch v.fate {
	case done:
		if d.epoch.acks.done(d.DeliveryTag) {
			r.observe(d.ctx, monitoring.Acked{Delivery: d.about})
		} else {
			r.lose(d, res.outcome.kind.String())
		}
		r.settled()
	case returned:
		r.handBack(d)
	default:
		r.pass(d, v)
	}
}

// pass carries out a verdict by which d is put elsewhere.
func (r *run) pass(d *delivery, v verdict) {
	if v.fate == held {
		if h := d.epoch.way.hold(d, &v); h.manner != published {
			r.reject(d, &v, h)
			return
		}
	}
	r.startMove(d, &v)
}

// reject lets the broker see to it that d is delivered again after its wait.
// Nothing is published: if the frame does not arrive, the broker still has d.
func (r *run) reject(d *delivery, v *verdict, h holding) {
	if d.epoch.acks.reject(d.DeliveryTag, h.manner == requeued) {
		r.observe(d.ctx, r.heldEvent(d, v, h.to, time.Now()))
	} else {
		r.lose(d, outcomeName(v))
	}
	r.settled()
}

// handBack puts d back into the main queue.
func (r *run) handBack(d *delivery) {
	// If the epoch is over the broker has done it already.
	d.epoch.acks.handBack(d.DeliveryTag)
	r.observe(d.ctx, monitoring.HandedBack{Delivery: d.about})
	r.settled()
}

// lose tells that the outcome of d has no effect, because its epoch is over.
func (r *run) lose(d *delivery, outcome string) {
	r.observe(d.ctx, monitoring.Lost{Delivery: d.about, Outcome: outcome, Err: d.epoch.err()})
}

// abandoned tells that d has no outcome, because its handler still runs and Run
// must return.
func (r *run) abandoned(d *delivery) {
	r.observe(d.ctx, monitoring.Lost{Delivery: d.about, Err: ErrDraining})
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
