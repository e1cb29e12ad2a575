package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/topology"
)

// trials are workloads in small: each duty, and what is on an edge.
func trials() []workload {
	const n = 100 // and what comes before and after
	q, c := topology.Quorum, topology.Classic
	return []workload{
		{Duty: consuming, Type: q, Size: small, Workers: 1, Prefetch: 10, N: n},
		{Duty: consuming, Type: c, Size: large, Workers: 16, Prefetch: 100, N: 2 * n},
		{Duty: publishing, Type: q, Size: small, Workers: 4, N: n},
		{Duty: pipelining, Type: q, Size: large, Workers: 1, Prefetch: 10, N: n},
		{Duty: pipelining, Type: c, Size: small, Workers: 1, Prefetch: 400, N: n}, // more than there are
		{Duty: retrying, Type: q, Size: small, Workers: 1, Prefetch: 10, N: n},
		{Duty: retrying, Type: c, Size: large, Workers: 16, Prefetch: 100, N: n},
		{Duty: delaying, Type: q, Size: small, Workers: 4, Prefetch: 100, Rate: 2000, N: n},
		{Duty: resting, Type: q, Workers: 4, Prefetch: 8, For: 10 * time.Millisecond},
	}
}

// TestEveryLoop runs all variants of all duties, and looks whether any message is lost, is there twice, or is left over.
func TestEveryLoop(t *testing.T) {
	t.Parallel()
	brokers.EachOverTCP(t, func(t *testing.T, at brokers.Broker) {
		b := &broker{at.URL, countLate}
		for _, w := range trials() {
			for _, v := range variants(w.Duty) {
				if strings.HasSuffix(v.name, "-again") {
					continue // is the same
				}
				t.Run(w.String()+"/"+v.name, func(t *testing.T) {
					j := job{workload: w, Variant: v.name, Queue: rabbitmq.Name(t, "bench")}
					defer func() { must(t, b.remove(t.Context(), &j)) }()
					must(t, b.prepare(t.Context(), &j))
					r, err := do(t.Context(), at.URL, j)
					must(t, err)
					must(t, b.check(t.Context(), &j))
					if err := plausible(&r); err != nil {
						t.Errorf("%v: %+v", err, r)
					}
				})
			}
		}
	})
}

// plausible looks at what does not depend on how busy the machine is.
func plausible(r *result) error {
	between := func(name string, v, low, high float64) error {
		if v < low || v > high {
			return fmt.Errorf("%s is %v, not between %v and %v", name, v, low, high)
		}
		return nil
	}
	few := r.Workers == 1 && r.Prefetch < r.N // or what is under way blurs what is counted
	prefix := strings.Contains(r.Variant, "prefix") || strings.HasPrefix(r.Variant, "warren")
	switch {
	case r.Duty == resting:
		return between("goroutines", float64(r.Goroutines), 5, 10_000)
	case r.PerSecond <= 0 || r.Allocs <= 0:
		return fmt.Errorf("%v messages a second, %v allocations", r.PerSecond, r.Allocs)
	case r.Duty == delaying:
		if len(r.Latencies) != r.N || slices.Min(r.Latencies) <= 0 {
			return fmt.Errorf("%d latencies: %v", len(r.Latencies), r.Latencies)
		}
		return nil
	case !few:
		return nil
	case r.Duty == consuming && prefix:
		return between("writes", r.Writes, 0, 0.7)
	case r.Duty == consuming:
		return between("writes", r.Writes, 0.9, 1.1)
	case r.Variant == "raw-waiting":
		return between("writes", r.Writes, 1.8, 2.2)
	default:
		return nil
	}
}

// TestCheck lets messages be missing and left over: the check that all loops pass must notice.
func TestCheck(t *testing.T) {
	t.Parallel()
	brokers.EachOverTCP(t, func(t *testing.T, at brokers.Broker) {
		b := &broker{at.URL, 100 * time.Millisecond}
		for _, d := range []duty{consuming, publishing, retrying} { // nobody has done it
			t.Run(string(d), func(t *testing.T) {
				t.Parallel()
				j := job{workload: workload{Duty: d, Type: topology.Quorum, Size: small, N: 10}, Queue: rabbitmq.Name(t, "bench")}
				defer func() { must(t, b.remove(t.Context(), &j)) }()
				must(t, b.prepare(t.Context(), &j))
				if err := b.check(t.Context(), &j); err == nil || !strings.Contains(err.Error(), "messages, not") {
					t.Errorf("said %v", err)
				}
			})
		}
	})
}

// TestTheSameHeaders holds the loop by hand to what Warren writes: it is the fair one only as long as that is so.
func TestTheSameHeaders(t *testing.T) {
	t.Parallel()
	brokers.EachOverTCP(t, func(t *testing.T, at brokers.Broker) {
		b := &broker{at.URL, countLate}
		of := func(variant string) amqp.Table {
			w := workload{Duty: retrying, Type: topology.Quorum, Size: small, Workers: 1, Prefetch: 10, N: 100}
			j := job{workload: w, Variant: variant, Queue: rabbitmq.Name(t, "bench")}
			defer func() { must(t, b.remove(t.Context(), &j)) }()
			must(t, b.prepare(t.Context(), &j))
			_, err := do(t.Context(), at.URL, j)
			must(t, err)
			conn, err := amqp.Dial(at.URL)
			must(t, err)
			defer func() { _ = conn.Close() }()
			ch, err := conn.Channel()
			must(t, err)
			d, ok, err := ch.Get(topology.RetryQueue(j.Queue, retryWait), true)
			if err != nil || !ok {
				t.Fatalf("nothing is in the retry queue: %v", err)
			}
			return d.Headers
		}
		byHand, byWarren := of("raw-headers"), of("warren")
		names := func(h amqp.Table) []string { return slices.Sorted(maps.Keys(h)) }
		if !slices.Equal(names(byHand), names(byWarren)) {
			t.Fatalf("by hand %v, by Warren %v", names(byHand), names(byWarren))
		}
		for name, v := range byWarren {
			text, other := fmt.Sprintf("%T %v", v, v), fmt.Sprintf("%T %v", byHand[name], byHand[name])
			if difference := len(text) - len(other); difference < -9 || difference > 9 { // digits of a second
				t.Errorf("%s: by hand %s, by Warren %s", name, other, text)
			}
		}
	})
}
