//go:build linux || darwin

package faults_test

import (
	"bytes"
	"context"
	"regexp"
	"runtime/pprof"
	"strconv"
	"strings"
)

// Runs go on side by side, so each has to know its own goroutines. A label tells them: a goroutine has those of the one
// that has started it.

const benchLabel = "bench"

var labelled = regexp.MustCompile(`(?m)^# labels: .*"` + benchLabel + `":"([^"]*)"`)

// label marks the caller, and what is started by it from now on, as the run's own.
func (b *bench) label() {
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(benchLabel, b.queue)))
}

// alive counts the goroutines of the run, but for those that wait for a node's process.
func (b *bench) alive() (n int) {
	var text bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&text, 1); err != nil {
		b.t.Error(err)
	}
	// A block for each stack, with its number first: "3 @ 0x47… 0x48…", then "# labels: {…}", then the functions.
	for block := range strings.SplitSeq(text.String(), "\n\n") {
		if i := strings.Index(block, " @ "); i >= 0 {
			head, _, _ := strings.Cut(block[:i], "\n")
			count, err := strconv.Atoi(strings.TrimSpace(block[strings.LastIndex(block[:i], "\n")+1 : i]))
			label := labelled.FindStringSubmatch(block)
			if err != nil {
				b.t.Errorf("not understood: %q", head)
			}
			if label != nil && label[1] == b.queue && !strings.Contains(block, "internal/rabbitmq.spawn") {
				n += count
			}
		}
	}
	return n
}
