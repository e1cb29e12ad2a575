package rabbittest

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// Connection is a client's connection, as the broker sees it. Its fields are a copy; its methods act on the connection
// itself, and do nothing once that is gone.
type Connection struct {
	// Name is what RabbitMQ calls it: "127.0.0.1:50001 -> 127.0.0.1:5672".
	Name string
	// ClientName is what the client calls it: connection_name of its properties.
	ClientName  string
	User, VHost string
	Since       time.Time
	// Properties are those of the client.
	Properties map[string]any
	// Channels are the numbers of the open channels, in order.
	Channels []uint16
	// State is starting, tuning, opening, running, closing or closed.
	State string
	// Heartbeat, FrameMax and ChannelMax were negotiated.
	Heartbeat            time.Duration
	FrameMax, ChannelMax int

	conn *conn
}

// Connections returns the open connections, the oldest first.
func (b *Broker) Connections() []Connection {
	var all []Connection
	b.node.Look(func() {
		for _, c := range b.conns {
			all = append(all, Connection{
				Name: c.name, ClientName: c.clientName(), User: c.user, VHost: c.vhost, Since: c.since, Properties: goTable(c.properties),
				Channels: slices.Sorted(maps.Keys(c.channels)), State: c.stage.String(), conn: c,
				Heartbeat: c.heartbeat.interval, FrameMax: int(c.frameMax), ChannelMax: int(c.channelMax),
			})
		}
	})
	return all
}

// do calls f for the connection, if it is still there.
func (c Connection) do(f func(*conn)) {
	c.conn.broker.node.Do(func() {
		if c.conn.stage != over {
			f(c.conn)
		}
	})
}

// Drop ends the connection without a word. What the client had not settled goes back to its queues.
func (c Connection) Drop() { c.do((*conn).sever) }

// HalfOpen lets the connection fall silent, as when a cable is pulled: the broker hears nothing and says nothing more,
// but keeps what the client has. It ends when the client closes it, or by heartbeats if there are any.
func (c Connection) HalfOpen() { c.do(func(c *conn) { c.deaf = true }) }

// Close closes the connection with a code and a text, as the broker does when an operator asks for it: 320 and
// "CONNECTION_FORCED - maintenance".
func (c Connection) Close(code int, text string) {
	c.do(func(c *conn) { c.closeWith(uint16(code), text, nil) })
}

// CloseChannel closes a channel with a code and a text: 406 and "PRECONDITION_FAILED - …".
func (c Connection) CloseChannel(number uint16, code int, text string) {
	c.do(func(c *conn) {
		if ch := c.channels[number]; ch != nil && !ch.closing {
			ch.Channel.Close()
			ch.closing = true
			c.send(number, &wire.ChannelClose{ReplyCode: uint16(code), ReplyText: text})
		}
	})
}

// Pause stops reading from the connection and sending to it, until [Connection.Resume].
func (c Connection) Pause() { c.pause(true) }

// Resume ends [Connection.Pause].
func (c Connection) Resume() { c.pause(false) }

func (c Connection) pause(on bool) {
	c.do(func(c *conn) {
		c.paused = on
		c.out.pause(on || c.broker.faults.paused)
	})
}

// DropConnections ends all connections without a word.
func (b *Broker) DropConnections() {
	for _, c := range b.Connections() {
		c.Drop()
	}
}

// HalfOpenConnections lets all connections fall silent; those that come later are not touched.
func (b *Broker) HalfOpenConnections() {
	for _, c := range b.Connections() {
		c.HalfOpen()
	}
}

// CloseConnections closes all connections with a code and a text.
func (b *Broker) CloseConnections(code int, text string) {
	for _, c := range b.Connections() {
		c.Close(code, text)
	}
}

// CloseChannels closes all channels of all connections with a code and a text.
func (b *Broker) CloseChannels(code int, text string) {
	for _, c := range b.Connections() {
		for _, number := range c.Channels {
			c.CloseChannel(number, code, text)
		}
	}
}

// sortedChannels are the connection's channels, by number.
func (c *conn) sortedChannels() []*channel {
	return slices.SortedFunc(maps.Values(c.channels), func(a, b *channel) int { return cmp.Compare(a.number, b.number) })
}
