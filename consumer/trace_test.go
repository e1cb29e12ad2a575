package consumer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

// tracer is a Starter that sets the trace on the first attempt, and notes what it finds.
type tracer struct {
	monitoring.Discard
	set string

	mu    sync.Mutex
	found []string
	last  monitoring.Operation
}

func (t *tracer) Start(ctx context.Context, op *monitoring.Operation) context.Context {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.found, t.last = append(t.found, op.Trace), *op
	if op.Attempt == 1 {
		op.Trace = t.set
	}
	return ctx
}

func (t *tracer) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.found)
}

func TestATraceGoesWithTheMessage(t *testing.T) {
	onBoth(t, func(t *testing.T, k *kit) {
		for _, c := range []struct{ set, kept string }{{"00-abc-1", "00-abc-1"}, {strings.Repeat("x", 256), ""}} {
			m := &tracer{set: c.set}
			r := run(k, func(context.Context, consumer.Message[string]) consumer.Outcome {
				return consumer.Retry(errors.New("no"))
			}, consumer.Config{Retry: retry.Fixed(2, 50*time.Millisecond), Monitor: m})
			k.publish(text("1", `"x"`))
			d := k.take(topology.ErrorQueue(k.queue), 1)[0]
			must(t, r.stop())
			if got := m.all(); !slices.Equal(got, []string{"", c.kept, c.kept}) {
				t.Errorf("found %q", got)
			}
			if op := m.last; op.Kind != monitoring.Process || op.Queue != k.queue || op.Key != k.queue || op.MessageID != "1" ||
				op.Attempt != 3 || op.BodySize != 3 || op.Headers["warren-attempt"] == nil {
				t.Errorf("it starts with %+v", op)
			}
			if got, _ := d.Headers["warren-trace"].(string); got != c.kept {
				t.Errorf("the error queue has %q", got)
			}
		}
	})
}
