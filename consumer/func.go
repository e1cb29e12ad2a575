package consumer

import (
	"context"
	"errors"
	"reflect"
	"time"
)

// Func makes a [Handler] of a function that returns an error, for those who
// prefer it:
//
//   - nil is Ack
//   - an error made by [Permanent] is Error
//   - an error that carries a wait, such as one made by [After], is Defer: any
//     error in its chain with a method RetryAfter() time.Duration
//   - any other error is Retry
//
// The rules apply in this order, to errors that are wrapped, too.
func Func[T any](f func(context.Context, Message[T]) error) Handler[T] {
	if f == nil {
		return nil // New refuses it
	}
	pc := reflect.ValueOf(f).Pointer()
	return func(ctx context.Context, m Message[T]) Outcome {
		o := outcomeOf(f(ctx, m))
		o.pc = pc
		return o
	}
}

func outcomeOf(err error) Outcome {
	if err == nil {
		return Ack()
	}
	var permanent *permanentError
	if errors.As(err, &permanent) {
		return Error(err)
	}
	var wait interface{ RetryAfter() time.Duration }
	if errors.As(err, &wait) {
		return Defer(wait.RetryAfter(), err)
	}
	return Retry(err)
}

// Permanent marks err as one that trying again will not mend. See [Func]. It
// returns nil for nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// After makes err carry a wait. See [Func]. It returns nil for nil.
func After(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &waitError{err, d}
}

type waitError struct {
	err  error
	wait time.Duration
}

func (e *waitError) Error() string             { return e.err.Error() }
func (e *waitError) Unwrap() error             { return e.err }
func (e *waitError) RetryAfter() time.Duration { return e.wait }
