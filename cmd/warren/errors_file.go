package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/warren-mq/warren/errorqueue"
)

func exportCommand() *cobra.Command {
	var a actFlags
	var force bool
	cmd := &cobra.Command{
		Use:   "export QUEUE FILE",
		Short: "Write entries to a file, from which import reads them",
		Long: `Write entries to a file, from which import reads them: JSON, one message a line, with all
properties and headers. They stay in the queue. FILE - is standard output.

FILE appears when it is complete, and only its owner may read it: bodies often hold what
not everybody should see. A file that is there already is left alone, unless --force is
given. What is exported is not redacted.

` + helpFilter + "\n\n" + helpExitCodes,
		Example: `  warren errors export orders orders.jsonl
  warren errors export orders - --reason undecodable | gzip > undecodable.jsonl.gz`,
		Args: words(2, "QUEUE", "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[1] == "-" && a.form.json {
				return usageError{errors.New("--json and - would write to the same place")}
			}
			a.yes = true // it changes nothing
			o, err := a.options(cmd, false)
			if err != nil {
				return err
			}
			out, err := newSink(args[1], cmd.OutOrStdout(), force)
			if err != nil {
				return err
			}
			defer out.abandon()
			return a.with(cmd, args[0], func(ctx context.Context, q *errorqueue.Queue) error {
				return a.export(ctx, cmd, q, o, out)
			})
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	a.filterFlags.add(f)
	f.IntVar(&a.limit, "limit", 0, "at most so many entries; 0 means all that are chosen")
	f.BoolVar(&a.dryRun, "dry-run", false, "say how many there are, and write nothing")
	f.BoolVar(&force, "force", false, "replace FILE if it is there")
	a.addCodec(f)
	a.acts = true
	a.queueFlags.add(f)
	completeFilters(cmd, &a.queueFlags)
	cmd.ValidArgsFunction = completeFile
	return cmd
}

// completeFile completes a file's name after that of the queue.
func completeFile(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 1 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (a *actFlags) export(ctx context.Context, cmd *cobra.Command, q *errorqueue.Queue, o errorqueue.Options, out *sink) error {
	p := newProgress(cmd.ErrOrStderr(), "exported")
	o.DryRun = a.dryRun
	o.Progress = func(now errorqueue.Progress) { p.show(now.Done, now.Total, now.Took, now.Blocked) }
	r, err := q.Export(ctx, out, o)
	p.end()
	if err == nil && !a.dryRun {
		err = out.keep()
	}
	if err != nil && !out.streams() {
		return fmt.Errorf("%s was not written: %w", out.name, err)
	}
	d := deed{action: "export", past: "exported to " + printable(out.name), future: "will be exported to " + printable(out.name), to: out.name}
	if out.streams() { // standard output is taken
		cmd.SetOut(cmd.ErrOrStderr())
	}
	d.resume = "what was written is not all"
	return a.report(cmd, q, &d, o, r, err)
}

// sink is where an export goes: standard output, or a file that appears when it is complete.
type sink struct {
	name  string
	force bool
	file  *os.File // under another name so far; nil for standard output
	*bufio.Writer
}

func newSink(name string, stdout io.Writer, force bool) (*sink, error) {
	if name == "-" {
		return &sink{name: "standard output", Writer: bufio.NewWriter(stdout)}, nil
	}
	switch info, err := os.Lstat(name); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, usageError{err}
	case !info.Mode().IsRegular():
		return nil, usageError{fmt.Errorf("%s is no file that could be replaced", name)}
	case !force:
		return nil, usageError{fmt.Errorf("%s is there already; --force replaces it", name)}
	}
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // for its owner alone
	if err != nil {
		return nil, usageError{err}
	}
	return &sink{name: name, force: force, file: file, Writer: bufio.NewWriterSize(file, 64<<10)}, nil
}

func (s *sink) streams() bool { return s.file == nil }

// keep gives the file its name, once it is on the disk: entries may be discarded next.
func (s *sink) keep() error {
	if err := s.Flush(); err != nil || s.streams() {
		return err
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	if s.force {
		if err := os.Rename(s.file.Name(), s.name); err != nil {
			return err
		}
	} else if err := os.Link(s.file.Name(), s.name); err != nil { // fails if it is there, and Rename does not
		return err
	}
	return syncFolder(filepath.Dir(s.name))
}

// abandon removes what is left of a file that was not kept, or its other name.
func (s *sink) abandon() {
	if !s.streams() {
		_ = s.file.Close()
		_ = os.Remove(s.file.Name())
	}
}

func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func importCommand() *cobra.Command {
	var a actFlags
	var skipPresent bool
	cmd := &cobra.Command{
		Use:   "import QUEUE FILE",
		Short: "Put what export has written into the error queue again",
		Long: `Put what export has written into the error queue again. FILE - is standard input.

--skip-present leaves out what is in the error queue already: so an import that was
interrupted can be done again. It looks at the whole queue before.

` + helpAct + "\n\n" + helpExitCodes,
		Example: `  warren errors import orders orders.jsonl
  gunzip < undecodable.jsonl.gz | warren errors import orders - --yes`,
		Args: words(2, "QUEUE", "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := a.options(cmd, false)
			if err != nil {
				return err
			}
			in := &source{name: "standard input", from: cmd.InOrStdin()}
			if args[1] != "-" {
				file, err := os.Open(args[1])
				if err != nil {
					return usageError{err}
				}
				defer func() { _ = file.Close() }()
				in = &source{name: args[1], from: file, file: file}
			}
			return a.with(cmd, args[0], func(ctx context.Context, q *errorqueue.Queue) error {
				return a.importFrom(ctx, cmd, q, in, errorqueue.ImportOptions{Limit: o.Limit, Rate: o.Rate, SkipPresent: skipPresent})
			})
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&skipPresent, "skip-present", false, "leave out messages that are in the error queue already")
	f.IntVar(&a.limit, "limit", 0, "at most so many messages; 0 means all")
	f.Var(&a.rate, "rate", "at most so many a second, as `50/s`, or 10/m; the default is as fast as it goes")
	a.confirmFlags.add(f)
	a.acts = true
	a.queueFlags.add(f)
	cmd.ValidArgsFunction = completeFile
	return cmd
}

// source is what is imported.
type source struct {
	name string
	from io.Reader
	file *os.File // nil for standard input
}

func (a *actFlags) importFrom(ctx context.Context, cmd *cobra.Command, q *errorqueue.Queue, in *source, o errorqueue.ImportOptions) error {
	d := deed{
		action: "import", past: "imported", to: q.Name(), future: "will be imported from " + printable(in.name) + " into " + printable(q.Name()),
		resume: "--skip-present goes on with what is left",
	}
	do := func(ctx context.Context, o errorqueue.ImportOptions) (errorqueue.Result, error) {
		if in.file != nil {
			if _, err := in.file.Seek(0, io.SeekStart); err != nil {
				return errorqueue.Result{}, err
			}
		}
		return q.Import(ctx, in.from, o)
	}
	if a.dryRun || !a.yes && in.file != nil {
		try := o
		try.DryRun, try.Rate = true, 0
		r, err := do(ctx, try)
		if err != nil {
			return fmt.Errorf("nothing was done: %s: %w", in.name, err)
		}
		if a.dryRun || r.Left == 0 {
			return a.report(cmd, q, &d, errorqueue.Options{}, r, nil)
		}
		if err := a.confirm(cmd, count(r.Left, "message", "messages")+" "+d.future+"."); err != nil {
			return err
		}
	} else if err := a.confirm(cmd, "All messages of "+in.name+" "+d.future+"."); err != nil {
		return err
	}
	p := newProgress(cmd.ErrOrStderr(), "imported")
	o.Progress = func(now errorqueue.Progress) { p.show(now.Done, 0, now.Took, now.Blocked) }
	r, err := do(ctx, o)
	p.end()
	if err != nil {
		err = fmt.Errorf("%s: %w", in.name, err)
	}
	return a.report(cmd, q, &d, errorqueue.Options{}, r, err)
}
