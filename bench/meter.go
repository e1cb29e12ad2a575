package main

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// meter measures what happens between two messages: the last one that warms up, and the last one that is measured.
type meter struct {
	warm, last, total int64

	finished      atomic.Int64
	reads, writes atomic.Int64
	done          chan struct{} // closed when all messages are done with

	mu         sync.Mutex // a snapshot is taken by whoever finishes the message
	begin, end *snapshot
}

// snapshot is what this process has used so far.
type snapshot struct {
	at              time.Time
	finished        int64
	cpu             time.Duration
	allocs, bytes   uint64
	reads, writes   int64
	peakMemory      int64
	goroutinesAlive int
}

func newMeter(w workload) *meter {
	return &meter{warm: int64(w.warm()), last: int64(w.last()), total: int64(w.total()), done: make(chan struct{})}
}

// finish says that n more messages are done with. Any number of goroutines may call it.
func (m *meter) finish(n int) {
	after := m.finished.Add(int64(n))
	before := after - int64(n)
	if before < m.warm && after >= m.warm {
		m.take(&m.begin, after)
	}
	if before < m.last && after >= m.last {
		m.take(&m.end, after)
	}
	if before < m.total && after >= m.total {
		close(m.done)
	}
}

func (m *meter) take(to **snapshot, finished int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	*to = m.now(finished)
}

func (m *meter) now(finished int64) *snapshot {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	cpu, peak := usage()
	return &snapshot{
		at: time.Now(), finished: finished, cpu: cpu, allocs: mem.Mallocs, bytes: mem.TotalAlloc,
		reads: m.reads.Load(), writes: m.writes.Load(), peakMemory: peak, goroutinesAlive: runtime.NumGoroutine(),
	}
}

// result is what was measured, for each message that was.
func (m *meter) result() (result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.begin == nil || m.end == nil {
		return result{}, errors.New("the loop ended before its messages did")
	}
	if m.begin.finished == m.end.finished {
		return result{}, errors.New("all messages were finished at once: measure more of them")
	}
	return between(m.begin, m.end, float64(m.end.finished-m.begin.finished)), nil
}

// between is what was used between two snapshots, divided by n.
func between(begin, end *snapshot, n float64) result {
	took := end.at.Sub(begin.at).Seconds()
	return result{
		Seconds:   took,
		PerSecond: n / took,
		CPU:       (end.cpu - begin.cpu).Seconds() / n,
		Allocs:    float64(end.allocs-begin.allocs) / n,
		Bytes:     float64(end.bytes-begin.bytes) / n,
		Reads:     float64(end.reads-begin.reads) / n,
		Writes:    float64(end.writes-begin.writes) / n,
		Memory:    end.peakMemory,
	}
}

// dial opens a connection whose calls are counted.
func (m *meter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &counted{Conn: conn, meter: m}, nil
}

// counted is a connection that counts reads and writes, each of which is a system call.
type counted struct {
	net.Conn
	meter *meter
}

func (c *counted) Read(b []byte) (int, error) {
	c.meter.reads.Add(1)
	return c.Conn.Read(b)
}

func (c *counted) Write(b []byte) (int, error) {
	c.meter.writes.Add(1)
	return c.Conn.Write(b)
}
