package consumer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/asking"
	"github.com/warren-mq/warren/monitoring"
)

// epoch is one life of the consuming channel. Its deliveries and their tags die
// with it; the next epoch starts afresh.
type epoch struct {
	*run
	*asking.Channel
	*means
	acks    *acks
	closed  <-chan *amqp.Error // one error, then closed
	cancels <-chan string      // tags that the broker cancelled

	written  func() // nothing more is to be written
	frameMax int    // of the consuming connection; all are to the same cluster
	version  string // of the broker

	// handling is the parent of the contexts of this epoch's handlers. It ends
	// with the epoch.
	handling    context.Context
	endHandling context.CancelCauseFunc
	// settling is the context of what settles this epoch's deliveries. It ends
	// with the epoch: the broker takes its deliveries back then, and to publish
	// them as well would make certain duplicates. It does not end when draining
	// begins.
	settling    context.Context
	endSettling context.CancelCauseFunc
	// over ends with the epoch, and with nothing else.
	over    context.Context
	setOver context.CancelFunc

	// Below: the dispatcher's.
	subs     []*subscription // the last one is the present one
	narrow   bool            // the present one has a prefetch of 1
	prefetch int             // that the present one should have
	workers  int
	heard    bool        // there has been a delivery
	alone    bool        // a suspect runs
	next     *delivery   // taken from the broker, not yet given to a worker
	aside    []*delivery // suspects that wait until nothing else is taken
	latest   uint64      // tag of the last delivery
	silence  silence

	mu    sync.Mutex
	cause error
}

// subscription is one basic.consume.
type subscription struct {
	tag        string
	deliveries <-chan amqp.Delivery
	leaving    bool // we have begun to cancel it
	left       bool // and the broker has said that it is
}

// openEpoch connects, declares and subscribes.
func (r *run) openEpoch() (*epoch, error) {
	ctx, cancel := context.WithCancelCause(r.stopping)
	defer cancel(nil)
	r.opening.Store(&cancel)
	defer r.opening.Store(nil)
	if pausing, overloaded := r.wanted(); pausing || overloaded {
		return nil, ErrPaused // between mayConsume and here
	}
	session, err := r.connect(ctx)
	if err != nil {
		return nil, err
	}
	r.latest = session
	means, err := r.prepare(ctx, session)
	if err != nil {
		return nil, err
	}
	ch, err := asking.Open(ctx, session, nil)
	if err != nil {
		return nil, err
	}
	e := r.newEpoch(ch.Channel, means)
	e.Channel = ch
	e.written = e.boundWrites()
	e.frameMax, e.version = session.FrameMax(), session.Version()
	e.closed = ch.NotifyClose(make(chan *amqp.Error, 1))
	e.cancels = ch.NotifyCancel(make(chan string, 16))
	if err := e.subscribe(e.stopping, true); err != nil {
		e.end(err)
		return nil, err
	}
	e.listen()
	e.nowReady()
	return e, nil
}

// newEpoch makes an epoch that has no subscription yet.
func (r *run) newEpoch(channel acknowledger, m *means) *epoch {
	e := &epoch{run: r, means: m}
	e.handling, e.endHandling = context.WithCancelCause(r.handling)
	e.settling, e.endSettling = context.WithCancelCause(r.settling)
	e.over, e.setOver = context.WithCancel(context.Background())
	r.state.mu.Lock()
	e.workers = r.state.workers
	r.state.mu.Unlock()
	e.prefetch, _ = r.config.prefetch(e.workers)
	e.acks = newAcks(channel, e.prefetch, e.workers)
	return e
}

var consumerTags atomic.Int64

// subscribe consumes with a prefetch of 1, or with the full one. A prefetch
// that changes while a consumer lives has no effect on it, so this is the only
// way to change it.
//
// If ctx ends before the broker has answered the subscription may come about
// yet, and nobody hands back what it brings. So only the end of draining may
// interrupt it, or the end of an epoch that has not begun.
func (e *epoch) subscribe(ctx context.Context, narrow bool) error {
	n := e.prefetch
	if narrow {
		n = 1
	}
	s := &subscription{tag: fmt.Sprintf("%.100s/%d/%d", e.host, os.Getpid(), consumerTags.Add(1))}
	got := make(chan (<-chan amqp.Delivery), 1)
	err := e.Ask(ctx, func(ch *amqp.Channel) error {
		if err := ch.Qos(n, 0, false); err != nil {
			return err
		}
		deliveries, err := ch.Consume(e.queue, s.tag, false, false, false, false, nil)
		got <- deliveries
		return err
	})
	if err != nil {
		return declareError(step{verb: "consume", name: e.queue}, err)
	}
	s.deliveries = <-got
	e.narrow = narrow && e.prefetch > 1
	e.subs = append(e.subs, s)
	e.acks.resize(n, e.workers)
	return nil
}

