package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// output is what a command prints on standard output: tables for people or, with --json, JSON for programs.
type output struct {
	io.Writer
	json    bool
	colours bool
}

// outputFlags choose the form of the output.
type outputFlags struct{ json bool }

func (o *outputFlags) add(f *pflag.FlagSet) {
	f.BoolVar(&o.json, "json", false, "print JSON for programs instead of tables for people")
}

// of is the output of a command. There are colours on a terminal only, and not if NO_COLOR is set (no-color.org).
func (o *outputFlags) of(cmd *cobra.Command) output {
	w := cmd.OutOrStdout()
	return output{
		Writer: w, json: o.json,
		colours: !o.json && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w),
	}
}

// line prints one line for people. What is from outside must be printable already.
func (o output) line(format string, args ...any) error {
	_, err := fmt.Fprintf(o, format+"\n", args...)
	return err
}

// value prints one JSON document, for people who look at it, too: indented.
func (o output) value(v any) error { return o.writeJSON(v, true) }

// jsonLine prints one of many JSON documents, on one line.
func (o output) jsonLine(v any) error { return o.writeJSON(v, false) }

func (o output) writeJSON(v any, indent bool) error {
	text, err := jsonOf(v, indent)
	if err != nil {
		return err
	}
	_, err = o.Write(text)
	return err
}

// colour is the SGR code of one. All have two digits: a table's columns are as wide as their bytes.
type colour int

const (
	plain  colour = 39
	red    colour = 31
	green  colour = 32
	yellow colour = 33
	faint  colour = 90
)

// paint gives a text a colour, where there are colours.
func (o output) paint(c colour, text string) string {
	if !o.colours {
		return text
	}
	return "\x1b[" + strconv.Itoa(int(c)) + "m" + text + "\x1b[0m"
}

// table prints rows in columns. Cells are made printable: they may hold anything.
type table struct {
	o output
	w *tabwriter.Writer
}

// newTable begins a table with its head. The caller ends it.
func (o output) newTable(head ...string) *table {
	t := &table{o, tabwriter.NewWriter(o, 0, 8, 2, ' ', 0)}
	t.row(faint, head...)
	return t
}

// row adds one. The colour is that of its first cell.
func (t *table) row(c colour, cells ...string) {
	for i, cell := range cells {
		cells[i] = printable(cell)
	}
	cells[0] = t.o.paint(c, cells[0])
	// Errors of the writer come back at the end: a tabwriter keeps what it has until then.
	_, _ = fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

// end prints what was added.
func (t *table) end() error { return t.w.Flush() }

// count is a number with its noun, in its plural if need be: "1 entry", "12,000 entries".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// grouped is a number with commas between its thousands.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
