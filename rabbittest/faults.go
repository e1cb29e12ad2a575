package rabbittest

import (
	"context"
	"errors"

	"github.com/warren-mq/warren/rabbittest/internal/engine"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

var errRefused = errors.New("connection refused, as the test wants it")

// faults are what a test has asked the broker to do wrong. All of it is guarded by the node's lock.
type faults struct {
	refuseDials   times
	refuseLogins  times
	nackPublishes times
	returnPublish times
	paused        bool   // the broker reads nothing and sends nothing
	alarm         string // the reason to block publishers, if any
	holdConfirms  bool
	heldConfirms  []func()
	cuts          []*cutting
}

// times says how often something shall happen: negative is always.
type times int

// Always stands for any number of times: see [Broker.RefuseDials].
const Always = -1

// take counts one, and tells whether it shall happen.
func (n *times) take() bool {
	if *n > 0 {
		*n--
		return true
	}
	return *n < 0
}

func (f *faults) refusesDial() bool  { return f.refuseDials.take() }
func (f *faults) refusesLogin() bool { return f.refuseLogins.take() }

// RefuseDials refuses the next n connections, as if nobody listened; [Always] means all of them, and 0 ends it.
func (b *Broker) RefuseDials(n int) { b.node.Do(func() { b.faults.refuseDials = times(n) }) }

// RefuseLogins refuses the next n logins, as with a wrong password; [Always] means all of them, and 0 ends it.
func (b *Broker) RefuseLogins(n int) { b.node.Do(func() { b.faults.refuseLogins = times(n) }) }

// NackPublishes refuses the next n messages that clients publish: basic.nack, where the publisher wants confirms.
func (b *Broker) NackPublishes(n int) { b.node.Do(func() { b.faults.nackPublishes = times(n) }) }

// ReturnPublishes treats the next n messages that clients publish as if no queue were bound: they are returned, if they
// are mandatory, and confirmed.
func (b *Broker) ReturnPublishes(n int) { b.node.Do(func() { b.faults.returnPublish = times(n) }) }

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

// HoldConfirms keeps back every confirm until [Broker.ReleaseConfirms]. The messages themselves are in their queues.
func (b *Broker) HoldConfirms() { b.node.Do(func() { b.faults.holdConfirms = true }) }

// ReleaseConfirms sends the confirms that were kept back, in order, and no longer keeps any.
func (b *Broker) ReleaseConfirms() {
	b.node.Do(func() {
		held := b.faults.heldConfirms
		b.faults.holdConfirms, b.faults.heldConfirms = false, nil
		for _, send := range held {
			send()
		}
	})
}

// confirm sends a confirm now or, if they are held, later.
func (f *faults) confirm(send func()) {
	if f.holdConfirms {
		f.heldConfirms = append(f.heldConfirms, send)
		return
	}
	send()
}

// Pause freezes the broker, as SIGSTOP does: it reads nothing and sends nothing, but connections stay. Time goes on for
// messages that wait for it.
func (b *Broker) Pause() { b.pause(true) }

// Resume ends [Broker.Pause].
func (b *Broker) Resume() { b.pause(false) }

func (b *Broker) pause(on bool) {
	b.node.Do(func() {
		b.faults.paused = on
		for _, c := range b.conns {
			c.out.pause(on || c.paused)
		}
	})
}

// Block raises an alarm: from now on a connection that publishes is told, by connection.blocked, and no longer read
// from, in the middle of that message if it has a body. RabbitMQ's reason for memory is "low on memory".
// https://www.rabbitmq.com/docs/connection-blocked
func (b *Broker) Block(reason string) { b.alarm(reason) }

// Unblock clears the alarm.
func (b *Broker) Unblock() { b.alarm("") }

func (b *Broker) alarm(reason string) {
	b.node.Do(func() {
		b.faults.alarm = reason
		for _, c := range b.conns {
			if reason == "" && c.blocked {
				c.blocked = false
				c.tellOfAlarm(&wire.ConnectionUnblocked{})
			}
		}
	})
}

// blockPublisher begins to block a client, if there is an alarm: once a header or a body has come, whether or not it
// published before. publish_received in rabbit_reader.erl.
func (c *conn) blockPublisher() {
	if alarm := c.broker.faults.alarm; alarm != "" && !c.blocked {
		c.blocked = true
		c.tellOfAlarm(&wire.ConnectionBlocked{Reason: alarm})
	}
}

// tellOfAlarm tells those who said that they would understand.
func (c *conn) tellOfAlarm(m wire.Method) {
	if c.capable("connection.blocked") {
		c.send(0, m)
	}
}

// CancelConsumers ends all subscriptions to the queue; clients are told by basic.cancel.
func (q Queue) CancelConsumers() {
	q.broker.node.Do(func() { q.broker.node.CancelConsumers(q.vhost, q.name) })
}

// Delete deletes the queue, with all that is in it. Consumers are told by basic.cancel.
func (q Queue) Delete() { q.broker.node.Do(func() { q.broker.node.DeleteQueue(q.vhost, q.name) }) }

// Crash ends the queue's process for good, as RabbitMQ does with that of a quorum queue after it has crashed a few times
// within seconds. No consumer is told: it just gets nothing more. A declaration, passive or not, is answered as if
// nothing were in the queue, messages are refused, and who subscribes loses the connection (541). It lasts until
// [Queue.Recover] or a restart of the broker. A queue that does not exist does not crash.
func (q Queue) Crash() { q.broker.node.Do(func() { q.broker.node.CrashQueue(q.vhost, q.name) }) }

// Recover ends [Queue.Crash]. The queue has all that it had, its consumers too, and goes on.
func (q Queue) Recover() { q.broker.node.Do(func() { q.broker.node.RecoverQueue(q.vhost, q.name) }) }

// ForgetConsumers ends all subscriptions to the queue, and tells nobody. What consumers have not settled stays theirs.
func (q Queue) ForgetConsumers() {
	q.broker.node.Do(func() { q.broker.node.ForgetConsumers(q.vhost, q.name) })
}

// StarveConsumers delivers nothing more to those who consume the queue now, and tells nobody; the broker still counts
// them. New subscriptions get what is there.
func (q Queue) StarveConsumers() {
	q.broker.node.Do(func() { q.broker.node.StarveConsumers(q.vhost, q.name) })
}

// Purge drops what is ready in the queue.
func (q Queue) Purge() { q.broker.node.Do(func() { q.broker.node.PurgeQueue(q.vhost, q.name) }) }

// Stop stops the broker in order: clients get connection.close with 320, and until [Broker.Boot] nobody can connect. It
// returns when all connections are gone.
func (b *Broker) Stop() {
	b.shut(func(c *conn) {
		c.closeWith(wire.ConnectionForced, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'", nil)
		c.flush()
	})
}

// Kill ends the broker at once, as SIGKILL does: connections break, and until [Broker.Boot] nobody can connect. It
// returns when all connections are gone.
func (b *Broker) Kill() { b.shut(func(*conn) {}) }

func (b *Broker) shut(say func(*conn)) {
	b.node.Do(func() {
		b.down = true
		for _, c := range b.conns {
			say(c)
			c.sever()
		}
	})
	_ = b.node.Wait(context.Background(), func() bool { return len(b.conns) == 0 })
}

// Boot starts the broker again after [Broker.Stop] or [Broker.Kill]. It has what RabbitMQ keeps: durable exchanges and
// queues, the bindings between them, and in them persistent messages; quorum queues keep all of theirs.
func (b *Broker) Boot() {
	b.node.Do(func() {
		if b.down {
			b.boot()
		}
	})
}

func (b *Broker) boot() {
	b.down, b.reboot = false, false
	b.faults.alarm, b.faults.paused, b.faults.heldConfirms = "", false, nil
	b.node.Restart()
}

// Restart is [Broker.Stop] and [Broker.Boot].
func (b *Broker) Restart() {
	b.Stop()
	b.Boot()
}
