package consumer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/asking"
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
	sender sender
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
	// soft ends when draining has lasted so long that handlers are told to give
	// up, and hard when Run must return, whatever they do.
	soft, hard   context.Context
	hurry, force context.CancelFunc
	told         chan time.Time                          // when handlers were told to give up
	quiet        func() bool                             // they need not be told
	opening      atomic.Pointer[context.CancelCauseFunc] // interrupts openEpoch

	moves     sync.WaitGroup // goroutines that settle
	questions sync.WaitGroup // goroutines that ask a queue how it is
	open      atomic.Int64   // deliveries taken and not settled
	// wantOpen: wake the run when open drops to that. A suspect waits for it.
	wantOpen atomic.Int64

	// Below: the loop's.
	started    bool // there has been an epoch
	overloaded bool // and told
	toldPaused bool
	failures   int // in a row
	survived   int // epochs that were lost
	latest     *connection.Session
	private    *connection.Private // nil: that of all consumers
	proven     bool                // it has come up
	sharing    bool                // a private one did not come up
	silent     bool                // the queue, and the consumer is not subscribed since
	counted    bool                // the queue has said that it has consumers
	unserved   time.Time           // since when the broker fails with subscriptions

	done chan struct{} // closed when Run returns, with err
	err  error
}

// sender publishes a message and waits for the broker's word: a *confirm.Sender,
// but where there is no broker.
type sender interface {
	Send(ctx context.Context, m confirm.Message) error
	Close(ctx context.Context) error
}

func newRun(ctx context.Context, c *Consumer, workers int) *run {
	r := &run{Consumer: c, wakeup: make(chan struct{}, 1), done: make(chan struct{})}
	values := context.WithoutCancel(ctx)
	r.handling, r.giveUp = context.WithCancelCause(values)
	r.settling, r.abandon = context.WithCancelCause(values)
	r.stopping, r.halt = context.WithCancel(ctx)
	r.soft, r.hurry = context.WithCancel(context.Background())
	r.hard, r.force = context.WithCancel(context.Background())
	// Not in drain, to which a goroutine that waits in a write comes late.
	r.told = make(chan time.Time, 1)
	r.quiet = context.AfterFunc(r.soft, func() {
		r.giveUp(ErrDraining)
		r.told <- time.Now()
	})
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

// stop stops the consumer within the deadline of ctx, also one that is stopping
// already, and waits until Run returns.
func (r *run) stop(ctx context.Context) {
	if at, ok := ctx.Deadline(); ok {
		left := time.Until(at)
		defer time.AfterFunc(left-min(drainGrace, left/4), r.hurry).Stop()
	}
	defer context.AfterFunc(ctx, func() {
		r.hurry()
		r.force()
	})()
	r.halt()
	<-r.done
}

// interrupt ends an openEpoch that waits for the broker, since the consumer
// shall pause.
func (r *run) interrupt() {
	if cancel := r.opening.Load(); cancel != nil {
		(*cancel)(ErrPaused)
	}
}

// taken and settled count the deliveries in work.
func (r *run) taken() { r.open.Add(1) }

func (r *run) settled() {
	if n := r.open.Add(-1); n == 0 || n <= r.wantOpen.Load() {
		r.wake() // someone may wait for that: pausing, draining, a suspect
	}
}

// loop is Run.
func (r *run) loop() error {
	defer r.halt()
	r.pool.start()
	for r.mayConsume() {
		r.nowResumed()
		e, err := r.openEpoch()
		if err == nil {
			r.started, r.silent, r.unserved = true, false, time.Time{}
			began := time.Now()
			err = e.dispatch()
			if r.stopping.Err() != nil {
				return r.drain(e, nil)
			}
			if time.Since(began) > steady {
				r.failures = 0
			}
			// What was refused now may be declared in the next epoch: not a
			// refusal yet.
			err = e.reason(err)
			r.survived++
			r.state.setReady(false, err) // before handlers learn of it
			r.again(loss{err: err, unhandled: e.end(err)})
			continue
		}
		switch {
		case r.stopping.Err() != nil, errors.Is(err, ErrPaused):
		case errors.Is(err, connection.ErrClosed) || !r.started && isRefusal(err):
			return r.drain(nil, err)
		default:
			r.again(loss{err: err, refused: isRefusal(err)})
		}
	}
	return r.drain(nil, nil)
}

const (
	steady     = 10 * time.Second
	minPause   = 100 * time.Millisecond
	maxPause   = 15 * time.Second
	slowRetry  = 30 * time.Second
	pauseAfter = 8 // doublings from minPause to maxPause
)

// loss is a subscription that ended, or did not come about.
type loss struct {
	err       error
	refused   bool // trying again will hardly help
	unhandled int  // deliveries that the broker takes back
}

// again tells why there is no subscription, and waits before the next try.
func (r *run) again(l loss) {
	l.err = r.toldBySession(l.err)
	l.err = r.toldOfSilence(l.err)
	unreadable := errors.Is(l.err, ErrUnreadable)
	r.choose(unreadable || r.silent)
	var pause time.Duration
	switch {
	case l.refused:
		pause = slowRetry
	case unreadable && r.limitsDeliveries(), !unreadable && r.lostConnection(l.err):
		// Who dials again waits long enough, if need be. And what is unreadable
		// goes away with the queue's delivery limit, if it has one: waiting longer
		// would only put that off.
		pause = minPause
	default:
		pause = min(minPause<<min(r.failures, pauseAfter), maxPause)
		r.failures++
	}
	pause -= rand.N(pause/2 + 1)
	r.state.update(func(s *state) { s.unreadable = s.unreadable || unreadable })
	r.state.setReady(false, l.err)
	r.observe(r.handling, monitoring.ConsumerLost{
		Queue: r.queue, Consumer: r.number, Err: l.err, Refused: l.refused, Unhandled: l.unhandled, Next: pause,
	})
	t := time.NewTimer(pause)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return
		case <-r.wakeup:
			if pausing, _ := r.wanted(); pausing {
				return
			}
		case <-r.stopping.Done():
			return
		}
	}
}

