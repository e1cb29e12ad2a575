package rabbittest_test

import (
	"math"
	"strings"
	"testing"

	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// protocolCase is something that a client should not do, or may do only just. What comes of it was observed on RabbitMQ
// 3.10.8, 4.0.5 and 4.3.6 with raw frames.
type protocolCase struct {
	name string
	send string
	want string
	on   map[string]string // where a version differs
}

func (c protocolCase) wanted(version string) string {
	if want, ok := c.on[version]; ok {
		return want
	}
	return c.want
}

// raise says how a connection ends with an error.
func raise(text string) string { return "connection.close " + text + "; end" }

const (
	expectedMethod = "505 UNEXPECTED_FRAME - expected method frame, got non method frame instead (0.0)"
	expectedHeader = "505 UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead (60.40)"
	expectedBody   = "505 UNEXPECTED_FRAME - expected content body, got non content body frame instead (60.40)"
	inRunning      = "504 CHANNEL_ERROR - unexpected method in connection state running"
)

var (
	publish = method(1, &wire.BasicPublish{RoutingKey: "nobody"})
	probe   = method(1, &wire.TxSelect{}) // its answer shows that the broker got here
)

func header(class, weight uint16, size uint64, properties string) string {
	b := []byte{byte(class >> 8), byte(class), byte(weight >> 8), byte(weight)}
	for shift := 56; shift >= 0; shift -= 8 {
		b = append(b, byte(size>>shift))
	}
	return frame(wire.FrameHeader, 1, string(b)+properties)
}

func body(s string) string { return frame(wire.FrameBody, 1, s) }

// declare is a queue.declare with these bytes as its arguments.
func declareRaw(arguments string) string {
	size := len(arguments)
	return frame(wire.FrameMethod, 1, "\x00\x32\x00\x0a\x00\x00\x01q\x00"+
		string([]byte{byte(size >> 24), byte(size >> 16), byte(size >> 8), byte(size)})+arguments)
}

var framing = []protocolCase{
	{name: "unknown class", send: frame(1, 1, "\x00\x4d\x00\x0a"), want: "end"},
	{name: "unknown method", send: frame(1, 1, "\x00\x3c\x00\x4d"), want: "end"},
	{name: "unknown method of the connection", send: frame(1, 0, "\x00\x0a\x00\x63"), want: "end"},
	{name: "unknown method on a channel that is not open", send: frame(1, 5, "\x00\x4d\x00\x0a"), want: "end"},
	{name: "half a method", send: frame(1, 1, "\x00\x3c"), want: raise("501 FRAME_ERROR - type 1, all octets = <<0,60>>: unknown_frame (0.0)")},
	{name: "empty method", send: frame(1, 1, ""), want: raise("501 FRAME_ERROR - type 1, all octets = <<>>: unknown_frame (0.0)")},
	{
		name: "arguments that end early", send: frame(1, 1, "\x00\x32\x00\x0a\x00\x00\x05ab"),
		want: raise("501 FRAME_ERROR - cannot decode <<0,0,5,97,98>> (50.10)"),
	},
	{
		name: "a name that is no UTF-8", send: method(1, &wire.QueueDeclare{Queue: "\xff\xfe"}),
		want: raise("501 FRAME_ERROR - Malformed UTF-8 in shortstr (0.0)"),
	},
	{name: "a table with an unknown type", send: declareRaw("\x01kZabc"), want: "end"},
	{name: "a table that ends early", send: declareRaw("\x09k"), want: "end"},
	{name: "a number that is none", send: declareRaw("\x01kd\x7f\xf8\x00\x00\x00\x00\x00\x00"), want: "end"},
	{name: "a table with an L", send: declareRaw("\x01kL\x00\x00\x00\x00\x00\x00\x00\x01"), want: "queue.declare-ok; -"},
	{name: "a frame without its end", send: "\x01\x00\x01\x00\x00\x00\x04\x00\x5a\x00\x0a\x00", want: "connection.close 501 " +
		"FRAME_ERROR - type 1, all octets = <<0,90,0,10>>: {invalid_frame_end_marker,0} (0.0); -"},
	{name: "a frame that is too large", send: "\x01\x00\x00\xff\xff\xff\xff", want: "connection.close 501 " +
		"FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,4294967295,131064} (0.0); -"},
	{name: "a frame of type 9", send: frame(9, 1, "abc"), want: raise(`501 FRAME_ERROR - type 9, all octets = <<"abc">>: unknown_frame (0.0)`)},
	{name: "a frame of type 0 on channel 0", send: frame(0, 0, "abc"), want: raise(`501 FRAME_ERROR - type 0, all octets = <<"abc">>: unknown_frame (0.0)`)},
	{name: "a heartbeat on a channel", send: frame(8, 1, ""), want: raise("505 UNEXPECTED_FRAME - type 8, all octets = <<>> (0.0)")},
	{name: "a heartbeat that says something", send: frame(8, 0, "x"), want: raise(`501 FRAME_ERROR - type 8, all octets = <<"x">>: unknown_frame (0.0)`)},
	{name: "a heartbeat", send: frame(8, 0, "") + probe, want: "tx.select-ok; -"},
	{name: "a body on channel 0", send: frame(3, 0, "abc"), want: raise(`505 UNEXPECTED_FRAME - type 3, all octets = <<"abc">> (0.0)`)},
	{name: "half a header on channel 0", send: frame(2, 0, "abc"), want: raise(`501 FRAME_ERROR - type 2, all octets = <<"abc">>: unknown_frame (0.0)`)},
}

var misplaced = []protocolCase{
	{name: "a channel's method on channel 0", send: method(0, &wire.TxSelect{}), want: raise(inRunning + " (90.10)")},
	{name: "the connection's method on a channel", send: method(1, &wire.ConnectionClose{}), want: raise("503 COMMAND_INVALID - unimplemented method (10.50)")},
	{name: "start-ok again", send: method(0, startOk(goodLogin)), want: raise(inRunning + " (10.11)")},
	{name: "tune-ok again", send: method(0, &wire.ConnectionTuneOk{}), want: raise(inRunning + " (10.31)")},
	{name: "open again", send: method(0, &wire.ConnectionOpen{VirtualHost: "/"}), want: raise(inRunning + " (10.40)")},
	{name: "close-ok that nobody waits for", send: method(0, &wire.ConnectionCloseOk{}), want: raise(inRunning + " (10.51)")},
	{name: "blocked, by a client", send: method(0, &wire.ConnectionBlocked{}), want: raise(inRunning + " (10.60)")},
	{name: "a method of the server", send: method(1, &wire.QueueDeclareOk{}), want: raise("503 COMMAND_INVALID - unimplemented method (50.11)")},
	{name: "a second channel.open", send: method(1, &wire.ChannelOpen{}), want: raise("504 CHANNEL_ERROR - second 'channel.open' seen (20.10)")},
	{name: "a channel that is not open", send: method(5, &wire.TxSelect{}), want: raise("504 CHANNEL_ERROR - expected 'channel.open' (90.10)")},
	{name: "closing a channel that is not open", send: method(5, &wire.ChannelClose{}), want: raise("504 CHANNEL_ERROR - expected 'channel.open' (20.40)")},
	{name: "a body on a channel that is not open", send: frame(3, 5, "x"), want: raise(expectedMethod)},
	{name: "channel.close-ok that nobody waits for", send: method(1, &wire.ChannelCloseOk{}), want: raise("503 COMMAND_INVALID - unimplemented method (20.41)")},
	{name: "a channel of any number", send: method(3000, &wire.ChannelOpen{}), want: "channel.open-ok; -"},
	{name: "flow on", send: method(1, &wire.ChannelFlow{Active: true}), want: "channel.flow-ok; -"},
	{name: "flow off", send: method(1, &wire.ChannelFlow{}), want: raise("540 NOT_IMPLEMENTED - active=false (20.20)")},
	{name: "access.request", send: method(1, &wire.AccessRequest{Realm: "/data"}), want: "access.request-ok; -"},
	{name: "update-secret", send: method(0, &wire.ConnectionUpdateSecret{NewSecret: "x"}), want: "connection.update-secret-ok; -"},
	{
		name: "a message by a client that is for clients", send: message(1, &wire.BasicReturn{}, wire.Properties{}, "abc"),
		want: raise("503 COMMAND_INVALID - unimplemented method (60.50)"),
	},
	{name: "its method only", send: method(1, &wire.BasicReturn{}), want: "-"},
}

var contents = []protocolCase{
	{name: "a body without a method", send: body("abc"), want: raise(expectedMethod)},
	{name: "a header without a method", send: header(60, 0, 3, "\x00\x00"), want: raise(expectedMethod)},
	{name: "a method for a header", send: publish + probe, want: raise(expectedHeader)},
	{name: "a body for a header", send: publish + body("abc"), want: raise(expectedHeader)},
	{
		name: "a header of another class", send: publish + header(50, 0, 3, "\x00\x00"),
		want: raise("505 UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead (60.40)"),
	},
	{name: "a header with a weight", send: publish + header(60, 5, 0, "\x00\x00"), want: raise(expectedHeader)},
	{
		name: "half a header", send: publish + frame(2, 1, "\x00\x3c\x00\x00"),
		want: raise("501 FRAME_ERROR - type 2, all octets = <<0,60,0,0>>: unknown_frame (0.0)"),
	},
	{name: "a method for a body", send: publish + header(60, 0, 3, "\x00\x00") + probe, want: raise(expectedBody)},
	{name: "a header for a body", send: publish + strings.Repeat(header(60, 0, 3, "\x00\x00"), 2), want: raise(expectedBody)},
	{
		name: "too much body", send: publish + header(60, 0, 3, "\x00\x00") + body("abcd") + probe, want: raise(expectedBody),
		on: map[string]string{"4.3": raise("501 FRAME_ERROR - content body frame exceeds remaining content size (60.40)")},
	},
	{
		name: "too much body, and nothing else", send: publish + header(60, 0, 3, "\x00\x00") + body("ab") + body("cd") + body("ef"), want: "-",
		on: map[string]string{"4.3": raise("501 FRAME_ERROR - content body frame exceeds remaining content size (60.40)")},
	},
	{name: "body in pieces, some of them empty", send: publish + header(60, 0, 3, "\x00\x00") + body("") + body("ab") + body("") + body("c") + probe, want: "tx.select-ok; -"},
	{name: "a body where there is none", send: publish + header(60, 0, 0, "\x00\x00") + body(""), want: raise(expectedMethod)},
	{
		name: "a body of a terabyte", send: publish + header(60, 0, 1<<40, "\x00\x00"), want: "-",
		on: map[string]string{"4.3": raise("501 FRAME_ERROR - content body size 1099511627776 exceeds maximum allowed size 536870912 (60.40)")},
	},
	{
		name: "a body that needs all bits", send: publish + header(60, 0, math.MaxUint64, "\x00\x00"), want: "-",
		on: map[string]string{"4.3": raise("501 FRAME_ERROR - content body size 18446744073709551615 exceeds maximum allowed size 536870912 (60.40)")},
	},
	{name: "a header without flags", send: publish + header(60, 0, 0, ""), want: raise("541 INTERNAL_ERROR (0.0)")},
	{name: "properties that end early", send: publish + header(60, 0, 0, "\x80\x00\x05ab"), want: raise("541 INTERNAL_ERROR (0.0)")},
	{name: "properties that end late", send: publish + header(60, 0, 0, "\x00\x00xx"), want: raise("541 INTERNAL_ERROR (0.0)")},
	{name: "more flags", send: publish + header(60, 0, 0, "\x00\x01\x00\x00"), want: raise("541 INTERNAL_ERROR (0.0)")},
	{name: "bad properties, and the body is still to come", send: publish + header(60, 0, 3, "\x00\x00xx"), want: "-"},
	{name: "a flag for nothing", send: publish + header(60, 0, 0, "\x00\x02") + probe, want: "tx.select-ok; -"},
	{name: "a property that is no UTF-8", send: publish + header(60, 0, 0, "\x80\x00\x02\xff\xfe") + probe, want: "tx.select-ok; -"},
	{name: "a header with an unknown type", send: publish + header(60, 0, 0, "\x20\x00\x00\x00\x00\x06\x01kZabc"), want: raise("541 INTERNAL_ERROR (0.0)")},
	{
		name: "a publishing to nowhere, closing the channel, and more", send: message(1, &wire.BasicPublish{Exchange: "nope"}, wire.Properties{}, "abc") + probe,
		want: "channel.close 404 NOT_FOUND - no exchange 'nope' in vhost '/' (60.40); -",
	},
	{
		name: "a stray body on a closing channel", send: message(1, &wire.BasicPublish{Exchange: "nope"}, wire.Properties{}, "abc") + body("x"),
		want: "channel.close 404 NOT_FOUND - no exchange 'nope' in vhost '/' (60.40); " + raise(expectedMethod),
	},
}

func TestWhatClientsShouldNotSend(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string, b *rabbittest.Broker) {
		for _, section := range [][]protocolCase{framing, misplaced, contents} {
			for _, c := range section {
				r := rawClient(t, b)
				r.open()
				r.write(c.send)
				if got, want := r.rest(), c.wanted(version); got != want {
					t.Errorf("%s\n got: %s\nwant: %s", c.name, got, want)
				}
				_ = r.conn.Close()
			}
		}
	})
}
