package rabbittest

import (
	"errors"

	"github.com/warren-mq/warren/rabbittest/internal/engine"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

var errRefused = errors.New("connection refused by the test")

// faults are what a test has asked the broker to do wrong. All of it is guarded by the node's lock.
type faults struct {
	refuseDials   count
	refuseLogins  count
	nackPublishes count
	returnPublish count
	paused        bool   // the broker reads nothing and sends nothing
	alarm         string // the reason to block publishers, if any
	holdConfirms  bool
	heldConfirms  []func()
	observer      func(Step) cut
}

// count says how many times something shall happen: negative is always.
type count int

// take counts one, and tells whether it shall happen.
func (n *count) take() bool {
	if *n > 0 {
		*n--
		return true
	}
	return *n < 0
}

func (f *faults) refusesDial() bool  { return f.refuseDials.take() }
func (f *faults) refusesLogin() bool { return f.refuseLogins.take() }

// confirm sends a confirm now or, if they are held, later.
func (f *faults) confirm(send func()) {
	if f.holdConfirms {
		f.heldConfirms = append(f.heldConfirms, send)
		return
	}
	send()
}

// judge is the node's question about a published message.
func (b *Broker) judge(*engine.Message) engine.Verdict {
	switch {
	case b.faults.nackPublishes.take():
		return engine.Nack
	case b.faults.returnPublish.take():
		return engine.Unroutable
	}
	return engine.Pass
}

// Step is a method that passes between a client and the broker.
type Step struct {
	Connection string // its name, as in [Connection.Name]
	Channel    uint16
	Method     string // "basic.ack"
	Sent       bool   // by the broker; else it was received
}

// cut says where a connection is cut at a step.
type cut int

const (
	noCut     cut = iota
	cutBefore     // the broker does not get what was sent to it
	cutAfter      // it gets it, and does it, but its answer does not arrive; or what it sent arrives, and nothing after it
)

// passing is told of every step.
func (b *Broker) passing(s Step) cut {
	if b.faults.observer == nil {
		return noCut
	}
	return b.faults.observer(s)
}

// tellBlocked sends connection.blocked to a client that publishes while there is an alarm, if it wants to know.
// https://www.rabbitmq.com/docs/connection-blocked
func (c *conn) tellBlocked() {
	alarm := c.broker.faults.alarm
	switch {
	case alarm != "" && c.publishes && !c.blocked:
		c.blocked = true
		if c.capable("connection.blocked") {
			c.send(0, &wire.ConnectionBlocked{Reason: alarm})
		}
	case alarm == "" && c.blocked:
		c.blocked = false
		if c.capable("connection.blocked") {
			c.send(0, &wire.ConnectionUnblocked{})
		}
	}
}

// Dump tells all that the broker has, for people.
func (b *Broker) Dump() string { return "" }
