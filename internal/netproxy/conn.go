package netproxy

import (
	"bytes"
	"cmp"
	"net"
	"os"
	"sync"
	"time"
)

// Conn is a connection over a [Network].
type Conn struct {
	net.Conn
	network *Network
	once    sync.Once
	closed  chan struct{}
	late    []byte // the reader's: what was held until its deadline

	// Under the network's lock:
	passed   [2]int64
	cutAt    [2]int64 // 0: as the network says
	deadline [2]time.Time
}

// narrowPiece is the largest piece that passes at once where the way is narrow.
const narrowPiece = 1024

// CutAt cuts the connection when so many bytes have passed.
func (c *Conn) CutAt(d Direction, bytes int64) {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	c.cutAt[d] = bytes
}

// Read reads what the broker says.
func (c *Conn) Read(b []byte) (int, error) {
	left, hold := c.room(FromBroker)
	switch {
	case hold:
		return 0, c.wait(FromBroker, nil)
	case left == 0:
		c.cut()
		return 0, net.ErrClosed
	}
	b = b[:min(int64(len(b)), left)]
	n := copy(b, c.late)
	if n == 0 {
		var err error
		if n, err = c.Conn.Read(b); err != nil {
			return n, err
		}
	}
	if err := c.pass(FromBroker, b[:n]); err != nil {
		if len(c.late) == 0 {
			c.late = bytes.Clone(b[:n])
		}
		return 0, err
	}
	c.late = c.late[min(n, len(c.late)):]
	return n, nil
}

// Write writes to the broker.
func (c *Conn) Write(b []byte) (sent int, err error) {
	for {
		left, hold := c.room(ToBroker)
		switch {
		case hold:
			return sent, c.wait(ToBroker, nil)
		case left == 0:
			c.cut()
			return sent, net.ErrClosed
		}
		piece := b[sent:min(int64(len(b)), int64(sent)+left)]
		if err := c.hush(); err != nil {
			return sent, err
		}
		if err := c.pass(ToBroker, piece); err != nil {
			return sent, err
		}
		n, err := c.Conn.Write(piece)
		sent += n
		if err != nil || sent == len(b) {
			return sent, err
		}
	}
}

// room returns how many bytes may pass now, and whether none may, for ever.
func (c *Conn) room(d Direction) (bytes int64, hold bool) {
	n := c.network
	n.mu.Lock()
	defer n.mu.Unlock()
	w := &n.way[d]
	bytes = 1 << 62
	if w.rate > 0 {
		bytes = narrowPiece
	}
	if at := cmp.Or(c.cutAt[d], w.cutAt); at > 0 {
		bytes = min(bytes, max(0, at-c.passed[d]))
	}
	if w.holdAt > 0 {
		if c.passed[d] >= w.holdAt {
			return 0, true
		}
		bytes = min(bytes, w.holdAt-c.passed[d])
	}
	return bytes, false
}

func (c *Conn) hush() error {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	if c.network.mute {
		return ErrMute
	}
	return nil
}

// pass holds a piece up for as long as it takes, and counts it.
func (c *Conn) pass(d Direction, piece []byte) error {
	n := c.network
	select {
	case <-c.closed:
		return net.ErrClosed
	default:
	}
	n.mu.Lock()
	pause, held := n.way[d].pause(len(piece)), n.way[d].held
	n.mu.Unlock()
	if pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		if err := wait(c, d, t.C); err != nil {
			return err
		}
	}
	if held != nil {
		if err := c.wait(d, held); err != nil {
			return err
		}
	}
	n.mu.Lock()
	c.passed[d] += int64(len(piece))
	cut := n.seen(d, piece)
	n.mu.Unlock()
	if cut {
		if d == ToBroker {
			c.once.Do(func() { close(c.closed) }) // its answer shall not be heard
			_, _ = c.Conn.Write(piece)
			_ = c.Close() // and no reset: it shall arrive
		} else {
			c.cut()
		}
		return net.ErrClosed
	}
	return nil
}

// wait waits until held is closed; for ever if it is nil.
func (c *Conn) wait(d Direction, held chan struct{}) error { return wait(c, d, held) }

// wait waits for release, or fails as a connection does: when it is closed, or
// when its deadline has passed.
func wait[T any](c *Conn, d Direction, release <-chan T) error {
	c.network.mu.Lock()
	deadline := c.deadline[d]
	c.network.mu.Unlock()
	var late <-chan time.Time
	if !deadline.IsZero() {
		t := time.NewTimer(time.Until(deadline))
		defer t.Stop()
		late = t.C
	}
	select {
	case <-release:
		return nil
	case <-c.closed:
		return net.ErrClosed
	case <-late:
		return os.ErrDeadlineExceeded
	}
}

// SetDeadline sets both deadlines. One that is set while the network holds a
// piece counts for the next.
func (c *Conn) SetDeadline(t time.Time) error {
	c.note(t, FromBroker, ToBroker)
	return c.Conn.SetDeadline(t)
}

// SetReadDeadline is as that of a net.Conn; see SetDeadline.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.note(t, FromBroker)
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline is as that of a net.Conn; see SetDeadline.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.note(t, ToBroker)
	return c.Conn.SetWriteDeadline(t)
}

func (c *Conn) note(t time.Time, ways ...Direction) {
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	for _, d := range ways {
		c.deadline[d] = t
	}
}

// cut resets the connection: nothing that was not sent yet is.
func (c *Conn) cut() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// Close closes the connection.
func (c *Conn) Close() error {
	c.once.Do(func() { close(c.closed) })
	c.network.mu.Lock()
	delete(c.network.live, c)
	c.network.mu.Unlock()
	return c.Conn.Close()
}
