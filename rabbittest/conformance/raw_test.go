package conformance_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// The types of frames (AMQP 0-9-1, 4.2.3) and the byte that ends each.
const (
	methodFrame    = 1
	headerFrame    = 2
	bodyFrame      = 3
	heartbeatFrame = 8
	frameEnd       = 0xCE
)

// protocolHeader is how a client of AMQP 0-9-1 begins.
const protocolHeader = "AMQP\x00\x00\x09\x01"

// A raw is a connection that sends whatever bytes it is told to, right or wrong. What comes back is shown as text.
type raw struct {
	e    *env
	conn net.Conn
	in   *bufio.Reader
}

// socket connects and sends nothing.
func (e *env) socket() *raw {
	e.Helper()
	conn, err := e.broker.dial()
	e.must(err)
	e.Cleanup(func() { _ = conn.Close() }) // before the row's entities are deleted
	return &raw{e: e, conn: conn, in: bufio.NewReader(conn)}
}

// raw connects, logs in as a client with these capabilities, and opens channel 1.
func (e *env) raw(capabilities ...string) *raw {
	e.Helper()
	r := e.socket()
	r.login(capabilities...)
	r.call("connection.open-ok", 0, 10, 40, "/", "", bits(0))
	r.call("channel.open-ok", 1, 20, 10, "")
	return r
}

// login comes as far as connection.tune, and agrees to it without heartbeats.
func (r *raw) login(capabilities ...string) {
	r.e.Helper()
	var able [][]byte
	for _, name := range capabilities {
		able = append(able, field(name, 't', bits(1)))
	}
	r.write([]byte(protocolHeader))
	r.e.expect(r.next(), "connection.start")
	r.call("connection.tune", 0, 10, 11, table(field("capabilities", 'F', table(able...))), "PLAIN", long("\x00guest\x00guest"), "en_US")
	r.method(0, 10, 31, uint16(2047), uint32(131072), uint16(0))
}

// expect ends the row if an answer is not of this kind.
func (e *env) expect(answer, kind string) {
	e.Helper()
	if name, _, _ := strings.Cut(answer, " "); name != kind {
		e.Fatalf("got %s, want %s", e.mask(answer), kind)
	}
}

// call sends a method and reads its answer, which must be of this kind.
func (r *raw) call(answer string, channel, class, method uint16, args ...any) {
	r.e.Helper()
	r.method(channel, class, method, args...)
	r.e.expect(r.next(), answer)
}

// write sends bytes. A connection that the broker has closed by then is no error: the row reads why.
func (r *raw) write(b []byte) {
	r.e.must(r.conn.SetWriteDeadline(time.Now().Add(patience)))
	_, _ = r.conn.Write(b)
}

// frame sends a frame.
func (r *raw) frame(kind byte, channel uint16, payload []byte) {
	r.write(frame(kind, channel, payload))
}

func frame(kind byte, channel uint16, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16([]byte{kind}, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return append(append(b, payload...), frameEnd)
}

// method sends a method. Its arguments are encoded as [encode] does.
func (r *raw) method(channel, class, method uint16, args ...any) {
	r.frame(methodFrame, channel, encode(append([]any{class, method}, args...)...))
}

// header sends a content header: the size of the body, the flags of its properties, and these.
func (r *raw) header(channel, class uint16, size uint64, flags uint16, properties ...any) {
	r.frame(headerFrame, channel, encode(append([]any{class, uint16(0), size, flags}, properties...)...))
}

// publish sends a whole message without properties.
func (r *raw) publish(channel uint16, exchange, key, body string) {
	r.method(channel, 60, 40, uint16(0), exchange, key, bits(0))
	r.header(channel, 60, uint64(len(body)), 0)
	if body != "" {
		r.frame(bodyFrame, channel, []byte(body))
	}
}

type (
	long string // a long string
	bits uint8  // up to eight bits, the first is 1
)

// encode writes the arguments of a method: numbers by their size, strings as short strings, bytes as they are.
func encode(args ...any) []byte {
	var b []byte
	for _, arg := range args {
		switch v := arg.(type) {
		case bits:
			b = append(b, byte(v))
		case uint8:
			b = append(b, v)
		case uint16:
			b = binary.BigEndian.AppendUint16(b, v)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, v)
		case uint64:
			b = binary.BigEndian.AppendUint64(b, v)
		case string:
			b = append(append(b, byte(len(v))), v...)
		case long:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
		case []byte:
			b = append(b, v...)
		default:
			panic(fmt.Sprintf("a %T has no encoding", arg))
		}
	}
	return b
}

