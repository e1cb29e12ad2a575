package main

import (
	"fmt"
	"strings"

	"github.com/warren-mq/warren/topology"
	"github.com/warren-mq/warren/topology/drift"
)

// weights are the colours of what is found.
var weights = map[drift.Weight]colour{drift.Failure: red, drift.Warning: yellow, drift.Note: faint}

// print prints the comparison.
func (c *comparison) print(o output) error {
	if o.json {
		return o.value(c)
	}
	p := &lines{o: o}
	for _, name := range c.Declared {
		p.line("declared %s", printable(name))
	}
	counts := map[drift.Weight]int{}
	unseen := 0
	for _, r := range c.Reports {
		if len(r.Differences) == 0 {
			p.line("%s: %s", printable(r.Queue), o.paint(green, "as planned"))
		} else {
			p.line("%s: %s", printable(r.Queue), count(len(r.Differences), "difference", "differences"))
		}
		for _, d := range r.Differences {
			counts[d.Weight]++
			p.difference(d)
		}
		for _, u := range together(r.Unseen) {
			unseen++
			p.line("  %s  %s", o.paint(faint, "not seen"), printable(u))
		}
	}
	p.line("")
	p.line("%s, %s, %s, %d not seen; RabbitMQ %s by %s",
		count(counts[drift.Failure], "failure", "failures"), count(counts[drift.Warning], "warning", "warnings"),
		count(counts[drift.Note], "note", "notes"), unseen, printable(c.Version), c.source())
	return p.err
}

// source says who was asked.
func (c *comparison) source() string {
	if c.By == "management" {
		return "its management API"
	}
	return "AMQP alone (" + printable(c.Why) + ")"
}

// printBefore prints what apply finds, and would do.
func (c *comparison) printBefore(o output, missing []topology.Declaration) error {
	if err := c.print(o); err != nil || o.json {
		return err
	}
	p := &lines{o: o}
	for _, d := range missing {
		p.line("would declare %s", printable(nameOf(d)))
	}
	if len(missing) == 0 {
		p.line("there is nothing to declare")
	}
	return p.err
}

// lines prints lines until one fails.
type lines struct {
	o   output
	err error
}

func (p *lines) line(format string, args ...any) {
	if p.err == nil {
		p.err = p.o.line(format, args...)
	}
}

func (p *lines) difference(d drift.Difference) {
	p.line("  %s  %s", p.o.paint(weights[d.Weight], fmt.Sprintf("%-7s", d.Weight)), printable(sentence(d)))
	p.line("           breaks: %s", printable(d.Breaks))
	p.line("           mend:   %s", printable(d.Mend))
}

// sentence says what differs.
func sentence(d drift.Difference) string {
	what := d.Object + " " + d.Name
	switch d.Kind {
	case drift.KindMissing:
		return what + " is missing"
	case drift.KindArgument, drift.KindProperty:
		if d.Argument == "" {
			return what + ": " + d.Have
		}
		return fmt.Sprintf("%s: %s is %s, planned is %s", what, d.Argument, d.Have, d.Want)
	case drift.KindPolicy:
		return fmt.Sprintf("%s: %s is %s instead of %s, by %s", what, d.Argument, d.Have, d.Want, d.Policy)
	case drift.KindTarget:
		if d.Want == "" {
			return what + " has no dead-letter exchange"
		}
		return fmt.Sprintf("%s: its dead letters go nowhere: to %s, and %s", what, d.Want, d.Have)
	case drift.KindOrphan:
		return fmt.Sprintf("%s is not in the plan, and has %s", what, d.Have)
	case drift.KindExtra:
		return what + " is not in the plan"
	}
	return what
}

// together says what was not seen, with one line for each kind.
func together(all []drift.Unseen) (texts []string) {
	type kind struct{ object, what, why string }
	names := map[kind][]string{}
	var kinds []kind
	for _, u := range all {
		k := kind{u.Object, u.What, u.Why}
		if names[k] == nil {
			kinds = append(kinds, k)
		}
		names[k] = append(names[k], u.Name)
	}
	for _, k := range kinds {
		texts = append(texts, fmt.Sprintf("%s of %s %s (%s)", k.what, k.object, strings.Join(names[k], ", "), k.why))
	}
	return texts
}
