// Command warren is what Warren offers outside of a program:
//
//	warren errors      looks after error queues: what failed and why, replay, discard; see docs/error-queues.md
//	warren topology    compares what consumers need with what the broker has, and declares what is missing
//	warren doctor      looks for what will go wrong; see docs/topology.md
//	warren broker      a RabbitMQ to try programs against, in one small process
//
// It ends with 0 when it has done what it was asked, with 1 when that failed, with 2 when it was asked for something that
// it does not understand, and with 3 when it is done and something is left for a person to look at. What it prints on
// standard output is for programs, what it prints on standard error is for people.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(execute(rootCommand(), os.Args[1:], os.Stdout, os.Stderr))
}

// execute carries out a command line. An interrupt ends the command in order, and so does the end of its terminal; a second
// one ends the process. Where nobody reads any more what it prints, writing fails, and does not end the process.
func execute(root *cobra.Command, args []string, stdout, stderr *os.File) int {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	defer stop()
	signal.Ignore(syscall.SIGPIPE)
	context.AfterFunc(ctx, stop)

	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return exitCode(root, root.ExecuteContext(ctx))
}
