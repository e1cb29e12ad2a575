package execute_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/internal/execute"
)

type keyType struct{}

var errCause = errors.New("the consumer is stopping")

// A Deadline behaves like context.WithDeadline. Each script runs with both, and must see the same.
func TestDeadlineIsLikeTheReal(t *testing.T) {
	type script func(t *testing.T, ctx context.Context, endParent func(error), end func()) []any
	waited := func(ctx context.Context) any {
		select {
		case <-ctx.Done():
			return true
		default:
			return false
		}
	}
	for name, run := range map[string]script{
		"nothing happens": func(_ *testing.T, ctx context.Context, _ func(error), _ func()) []any {
			return []any{ctx.Err(), waited(ctx), context.Cause(ctx), ctx.Value(keyType{}), ctx.Value("other")}
		},
		"the time is up": func(_ *testing.T, ctx context.Context, _ func(error), _ func()) []any {
			time.Sleep(time.Minute)
			return []any{ctx.Err(), context.Cause(ctx), waited(ctx)}
		},
		"the time is up while someone waits": func(_ *testing.T, ctx context.Context, _ func(error), _ func()) []any {
			<-ctx.Done()
			return []any{ctx.Err(), context.Cause(ctx), time.Now()}
		},
		"the parent ends": func(_ *testing.T, ctx context.Context, endParent func(error), _ func()) []any {
			endParent(errCause)
			synctest.Wait()
			return []any{ctx.Err(), context.Cause(ctx), waited(ctx)}
		},
		"the parent ends while someone waits": func(_ *testing.T, ctx context.Context, endParent func(error), _ func()) []any {
			time.AfterFunc(time.Second, func() { endParent(errCause) })
			<-ctx.Done()
			return []any{ctx.Err(), context.Cause(ctx), time.Now()}
		},
		"it ends": func(_ *testing.T, ctx context.Context, _ func(error), end func()) []any {
			end()
			return []any{ctx.Err(), context.Cause(ctx), waited(ctx)}
		},
		"it ends after someone has waited": func(_ *testing.T, ctx context.Context, endParent func(error), end func()) []any {
			done := ctx.Done()
			end()
			<-done
			endParent(errCause)
			time.Sleep(time.Hour)
			return []any{ctx.Err(), context.Cause(ctx)}
		},
		"it has children": func(_ *testing.T, ctx context.Context, endParent func(error), _ func()) []any {
			child, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			at, ok := child.Deadline()
			ended := false
			stop := context.AfterFunc(child, func() { ended = true })
			endParent(errCause)
			synctest.Wait()
			return []any{at, ok, child.Err(), context.Cause(child), ended, stop()}
		},
		"a child outlives its time": func(_ *testing.T, ctx context.Context, _ func(error), _ func()) []any {
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			<-child.Done()
			return []any{child.Err(), context.Cause(child)}
		},
		"a child without cancel": func(_ *testing.T, ctx context.Context, _ func(error), end func()) []any {
			child := context.WithoutCancel(ctx)
			end()
			return []any{child.Err(), child.Value(keyType{}), context.Cause(child)}
		},
		"the deadline": func(_ *testing.T, ctx context.Context, _ func(error), _ func()) []any {
			at, ok := ctx.Deadline()
			return []any{at, ok}
		},
	} {
		t.Run(name, func(t *testing.T) {
			observe := func(begin func(parent context.Context, at time.Time) (context.Context, func())) (seen []any) {
				synctest.Test(t, func(t *testing.T) {
					parent, endParent := context.WithCancelCause(context.WithValue(t.Context(), keyType{}, "value"))
					defer endParent(nil)
					ctx, end := begin(parent, time.Now().Add(10*time.Second))
					defer end()
					seen = run(t, ctx, endParent, end)
				})
				return seen
			}
			want := observe(func(parent context.Context, at time.Time) (context.Context, func()) {
				ctx, cancel := context.WithDeadline(parent, at)
				return ctx, cancel
			})
			got := observe(func(parent context.Context, at time.Time) (context.Context, func()) {
				ctx := execute.NewDeadline(parent, at)
				return ctx, ctx.End
			})
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("%d: %v, the real one has %v", i, got[i], want[i])
				}
			}
		})
	}
}

func TestDeadlineOfAnEarlierParent(t *testing.T) {
	at := time.Now().Add(time.Second)
	parent, cancel := context.WithDeadline(t.Context(), at)
	defer cancel()
	d := execute.NewDeadline(parent, at.Add(time.Hour))
	defer d.End()
	if got, ok := d.Deadline(); !ok || !got.Equal(at) {
		t.Errorf("%v, want %v", got, at)
	}
}

func TestExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := execute.NewDeadline(t.Context(), time.Now().Add(time.Second))
		d.End()
		if d.Expired() {
			t.Error("it says that the time is up when it was ended")
		}
		time.Sleep(time.Second)
		if !d.Expired() {
			t.Error("it does not say that the time is up")
		}
	})
}
