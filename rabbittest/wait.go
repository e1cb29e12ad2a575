package rabbittest

import (
	"context"
	"fmt"
	"testing/synctest"

	"github.com/warren-mq/warren/rabbittest/internal/pipe"
)

// WaitIdle waits until nothing is left to do but what waits for time: no consumer has a message that it has not
// settled, no confirm is held, and every byte that was sent, either way, has been read. Messages that wait in a queue,
// for a consumer or for the end of their time to live, do not count.
//
// In a bubble it also waits until every other goroutine of the bubble has come to rest; outside it cannot know what a
// client is about to do, so wait for something definite there if you can. If ctx ends before, the error has the state of
// the broker.
//
// In a bubble only one goroutine may call synctest.Wait at a time; this calls it.
func (b *Broker) WaitIdle(ctx context.Context) error {
	return b.wait(ctx, "the broker to be idle", func() bool {
		idle := false
		b.node.Look(func() { idle = b.idle() })
		return idle
	})
}

// wait waits until a condition holds, which is asked whenever something has happened.
func (b *Broker) wait(ctx context.Context, what string, holds func() bool) error {
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	for {
		if inBubble() {
			synctest.Wait()
		}
		var seen uint64
		b.node.Look(func() { seen = b.node.Version() })
		if holds() {
			return nil
		}
		if err := b.node.Wait(ctx, func() bool { return b.node.Version() != seen }); err != nil {
			return fmt.Errorf("wait for %s: %w\n%s", what, err, b.Dump())
		}
	}
}

// idle is what WaitIdle waits for. The caller holds the lock.
func (b *Broker) idle() bool {
	if b.node.Held() || len(b.faults.heldConfirms) > 0 {
		return false
	}
	for _, c := range b.conns {
		if !c.rests() {
			return false
		}
	}
	return true
}

// rests tells whether everything that either side has said has been read. The caller holds the lock.
func (c *conn) rests() bool {
	if len(c.arriving) > 0 || !c.reading.Load() || !c.out.empty() {
		return false
	}
	ours, inMemory := c.net.(*pipe.Conn)
	return !inMemory || ours.Unread() == 0 && c.client.Unread() == 0
}

// source is what a connection's bytes are read from. It notes that the reader waits for more: then all that has come
// before has been handled.
type source struct{ *conn }

func (s source) Read(p []byte) (int, error) {
	s.reading.Store(true)
	s.broker.stir()
	n, err := s.net.Read(p)
	s.reading.Store(false)
	return n, err
}

// stir makes those who wait look again.
func (b *Broker) stir() {
	if b.waiting.Load() > 0 {
		b.node.Do(func() {})
	}
}
