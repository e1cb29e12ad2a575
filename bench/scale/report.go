package main

import (
	"context"
	"fmt"
	"math"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/bench/internal/sample"
)

// column is a figure in the table.
type column struct{ head, figure, format string }

// bound is what a scenario must keep to.
type bound struct {
	text  string
	judge func(r rows) verdict
}

// verdict is what was measured of a bound.
type verdict struct {
	value float64
	met   bool
}

func atMost(value, limit float64) verdict  { return verdict{value, value <= limit} }
func atLeast(value, limit float64) verdict { return verdict{value, value >= limit} }

func (v verdict) String() string {
	text := "**not met**"
	if v.met {
		text = "met"
	}
	return fmt.Sprintf("%s (%s)", number(v.value), text)
}

// number has three digits that count.
func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "unknown"
	case math.Abs(v) >= 100:
		return fmt.Sprintf("%.0f", v)
	default:
		return fmt.Sprintf("%.3g", v)
	}
}

// rows are the results of one scenario.
type rows []result

// values are those of a figure, from every run.
func (r rows) values(by string, size int, figure string) (values []float64) {
	for _, one := range r {
		if v, ok := one.figures[figure]; ok && one.By == by && one.Size == size {
			values = append(values, v)
		}
	}
	return values
}

// sizes are those that were measured, in order.
func (r rows) sizes() (sizes []int) {
	for _, one := range r {
		sizes = append(sizes, one.Size)
	}
	slices.Sort(sizes)
	return slices.Compact(sizes)
}

// ways are who did the work, in the order in which the scenario names them.
func (r rows) ways() (ways []string) {
	for _, one := range r {
		if !slices.Contains(ways, one.By) {
			ways = append(ways, one.By)
		}
	}
	return ways
}

func (r rows) median(by string, size int, figure string) float64 {
	return sample.Median(r.values(by, size, figure))
}

// first and last are the medians for the smallest and the largest size; NaN if there are none.
func (r rows) first(by, figure string) float64 { return r.end(by, figure, 0) }
func (r rows) last(by, figure string) float64  { return r.end(by, figure, len(r.sizes())-1) }

func (r rows) end(by, figure string, i int) float64 {
	sizes := r.sizes()
	if len(sizes) == 0 {
		return math.NaN()
	}
	return r.median(by, sizes[i], figure)
}

// growth is the last in proportion to the first.
func (r rows) growth(by, figure string) float64 { return r.last(by, figure) / r.first(by, figure) }

// max is the greatest of all runs, and min the least; NaN if there are none.
func (r rows) max(by, figure string) float64 { return r.extreme(by, figure, math.Max) }
func (r rows) min(by, figure string) float64 { return r.extreme(by, figure, math.Min) }

func (r rows) extreme(by, figure string, of func(a, b float64) float64) float64 {
	extreme := math.NaN()
	for _, one := range r {
		v, ok := one.figures[figure]
		if !ok || one.By != by {
			continue
		}
		if math.IsNaN(extreme) {
			extreme = v
		}
		extreme = of(extreme, v)
	}
	return extreme
}

// report is the text for the page: what was done, where, the table, the plots, the bounds.
func (s *scenario) report(r rows, machine string) string {
	var b strings.Builder
	b.WriteString(s.about + "\n\n")
	s.table(&b, r)
	for _, c := range s.charts {
		c.write(&b, s, r)
	}
	if len(s.bounds) > 0 {
		b.WriteString("\n| bound | measured |\n|---|---|\n")
		s.judge(&b, "", r)
	}
	fmt.Fprintf(&b, "\n%s\n", machine)
	return b.String()
}

// judge writes a line for each bound, with what the line shall begin with.
func (s *scenario) judge(b *strings.Builder, begin string, r rows) {
	for _, one := range s.bounds {
		fmt.Fprintf(b, "| %s%s | %v |\n", begin, one.text, one.judge(r))
	}
}

func (s *scenario) table(b *strings.Builder, r rows) {
	heads := []string{"by"}
	if s.size != "" {
		heads = append(heads, s.size)
	}
	for _, c := range s.columns {
		heads = append(heads, c.head)
	}
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(heads, " | "), strings.Repeat("---|", len(heads)))
	for _, size := range r.sizes() {
		for _, by := range r.ways() {
			cells := []string{by}
			if s.size != "" {
				cells = append(cells, strconv.Itoa(size))
			}
			measured := false
			for _, c := range s.columns {
				values := r.values(by, size, c.figure)
				measured = measured || len(values) > 0
				cells = append(cells, cell(c.format, values))
			}
			if measured {
				fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
			}
		}
	}
}

// cell is the median, and the spread where runs differ.
func cell(format string, values []float64) string {
	if len(values) == 0 {
		return ""
	}
	text := fmt.Sprintf(format, sample.Median(values))
	spread := sample.Spread(values)
	low, high := fmt.Sprintf(format, spread.Low), fmt.Sprintf(format, spread.High)
	if low == high {
		return text
	}
	return fmt.Sprintf("%s (%s to %s)", text, low, high)
}

// describe is the line that says where and when.
func describe(ctx context.Context, broker string) (string, error) {
	conn, err := amqp.Dial(broker)
	if err != nil {
		return "", err
	}
	version, _ := conn.Properties["version"].(string)
	if err := conn.Close(); err != nil {
		return "", err
	}
	commit := "of an unknown commit"
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		commit = "at " + strings.TrimSpace(string(out))
	}
	return fmt.Sprintf("Measured on %s with RabbitMQ %s, %s on %s/%s, %d cores shared by client and broker, %s. Medians, and in brackets the least and greatest of the runs.",
		time.Now().UTC().Format(time.DateOnly), version, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), commit), nil
}