// lostConnection tells whether err, which ended an epoch or kept it from
// beginning, is the end of the whole connection.
func (r *run) lostConnection(err error) bool {
	if r.latest != nil && r.latest.Err() != nil {
		return true
	}
	// The session may not have noticed yet.
	var (
		reason *amqp.Error
		broken *net.OpError
	)
	switch {
	case errors.Is(err, amqp.ErrClosed), // of whatever
		errors.Is(err, amqp.ErrChannelMax): // of the connection, which lives
		return false
	case errors.As(err, &reason):
		return !reason.Recover
	default:
		return errors.As(err, &broken) || errors.Is(err, net.ErrClosed)
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
			r.nowPaused()
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
	stuck, overloaded := r.pool.overloaded()
	if overloaded != r.overloaded {
		r.overloaded = overloaded
		r.state.update(func(s *state) { s.overloaded = overloaded })
		if overloaded {
			r.observe(r.handling, monitoring.ConsumerOverloaded{Queue: r.queue, Consumer: r.number, Stuck: stuck})
		}
	}
	return pausing, overloaded
}

// nowPaused notes that nothing is taken and nothing in work any more, unless
// that is no longer wanted.
func (r *run) nowPaused() {
	paused := false
	r.state.update(func(s *state) {
		s.paused = s.pausing
		paused = s.paused
	})
	if paused && !r.toldPaused {
		r.toldPaused = true
		r.observe(r.handling, monitoring.ConsumerPaused{Queue: r.queue, Consumer: r.number})
	}
}

// nowResumed tells that the consumer does not pause any more, if it was told
// that it does. Whether it can subscribe is another matter.
func (r *run) nowResumed() {
	if r.toldPaused {
		r.toldPaused = false
		r.observe(r.handling, monitoring.ConsumerResumed{Queue: r.queue, Consumer: r.number})
	}
}

// drain ends the run: it hands back what has not started, waits for what has,
// and stops everything. e is the living epoch, if there is one, and why is what
// the run fails for, if it does.
func (r *run) drain(e *epoch, why error) error {
	began := time.Now()
	defer time.AfterFunc(r.config.Drain, r.hurry).Stop()
	r.state.setReady(false, ErrDraining)
	r.observe(r.handling, monitoring.ConsumerStopping{Queue: r.queue, Consumer: r.number, Running: r.pool.running()})
	if e != nil {
		e.acks.hurry()
		// As long as it is subscribed: the cancellation returns what is on its way
		// here, and that would be got and handed back once more.
		got := e.makeSure(r.soft)
		if err := e.handBackBuffered(r.soft); err != nil && r.soft.Err() == nil {
			e.end(err)
		}
		e.returnUnstarted(got...)
	}
	if !r.waitSettled(r.soft, e) {
		grace, cancel := context.WithDeadline(r.hard, (<-r.told).Add(drainGrace))
		r.waitSettled(grace, e)
		cancel()
	}
	err := r.finish(e)
	if why != nil {
		err = errors.Join(why, err)
	}
	r.observe(context.WithoutCancel(r.handling), monitoring.ConsumerStopped{
		Queue: r.queue, Consumer: r.number, Err: err, Took: time.Since(began),
	})
	return err
}

// waitSettled waits until every delivery is settled, or ctx ends. It returns
// whether they are.
func (r *run) waitSettled(ctx context.Context, e *epoch) bool {
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
		case <-ctx.Done():
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
	r.pool.wait() // a worker may begin a last move
	r.moves.Wait()
	unfinished = append(unfinished, r.unsettled()...)
	if e != nil {
		e.finish()
	}
	r.questions.Wait()
	r.share()
	r.closeSender()
	r.quiet()
	r.hurry()
	r.force()
	if len(unfinished) > 0 {
		return &DrainError{Queue: r.queue, Unfinished: unfinished}
	}
	return nil
}

// closeSender closes the sender. Every move has ended, so nothing of worth is in
// flight. If the broker does not answer, what is left of the sender ends with
// its connection, and Run does not wait for that.
func (r *run) closeSender() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		ctx, cancel := context.WithTimeout(context.Background(), asking.Goodbye)
		defer cancel()
		_ = r.sender.Close(ctx)
	}()
	select {
	case <-closed:
	case <-time.After(2 * asking.Goodbye):
	}
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
	return errors.As(err, new(*DeclareError)) || errors.As(err, new(*UnsupportedError))
}

// lost wraps what ended an epoch for those who handle its messages.
func lost(err error) error { return fmt.Errorf("%w: %w", ErrConnectionLost, err) }
