package rabbittest

import (
	"github.com/warren-mq/warren/rabbittest/internal/engine"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// publishing is a message that comes in frames: its method, its header, its body. AMQP 0-9-1, section 4.2.6.
type publishing struct {
	method     *wire.BasicPublish
	properties wire.Properties
	headed     bool // the header was there
	size       uint64
	body       []byte
}

// begin waits for the content of a message.
func (ch *channel) begin(m *wire.BasicPublish) {
	ch.publishing = &publishing{method: m}
	c := ch.conn
	c.publishes = true
	c.tellBlocked()
}

// unexpected refuses a frame of another kind than the one that must come.
func (p *publishing) unexpected(kind string) *engine.Error {
	if p.headed {
		return engine.ConnectionFault(wire.UnexpectedFrame, "expected content body, got non content body frame instead")
	}
	if kind == "header" {
		return engine.ConnectionFault(wire.UnexpectedFrame, "expected content header for class 60, got one for another class instead")
	}
	return engine.ConnectionFault(wire.UnexpectedFrame, "expected content header for class 60, got non content header frame instead")
}

// content takes a frame with a header or a body.
func (c *conn) content(f wire.Frame) {
	ch := c.channels[f.Channel]
	if ch == nil {
		c.fail(engine.ConnectionFault(wire.ChannelError, "expected 'channel.open'"), nil)
		return
	}
	if ch.closing {
		return
	}
	p := ch.publishing
	switch {
	case f.Type != wire.FrameHeader && f.Type != wire.FrameBody:
		c.garbage(wire.Unknown(f))
	case p == nil:
		c.fail(engine.ConnectionFault(wire.UnexpectedFrame, "expected method frame, got non method frame instead"), nil)
	case f.Type == wire.FrameHeader && !p.headed:
		class, size, properties, err := wire.ParseHeader(f.Payload)
		switch {
		case err != nil:
			c.garbage(err)
			return
		case class != wire.ClassBasic:
			c.fail(p.unexpected("header"), p.method)
			return
		}
		p.headed, p.size, p.properties = true, size, properties
		ch.finish()
	case f.Type == wire.FrameBody && p.headed:
		if uint64(len(p.body)+len(f.Payload)) > p.size {
			c.fail(engine.ConnectionFault(wire.FrameError, "content body is longer than its header says"), p.method)
			return
		}
		p.body = append(p.body, f.Payload...)
		ch.finish()
	default:
		c.fail(p.unexpected("body"), p.method)
	}
}

// finish publishes the message once it is whole.
func (ch *channel) finish() {
	p := ch.publishing
	if uint64(len(p.body)) < p.size {
		return
	}
	ch.publishing = nil
	err := ch.Publish(engine.Publishing{
		Exchange: p.method.Exchange, Key: p.method.RoutingKey, Mandatory: p.method.Mandatory, Immediate: p.method.Immediate,
		Properties: p.properties, Body: p.body,
	})
	if err != nil {
		ch.fail(err, p.method)
	}
}
