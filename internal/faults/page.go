package faults

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Page renders the table for people.
func (t *Table) Page() string {
	var b strings.Builder
	b.WriteString(introduction)
	t.writeRows(&b)
	var wrong []string
	published, lost := 0, 0
	for _, c := range t.Columns {
		for _, r := range c.Rows {
			if r.Control {
				continue
			}
			published += r.Published
			lost += r.Lost
			if r.Wrong != "" {
				wrong = append(wrong, fmt.Sprintf("- %s on %s: %s", r.Fault, c.Version, r.Wrong))
			}
		}
	}
	fmt.Fprintf(&b, "\nTogether, without the controls: %d published and confirmed, %d lost.\n", published, lost)
	if len(wrong) > 0 {
		fmt.Fprintf(&b, "\n## Not as promised\n\n%s\n", strings.Join(wrong, "\n"))
	}
	t.writeSoaks(&b)
	b.WriteString("\n## Where\n\n")
	for _, c := range t.Columns {
		fmt.Fprintf(&b, "- RabbitMQ %s: %s, %s; %s\n", c.Version, c.Date, c.Machine, c.builds())
	}
	return b.String()
}

// writeRows writes a line for each fault and version, the controls last.
func (t *Table) writeRows(b *strings.Builder) {
	b.WriteString("| fault | RabbitMQ | runs | published | lost | duplicated | longest pause | back after |\n|---|---|---|---|---|---|---|---|\n")
	names, controls := t.names()
	for _, control := range []bool{false, true} {
		for _, name := range names {
			if controls[name] != control {
				continue
			}
			shown := name
			if control {
				shown = "*" + name + "*"
			}
			for _, c := range t.Columns {
				if i := slices.IndexFunc(c.Rows, func(r Row) bool { return r.Fault == name }); i >= 0 {
					r := c.Rows[i]
					fmt.Fprintf(b, "| %s | %s | %d | %d | %s | %d | %s | %s |\n", shown, c.Version, r.Runs, r.Published,
						lost(r), r.Duplicated, seconds(r.Gap), seconds(r.Back))
					shown = ""
				}
			}
		}
	}
}

// names are those of all faults, in the order of the table, and which of them are controls.
func (t *Table) names() (names []string, controls map[string]bool) {
	controls = map[string]bool{}
	for _, c := range t.Columns {
		for _, r := range c.Rows {
			if !slices.Contains(names, r.Fault) {
				names = append(names, r.Fault)
				controls[r.Fault] = r.Control
			}
		}
	}
	place := func(name string) int {
		if i := slices.Index(t.Order, name); i >= 0 {
			return i
		}
		return len(t.Order)
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(place(a), place(b)) })
	return names, controls
}

// writeSoaks tells how much the longest runs needed, at their beginning and at their end.
func (t *Table) writeSoaks(b *strings.Builder) {
	const mebi = 1 << 20
	wrote := false
	for _, c := range t.Columns {
		if c.Soak == nil {
			continue
		}
		if !wrote {
			b.WriteString(soakIntroduction)
			wrote = true
		}
		s := c.Soak
		fmt.Fprintf(b, "| %s | %v | %d | %d | %.1f → %.1f MiB | %.1f → %.1f MiB | %.0f → %.0f |\n", c.Version, s.Length, s.Faults, s.Seed,
			s.First.Heap/mebi, s.Last.Heap/mebi, s.First.Resident/mebi, s.Last.Resident/mebi, s.First.Goroutines, s.Last.Goroutines)
	}
}

// builds tells which commits the rows of a column are from: one, or else which lines are from another than most.
func (c *Column) builds() string {
	faults := map[string][]string{}
	var builds []string
	for _, r := range c.Rows {
		name := cmp.Or(r.Build, "a build that did not say which")
		if !slices.Contains(builds, name) {
			builds = append(builds, name)
		}
		faults[name] = append(faults[name], r.Fault)
	}
	slices.SortStableFunc(builds, func(a, b string) int { return cmp.Compare(len(faults[b]), len(faults[a])) })
	switch len(builds) {
	case 0:
		return "nothing yet"
	case 1:
		return builds[0]
	}
	var others []string
	for _, name := range builds[1:] {
		var quoted []string
		for _, fault := range faults[name] {
			quoted = append(quoted, strconv.Quote(fault))
		}
		others = append(others, strings.Join(quoted, ", ")+", of "+name)
	}
	return builds[0] + ", but for " + strings.Join(others, "; ")
}

// lost makes losses stand out.
func lost(r Row) string {
	if r.Lost == 0 {
		return "0"
	}
	return fmt.Sprintf("**%d**", r.Lost)
}

func seconds(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

const introduction = `# What was injected, and what was lost

This page is written by ` + "`make faults`" + `, the test bench in ` + "`internal/faults`" + `. Each line is a run of its own: 200 messages a
second are published, with confirms, and consumed, by handlers that succeed, ask for a retry, defer, fail for good, panic, or
exceed their time. Then the fault comes. In the end every message that the broker had confirmed must have been handled, or be in
the error queue if that is where it belongs; no message may have been handled that nobody published; the queues must be empty,
the consumer ready, and no goroutine, connection or channel left. Anything else is a failed test.

- **published**: messages that the broker has confirmed.
- **lost**: of those, the ones that were neither handled nor are in the error queue.
- **duplicated**: handled more than once. That is allowed: where an answer is lost, doing it again is all that can be done.
- **longest pause**: between two handled messages, the fault's own duration included.
- **back after**: the longest time from the end of the fault to the next handled message.

Some lines hold more than that. Processes that are told to end by SIGTERM must do so within their time, say by their exit code if a
handler was left behind, and hand back what they have not begun: handled once, with at most one delivery counted for each process that
was shut down, and none from 4.3 on. A message that kills its process must be in the error queue as ` + "`crashed`" + `, and no other
may. A header that fits into a frame must be there after each retry and in the error queue, and one that does not must be named there.

A zero means: not seen in so many runs. The lines in italics are the control: the same checker on a consumer as it is commonly
written by hand, which publishes its retries without waiting for the confirm, to a classic queue. If it loses nothing the bench
fails, since it would have proved nothing. A run that is repeated takes the place of the older one of its version.

Not in the table, or not held:

- On a cluster of RabbitMQ 3.10 a node's death can make each retry queue wait for up to three minutes, one after the other. The bench
  waits for that; from 4.0 on it was not seen.
- On RabbitMQ 3.10, when the limit of a full main queue is lifted, what waits in the retry queues stays there until the broker, or
  the queue's leader, is started again. It stays, it is not lost. If the queue is worked off instead, that takes up to three minutes.
- What the broker forgets when it is killed within a second of the declaration of a queue is not the library's to keep: the bench
  waits for that second.
- A clock that jumps is not injected: on one machine that would be everyone's clock, and one that is faked in a process proves little.
  Nor are power cuts, of which SIGKILL shows only what the process has in memory, or disks that lie.

`

const soakIntroduction = `
## Does it grow?

The soak injects a fault of the table every so often, at random, at times two at once, while 200 messages a second flow to two
processes. After each fault, when messages flow again, the bench collects garbage and weighs its own process, in which a consumer, the
publishers and the checker are. The line through the samples (the median of the slopes between any two, which a few odd samples do not
bend) must be as good as level, or the run fails. Here are the medians of the first and of the last tenth.

| RabbitMQ | for | faults | seed | heap | resident | goroutines |
|---|---|---|---|---|---|---|
`
