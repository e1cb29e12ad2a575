package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"sync"
	"testing"
)

func TestOrdersHaveTheirSize(t *testing.T) {
	t.Parallel()
	for _, size := range []int{small, large} {
		o, body, err := newOrder(size)
		must(t, err)
		if len(body) != size {
			t.Errorf("%d bytes, want %d", len(body), size)
		}
		var back order
		must(t, json.Unmarshal(body, &back))
		must(t, back.use())
		if back != o {
			t.Errorf("got %+v, want %+v", back, o)
		}
	}
	if _, _, err := newOrder(10); err == nil {
		t.Error("an order of 10 bytes")
	}
	if err := new(order).use(); err == nil {
		t.Error("an empty order was taken for one")
	}
}

// TestMeter finishes messages in jumps, as an ack of many does: what is measured is what lies between the jumps.
func TestMeter(t *testing.T) {
	t.Parallel()
	m := newMeter(workload{N: 80, Prefetch: 16}) // from 11 to 91 of 107
	if _, err := m.result(); err == nil {
		t.Error("a result before the beginning")
	}
	var kept [][]byte
	allocate := func(n int) {
		for range n {
			kept = append(kept, make([]byte, 10_000))
		}
	}
	allocate(1000) // is not measured
	m.finish(10)
	m.finish(4) // the beginning, at 14
	allocate(400)
	m.finish(70)
	if _, err := m.result(); err == nil {
		t.Error("a result before the end")
	}
	m.finish(10) // the end, at 94
	allocate(1000)
	select {
	case <-m.done:
		t.Error("done with 94 of 107")
	default:
	}
	m.finish(13)
	<-m.done
	r, err := m.result()
	must(t, err)
	// Other tests allocate meanwhile.
	if r.Bytes < 40_000 || r.Allocs < 4 || r.Seconds <= 0 || r.PerSecond <= 0 || r.Memory <= 0 {
		t.Errorf("%+v", r)
	}
	if n := r.PerSecond * r.Seconds; n < 79.9 || n > 80.1 {
		t.Errorf("%v messages were measured, want 80", n)
	}
	if len(kept) != 2400 {
		t.Error(len(kept))
	}
}

func TestMeterOfOneJump(t *testing.T) {
	t.Parallel()
	m := newMeter(workload{N: 80})
	m.finish(200)
	<-m.done
	if r, err := m.result(); err == nil {
		t.Errorf("%+v", r)
	}
}

func TestCallsAreCounted(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		conn, err := l.Accept()
		if err == nil {
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}
	})
	m := newMeter(workload{})
	conn, err := m.dial(context.Background(), "tcp", l.Addr().String())
	must(t, err)
	for range 3 {
		_, err := conn.Write([]byte("a"))
		must(t, err)
		_, err = conn.Read(make([]byte, 1))
		must(t, err)
	}
	must(t, conn.Close())
	must(t, l.Close())
	if m.writes.Load() != 3 || m.reads.Load() != 3 {
		t.Errorf("%d writes, %d reads", m.writes.Load(), m.reads.Load())
	}
	if _, err := m.dial(context.Background(), "tcp", l.Addr().String()); err == nil {
		t.Error("connected to nobody")
	}
}
