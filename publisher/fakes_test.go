package publisher_test

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/monitoring"
)

// diary is a monitor that remembers what it was told.
type diary struct {
	mu        sync.Mutex
	published []monitoring.Published
	lost      int // connections
	hook      func(monitoring.Published)
}

func (d *diary) Observe(_ context.Context, e monitoring.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch e := e.(type) {
	case monitoring.Published:
		d.published = append(d.published, e)
		if d.hook != nil {
			d.hook(e)
		}
	case monitoring.Disconnected:
		if e.Err != nil {
			d.lost++
		}
	}
}

func (d *diary) all() []monitoring.Published {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]monitoring.Published(nil), d.published...)
}

func (d *diary) losses() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lost
}

// network dials, and can cut what it has dialled, or hold back what the broker
// says.
type network struct {
	broker brokers.Broker

	mu    sync.Mutex
	conns []net.Conn
	held  chan struct{} // not nil while it holds; closed at the end of that
}

func newNetwork(tb testing.TB) *network {
	tb.Helper()
	return &network{broker: brokerOf(tb)}
}

func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := n.broker.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &heldConn{Conn: conn, network: n, closed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns = append(n.conns, c)
	return c, nil
}

func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		_ = c.Close()
	}
	n.conns = nil
}

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

type heldConn struct {
	net.Conn
	network *network
	once    sync.Once
	closed  chan struct{}
}

func (c *heldConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.network.mu.Lock()
	held := c.network.held
	c.network.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-c.closed:
		}
	}
	return n, err
}

func (c *heldConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
