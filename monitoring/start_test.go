package monitoring_test

import (
	"context"
	"strings"
	"testing"

	"github.com/warren-mq/warren/monitoring"
)

// tracer is a Starter that adds its name to the trail in the context.
type tracer struct {
	recorder
	start func(context.Context) context.Context // instead, if it is set
}

type trailKey struct{}

func trail(ctx context.Context) string {
	s, _ := ctx.Value(trailKey{}).(string)
	return s
}

func (t tracer) Start(ctx context.Context, op *monitoring.Operation) context.Context {
	if t.start != nil {
		return t.start(ctx)
	}
	return context.WithValue(ctx, trailKey{}, trail(ctx)+">"+t.name+"("+op.Queue+")")
}

func TestAllIsAStarterOnlyIfAMemberIs(t *testing.T) {
	var told []string
	plain, starter := recorder{"a", &told}, tracer{recorder: recorder{"b", &told}}
	for _, c := range []struct {
		name string
		m    monitoring.Monitor
		want bool
	}{
		{"nothing", monitoring.All(), false},
		{"plain monitors", monitoring.All(plain, monitoring.All(plain), monitoring.Log(nil), monitoring.Discard{}), false},
		{"a starter", monitoring.All(starter), true},
		{"a starter among others", monitoring.All(plain, starter), true},
		{"a starter in an All", monitoring.All(plain, monitoring.All(monitoring.All(starter), plain)), true},
	} {
		if _, ok := c.m.(monitoring.Starter); ok != c.want {
			t.Errorf("%s: a Starter: %v", c.name, ok)
		}
	}
}

func TestAllChainsStart(t *testing.T) {
	out := captureDefault(t)
	var told []string
	k := &keeper{}
	returns := func(ctx context.Context) func(context.Context) context.Context {
		return func(context.Context) context.Context { return ctx }
	}
	a, b := tracer{recorder: recorder{"a", &told}}, tracer{recorder: recorder{"b", &told}}
	none := tracer{recorder: recorder{"none", &told}, start: returns(nil)}
	bang := tracer{recorder: recorder{"bang", &told}, start: func(context.Context) context.Context { panic("boom") }}
	var seen string
	last := monitoring.Func(func(ctx context.Context, e monitoring.Event) {
		if _, ok := e.(monitoring.Acked); ok {
			seen = trail(ctx)
		}
	})
	m := monitoring.All(none, a, monitoring.All(recorder{"plain", &told}, bang, b), none, k, last)
	ctx := m.(monitoring.Starter).Start(t.Context(), &monitoring.Operation{Kind: monitoring.Process, Queue: "orders"})
	if got, want := trail(ctx), ">a(orders)>b(orders)"; got != want {
		t.Errorf("the context went %q, want %q", got, want)
	}
	m.Observe(ctx, monitoring.Acked{})
	if seen != trail(ctx) {
		t.Errorf("Observe saw %q", seen)
	}
	if len(k.reports) != 1 || k.reports[0].Event != "*monitoring.Operation" ||
		k.reports[0].Monitor != "monitoring_test.tracer" || k.reports[0].Count != 1 {
		t.Errorf("reports: %+v", k.reports)
	}

	alone := monitoring.All(bang).(monitoring.Starter)
	if got := alone.Start(ctx, &monitoring.Operation{}); got != ctx {
		t.Error("a panic changed the context")
	}
	if !strings.Contains(out.String(), "event=*monitoring.Operation panic=boom") {
		t.Errorf("logged %q", out)
	}
	if got := monitoring.All(none).(monitoring.Starter).Start(ctx, &monitoring.Operation{}); got != ctx {
		t.Error("a nil context changed the context")
	}
}
