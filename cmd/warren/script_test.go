package main

import (
	"errors"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){
		"warren": main,
		"asks":   asks,
	})
}

// asks is a command that confirms and logs in, and does nothing else.
func asks() {
	var yes confirmFlags
	var broker accessFlags
	var form outputFlags
	cmd := &cobra.Command{
		Use: "asks", Long: helpAccess, SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := yes.check(); err != nil {
				return err
			}
			if broker.user != "" {
				address, err := broker.url(cmd.Context())
				if err != nil {
					return err
				}
				if err := form.of(cmd).line("logs in at %s", address); err != nil {
					return err
				}
			}
			if yes.dryRun {
				return leftError{errors.New("3 entries would be discarded")}
			}
			if err := yes.confirm(cmd, "3 entries of orders.error will be discarded."); err != nil {
				return err
			}
			o := form.of(cmd)
			if !o.json {
				return o.line("done")
			}
			if err := o.value(map[string]int{"done": 3}); err != nil {
				return err
			}
			return o.jsonLine(map[string]int{"done": 3})
		},
	}
	form.add(cmd.Flags())
	broker.add(cmd.Flags())
	yes.add(cmd.Flags())
	os.Exit(execute(cmd, os.Args[1:], os.Stdout, os.Stderr))
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
}