// table encodes a field table of fields that [field] made.
func table(fields ...[]byte) []byte {
	var all []byte
	for _, f := range fields {
		all = append(all, f...)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(all))), all...)
}

// field encodes one field of a table, of any type, whether it exists or not.
func field(name string, kind byte, value ...any) []byte {
	return append(encode(name, []byte{kind}), encode(value...)...)
}

// next reads a frame and shows it. The end of the connection is "end"; what does not come is "-".
func (r *raw) next() string { return r.within(patience) }

// within is [raw.next] with less patience.
func (r *raw) within(d time.Duration) string {
	r.e.must(r.conn.SetReadDeadline(time.Now().Add(d)))
	head := make([]byte, 7)
	if _, err := io.ReadFull(r.in, head); err != nil {
		return ended(err)
	}
	if string(head[:4]) == "AMQP" { // a protocol header: one byte more, and no frame
		last, err := r.in.ReadByte()
		if err != nil {
			return ended(err)
		}
		return fmt.Sprintf("%q", append(head, last))
	}
	payload := make([]byte, binary.BigEndian.Uint32(head[3:])+1)
	if _, err := io.ReadFull(r.in, payload); err != nil {
		return ended(err)
	}
	if payload[len(payload)-1] != frameEnd {
		return "a frame without its end"
	}
	channel, payload := binary.BigEndian.Uint16(head[1:]), payload[:len(payload)-1]
	var s string
	switch head[0] {
	case methodFrame:
		s = showMethod(payload)
	case headerFrame:
		s = fmt.Sprintf("header class=%d size=%d properties=%x",
			binary.BigEndian.Uint16(payload), binary.BigEndian.Uint64(payload[4:]), payload[12:])
	case bodyFrame:
		s = fmt.Sprintf("body %s", payload)
	case heartbeatFrame:
		s = "heartbeat"
	default:
		s = fmt.Sprintf("frame of type %d: %x", head[0], payload)
	}
	if channel > 1 {
		s += fmt.Sprintf(" on channel %d", channel)
	}
	return s
}

// ended says why nothing can be read.
func ended(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "-"
	}
	return "end" // FIN or RST: which of them depends on what the broker had not read
}

// take shows the next n frames, or fewer if the connection ends.
func (r *raw) take(n int) string {
	var seen []string
	for range n {
		s := r.next()
		seen = append(seen, s)
		if s == "end" || s == "-" {
			break
		}
	}
	return strings.Join(seen, "; ")
}

// rest shows all frames that come, until nothing comes for a while or the connection ends.
func (r *raw) rest() string {
	r.e.Helper()
	var seen []string
	for listen := r.e.listening(); ; {
		s := r.within(quiet)
		if s == "-" && listen() {
			continue
		}
		seen = append(seen, s)
		if s == "end" || s == "-" {
			return strings.Join(seen, "; ")
		}
	}
}

// dies shows all frames until the connection ends, which it must, and answers connection.close.
func (r *raw) dies() string {
	var seen []string
	for {
		s := r.next()
		seen = append(seen, s)
		if s == "end" || s == "-" {
			return strings.Join(seen, "; ")
		}
		if strings.HasPrefix(s, "connection.close ") {
			r.method(0, 10, 51)
		}
	}
}

