package warrenfx

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/fx"
)

// Fx gives all hooks one deadline, and what has not begun by then is left out: if the consumers waited for a stuck handler
// until it, the publisher would not be flushed, nor the connection closed. So each hook ends some parts before: consumers
// five, since saying goodbye to a broker that is silent takes them two, publisher three, connection two, monitors one,
// which is left for the hooks of others. A start ends two before: one part is for stopping again what has begun, one for
// Fx to be told why, or it says no more than that it is late.

// part is how much of the time that is left is kept for each of those who follow.
func part(left time.Duration) time.Duration { return min(left/30, 500*time.Millisecond) }

// starting returns the context of a start. Without a deadline it gets that which Fx gives by default.
func starting(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); !ok {
		return context.WithTimeoutCause(ctx, fx.DefaultTimeout, lateError{fx.DefaultTimeout})
	}
	return leave(ctx, 2)
}

// leave returns ctx with its deadline put forward by so many parts. Without a deadline it is ctx.
func leave(ctx context.Context, parts int) (context.Context, context.CancelFunc) {
	at, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(at)
	mine := left - time.Duration(parts)*part(left)
	return context.WithTimeoutCause(ctx, mine, lateError{mine})
}

// lateError is the cause of a context that leave has made.
type lateError struct{ after time.Duration }

func (e lateError) Error() string {
	return fmt.Sprintf("not within the %v that Fx leaves for it", e.after.Round(time.Millisecond))
}

// Unwrap tells that it is the end of a time.
func (lateError) Unwrap() error { return context.DeadlineExceeded }
