package rabbittest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/engine"
	"github.com/warren-mq/warren/rabbittest/internal/pipe"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// stage is how far a connection is.
type stage int

const (
	greeting stage = iota // waits for start-ok
	tuning                // waits for tune-ok
	opening               // waits for open
	open
	closing // has sent connection.close and waits for close-ok
	over    // nothing more is read or sent
)

// conn is a client's connection, seen from the broker. Two goroutines serve it: one reads, one sends.
type conn struct {
	broker *Broker
	net    net.Conn
	out    *outbox
	name   string // "127.0.0.1:50001 -> 127.0.0.1:5672", as RabbitMQ names connections
	since  time.Time
	in     *bufio.Reader
	frames *wire.Reader // the reader's own, of in
	client *pipe.Conn   // the client's end, unless it is at the end of a TCP connection

	reading atomic.Bool // everything that came has been handled, and the reader waits for more

	// All below is guarded by the node's lock.
	stage      stage
	user       string
	properties wire.Table // the client's
	engine     *engine.Conn
	vhost      string
	channels   map[uint16]*channel
	channelMax uint16
	frameMax   uint32
	heartbeat  heartbeat
	pending    []byte // said, and not yet given to out
	cut        bool   // what is said from now on is not heard
	paused     bool
	deaf       bool // half-open: what comes is not heard, and nothing is said
	publishes  bool // it has published, so an alarm blocks it
	blocked    bool // it was told so
}

// serve begins with a connection. The caller holds the lock.
func (b *Broker) serve(n net.Conn, client *pipe.Conn) {
	c := &conn{
		broker: b, net: n, client: client, out: newOutbox(n), since: time.Now(), channels: map[uint16]*channel{},
		name: fmt.Sprintf("%s -> %s", n.RemoteAddr(), n.LocalAddr()),
	}
	c.in = bufio.NewReader(source{c})
	c.frames = wire.NewReader(c.in, wire.FrameMin)
	b.conns = append(b.conns, c)
	b.serving.Go(c.out.send)
	b.serving.Go(c.run)
}

// run reads until the end of the connection, and then takes away what it had.
func (c *conn) run() {
	if c.greet() {
		c.read()
	}
	c.broker.node.Do(func() {
		c.stage = over
		c.heartbeat.stop()
		c.closeEngine()
		c.broker.conns = slices.DeleteFunc(c.broker.conns, func(other *conn) bool { return other == c })
		c.out.end()
		b := c.broker
		if len(b.conns) == 0 && b.reboot {
			b.boot()
		}
	})
}

func (c *conn) read() {
	for {
		c.waitUntilRead()
		f, err := c.frames.ReadFrame()
		var garbage *wire.Error
		if err != nil && !errors.As(err, &garbage) {
			return
		}
		goOn := false
		c.broker.node.Do(func() {
			if garbage != nil {
				c.garbage(garbage)
			} else {
				c.handle(f)
			}
			goOn = c.stage != over && garbage == nil
		})
		if !goOn {
			return
		}
	}
}

// waitUntilRead waits while the broker does not read from this connection: it is paused, or an alarm blocks it.
func (c *conn) waitUntilRead() {
	_ = c.broker.node.Wait(context.Background(), func() bool {
		return c.stage == over || c.cut || !c.paused && !c.broker.faults.paused && (c.broker.faults.alarm == "" || !c.publishes)
	})
}

// handle takes a frame.
func (c *conn) handle(f wire.Frame) {
	if c.deaf {
		return
	}
	c.heartbeat.heard = true
	switch {
	case c.stage == over || c.cut:
	case f.Type == wire.FrameHeartbeat:
		if f.Channel != 0 || len(f.Payload) > 0 {
			c.garbage(wire.Unexpected(f))
		}
	case c.stage == closing:
		if m, err := wire.ParseMethod(f.Payload); err == nil && f.Type == wire.FrameMethod && f.Channel == 0 {
			if _, ok := m.(*wire.ConnectionCloseOk); ok {
				c.note(0, m)
				c.sever()
			}
		}
	case f.Type == wire.FrameMethod:
		m, err := wire.ParseMethod(f.Payload)
		if err != nil {
			c.garbage(err)
			return
		}
		c.command(f.Channel, m)
	case f.Channel == 0 || c.stage != open:
		c.fail(engine.ConnectionFault(wire.UnexpectedFrame, "expected method frame, got non method frame instead"), nil)
	default:
		c.content(f)
	}
}

