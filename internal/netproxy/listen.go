package netproxy

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
)

// Listen serves the network to other processes until the test ends: it dials
// upstream for each that connects to the address that it returns.
func (n *Network) Listen(tb testing.TB, upstream string) (address string) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("netproxy: %v", err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // closed
			}
			serving.Go(func() { n.join(ctx, client, upstream) })
		}
	})
	tb.Cleanup(func() {
		cancel()
		_ = l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// join passes on what the two ends say, until one of them has ended.
func (n *Network) join(ctx context.Context, client net.Conn, upstream string) {
	broker, err := n.Dial(ctx, "tcp", upstream)
	if err != nil {
		reset(client)
		return
	}
	var once sync.Once
	end := func(hangUp func(net.Conn)) {
		once.Do(func() {
			hangUp(client)
			_ = broker.Close()
		})
	}
	defer context.AfterFunc(ctx, func() { end(reset) })()
	var both sync.WaitGroup
	carry := func(to, from net.Conn) {
		// Through Read and Write, not around them.
		if _, err := io.Copy(struct{ io.Writer }{to}, struct{ io.Reader }{from}); err != nil {
			end(reset)
			return
		}
		end(func(c net.Conn) { _ = c.Close() }) // and what it was told arrives
	}
	both.Go(func() { carry(client, broker) })
	both.Go(func() { carry(broker, client) })
	both.Wait()
}

// reset hangs up as one does whose process has died.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
