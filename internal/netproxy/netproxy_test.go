package netproxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/internal/netproxy"
)

// echo is a broker that says what it is told. It is reached by memory, and so in a bubble.
type echo struct {
	mu    sync.Mutex
	heard strings.Builder
	wg    sync.WaitGroup
}

func (e *echo) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	e.wg.Go(func() { e.serve(there) })
	return here, nil
}

func (e *echo) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	b := make([]byte, 4096)
	for {
		n, err := c.Read(b)
		e.mu.Lock()
		e.heard.Write(b[:n])
		e.mu.Unlock()
		if err != nil {
			return
		}
		if _, err := c.Write(b[:n]); err != nil {
			return
		}
	}
}

func (e *echo) all() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard.String()
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// inBubble runs a test on a network before an echo, and one connection.
func inBubble(t *testing.T, test func(t *testing.T, e *echo, n *netproxy.Network, c net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var e echo
		n := netproxy.New(e.dial)
		c, err := n.Dial(t.Context(), "tcp", "echo:1")
		must(t, err)
		test(t, &e, n, c)
		n.Release()
		n.Cut()
		e.wg.Wait()
	})
}

// say writes text in a goroutine, since nobody may read it.
func say(c net.Conn, text string) { go func() { _, _ = io.WriteString(c, text) }() }

// hear reads that many bytes.
func hear(c net.Conn, bytes int) (string, error) {
	b := make([]byte, bytes)
	n, err := io.ReadFull(c, b)
	return string(b[:n]), err
}

func TestWhatIsNotSpoiledPasses(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *echo, n *netproxy.Network, c net.Conn) {
		say(c, "hello")
		if text, err := hear(c, 5); text != "hello" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
		if up, down := n.Passed(netproxy.ToBroker), n.Passed(netproxy.FromBroker); up != 5 || down != 5 || n.Dials() != 1 {
			t.Errorf("%d bytes up, %d down, %d dials", up, down, n.Dials())
		}
	})
}

func TestCutAndUnplug(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *echo, n *netproxy.Network, c net.Conn) {
		if cut := n.Cut(); cut != 1 || n.Cut() != 0 {
			t.Errorf("%d connections are cut", cut)
		}
		if _, err := hear(c, 1); err == nil {
			t.Error("what is cut says something")
		}
		n.Unplug()
		if _, err := n.Dial(t.Context(), "tcp", "echo:1"); !errors.Is(err, netproxy.ErrUnplugged) {
			t.Errorf("a dial says %v", err)
		}
		n.Plug()
		if _, err := n.Dial(t.Context(), "tcp", "echo:1"); err != nil {
			t.Error(err)
		}
	})
}

func TestHold(t *testing.T) {
	inBubble(t, func(t *testing.T, e *echo, n *netproxy.Network, c net.Conn) {
		n.Hold(netproxy.FromBroker)
		say(c, "hello")
		began := time.Now()
		time.AfterFunc(time.Hour, n.Release)
		if text, err := hear(c, 5); text != "hello" || err != nil || time.Since(began) != time.Hour {
			t.Errorf("%q, %v, after %v", text, err, time.Since(began))
		}
		n.Freeze()
		say(c, "again")
		synctest.Wait()
		if heard := e.all(); heard != "hello" {
			t.Errorf("through a black hole came %q", heard)
		}
		must(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
		if _, err := hear(c, 5); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a read with a deadline says %v", err)
		}
		n.Release()
		must(t, c.SetReadDeadline(time.Time{}))
		if text, err := hear(c, 5); text != "again" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
		n.Freeze()
		time.AfterFunc(time.Minute, func() { _ = c.Close() })
		if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a write that is held, and closed, says %v", err)
		}
	})
}

func TestSlowAndNarrow(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *echo, n *netproxy.Network, c net.Conn) {
		n.Delay(netproxy.ToBroker, 30*time.Millisecond, 0)
		n.Delay(netproxy.FromBroker, 20*time.Millisecond, 0)
		began := time.Now()
		say(c, "hello")
		_, err := hear(c, 5)
		must(t, err)
		if took := time.Since(began); took != 50*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		n.Delay(netproxy.ToBroker, 0, 0)
		n.Delay(netproxy.FromBroker, 0, 10*time.Millisecond)
		began = time.Now()
		say(c, "hello")
		_, err = hear(c, 5)
		must(t, err)
		if took := time.Since(began); took <= 0 || took >= 10*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		n.Delay(netproxy.FromBroker, 0, 0)
		n.Narrow(netproxy.ToBroker, 10_000)
		began = time.Now()
		say(c, strings.Repeat("x", 100_000))
		_, err = hear(c, 100_000)
		must(t, err)
		if took := time.Since(began).Round(time.Millisecond); took != 10*time.Second {
			t.Errorf("100,000 bytes at 10,000 a second took %v", took)
		}
	})
}

