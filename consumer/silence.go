package consumer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// silence is what an epoch does about a queue that sends nothing. Mostly there
// is nothing to send. But RabbitMQ does not tell a consumer that its queue's
// process is dead, so who has nothing in work, and has heard nothing for a while,
// asks the queue how it is.
type silence struct {
	due      <-chan time.Time // time to look; nil: never
	timer    *time.Timer
	interval time.Duration
	heard    uint64      // the last delivery when the timer was set
	answers  chan answer // to the one question that is open
	doubts   int         // answers in a row that are none of a queue that serves us
}

const (
	defaultSilence = time.Minute
	// believed is how many answers in a row must be wrong. One may be an
	// accident.
	believed = 3
	// sooner is by how much sooner an answer is asked for again that was wrong.
	sooner = 6
	// busy is how much longer than a round trip an answer takes that tells
	// nothing: a quorum queue that has not answered after 250 ms is said to be
	// empty and without consumers.
	busy = 200 * time.Millisecond
	// unanswered is how long an answer may take.
	unanswered = 10 * time.Second
	// unserved is for how long the broker may fail with subscriptions, as it does
	// for a moment after it has started, until the queue is taken for silent.
	unserved = 30 * time.Second
)

// listen begins to wait. Where there are no heartbeats nobody wants to know, and
// in a bubble of testing/synctest a clock that never stands still would hide
// that a test waits in vain.
func (e *epoch) listen() {
	s := &e.silence
	if s.interval = e.config.Silence; s.interval < 0 || e.Session.Heartbeat() == 0 {
		return
	}
	s.answers = make(chan answer, 1)
	s.timer = time.NewTimer(spread(s.interval))
	s.due = s.timer.C
}

// spread returns about d, so that the consumers of a program do not all ask at
// once.
func spread(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2+1) }

func (s *silence) stop() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// again looks again after about d.
func (s *silence) again(d time.Duration, heard uint64) {
	s.heard = heard
	s.timer.Reset(spread(d))
}

// quiet tells whether nothing is in work and nothing has come since the timer was
// set, though it should.
func (e *epoch) quiet() bool {
	return e.silence.heard == e.latest && e.open.Load() == 0 && e.subscribed()
}

// look is called when the timer fires, and asks if it was quiet.
func (e *epoch) look() {
	s := &e.silence
	if !e.quiet() {
		s.doubts = 0
		s.again(s.interval, e.latest)
		return
	}
	e.questions.Go(func() { s.answers <- e.inquire() })
}

// answer is what a queue says about itself.
type answer struct {
	err       error // it does not, because of that
	told      bool  // what follows is true
	consumers int
	ready     int
	forbidden bool // we may not ask
}

// inquire asks the queue, on a channel of its own: a refusal closes it. A queue
// that does not answer is not waited for, and must not end the connection that
// others share. What goes wrong otherwise is about the connection, which has its
// own watch.
func (e *epoch) inquire() answer {
	began := time.Now()
	ch, err := e.Session.Channel(e.over)
	if err != nil {
		return answer{}
	}
	roundTrip := time.Since(began)
	ctx, cancel := context.WithTimeoutCause(e.over, unanswered, errDumb)
	defer cancel()
	var q amqp.Queue
	var took time.Duration
	err = e.Session.DoPatiently(ctx, func() error {
		defer func() { _ = ch.Close() }()
		began := time.Now()
		found, err := ch.QueueDeclarePassive(e.queue, true, false, false, false, nil)
		q, took = found, time.Since(began)
		return err
	})
	var refused *amqp.Error
	switch {
	case err == nil:
		return answer{told: took < roundTrip+busy, consumers: q.Consumers, ready: q.Messages}
	case errors.Is(err, errDumb):
		return answer{err: err}
	case !errors.As(err, &refused) || !refused.Server:
		return answer{}
	case refused.Code == amqp.AccessRefused:
		return answer{forbidden: true}
	default:
		return answer{err: declareError(checkQueue(e.plan.Main), err)}
	}
}

var (
	errForgotten = errors.New("it says that it has no consumers")
	errDumb      = fmt.Errorf("it has not answered within %v", unanswered)
)

// weigh returns an error once the queue is known not to serve us. To end the
// epoch then costs nothing, since nothing is in work.
func (e *epoch) weigh(a answer) error {
	s := &e.silence
	e.counted = e.counted || a.consumers > 0
	var doubt error
	switch {
	case !e.quiet():
	case a.forbidden:
		// It has been allowed to consume, and consumes: that is all that can be
		// said. So it asks no more.
		return nil
	case a.err != nil:
		doubt = a.err
	case !a.told:
		s.again(s.interval, e.latest)
		return nil
	case a.consumers == 0 && (e.counted || e.config.Declare == DeclareAll):
		// A queue that somebody else has declared may be a stream, which never
		// counts its consumers.
		doubt = errForgotten
	case a.ready > 0 && e.config.Declare == DeclareAll:
		// A queue that somebody else has declared may have a single active
		// consumer, and then the others get nothing.
		doubt = fmt.Errorf("it has %d messages, and sends none", a.ready)
	}
	if doubt == nil {
		s.doubts = 0
		s.again(s.interval, e.latest)
		return nil
	}
	if s.doubts++; s.doubts >= believed {
		return fmt.Errorf("%w: %s: %w", ErrSilent, e.queue, doubt)
	}
	s.again(s.interval/sooner, e.latest)
	return nil
}

// toldOfSilence returns err as part of a silence that it belongs to, and notes a
// silence that begins with it: the broker has failed for long with the
// subscription, which ends the whole connection.
func (r *run) toldOfSilence(err error) error {
	switch {
	case errors.Is(err, ErrSilent):
		r.silent = true
		return err
	case r.silent:
		return fmt.Errorf("%w: %w", ErrSilent, err)
	case !unserving(err):
		return err
	case r.unserved.IsZero():
		r.unserved = time.Now()
	case time.Since(r.unserved) > unserved:
		r.silent = true
		return fmt.Errorf("%w: %w", ErrSilent, err)
	}
	return err
}

// unserving tells whether the broker has failed with what it was asked, as it does
// when somebody subscribes to a quorum queue that is not up.
func unserving(err error) bool {
	var e *amqp.Error
	return errors.As(err, &e) && e.Server && e.Code == amqp.InternalError
}
