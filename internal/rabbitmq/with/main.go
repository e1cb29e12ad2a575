// With runs a command with a RabbitMQ of its own, and takes it away afterwards:
//
//	go run ./internal/rabbitmq/with -- go test ./...
//
// The command finds the broker's URL in AMQP_URL. If that is set already, the command just runs. Where
// no RabbitMQ is installed, or WARREN_BROKER is none, it runs as well, and With lists in the end which of
// its tests were left out; with WARREN_REQUIRE_BROKER=1 it does not run.
//
// With -installed, and nothing else, it only says whether there is a RabbitMQ to start, by its exit code.
//
// With passes signals on and ends as the command ends, with its exit code; 128 and the signal's number
// if a signal ended it, as in a shell.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/warren-mq/warren/internal/rabbitmq"
)

// Exit codes of its own, as shells and env(1) use them.
const (
	exitUsage    = 2
	exitFailed   = 125
	exitNotFound = 127
	exitSignal   = 128
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) == 1 && args[0] == "-installed" {
		if err := rabbitmq.Available(); err != nil {
			say("%v", err)
			return 1
		}
		return 0
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		say("usage: with [--] COMMAND [ARGUMENT...]\n   or: with -installed")
		return exitUsage
	}
	// Signals are taken from here on: whatever comes, the node is closed.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)

	if os.Getenv("AMQP_URL") != "" && os.Getenv("WARREN_BROKER") != "none" {
		return withoutNode(args, signals)
	}
	node, sig, err := start(signals)
	switch {
	case sig != nil:
		return code(sig)
	case errors.Is(err, rabbitmq.ErrNotInstalled) && os.Getenv("WARREN_REQUIRE_BROKER") != "1":
		say("%v: what needs one IS LEFT OUT of what follows", err)
		ended := withoutNode(args, signals)
		say("%v: what needs one WAS LEFT OUT", err) // the first word may be pages up by now
		return ended
	case err != nil:
		say("%v", err)
		return exitFailed
	}
	ended := command(args, append(os.Environ(), node.Environ()...), signals)
	if err := node.Close(); err != nil {
		say("%v", err)
		if ended == 0 {
			ended = exitFailed
		}
	}
	return ended
}

// withoutNode runs args without a node of ours, and lists the tests that had nothing to run on.
func withoutNode(args []string, signals <-chan os.Signal) int {
	folder, err := os.MkdirTemp("", "warren-left-out-")
	if err != nil {
		say("%v", err)
		return exitFailed
	}
	defer func() { _ = os.RemoveAll(folder) }()
	file := filepath.Join(folder, "tests")
	ended := command(args, append(os.Environ(), rabbitmq.Environment(file)), signals)
	lines, err := rabbitmq.LeftOut(file)
	if err != nil {
		say("%v", err)
	}
	for _, line := range lines {
		say("%s", line)
	}
	return ended
}

// start starts a node, unless a signal comes first.
func start(signals <-chan os.Signal) (*rabbitmq.Node, os.Signal, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	type result struct {
		node *rabbitmq.Node
		err  error
	}
	began := time.Now()
	started := make(chan result, 1)
	go func() {
		node, err := rabbitmq.Start(ctx, rabbitmq.Options{Name: "with"})
		started <- result{node, err}
	}()
	select {
	case r := <-started:
		if r.err == nil {
			say("RabbitMQ %s serves at %s after %.1f s", r.node.Version(), r.node.URL(), time.Since(began).Seconds())
		}
		return r.node, nil, r.err
	case sig := <-signals:
		cancel()
		r := <-started
		if r.err != nil {
			return nil, sig, nil // most likely because of the signal
		}
		return nil, sig, r.node.Close()
	}
}

// command runs args, passes signals on, and returns its exit code.
func command(args, env []string, signals <-chan os.Signal) int {
	cmd := exec.Command(args[0], args[1:]...) //nolint:noctx,gosec // running what it is told to is the whole point
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		say("%v", err)
		return exitNotFound
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // ProcessState tells
		close(ended)
	}()
	for {
		select {
		case sig := <-signals:
			_ = cmd.Process.Signal(sig) // it may have just ended
		case <-ended:
			if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
				return code(status.Signal())
			}
			return cmd.ProcessState.ExitCode()
		}
	}
}

// code is what a shell makes of a signal.
func code(sig os.Signal) int {
	if s, ok := sig.(syscall.Signal); ok {
		return exitSignal + int(s)
	}
	return exitFailed
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "with: "+format+"\n", args...) }
