package rabbittest

import (
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
	closed  // has answered connection.close and waits for the end of the stream
	over    // nothing more is read or sent
)

// conn is a client's connection, seen from the broker. Two goroutines serve it: one reads, one sends.
type conn struct {
	broker *Broker
	net    net.Conn
	out    *outbox
	name   string // "127.0.0.1:50001 -> 127.0.0.1:5672", as RabbitMQ names connections
	since  time.Time
	frames *wire.Reader // the reader's own
	client *pipe.Conn   // the client's end, unless it is at the end of a TCP connection

	reading atomic.Bool // everything that came has been handled, and the reader waits for more

	// All below is guarded by the node's lock.
	stage      stage
	user       string
	properties wire.Table // the client's
	engine     *engine.Conn
	vhost      string
	channels   map[uint16]*channel
	arriving   map[uint16]*content // methods whose content is under way
	channelMax uint16
	frameMax   uint32
	heartbeat  heartbeat
	patience   *engine.Timer // with a client that is slow to begin or to end
	pending    []byte        // said, and not yet given to out
	cut        bool          // what is said from now on is not heard
	paused     bool
	deaf       bool // half-open: what comes is not heard, and nothing is said
	blocked    bool // by the alarm: it is not read from
}

// How long a client may take: to open the connection (handshake_timeout), to end it (CLOSING_TIMEOUT in rabbit_reader,
// or the heartbeat if that is shorter), and to notice that nobody reads what it sends (SILENT_CLOSE_DELAY).
const (
	handshakePatience = 10 * time.Second
	closingPatience   = 30 * time.Second
	garblePatience    = 3 * time.Second
)

// serve begins with a connection. The caller holds the lock.
func (b *Broker) serve(n net.Conn, client *pipe.Conn) {
	c := &conn{
		broker: b, net: n, client: client, out: newOutbox(n, b.stir), since: time.Now(),
		channels: map[uint16]*channel{}, arriving: map[uint16]*content{},
		name: fmt.Sprintf("%s -> %s", n.RemoteAddr(), n.LocalAddr()),
	}
	c.frames = wire.NewReader(source{c}, b.settings.profile.FrameMin)
	c.wait(handshakePatience)
	b.conns = append(b.conns, c)
	b.serving.Go(c.out.send)
	b.serving.Go(c.run)
}

// wait ends the connection after a time, unless it is called again or the patience is stopped.
func (c *conn) wait(d time.Duration) {
	c.patience.Stop()
	c.patience = c.broker.node.At(time.Now().Add(d), c.sever)
}

// run reads until the end of the connection, and then takes away what it had.
func (c *conn) run() {
	if c.greet() {
		c.read()
	}
	c.broker.node.Do(func() {
		c.stage = over
		c.heartbeat.stop()
		c.patience.Stop()
		c.closeEngine()
		c.broker.conns = slices.DeleteFunc(c.broker.conns, func(other *conn) bool { return other == c })
		c.out.end()
		b := c.broker
		if len(b.conns) == 0 && b.reboot {
			b.boot()
		}
	})
}

// read takes frames until the stream ends, or the connection.
func (c *conn) read() {
	for {
		f, err := c.frames.ReadFrame()
		var garbage *wire.Error
		if err != nil && !errors.As(err, &garbage) {
			c.waitUntilRead() // a broker that stands still does not see the end either
			return
		}
		ended := c.take(func() {
			if err != nil {
				c.garbage(err)
				c.wait(garblePatience)
			} else {
				c.handle(f)
			}
		})
		if ended {
			return
		}
		if err != nil { // where the next frame begins is anybody's guess
			_ = c.frames.Drain()
			return
		}
	}
}

// take calls do with the lock, as soon as the broker reads from this connection, and says whether that is over.
func (c *conn) take(do func()) bool {
	for {
		ended, done := false, false
		c.broker.node.Do(func() {
			if done = c.reads(); done && c.stage != over {
				do()
			}
			ended = c.stage == over
		})
		if done {
			return ended
		}
		c.waitUntilRead()
	}
}

// reads tells whether the broker reads from this connection: it does not while it is paused, or an alarm blocks it.
func (c *conn) reads() bool {
	return c.stage == over || c.cut || !c.paused && !c.broker.faults.paused && !c.blocked
}

