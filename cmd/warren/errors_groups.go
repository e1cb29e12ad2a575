package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/warren-mq/warren/errorqueue"
)

// groupJSON is a group as --json prints it.
type groupJSON struct {
	Fingerprint string     `json:"fingerprint"`
	Count       int        `json:"count"`
	Reason      string     `json:"reason"`
	Error       string     `json:"error"`
	ErrorType   string     `json:"error_type"`
	First       *time.Time `json:"first,omitempty"`
	Last        *time.Time `json:"last,omitempty"`
	Sample      entryJSON  `json:"sample"`
}

func groupsCommand() *cobra.Command {
	var l lookFlags
	cmd := &cobra.Command{
		Use:   "groups QUEUE",
		Short: "Count entries that failed alike, the most frequent failure first",
		Long: `Count entries that failed alike, the most frequent failure first. Failures are alike if they
have the same fingerprint: the same kind and type of error, with the same text but for
numbers and ids, at the same place of the application.

` + helpFilter + "\n\n" + helpExitCodes,
		Example: `  warren errors groups orders
  warren errors groups orders --since 1d --json`,
		Args: words(1, "QUEUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := l.meant(cmd)
			if err != nil {
				return err
			}
			return l.with(cmd, args[0], func(ctx context.Context, q *errorqueue.Queue) error {
				return l.groups(ctx, cmd, q, filter)
			})
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	l.limitFlag(cmd, 50)
	l.filterFlags.add(f)
	l.addCodec(f)
	l.queueFlags.add(f)
	completeFilters(cmd, &l.queueFlags)
	return cmd
}

func (l *lookFlags) groups(ctx context.Context, cmd *cobra.Command, q *errorqueue.Queue, filter errorqueue.Filter) error {
	o := l.form.of(cmd)
	var unclear unjudged
	if match := filter.Match; match != nil {
		filter.Match = func(e errorqueue.Entry) (bool, error) {
			yes, err := match(e)
			if err != nil {
				unclear.add(fmt.Errorf("match entry %s: %w", e.ID, err))
			}
			return yes && err == nil, nil
		}
	}
	all, err := q.Groups(ctx, filter)
	if err != nil {
		return err
	}
	entries := 0
	for _, g := range all {
		entries += g.Count
	}
	shown := all
	if l.limit > 0 {
		shown = all[:min(l.limit, len(all))]
	}
	now := time.Now()
	t := o.newTable("FINGERPRINT", "ENTRIES", "FIRST", "LAST", "REASON", "ERROR")
	for _, g := range shown {
		if !o.json {
			t.row(plain, cmp.Or(g.Fingerprint, "(others)"), grouped(g.Count), ago(g.First, now), ago(g.Last, now), g.Reason, cut(g.Error, 72))
			continue
		}
		if err := o.jsonLine(groupJSON{
			g.Fingerprint, g.Count, g.Reason, g.Error, g.ErrorType, known(g.First), known(g.Last), inBrief(&g.Sample),
		}); err != nil {
			return err
		}
	}
	if !o.json && len(shown) > 0 {
		if err := t.end(); err != nil {
			return err
		}
	}
	switch {
	case len(all) == 0 && unclear.n == 0:
		cmd.PrintErrln(nothing(q, filter))
	case len(shown) < len(all):
		cmd.PrintErrf("%s of %s; --limit 0 lists all.\n", grouped(len(shown)), count(len(all), "group", "groups"))
	case !o.json && len(all) > 0:
		cmd.PrintErrf("%s in %s.\n", count(entries, "entry", "entries"), count(len(all), "group", "groups"))
	}
	return unclear.report(cmd)
}
