package main

import (
	"fmt"
	"math"
	"strings"
)

// chart is a plot in Mermaid, which GitHub draws.
type chart struct {
	title, unit string
	// figure is plotted over the sizes, unless points are given.
	figure string
	// points are figures of one result, plotted one after the other.
	points []column
	// axis is what the points are.
	axis string
	// ways are who is plotted; nil: all.
	ways []string
}

// write writes one line for each way. Mermaid has no legend: the order is in a sentence.
func (c *chart) write(b *strings.Builder, s *scenario, r rows) {
	ways := c.ways
	if ways == nil {
		ways = r.ways()
	}
	var (
		lines [][]float64
		drawn []string
		most  float64
	)
	for _, by := range ways {
		line := c.line(r, by)
		if len(line) == 0 {
			continue
		}
		for _, v := range line {
			most = max(most, v)
		}
		lines, drawn = append(lines, line), append(drawn, by)
	}
	if len(lines) == 0 {
		return
	}
	ticks, axis := c.ticks(r), c.axis
	if len(c.points) == 0 {
		axis = s.size
	}
	fmt.Fprintf(b, "\n%s: %s.\n\n```mermaid\nxychart-beta\n    title \"%s\"\n    x-axis \"%s\" [%s]\n    y-axis \"%s\" 0 --> %s\n",
		c.title, inOrder(drawn), c.title, axis, strings.Join(ticks, ", "), c.unit, number(ceiling(most)))
	for _, line := range lines {
		texts := make([]string, len(line))
		for i, v := range line {
			texts[i] = plain(v)
		}
		fmt.Fprintf(b, "    line [%s]\n", strings.Join(texts, ", "))
	}
	b.WriteString("```\n")
}

// line is empty if a value is missing.
func (c *chart) line(r rows, by string) (line []float64) {
	if len(c.points) > 0 {
		for _, p := range c.points {
			line = append(line, r.last(by, p.figure))
		}
	} else {
		for _, size := range r.sizes() {
			line = append(line, r.median(by, size, c.figure))
		}
	}
	for _, v := range line {
		if math.IsNaN(v) {
			return nil
		}
	}
	return line
}

func (c *chart) ticks(r rows) (ticks []string) {
	for _, p := range c.points {
		ticks = append(ticks, fmt.Sprintf("%q", p.head))
	}
	if len(c.points) == 0 {
		for _, size := range r.sizes() {
			ticks = append(ticks, fmt.Sprintf("\"%d\"", size))
		}
	}
	return ticks
}

// ceiling is a round number above v.
func ceiling(v float64) float64 {
	if v <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range []float64{1, 1.5, 2, 3, 5, 7, 10} {
		if v <= n*unit {
			return n * unit
		}
	}
	return 10 * unit
}

// plain is a number without an exponent, which Mermaid does not read.
func plain(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func inOrder(ways []string) string {
	if len(ways) == 1 {
		return ways[0]
	}
	ordinals := []string{"first", "second", "third", "fourth"}
	texts := make([]string, len(ways))
	for i, by := range ways {
		texts[i] = fmt.Sprintf("the %s line is %s", ordinals[i], by)
	}
	return strings.Join(texts, ", ")
}
