package faults

import (
	"fmt"
	"slices"
	"time"
)

// Weight is what a process needs at a moment.
type Weight struct {
	Heap       float64 `json:"heap"`     // bytes that are reachable
	Resident   float64 `json:"resident"` // bytes of the machine's memory; 0 where that cannot be told
	Goroutines float64 `json:"goroutines"`
}

// Sample is a weight, and when it was taken, counted from the start of a run.
type Sample struct {
	At time.Duration
	Weight
}

// Soak tells of a long run: what it was, and how much the process needed in its first and in its last tenth.
type Soak struct {
	Length time.Duration `json:"length"`
	Seed   uint64        `json:"seed"`
	Faults int           `json:"faults"`
	First  Weight        `json:"first"`
	Last   Weight        `json:"last"`
}

// leastSamples is how many it takes to tell growth from chance.
const leastSamples = 9

// How much of growth over a whole run is taken for chance: so much, and so much of what there was.
const (
	chanceBytes      = 4 << 20
	chanceGoroutines = 20 // settling takes some at a time, at most one for each message taken ahead
	chancePart       = 0.25
)

// Growth looks at the samples of a run, in the order in which they were taken. It returns the medians of the first and of
// the last tenth, and an error that says what has grown, if something has. Too few samples show nothing, and are no error.
func Growth(samples []Sample) (first, last Weight, err error) {
	if len(samples) == 0 {
		return Weight{}, Weight{}, nil
	}
	tenth := max(1, len(samples)/10)
	head, tail := samples[:tenth], samples[len(samples)-tenth:]
	var grown []string
	for _, what := range []struct {
		name   string
		of     func(*Weight) *float64
		chance float64
	}{
		{"the heap", func(w *Weight) *float64 { return &w.Heap }, chanceBytes},
		{"the resident memory", func(w *Weight) *float64 { return &w.Resident }, 2 * chanceBytes},
		{"the number of goroutines", func(w *Weight) *float64 { return &w.Goroutines }, chanceGoroutines},
	} {
		middle := func(list []Sample) float64 {
			var values []float64
			for i := range list {
				values = append(values, *what.of(&list[i].Weight))
			}
			return median(values)
		}
		*what.of(&first), *what.of(&last) = middle(head), middle(tail)
		if len(samples) < leastSamples {
			continue
		}
		rise := slope(samples, what.of) * (samples[len(samples)-1].At - samples[0].At).Seconds()
		if base := *what.of(&first); rise > what.chance+chancePart*base {
			grown = append(grown, fmt.Sprintf("%s by %.0f, from %.0f", what.name, rise, base))
		}
	}
	if len(grown) > 0 {
		err = fmt.Errorf("it has grown, by the line through %d samples: %s", len(samples), grown)
	}
	return first, last, err
}

// slope is the median of the slopes between any two samples, a second: the estimate of Theil and Sen.
func slope(samples []Sample, of func(*Weight) *float64) float64 {
	var slopes []float64
	for i := range samples {
		for j := range samples[:i] {
			if run := (samples[i].At - samples[j].At).Seconds(); run > 0 {
				slopes = append(slopes, (*of(&samples[i].Weight)-*of(&samples[j].Weight))/run)
			}
		}
	}
	return median(slopes)
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return (list[(len(list)-1)/2] + list[len(list)/2]) / 2
}
