package consumer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/monitoring"
)

// run is one call of Run. Its loop opens one epoch after the other, until it is
// told to stop. The pool of workers and what settles outcomes outlive epochs:
// handlers that run when a connection is lost keep their workers, or
// concurrency would double.
type run struct {
	*Consumer
	pool   *pool
	sender *confirm.Sender
	wakeup chan struct{} // to the loop: look at the state again

	// handling is the parent of the handlers' contexts. It has the values of
	// Run's context and ends while draining.
	handling context.Context
	giveUp   context.CancelCauseFunc
	// settling is the parent of what settles outcomes. It ends last.
	settling context.Context
	abandon  context.CancelCauseFunc

	stopping context.Context // ends when the consumer shall stop
	halt     context.CancelFunc
	opening  atomic.Pointer[context.CancelFunc] // interrupts openEpoch
	hurry    atomic.Pointer[context.Context]    // that of Stop: bounds draining

	moves   sync.WaitGroup // goroutines that settle
	open    atomic.Int64   // deliveries taken and not settled
	started bool           // there has been an epoch

	done chan struct{} // closed when Run returns, with err
	err  error
}

func newRun(ctx context.Context, c *Consumer, workers int) *run {
	r := &run{Consumer: c, wakeup: make(chan struct{}, 1), done: make(chan struct{})}
	values := context.WithoutCancel(ctx)
	r.handling, r.giveUp = context.WithCancelCause(values)
	r.settling, r.abandon = context.WithCancelCause(values)
	r.stopping, r.halt = context.WithCancel(ctx)
	r.sender = confirm.New(c.conn, settleWindow)
	r.pool = newPool(r, workers)
	return r
}

// settleWindow is how many messages may be on their way to retry and error
// queues at once.
const settleWindow = 256

// wake makes the loop look at the state again.
func (r *run) wake() {
	select {
	case r.wakeup <- struct{}{}:
	default:
	}
}

func (r *run) stop(ctx context.Context) {
	r.hurry.CompareAndSwap(nil, &ctx)
	r.halt()
}

// interrupt ends an openEpoch that waits for the broker, since the consumer
// shall pause.
func (r *run) interrupt() {
	if cancel := r.opening.Load(); cancel != nil {
		(*cancel)()
	}
}

// taken and settled count the deliveries in work.
func (r *run) taken() { r.open.Add(1) }

func (r *run) settled() {
	if r.open.Add(-1) == 0 {
		r.wake() // someone may wait for that: pausing, draining
	}
}

// loop is Run.
func (r *run) loop() error {
	defer r.halt()
	r.pool.start()
	failures := 0
	for {
		if !r.mayConsume() {
			return r.drain(nil)
		}
		e, err := r.openEpoch()
		if err == nil {
			r.started = true
			began := time.Now()
			err = e.dispatch()
			if err == nil {
				return r.drain(e)
			}
			if time.Since(began) > steady {
				failures = 0
			}
			open := e.end(err)
			if !r.again(err, open, &failures) {
				return r.drain(nil)
			}
			continue
		}
		if r.stopping.Err() != nil {
			return r.drain(nil)
		}
		if pausing, _ := r.wanted(); pausing {
			continue // that is what interrupted it
		}
		if errors.Is(err, connection.ErrClosed) || !r.started && isRefusal(err) {
			return errors.Join(err, r.drain(nil))
		}
		if !r.again(err, 0, &failures) {
			return r.drain(nil)
		}
	}
}

const (
	steady     = 10 * time.Second
	minPause   = 100 * time.Millisecond
	maxPause   = 15 * time.Second
	slowRetry  = 30 * time.Second
	pauseAfter = 8 // doublings from minPause to maxPause
)

// again tells why there is no subscription, and waits before the next try. It
// returns false if the consumer shall stop.
func (r *run) again(err error, open int, failures *int) bool {
	refused := isRefusal(err)
	var pause time.Duration
	switch {
	case errors.Is(err, ErrUnreadable):
		// The broker's delivery limit ends this; waiting longer would not.
		pause = minPause
	case refused:
		pause = slowRetry
	default:
		pause = min(minPause<<min(*failures, pauseAfter), maxPause)
		*failures++
	}
	pause -= rand.N(pause/2 + 1)
	r.state.update(func(s *state) { s.unreadable = s.unreadable || errors.Is(err, ErrUnreadable) })
	r.state.setReady(false, err)
	r.observe(r.handling, monitoring.ConsumerLost{
		Queue: r.queue, Err: err, Refused: refused, Unhandled: open, Next: pause,
	})
	t := time.NewTimer(pause)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return true
		case <-r.wakeup:
			if pausing, _ := r.wanted(); pausing {
				return true
			}
		case <-r.stopping.Done():
			return false
		}
	}
}

