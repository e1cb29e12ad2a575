package rabbittest

import (
	"fmt"
	"testing"
	"testing/synctest"
)

// CrashOptions say how [CrashPointsWith] goes about it.
type CrashOptions struct {
	// Broker are the options of every broker.
	Broker Options

	// Kill ends the whole broker at the point, as SIGKILL does, and starts it again when all connections are gone. Else
	// only the one connection is cut on which the point is.
	Kill bool
}

// CrashPoints proves that a program survives a cut of its connection wherever it comes. It runs a scenario again and
// again, each time in a testing/synctest bubble of its own with a broker of its own, and cuts one connection once: the
// first time at the first step of the protocol, then at the second, and so on, until a run ends that has no more steps.
// A step is a method that a client sends, lost or not answered, or one that the broker sends, with nothing after it.
//
// The scenario connects, does its work, and checks in the end that nothing is lost: everything that was confirmed to a
// publisher was handled, or is in a queue. It must hold with the cut and without. Each run is a subtest, so t must not
// be that of a bubble.
func CrashPoints(t *testing.T, scenario func(t *testing.T, b *Broker)) {
	t.Helper()
	CrashPointsWith(t, CrashOptions{}, scenario)
}

// CrashPointsWith is [CrashPoints] with options.
func CrashPointsWith(t *testing.T, o CrashOptions, scenario func(t *testing.T, b *Broker)) {
	t.Helper()
	for point := 1; ; point++ {
		reached := false
		t.Run(fmt.Sprintf("point %d", point), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := NewWith(t, o.Broker)
				c := &crash{broker: b, kill: o.Kill, left: point}
				b.cutWhen(c.decide)
				t.Cleanup(func() { // before the broker is closed
					reached = c.at != ""
					if t.Failed() && reached {
						t.Logf("the connection was cut at %s", c.at)
					}
				})
				scenario(t, b)
			})
		})
		if !reached {
			return
		}
	}
}

// crash counts down to one point.
type crash struct {
	broker *Broker
	kill   bool
	left   int
	at     string // where it happened
}

// decide is told of every step. A method that was received has two points, one that is sent has one: where it is lost
// is the point after whatever came before it.
func (c *crash) decide(s Step) cut {
	if !s.Sent {
		if c.left--; c.left == 0 {
			return c.here(s, cutBefore, "before ")
		}
	}
	if c.left--; c.left == 0 {
		return c.here(s, cutAfter, "after ")
	}
	return noCut
}

func (c *crash) here(s Step, where cut, word string) cut {
	c.at = word + s.String()
	if c.kill {
		b := c.broker
		b.down, b.reboot = true, true
		for _, other := range b.conns {
			if other.name != s.Connection {
				other.sever()
			}
		}
	}
	return where
}
