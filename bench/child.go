package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// job is what one process does.
type job struct {
	workload
	Queue   string `json:"queue"` // the name of the main queue
	Variant string `json:"variant"`
	Round   int    `json:"round"`
}

// task is a job in the process that does it.
type task struct {
	job
	on    bool // everything that a variant can have turned on is
	url   string
	meter *meter
	order order
	body  []byte // its JSON

	latencies []int64 // in microseconds
	rested    *result
}

// result is what a job has measured, for each message; a rest, for each second.
type result struct {
	job
	Seconds    float64 `json:"seconds"`
	PerSecond  float64 `json:"per_second"` // messages
	CPU        float64 `json:"cpu"`        // seconds, of this process
	Allocs     float64 `json:"allocs"`
	Bytes      float64 `json:"bytes"`
	Reads      float64 `json:"reads"`
	Writes     float64 `json:"writes"`
	Memory     int64   `json:"memory"` // the most that the process had, in bytes
	Goroutines int     `json:"goroutines,omitempty"`
	Latencies  []int64 `json:"latencies,omitempty"` // microseconds
}

// variant is one way to do a duty.
type variant struct {
	name string
	on   bool
	run  func(context.Context, *task) error
}

// variants are the ways to do a duty. One of them is there twice.
func variants(d duty) []variant {
	const everything = true
	switch d {
	case consuming:
		return []variant{
			{"raw-each", false, ackEach},
			{"raw-each-again", false, ackEach},
			{"raw-prefix", false, ackPrefixes},
			{"warren", false, ackWithWarren},
			{"raw-each-on", everything, ackEach},
			{"raw-prefix-on", everything, ackPrefixes},
			{"warren-on", everything, ackWithWarren},
		}
	case publishing:
		return []variant{
			{"raw", false, publishEach},
			{"raw-again", false, publishEach},
			{"warren", false, publishEachWithWarren},
			{"raw-on", everything, publishEach},
			{"warren-on", everything, publishEachWithWarren},
		}
	case pipelining:
		return []variant{
			{"raw", false, publishPipelined},
			{"raw-again", false, publishPipelined},
			{"warren", false, publishPipelinedWithWarren},
			{"raw-on", everything, publishPipelined},
			{"warren-on", everything, publishPipelinedWithWarren},
		}
	case retrying:
		return []variant{
			{"raw-waiting", false, retryWaiting},
			{"raw-pipelined", false, retryPipelined},
			{"raw-headers", false, retryWithHeaders},
			{"raw-headers-again", false, retryWithHeaders},
			{"warren", false, retryWithWarren},
			{"raw-headers-on", everything, retryWithHeaders},
			{"warren-on", everything, retryWithWarren},
		}
	case delaying:
		return []variant{
			{"raw-on", everything, delayByHand},
			{"raw-on-again", everything, delayByHand},
			{"warren-on", everything, delayWithWarren},
		}
	case resting:
		return []variant{
			{"raw", false, restByHand},
			{"raw-again", false, restByHand},
			{"warren", false, restWithWarren},
		}
	default:
		panic("no such duty: " + string(d))
	}
}

// child does the job, which comes as JSON, and prints its result as a line of JSON.
func child(ctx context.Context, url, text string, out io.Writer) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return fmt.Errorf("-child: %w", err)
	}
	r, err := do(ctx, url, j)
	if err != nil {
		return fmt.Errorf("%s: %w", j, err)
	}
	return json.NewEncoder(out).Encode(r)
}

// String names the job in messages.
func (j job) String() string { return fmt.Sprintf("%s, %s", j.workload, j.Variant) }

// do does a job in this process.
func do(ctx context.Context, url string, j job) (result, error) {
	all := variants(j.Duty)
	i := slices.IndexFunc(all, func(v variant) bool { return v.name == j.Variant })
	if i < 0 {
		return result{}, errors.New("there is no such variant")
	}
	t := &task{job: j, on: all[i].on, url: url, meter: newMeter(j.workload)}
	if j.Size > 0 {
		var err error
		if t.order, t.body, err = newOrder(j.Size); err != nil {
			return result{}, err
		}
	}
	if err := all[i].run(ctx, t); err != nil {
		return result{}, err
	}
	if t.rested != nil {
		t.rested.job = j
		return *t.rested, nil
	}
	r, err := t.meter.result()
	r.job, r.Latencies = j, t.latencies
	return r, err
}

// inWorkers runs f in as many goroutines as there are workers, and waits for them.
func (t *task) inWorkers(f func()) {
	var wg sync.WaitGroup
	for range t.Workers {
		wg.Go(f)
	}
	wg.Wait()
}
