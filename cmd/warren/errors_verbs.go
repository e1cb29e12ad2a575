package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/warren-mq/warren/errorqueue"
)

func replayCommand() *cobra.Command {
	var a actFlags
	var toOrigin bool
	var run string
	cmd := &cobra.Command{
		Use:   "replay QUEUE",
		Short: "Give entries to their consumers once more",
		Long: `Give entries to their consumers once more: publish them to QUEUE, and remove each from the
error queue when the broker has confirmed it. Their attempts are counted from 1 again, and
their history is kept. An entry that fails again comes back to the error queue, and is not
replayed again by the same run.

` + helpAct + `

A run that was interrupted, or killed, is taken up with --run and the name that it printed.

` + helpFilter + "\n\n" + helpExitCodes,
		Example: `  warren errors replay orders --id 7b7a2f52-5d54-4a6d-a6a4-bd5ffb0d0d1f
  warren errors replay orders --reason exhausted --since 2h --rate 50/s
  warren errors replay orders --all --limit 1 --yes`,
		Args: words(1, "QUEUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("run") && strings.TrimSpace(run) == "" {
				return usageError{errors.New("--run is empty")}
			}
			o, err := a.options(cmd, true)
			if err != nil {
				return err
			}
			return a.with(cmd, args[0], func(ctx context.Context, q *errorqueue.Queue) error {
				d := deed{action: "replay", past: "replayed", to: q.Main(), run: run, future: "will be published to " + printable(q.Main())}
				if toOrigin {
					d.to, d.future = "origin", "will be published with the exchange and key that they had first"
					d.remark = "Other queues that are bound there get them once more."
				}
				if d.run == "" {
					d.run = newRun(time.Now())
				}
				d.resume = "go on with --run " + printable(d.run)
				d.do = func(ctx context.Context, o errorqueue.Options) (errorqueue.Result, error) {
					return q.Replay(ctx, errorqueue.ReplayOptions{Options: o, ToOrigin: toOrigin, Run: d.run})
				}
				return a.carryOut(ctx, cmd, q, &d, o)
			})
		},
	}
	a.add(cmd, true)
	f := cmd.Flags()
	f.BoolVar(&toOrigin, "to-origin", false, "publish with the exchange and key that the message had first; other queues may be bound there")
	f.StringVar(&run, "run", "", "`NAME` of the run to take up again")
	return cmd
}

// newRun names a run, so that people can tell when it was.
func newRun(now time.Time) string {
	var random [3]byte
	_, _ = rand.Read(random[:]) // never fails
	return now.UTC().Format("20060102-150405-") + hex.EncodeToString(random[:])
}

func discardCommand() *cobra.Command {
	var a actFlags
	cmd := &cobra.Command{
		Use:   "discard QUEUE",
		Short: "Delete entries for good",
		Long: `Delete entries for good. warren errors export keeps a copy of them in a file.

` + helpAct + "\n\n" + helpFilter + "\n\n" + helpExitCodes,
		Example: `  warren errors discard orders --fingerprint 31c5f1a9e4b0d2c7 --until 1d
  warren errors discard orders --where 'body.test == true' --dry-run`,
		Args: words(1, "QUEUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := a.options(cmd, true)
			if err != nil {
				return err
			}
			return a.with(cmd, args[0], func(ctx context.Context, q *errorqueue.Queue) error {
				return a.carryOut(ctx, cmd, q, &deed{
					action: "discard", past: "discarded", future: "will be deleted for good",
					remark: "warren errors export keeps a copy.", do: q.Discard,
				}, o)
			})
		},
	}
	a.add(cmd, true)
	return cmd
}

func moveCommand() *cobra.Command {
	return transferCommand("move", "Move entries to another queue",
		`Move entries to another queue, such as one where they can wait until somebody has time. They
keep all that is known of their failure. Each leaves the error queue when the broker has
confirmed that it is in the other one.`, "moved", "will be moved to")
}

func copyCommand() *cobra.Command {
	return transferCommand("copy", "Copy entries to another queue",
		`Copy entries to another queue, such as one of a test system. They stay where they are, too.
What is copied again is there twice.`, "copied", "will be copied to")
}

func transferCommand(verb, short, long, past, future string) *cobra.Command {
	var a actFlags
	var queue, exchange, key string
	mustChoose := verb == "move"
	cmd := &cobra.Command{
		Use:     verb + " QUEUE (--to QUEUE | --exchange NAME --key KEY)",
		Short:   short,
		Long:    long + "\n\n" + helpAct + "\n\n" + helpFilter + "\n\n" + helpExitCodes,
		Example: fmt.Sprintf("  warren errors %s orders --to orders.parked --type order.legacy", verb),
		Args:    words(1, "QUEUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			to := errorqueue.Target{Exchange: exchange, Key: key}
			switch {
			case queue != "" && (exchange != "" || key != ""):
				return usageError{errors.New("--to does not go with --exchange and --key")}
			case queue != "":
				to = errorqueue.Target{Key: queue}
			case exchange == "":
				return usageError{errors.New("where to? Give --to, or --exchange and --key")}
			}
			o, err := a.options(cmd, mustChoose)
			if err != nil {
				return err
			}
			return a.with(cmd, args[0], func(ctx context.Context, q *errorqueue.Queue) error {
				d := deed{action: verb, past: past, to: to.String(), future: future + " " + printable(to.String()), resume: "copy again what is left"}
				d.do = func(ctx context.Context, o errorqueue.Options) (errorqueue.Result, error) { return q.Copy(ctx, to, o) }
				if mustChoose {
					d.resume = ""
					d.do = func(ctx context.Context, o errorqueue.Options) (errorqueue.Result, error) { return q.Move(ctx, to, o) }
				} else {
					d.resume = "what was copied is there, and copying again doubles it"
				}
				return a.carryOut(ctx, cmd, q, &d, o)
			})
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&queue, "to", "", "`QUEUE` to publish to")
	cmd.Flags().StringVar(&exchange, "exchange", "", "`NAME` of the exchange to publish to")
	cmd.Flags().StringVar(&key, "key", "", "routing `KEY` to publish with")
	a.add(cmd, mustChoose)
	return cmd
}

// rate is a number a second, as a flag.
type rate float64

var _ pflag.Value = new(rate)

func (r *rate) Type() string { return "N/s" }

func (r *rate) String() string {
	switch {
	case *r == 0:
		return ""
	case *r < 1:
		return strconv.FormatFloat(float64(*r)*60, 'g', 4, 64) + "/m"
	default:
		return strconv.FormatFloat(float64(*r), 'g', 6, 64) + "/s"
	}
}

func (r *rate) Set(text string) error {
	number, unit, found := strings.Cut(text, "/")
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n > 0) || n > 1e6 {
		return fmt.Errorf("%q is not a rate, such as 50/s or 10/m", text)
	}
	switch {
	case !found, unit == "s":
	case unit == "m":
		n /= 60
	case unit == "h":
		n /= 3600
	default:
		return fmt.Errorf("%q is not a rate, such as 50/s or 10/m", text)
	}
	if n < 1.0/600 {
		return fmt.Errorf("%q is too slow: it must be at least one in ten minutes, 0.1/m", text)
	}
	*r = rate(n)
	return nil
}
