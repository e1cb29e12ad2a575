package monitoring

import (
	"context"
	"fmt"
	"math/bits"
	"runtime/debug"
	"sync/atomic"
)

// All makes one Monitor of several. It tells them one after the other, in the
// given order, in the goroutine of the caller. Monitors that are nil are left
// out, and an All among them counts as its members. It is safe for concurrent
// use if they are, and it allocates nothing.
//
// It is a [Starter] if one of its members is. Start calls are chained: each
// Starter gets the context that the one before it returned, and Observe gets
// the last. A Starter that returns nil, or panics, leaves the context as it was.
//
// A panic in a member is contained: the members after it are still told, and
// the caller does not notice. It is counted for that member and reported to the
// others as [MonitorPanicked]. If there is no other, or if each of them panics
// at the report, it is logged with slog.Default() at the 1st, 2nd, 4th, 8th...
// time. A panic at a report is counted and not reported. This holds for a
// single monitor, too: connections, consumers and publishers pass the monitor
// that they are given through All, so you need not.
//
// What cannot be contained is a fatal error of the runtime, such as a
// concurrent map write, and [runtime.Goexit], which ends the goroutine that the
// event happened in. Note that t.Fatal and t.FailNow of package testing call
// it: in a monitor use t.Error.
func All(monitors ...Monitor) Monitor {
	var members []*member
	starts := false
	for _, m := range monitors {
		switch m := m.(type) {
		case nil:
		case *fan:
			members = append(members, m.members...)
		case *starterFan:
			members, starts = append(members, m.members...), true
		case Starter:
			members, starts = append(members, &member{monitor: m, starter: m}), true
		default:
			members = append(members, &member{monitor: m})
		}
	}
	if starts {
		return &starterFan{fan{members}}
	}
	return &fan{members}
}

// fan is an All without a Starter. The two are types of their own because the
// callers look for a Starter, and prepare an Operation if there is one, for
// every message.
type fan struct{ members []*member }

func (f *fan) Observe(ctx context.Context, e Event) {
	_, isReport := e.(MonitorPanicked)
	for _, m := range f.members {
		if p := m.observe(ctx, e); p != nil && !isReport {
			f.report(ctx, m, p)
		}
	}
}

// report tells the others about a panic, or the default logger if nobody else
// has heard it.
func (f *fan) report(ctx context.Context, culprit *member, p *MonitorPanicked) {
	heard := false
	for _, m := range f.members {
		if m != culprit && m.observe(ctx, *p) == nil {
			heard = true
		}
	}
	if !heard {
		lastResort := member{monitor: Log(nil)}
		lastResort.observe(ctx, *p)
	}
}

// starterFan is an All of which at least one member is a Starter.
type starterFan struct{ fan }

func (f *starterFan) Start(ctx context.Context, op *Operation) context.Context {
	for _, m := range f.members {
		if m.starter == nil {
			continue
		}
		started, p := m.start(ctx, op)
		if p != nil {
			f.report(ctx, m, p)
		} else if started != nil {
			ctx = started
		}
	}
	return ctx
}

// member is one monitor of an All, and of those that contain it: they share
// the count.
type member struct {
	monitor Monitor
	starter Starter // monitor, if it is one; or nil
	panics  atomic.Int64
	noted   atomic.Int64 // bits.Len64 of panics at the last report with a stack
}

func (m *member) observe(ctx context.Context, e Event) (p *MonitorPanicked) {
	defer func() {
		if v := recover(); v != nil {
			p = m.panicked(v, e)
		}
	}()
	m.monitor.Observe(ctx, e)
	return nil
}

func (m *member) start(ctx context.Context, op *Operation) (started context.Context, p *MonitorPanicked) {
	defer func() {
		if v := recover(); v != nil {
			p = m.panicked(v, op)
		}
	}()
	return m.starter.Start(ctx, op), nil
}

// panicked counts and describes a panic. It must be called by the function that
// recovers, while the stack is still there.
func (m *member) panicked(value, told any) *MonitorPanicked {
	p := &MonitorPanicked{
		Monitor: fmt.Sprintf("%T", m.monitor),
		Event:   fmt.Sprintf("%T", told),
		Value:   value,
		Count:   m.panics.Add(1),
	}
	if _, isReport := told.(MonitorPanicked); !isReport && m.note(p.Count) {
		p.Stack = debug.Stack()
	}
	return p
}

// note says whether the count has reached another power of two since it last
// said so. It does not ask for the power itself: the count may pass it in a
// panic that is not reported.
func (m *member) note(count int64) bool {
	length := int64(bits.Len64(uint64(count)))
	for {
		noted := m.noted.Load()
		if length <= noted {
			return false
		}
		if m.noted.CompareAndSwap(noted, length) {
			return true
		}
	}
}
