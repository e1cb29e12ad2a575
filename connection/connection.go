// Package connection keeps connections to RabbitMQ alive and hands out live
// channels.
//
// A [Connection] stands for one program's access to one broker, or to the nodes
// of one cluster. It keeps two AMQP connections, one for consuming and one for
// publishing, because a broker that is short of memory or disk stops reading
// from a connection that publishes, and acknowledgements must not be caught
// behind it. Each is dialled when it is first needed, and again, for ever, when
// it is lost. A consumer that meets a message that the client library cannot
// read takes a [Private] one.
//
//	conn, err := connection.Open(ctx, os.Getenv("AMQP_URL"), connection.Config{Name: "billing"})
//	if err != nil {
//		return err
//	}
//	defer conn.Close(context.Background())
//
// Most programs pass the Connection to consumer.New and publisher.New and need
// nothing else of it. [Connection.Channel] gives raw AMQP to those who need it.
//
// # What a loss means
//
// Nothing of AMQP survives the loss of its connection: channels, consumers and
// delivery tags die with it. That is why the unit here is the [Session], one
// life of one AMQP connection. The client library's own recovery is never
// enabled: it keeps channels alive over a reconnect, and a late acknowledgement
// then removes a message that nobody has handled.
package connection

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/monitoring"
)

// Purpose says what a channel is for. Each purpose has a connection of its own.
type Purpose int

const (
	// Consume is for declaring, consuming and acknowledging.
	Consume Purpose = iota
	// Publish is for publishing.
	Publish

	purposes = 2
)

// String returns "consume" or "publish".
func (p Purpose) String() string {
	switch p {
	case Consume:
		return "consume"
	case Publish:
		return "publish"
	default:
		return fmt.Sprintf("Purpose(%d)", int(p))
	}
}

// Connection keeps a program connected to RabbitMQ. Make one with [New] or
// [Open], share it between any number of consumers and publishers, and close it
// when they are done. It is safe for concurrent use.
type Connection struct {
	config *settings // holds the password, hence behind a pointer: %#v does not follow it
	links  [purposes]*link

	closed chan struct{} // closed when every goroutine has ended

	mu       sync.Mutex
	closing  bool
	privates map[*Private]struct{} // not closed yet
}

// New returns a Connection to the broker at url, such as
// "amqp://user:password@host:5672/vhost" or "amqps://...". It checks url and
// cfg and does no I/O: the broker is dialled by [Connection.Connect], or when
// the connection is first used.
//
// User name, password and vhost are percent-encoded in the URL, as
// url.UserPassword and url.PathEscape do it; an @ in the vhost, too, or it would
// look like one in a password. The query may have heartbeat (seconds, 0: off),
// connection_timeout (milliseconds), channel_max and auth_mechanism (plain or
// external). They win over a zero field of cfg.
//
// No error, event or log line of this package holds the password.
func New(url string, cfg Config) (*Connection, error) {
	s, err := newSettings(url, cfg)
	if err != nil {
		return nil, fmt.Errorf("connection: %w", err)
	}
	c := &Connection{config: s, closed: make(chan struct{}), privates: map[*Private]struct{}{}}
	for p := range c.links {
		c.links[p] = newLink(s, Purpose(p), s.Name+"/"+Purpose(p).String())
	}
	return c, nil
}

// Open is [New] followed by [Connection.Connect]. If that fails, nothing is
// left running.
func Open(ctx context.Context, url string, cfg Config) (*Connection, error) {
	c, err := New(url, cfg)
	if err != nil {
		return nil, err
	}
	if err := c.Connect(ctx); err != nil {
		// The dial is over, so there is nothing that closing could wait for.
		_ = c.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return c, nil
}

// Connect dials the broker and waits until the publishing connection, which
// everyone needs, is up. The consuming one follows when a consumer asks for it.
//
// Calling it is not required, but tells early what would otherwise show as a
// consumer that is not ready. It returns nil once connected; a [*RefusedError]
// if the broker refuses for a reason that will not pass by itself, such as a
// wrong password; or an error that wraps that of ctx, with the last dial's.
// After an error the Connection goes on dialling until Close: call Connect
// again to wait again. A refusal stands until a later dial ends otherwise.
func (c *Connection) Connect(ctx context.Context) error {
	if err := c.links[Publish].connect(ctx); err != nil {
		return fmt.Errorf("connect to %s: %w", c.config.where(), err)
	}
	return nil
}

// Session returns the live session for p, and waits for one until ctx ends.
// Its errors wrap that of ctx, or [ErrClosed].
func (c *Connection) Session(ctx context.Context, p Purpose) (*Session, error) {
	if p < 0 || p >= purposes {
		return nil, fmt.Errorf("connection: no such purpose: %v", p)
	}
	s, err := c.links[p].session(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", c.config.where(), err)
	}
	return s, nil
}

// Channel opens a new AMQP channel for p and waits until ctx ends for a
// connection to open it on. If that connection is lost in the same moment, the
// error says so; ask again then.
//
// The channel is the caller's to close, and dies with its connection: watch
// NotifyClose, and ask for another then. Read every Notify channel, or give it
// room: the client stops reading from the connection for 5 s at each value that
// it cannot hand over, and that can hold up Close. Publish on channels for
// [Publish] only, and see the client's documentation for what may be used
// concurrently on one channel.
func (c *Connection) Channel(ctx context.Context, p Purpose) (*amqp.Channel, error) {
	s, err := c.Session(ctx, p)
	if err != nil {
		return nil, err
	}
	return s.Channel(ctx)
}

// Monitor returns the monitor of Config, or the default one; never nil.
// Consumers and publishers without a monitor of their own use it.
func (c *Connection) Monitor() monitoring.Monitor { return c.config.monitor }

// Health returns nil if every AMQP connection that is in use is up and takes
// messages, and otherwise why not: [ErrClosed], [ErrNotConnected] with the last
// dial's error, or [ErrBlocked]. It does no I/O.
func (c *Connection) Health() error {
	for _, l := range c.all() {
		if err := l.health(); err != nil {
			return err
		}
	}
	return nil
}

// all returns the links that are in use, or may be.
func (c *Connection) all() []*link {
	c.mu.Lock()
	defer c.mu.Unlock()
	links := slices.Clone(c.links[:])
	for p := range c.privates {
		links = append(links, p.link)
	}
	return links
}

// String returns the address of the broker, without the password.
func (c *Connection) String() string { return c.config.where() }

// Close closes all AMQP connections and waits for every goroutine of c. Stop
// consumers and publishers first: what they have not settled is delivered
// again, or unknown.
//
// Close says goodbye to the broker until ctx ends, 5 s if ctx has no deadline,
// and then hangs up; it returns soon after that whatever the broker does. The
// error is that of the goodbye; c is closed all the same. Further calls wait
// until the first is done, or until their own context ends.
func (c *Connection) Close(ctx context.Context) error {
	c.mu.Lock()
	again := c.closing
	c.closing = true // no more privates
	c.mu.Unlock()
	if again {
		select {
		case <-c.closed:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("close connection to %s: %w", c.config.where(), context.Cause(ctx))
		}
	}
	defer close(c.closed)
	ctx, cancel := withDefaultTimeout(ctx, closeTimeout)
	defer cancel()
	var wg sync.WaitGroup
	links := c.all()
	errs := make([]error, len(links))
	for i, l := range links {
		wg.Go(func() { errs[i] = l.close(ctx) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close connection to %s: %w", c.config.where(), err)
	}
	return nil
}
