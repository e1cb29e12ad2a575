// Package netproxy is a network that a test can spoil: it cuts, freezes, slows
// and narrows the connections that are dialled through it.
//
// It stands in the test's own process, as [Network.Dial], also in a
// testing/synctest bubble; or in front of other processes, as a listener, with
// [Network.Listen].
package netproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Direction is where bytes go.
type Direction int

// The directions.
const (
	FromBroker Direction = iota
	ToBroker
)

// ErrUnplugged is what a dial fails with while the network is unplugged.
var ErrUnplugged = errors.New("the test has unplugged it")

// ErrMute is what writing fails with while the network is mute.
var ErrMute = errors.New("the test has muted it")

// Network dials, and spoils what it has dialled. It is safe for concurrent use.
type Network struct {
	// Dialled, if set, gets each new connection before anyone uses it.
	Dialled func(*Conn)

	dial func(ctx context.Context, network, address string) (net.Conn, error)

	mu    sync.Mutex
	dials int
	live  map[*Conn]struct{}
	way   [2]way
	down  bool
	mute  bool
}

// way is what becomes of the bytes of one direction.
type way struct {
	held   chan struct{} // not nil while nothing passes; closed at the end of that
	delay  time.Duration
	jitter time.Duration
	rate   int    // bytes a second; 0: as many as come
	cutAt  int64  // bytes of a connection after which it is cut; 0: never
	holdAt int64  // bytes of a connection after which nothing more passes; 0: never
	cutOn  []byte // when it has passed, the connection is cut
	holdOn []byte // when it has passed, what the broker answers is held
}

// New returns a Network over dial, such as that of a test broker. Nil means that
// of package net.
func New(dial func(ctx context.Context, network, address string) (net.Conn, error)) *Network {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return &Network{dial: dial, live: map[*Conn]struct{}{}}
}

// Dial is for Config.Dial of package connection.
func (n *Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dials++
	down := n.down
	n.mu.Unlock()
	if down {
		return nil, fmt.Errorf("dial %s: %w", address, ErrUnplugged)
	}
	conn, err := n.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &Conn{Conn: conn, network: n, closed: make(chan struct{})}
	if n.Dialled != nil {
		n.Dialled(c)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.live[c] = struct{}{}
	return c, nil
}

// Dials returns how often someone has dialled.
func (n *Network) Dials() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}

// Passed returns how many bytes the living connections have passed on.
func (n *Network) Passed(d Direction) (sum int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.live {
		sum += c.passed[d]
	}
	return sum
}

// Cut resets every connection, as a broken cable would, and returns how many
// there were.
func (n *Network) Cut() int {
	n.mu.Lock()
	live := n.live
	n.live = map[*Conn]struct{}{}
	n.mu.Unlock()
	for c := range live {
		c.cut()
	}
	return len(live)
}

// Unplug cuts every connection, and lets no dial succeed until Plug.
func (n *Network) Unplug() {
	n.mu.Lock()
	n.down = true
	n.mu.Unlock()
	n.Cut()
}

// Plug undoes Unplug.
func (n *Network) Plug() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = false
}

// Hold lets nothing pass in that direction until Release. Nobody is told.
func (n *Network) Hold(d Direction) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.way[d].hold()
}

func (w *way) hold() {
	if w.held == nil {
		w.held = make(chan struct{})
	}
}

// Freeze is Hold in both directions: a black hole.
func (n *Network) Freeze() {
	n.Hold(FromBroker)
	n.Hold(ToBroker)
}

// Release undoes Hold and Freeze.
func (n *Network) Release() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for d := range n.way {
		if held := n.way[d].held; held != nil {
			close(held)
			n.way[d].held = nil
		}
	}
}

// Delay holds up each piece that passes, by delay and at random up to jitter
// more.
func (n *Network) Delay(d Direction, delay, jitter time.Duration) {
	n.set(d, func(w *way) { w.delay, w.jitter = delay, jitter })
}

// Narrow lets at most so many bytes pass in a second; 0 means any number.
func (n *Network) Narrow(d Direction, bytes int) { n.set(d, func(w *way) { w.rate = bytes }) }

// CutAt cuts each connection, also those to come, when so many bytes have
// passed; 0 undoes it.
func (n *Network) CutAt(d Direction, bytes int64) { n.set(d, func(w *way) { w.cutAt = bytes }) }

// HoldAt lets only so many bytes of each connection pass; 0 undoes it for
// further connections.
func (n *Network) HoldAt(d Direction, bytes int64) { n.set(d, func(w *way) { w.holdAt = bytes }) }

// CutOn cuts the next connection on which a piece with this pattern has passed,
// such as the class and method of an AMQP method. Nil undoes it.
func (n *Network) CutOn(d Direction, pattern []byte) { n.set(d, func(w *way) { w.cutOn = pattern }) }

// HoldOn holds what the broker says from when a piece with this pattern has
// passed. Nil undoes it.
func (n *Network) HoldOn(d Direction, pattern []byte) { n.set(d, func(w *way) { w.holdOn = pattern }) }

// Mute lets writing fail, on connections that look alive.
func (n *Network) Mute(mute bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mute = mute
}

func (n *Network) set(d Direction, change func(*way)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(&n.way[d])
}

// pause returns how long a piece of so many bytes takes.
func (w *way) pause(size int) time.Duration {
	d := w.delay
	if w.jitter > 0 {
		d += rand.N(w.jitter)
	}
	if w.rate > 0 {
		d += time.Duration(size) * time.Second / time.Duration(w.rate)
	}
	return d
}

// seen looks for patterns in a piece that has passed, and returns whether its
// connection shall be cut.
func (n *Network) seen(d Direction, piece []byte) (cut bool) {
	w := &n.way[d]
	if w.holdOn != nil && bytes.Contains(piece, w.holdOn) {
		w.holdOn = nil
		n.way[FromBroker].hold()
	}
	if w.cutOn != nil && bytes.Contains(piece, w.cutOn) {
		w.cutOn = nil
		cut = true
	}
	return cut
}
