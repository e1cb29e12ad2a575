package rabbittest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// ErrBubble says that a testing/synctest bubble cannot wait for the network: its clock would stand still for ever.
var ErrBubble = errors.New("in a testing/synctest bubble there is no TCP: use Dial")

// Listen serves TCP at an address such as "127.0.0.1:0", for clients in other languages and programs of their own, until
// the broker is closed. It returns the address that it listens on. In a bubble it returns [ErrBubble].
func (b *Broker) Listen(address string) (net.Addr, error) {
	if inBubble() {
		return nil, fmt.Errorf("listen on %s: %w", address, ErrBubble)
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	b.node.Do(func() {
		if b.closed {
			err = ErrClosed
			return
		}
		b.listeners = append(b.listeners, l)
		b.serving.Go(func() { b.acceptAll(l) })
	})
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	return l.Addr(), nil
}

// acceptAll serves those who connect, until the listener is closed.
func (b *Broker) acceptAll(l net.Listener) {
	for {
		raw, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(acceptPause) // out of file descriptors, as a rule
			continue
		}
		b.node.Do(func() {
			if b.closed || b.down || b.faults.refusesDial() {
				_ = raw.Close()
				return
			}
			b.dialled++
			b.serve(raw, nil)
		})
	}
}

const acceptPause = 10 * time.Millisecond

// inBubble tells whether the caller runs in a testing/synctest bubble. There is no function that says so; but a
// bubble's clock starts at the year 2000, and no machine that runs this has a clock so slow.
func inBubble() bool { return time.Now().Year() < 2010 }
