package main

import (
	"fmt"
	"io"
	"time"
)

// progress tells on standard error how far something is: on a terminal in place, elsewhere with a line now and then.
type progress struct {
	w        io.Writer
	deed     string // "replayed"
	terminal bool
	said     time.Duration // how long it had taken when something was said last
	blocked  error         // why it stands still
	open     bool          // a line on the terminal is to be wiped
}

// betweenLines is how often there is a line where progress cannot be shown in place.
const betweenLines = 10 * time.Second

func newProgress(w io.Writer, deed string) *progress {
	return &progress{w: w, deed: deed, terminal: isTerminal(w)}
}

// show is told now and then; blocked says why it stands still, or is nil.
func (p *progress) show(done, total int, took time.Duration, blocked error) {
	line := progressLine(p.deed, done, total, took)
	if blocked != nil {
		line = p.deed + " " + grouped(done) + ", and waits: " + printable(blocked.Error())
	}
	news := (blocked != nil) != (p.blocked != nil)
	p.blocked = blocked
	if p.terminal {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K", cut(line, max(0, width(p.w)-1)))
		p.open = true
		return
	}
	if news || took-p.said >= betweenLines {
		p.said = took
		_, _ = fmt.Fprintln(p.w, line)
	}
}

// end leaves the terminal as it was.
func (p *progress) end() {
	if p.open {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
		p.open = false
	}
}

// progressLine tells how far it is, how fast it goes, and how long it will take. A total of 0 is not known.
func progressLine(deed string, done, total int, took time.Duration) string {
	line := deed + " " + grouped(done)
	if total > 0 {
		line += " of " + grouped(total)
	}
	if done <= 0 || took <= 0 {
		return line
	}
	rate := float64(done) / took.Seconds()
	if rate < 10 {
		line += fmt.Sprintf(", %.1f/s", rate)
	} else {
		line += fmt.Sprintf(", %s/s", grouped(int(rate)))
	}
	if left := total - done; left > 0 {
		line += ", " + inShort(time.Duration(float64(left)/rate*float64(time.Second))) + " left"
	}
	return line
}

// inShort is a duration as people say it: with its two largest units.
func inShort(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return "-" + inShort(-d)
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%dd%02dh", d/day, d%day/time.Hour)
	}
}
