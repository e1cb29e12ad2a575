package confirm_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/warren-mq/warren/internal/brokers"
)

// network dials, and can cut what it has dialled, hold back or delay what the
// broker says, and let writing fail.
type network struct {
	broker brokers.Broker

	mu     sync.Mutex
	dials  int
	wires  []*wire
	held   chan struct{} // not nil while it holds; closed at the end of that
	delay  time.Duration // of what comes from the broker
	lag    time.Duration // the same, at random up to so much
	cutAt  int           // bytes from the broker after which a connection is cut; 0: never
	mute   bool          // writing fails; the connection looks alive
	holdOn []byte        // that, once written, makes it hold
}

var errMute = errors.New("mute")

func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := n.broker.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: conn, network: n, closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials++
	n.wires = append(n.wires, w)
	return w, nil
}

func (n *network) set(change func(*network)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
}

// count returns how often it dialled.
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
	n.set(func(n *network) { n.held = make(chan struct{}) })
}

func (n *network) release() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.held != nil {
		close(n.held)
		n.held = nil
	}
}

type wire struct {
	net.Conn
	network *network
	once    sync.Once
	closed  chan struct{}
	got     int // bytes from the broker
}

func (w *wire) Read(b []byte) (int, error) {
	w.network.mu.Lock()
	cutAt := w.network.cutAt
	w.network.mu.Unlock()
	switch {
	case cutAt > 0 && w.got >= cutAt:
		_ = w.Close()
	case cutAt > 0:
		b = b[:min(len(b), cutAt-w.got)]
	}
	n, err := w.Conn.Read(b)
	w.got += n
	w.network.mu.Lock()
	held, delay, lag := w.network.held, w.network.delay, w.network.lag
	w.network.mu.Unlock()
	if lag > 0 {
		delay += rand.N(lag)
	}
	if err == nil && delay > 0 {
		select {
		case <-time.After(delay):
		case <-w.closed:
		}
	}
	if err == nil && held != nil {
		select {
		case <-held:
		case <-w.closed:
			return 0, net.ErrClosed
		}
	}
	return n, err
}

func (w *wire) Write(b []byte) (int, error) {
	w.network.mu.Lock()
	mute := w.network.mute
	if w.network.holdOn != nil && bytes.Contains(b, w.network.holdOn) {
		w.network.held, w.network.holdOn = make(chan struct{}), nil
	}
	w.network.mu.Unlock()
	if mute {
		return 0, errMute
	}
	return w.Conn.Write(b)
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return w.Conn.Close()
}
