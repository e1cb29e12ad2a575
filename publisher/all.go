package publisher

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/warren-mq/warren/connection"
)

// All publishes bodies to queue, and yields each with what became of it: nil, or
// an [*Error] as of [Publisher.Publish]. There is one result for each body that
// was taken from the sequence, in the order of the sequence.
//
//	for order, err := range publisher.All(ctx, p, "orders", slices.Values(orders)) {
//		if err != nil {
//			return fmt.Errorf("order %s: %w", order.ID, err)
//		}
//	}
//
// It does not wait for one confirm before it sends the next message, and has at
// most Config.Window in flight, whatever the length of the sequence. So an error
// says nothing of the bodies around it, and when the loop sees one, up to
// Config.Window later ones have been sent. Results that are there are yielded
// before the next body is taken; a sequence that pauses holds up the results
// that come meanwhile, not the messages.
//
// Messages are sent in the order of the sequence. Those that are sent again,
// because the connection was lost before their turn, may come later than others.
//
// If ctx has no deadline, each message has Config.Timeout (and up to a sixteenth
// more). When ctx ends, or the Publisher or its connection is closed, All takes
// no more bodies, and the result of the last one says why. So a loop that saw no
// error has seen the end of the sequence.
//
// Leaving the loop, and a panic in it, in the sequence or in the codec, ends
// the taking of bodies. All then waits for the outcome of what is in flight, as
// long as it would have otherwise, and only the monitor is told. End ctx first
// in order not to wait; then [Publisher.Flush] waits for the rest.
//
// A body that is a [Message] is sent as [Publisher.Publish] does it: that is how
// to give each its own headers, id or destination.
//
// Nothing happens before the result is ranged over, and nothing is left running
// after it. It can be ranged over as often as bodies can. Any number of All may
// run at once; they share the window.
func All[T any](ctx context.Context, p *Publisher, queue string, bodies iter.Seq[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		s := newStream[T](p)
		defer s.close()
		for body := range bodies {
			last := s.send(ctx, queue, body)
			for r := s.next(p.config.Window); r != nil; r = s.next(p.config.Window) {
				if !s.give(r, yield) {
					return
				}
			}
			if last {
				break
			}
		}
		for r := s.next(1); r != nil; r = s.next(1) {
			if !s.give(r, yield) {
				return
			}
		}
	}
}

// stream is one loop over All. The loop begins and ends the flights; a goroutine
// of the stream waits for them, in their order, because the loop cannot while
// the sequence has the word. A message whose channel dies before its turn, for
// one, is sent again by who waits for it.
type stream[T any] struct {
	publisher *Publisher
	deadline  deadline
	inFlight  int          // sent and not yet yielded
	free      []*result[T] // to be used again

	begun   chan *result[T]
	decided chan *result[T]
	waiter  sync.WaitGroup
}

// result is a body and its flight.
type result[T any] struct {
	flight
	body    T
	release context.CancelFunc // for the bound of those before; or nil
}

func newStream[T any](p *Publisher) *stream[T] {
	s := &stream[T]{
		publisher: p,
		begun:     make(chan *result[T], p.config.Window),
		decided:   make(chan *result[T], p.config.Window),
	}
	s.waiter.Go(s.wait)
	return s
}

// wait is the goroutine. Codec, monitor and sequence, which others wrote, are
// called by the loop: here a panic could not be caught.
func (s *stream[T]) wait() {
	for r := range s.begun {
		r.wait()
		s.decided <- r // has room for the whole window
	}
	close(s.decided)
}

// send begins the flight of one body. It returns true if no other will follow.
func (s *stream[T]) send(ctx context.Context, queue string, body T) (last bool) {
	var r *result[T]
	if n := len(s.free); n > 0 {
		r, s.free = s.free[n-1], s.free[:n-1]
	} else {
		r = new(result[T])
	}
	m := to(queue, body)
	bound, release := s.deadline.of(ctx, s.publisher)
	r.body, r.release = body, release
	r.flight = s.publisher.begin(bound, &m)
	last = r.pending == nil && isOver(ctx, r.err)
	s.inFlight++
	s.begun <- r // has room for the whole window
	return last
}

// isOver says whether err, of a message that was not sent, will be that of all
// that follow.
func isOver(ctx context.Context, err error) bool {
	ended := context.Cause(ctx)
	return ended != nil && errors.Is(err, ended) ||
		errors.Is(err, ErrClosed) || errors.Is(err, connection.ErrClosed)
}

// next returns the next result, or nil if there is none yet. It waits for one if
// at least so many are in flight.
func (s *stream[T]) next(atLeast int) *result[T] {
	if s.inFlight >= atLeast {
		return <-s.decided
	}
	select {
	case r := <-s.decided:
		return r
	default:
		return nil
	}
}

// give ends a flight and yields its result. It returns false if that was the
// last one that the loop wants.
func (s *stream[T]) give(r *result[T], yield func(T, error) bool) bool {
	s.inFlight--
	if r.release != nil {
		r.release()
	}
	body, err := r.body, s.publisher.end(&r.flight)
	*r = result[T]{}
	s.free = append(s.free, r)
	return yield(body, err)
}

// close waits for what is still in flight.
func (s *stream[T]) close() {
	close(s.begun)
	for r := range s.decided {
		_ = s.publisher.end(&r.flight)
	}
	s.waiter.Wait()
}

// deadline gives the messages of a stream their deadlines. A context of its own
// for each would be dear, so those that come soon after one another share one.
type deadline struct {
	ctx    context.Context //nolint:containedctx // lent to each message, and replaced by the next
	cancel context.CancelFunc
	until  time.Time // when the next context is due
}

// of returns the context for a message that begins now. If it is not that of
// the message before, release is to be called when all before have ended.
func (d *deadline) of(ctx context.Context, p *Publisher) (bound context.Context, release context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, nil
	}
	if now := time.Now(); d.ctx == nil || now.After(d.until) {
		release = d.cancel
		share := p.config.Timeout / 16
		d.until = now.Add(share)
		d.ctx, d.cancel = context.WithTimeoutCause(ctx, p.config.Timeout+share, p.late)
	}
	return d.ctx, release
}
