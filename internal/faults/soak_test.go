//go:build linux || darwin

package faults_test

import (
	"context"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

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

// atRandom is what the table calls the soak.
const atRandom = "faults at random"

// TestSoak injects faults at random, at times two at once, while messages flow at a steady rate to two processes.
// Nothing may be lost, and neither memory nor goroutines may grow.
func TestSoak(t *testing.T) {
	if !*full {
		t.Parallel() // or else it would weigh the other runs, too
	}
	number := *seed
	if number == 0 {
		number = rand.Uint64N(1_000_000) + 1
	}
	list := soakFaults()
	steps := faults.Schedule(number, *length, *every, names(list), names(slowFaults))
	t.Logf("repeat it with -faults.seed=%d -faults.for=%v -faults.every=%v:\n%s", number, *length, *every, faults.Render(steps))

	node := rabbitmq.Private(t, rabbitmq.Options{Name: "soak", Advanced: advanced})
	defer noteFailure(t, node, atRandom)
	b := newBench(t, node, usual, usualConfig())
	b.children = append(b.children, startChild(b, ""))
	b.consume()
	b.publish()
	b.flow()
	began := time.Now()
	var samples []faults.Sample
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
		samples = append(samples, b.weigh(began))
		if t.Failed() {
			t.Logf("it was at %v", s)
			break
		}
	}
	nap(context.Background(), time.Until(began.Add(*length)))
	v := b.finish()
	first, last, err := faults.Growth(samples)
	t.Logf("it needed %+v in its first tenth, and %+v in its last", first, last)
	if err != nil {
		t.Error(err)
	}
	shown.Lock()
	shown.Soak = &faults.Soak{Length: *length, Seed: number, Faults: len(samples), First: first, Last: last}
	shown.Unlock()
	record(t, node, atRandom, false, v)
}

// weigh tells what this process needs, at a moment without a fault.
func (b *bench) weigh(began time.Time) faults.Sample {
	debug.FreeOSMemory() // which collects garbage first, so that what is resident is what is needed
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return faults.Sample{
		At:     time.Since(began),
		Weight: faults.Weight{Heap: float64(m.HeapAlloc), Resident: resident(), Goroutines: float64(b.alive())},
	}
}

// resident returns the memory that the kernel counts for this process, and 0 where it does not say so in a file.
func resident() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	if err != nil {
		return 0
	}
	return pages * float64(os.Getpagesize())
}
