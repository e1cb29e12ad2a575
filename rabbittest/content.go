package rabbittest

import (
	"errors"

	"github.com/warren-mq/warren/rabbittest/internal/engine"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// content is what comes in frames after a method: a header, and a body. AMQP 0-9-1, section 4.2.6.
type content struct {
	method     wire.Method
	headed     bool // the header was there
	properties wire.Properties
	left       uint64 // of the body
	body       []byte
	endless    bool  // it has overrun its size, where nobody minds
	unreadable error // what is the matter with the properties
}

// assemble takes a frame of a channel, and carries out the method once all of it is there. What it refuses is what
// rabbit_command_assembler refuses.
func (c *conn) assemble(f wire.Frame) {
	switch p := c.arriving[f.Channel]; {
	case p == nil:
		c.method(f)
	case !p.headed:
		c.header(f, p)
	default:
		c.body(f, p)
	}
}

func (c *conn) method(f wire.Frame) {
	if f.Type != wire.FrameMethod {
		if f.Type == wire.FrameHeader && len(f.Payload) < headerMin {
			c.garbage(wire.Unknown(f))
			return
		}
		c.fail(engine.ConnectionFault(wire.UnexpectedFrame, "expected method frame, got non method frame instead"), nil)
		return
	}
	m, err := wire.ParseMethod(f.Payload)
	switch {
	case err != nil:
		c.garbage(err)
	case wire.HasContent(m):
		c.arriving[f.Channel] = &content{method: m}
	default:
		c.command(f.Channel, m, nil)
	}
}

// headerMin is what a header has at least: class, weight, size.
const headerMin = 12

func (c *conn) header(f wire.Frame, p *content) {
	if f.Type != wire.FrameHeader {
		c.unassembled(wire.NoHeader(), p)
		return
	}
	class, size, properties, err := wire.ParseHeader(f.Payload)
	var e *wire.Error
	if errors.As(err, &e) {
		if e.Code != wire.InternalError {
			c.unassembled(e, p)
			return
		}
		p.unreadable = err
	}
	bounded := c.broker.settings.profile.BoundsContent
	switch {
	case class != wire.ClassBasic:
		c.fail(engine.ConnectionFault(wire.UnexpectedFrame,
			"expected content header for class %d, got one for class %d instead", wire.ClassBasic, class), p.method)
		return
	case bounded && size > engine.ContentMax:
		c.fail(engine.ConnectionFault(wire.FrameError,
			"content body size %d exceeds maximum allowed size %d", size, engine.ContentMax), p.method)
		return
	}
	p.headed, p.left, p.properties = true, size, properties
	c.blockPublisher() // RabbitMQ reads the header, and not the body; and a confirm comes after what it says now
	if size == 0 {
		c.whole(f.Channel, p)
	}
}

func (c *conn) body(f wire.Frame, p *content) {
	switch n := uint64(len(f.Payload)); {
	case f.Type != wire.FrameBody:
		c.fail(engine.ConnectionFault(wire.UnexpectedFrame, "expected content body, got non content body frame instead"), p.method)
	case n > p.left && c.broker.settings.profile.BoundsContent:
		c.fail(engine.ConnectionFault(wire.FrameError, "content body frame exceeds remaining content size"), p.method)
	case n > p.left || p.endless:
		p.endless = true // RabbitMQ goes on with a negative rest, which is never zero
		p.body = nil
	default:
		if p.body == nil {
			p.body = f.Payload
		} else {
			p.body = append(p.body, f.Payload...)
		}
		c.blockPublisher()
		if p.left -= n; p.left == 0 {
			c.whole(f.Channel, p)
		}
	}
}

// whole carries out a method whose content is there.
func (c *conn) whole(number uint16, p *content) {
	delete(c.arriving, number)
	if p.unreadable != nil {
		c.garbage(p.unreadable)
		return
	}
	c.command(number, p.method, p)
}

func (c *conn) unassembled(e *wire.Error, p *content) {
	if e.Code == wire.UnexpectedFrame {
		e.Class, e.Method = wire.ID(p.method)
	}
	c.garbage(e)
}

// publish hands a message to the engine.
func (ch *channel) publish(m *wire.BasicPublish, with *content) *engine.Error {
	return ch.Publish(engine.Publishing{
		Exchange: m.Exchange, Key: m.RoutingKey, Mandatory: m.Mandatory, Immediate: m.Immediate,
		Properties: with.properties, Body: with.body,
	})
}
