package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/confirm"
)

// shift is how long a sweep holds entries before it gives back those that it
// leaves and begins again: others want to see them, and after 30 minutes the
// broker would take them back.
const shift = 10 * time.Minute

// errGone is the cause that ends the work of a pass whose channel is lost.
var errGone = errors.New("the channel is gone")

// sweep goes through the queue and does something with each entry that is
// meant: it publishes it, or else calls do, and removes it from the queue unless
// it keeps it.
type sweep struct {
	*action
	// spare says that an entry is not meant, whatever the filter says. It may be
	// nil.
	spare func(*Entry) bool
	// message returns what is published. The error is about the entry. Nil if
	// nothing is published.
	message func(*Entry) (confirm.Message, error)
	// do is what is done where nothing is published; it may be nil.
	do func(*Entry) error
	// keeps leaves the entries in the queue.
	keeps bool
	// doomed says why nothing can be published, if that is known without trying.
	doomed error

	pass    *pass
	gone    int  // how many entries the passes before have removed
	counted bool // Total is known
	courier *courier
	given   noted // what goes back to the queue
	large   int   // the largest entry of a pass that was overfull, in bytes
}

// run carries the sweep out. The error says why it ended early.
func (s *sweep) run(ctx context.Context) error {
	if err := s.o.check(); err != nil {
		return err
	}
	s.given = newNoted()
	if s.message != nil && !s.o.DryRun {
		s.courier = newCourier(s.q.conn, s.settle, s.waits)
		defer s.courier.close()
	}
	for {
		again, err := s.once(ctx)
		if err != nil || !again {
			return err
		}
	}
}

// once makes one pass. It returns whether there should be another.
func (s *sweep) once(ctx context.Context) (again bool, err error) {
	p, err := s.q.begin(ctx, s.large)
	if err != nil {
		return false, err
	}
	s.pass, s.gone = p, s.Seen-len(s.given.keys)
	s.measure()
	defer func() {
		if e := p.end(ctx); err == nil {
			err = e
		}
	}()

	// Nothing is published any more once the channel is lost: nobody could
	// remove the entry from the queue then, and it would be a certain duplicate.
	lost := make(chan *amqp.Error, 1)
	p.NotifyClose(lost)
	working, stop := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-lost: //nolint:errcheck // why is asked when it matters
			stop(errGone)
		case <-working.Done():
		}
	}()
	defer func() {
		stop(nil)
		<-watched
	}()

	again, err = s.work(working)
	if s.courier != nil {
		s.courier.drain(working, errGone)
	}
	if errors.Is(err, errGone) {
		err = p.lost(ctx, err)
	}
	return again, err
}

// work takes the entries of a pass.
func (s *sweep) work(ctx context.Context) (again bool, err error) {
	known, before := s.given.known(), s.Seen
	for (s.Seen < s.Total || !s.counted) && !s.full() {
		if s.Seen > before && time.Since(s.pass.began) > shift { // or there would be no end to it
			return true, nil
		}
		if s.courier != nil {
			s.courier.collect()
		}
		h, err := s.pass.next(ctx)
		s.measure()
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case errors.Is(err, errOverfull):
			s.large = s.pass.large
			return true, nil
		case err != nil:
			return false, err
		}
		if known(&h.Message) { // it was given back by a pass before
			continue
		}
		s.Seen++
		if err := s.entry(ctx, h); err != nil {
			return false, err
		}
		s.note()
	}
	return false, nil
}

// measure learns how many entries there were at the beginning: a busy queue may
// tell only while it is read, or when it is read again.
func (s *sweep) measure() {
	if !s.counted {
		s.Total = max(s.Total, s.gone+s.pass.total)
		s.counted = !s.pass.uncounted
	}
}

// entry does what is to be done with an entry, or begins with it. The error ends
// the call.
func (s *sweep) entry(ctx context.Context, h *held) error {
	meant, err := s.o.Filter.selects(h.Entry)
	if err == nil && meant && s.spare != nil {
		meant = !s.spare(&h.Entry)
	}
	if err == nil && !meant {
		s.leave(h)
		return nil
	}
	s.Matched++
	var m confirm.Message
	if err == nil && s.message != nil {
		m, err = s.message(&h.Entry)
	}
	if err == nil {
		err = s.doomed
	}
	if err != nil {
		s.fail(h.ID, err)
		s.leave(h)
		return nil
	}
	if s.o.DryRun {
		s.leave(h)
		return nil
	}
	if err := s.wait(ctx); err != nil {
		return err
	}
	if s.message != nil {
		return s.courier.publish(ctx, m, parcel{id: h.ID, held: h, size: h.Message.size()})
	}
	if s.do != nil {
		err = s.do(&h.Entry)
	}
	if isFatal(err) {
		return err
	}
	s.settle(parcel{id: h.ID, held: h, err: err})
	return nil
}

// wait waits for an entry's turn. The error is ctx's.
func (s *sweep) wait(ctx context.Context) error {
	d := s.pace.wait(time.Now())
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case d == 0:
		return nil
	case s.courier != nil:
		return s.courier.sleep(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// settle does what follows when an entry is where it should be, or is not.
func (s *sweep) settle(p parcel) {
	defer s.note()
	switch {
	case p.err == nil && s.keeps:
		s.Done++
		s.leave(p.held)
	case p.err == nil:
		if err := s.pass.ack(p.held); err != nil {
			if s.message != nil {
				err = fmt.Errorf("it was published, and stays as well: %w", err)
			}
			s.fail(p.id, err)
			return
		}
		s.Done++
	case p.unsent:
		s.leave(p.held)
	default:
		s.fail(p.id, stays(p.err))
		s.leave(p.held)
	}
}

// leave notes an entry that the end of the pass gives back.
func (s *sweep) leave(h *held) { s.given.add(&h.Message) }
