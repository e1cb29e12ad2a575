package rabbitmq

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// patience is how long goroutines may take to end after the last test.
const patience = 5 * time.Second

// Main runs the tests of a package that uses brokers, and exits: to be called by TestMain. It closes the
// node that the tests shared. If they passed, it fails the run if goroutines are left.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for a TestMain that has more to do: it returns the exit code.
func Run(m *testing.M) int {
	code := m.Run()
	if err := closeOwn(); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL: the shared node:", err)
		code = 1
	}
	if code != 0 {
		return code // the tests have said why, and a test that failed may well have left something
	}
	if left := leftovers(patience); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: %d goroutines are left after the tests:\n\n%s\n",
			len(left), strings.Join(left, "\n\n"))
		return 1
	}
	return 0
}

// leftovers returns the stacks of the goroutines other than the caller's that the tests have started.
// It waits for them to end first, at most so long.
func leftovers(patience time.Duration) []string {
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		left := strangers(stacks())
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(pause)
	}
}

// stacks returns the stack of every goroutine, the caller's first.
func stacks() []string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			return strings.Split(strings.TrimSpace(string(buf[:n])), "\n\n")
		}
		buf = make([]byte, 2*len(buf))
	}
}

// strangers leaves out the caller, and what belongs to the language and its test framework.
func strangers(stacks []string) []string {
	var left []string
	for _, stack := range stacks[1:] {
		if !strings.Contains(stack, "os/signal.loop(") && // starts with the first signal.Notify, for good
			!strings.Contains(stack, "runtime.ensureSigM") &&
			!strings.Contains(stack, "runtime/pprof.profileWriter(") && // -cpuprofile
			!strings.Contains(stack, "runtime/trace.Start") && // -trace
			!strings.Contains(stack, "testing.(*T).Run(") && // a caller that is itself a test
			!strings.Contains(stack, "testing.(*M).Run(") {
			left = append(left, stack)
		}
	}
	return left
}