// subscribed tells whether there is a subscription that goes on.
func (e *epoch) subscribed() bool {
	return len(e.subs) > 0 && !e.subs[len(e.subs)-1].leaving
}

// cancel ends the subscriptions that are not ended yet, but for the last keep.
// What they have been sent already is still delivered.
func (e *epoch) cancel(ctx context.Context, keep int) error {
	for _, s := range e.subs[:max(0, len(e.subs)-keep)] {
		if s.left {
			continue
		}
		s.leaving = true
		err := e.Ask(ctx, func(ch *amqp.Channel) error { return ch.Cancel(s.tag, false) })
		if err != nil {
			return fmt.Errorf("cancel the subscription to %s: %w", e.queue, err)
		}
		s.left = true
	}
	return nil
}

// widen replaces the subscription by one with the full prefetch.
func (e *epoch) widen() error {
	if err := e.subscribe(e.soft, false); err != nil {
		return err
	}
	return e.cancel(e.stopping, 1)
}

func (e *epoch) nowReady() {
	e.state.setReady(true, nil)
	e.nowResumed()
	e.observe(e.handling, monitoring.ConsumerReady{Queue: e.queue, Consumer: e.number, Workers: e.workers, Prefetch: e.prefetch})
}

// why returns what ended the channel, given what it notified.
func (e *epoch) why(reason *amqp.Error) error {
	err := e.Session.Err()
	switch {
	case errors.Is(err, ErrUnreadable):
		return err
	case reason != nil:
		return reason
	case err != nil:
		return err
	default:
		return amqp.ErrClosed
	}
}

// reason returns why the channel was closed if err just says that it is.
func (e *epoch) reason(err error) error {
	if errors.Is(err, amqp.ErrClosed) && e.IsClosed() {
		return e.why(<-e.closed) // about to come, if it is not there yet
	}
	return err
}

// end ends the epoch because of err, and returns how many deliveries it leaves
// to the broker. Handlers that run learn of it through their contexts.
func (e *epoch) end(err error) (open int) {
	e.mu.Lock()
	if e.cause != nil {
		e.mu.Unlock()
		return 0
	}
	e.cause = err
	e.mu.Unlock()
	open = e.acks.close()
	e.endHandling(lost(err))
	e.setOver()
	e.endSettling(err)
	e.silence.stop()
	e.dropBuffered()
	if e.Channel != nil { // a rehearsal has none
		e.written()
		e.HangUp()
	}
	return open
}

// err returns what ended the epoch.
func (e *epoch) err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cause == nil {
		return ErrConnectionLost
	}
	return e.cause
}

// finish ends the epoch of a consumer that has stopped.
func (e *epoch) finish() {
	e.returnUnstarted(e.makeSure(e.hard)...)
	e.end(ErrDraining)
}

var errUnread = errors.New("the broker reads nothing, and the consumer must stop")

// boundWrites sees to it that Run returns in time though the broker reads
// nothing: whoever acknowledges or hands back would wait in a write until the
// connection's WriteTimeout, Run's own goroutine among them. So it hangs up in
// the end; nobody else can write on that connection either. What it returns must
// be called when nothing more is to be written.
func (e *epoch) boundWrites() (written func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(e.stopping, func() {
		defer close(ended)
		drain := time.AfterFunc(e.config.Drain, e.hurry)
		defer drain.Stop()
		t := time.NewTimer(e.config.Drain + drainGrace)
		defer t.Stop()
		select {
		case <-t.C:
		case <-e.hard.Done():
		case <-done:
			return
		}
		t.Reset(asking.Goodbye) // for what can be written
		select {
		case <-t.C:
			e.Session.Fail(errUnread)
		case <-done:
		}
	})
	return func() {
		close(done)
		if !stop() {
			<-ended
		}
	}
}

// dropBuffered forgets what has not been given to a worker. The broker, which
// has no acknowledgement for it, delivers it again.
func (e *epoch) dropBuffered() {
	if e.next != nil {
		e.next = nil
		e.settled()
	}
	for range e.aside {
		e.settled()
	}
	e.aside = nil
}