// methods are the methods that a broker sends, and their arguments: s and S are strings, 1, 2, 4 and 8 are numbers of
// so many bytes, b is a byte of bits, and t a table.
var methods = map[[2]uint16]struct{ name, args string }{
	{10, 10}:  {"connection.start", "11tSS"},
	{10, 20}:  {"connection.secure", "S"},
	{10, 30}:  {"connection.tune", "242"},
	{10, 41}:  {"connection.open-ok", "s"},
	{10, 50}:  {"connection.close", "2s22"},
	{10, 51}:  {"connection.close-ok", ""},
	{10, 60}:  {"connection.blocked", "s"},
	{10, 61}:  {"connection.unblocked", ""},
	{10, 71}:  {"connection.update-secret-ok", ""},
	{20, 11}:  {"channel.open-ok", "S"},
	{20, 20}:  {"channel.flow", "b"},
	{20, 21}:  {"channel.flow-ok", "b"},
	{20, 40}:  {"channel.close", "2s22"},
	{20, 41}:  {"channel.close-ok", ""},
	{30, 11}:  {"access.request-ok", "2"},
	{40, 11}:  {"exchange.declare-ok", ""},
	{40, 21}:  {"exchange.delete-ok", ""},
	{40, 31}:  {"exchange.bind-ok", ""},
	{40, 51}:  {"exchange.unbind-ok", ""},
	{50, 11}:  {"queue.declare-ok", "s44"},
	{50, 21}:  {"queue.bind-ok", ""},
	{50, 31}:  {"queue.purge-ok", "4"},
	{50, 41}:  {"queue.delete-ok", "4"},
	{50, 51}:  {"queue.unbind-ok", ""},
	{60, 11}:  {"basic.qos-ok", ""},
	{60, 21}:  {"basic.consume-ok", "s"},
	{60, 30}:  {"basic.cancel", "sb"},
	{60, 31}:  {"basic.cancel-ok", "s"},
	{60, 50}:  {"basic.return", "2sss"},
	{60, 60}:  {"basic.deliver", "s8bss"},
	{60, 71}:  {"basic.get-ok", "8bss4"},
	{60, 72}:  {"basic.get-empty", "s"},
	{60, 80}:  {"basic.ack", "8b"},
	{60, 111}: {"basic.recover-ok", ""},
	{60, 120}: {"basic.nack", "8b"},
	{85, 11}:  {"confirm.select-ok", ""},
	{90, 11}:  {"tx.select-ok", ""},
	{90, 21}:  {"tx.commit-ok", ""},
	{90, 31}:  {"tx.rollback-ok", ""},
}

// showMethod is a method and its arguments.
func showMethod(payload []byte) string {
	if len(payload) < 4 {
		return fmt.Sprintf("a method of %d bytes", len(payload))
	}
	id := [2]uint16{binary.BigEndian.Uint16(payload), binary.BigEndian.Uint16(payload[2:])}
	m, ok := methods[id]
	if !ok {
		return fmt.Sprintf("method %d.%d", id[0], id[1])
	}
	s, b := m.name, payload[4:]
	for _, kind := range m.args {
		size := 0
		switch kind {
		case '1', 'b':
			s += fmt.Sprintf(" %d", b[0])
			size = 1
		case '2':
			s += fmt.Sprintf(" %d", binary.BigEndian.Uint16(b))
			size = 2
		case '4':
			s += fmt.Sprintf(" %d", binary.BigEndian.Uint32(b))
			size = 4
		case '8':
			s += fmt.Sprintf(" %d", binary.BigEndian.Uint64(b))
			size = 8
		case 's':
			size = 1 + int(b[0])
			s += fmt.Sprintf(" %q", b[1:size])
		case 'S':
			size = 4 + int(binary.BigEndian.Uint32(b))
			s += fmt.Sprintf(" %q", b[4:size])
		case 't':
			size = 4 + int(binary.BigEndian.Uint32(b))
			s += " {…}"
		}
		b = b[size:]
	}
	if len(b) > 0 {
		s += fmt.Sprintf(" and %d bytes more", len(b))
	}
	return s
}