func TestCutAtAByte(t *testing.T) {
	for name, d := range map[string]netproxy.Direction{"from the broker": netproxy.FromBroker, "to the broker": netproxy.ToBroker} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, e *echo, n *netproxy.Network, c net.Conn) {
				n.CutAt(d, 3)
				say(c, "hello")
				text, err := hear(c, 5)
				if err == nil || len(text) > 3 || d == netproxy.FromBroker && text != "hel" {
					t.Errorf("%q, %v", text, err)
				}
				synctest.Wait()
				if heard := e.all(); d == netproxy.ToBroker && heard != "hel" {
					t.Errorf("the broker heard %q", heard)
				}
			})
		})
	}
}

func TestOneConnectionIsCut(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *echo, n *netproxy.Network, c net.Conn) {
		n.Dialled = func(c *netproxy.Conn) { c.CutAt(netproxy.FromBroker, 2) }
		other, err := n.Dial(t.Context(), "tcp", "echo:1")
		must(t, err)
		say(other, "hello")
		if text, err := hear(other, 5); text != "he" || err == nil {
			t.Errorf("%q, %v", text, err)
		}
		say(c, "hello")
		if text, err := hear(c, 5); text != "hello" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
	})
}

func TestHoldAtAByte(t *testing.T) {
	inBubble(t, func(t *testing.T, e *echo, n *netproxy.Network, c net.Conn) {
		n.HoldAt(netproxy.FromBroker, 3)
		say(c, "hello")
		must(t, c.SetDeadline(time.Now().Add(time.Minute)))
		if text, err := hear(c, 5); text != "hel" || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q, %v", text, err)
		}
		if heard := e.all(); heard != "hello" {
			t.Errorf("the broker heard %q", heard)
		}
	})
}

func TestPatterns(t *testing.T) {
	inBubble(t, func(t *testing.T, e *echo, n *netproxy.Network, c net.Conn) {
		n.HoldOn(netproxy.ToBroker, []byte("ell"))
		say(c, "hello")
		must(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
		if text, err := hear(c, 5); text != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q, %v", text, err)
		}
		if heard := e.all(); heard != "hello" {
			t.Errorf("the broker heard %q", heard)
		}
		n.Release()
		must(t, c.SetReadDeadline(time.Time{}))
		if text, err := hear(c, 5); text != "hello" || err != nil {
			t.Errorf("%q, %v", text, err)
		}

		n.CutOn(netproxy.ToBroker, []byte("bye"))
		say(c, "well")
		if text, err := hear(c, 4); text != "well" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
		say(c, "goodbye")
		if text, err := hear(c, 7); text != "" || err == nil {
			t.Errorf("%q, %v", text, err)
		}
		synctest.Wait()
		if heard := e.all(); heard != "hellowellgoodbye" {
			t.Errorf("the broker heard %q", heard)
		}
	})
}

func TestMute(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *echo, n *netproxy.Network, c net.Conn) {
		n.Mute(true)
		if _, err := c.Write([]byte("x")); !errors.Is(err, netproxy.ErrMute) {
			t.Errorf("a write says %v", err)
		}
		n.Mute(false)
		say(c, "x")
		if text, err := hear(c, 1); text != "x" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
	})
}

// Other processes reach the network by an address.
func TestListen(t *testing.T) {
	broker, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var e echo
	e.wg.Go(func() {
		for {
			c, err := broker.Accept()
			if err != nil {
				return
			}
			e.wg.Go(func() { e.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = broker.Close()
		e.wg.Wait()
	})
	n := netproxy.New(nil)
	address := n.Listen(t, broker.Addr().String())
	dial := func() net.Conn {
		c, err := net.Dial("tcp", address)
		must(t, err)
		must(t, c.SetDeadline(time.Now().Add(10*time.Second)))
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	c := dial()
	say(c, "hello")
	if text, err := hear(c, 5); text != "hello" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if n.Cut() != 1 {
		t.Error("there is not one connection")
	}
	if _, err := hear(c, 1); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a client whose connection is cut hears %v", err)
	}
	n.Unplug()
	if _, err := hear(dial(), 1); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a client of an unplugged network hears %v", err)
	}
	n.Plug()
	c = dial()
	say(c, "again")
	if text, err := hear(c, 5); text != "again" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}
