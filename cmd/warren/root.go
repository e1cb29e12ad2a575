package main

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// rootCommand is what stands above all commands. Each of them has a file of its own.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "warren",
		Short: "Tools for those who work with RabbitMQ queues",
		Long: `Tools for those who work with RabbitMQ queues.

` + helpExitCodes,
		Version:                    version(),
		SilenceErrors:              true, // exitCode says them
		SilenceUsage:               true, // a page of help hides the sentence that matters
		Args:                       cobra.ArbitraryArgs,
		SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(brokerCommand(), doctorCommand(), errorsCommand(), topologyCommand())
	return root
}

// version is that of the module, as the build knows it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitLeft   = 3
)

// helpExitCodes is for the help of commands.
const helpExitCodes = `Exit codes: 0 done; 1 failed, or declined; 2 not understood, nothing was tried;
3 done, but something is left: entries that could not be moved, differences, warnings.`

// leftError is that a command did its work, and something is left for a person to look at. It has been told already if
// err is nil.
type leftError struct{ err error }

func (e leftError) Error() string {
	if e.err == nil {
		return "something is left"
	}
	return e.err.Error()
}
func (e leftError) Unwrap() error { return e.err }

// usageError is the fault of the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func unknownCommand(cmd *cobra.Command, name string) error {
	text := fmt.Sprintf("there is no command %q", name)
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return usageError{errors.New(text)}
}

// noArgs refuses arguments that are not flags.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%q is one word too many", args[0])}
	}
	return nil
}

// exitCode says what went wrong, if anything did, and what the process ends with.
func exitCode(root *cobra.Command, err error) int {
	if err == nil {
		return exitDone
	}
	if unread := new(fs.PathError); errors.As(err, &unread) && errors.Is(err, syscall.EPIPE) {
		return exitFailed // head, or a pager, has seen enough
	}
	left := leftError{}
	isLeft := errors.As(err, &left)
	if !isLeft || left.err != nil {
		root.PrintErrln("warren: " + printableLines(err.Error()))
	}
	if isLeft {
		return exitLeft
	}
	if wrong := (usageError{}); errors.As(err, &wrong) {
		root.PrintErrln("warren --help and warren COMMAND --help say what there is.")
		return exitUsage
	}
	return exitFailed
}
