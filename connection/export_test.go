package connection

import "time"

// SetCallTimeout changes how long the broker may take to answer. It is called
// before the first dial.
func (c *Connection) SetCallTimeout(d time.Duration) { c.config.callTimeout = d }

// Nodes returns the nodes in the order in which they are dialled.
func (c *Connection) Nodes() []string { return c.config.nodes }

// SetNodes sets that order.
func (c *Connection) SetNodes(nodes ...string) { c.config.nodes = nodes }
