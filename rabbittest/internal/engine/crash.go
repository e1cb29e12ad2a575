package engine

import (
	"slices"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// CrashQueue ends the process of a queue, whose supervisor has given up starting it again. That is how quorum queues of
// 3.10.8, 4.0.5 and 4.3.6 go: their consumers are told nothing and get nothing, a declaration is answered as if nothing
// were in it, who publishes is refused, and who subscribes or takes something loses the connection.
func (n *Node) CrashQueue(vhost, name string) { n.setCrashed(vhost, name, true) }

// RecoverQueue starts the process again, as a restart of the node does. The queue has what it had, and goes on with the
// consumers that it had.
func (n *Node) RecoverQueue(vhost, name string) { n.setCrashed(vhost, name, false) }

func (n *Node) setCrashed(vhost, name string, crashed bool) {
	if q := n.find(vhost, name); q != nil {
		q.crashed = crashed
		n.touch(q)
	}
}

// noProcess is the answer of a queue that is dead, to what only its process can do.
func (q *Queue) noProcess(text string) *Error {
	if text == "" {
		return &Error{Code: wire.InternalError, Text: wire.CodeName(wire.InternalError), Connection: true}
	}
	return ConnectionFault(wire.InternalError, text, q)
}

// ForgetConsumers takes all consumers out of a queue and tells nobody.
func (n *Node) ForgetConsumers(vhost, name string) {
	if q := n.find(vhost, name); q != nil {
		for _, c := range slices.Clone(q.consumers) {
			c.leave()
		}
	}
}

// StarveConsumers has a queue deliver nothing more to those who consume it now, though it counts them.
func (n *Node) StarveConsumers(vhost, name string) {
	if q := n.find(vhost, name); q != nil {
		for _, c := range q.consumers {
			c.starved = true
		}
	}
}
