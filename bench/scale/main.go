// Scale measures how the cost of Warren grows: with consumers, with goroutines that publish, with messages that
// wait, with messages in work. Each measurement has a process of its own, and stands beside the same work done by
// hand on the bare client, as well as that can be written. The broker is the one that AMQP_URL names:
//
//	scripts/with-broker.sh go run ./bench/scale
//	scripts/with-broker.sh go run ./bench/scale -run 'lateness|storm' -quick
//
// It prints a table for each scenario, with its bounds and whether they were met, and with -page puts them into
// docs/performance.md. The exit code is 0 if all was measured, also where a bound was not met: on a busy machine
// that says nothing.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/warren-mq/warren/bench/internal/page"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are what the command line says.
type options struct {
	run      *regexp.Regexp
	extent   extent
	repeat   int
	seed     uint64
	page     string
	profiles string
	child    string
	broker   string
}

func run(args []string, out, errs io.Writer) int {
	o, err := parse(args, errs)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		_, _ = fmt.Fprintln(errs, "scale:", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.child != "" {
		err = child(ctx, o, out)
	} else {
		err = parent(ctx, o, out, errs)
	}
	if err != nil {
		_, _ = fmt.Fprintln(errs, "scale:", err)
		return exitFailed
	}
	return 0
}

func parse(args []string, errs io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("scale", flag.ContinueOnError)
	flags.SetOutput(errs)
	pattern := flags.String("run", "", "measure the scenarios whose name matches this regular `expression`")
	quick := flags.Bool("quick", false, "fewer messages, shorter waits, once: to see that it works")
	flags.IntVar(&o.repeat, "repeat", 0, "how often each is measured (default 3, with -quick 1); those that last half a minute once")
	flags.Uint64Var(&o.seed, "seed", 1, "of the order in which they are measured")
	flags.StringVar(&o.page, "page", "", "write the tables into this `file`, between the marks that it has for them")
	flags.StringVar(&o.profiles, "cpuprofile", "", "write a CPU profile of each process into this `folder`")
	flags.StringVar(&o.child, "child", "", "measure this `work`, given in JSON, in this process, and print what was found (the program calls itself so)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is not understood: there are flags only", flags.Arg(0))
	}
	expression, err := regexp.Compile(*pattern)
	if err != nil {
		return o, fmt.Errorf("-run: %w", err)
	}
	o.run = expression
	if *quick {
		o.extent = quickly
	}
	switch {
	case o.repeat < 0:
		return o, fmt.Errorf("-repeat is %d, and must be at least 1", o.repeat)
	case o.repeat == 0 && *quick:
		o.repeat = 1
	case o.repeat == 0:
		o.repeat = 3
	}
	if o.broker = os.Getenv("AMQP_URL"); o.broker == "" {
		return o, errors.New("AMQP_URL names no broker: scripts/with-broker.sh go run ./bench/scale starts one")
	}
	return o, nil
}

// child does one piece of work, and prints its figures.
func child(ctx context.Context, o options, out io.Writer) error {
	var w work
	if err := json.Unmarshal([]byte(o.child), &w); err != nil {
		return fmt.Errorf("-child: %w", err)
	}
	stop, err := profile(o.profiles, w)
	if err != nil {
		return err
	}
	found, err := w.do(ctx, o.broker)
	stop()
	if err != nil {
		return fmt.Errorf("%v: %w", w, err)
	}
	return json.NewEncoder(out).Encode(found)
}

// parent measures every scenario that was asked for, one process after the other.
func parent(ctx context.Context, o options, out, errs io.Writer) error {
	machine, err := describe(ctx, o.broker)
	if err != nil {
		return err
	}
	matched, everything := false, true
	var kept strings.Builder
	kept.WriteString("| scenario | bound | measured |\n|---|---|---|\n")
	for _, s := range scenarios() {
		if !o.run.MatchString(s.name) {
			everything = false
			continue
		}
		matched = true
		results, err := measure(ctx, o, s, errs)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		text := s.report(results, machine)
		if _, err := fmt.Fprintf(out, "## %s\n\n%s\n", s.title, text); err != nil {
			return err
		}
		if o.page != "" {
			if err := page.Replace(o.page, s.section(), text); err != nil {
				return err
			}
		}
		s.judge(&kept, s.name+" | ", results)
	}
	if !matched {
		return fmt.Errorf("no scenario matches %q", o.run)
	}
	if _, err := fmt.Fprintf(out, "## Bounds\n\n%s", kept.String()); err != nil {
		return err
	}
	if o.page == "" || !everything {
		return nil // those of some scenarios would look like all that there are
	}
	return page.Replace(o.page, "scale-bounds", kept.String())
}