// mayConsume waits while the consumer is paused, or too many of its handlers
// are stuck, and returns false if it shall stop.
func (r *run) mayConsume() bool {
	for {
		if r.stopping.Err() != nil {
			return false
		}
		pausing, overloaded := r.wanted()
		if !pausing && !overloaded {
			return true
		}
		if pausing && r.open.Load() == 0 {
			r.setPaused(true)
		}
		select {
		case <-r.wakeup:
		case <-r.stopping.Done():
			return false
		}
	}
}

// wanted returns whether the consumer shall pause, and whether it must, and
// applies a change of the number of workers.
func (r *run) wanted() (pausing, overloaded bool) {
	r.state.mu.Lock()
	pausing = r.state.pausing
	workers := r.state.workers
	r.state.mu.Unlock()
	r.pool.resize(workers)
	return pausing, r.pool.overloaded()
}

func (r *run) setPaused(paused bool) {
	was := false
	r.state.update(func(s *state) { was, s.paused = s.paused, paused })
	switch {
	case paused && !was:
		r.observe(r.handling, monitoring.ConsumerPaused{Queue: r.queue})
	case !paused && was:
		r.observe(r.handling, monitoring.ConsumerResumed{Queue: r.queue})
	}
}

// drain ends the run: it hands back what has not started, waits for what has,
// and stops everything. e is the living epoch, if there is one.
func (r *run) drain(e *epoch) error {
	began := time.Now()
	r.state.setReady(false, ErrDraining)
	r.observe(r.handling, monitoring.ConsumerStopping{Queue: r.queue, Running: r.pool.running()})
	limit, hard := r.config.Drain, context.Background()
	if stop := r.hurry.Load(); stop != nil {
		hard = *stop
		if at, ok := hard.Deadline(); ok {
			left := time.Until(at)
			limit = max(0, min(limit, left-min(drainGrace, left/4)))
		}
	}
	if e != nil {
		e.handBackBuffered()
		e.acks.hurry()
	}
	if !r.waitSettled(limit, hard, e) {
		r.giveUp(ErrDraining)
		r.waitSettled(drainGrace, hard, e)
	}
	err := r.finish(e)
	r.observe(context.WithoutCancel(r.handling), monitoring.ConsumerStopped{Queue: r.queue, Err: err, Took: time.Since(began)})
	return err
}

// waitSettled waits until every delivery is settled, for at most d and until
// hard ends. It returns whether they are.
func (r *run) waitSettled(d time.Duration, hard context.Context, e *epoch) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	var closed <-chan *amqp.Error
	if e != nil {
		closed = e.closed
	}
	for r.open.Load() > 0 {
		select {
		case <-r.wakeup:
		case reason := <-closed:
			// What is running learns of it now, and has less to wait for.
			closed = nil
			e.end(e.why(reason))
		case <-t.C:
			return r.open.Load() == 0
		case <-hard.Done():
			return r.open.Load() == 0
		}
	}
	return true
}

// finish stops every goroutine of the run, and returns a DrainError if not
// everything is settled.
func (r *run) finish(e *epoch) error {
	unfinished := r.pool.close()
	// From here on handlers that still run are on their own.
	r.giveUp(ErrDraining)
	r.abandon(ErrDraining)
	r.moves.Wait()
	r.pool.wait()
	unfinished = append(unfinished, r.unsettled()...)
	if e != nil {
		e.close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	// Every move has ended, so nothing of worth is in flight.
	_ = r.sender.Close(ctx)
	if len(unfinished) > 0 {
		return &DrainError{Queue: r.queue, Unfinished: unfinished}
	}
	return nil
}

// unsettled names the messages whose outcome could not be carried out.
func (r *run) unsettled() []Unfinished {
	r.state.mu.Lock()
	defer r.state.mu.Unlock()
	var list []Unfinished
	for m := range r.state.failing {
		list = append(list, Unfinished{MessageID: m.d.about.MessageID, Attempt: m.d.state.Attempt})
	}
	return list
}

func isRefusal(err error) bool {
	var refused *DeclareError
	return errors.As(err, &refused)
}

// lost wraps what ended an epoch for those who handle its messages.
func lost(err error) error { return fmt.Errorf("%w: %w", ErrConnectionLost, err) }
