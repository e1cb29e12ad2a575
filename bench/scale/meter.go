package main

import (
	"runtime"
	"runtime/debug"
	"time"
)

// meter is what the process has used at a moment.
type meter struct {
	at       time.Time
	cpu      time.Duration
	switches int64
	mallocs  uint64
	bytes    uint64
}

func now() meter {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	cpu, switches := used()
	return meter{at: time.Now(), cpu: cpu, switches: switches, mallocs: m.Mallocs, bytes: m.TotalAlloc}
}

// since is what n messages have cost from then until now.
func (then meter) since(n int) figures {
	m := now()
	return figures{
		"seconds":  m.at.Sub(then.at).Seconds(),
		"rate":     float64(n) / m.at.Sub(then.at).Seconds(),
		"cpu":      float64((m.cpu - then.cpu).Microseconds()) / float64(n),
		"allocs":   float64(m.mallocs-then.mallocs) / float64(n),
		"bytes":    float64(m.bytes-then.bytes) / float64(n),
		"messages": float64(n),
	}
}

// held is what the process holds at a moment, in bytes and goroutines.
type held struct {
	heap, stacks, resident int64
	goroutines             int
}

// holds collects the garbage first, and gives it back to the system, so that what is resident is in use.
func holds() held {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return held{
		heap: int64(m.HeapAlloc), stacks: int64(m.StackInuse), resident: resident(), goroutines: runtime.NumGoroutine(),
	}
}

// settling is how long what is ending may take to be gone, such as a goroutine between its last line and its end.
const settling = 100 * time.Millisecond

// left is how many goroutines there are more than before.
func left(before int) int {
	for deadline := time.Now().Add(settling); ; time.Sleep(time.Millisecond) {
		n := runtime.NumGoroutine() - before
		if n <= 0 || time.Now().After(deadline) {
			return max(n, 0)
		}
	}
}
