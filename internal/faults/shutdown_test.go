//go:build linux || darwin

package faults_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/faults"
)

// shutdownFaults are SIGTERM to all consumers at once, as when a deployment is rolled out too fast. Each must be gone
// within its time, and the next one finds what it had in work.
var shutdownFaults = []fault{
	shutdown(fault{
		name: "SIGTERM to one of two processes, with slow handlers",
		inject: func(b *bench) {
			b.sendAll(doLong, doSlow, doSlow) // the first ones longer than a process has: they are told, and say Retry
			b.terminate(b.children[:1], nothing, 0)
		},
		check: func(b *bench, v faults.Verdict) { b.checkHandedBack(v, 1) },
	}),
	shutdown(fault{
		name: "SIGTERM to all processes, with slow handlers", n: 2,
		inject: func(b *bench) {
			b.sendAll(doLong, doSlow, doSlow)
			b.terminate(b.children, nothing, 0)
		},
		check: func(b *bench, v faults.Verdict) { b.checkHandedBack(v, 4) }, // what one hands back, the other may still get
	}),
	shutdown(fault{
		name: "SIGTERM to all processes, with stuck handlers",
		inject: func(b *bench) {
			b.sendAll(doStuck, doSlow, doSlow)
			if codes := b.terminate(b.children, nothing, 0, exitUnfinished); !slices.Contains(codes, exitUnfinished) {
				b.t.Error("handlers are stuck, and nobody says so")
			}
		},
		check: func(b *bench, v faults.Verdict) { b.checkHandedBack(v, 2) },
	}),
	shutdown(fault{
		name: "SIGTERM with the broker killed",
		inject: func(b *bench) {
			b.sendAll(doLong, doSlow)
			must(b.t, b.node.Kill())
			b.terminate(b.children, nothing, 0, exitUnfinished)
		},
		undo: boot,
	}),
	shutdown(fault{
		name: "SIGTERM, and the broker killed just after",
		inject: func(b *bench) {
			b.sendAll(doLong, doSlow)
			b.terminate(b.children, func() {
				nap(context.Background(), 200*time.Millisecond)
				must(b.t, b.node.Kill())
			}, 0, exitUnfinished)
		},
		undo: boot,
	}),
	shutdown(fault{
		name: "SIGTERM with the broker frozen",
		inject: func(b *bench) {
			b.sendAll(doLong, doSlow)
			must(b.t, b.node.Freeze())
			b.terminate(b.children, nothing, 0, exitUnfinished)
		},
		undo: func(b *bench) { must(b.t, b.node.Thaw()) },
	}),
	shutdown(fault{
		name: "SIGTERM with stuck handlers and the broker frozen",
		inject: func(b *bench) {
			b.sendAll(doStuck, doSlow)
			must(b.t, b.node.Freeze())
			b.terminate(b.children, nothing, 0, exitUnfinished)
		},
		undo: func(b *bench) { must(b.t, b.node.Thaw()) },
	}),
}

// shutdown fills in what these have in common. A handler may take as long as the slow ones need.
func shutdown(f fault) fault {
	f.children, f.alone = true, true
	f.mix = []string{doAck, doRetry, doAck, doError, doAck, doDefer}
	f.config = func(c *consumer.Config) { c.Timeout = 5 * time.Second }
	return f
}

// sendAll publishes four messages of each kind, and waits until they are in work: the consumers have sixteen workers.
func (b *bench) sendAll(kinds ...string) {
	for _, do := range kinds {
		for range 4 {
			b.send(context.Background(), do)
		}
	}
	nap(context.Background(), 300*time.Millisecond)
}

func nothing() {}

// terminate ends processes in order, while something else happens, and looks at how they end: soon enough, and with one
// of these exit codes. It returns theirs.
func (b *bench) terminate(list []*child, meanwhile func(), allowed ...int) (codes []int) {
	b.t.Helper()
	// Three seconds are the consumer's grace after Drain. The rest is for closing the connection to a broker that does
	// not answer, and for a busy machine.
	limit := b.cfg.Drain + 3*time.Second + 3*time.Second
	for _, c := range list {
		c.terminate()
	}
	meanwhile()
	for _, c := range list {
		select {
		case end := <-c.farewell:
			b.t.Logf("a process ended %v after SIGTERM, with code %d", end.took.Round(time.Millisecond), end.code)
			if end.took > limit {
				b.t.Errorf("a process took %v to end, more than %v", end.took, limit)
			}
			if !slices.Contains(allowed, end.code) {
				b.t.Errorf("a process ended with code %d, want one of %v", end.code, allowed)
			}
			codes = append(codes, end.code)
		case <-time.After(time.Minute):
			b.t.Fatal("a process does not end")
		}
	}
	return codes
}

// count notes a delivery count that a child has seen.
func (b *bench) count(text string) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		b.t.Error(err)
	}
	for {
		if old := b.counted.Load(); n <= old || b.counted.CompareAndSwap(old, n) {
			return
		}
	}
}

// checkHandedBack looks at what was handed back where nothing but a consumer has ended: no message is handled twice, and
// the broker thinks to have delivered one in vain at most so often, and from 4.3 on never. Stuck ones are not counted.
func (b *bench) checkHandedBack(v faults.Verdict, most int64) {
	b.t.Helper()
	if v.Duplicated > 0 {
		b.t.Errorf("%d messages were handled twice, though nothing was killed", v.Duplicated)
	}
	var major, minor int
	if _, err := fmt.Sscanf(b.node.Version(), "%d.%d", &major, &minor); err != nil {
		b.t.Error(err)
	}
	if major > 4 || major == 4 && minor >= 3 {
		most = 0
	}
	n := b.counted.Load()
	b.t.Logf("the largest delivery count was %d", n)
	if n > most {
		b.t.Errorf("a message that is not stuck has a delivery count of %d, more than %d", n, most)
	}
}
