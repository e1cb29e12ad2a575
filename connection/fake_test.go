package connection_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
)

// fake is a broker that knows the handshake, opens and closes channels, and
// misbehaves as told.
type fake struct {
	mechanisms string // that it offers; empty means PLAIN
	heartbeat  uint16 // that it suggests; 0 means 60

	silent bool // it never says a word
	// quiet is the method ("class.method" as two numbers) instead of whose answer
	// there is silence.
	quiet [2]uint16
	// extra is sent behind the answer to that method.
	afterMethod [2]uint16
	extra       [][]byte
	// deaf, if not nil, says that it stops reading when the second channel of a
	// connection is open, until that is closed.
	deaf chan struct{}

	mu        sync.Mutex
	mechanism string // what the client took
	response  string
	tuned     uint16 // the client's heartbeat
	vhost     string
}

var (
	startOk        = [2]uint16{10, 11}
	tuneOk         = [2]uint16{10, 31}
	connectionOpen = [2]uint16{10, 40}
	connectionBye  = [2]uint16{10, 50}
	channelOpen    = [2]uint16{20, 10}
	channelClose   = [2]uint16{20, 40}
)

// listen serves until the test ends, and returns the URL.
func (f *fake) listen(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(tb, err)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		conns []net.Conn
	)
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			wg.Go(func() {
				f.serve(conn)
				_ = conn.Close()
			})
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return "amqp://user:secret@" + l.Addr().String() + "/"
}

// inMemory serves until the test ends, and returns what dials it, for bubbles. A
// write waits here until the other side reads.
func (f *fake) inMemory(tb testing.TB) func(context.Context, string, string) (net.Conn, error) {
	tb.Helper()
	var wg sync.WaitGroup
	tb.Cleanup(wg.Wait) // the Connection was made later, and is closed before
	return func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		wg.Go(func() {
			f.serve(server)
			_ = server.Close()
		})
		return client, nil
	}
}

func (f *fake) serve(conn net.Conn) {
	if _, err := io.ReadFull(conn, make([]byte, 8)); err != nil { // AMQP 0 0 9 1
		return
	}
	if f.silent {
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	mechanisms := f.mechanisms
	if mechanisms == "" {
		mechanisms = "PLAIN"
	}
	start := append([]byte{0, 9}, long("")...) // version, no properties
	start = append(append(start, long(mechanisms)...), long("en_US")...)
	f.write(conn, 0, [2]uint16{10, 10}, start)
	opened := 0
	for {
		var head [7]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		payload := make([]byte, binary.BigEndian.Uint32(head[3:])+1)
		if _, err := io.ReadFull(conn, payload); err != nil {
			return
		}
		if head[0] != 1 { // not a method
			continue
		}
		id := [2]uint16{binary.BigEndian.Uint16(payload), binary.BigEndian.Uint16(payload[2:])}
		if !f.answer(conn, binary.BigEndian.Uint16(head[1:]), id, payload[4:len(payload)-1]) {
			return
		}
		if id == channelOpen {
			opened++
		}
		if f.deaf != nil && opened == 2 {
			<-f.deaf
		}
	}
}

func (f *fake) answer(conn net.Conn, channel uint16, id [2]uint16, args []byte) (more bool) {
	f.note(id, args)
	if id != f.quiet {
		switch id {
		case startOk:
			heartbeat := f.heartbeat
			if heartbeat == 0 {
				heartbeat = 60
			}
			tune := binary.BigEndian.AppendUint32([]byte{7, 255}, 131072)
			f.write(conn, 0, [2]uint16{10, 30}, binary.BigEndian.AppendUint16(tune, heartbeat))
		case connectionOpen:
			f.write(conn, 0, [2]uint16{10, 41}, []byte{0})
		case connectionBye:
			f.write(conn, 0, [2]uint16{10, 51}, nil)
			return false
		case channelOpen:
			f.write(conn, channel, [2]uint16{20, 11}, long(""))
		case channelClose:
			f.write(conn, channel, [2]uint16{20, 41}, nil)
		}
	}
	if id == f.afterMethod {
		for _, b := range f.extra {
			_, _ = conn.Write(b)
		}
	}
	return true
}

func (f *fake) note(id [2]uint16, args []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch id {
	case startOk: // table, short, long, short
		args = args[4+binary.BigEndian.Uint32(args):]
		f.mechanism = string(args[1 : 1+args[0]])
		args = args[1+args[0]:]
		f.response = string(args[4 : 4+binary.BigEndian.Uint32(args)])
	case tuneOk:
		f.tuned = binary.BigEndian.Uint16(args[6:])
	case connectionOpen:
		f.vhost = string(args[1 : 1+args[0]])
	}
}

func (f *fake) write(conn net.Conn, channel uint16, id [2]uint16, args []byte) {
	_, _ = conn.Write(method(channel, id, args))
}

// method encodes a method frame.
func method(channel uint16, id [2]uint16, args []byte) []byte {
	b := binary.BigEndian.AppendUint16([]byte{1}, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(4+len(args)))
	b = binary.BigEndian.AppendUint16(b, id[0])
	b = binary.BigEndian.AppendUint16(b, id[1])
	return append(append(b, args...), 0xCE)
}

func long(s string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...)
}
