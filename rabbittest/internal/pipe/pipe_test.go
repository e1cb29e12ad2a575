package pipe_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/pipe"
)

var (
	clientAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 50000}
	serverAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5672}
)

// both runs a test in real time and in a bubble, and closes both ends after it.
func both(t *testing.T, f func(t *testing.T, client, server *pipe.Conn)) {
	run := func(t *testing.T) {
		client, server := pipe.New(clientAddr, serverAddr)
		f(t, client, server)
		_ = client.Close()
		_ = server.Close()
	}
	t.Run("real", run)
	t.Run("bubble", func(t *testing.T) { synctest.Test(t, run) })
}

func write(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if n, err := io.WriteString(c, s); n != len(s) || err != nil {
		t.Errorf("wrote %d of %q: %v", n, s, err)
	}
}

func expect(t *testing.T, c net.Conn, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != want {
		t.Errorf("read %q, not %q: %v", b, want, err)
	}
}

// fails checks an error of a read or write.
func fails(t *testing.T, what func([]byte) (int, error), want error) {
	t.Helper()
	if n, err := what(make([]byte, 1)); n != 0 || !errors.Is(err, want) {
		t.Errorf("%d, %v: not %v", n, err, want)
	}
}

func TestBothWays(t *testing.T) {
	both(t, func(t *testing.T, client, server *pipe.Conn) {
		if client.LocalAddr() != server.RemoteAddr() || server.LocalAddr() != client.RemoteAddr() || client.LocalAddr() != net.Addr(clientAddr) {
			t.Error("the addresses do not fit")
		}
		write(t, client, "ab")
		write(t, client, "cde")
		write(t, server, "x")
		if n := client.Unread(); n != 5 {
			t.Errorf("%d bytes are unread, not 5", n)
		}
		expect(t, server, "abc")
		expect(t, server, "de")
		expect(t, client, "x")
		if n := client.Unread(); n != 0 {
			t.Errorf("%d bytes are unread, not 0", n)
		}
	})
}

func TestMuchAtOnce(t *testing.T) {
	both(t, func(t *testing.T, client, server *pipe.Conn) {
		want := bytes.Repeat([]byte("0123456789"), 100_000)
		var wg sync.WaitGroup
		wg.Go(func() {
			for b := want; len(b) > 0; {
				n := min(len(b), 12_345)
				if _, err := client.Write(b[:n]); err != nil {
					t.Error(err)
				}
				b = b[n:]
			}
			_ = client.Close()
		})
		got, err := io.ReadAll(server)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		wg.Wait()
	})
}

// What the pipe is for: in a bubble the test would hang otherwise.
func TestAWriteNeverBlocks(t *testing.T) {
	both(t, func(t *testing.T, client, _ *pipe.Conn) {
		b := make([]byte, 1<<20)
		for range 16 {
			if _, err := client.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		if n := client.Unread(); n != 16<<20 {
			t.Errorf("%d bytes are unread", n)
		}
	})
}

func TestCloseLetsWhatWasWrittenThrough(t *testing.T) {
	both(t, func(t *testing.T, client, server *pipe.Conn) {
		write(t, client, "bye")
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		expect(t, server, "bye")
		fails(t, server.Read, io.EOF)
		fails(t, server.Read, io.EOF)
		write(t, server, "nobody reads it")
		fails(t, server.Write, syscall.EPIPE)
		fails(t, client.Read, net.ErrClosed)
		fails(t, client.Write, net.ErrClosed)
		if err := client.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed again: %v", err)
		}
		if err := client.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a deadline after all: %v", err)
		}
	})
}

// wakes starts a read, waits until it waits, does something, and returns the read's error.
func wakes(c *pipe.Conn, do func()) error {
	done := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 1))
		done <- err
	}()
	for !c.Waits() {
		time.Sleep(time.Millisecond)
	}
	do()
	return <-done
}

