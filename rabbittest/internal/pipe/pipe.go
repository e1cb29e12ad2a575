// Package pipe connects two ends by memory, as a network would: with buffers that never fill.
//
// A write never blocks. So a broker that has stopped reading cannot make a client wait in its write, while it holds the
// lock that its heartbeats need: with net.Pipe a testing/synctest bubble hangs for real there, since waiting for a
// mutex does not let its clock go on.
package pipe

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Conn is one end of a connection. Its methods may be called from any goroutine.
type Conn struct {
	local, remote net.Addr
	in            *buffer // what the other end has written
	out           *buffer
}

var _ net.Conn = (*Conn)(nil)

// New returns the two ends of a connection between two addresses.
func New(client, server net.Addr) (clientEnd, serverEnd *Conn) {
	up, down := newBuffer(), newBuffer()
	return &Conn{local: client, remote: server, in: down, out: up},
		&Conn{local: server, remote: client, in: up, out: down}
}

// Read waits for bytes, the end, or its deadline.
func (c *Conn) Read(b []byte) (int, error) { return c.wrap("read")(c.in.read(b)) }

// Write takes all of b at once. It fails if either end is closed.
func (c *Conn) Write(b []byte) (int, error) { return c.wrap("write")(c.out.write(b)) }

// Close ends the connection. The other end reads what was written before, and then io.EOF.
func (c *Conn) Close() error {
	c.out.close(io.EOF, false)
	c.in.close(net.ErrClosed, true)
	return nil
}

// Reset ends the connection at once, for both ends: what nobody has read is gone.
func (c *Conn) Reset() {
	c.out.close(syscall.ECONNRESET, true)
	c.in.close(syscall.ECONNRESET, true)
}

// Sever is a pulled cable: what either end writes from now on is gone, and reads wait.
func (c *Conn) Sever() {
	c.out.lose()
	c.in.lose()
}

// Unread is how many bytes the other end has not read yet.
func (c *Conn) Unread() int { return c.out.len() }

// OnRead has f called whenever the other end has read all that was written. It is called from the goroutine that has
// read, with no lock held.
func (c *Conn) OnRead(f func()) { c.out.onEmpty(f) }

// LocalAddr returns the address of this end.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the address of the other end.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	c.out.setWriteDeadline(t)
	return nil
}

// SetReadDeadline makes reads fail from then on. The zero time takes it back.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	return nil
}

// SetWriteDeadline makes writes fail that come after it; none ever waits for it.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.setWriteDeadline(t)
	return nil
}

// wrap dresses errors as those of the net package are.
func (c *Conn) wrap(op string) func(int, error) (int, error) {
	return func(n int, err error) (int, error) {
		if err != nil && err != io.EOF { //nolint:errorlint // it is never wrapped here, and must not be by net.Conn's contract
			err = &net.OpError{Op: op, Net: "pipe", Source: c.local, Addr: c.remote, Err: err}
		}
		return n, err
	}
}

// buffer is what goes in one direction.
type buffer struct {
	mu      sync.Mutex
	changed *sync.Cond // of mu
	bytes   []byte
	closed  bool  // nothing more is written
	end     error // what a reader gets then
	lost    bool  // what is written is gone
	empty   func()

	writeDeadline time.Time
	readExpired   bool
	readTimer     *time.Timer
	readSet       uint64 // how often the read deadline was set: a timer of an older one does nothing
}

func newBuffer() *buffer {
	b := &buffer{}
	b.changed = sync.NewCond(&b.mu)
	return b
}

func (b *buffer) write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed && b.end == io.EOF: //nolint:errorlint // set here
		return 0, net.ErrClosed
	case b.closed:
		return 0, syscall.EPIPE
	case !b.writeDeadline.IsZero() && !time.Now().Before(b.writeDeadline):
		return 0, os.ErrDeadlineExceeded
	case !b.lost:
		b.bytes = append(b.bytes, p...)
		b.changed.Broadcast()
	}
	return len(p), nil
}

func (b *buffer) read(p []byte) (int, error) {
	n, told, err := b.take(p)
	if told != nil {
		told()
	}
	return n, err
}

// take waits, and says whom to tell that nothing is left.
func (b *buffer) take(p []byte) (n int, told func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		switch {
		case b.readExpired:
			return 0, nil, os.ErrDeadlineExceeded
		case len(b.bytes) > 0:
			n = copy(p, b.bytes)
			if b.bytes = b.bytes[n:]; len(b.bytes) == 0 {
				b.bytes, told = nil, b.empty
			}
			return n, told, nil
		case b.closed:
			return 0, nil, b.end
		case len(p) == 0:
			return 0, nil, nil
		}
		b.changed.Wait()
	}
}

// close lets readers have what is there, and then end; or, with drop, end at once.
func (b *buffer) close(end error, drop bool) {
	b.mu.Lock()
	if drop {
		b.bytes = nil
	}
	if !b.closed || drop {
		b.closed, b.end = true, end
	}
	b.stopTimer()
	told := b.empty
	b.changed.Broadcast()
	b.mu.Unlock()
	if drop && told != nil {
		told()
	}
}

func (b *buffer) lose() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost = true
	b.bytes = nil
}

func (b *buffer) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.bytes)
}

func (b *buffer) onEmpty(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.empty = f
}

func (b *buffer) setWriteDeadline(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writeDeadline = t
}

func (b *buffer) setReadDeadline(t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopTimer()
	b.readExpired = false
	if t.IsZero() || b.closed {
		return
	}
	set := b.readSet
	if wait := time.Until(t); wait <= 0 {
		b.readExpired = true
		b.changed.Broadcast()
	} else {
		b.readTimer = time.AfterFunc(wait, func() { b.expire(set) })
	}
}

func (b *buffer) stopTimer() {
	b.readSet++
	if b.readTimer != nil {
		b.readTimer.Stop()
		b.readTimer = nil
	}
}

func (b *buffer) expire(set uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.readSet == set {
		b.readExpired = true
		b.changed.Broadcast()
	}
}
