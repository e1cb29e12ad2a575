package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/warren-mq/warren/topology"
)

// duty is what is measured.
type duty string

const (
	consuming  duty = "consume"           // take what waits in a queue, and ack it
	publishing duty = "publish-each"      // each goroutine waits for the confirm of its message
	pipelining duty = "publish-pipelined" // one goroutine, with a window of unconfirmed messages
	retrying   duty = "retry"             // take, publish to a retry queue, and ack once that is confirmed
	delaying   duty = "latency"           // from publishing to the handler, at a fixed rate
	resting    duty = "rest"              // a consumer that is connected and has nothing to do
)

// workload is one case: what all its variants do.
type workload struct {
	Duty     duty          `json:"duty"`
	Type     topology.Type `json:"type"` // of the queues
	Size     int           `json:"size"` // of a body, in bytes
	Workers  int           `json:"workers"`
	Prefetch int           `json:"prefetch"`       // the window, if it publishes in a pipeline
	Rate     int           `json:"rate,omitempty"` // messages a second
	N        int           `json:"n,omitempty"`    // how many messages are measured
	For      time.Duration `json:"for,omitempty"`  // how long a rest is
}

// String is the name of the case, which -run is matched against.
func (w workload) String() string {
	switch w.Duty {
	case publishing:
		return fmt.Sprintf("%s/%s/%s/workers=%d", w.Duty, w.Type, size(w.Size), w.Workers)
	case pipelining:
		return fmt.Sprintf("%s/%s/%s/window=%d", w.Duty, w.Type, size(w.Size), w.Prefetch)
	case delaying:
		return fmt.Sprintf("%s/%s/%s/rate=%d", w.Duty, w.Type, size(w.Size), w.Rate)
	case resting:
		return fmt.Sprintf("%s/%s/workers=%d", w.Duty, w.Type, w.Workers)
	default:
		return fmt.Sprintf("%s/%s/%s/workers=%d/prefetch=%d", w.Duty, w.Type, size(w.Size), w.Workers, w.Prefetch)
	}
}

func size(n int) string {
	if n >= 1024 && n%1024 == 0 {
		return fmt.Sprintf("%dKiB", n/1024)
	}
	return fmt.Sprintf("%dB", n)
}

// warm is how many messages come before those that are measured: processes are slower when they are young.
func (w workload) warm() int { return w.N/8 + 1 }

// last is how many messages are done with when the measured ones are.
func (w workload) last() int { return w.warm() + w.N }

// total is how many messages there are. Some come after those that are measured: as many are then under way in the end
// as were in the beginning, and what was done for them is not missing from what is counted.
func (w workload) total() int { return w.last() + max(w.Prefetch, w.Workers) }

// messages is how many are measured where nothing else is said: less than a second's work for the slowest variant.
func (w workload) messages() int {
	switch w.Duty {
	case publishing:
		return 1500 * min(w.Workers, 4)
	case retrying:
		return 3000
	case delaying:
		return w.Rate * 4
	case resting:
		return 0
	default:
		if w.Size > 1024 {
			return 6000
		}
		return 10000
	}
}

// small and large are the sizes of bodies.
const (
	small = 256
	large = 4096
)

// restFor is how long a rest is.
const restFor = 3 * time.Second

// cases are those that the command line asks for.
func (o options) cases() ([]workload, error) {
	sets := map[string]func() []workload{"quick": quickSet, "default": defaultSet, "full": fullSet}
	set, known := sets[o.set]
	if !known {
		return nil, fmt.Errorf("-set is %q, not quick, default or full", o.set)
	}
	cases := slices.DeleteFunc(set(), func(w workload) bool { return !o.only.MatchString(w.String()) })
	if len(cases) == 0 {
		return nil, fmt.Errorf("no case of the %s set matches %s", o.set, o.only)
	}
	for i := range cases {
		if cases[i].N == 0 {
			cases[i].N = cases[i].messages()
		}
		if o.n > 0 && cases[i].Duty != resting {
			cases[i].N = o.n
		}
	}
	return cases, nil
}

func quickSet() []workload {
	return []workload{
		{Duty: consuming, Type: topology.Quorum, Size: small, Workers: 16, Prefetch: 100, N: 4000},
		{Duty: publishing, Type: topology.Quorum, Size: small, Workers: 1, N: 500},
		{Duty: pipelining, Type: topology.Quorum, Size: small, Workers: 1, Prefetch: 100, N: 4000},
		{Duty: retrying, Type: topology.Quorum, Size: small, Workers: 1, Prefetch: 100, N: 1000},
		{Duty: delaying, Type: topology.Quorum, Size: small, Workers: 4, Prefetch: 100, Rate: 500, N: 500},
		{Duty: resting, Type: topology.Quorum, Workers: 4, Prefetch: 8, For: time.Second},
	}
}

func defaultSet() []workload {
	return []workload{
		{Duty: consuming, Type: topology.Quorum, Size: small, Workers: 1, Prefetch: 100},
		{Duty: consuming, Type: topology.Quorum, Size: small, Workers: 16, Prefetch: 100},
		{Duty: consuming, Type: topology.Quorum, Size: small, Workers: 4, Prefetch: 10},
		{Duty: consuming, Type: topology.Quorum, Size: large, Workers: 16, Prefetch: 1000},
		{Duty: consuming, Type: topology.Classic, Size: small, Workers: 16, Prefetch: 100},

		{Duty: publishing, Type: topology.Quorum, Size: small, Workers: 1},
		{Duty: publishing, Type: topology.Quorum, Size: small, Workers: 16},

		{Duty: pipelining, Type: topology.Quorum, Size: small, Workers: 1, Prefetch: 100},
		{Duty: pipelining, Type: topology.Quorum, Size: large, Workers: 1, Prefetch: 100},
		{Duty: pipelining, Type: topology.Classic, Size: small, Workers: 1, Prefetch: 1000},

		{Duty: retrying, Type: topology.Quorum, Size: small, Workers: 1, Prefetch: 100},
		{Duty: retrying, Type: topology.Quorum, Size: small, Workers: 16, Prefetch: 100},
		{Duty: retrying, Type: topology.Classic, Size: large, Workers: 4, Prefetch: 100},

		{Duty: delaying, Type: topology.Quorum, Size: small, Workers: 4, Prefetch: 100, Rate: 500},
		{Duty: delaying, Type: topology.Quorum, Size: small, Workers: 4, Prefetch: 100, Rate: 2000},

		{Duty: resting, Type: topology.Quorum, Workers: 4, Prefetch: 8, For: restFor},
	}
}

func fullSet() []workload {
	var all []workload
	for _, t := range []topology.Type{topology.Quorum, topology.Classic} {
		for _, s := range []int{small, large} {
			for _, d := range []duty{consuming, retrying} {
				for _, workers := range []int{1, 4, 16} {
					for _, prefetch := range []int{10, 100, 1000} {
						all = append(all, workload{Duty: d, Type: t, Size: s, Workers: workers, Prefetch: prefetch})
					}
				}
			}
			for _, workers := range []int{1, 4, 16} {
				all = append(all, workload{Duty: publishing, Type: t, Size: s, Workers: workers})
			}
			for _, window := range []int{10, 100, 1000} {
				all = append(all, workload{Duty: pipelining, Type: t, Size: s, Workers: 1, Prefetch: window})
			}
			for _, rate := range []int{500, 2000} {
				all = append(all, workload{Duty: delaying, Type: t, Size: s, Workers: 4, Prefetch: 100, Rate: rate})
			}
		}
		all = append(all, workload{Duty: resting, Type: t, Workers: 4, Prefetch: 8, For: restFor})
	}
	return all
}
