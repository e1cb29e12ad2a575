package faults

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Table is what the runs have shown, on each version of the broker.
type Table struct {
	Columns []Column `json:"versions"`
}

// Column is what one `make faults` has shown on one version.
type Column struct {
	Version string `json:"version"` // of RabbitMQ
	Date    string `json:"date"`
	Machine string `json:"machine"`
	Seed    uint64 `json:"seed,omitempty"` // of the soak's schedule
	Rows    []Row  `json:"rows"`
}

// Row is one fault.
type Row struct {
	Fault      string        `json:"fault"`
	Control    bool          `json:"control,omitempty"` // not Warren, but what has to lose
	Runs       int           `json:"runs"`
	Published  int           `json:"published"` // and confirmed
	Lost       int           `json:"lost"`
	Duplicated int           `json:"duplicated"`
	Gap        time.Duration `json:"gap"`
	Back       time.Duration `json:"back"`
	Wrong      string        `json:"wrong,omitempty"` // what else was not as promised
}

// Add counts a run.
func (c *Column) Add(fault string, control bool, v Verdict) {
	i := slices.IndexFunc(c.Rows, func(r Row) bool { return r.Fault == fault })
	if i < 0 {
		i = len(c.Rows)
		c.Rows = append(c.Rows, Row{Fault: fault, Control: control})
	}
	r := &c.Rows[i]
	r.Runs++
	r.Published += v.Confirmed
	r.Lost += len(v.Lost)
	r.Duplicated += v.Duplicated
	r.Gap, r.Back = max(r.Gap, v.Gap), max(r.Back, v.Back)
	v.Lost = nil
	if err := v.Err(); err != nil && !control {
		r.Wrong = err.Error()
	}
}

// Fail notes that a run was not as promised for a reason that its verdict does not tell, or that it has none.
func (c *Column) Fail(fault, why string) {
	i := slices.IndexFunc(c.Rows, func(r Row) bool { return r.Fault == fault })
	switch {
	case i < 0:
		c.Rows = append(c.Rows, Row{Fault: fault, Wrong: why})
	case c.Rows[i].Wrong == "":
		c.Rows[i].Wrong = why
	}
}

const (
	tableFile = "faults.json"
	pageFile  = "faults.md"
)

// Update puts a column into the table that is kept in a folder, in the place of an older one of its version, and
// writes the page that people read. The rows that the column does not have stay as they were.
func Update(folder string, c Column) error {
	var t Table
	text, err := os.ReadFile(filepath.Join(folder, tableFile))
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the table of faults: %w", err)
	}
	t.put(c)
	if text, err = json.MarshalIndent(t, "", "  "); err != nil {
		return err
	}
	for name, text := range map[string]string{tableFile: string(text) + "\n", pageFile: t.Page()} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil { //nolint:gosec // to be read by all
			return fmt.Errorf("write the table of faults: %w", err)
		}
	}
	return nil
}

func (t *Table) put(c Column) {
	i := slices.IndexFunc(t.Columns, func(old Column) bool { return old.Version == c.Version })
	if i < 0 {
		t.Columns = append(t.Columns, c)
		slices.SortFunc(t.Columns, func(a, b Column) int { return compareVersions(a.Version, b.Version) })
		return
	}
	for _, old := range t.Columns[i].Rows {
		if !slices.ContainsFunc(c.Rows, func(r Row) bool { return r.Fault == old.Fault }) {
			c.Rows = append(c.Rows, old)
		}
	}
	c.Seed = cmp.Or(c.Seed, t.Columns[i].Seed)
	t.Columns[i] = c
}

// compareVersions orders 3.9.1 before 3.10.8.
func compareVersions(a, b string) int {
	numbers := func(s string) (list []int) {
		for part := range strings.SplitSeq(s, ".") {
			n := 0
			_, _ = fmt.Sscan(part, &n)
			list = append(list, n)
		}
		return list
	}
	return slices.Compare(numbers(a), numbers(b))
}

// Page renders the table for people.
func (t *Table) Page() string {
	var b strings.Builder
	b.WriteString(introduction)
	var names []string
	controls := map[string]bool{}
	for _, c := range t.Columns {
		for _, r := range c.Rows {
			if !slices.Contains(names, r.Fault) {
				names = append(names, r.Fault)
				controls[r.Fault] = r.Control
			}
		}
	}
	b.WriteString("| fault | RabbitMQ | runs | published | lost | duplicated | longest pause | back after |\n|---|---|---|---|---|---|---|---|\n")
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
					fmt.Fprintf(&b, "| %s | %s | %d | %d | %s | %d | %s | %s |\n", shown, c.Version, r.Runs, r.Published,
						lost(r), r.Duplicated, seconds(r.Gap), seconds(r.Back))
					shown = ""
				}
			}
		}
	}
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
	b.WriteString("\n## Where\n\n")
	for _, c := range t.Columns {
		fmt.Fprintf(&b, "- RabbitMQ %s: %s, %s", c.Version, c.Date, c.Machine)
		if c.Seed != 0 {
			fmt.Fprintf(&b, "; the soak's seed was %d", c.Seed)
		}
		b.WriteString("\n")
	}
	return b.String()
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

A zero means: not seen in so many runs. The lines in italics are the control: the same checker on a consumer as it is commonly
written by hand, which publishes its retries without waiting for the confirm, to a classic queue. If it loses nothing the bench
fails, since it would have proved nothing. A run that is repeated takes the place of the older one of its version.

Not in the table, or not held:

- On a cluster of RabbitMQ 3.10 a node's death can make each retry queue wait for up to three minutes, one after the other.
  So a run takes longer than the bench waits, and is not in the table. From 4.0 on that was not seen.
- On RabbitMQ 3.10, when the limit of a full main queue is lifted, what waits in the retry queues stays there until the broker, or
  the queue's leader, is started again. It stays, it is not lost. If the queue is worked off instead, that takes up to three minutes.
- What the broker forgets when it is killed within a second of the declaration of a queue is not the library's to keep: the bench
  waits for that second.

`
