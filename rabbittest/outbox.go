package rabbittest

import (
	"net"
	"sync"
)

// outbox is what a connection has to send. Putting something in never blocks; one goroutine sends it.
type outbox struct {
	net net.Conn

	mu     sync.Mutex
	wake   *sync.Cond // of mu
	bytes  []byte
	paused bool // nothing is sent
	ends   bool // nothing more comes: when all is sent, the connection is closed
}

func newOutbox(n net.Conn) *outbox {
	o := &outbox{net: n}
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

// end has the connection closed once everything is sent that was put in.
func (o *outbox) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ends = true
	if o.paused {
		o.bytes = nil
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
	return len(o.bytes) == 0
}

// send is the goroutine: it sends until the end, and then closes the connection, which ends the reader, too.
func (o *outbox) send() {
	defer func() { _ = o.net.Close() }()
	for {
		o.mu.Lock()
		for (len(o.bytes) == 0 || o.paused) && !o.ends {
			o.wake.Wait()
		}
		next, ends := o.bytes, o.ends
		o.bytes = nil
		o.mu.Unlock()
		if len(next) > 0 {
			if _, err := o.net.Write(next); err != nil {
				return
			}
		}
		if ends {
			return
		}
	}
}
