package avrocodec

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hamba/avro/v2"
)

// found is what the registry has answered.
type found struct {
	schema avro.Schema
	id     uint32
}

// missed is that the registry has it not.
type missed struct {
	err   error
	until time.Time
}

// A flight is one request that several wait for. Its fields are set before done is closed.
type flight struct {
	done  chan struct{}
	found found
	err   error
}

var (
	errFull   = errors.New("too many ids that it does not have were asked for")
	errPaused = errors.New("it has just failed")
)

// once answers from what is known, or lets one caller ask. The others wait for that one, or until their own context
// ends. The one that asks does not stop at the end of its own: the others need the answer, and it comes in bounded time.
func (r *Registry) once(ctx context.Context, key string, ask func(context.Context) (found, error)) (found, error) {
	f, mine, err := r.join(key)
	if f == nil {
		return known(err)
	}
	if mine {
		r.fly(ctx, key, f, ask)
		return f.found, f.err
	}
	select {
	case <-f.done:
		return f.found, f.err
	case <-ctx.Done():
		return found{}, unavailable(context.Cause(ctx))
	}
}

// answer carries what was found through join's error.
type answer struct{ found }

func (answer) Error() string { return "" }

func known(err error) (found, error) {
	if a, ok := err.(answer); ok { //nolint:errorlint // join's own
		return a.found, nil
	}
	return found{}, err
}

func (r *Registry) join(key string) (f *flight, mine bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if have, ok := r.found[key]; ok {
		return nil, false, answer{have}
	}
	now := time.Now()
	if m, ok := r.missed[key]; ok && now.Before(m.until) {
		return nil, false, m.err
	}
	if f := r.flights[key]; f != nil {
		return f, false, nil
	}
	if now.Before(r.down) {
		return nil, false, unavailable(fmt.Errorf("%w: %w", errPaused, r.why))
	}
	if !r.roomForMiss(now) {
		return nil, false, unavailable(errFull)
	}
	f = &flight{done: make(chan struct{})}
	r.flights[key] = f
	return f, true, nil
}

// roomForMiss says whether another miss could be remembered. Those that are over make room.
func (r *Registry) roomForMiss(now time.Time) bool {
	if len(r.missed)+len(r.flights) < maxMisses {
		return true
	}
	for key, m := range r.missed {
		if !now.Before(m.until) {
			delete(r.missed, key)
		}
	}
	return len(r.missed)+len(r.flights) < maxMisses
}

// fly asks, and keeps the answer.
func (r *Registry) fly(ctx context.Context, key string, f *flight, ask func(context.Context) (found, error)) {
	f.err = errors.New("schema registry: the request panicked") // unless it returns
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.flights, key)
		now := time.Now()
		var failed *unavailableError
		switch {
		case f.err == nil:
			delete(r.missed, key)
			if len(r.found) >= r.config.MaxSchemas {
				for other := range r.found { // any
					delete(r.found, other)
					break
				}
			}
			r.found[key] = f.found
		case errors.As(f.err, &failed):
			r.down, r.why = now.Add(pause), failed.why
		default:
			r.missed[key] = missed{err: f.err, until: now.Add(r.config.Forget)}
		}
		close(f.done)
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.config.Timeout)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
		f.found, f.err = ask(ctx)
	case <-ctx.Done():
		f.err = unavailable(ctx.Err())
	}
}
