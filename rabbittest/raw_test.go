package rabbittest_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// raw is a client that sends what it is told to, right or wrong.
type raw struct {
	testing.TB
	conn net.Conn
	in   *wire.Reader
}

func rawClient(tb testing.TB, b *rabbittest.Broker) *raw {
	tb.Helper()
	conn, err := b.Dial(tb.Context(), "", "")
	must(tb, err)
	return rawOver(tb, conn)
}

func rawOver(tb testing.TB, conn net.Conn) *raw {
	tb.Cleanup(func() { _ = conn.Close() })
	return &raw{tb, conn, wire.NewReader(conn, 0)}
}

// write sends bytes. That the broker has hung up is for the reader to see.
func (r *raw) write(s string) { _, _ = io.WriteString(r.conn, s) }

func frame(kind byte, channel uint16, payload string) string {
	return string(wire.AppendFrame(nil, wire.Frame{Type: kind, Channel: channel, Payload: []byte(payload)}))
}

func method(channel uint16, m wire.Method) string {
	return string(wire.AppendMethodFrame(nil, channel, m))
}

func message(channel uint16, m wire.Method, p wire.Properties, body string) string {
	return method(channel, m) + string(wire.AppendContent(nil, channel, p, []byte(body), 4096))
}

func (r *raw) send(channel uint16, m wire.Method) { r.write(method(channel, m)) }

// next shows the next frame: "end" is the end of the connection, and "-" nothing within a second.
func (r *raw) next() string { return r.within(time.Second) }

func (r *raw) within(d time.Duration) string {
	must(r, r.conn.SetReadDeadline(time.Now().Add(d)))
	f, err := r.in.ReadFrame()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "-"
	case err != nil:
		return "end"
	case f.Type == wire.FrameHeartbeat:
		return "heartbeat"
	case f.Type == wire.FrameHeader:
		return fmt.Sprintf("header of %d bytes", binary.BigEndian.Uint64(f.Payload[4:]))
	case f.Type == wire.FrameBody:
		return fmt.Sprintf("body %s", f.Payload)
	}
	m, err := wire.ParseMethod(f.Payload)
	must(r, err)
	switch m := m.(type) {
	case *wire.ConnectionClose:
		return fmt.Sprintf("connection.close %d %s (%d.%d)", m.ReplyCode, m.ReplyText, m.ClassID, m.MethodID)
	case *wire.ChannelClose:
		return fmt.Sprintf("channel.close %d %s (%d.%d)", m.ReplyCode, m.ReplyText, m.ClassID, m.MethodID)
	case *wire.ConnectionBlocked:
		return "connection.blocked " + m.Reason
	}
	return wire.Name(m)
}

// rest shows all that comes until nothing does, and answers connection.close.
func (r *raw) rest() string {
	var seen []string
	for {
		s := r.next()
		seen = append(seen, s)
		switch {
		case s == "-" || s == "end":
			return strings.Join(seen, "; ")
		case strings.HasPrefix(s, "connection.close "):
			r.send(0, &wire.ConnectionCloseOk{})
		}
	}
}

func (r *raw) expect(want ...string) {
	r.Helper()
	for _, want := range want {
		if got := r.next(); got != want {
			r.Errorf("got %s, want %s", got, want)
		}
	}
}

func startOk(response string, capabilities ...string) *wire.ConnectionStartOk {
	var has wire.Table
	for _, name := range capabilities {
		has = has.With(name, true)
	}
	return &wire.ConnectionStartOk{
		ClientProperties: wire.Table{{Name: "capabilities", Value: has}},
		Mechanism:        "PLAIN", Response: response, Locale: "en_US",
	}
}

const (
	goodLogin = "\x00guest\x00guest"
	badLogin  = "\x00guest\x00wrong"
)

// greet is the handshake up to connection.start; logIn up to connection.tune; tune up to tune-ok; open is all of it and
// channel 1.
func (r *raw) greet() {
	r.Helper()
	r.write(wire.ProtocolHeader)
	r.expect("connection.start")
}

func (r *raw) logIn() {
	r.Helper()
	r.greet()
	r.send(0, startOk(goodLogin, "authentication_failure_close", "connection.blocked", "consumer_cancel_notify"))
	r.expect("connection.tune")
}

func (r *raw) tune() {
	r.Helper()
	r.logIn()
	r.send(0, &wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072})
}

func (r *raw) open() {
	r.Helper()
	r.openWith(&wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072})
}

func (r *raw) openWith(tuned *wire.ConnectionTuneOk) {
	r.Helper()
	r.logIn()
	r.send(0, tuned)
	r.send(0, &wire.ConnectionOpen{VirtualHost: "/"})
	r.expect("connection.open-ok")
	r.send(1, &wire.ChannelOpen{})
	r.expect("channel.open-ok")
}

// eachVersion runs a test in a bubble for every version.
func eachVersion(t *testing.T, test func(t *testing.T, version string, b *rabbittest.Broker)) {
	for _, version := range []string{rabbittest.V3_10, rabbittest.V4_0, rabbittest.V4_3} {
		t.Run(version, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test(t, version, rabbittest.NewWith(t, rabbittest.Options{Version: version}))
			})
		})
	}
}
