package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/warren-mq/warren/errorqueue"
)

// lookFlags are those of the commands that look at entries.
type lookFlags struct {
	queueFlags
	filterFlags
	bodyFlags
	limit int
}

func (l *lookFlags) limitFlag(cmd *cobra.Command, value int) {
	cmd.Flags().IntVar(&l.limit, "limit", value, "most entries that are printed; 0 prints all")
}

// meant is the filter that the flags say.
func (l *lookFlags) meant(cmd *cobra.Command) (errorqueue.Filter, error) {
	if l.limit < 0 {
		return errorqueue.Filter{}, usageError{errors.New("--limit is negative")}
	}
	if err := l.prepare(cmd); err != nil {
		return errorqueue.Filter{}, err
	}
	return l.filter(cmd, &l.bodyFlags)
}

func lsCommand() *cobra.Command {
	var l lookFlags
	var bodies bool
	cmd := &cobra.Command{
		Use:   "ls QUEUE",
		Short: "List entries, the oldest first",
		Long: `List entries, the oldest first. With --json there is one JSON object a line for each, which
has bodies, headers and stacks with --bodies only.

` + helpFilter + "\n\n" + helpBody + "\n\n" + helpExitCodes,
		Example: `  warren errors ls orders
  warren errors ls orders --reason exhausted --error timeout --since 2h
  warren errors ls orders --where 'body.amount > 100' --limit 0
  warren errors ls orders --json | jq -r .id`,
		Args: words(1, "QUEUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if bodies && !l.form.json {
				return usageError{errors.New("--bodies goes with --json; show prints one entry with its body")}
			}
			filter, err := l.meant(cmd)
			if err != nil {
				return err
			}
			return l.with(cmd, args[0], func(ctx context.Context, q *errorqueue.Queue) error {
				return l.list(ctx, cmd, q, filter, bodies)
			})
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	l.limitFlag(cmd, 50)
	l.filterFlags.add(f)
	f.BoolVar(&bodies, "bodies", false, "with --json: everything that is known, and the bodies")
	l.bodyFlags.add(f)
	l.queueFlags.add(f)
	completeFilters(cmd, &l.queueFlags)
	return cmd
}

// list prints entries. Nothing waits for a person while they are held: all that is printed is printed at the end, or
// goes to a program.
func (l *lookFlags) list(ctx context.Context, cmd *cobra.Command, q *errorqueue.Queue, filter errorqueue.Filter, bodies bool) error {
	o := l.form.of(cmd)
	now := time.Now()
	var rows [][]string
	var unclear unjudged
	total, listed := 0, 0
	for e, err := range q.All(ctx, filter) {
		switch {
		case err != nil && e.ID != "":
			unclear.add(err)
			continue
		case err != nil:
			return err
		}
		total++
		if l.limit > 0 && listed == l.limit {
			if filter.Match == nil && !l.given() {
				break // Len knows the number
			}
			continue
		}
		listed++
		if !o.json {
			rows = append(rows, []string{
				e.ID, ago(e.LastFailure, now), e.Reason, attempts(e.Attempts), cut(e.Message.Type, 32), cut(e.Error, 72),
			})
			continue
		}
		j := inBrief(&e)
		if bodies {
			j = l.whole(&e)
		}
		if err := o.jsonLine(j); err != nil {
			return err
		}
	}
	if total > listed && !l.given() {
		ready, err := q.Len(ctx)
		if err != nil {
			return err
		}
		total = max(total, ready) // others may have taken some since
	}
	if len(rows) > 0 {
		t := o.newTable("ID", "FAILED", "REASON", "ATTEMPTS", "TYPE", "ERROR")
		for _, row := range rows {
			t.row(plain, row...)
		}
		if err := t.end(); err != nil {
			return err
		}
	}
	switch {
	case total > listed:
		cmd.PrintErrf("%s of %s; --limit 0 lists all.\n", grouped(listed), count(total, "entry", "entries"))
	case total == 0 && len(unclear.first) == 0:
		cmd.PrintErrln(nothing(q, filter))
	}
	return unclear.report(cmd)
}

// nothing says that no entry is meant.
func nothing(q *errorqueue.Queue, filter errorqueue.Filter) string {
	if text := filter.String(); text != "all" {
		return printable(fmt.Sprintf("Nothing in %s matches %s.", q.Name(), text))
	}
	return printable(q.Name()) + " is empty."
}

// attempts is a number of attempts, if it is known.
func attempts(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// unjudged are entries of which --where cannot tell.
type unjudged struct {
	n     int
	first []error
}

func (u *unjudged) add(err error) {
	u.n++
	if len(u.first) < 3 {
		u.first = append(u.first, err)
	}
}

// report says so, if there are any.
func (u *unjudged) report(cmd *cobra.Command) error {
	if u.n == 0 {
		return nil
	}
	cmd.PrintErrf("warren: --where cannot judge %s:\n", count(u.n, "entry", "entries"))
	for _, err := range u.first {
		cmd.PrintErrf("  %s\n", printable(err.Error()))
	}
	return leftError{}
}

func showCommand() *cobra.Command {
	var l lookFlags
	cmd := &cobra.Command{
		Use:   "show QUEUE [ID]",
		Short: "Show all that is known of an entry, and its body",
		Long: `Show all that is known of an entry, and its body: of the one with that ID, or of the first
ones that the flags choose. With --json it is one JSON object a line.

` + helpFilter + "\n\n" + helpBody + "\n\n" + helpExitCodes,
		Example: `  warren errors show orders 7b7a2f52-5d54-4a6d-a6a4-bd5ffb0d0d1f
  warren errors show orders --fingerprint 31c5f1a9e4b0d2c7
  warren errors show orders 17 --redact card,customer.email`,
		Args: words(1, "QUEUE", "ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				l.ids = append(l.ids, args[1])
			}
			filter, err := l.meant(cmd)
			if err != nil {
				return err
			}
			return l.with(cmd, args[0], func(ctx context.Context, q *errorqueue.Queue) error {
				return l.showAll(ctx, cmd, q, filter)
			})
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	l.limitFlag(cmd, 1)
	l.filterFlags.add(f)
	l.bodyFlags.add(f)
	l.queueFlags.add(f)
	completeFilters(cmd, &l.queueFlags)
	return cmd
}

// showAll collects the entries before it shows them: a person who reads through a pager must not hold the queue.
func (l *lookFlags) showAll(ctx context.Context, cmd *cobra.Command, q *errorqueue.Queue, filter errorqueue.Filter) error {
	o := l.form.of(cmd)
	var found []errorqueue.Entry
	var unclear unjudged
	for e, err := range q.All(ctx, filter) {
		switch {
		case err != nil && e.ID != "":
			unclear.add(err)
			continue
		case err != nil:
			return err
		}
		found = append(found, e)
		if l.limit > 0 && len(found) == l.limit {
			break
		}
	}
	if len(found) == 0 && unclear.n == 0 {
		if len(l.ids) > 0 {
			return fmt.Errorf("%w in %s; somebody else may hold it", errorqueue.ErrNotFound, q.Name())
		}
		return errors.New(nothing(q, filter))
	}
	now := time.Now()
	for i := range found {
		if o.json {
			if err := o.jsonLine(l.whole(&found[i])); err != nil {
				return err
			}
			continue
		}
		if i > 0 {
			if err := o.line(""); err != nil {
				return err
			}
		}
		if err := l.show(o, q.Name(), &found[i], now); err != nil {
			return err
		}
	}
	return unclear.report(cmd)
}
