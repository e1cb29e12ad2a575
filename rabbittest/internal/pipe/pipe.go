// Package pipe is a network connection in memory that behaves as one over TCP,
// with two differences: a write never blocks, and it can be cut on purpose.
//
// That a write never blocks is why it exists. With [net.Pipe] a client writes
// while it holds a mutex and waits for the broker to read; if the broker does
// not, another goroutine of the client waits for that mutex, which in a
// testing/synctest bubble is no durable wait: the bubble's time stops, and the
// test hangs.
//
// Everything here waits by a sync.Cond, and so durably. No goroutine is started;
// a read deadline is a timer.
package pipe

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Conn is one end of a connection. Any number of goroutines may use it.
type Conn struct {
	*link
	in, out       *stream
	peer          *Conn
	local, remote net.Addr

	closed, reset bool
	refused       bool // something was written that the other end, being closed, has not taken
	writeDeadline time.Time
	readTimer     *time.Timer
	readExpired   bool
}

// link is what both ends share. Its mutex guards all of both; it is never held
// across a wait.
type link struct {
	mu      sync.Mutex
	severed bool
}

// stream is one direction: what one end has written and the other has not read.
type stream struct {
	wake    *sync.Cond // there is something new for the reader
	unread  []byte
	ended   bool // the writer has closed: io.EOF comes after what is unread
	gone    bool // the reader has closed
	reading int  // readers that wait
	onRead  func()
}

// New returns the two ends of a connection between those addresses.
func New(clientAddr, serverAddr net.Addr) (client, server *Conn) {
	l := &link{}
	up, down := &stream{wake: sync.NewCond(&l.mu)}, &stream{wake: sync.NewCond(&l.mu)}
	client = &Conn{link: l, in: down, out: up, local: clientAddr, remote: serverAddr}
	server = &Conn{link: l, in: up, out: down, local: serverAddr, remote: clientAddr, peer: client}
	client.peer = server
	return client, server
}

// LocalAddr is the address of this end.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the address of the other end.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// Read waits until there is something to read. What the other end wrote before
// it closed comes first, then io.EOF.
func (c *Conn) Read(b []byte) (int, error) {
	n, told, err := c.take(b)
	if told != nil {
		told()
	}
	return n, err
}

// take reads, and says whom to tell that nothing is left.
func (c *Conn) take(b []byte) (n int, told func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, nil, c.fail("read", net.ErrClosed)
		case c.reset:
			return 0, nil, c.fail("read", syscall.ECONNRESET)
		case c.readExpired:
			return 0, nil, c.fail("read", os.ErrDeadlineExceeded)
		case len(b) == 0:
			return 0, nil, nil
		case len(c.in.unread) > 0:
			n = copy(b, c.in.unread)
			if c.in.unread = c.in.unread[n:]; len(c.in.unread) == 0 {
				c.in.unread, told = nil, c.in.onRead
			}
			return n, told, nil
		case c.in.ended:
			return 0, nil, io.EOF
		}
		c.in.reading++
		c.in.wake.Wait()
		c.in.reading--
	}
}

// Write never blocks. When the other end has closed, it fails from the second
// time on: as with TCP, the first time is how one learns of it.
func (c *Conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return 0, c.fail("write", net.ErrClosed)
	case c.reset:
		return 0, c.fail("write", syscall.ECONNRESET)
	case !c.writeDeadline.IsZero() && !time.Now().Before(c.writeDeadline):
		return 0, c.fail("write", os.ErrDeadlineExceeded)
	case c.severed:
		return len(b), nil
	case c.out.gone:
		if c.refused {
			return 0, c.fail("write", syscall.EPIPE)
		}
		c.refused = true
		return len(b), nil
	}
	c.out.unread = append(c.out.unread, b...)
	c.out.wake.Broadcast()
	return len(b), nil
}

// Close closes this end. The other one can still read what was written.
func (c *Conn) Close() error {
	told, err := c.close()
	if told != nil {
		told()
	}
	return err
}

func (c *Conn) close() (told func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, c.fail("close", net.ErrClosed)
	}
	c.closed = true
	c.stopTimer()
	told = c.in.drop()
	if !c.severed {
		c.in.gone = true
		c.out.ended = true
		c.out.wake.Broadcast()
	}
	return told, nil
}

// drop forgets what is unread, wakes the readers, and returns whom to tell.
func (s *stream) drop() (told func()) {
	s.wake.Broadcast()
	if len(s.unread) > 0 {
		s.unread, told = nil, s.onRead
	}
	return told
}

// Reset breaks the connection for both ends at once, as a TCP reset does: what
// nobody has read is lost, and reads and writes fail with ECONNRESET. Each end
// is still to be closed. Of a severed connection it breaks this end only.
func (c *Conn) Reset() {
	for _, told := range c.breakUp() {
		if told != nil {
			told()
		}
	}
}

func (c *Conn) breakUp() (told [2]func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reset = true
	told[0] = c.in.drop()
	if !c.severed {
		c.peer.reset = true
		told[1] = c.out.drop()
	}
	return told
}

// Sever makes the connection half-open for both ends, as a pulled cable does:
// what is written from now on is lost without an error, and nothing more
// arrives, nor does the close of the other end. What has arrived can be read.
func (c *Conn) Sever() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.severed = true
}

// Unread is how many bytes the other end has not read.
func (c *Conn) Unread() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.out.unread)
}

// OnRead has f called whenever nothing is left that the other end has not read,
// be it that it was read or that it never will be. The goroutine that did it
// calls f, and holds no lock. There is one such function: the last one.
func (c *Conn) OnRead(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.onRead = f
}

// Waits says that somebody waits in Read and there is nothing to read: whoever
// reads here has taken all that has come.
func (c *Conn) Waits() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.in.reading > 0 && len(c.in.unread) == 0
}

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline has reads fail from t on; the zero value: never.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.fail("set", net.ErrClosed)
	}
	c.stopTimer()
	left := time.Until(t)
	c.readExpired = !t.IsZero() && left <= 0
	if c.readExpired {
		c.in.wake.Broadcast()
	}
	if t.IsZero() || left <= 0 {
		return nil
	}
	var timer *time.Timer
	timer = time.AfterFunc(left, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.readTimer == timer { // or the deadline was moved while this waited for the lock
			c.readTimer = nil
			c.readExpired = true
			c.in.wake.Broadcast()
		}
	})
	c.readTimer = timer
	return nil
}

// SetWriteDeadline has writes fail from t on. None can wait for it.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.fail("set", net.ErrClosed)
	}
	c.writeDeadline = t
	return nil
}

func (c *Conn) stopTimer() {
	if c.readTimer != nil {
		c.readTimer.Stop()
		c.readTimer = nil
	}
}

// fail is an error as the net package makes them.
func (c *Conn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}
