package connection_test

import (
	"context"
	"net"
	"os"
	"sync"
	"time"

	"github.com/warren-mq/warren/internal/brokers"
)

// network dials, and can cut what it has dialled, or hold back what the broker
// says: from now on, or from a certain byte of each connection on.
type network struct {
	broker brokers.Broker // or else net.Dialer
	delay  time.Duration  // of what comes from the broker

	mu    sync.Mutex
	dials int
	wires []*wire
	held  chan struct{} // not nil while it holds; closed at the end of that

	cutAt  int // bytes from the broker after which a connection is cut; 0: never
	holdAt int // bytes from the broker after which nothing more comes; 0: never
}

// slow makes memory take the time that a network takes by itself.
func (n *network) slow(delay time.Duration) {
	if n.broker.Test != nil {
		n.delay = delay
	}
}

func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dials++
	n.mu.Unlock()
	dial := n.broker.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: conn, network: n, closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wires = append(n.wires, w)
	return w, nil
}

// count returns how often it was asked to dial.
func (n *network) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}

// cut ends every connection.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, w := range n.wires {
		_ = w.Close()
	}
	n.wires = nil
}

// hold stops what comes from the broker.
func (n *network) hold() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.held = make(chan struct{})
}

func (n *network) release() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.held != nil {
		close(n.held)
		n.held = nil
	}
}

// at sets cutAt and holdAt.
func (n *network) at(cut, hold int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cutAt, n.holdAt = cut, hold
}

type wire struct {
	net.Conn
	network  *network
	once     sync.Once
	closed   chan struct{}
	got      int // bytes from the broker
	mu       sync.Mutex
	deadline time.Time
}

func (w *wire) SetDeadline(t time.Time) error {
	w.note(t)
	return w.Conn.SetDeadline(t)
}

func (w *wire) SetReadDeadline(t time.Time) error {
	w.note(t)
	return w.Conn.SetReadDeadline(t)
}

func (w *wire) note(t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline = t
}

func (w *wire) Read(b []byte) (int, error) {
	w.network.mu.Lock()
	cutAt, holdAt := w.network.cutAt, w.network.holdAt
	w.network.mu.Unlock()
	switch {
	case cutAt > 0 && w.got >= cutAt:
		_ = w.Close()
	case cutAt > 0:
		b = b[:min(len(b), cutAt-w.got)]
	case holdAt > 0 && w.got >= holdAt:
		return 0, wait(w, make(chan struct{}))
	case holdAt > 0:
		b = b[:min(len(b), holdAt-w.got)]
	}
	n, err := w.Conn.Read(b)
	w.got += n
	w.network.mu.Lock()
	held := w.network.held
	w.network.mu.Unlock()
	if err == nil && w.network.delay > 0 {
		err = wait(w, time.After(w.network.delay))
	}
	if err == nil && held != nil {
		err = wait(w, held)
	}
	if err != nil {
		n = 0
	}
	return n, err
}

// wait holds until release, or as a net.Conn would.
func wait[T any](w *wire, release <-chan T) error {
	w.mu.Lock()
	deadline := w.deadline
	w.mu.Unlock()
	var late <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-release:
		return nil
	case <-w.closed:
		return net.ErrClosed
	case <-late:
		return os.ErrDeadlineExceeded
	}
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return w.Conn.Close()
}
