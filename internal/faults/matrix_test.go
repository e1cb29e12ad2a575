//go:build linux || darwin

package faults_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/warren-mq/warren/internal/faults"
	"github.com/warren-mq/warren/internal/rabbitmq"
)

// matrix is every fault that a run of its own injects.
var matrix = slices.Concat(brokerFaults, networkFaults, slowFaults, accessFaults, queueFaults, accountFaults, lifeFaults, shutdownFaults, messageFaults, []fault{headerFault})

// rowOrder is that of the table.
func rowOrder() []string {
	return slices.Concat(names(matrix), names(clusterFaults), []string{flooding, atRandom, byHandName})
}

// TestFaults injects each fault while messages flow, one after the other on the same node. Nothing may be lost or
// made up, and nothing left running.
func TestFaults(t *testing.T) {
	t.Parallel()
	a, conf := newAccess(t)
	node := rabbitmq.Private(t, rabbitmq.Options{Name: "faults", Advanced: advanced, Conf: conf})
	for _, f := range matrix {
		if !f.short && !*full {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			defer noteFailure(t, node, f.name)
			record(t, node, f.name, false, f.run(t, a, node))
		})
	}
}

// advanced makes the broker look once a second for what has taken too long.
const advanced = "[{rabbit, [{channel_tick_interval, 1000}]}]."

// run is a run with that fault.
func (f fault) run(t *testing.T, a *access, node *rabbitmq.Node, others ...*rabbitmq.Node) faults.Verdict {
	t.Helper()
	cfg := usualConfig()
	if f.config != nil {
		f.config(&cfg)
	}
	mix := f.mix
	if mix == nil {
		mix = usual
	}
	b := newBenchOver(t, f.over, a, node, mix, cfg, others...)
	b.timers, b.look, b.entry = f.timers, f.look, f.entry
	if f.children {
		b.children = append(b.children, startChild(b, f.death), startChild(b, ""))
	} else {
		b.consume()
	}
	b.publish()
	b.flow()
	for range max(1, f.n) {
		if f.quiet {
			b.quiet()
			b.empty()
		}
		f.inject(b)
		nap(context.Background(), f.hold)
		if f.undo != nil {
			f.undo(b)
		}
		b.ledger.Mark(time.Now())
		if f.quiet {
			b.publish()
		}
		b.flow()
	}
	v := b.finish()
	if f.check != nil {
		f.check(b, v)
	}
	return v
}

// flow waits until messages are handled, and for a second of that.
func (b *bench) flow() {
	b.t.Helper()
	before := b.ledger.Done()
	b.eventually("messages flow", time.Minute, func() bool { return b.ledger.Done() > before+20 })
	nap(context.Background(), time.Second)
}
