package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/warren-mq/warren/errorqueue"
)

// actFlags are those of the commands that act upon entries.
type actFlags struct {
	queueFlags
	filterFlags
	bodyFlags
	confirmFlags
	all   bool
	limit int
	rate  rate
}

func (a *actFlags) add(cmd *cobra.Command, mustChoose bool) {
	f := cmd.Flags()
	f.SortFlags = false
	a.filterFlags.add(f)
	if mustChoose {
		f.BoolVar(&a.all, "all", false, "all entries, where no other flag chooses some")
	}
	f.IntVar(&a.limit, "limit", 0, "at most so many entries; 0 means all that are chosen")
	f.Var(&a.rate, "rate", "at most so many a second, as `50/s`, or 10/m; the default is as fast as it goes")
	a.confirmFlags.add(f)
	a.addCodec(f)
	a.acts = true
	a.queueFlags.add(f)
	completeFilters(cmd, &a.queueFlags)
}

const helpAct = `Without --yes it says what it will do, and asks. Where there is no terminal to ask on it
does nothing without --yes. --dry-run says what would be done, and does nothing. An
interrupt (Ctrl-C) ends it in order: it says what is done, and what is left.`

// options are what the flags say, or what is wrong with them.
func (a *actFlags) options(cmd *cobra.Command, mustChoose bool) (o errorqueue.Options, err error) {
	if mustChoose && !a.all && !a.given() && a.limit == 0 {
		return o, usageError{errors.New("which entries? Choose some by flags, or all with --all")}
	}
	if a.all && a.given() {
		return o, usageError{errors.New("--all does not go with flags that choose some")}
	}
	if a.limit < 0 {
		return o, usageError{errors.New("--limit is negative")}
	}
	if err := a.check(); err != nil {
		return o, err
	}
	if err := a.prepare(cmd); err != nil {
		return o, err
	}
	o.Filter, err = a.filter(cmd, &a.bodyFlags)
	o.Limit, o.Rate = a.limit, float64(a.rate)
	return o, err
}

// deed is a command that acts upon entries, in words and as a function.
type deed struct {
	action string // as in the audit trail: "replay"
	future string // what will become of entries: "will be published to orders and leave orders.error"
	past   string // "replayed"
	to     string // where entries go, if they do
	run    string // names a replay
	resume string // how to go on after an interruption, if that is not the same command line
	remark string // for who decides
	asked  bool   // and somebody said yes
	do     func(context.Context, errorqueue.Options) (errorqueue.Result, error)
}

// carryOut says what will be done, asks, does it, and says what was done.
func (a *actFlags) carryOut(ctx context.Context, cmd *cobra.Command, q *errorqueue.Queue, d *deed, o errorqueue.Options) error {
	now, asked := o, 0
	if !a.yes || a.dryRun {
		try := o
		try.DryRun, try.Rate = true, 0
		agreed := newAgreed()
		try.Filter = agreed.noting(o.Filter)
		p := newProgress(cmd.ErrOrStderr(), "looked at")
		total := 0
		try.Progress = func(at errorqueue.Progress) {
			total = at.Total
			p.show(at.Seen, at.Total, at.Took, at.Blocked)
		}
		r, err := d.do(ctx, try)
		p.end()
		if err != nil {
			return fmt.Errorf("nothing was done: %w", err)
		}
		if a.dryRun || r.Left == 0 {
			return a.report(cmd, q, d, o, r, nil)
		}
		if err := a.confirm(cmd, a.intention(q, d, o, r, total)); err != nil {
			return err
		}
		now.Filter, asked = agreed.only(o.Filter), r.Matched
		if now.Limit == 0 {
			now.Limit = asked // no need to look further
		}
	}
	if d.run != "" {
		cmd.PrintErrf("Run %s: --run takes it up again, whatever happens.\n", printable(d.run))
	}
	p := newProgress(cmd.ErrOrStderr(), d.past)
	now.Progress = func(at errorqueue.Progress) {
		total := at.Total
		if now.Limit > 0 {
			total = min(total, now.Limit)
		}
		p.show(at.Done, total, at.Took, at.Blocked)
	}
	r, err := d.do(ctx, now)
	p.end()
	if gone := asked - r.Matched; err == nil && gone > 0 {
		cmd.PrintErrf("%s taken by somebody else since you were asked.\n", count(gone, "entry was", "entries were"))
	}
	d.asked = asked > 0
	return a.report(cmd, q, d, o, r, err)
}

