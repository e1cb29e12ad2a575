package faults

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Step is one fault of a schedule.
type Step struct {
	// At is when the fault begins, counted from the start of the run.
	At time.Duration
	// Fault is its name.
	Fault string
	// Beside is what happens to the network meanwhile, and empty for nothing.
	Beside string
}

// String returns "20s broker killed + latency".
func (s Step) String() string {
	text := s.At.String() + " " + s.Fault
	if s.Beside != "" {
		text += " + " + s.Beside
	}
	return text
}

// Schedule draws faults for a run of that length: one every so often, sooner or later by up to a fifth of that, each
// of the list once in random order before any comes again; and beside every third or so, one of the other list. The
// same arguments give the same schedule.
func Schedule(seed uint64, length, every time.Duration, faults, beside []string) []Step {
	dice := rand.New(rand.NewPCG(seed, 0))
	var steps []Step
	var order []int
	for at := every / 2; at < length; at += every {
		if len(order) == 0 {
			order = dice.Perm(len(faults))
		}
		s := Step{At: (at + time.Duration(dice.Int64N(int64(every)/5))).Truncate(time.Millisecond), Fault: faults[order[0]]}
		order = order[1:]
		if n := dice.IntN(3 * max(1, len(beside))); n < len(beside) {
			s.Beside = beside[n]
		}
		steps = append(steps, s)
	}
	return steps
}

// Render writes a schedule down, a step a line.
func Render(steps []Step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}