// command takes a method, if the faults let it pass.
func (c *conn) command(number uint16, m wire.Method) {
	switch c.note(number, m) {
	case cutBefore:
		c.sever()
		return
	case cutAfter:
		defer c.sever()
		c.cut = true // the answers are lost
	case noCut:
	}
	switch {
	case number == 0:
		c.connectionCommand(m)
	case c.stage != open:
		c.fail(engine.ConnectionFault(wire.ChannelError, "expected 'channel.open'"), m)
	default:
		c.channelCommand(number, m)
	}
}

// note tells the faults of a method that was received.
func (c *conn) note(number uint16, m wire.Method) cut {
	return c.broker.passing(Step{Connection: c.name, Channel: number, Method: wire.Name(m)})
}

// send says something to the client.
func (c *conn) send(number uint16, m wire.Method) { c.sendContent(number, m, nil, nil) }

// sendContent says something that has content.
func (c *conn) sendContent(number uint16, m wire.Method, p *wire.Properties, body []byte) {
	if c.cut || c.deaf || c.stage == over {
		return
	}
	where := c.broker.passing(Step{Connection: c.name, Channel: number, Method: wire.Name(m), Sent: true})
	if where != cutBefore {
		c.pending = wire.AppendFrame(c.pending, wire.Frame{Type: wire.FrameMethod, Channel: number, Payload: wire.AppendMethod(nil, m)})
		if p != nil {
			c.pending = wire.AppendContent(c.pending, number, *p, body, c.frameMax)
		}
		c.heartbeat.said = true
		c.broker.talking = append(c.broker.talking, c)
	}
	if where != noCut {
		c.flush()
		c.sever()
	}
}

// flush gives to the sender what was said.
func (c *conn) flush() {
	if len(c.pending) > 0 {
		c.out.put(c.pending)
		c.pending = c.pending[:0]
	}
}

// sever ends the connection. What the sender has is still sent; what was said since is not. The reader then finds the
// connection closed, and takes away what belongs to it: not here, since the node may be in the middle of something.
func (c *conn) sever() {
	c.cut = true
	c.stage = over
	_ = c.net.SetWriteDeadline(time.Now().Add(severPatience)) // a client at the end of a TCP connection may not read
	c.out.end()
}

const severPatience = time.Second

// fail ends the connection with an error, which m has caused, if it is not nil.
func (c *conn) fail(e *engine.Error, m wire.Method) {
	c.closeWith(e.Code, e.Text, m)
}

// closeWith sends connection.close. The client's channels are gone at once.
func (c *conn) closeWith(code uint16, text string, m wire.Method) {
	reply := &wire.ConnectionClose{ReplyCode: code, ReplyText: text}
	if m != nil {
		reply.ClassID, reply.MethodID = wire.ID(m)
	}
	c.end(reply)
}

func (c *conn) end(reply *wire.ConnectionClose) {
	if c.stage >= closing {
		return
	}
	c.send(0, reply)
	if c.stage != over {
		c.stage = closing
	}
	c.closeEngine()
}

func (c *conn) closeEngine() {
	if c.engine != nil {
		c.engine.Close()
		c.engine = nil
	}
	c.channels = map[uint16]*channel{}
}

// garbage ends the connection for bytes that cannot be read: with RabbitMQ's words, or without any where it has none.
func (c *conn) garbage(err error) {
	var e *wire.Error
	if !errors.As(err, &e) || e.Code == 0 {
		c.sever()
		return
	}
	c.end(&wire.ConnectionClose{ReplyCode: e.Code, ReplyText: e.Text, ClassID: e.Class, MethodID: e.Method})
}