func TestWhatWakesAReader(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(client, server *pipe.Conn)
		want error
	}{
		"bytes":          {func(client, _ *pipe.Conn) { _, _ = client.Write([]byte("x")) }, nil},
		"a close here":   {func(_, server *pipe.Conn) { _ = server.Close() }, net.ErrClosed},
		"a close there":  {func(client, _ *pipe.Conn) { _ = client.Close() }, io.EOF},
		"a reset here":   {func(_, server *pipe.Conn) { server.Reset() }, syscall.ECONNRESET},
		"a reset there":  {func(client, _ *pipe.Conn) { client.Reset() }, syscall.ECONNRESET},
		"a past time":    {func(_, server *pipe.Conn) { _ = server.SetDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		"a time to come": {func(_, server *pipe.Conn) { _ = server.SetDeadline(time.Now().Add(time.Millisecond)) }, os.ErrDeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, client, server *pipe.Conn) {
				if err := wakes(server, func() { c.do(client, server) }); !errors.Is(err, c.want) {
					t.Errorf("%v, not %v", err, c.want)
				}
				if server.Waits() {
					t.Error("a read still waits")
				}
			})
		})
	}
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pipe.New(clientAddr, serverAddr)
		defer func() { _ = client.Close() }()
		defer func() { _ = server.Close() }()
		start := time.Now()
		_ = server.SetReadDeadline(start.Add(time.Hour))
		_ = server.SetReadDeadline(start.Add(time.Minute)) // the first one is forgotten
		fails(t, server.Read, os.ErrDeadlineExceeded)
		if d := time.Since(start); d != time.Minute {
			t.Errorf("it took %v", d)
		}
		write(t, client, "x")
		fails(t, server.Read, os.ErrDeadlineExceeded) // also when there is something
		_ = server.SetReadDeadline(time.Time{})
		expect(t, server, "x")

		_ = server.SetReadDeadline(time.Now().Add(time.Minute))
		_ = server.SetReadDeadline(time.Now().Add(time.Hour)) // moved away
		err := wakes(server, func() {
			time.Sleep(30 * time.Minute)
			write(t, client, "x")
		})
		if err != nil {
			t.Errorf("half an hour before the deadline: %v", err)
		}

		_ = client.SetWriteDeadline(time.Now().Add(time.Second))
		write(t, client, "x")
		time.Sleep(time.Second)
		fails(t, client.Write, os.ErrDeadlineExceeded)
		_ = client.SetDeadline(time.Time{})
		write(t, client, "y")
		expect(t, server, "xy")
		var timeout net.Error
		_ = server.SetReadDeadline(time.Unix(1, 0))
		if _, err := server.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%v does not say that it is a timeout", err)
		}
	})
}

func TestResetLosesWhatWasNotRead(t *testing.T) {
	both(t, func(t *testing.T, client, server *pipe.Conn) {
		write(t, client, "lost")
		write(t, server, "lost")
		server.Reset()
		for _, c := range []*pipe.Conn{client, server} {
			fails(t, c.Read, syscall.ECONNRESET)
			fails(t, c.Write, syscall.ECONNRESET)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			fails(t, c.Read, net.ErrClosed)
		}
	})
}

func TestAPulledCableTellsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pipe.New(clientAddr, serverAddr)
		write(t, client, "before")
		client.Sever()
		write(t, client, "after")
		write(t, server, "after")
		expect(t, server, "before")
		client.Reset()
		fails(t, client.Write, syscall.ECONNRESET)
		_ = client.Close()
		_ = server.SetReadDeadline(time.Now().Add(24 * time.Hour))
		fails(t, server.Read, os.ErrDeadlineExceeded) // and not a reset, or io.EOF
		write(t, server, "nobody hears it")
		_ = server.Close()
	})
}

// A reader that nothing can wake is a deadlock, which a bubble reports at once.
func TestAReadWaitsDurably(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pipe.New(clientAddr, serverAddr)
		done := make(chan struct{})
		go func() {
			_, _ = server.Read(make([]byte, 1))
			close(done)
		}()
		synctest.Wait() // returns only because the read waits durably
		if !server.Waits() {
			t.Error("nobody waits")
		}
		_ = client.Close()
		<-done
		_ = server.Close()
	})
}

func TestTheWriterHearsThatAllIsRead(t *testing.T) {
	both(t, func(t *testing.T, client, server *pipe.Conn) {
		heard := 0
		client.OnRead(func() {
			if n := client.Unread(); n != 0 {
				t.Errorf("%d bytes are unread", n)
			}
			heard++
		})
		check := func(want int) {
			t.Helper()
			if heard != want {
				t.Errorf("it was heard %d times, not %d", heard, want)
			}
		}
		write(t, client, "abc")
		expect(t, server, "ab")
		check(0)
		expect(t, server, "c")
		check(1)
		write(t, client, "lost")
		_ = server.Close()
		check(2)
	})
	both(t, func(t *testing.T, client, _ *pipe.Conn) {
		heard := false
		client.OnRead(func() { heard = true })
		write(t, client, "lost")
		client.Reset()
		if !heard {
			t.Error("a reset leaves something to be read")
		}
	})
}
