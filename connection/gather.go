package connection

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// gatherer is a network connection that gathers small writes. The client writes
// each method and each message with a system call of its own, one after the
// other under a lock. Of a burst the first write goes through. Those that follow
// return as soon as they are in a buffer, and a goroutine writes the buffer: what
// comes while it is at it leaves with its next write.
//
// A write goes through if something was read since the one before. So a question,
// or a message whose confirm is waited for, takes the same way as without a
// gatherer, and nobody needs a clock to tell a burst.
//
// It stands above TLS, so that fewer records are made as well. What bounds a
// write in time, and closes the connection if one fails, is the socket below.
// Because of the buffer a write may fail when its caller has long been told that
// it succeeded. It is as if the network had lost it: the client hears of it at
// the next write, or from its reader, which the socket wakes.
type gatherer struct {
	net.Conn             // the socket, or TLS over it
	answered atomic.Bool // something was read since the last write

	mu       sync.Mutex
	changed  sync.Cond // under mu: there is room, or a writer less
	pending  []byte    // accepted and not written
	spare    []byte    // what flush writes, and then the room for the next pending
	writing  bool      // a Write is in Conn.Write
	flushing bool      // flush runs; only then something may be pending
	err      error     // what Write says: why the first write failed, or that it is closed
}

const (
	// gathered is how many bytes wait at most, beside as many that are being
	// written. A larger write goes through.
	gathered = 64 << 10
	// lastWords is how long Close waits until what was accepted is written.
	lastWords = 200 * time.Millisecond
)

func newGatherer(conn net.Conn) *gatherer {
	g := &gatherer{Conn: conn}
	g.changed.L = &g.mu
	g.answered.Store(true)
	return g
}

func (g *gatherer) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if n > 0 {
		g.answered.Store(true)
	}
	return n, err
}

// Write writes b, or accepts it. It waits while it can do neither. If it returns
// an error, that may be the one of an earlier write, and b is not written then.
func (g *gatherer) Write(b []byte) (int, error) {
	alone := g.answered.Swap(false)
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.err == nil {
		switch {
		case g.writing:
		case !g.flushing && (alone || len(b) > gathered):
			return g.writeThrough(b)
		case len(g.pending)+len(b) <= gathered:
			g.pending = append(g.pending, b...)
			if !g.flushing {
				g.flushing = true
				go g.flush()
			}
			return len(b), nil
		}
		g.changed.Wait()
	}
	return 0, g.err
}

// writeThrough writes b while nobody else does. The caller holds mu, which is
// not held meanwhile.
func (g *gatherer) writeThrough(b []byte) (int, error) {
	g.writing = true
	g.mu.Unlock()
	n, err := g.Conn.Write(b)
	g.mu.Lock()
	g.writing = false
	g.fail(err)
	return n, err
}

// flush writes what is pending, until nothing is. Close waits for it.
func (g *gatherer) flush() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.pending) > 0 {
		g.pending, g.spare = g.spare[:0], g.pending
		g.changed.Broadcast()
		g.mu.Unlock()
		_, err := g.Conn.Write(g.spare)
		g.mu.Lock()
		if err != nil {
			g.fail(err)
			g.pending = nil // it follows what may have left by half
		}
	}
	g.flushing = false
	g.changed.Broadcast()
}

// fail lets every further Write fail with err, if it is not nil, and tells that
// something has changed. The caller holds mu.
func (g *gatherer) fail(err error) {
	if g.err == nil {
		g.err = err
	}
	g.changed.Broadcast()
}

// finish refuses further writes, and waits until what was accepted is written:
// mostly the client's answer to a broker that says goodbye. It waits until the
// connection below is closed, or lastWords at most.
func (g *gatherer) finish() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail(net.ErrClosed)
	if !g.flushing {
		return
	}
	late := false
	timer := time.AfterFunc(lastWords, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		late = true
		g.changed.Broadcast()
	})
	defer timer.Stop()
	for g.flushing && !late {
		g.changed.Wait()
	}
}

// abandon refuses further writes, and forgets what was accepted. Closing the
// connection below is what ends a write.
func (g *gatherer) abandon() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail(net.ErrClosed)
	g.pending = nil
}

// Close closes the connection when what was accepted is written, as far as
// finish waits for that.
func (g *gatherer) Close() error {
	g.finish()
	err := g.Conn.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.flushing { // its write has ended, or is about to
		g.changed.Wait()
	}
	return err
}
