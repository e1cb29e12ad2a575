package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/warren-mq/warren/bench/internal/sample"
)

// table is one in Markdown, which can be read in a terminal, too.
type table struct {
	head []string
	rows [][]string
}

// add adds a row.
func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// String returns the table. What a row repeats of the one before in its first column is left out.
func (t table) String() string {
	widths := make([]int, len(t.head))
	for i, cell := range t.head {
		widths[i] = max(3, utf8.RuneCountInString(cell))
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	var b strings.Builder
	line := func(cells []string) {
		for i, cell := range cells {
			b.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + " ")
		}
		b.WriteString("|\n")
	}
	line(t.head)
	rule := make([]string, len(t.head))
	for i := range rule {
		rule[i] = strings.Repeat("-", widths[i])
	}
	line(rule)
	last := ""
	for _, row := range t.rows {
		first := row[0]
		if first == last {
			row = append([]string{""}, row[1:]...)
		}
		last = first
		line(row)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// verdicts sums up what the rows say of their bounds. It is empty if there are none.
func (t table) verdicts() string {
	count := map[string]int{}
	for _, row := range t.rows {
		for _, cell := range row {
			count[cell]++
		}
	}
	if count[met]+count[missed]+count[open] == 0 {
		return ""
	}
	return fmt.Sprintf("\n\nOf these bounds %d are met, %d are not, and of %d the interval says neither.", count[met], count[missed], count[open])
}

// number writes v with three digits that matter, or all of its whole part.
func number(v float64) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case size >= 100:
		return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case size >= 0.01 || size == 0:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
}

// spread writes the median of values, each multiplied by unit, with the least and the greatest.
func spread(values []float64, unit ...float64) string {
	by := 1.0
	for _, u := range unit {
		by *= u
	}
	r := sample.Spread(values)
	return number(by*sample.Median(values)) + " (" + number(by*r.Low) + " to " + number(by*r.High) + ")"
}
