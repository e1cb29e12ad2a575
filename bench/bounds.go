package main

import "math"

// comparison is a row of the table of ratios: a variant, what it is held against, and the bounds of DESIGN.md, section 7.
type comparison struct {
	duty       duty
	of, to     string
	throughput float64 // at least; 0: no bound
	gathered   float64 // at least, instead, where of gathers its writes: it makes less than half as many; 0: no other
	cpu        float64 // at most; 0: no bound
	allocs     float64 // at most so many more for each message; none: no bound
	decodes    bool    // what encoding/json needs does not count: of decodes, to does not
}

// none is for no bound where 0 would be one.
const none = math.MaxFloat64

var comparisons = []comparison{
	{duty: consuming, of: "raw-each-again", to: "raw-each", allocs: none},
	{duty: consuming, of: "warren", to: "raw-each", throughput: 1.3, allocs: 4},
	{duty: consuming, of: "warren", to: "raw-prefix", throughput: 0.95, allocs: none},
	{duty: consuming, of: "warren-on", to: "raw-each-on", throughput: 0.95, cpu: 1.05, allocs: none},
	{duty: consuming, of: "warren-on", to: "raw-prefix-on", throughput: 0.95, allocs: none},
	{duty: consuming, of: "warren-on", to: "raw-each", allocs: 4, decodes: true},

	{duty: publishing, of: "raw-again", to: "raw", allocs: none},
	{duty: publishing, of: "warren", to: "raw", allocs: none},
	{duty: publishing, of: "warren-on", to: "raw-on", allocs: none},

	{duty: pipelining, of: "raw-again", to: "raw", allocs: none},
	{duty: pipelining, of: "warren", to: "raw", throughput: 0.95, gathered: 1.2, allocs: none},
	{duty: pipelining, of: "warren-on", to: "raw-on", throughput: 0.95, gathered: 1.2, allocs: none},

	{duty: retrying, of: "raw-headers-again", to: "raw-headers", allocs: none},
	{duty: retrying, of: "warren", to: "raw-waiting", throughput: 2.5, allocs: none},
	{duty: retrying, of: "warren", to: "raw-pipelined", throughput: 0.95, allocs: none},
	{duty: retrying, of: "warren", to: "raw-headers", throughput: 0.95, allocs: none},
	{duty: retrying, of: "warren-on", to: "raw-headers-on", throughput: 0.95, allocs: none},
}

// applies says whether the bounds are meant for a case. Waiting for each confirm costs most where one worker does it:
// with more of them their waits overlap, and DESIGN.md bounds the one.
func (c *comparison) applies(w *workload) bool {
	return c.to != "raw-waiting" || w.Workers == 1
}

// rested is the bound of a consumer at rest: its share of a core.
const rested = 0.01
