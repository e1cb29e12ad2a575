package engine

import (
	"slices"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// Conn is what the node knows of a client's connection: it owns exclusive queues and channels.
type Conn struct {
	node     *Node
	vhost    *vhost
	user     string
	channels []*Channel
	// Notify says that the client wants to hear of cancelled consumers (capability consumer_cancel_notify).
	Notify bool
}

// Connect opens a connection to a virtual host.
func (n *Node) Connect(vhost, user string) (*Conn, *Error) {
	v := n.vhosts[vhost]
	if v == nil {
		return nil, ConnectionFault(wire.NotAllowed, "vhost %s not found", vhost)
	}
	return &Conn{node: n, vhost: v, user: user, Notify: true}, nil
}

// Close gives back what the connection's channels hold, and deletes its exclusive queues.
func (c *Conn) Close() {
	for len(c.channels) > 0 {
		c.channels[0].Close()
	}
	var own []*Queue
	for _, q := range c.vhost.queues {
		if q.owner == c {
			own = append(own, q)
		}
	}
	for _, q := range sortQueues(own) {
		q.remove()
	}
}

// Channel opens a channel. The number is the client's, and stands in texts.
func (c *Conn) Channel(number uint16, peer Peer) *Channel {
	ch := &Channel{conn: c, node: c.node, vhost: c.vhost, peer: peer, Number: number, consumers: map[string]*Consumer{}}
	c.channels = append(c.channels, ch)
	return ch
}

func (c *Conn) forget(ch *Channel) {
	c.channels = slices.DeleteFunc(c.channels, func(other *Channel) bool { return other == ch })
}

// allow checks a permission for an exchange or a queue.
func (c *Conn) allow(what Permission, kind, name string) *Error {
	if kind == "exchange" && name == "" {
		name = "amq.default" // check_resource_access in rabbit_access_control.erl
	}
	if permit := c.node.cfg.Permit; permit == nil || permit(c.user, c.vhost.name, what, name) {
		return nil
	}
	return c.node.refusal(what, kind, name, c.vhost.name, c.user)
}

// allowAny refuses those who have no permission at all, as if it were for the one to configure.
func (c *Conn) allowAny(kind, name string) *Error {
	for _, what := range []Permission{Read, Write} {
		if c.allow(what, kind, name) == nil {
			return nil
		}
	}
	return c.allow(Configure, kind, name)
}
