package rabbittest

import (
	"context"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/engine"
	"github.com/warren-mq/warren/rabbittest/internal/pipe"
)

// ErrClosed is what a broker says that has been closed.
var ErrClosed error = closedError{}

type closedError struct{}

func (closedError) Error() string { return "the test broker is closed" }

// Gone tells a client that keeps dialling that it is in vain: see Config.Dial of package connection.
func (closedError) Gone() bool { return true }

// Broker is a RabbitMQ in this process. Its methods may be called from any goroutine.
type Broker struct {
	settings settings
	node     *engine.Node
	serving  sync.WaitGroup // goroutines of connections and listeners
	waiting  atomic.Int32   // callers of wait

	// All below is guarded by the node's lock.
	conns     []*conn // that are open, oldest first
	dialled   int     // connections so far
	down      bool    // stopped: nobody may connect
	reboot    bool    // when the last connection is gone, the broker is up again
	talking   []*conn // have something to send when the lock is given back
	listeners []net.Listener
	faults    faults
	closed    bool
}

// New returns a broker that is closed when the test ends, with all connections to it. In a testing/synctest bubble its
// time is virtual. If the test has failed by then, the broker's state is logged: see [Broker.Dump].
func New(tb testing.TB) *Broker {
	tb.Helper()
	return NewWith(tb, Options{})
}

// NewWith is [New] with options. Bad ones fail the test.
func NewWith(tb testing.TB, o Options) *Broker {
	tb.Helper()
	b, err := Start(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("the test broker:\n%s", b.Dump())
		}
		b.Close()
		if inBubble() {
			time.Sleep(afterglow)
		}
	})
	return b
}

// afterglow is how long, in virtual time, a bubble goes on after its broker was closed: clients that the test forgot to
// close notice that they dial in vain, and end. After the test there is no time for it, and what is left is a deadlock.
const afterglow = time.Minute

// Start returns a broker for a program that is no test. The caller must close it. The error is about the options.
func Start(o Options) (*Broker, error) {
	s, err := o.settings()
	if err != nil {
		return nil, err
	}
	b := &Broker{settings: s}
	b.node = engine.New(engine.Config{
		Profile:         s.profile,
		MaxMessageSize:  s.MaxMessageSize,
		ConsumerTimeout: s.ConsumerTimeout,
		Permit:          b.settings.permit,
		Judge:           b.judge,
		Done:            b.flush,
	}, s.VHosts...)
	return b, nil
}

// Close ends all connections and waits until nothing of the broker is left running. Clients see the end of the stream.
// More than one call is the same as one.
func (b *Broker) Close() {
	var listeners []net.Listener
	b.node.Do(func() {
		b.closed = true
		listeners, b.listeners = b.listeners, nil
		for _, c := range b.conns {
			c.sever()
		}
	})
	for _, l := range listeners {
		_ = l.Close()
	}
	b.serving.Wait()
	b.node.Close()
}

// Dial returns a new connection to the broker, over memory: for connection.Config.Dial. Network and address do not
// matter. The error is [ErrClosed], that of ctx, or what [Broker.RefuseDials] makes of it.
func (b *Broker) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var client net.Conn
	var err error
	b.node.Do(func() {
		switch {
		case b.closed:
			err = ErrClosed
		case b.down || b.faults.refusesDial():
			err = &net.OpError{Op: "dial", Net: "tcp", Addr: brokerAddr, Err: errRefused}
		default:
			b.dialled++
			near := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: firstPort + b.dialled}
			theirs, ours := pipe.New(near, brokerAddr)
			client = theirs
			ours.OnRead(b.stir)
			b.serve(ours, theirs)
		}
	})
	return client, err
}

// Connect is [Broker.Dial] in the form that amqp091-go's Config.Dial has.
func (b *Broker) Connect(network, address string) (net.Conn, error) {
	return b.Dial(context.Background(), network, address)
}

// firstPort is where the made-up ports of clients begin.
const firstPort = 50000

// brokerAddr is where connections over memory seem to lead.
var brokerAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5672}

// URL is where clients find the broker: that of the first [Broker.Listen], or else one that only serves those who dial
// with [Broker.Dial]. It names the first user and virtual host, and turns heartbeats off.
func (b *Broker) URL() string {
	host := brokerAddr.String()
	b.node.Look(func() {
		if len(b.listeners) > 0 {
			host = b.listeners[0].Addr().String()
		}
	})
	user := b.settings.Users[0]
	u := url.URL{
		Scheme: "amqp", User: url.UserPassword(user.Name, user.Password), Host: host,
		Path: "/" + b.settings.VHosts[0], RawPath: "/" + url.PathEscape(b.settings.VHosts[0]), RawQuery: "heartbeat=0",
	}
	if b.settings.VHosts[0] == "/" {
		u.Path, u.RawPath = "/", ""
	}
	return u.String()
}

// flush hands over to the writers what the connections have to send. The node calls it when all is said.
func (b *Broker) flush() {
	for _, c := range b.talking {
		c.flush()
	}
	b.talking = b.talking[:0]
}
