//go:build linux || darwin

package faults_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/faults"
	"github.com/warren-mq/warren/internal/rabbitmq"
)

// soakFaults are those that can come at any time.
func soakFaults() (list []fault) {
	for _, f := range matrix {
		if !f.alone && !slices.ContainsFunc(slowFaults, func(s fault) bool { return s.name == f.name }) {
			list = append(list, f)
		}
	}
	return append(list, fault{name: "the other consumer's process killed", inject: func(b *bench) { b.children[0].kill() }})
}

func names(list []fault) (names []string) {
	for _, f := range list {
		names = append(names, f.name)
	}
	return names
}

func named(list []fault, name string) *fault {
	i := slices.IndexFunc(list, func(f fault) bool { return f.name == name })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// TestSoak injects faults at random, at times two at once, while messages flow at a steady rate to two processes.
// Nothing may be lost, and neither memory nor goroutines may grow.
func TestSoak(t *testing.T) {
	number := *seed
	if number == 0 {
		number = rand.Uint64N(1_000_000) + 1
	}
	list := soakFaults()
	steps := faults.Schedule(number, *length, *every, names(list), names(slowFaults))
	t.Logf("repeat it with -faults.seed=%d -faults.for=%v -faults.every=%v:\n%s", number, *length, *every, faults.Render(steps))

	const name = "faults at random"
	node := rabbitmq.Private(t, rabbitmq.Options{Name: "soak", Advanced: advanced})
	defer noteFailure(t, node, name)
	b := newBench(t, node, usual, usualConfig())
	b.children = append(b.children, startChild(b, ""))
	b.consume()
	b.publish()
	b.flow()
	began := time.Now()
	var weights []weight
	for _, s := range steps {
		nap(context.Background(), time.Until(began.Add(s.At)))
		beside := named(slowFaults, s.Beside)
		if beside != nil {
			beside.inject(b)
		}
		f := named(list, s.Fault)
		for range max(1, f.n) {
			f.inject(b)
			nap(context.Background(), f.hold)
			if f.undo != nil {
				f.undo(b)
			}
		}
		if beside != nil {
			beside.undo(b)
		}
		b.ledger.Mark(time.Now())
		b.flow()
		b.harvest(false)
		weights = append(weights, weigh())
		if t.Failed() {
			t.Logf("it was at %v", s)
			break
		}
	}
	nap(context.Background(), time.Until(began.Add(*length)))
	shown.Lock()
	shown.Seed = number
	shown.Unlock()
	record(t, node, name, false, b.finish())
	checkFlat(t, weights)
}

// weight is what this process needs at a moment without a fault.
type weight struct {
	heap       uint64
	goroutines int
}

func weigh() weight {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return weight{m.HeapAlloc, brokers.Goroutines()}
}

// checkFlat compares the last third of a run with its first.
func checkFlat(t *testing.T, weights []weight) {
	t.Helper()
	third := len(weights) / 3
	if third < 3 {
		return // too short to say anything
	}
	most := func(list []weight) (w weight) {
		for _, x := range list {
			w.heap, w.goroutines = max(w.heap, x.heap), max(w.goroutines, x.goroutines)
		}
		return w
	}
	first, last := most(weights[:third]), most(weights[len(weights)-third:])
	t.Logf("at most %d KiB and %d goroutines in the first third, %d KiB and %d in the last",
		first.heap>>10, first.goroutines, last.heap>>10, last.goroutines)
	const slack = 4 << 20
	if last.heap > first.heap+first.heap/4+slack {
		t.Error("the heap has grown")
	}
	if last.goroutines > first.goroutines+20 { // settling takes some at a time, at most one for each message taken ahead
		t.Error("there are more and more goroutines")
	}
}