func (c *conn) waitUntilRead() { _ = c.broker.node.Wait(context.Background(), c.reads) }

// handle takes a frame, as rabbit_reader:handle_frame does.
func (c *conn) handle(f wire.Frame) {
	if c.deaf {
		return
	}
	c.heartbeat.heard = true
	known := f.Type == wire.FrameMethod || f.Type == wire.FrameHeader || f.Type == wire.FrameBody
	switch {
	case c.stage == over || c.cut:
	case c.stage >= closing:
		c.farewell(f)
	case f.Channel != 0 && c.stage != open:
		c.garbage(wire.Unexpected(f))
	case f.Type == wire.FrameHeartbeat && len(f.Payload) == 0:
		if f.Channel != 0 {
			c.garbage(wire.Unexpected(f))
		}
	case !known:
		c.garbage(wire.Unknown(f))
	case f.Channel == 0 && f.Type == wire.FrameMethod:
		m, err := wire.ParseMethod(f.Payload)
		if err != nil {
			c.garbage(err)
			return
		}
		c.command(0, m, nil)
	case f.Channel == 0:
		c.stray(f)
	default:
		c.assemble(f)
	}
}

// stray refuses content on channel 0.
func (c *conn) stray(f wire.Frame) {
	if f.Type == wire.FrameHeader {
		var e *wire.Error
		if _, _, _, err := wire.ParseHeader(f.Payload); errors.As(err, &e) && e.Code == wire.FrameError {
			c.garbage(e)
			return
		}
	}
	c.garbage(wire.Unexpected(f))
}

// farewell takes a frame of a connection that is ending: nothing matters but the end.
func (c *conn) farewell(f wire.Frame) {
	if f.Type != wire.FrameMethod || f.Channel != 0 {
		return
	}
	m, err := wire.ParseMethod(f.Payload)
	if err != nil {
		return
	}
	switch m.(type) {
	case *wire.ConnectionCloseOk:
		if c.stage == closing {
			c.note(0, m)
			c.sever()
		}
	case *wire.ConnectionClose:
		c.send(0, &wire.ConnectionCloseOk{})
	}
}

// command takes a method, with its content if it has one, and if the faults let it pass.
func (c *conn) command(number uint16, m wire.Method, with *content) {
	switch c.note(number, m) {
	case cutBefore:
		c.sever()
		return
	case cutAfter:
		defer c.sever()
		c.cut = true // the answers are lost
	case noCut:
	}
	if number == 0 {
		c.connectionCommand(m)
	} else {
		c.channelCommand(number, m, with)
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
		c.pending = wire.AppendMethodFrame(c.pending, number, m)
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

// closeWith ends the connection with a code and a text, for m, if it is not nil.
func (c *conn) closeWith(code uint16, text string, m wire.Method) {
	reply := &wire.ConnectionClose{ReplyCode: code, ReplyText: text}
	if m != nil {
		reply.ClassID, reply.MethodID = wire.ID(m)
	}
	c.end(reply)
}

// end sends connection.close, and waits for its answer. Who has not begun with connection.open hears nothing:
// RabbitMQ just hangs up then (after three seconds, for which nobody wants to wait here).
func (c *conn) end(reply *wire.ConnectionClose) {
	switch {
	case c.stage >= closing:
		return
	case c.stage < opening:
		c.sever()
		return
	}
	c.hangUp(reply)
}

// hangUp is end, whatever the stage.
func (c *conn) hangUp(reply *wire.ConnectionClose) {
	c.send(0, reply)
	c.leave(closing)
}

// leave goes on to the end of the connection. What the client had is gone at once.
func (c *conn) leave(s stage) {
	if c.stage != over { // or what was sent has been cut
		c.stage = s
		c.heartbeat.stop()
		patience := closingPatience
		if h := c.heartbeat.interval; h > 0 {
			patience = min(patience, h)
		}
		c.wait(patience)
	}
	c.closeEngine()
}

func (c *conn) closeEngine() {
	if c.engine != nil {
		c.engine.Close()
		c.engine = nil
	}
	clear(c.channels)
	clear(c.arriving)
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
