package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// confirmFlags are those of commands that change something.
type confirmFlags struct{ yes, dryRun bool }

func (c *confirmFlags) add(f *pflag.FlagSet) {
	f.BoolVarP(&c.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&c.dryRun, "dry-run", false, "say what would be done, and do nothing")
}

// errDeclined is a no to the question whether to go on.
var errDeclined = errors.New("nothing was done")

// check refuses a command that could not ask, before it does any work.
func (c *confirmFlags) check() error {
	if c.yes || c.dryRun {
		return nil
	}
	tty, err := terminal()
	if err != nil {
		return usageError{fmt.Errorf("%w; give --yes to go ahead, or --dry-run to see what would be done", err)}
	}
	return tty.Close()
}

// confirm says what will be done, and asks whether to. Nil means yes.
func (c *confirmFlags) confirm(cmd *cobra.Command, what string) error {
	if c.yes {
		return nil
	}
	answer, err := ask(cmd.Context(), what+"\nGo ahead? [y/N] ", false)
	switch {
	case errors.Is(err, errNoTerminal):
		return c.check()
	case err != nil:
		return fmt.Errorf("%w: %w", errDeclined, err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errDeclined
}
