// Bench measures Warren beside loops that are written by hand on the same client, on one broker, in one run:
//
//	scripts/with-broker.sh go run ./bench            # as make bench does; some ten minutes
//	go run ./bench -set quick                        # a minute, to see that it works; proves nothing
//	go run ./bench -run 'retry/quorum' -reps 20      # some cases, often
//	go run ./bench -page docs/performance.md         # and write the tables into the page
//
// It needs a broker in AMQP_URL, and makes and deletes queues of its own there. Each case, variant and repetition runs in
// a fresh process, in an order that is shuffled anew for each repetition, so that what drifts meets all alike. In each case
// one variant runs twice, under two names: what these two differ by is noise.
//
// How to read what it prints is told in docs/performance.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

func main() { os.Exit(program()) }

// program returns the exit code.
func program() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
		return 2
	case err != nil:
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		return 1
	default:
		return 0
	}
}

// options is what the command line says.
type options struct {
	set   string
	only  *regexp.Regexp
	reps  int
	n     int
	seed  uint64
	page  string
	save  string
	load  string
	child string
}

func parse(args []string, errOut io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(errOut)
	f.StringVar(&o.set, "set", "default", "which cases: quick (a minute), default (some ten minutes) or full (hours)")
	only := f.String("run", "", "only cases whose name matches this regular `expression`")
	f.IntVar(&o.reps, "reps", 0, "how often each case is repeated; 0 means 5, and 2 in the quick set")
	f.IntVar(&o.n, "n", 0, "how many messages are measured; 0 means what the case says")
	f.Uint64Var(&o.seed, "seed", 1, "for the order of the runs, and the bootstrap")
	f.StringVar(&o.page, "page", "", "write the tables into this `file`, too, between its marks")
	f.StringVar(&o.save, "save", "", "append every result to this `file`, a line of JSON each")
	f.StringVar(&o.load, "load", "", "run nothing: take the results from this `file`, which -save wrote")
	f.StringVar(&o.child, "child", "", "used by bench itself: run this job, and print its result")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("there are no arguments, only flags: %q", f.Args())
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, fmt.Errorf("-run: %w", err)
	}
	if o.reps < 0 || o.n < 0 {
		return o, fmt.Errorf("-reps and -n cannot be negative: %d, %d", o.reps, o.n)
	}
	if o.reps == 0 {
		if o.reps = 5; o.set == "quick" {
			o.reps = 2
		}
	}
	return o, nil
}

func run(ctx context.Context, args []string, out, errOut io.Writer) error {
	o, err := parse(args, errOut)
	if err != nil {
		return err
	}
	url := os.Getenv("AMQP_URL")
	if o.child != "" {
		return child(ctx, url, o.child, out)
	}
	var results []result
	var failed error
	m := here(ctx)
	if o.load != "" {
		if results, m, err = load(o.load); err != nil {
			return err
		}
	} else {
		if url == "" {
			return errors.New("AMQP_URL names no broker: see scripts/with-broker.sh")
		}
		cases, err := o.cases()
		if err != nil {
			return err
		}
		p, err := newParent(url, o, errOut)
		if err != nil {
			return err
		}
		if m.Broker, err = p.broker.version(ctx); err != nil {
			return err
		}
		began := time.Now()
		results, failed = p.run(ctx, cases)
		m.Took = time.Since(began).Round(time.Second)
		if o.save != "" {
			if err := save(o.save, results, m); err != nil {
				return err
			}
		}
	}
	report := report{results: results, machine: m, seed: o.seed}
	for _, s := range report.sections() {
		_, _ = fmt.Fprintf(out, "\n%s\n", s.text)
	}
	if o.page != "" {
		if err := report.write(o.page); err != nil {
			return err
		}
	}
	return failed
}