// intention is what a person is asked about. There are so many entries in total.
func (a *actFlags) intention(q *errorqueue.Queue, d *deed, o errorqueue.Options, r errorqueue.Result, total int) string {
	var b strings.Builder
	what := count(r.Left, "entry", "entries")
	if r.Left < total {
		what = fmt.Sprintf("%s of %s", grouped(r.Left), count(total, "entry", "entries"))
	}
	fmt.Fprintf(&b, "%s of %s", what, printable(q.Name()))
	if text := o.Filter.String(); text != "all" {
		fmt.Fprintf(&b, " (%s)", printable(text))
	}
	fmt.Fprintf(&b, " %s.", d.future)
	if o.Rate > 0 {
		took := time.Duration(float64(r.Left) / o.Rate * float64(time.Second))
		fmt.Fprintf(&b, "\nAt %s that takes about %s.", a.rate.String(), inShort(took))
	}
	if d.remark != "" {
		b.WriteString("\n" + d.remark)
	}
	if r.Failed > 0 {
		fmt.Fprintf(&b, "\n%s cannot be %s:%s", count(r.Failed, "entry", "entries"), d.past, failures(r))
	}
	return b.String()
}

// resultJSON is what has become of entries, as --json prints it.
type resultJSON struct {
	Action      string      `json:"action"`
	Queue       string      `json:"queue"`
	ErrorQueue  string      `json:"error_queue"`
	Filter      string      `json:"filter,omitzero"`
	To          string      `json:"to,omitzero"`
	Run         string      `json:"run,omitzero"`
	DryRun      bool        `json:"dry_run"`
	Interrupted bool        `json:"interrupted"`
	Seen        int         `json:"seen"`
	Matched     int         `json:"matched"`
	Done        int         `json:"done"`
	Failed      int         `json:"failed"`
	Left        int         `json:"left"`
	Seconds     float64     `json:"seconds"`
	Error       string      `json:"error,omitzero"`
	Errors      []entryFail `json:"errors,omitempty"` // the first ones
}

type entryFail struct {
	ID    string `json:"id"`
	Error string `json:"error"`
}

// report says what was done.
func (a *actFlags) report(cmd *cobra.Command, q *errorqueue.Queue, d *deed, o errorqueue.Options, r errorqueue.Result, failed error) error {
	interrupted := failed != nil && cmd.Context().Err() != nil
	out := a.form.of(cmd)
	if out.json {
		j := resultJSON{
			Action: d.action, Queue: q.Main(), ErrorQueue: q.Name(), Filter: o.Filter.String(), To: d.to, Run: r.Run,
			DryRun: a.dryRun, Interrupted: interrupted, Seen: r.Seen, Matched: r.Matched, Done: r.Done, Failed: r.Failed,
			Left: r.Left, Seconds: r.Took.Seconds(),
		}
		if d.action == "import" {
			j.Filter = ""
		}
		if failed != nil {
			j.Error = failed.Error()
		}
		for _, e := range r.Errors {
			j.Errors = append(j.Errors, entryFail{e.ID, e.Err.Error()})
		}
		if err := out.value(j); err != nil {
			return err
		}
	} else if err := out.line("%s", d.summary(q, o, r, a.dryRun, failed)); err != nil {
		return err
	}
	switch {
	case interrupted:
		text := "interrupted; the same command goes on with what is left"
		if d.resume != "" {
			text = "interrupted; " + d.resume
		}
		return leftError{errors.New(text)}
	case failed != nil:
		return failed
	case r.Failed > 0:
		return leftError{}
	}
	return nil
}

// summary says for people what was done, or would be.
func (d *deed) summary(q *errorqueue.Queue, o errorqueue.Options, r errorqueue.Result, dryRun bool, failed error) string {
	var b strings.Builder
	switch {
	case failed == nil && !d.asked && r.Matched == 0 && r.Failed == 0 && d.action != "import":
		b.WriteString(nothing(q, o.Filter))
	case dryRun:
		fmt.Fprintf(&b, "%s %s. Nothing was done.", count(r.Left, "entry", "entries"),
			strings.Replace(d.future, "will ", "would ", 1))
	default:
		fmt.Fprintf(&b, "%s %s in %s", count(r.Done, "entry", "entries"), d.past, inShort(r.Took))
		switch {
		case failed != nil && d.action != "import": // Left is of what was looked at
			b.WriteString("; all others stay")
		case r.Left > 0:
			fmt.Fprintf(&b, ", %s left", grouped(r.Left))
		}
		b.WriteString(".")
	}
	if r.Failed > 0 {
		fmt.Fprintf(&b, "\n%s could not be %s:%s", count(r.Failed, "entry", "entries"), d.past, failures(r))
	}
	return b.String()
}

// failures lists the first ones.
func failures(r errorqueue.Result) string {
	var b strings.Builder
	for _, e := range r.Errors {
		why := strings.TrimPrefix(e.Err.Error(), "match entry "+e.ID+": ")
		fmt.Fprintf(&b, "\n  %s: %s", printable(e.ID), printable(why))
	}
	if more := r.Failed - len(r.Errors); more > 0 {
		fmt.Fprintf(&b, "\n  and %s more", grouped(more))
	}
	return b.String()
}
