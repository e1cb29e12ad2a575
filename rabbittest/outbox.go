package rabbittest

import (
	"net"
	"sync"
	"time"
)

// outbox is what a connection has to send. Putting something in never blocks; one goroutine sends it.
type outbox struct {
	net  net.Conn
	sent func() // called when something was sent, without the lock

	mu     sync.Mutex
	wake   *sync.Cond // of mu
	bytes  []byte
	busy   bool // something is being sent
	paused bool // nothing is sent
	ends   bool // nothing more comes: when all is sent, the connection is closed
}

func newOutbox(n net.Conn, sent func()) *outbox {
	o := &outbox{net: n, sent: sent}
	o.wake = sync.NewCond(&o.mu)
	return o
}

func (o *outbox) put(b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ends {
		o.bytes = append(o.bytes, b...)
		o.wake.Signal()
	}
}

// lastWords is how long a client that reads nothing keeps the broker from closing its connection. Over memory it cannot.
const lastWords = 2 * time.Second

// end has the connection closed once everything is sent that was put in.
func (o *outbox) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ends {
		return
	}
	o.ends = true
	if o.paused {
		o.bytes = nil
	}
	if tcp, ok := o.net.(*net.TCPConn); ok {
		_ = tcp.SetWriteDeadline(time.Now().Add(lastWords))
	}
	o.wake.Signal()
}

// pause stops sending, or goes on.
func (o *outbox) pause(on bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.paused = on
	o.wake.Signal()
}

// empty tells whether everything is sent.
func (o *outbox) empty() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.bytes) == 0 && !o.busy
}

// send is the goroutine: it sends until the end, and then closes the connection, which ends the reader, too.
func (o *outbox) send() {
	defer func() { _ = o.net.Close() }()
	for {
		next, ends := o.next()
		if len(next) > 0 {
			_, err := o.net.Write(next)
			o.done()
			if err != nil {
				return
			}
		}
		if ends {
			return
		}
	}
}

// next waits for something to send, and says whether it is the last.
func (o *outbox) next() (next []byte, ends bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for (len(o.bytes) == 0 || o.paused) && !o.ends {
		o.wake.Wait()
	}
	next, o.bytes = o.bytes, nil
	o.busy = len(next) > 0
	return next, o.ends
}

func (o *outbox) done() {
	o.mu.Lock()
	o.busy = false
	o.mu.Unlock()
	o.sent()
}
