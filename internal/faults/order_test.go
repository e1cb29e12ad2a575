//go:build linux || darwin

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/retry"
)

// order is the body of a message: it says what its handler does.
type order struct {
	Do  string `json:"do"`
	Pad string `json:"pad,omitempty"`
}

// What an order can ask for. The word decides alone, with the attempt: so the handler needs no memory, and can be in
// any process.
const (
	doAck     = "ack"
	doRetry   = "retry"   // twice, then ack
	doDefer   = "defer"   // once, then ack
	doPanic   = "panic"   // once, then ack
	doAlways  = "always"  // panics at every attempt, until it is in the error queue
	doTimeout = "timeout" // once, then ack
	doError   = "error"   // for the error queue
	doExhaust = "exhaust" // retried until it is in the error queue
	doSlow    = "slow"    // takes a second
	doLong    = "long"    // takes four seconds
	doStuck   = "stuck"   // once it does not come back, whatever it is told; then ack
	doExit    = "exit"    // kills its process, always
	doMemory  = "memory"  // the same by allocating more than there is
)

// usual is what a mixed load asks for, in turn: half of it is plain.
var usual = []string{
	doAck, doRetry, doAck, doDefer, doAck, doPanic, doAck, doError, doAck, doRetry,
	doAck, doTimeout, doAck, doAck, doAck, doExhaust, doAck, doRetry, doAck, doAck,
}

// isDoomed says whether what an order asks for ends in the error queue.
func isDoomed(do string) bool {
	switch do {
	case doError, doExhaust, doAlways, doExit, doMemory:
		return true
	default:
		return false
	}
}

// usualConfig is what the consumers of the bench have in common.
func usualConfig() consumer.Config {
	return consumer.Config{
		Workers: 8, Prefetch: 40, Timeout: 400 * time.Millisecond, Grace: 2 * time.Second, Drain: 3 * time.Second,
		Retry: retry.Steps(200*time.Millisecond, 500*time.Millisecond, time.Second),
	}
}

// handling returns a handler that does what orders say, and calls handled before it acknowledges one.
func handling(handled func(id string)) consumer.Handler[order] {
	return func(ctx context.Context, m consumer.Message[order]) consumer.Outcome {
		switch do := m.Body.Do; {
		case do == doRetry && m.Attempt <= 2, do == doExhaust:
			return consumer.Retry(errors.New("not yet"))
		case do == doDefer && m.Headers["warren-deferred-since"] == nil:
			return consumer.Defer(300*time.Millisecond, errors.New("later"))
		case do == doPanic && m.Attempt == 1, do == doAlways:
			panic("the handler of " + m.ID)
		case do == doTimeout && m.Attempt == 1:
			<-ctx.Done()
			return consumer.Retry(ctx.Err())
		case do == doStuck && m.Attempt == 1:
			time.Sleep(time.Minute) // longer than any process lives on that was asked to end
		case do == doError:
			return consumer.Error(errors.New("never"))
		case do == doSlow:
			nap(ctx, time.Second)
			if ctx.Err() != nil {
				return consumer.Retry(ctx.Err())
			}
		case do == doLong:
			nap(ctx, 4*time.Second)
			if ctx.Err() != nil {
				return consumer.Retry(ctx.Err())
			}
		case do == doExit:
			os.Exit(exitPoisoned)
		case do == doMemory:
			eatMemory()
		}
		handled(m.ID)
		return consumer.Ack()
	}
}

const (
	exitPoisoned   = 3 // how a process exits that a message has told to
	exitUnfinished = 4 // how it exits if it had to leave a handler behind
)

// eating is what a process says before it dies of that: the runtime has several ways to die.
const eating = "eating memory"

// eatMemory makes the runtime give up for want of memory, at a bound that does not hurt the machine.
func eatMemory() {
	fmt.Fprintln(os.Stderr, eating)
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}); err != nil {
		fmt.Println("setrlimit:", err)
		os.Exit(exitPoisoned)
	}
	var eaten [][]byte
	for n := 1 << 20; n < math.MaxInt32; n *= 2 {
		eaten = append(eaten, make([]byte, n))
		eaten[len(eaten)-1][n-1] = 1
	}
	os.Exit(exitPoisoned)
}

func nap(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
