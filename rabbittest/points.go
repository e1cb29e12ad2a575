package rabbittest

import "fmt"

// Step is a method that passes between a client and the broker.
type Step struct {
	Connection string // its name, as in [Connection.Name]
	Channel    uint16
	Method     string // "basic.ack"
	Sent       bool   // by the broker; else it was received
}

// String writes the step for people: "basic.deliver to 127.0.0.1:50001 -> 127.0.0.1:5672, channel 1".
func (s Step) String() string {
	way := "from"
	if s.Sent {
		way = "to"
	}
	return fmt.Sprintf("%s %s %s, channel %d", s.Method, way, s.Connection, s.Channel)
}

// Point says where [Broker.CutAt] cuts a connection.
type Point struct {
	// Method is the one at which it happens: "basic.ack". Empty is any.
	Method string

	// Sent: the broker sends it. Else it receives it. (basic.ack, basic.nack and basic.cancel go both ways.)
	Sent bool

	// Before: the method itself is lost. Else it arrives, and is done, but nothing after it arrives, not even its
	// answer.
	Before bool

	// Nth is which one of them it is, counted from now: 0 and 1 are the next.
	Nth int
}

// cut says where a connection is cut at a step.
type cut int

const (
	noCut     cut = iota
	cutBefore     // the method is lost
	cutAfter      // it arrives, and nothing after it
)

// cutting is a cut that is still to come.
type cutting struct {
	decide func(Step) cut
	done   bool
}

// CutAt cuts one connection, once, at a point of the protocol: the next that gets there.
func (b *Broker) CutAt(p Point) {
	left := max(p.Nth, 1)
	b.cutWhen(func(s Step) cut {
		if s.Sent != p.Sent || p.Method != "" && s.Method != p.Method {
			return noCut
		}
		if left--; left > 0 {
			return noCut
		}
		if p.Before {
			return cutBefore
		}
		return cutAfter
	})
}

// cutWhen cuts the first connection for which decide says so. It is called with the lock.
func (b *Broker) cutWhen(decide func(Step) cut) {
	b.node.Do(func() { b.faults.cuts = append(b.faults.cuts, &cutting{decide: decide}) })
}

// passing is told of every step, and says whether the connection is cut there.
func (b *Broker) passing(s Step) cut {
	result := noCut
	for _, c := range b.faults.cuts {
		if !c.done {
			if where := c.decide(s); where != noCut {
				c.done = true
				result = where
			}
		}
	}
	return result
}
