package main

import (
	"context"
	"fmt"
	"time"
)

// Who does the work.
const (
	warren = "Warren"
	byHand = "by hand"
)

// work is what one process measures. It travels to that process as JSON.
type work struct {
	Scenario string
	// By is who does it: Warren, or one of the ways to do it by hand.
	By string
	// Size is what grows: consumers, goroutines that publish, workers, or the prefetch.
	Size int `json:",omitempty"`
	// Messages is how many there are of them in all.
	Messages int `json:",omitempty"`
	// Rate is how many a second are published.
	Rate int `json:",omitempty"`
	// Wait is how long messages wait, a handler is slow, or the process is at rest.
	Wait time.Duration `json:",omitempty"`
	// Queue is the main queue, or what the names of all main queues begin with.
	Queue string
}

// figures are what was found, by name. The units are in the names of the columns that show them.
type figures map[string]float64

func (w work) String() string {
	if w.Size == 0 {
		return w.Scenario + ", " + w.By
	}
	return fmt.Sprintf("%s, %s, %d", w.Scenario, w.By, w.Size)
}

// do does the work.
func (w work) do(ctx context.Context, broker string) (figures, error) {
	for _, s := range scenarios() {
		if s.name != w.Scenario {
			continue
		}
		if run, ok := s.by[w.By]; ok {
			return run(ctx, broker, w)
		}
	}
	return nil, fmt.Errorf("no scenario does %q by %q", w.Scenario, w.By)
}

// extent is how much is measured.
type extent int

const (
	fully extent = iota
	quickly
	barely // for tests
)

// of returns the number for the extent.
func (e extent) of(full, quick, bare int) int { return [...]int{full, quick, bare}[e] }

// lasting is of for durations.
func (e extent) lasting(full, quick, bare time.Duration) time.Duration {
	return [...]time.Duration{full, quick, bare}[e]
}

// scenario is one question about scale.
type scenario struct {
	name  string
	title string
	// about is what the page says of it above the table.
	about string
	// works is what is measured. Name and queue are filled in by works' caller.
	works func(e extent) []work
	// prepare, if not nil, declares and fills queues before the process starts. It returns the names of all queues
	// that the work has, to be deleted afterwards.
	prepare func(ctx context.Context, broker string, w work) (queues []string, err error)
	// by is who does the work, and how.
	by map[string]func(ctx context.Context, broker string, w work) (figures, error)
	// once says that it lasts long and shows little noise: it is measured once.
	once bool

	size    string // what Size counts; empty: no column for it
	columns []column
	charts  []chart
	bounds  []bound
}

// section is the name of its place in the page.
func (s *scenario) section() string { return "scale-" + s.name }

// all returns the works, complete.
func (s *scenario) all(e extent) []work {
	works := s.works(e)
	for i := range works {
		works[i].Scenario = s.name
	}
	return works
}

func scenarios() []*scenario {
	return []*scenario{
		consumers(), publishers(), steady(), parked(), storm(), memory(), slow(), ordered(), idle(), leftovers(),
	}
}
