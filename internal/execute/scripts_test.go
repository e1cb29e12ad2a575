package execute_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/internal/execute"
)

var errGone = errors.New("gone")

type key struct{}

// made is a context to look at, with what ends it.
type made struct {
	ctx       context.Context
	end       func()
	endParent func(error)
}

// lazy and eager make the same context, ours and that of package context.
func lazy() made {
	parent, endParent := context.WithCancelCause(context.WithValue(context.Background(), key{}, "value"))
	d := execute.NewDeadline(parent, time.Now().Add(10*time.Second))
	return made{d, d.End, endParent}
}

func eager() made {
	parent, endParent := context.WithCancelCause(context.WithValue(context.Background(), key{}, "value"))
	ctx, cancel := context.WithDeadline(parent, time.Now().Add(10*time.Second))
	return made{ctx, cancel, endParent}
}

// look tells all that can be seen of a context.
func look(ctx context.Context) string {
	done := false
	select {
	case <-ctx.Done():
		done = true
	default:
	}
	at, ok := ctx.Deadline()
	return fmt.Sprintf("err %v, cause %v, done %v, value %v, none %v, deadline %v %v",
		ctx.Err(), context.Cause(ctx), done, ctx.Value(key{}), ctx.Value("none"), time.Until(at), ok)
}

// watch derives what a handler may derive, and notes when each ends.
func watch(ctx context.Context, note func(string, ...any)) (release func()) {
	began := time.Now()
	child, cancel := context.WithCancel(ctx)
	timed, cancelTimed := context.WithTimeout(ctx, 20*time.Second)
	valued := context.WithValue(ctx, "k", "v") //nolint:revive,staticcheck // just a key
	stop := context.AfterFunc(ctx, func() { note("AfterFunc at %v", time.Since(began)) })
	var wg sync.WaitGroup
	for name, c := range map[string]context.Context{"child": child, "timed": timed, "valued": valued} {
		wg.Go(func() {
			<-c.Done()
			note("%s at %v: %v, %v", name, time.Since(began), c.Err(), context.Cause(c))
		})
	}
	return func() {
		cancel()
		cancelTimed()
		stop()
		wg.Wait()
	}
}

// A handler cannot tell the lazy context from one of package context, whatever is done to it, in whatever order, and
// whenever it looks first.
func TestDeadlineInAnyOrder(t *testing.T) {
	// Each letter is one step: e: end, p: the parent ends, w: wait until just before the deadline, d: until just after
	// it, l: look, c: derive. (Not among them: the time is up, then the parent ends, and nobody has looked in between.)
	for _, script := range []string{
		"l", "el", "pl", "wl", "dl", "wdl", "lel", "lpl", "ldl", "cl", "cel", "cpl", "cdl", "ecl", "pcl", "dcl",
		"epl", "edl", "eldl", "pel", "pdl", "pedl", "del", "lepl", "ledl", "lpdl", "ldpl",
		"cepl", "cdpl", "cpdl", "wpdl", "wedl", "wepdl", "ecdl", "elcpl",
	} {
		t.Run(script, func(t *testing.T) {
			play := func(newMade func() made) string {
				var (
					mu   sync.Mutex
					told []string
				)
				note := func(format string, args ...any) {
					mu.Lock()
					defer mu.Unlock()
					told = append(told, fmt.Sprintf(format, args...))
				}
				var lines []string
				synctest.Test(t, func(*testing.T) {
					m := newMade()
					began := time.Now()
					for _, step := range script {
						switch step {
						case 'e':
							m.end()
						case 'p':
							m.endParent(errGone)
						case 'w':
							time.Sleep(9*time.Second - time.Since(began))
						case 'd':
							time.Sleep(11*time.Second - time.Since(began))
						case 'l':
							synctest.Wait()
							lines = append(lines, look(m.ctx))
						case 'c':
							release := watch(m.ctx, note)
							defer release()
							synctest.Wait()
						}
					}
					synctest.Wait()
					m.end()
					m.endParent(nil)
				})
				mu.Lock()
				defer mu.Unlock()
				slices.Sort(told)
				return strings.Join(append(lines, told...), "\n")
			}
			want, got := play(eager), play(lazy)
			if got != want {
				t.Errorf("it shows\n%s\nwhere package context shows\n%s", got, want)
			}
		})
	}
}

func TestDeadlineConcurrently(t *testing.T) {
	for range 200 {
		d := execute.NewDeadline(t.Context(), time.Now().Add(time.Millisecond))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { <-d.Done() })
			wg.Go(func() {
				for d.Err() == nil {
					_ = d.Value(key{})
				}
			})
			wg.Go(func() {
				ctx, cancel := context.WithCancel(d)
				defer cancel()
				<-ctx.Done()
				_ = context.Cause(d)
			})
		}
		wg.Go(d.End)
		wg.Wait()
	}
}

// The parent's own deadline, if it is earlier, is what counts.
func TestDeadlineOfParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		d := execute.NewDeadline(parent, time.Now().Add(time.Minute))
		defer d.End()
		if at, ok := d.Deadline(); !ok || time.Until(at) != time.Second {
			t.Errorf("Deadline is in %v", time.Until(at))
		}
		time.Sleep(2 * time.Second)
		if !errors.Is(d.Err(), context.DeadlineExceeded) || d.Expired() {
			t.Errorf("Err is %v, Expired %v", d.Err(), d.Expired())
		}
	})
}

// Nobody waits, so nothing is started: that is what it is for.
func TestDeadlineCostsNothing(t *testing.T) {
	n := testing.AllocsPerRun(100, func() {
		d := execute.NewDeadline(context.Background(), time.Now().Add(time.Minute))
		if d.Err() != nil {
			t.Error(d.Err())
		}
		d.End()
	})
	if n > 1 {
		t.Errorf("%v allocations, not 1", n)
	}
}
