package faults

import (
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
	// Order has the names of the faults as the page is to list them. What it does not name comes last.
	Order   []string `json:"order,omitempty"`
	Columns []Column `json:"versions"`
}

// Column is what one `make faults` has shown on one version.
type Column struct {
	Version string `json:"version"` // of RabbitMQ
	Date    string `json:"date"`
	Machine string `json:"machine"`
	Build   string `json:"-"` // of what was run, for the rows that do not say
	Soak    *Soak  `json:"soak,omitempty"`
	Rows    []Row  `json:"rows"`
}

// Row is one fault.
type Row struct {
	Fault      string        `json:"fault"`
	Build      string        `json:"build,omitempty"`   // the commit that was run, and whether more than that
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
// writes the page that people read. The rows that the column does not have stay as they were. Order, if it is not
// empty, is that of the table from now on.
//
// Several processes may do so at once: each waits for the others, and none sees half of a file.
func Update(folder string, c Column, order []string) error {
	unlock, err := lock(folder)
	if err != nil {
		return fmt.Errorf("lock the table of faults: %w", err)
	}
	defer unlock()
	var t Table
	text, err := os.ReadFile(filepath.Join(folder, tableFile))
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the table of faults: %w", err)
	}
	if len(order) > 0 {
		t.Order = order
	}
	t.put(c)
	if text, err = json.MarshalIndent(t, "", "  "); err != nil {
		return err
	}
	for name, text := range map[string]string{tableFile: string(text) + "\n", pageFile: t.Page()} {
		if err := replace(filepath.Join(folder, name), text); err != nil {
			return fmt.Errorf("write the table of faults: %w", err)
		}
	}
	return nil
}

// replace writes a file so that a reader sees either the old text or the new.
func replace(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // not there any more if all went well
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (t *Table) put(c Column) {
	for i := range c.Rows {
		if c.Rows[i].Build == "" {
			c.Rows[i].Build = c.Build
		}
	}
	i := slices.IndexFunc(t.Columns, func(old Column) bool { return old.Version == c.Version })
	if i < 0 {
		t.Columns = append(t.Columns, c)
		slices.SortFunc(t.Columns, func(a, b Column) int { return compareVersions(a.Version, b.Version) })
		return
	}
	old := &t.Columns[i]
	for _, r := range old.Rows {
		if !slices.ContainsFunc(c.Rows, func(n Row) bool { return n.Fault == r.Fault }) {
			c.Rows = append(c.Rows, r)
		}
	}
	if c.Soak == nil {
		c.Soak = old.Soak
	}
	*old = c
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
