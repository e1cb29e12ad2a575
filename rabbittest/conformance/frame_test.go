package conformance_test

import (
	"bytes"
	"strings"
)

// sent logs in, opens channel 1, does something, and shows what comes back until the connection ends.
func sent(do func(r *raw)) func(e *env) string {
	return func(e *env) string {
		r := e.raw()
		do(r)
		return r.dies()
	}
}

// answered is like sent, but the connection may live on.
func answered(do func(r *raw)) func(e *env) string {
	return func(e *env) string {
		r := e.raw()
		do(r)
		return r.rest()
	}
}

// withField publishes a message with a header of one field with this type and value.
func withField(kind byte, value ...any) func(e *env) string {
	return func(e *env) string {
		r := e.raw()
		r.call("confirm.select-ok", 1, 85, 10, bits(0))
		r.method(1, 60, 40, uint16(0), "", e.name("nope"), bits(0))
		r.header(1, 60, 0, 1<<13, table(field("a", kind, value...)))
		seen := r.next()
		if strings.HasPrefix(seen, "connection.close ") {
			r.method(0, 10, 51)
			seen += "; " + r.dies()
		}
		return seen
	}
}

// begin is a basic.publish to nowhere, of which the content is to follow.
func begin(r *raw) { r.method(1, 60, 40, uint16(0), "", "nope", bits(0)) }

// frames is what a broker says to bytes that are not AMQP.
var frames = section{"frames", []row{
	{name: "a heartbeat", want: "-", run: answered(func(r *raw) { r.frame(heartbeatFrame, 0, nil) })},
	{name: "a heartbeat on a channel", want: `connection.close 505 "UNEXPECTED_FRAME - type 8, all octets = <<>>" 0 0; end`, run: sent(func(r *raw) { r.frame(heartbeatFrame, 1, nil) })},
	{name: "a heartbeat with a payload", want: `connection.close 501 "FRAME_ERROR - type 8, all octets = <<\"a\">>: unknown_frame" 0 0; end`, run: sent(func(r *raw) { r.frame(heartbeatFrame, 0, []byte("a")) })},
	{name: "a wrong end", want: `connection.close 501 "FRAME_ERROR - type 1, all octets = <<0,60,0,10,0,0,0,0,0,1,0>>: {invalid_frame_end_marker,0}" 0 0; end`, run: sent(func(r *raw) {
		b := frame(methodFrame, 1, encode(uint16(60), uint16(10), uint32(0), uint16(1), bits(0)))
		b[len(b)-1] = 0
		r.write(b)
	})},
	{name: "a type that does not exist", want: `connection.close 501 "FRAME_ERROR - type 9, all octets = <<\"abc\">>: unknown_frame" 0 0; end`, run: sent(func(r *raw) { r.frame(9, 1, []byte("abc")) })},
	{name: "a type that does not exist, on channel 0", want: `connection.close 501 "FRAME_ERROR - type 9, all octets = <<\"abc\">>: unknown_frame" 0 0; end`, run: sent(func(r *raw) { r.frame(9, 0, []byte("abc")) })},
	{name: "larger than agreed", want: `connection.close 501 "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,131073,131064}" 0 0; end`, run: sent(func(r *raw) {
		begin(r)
		r.header(1, 60, 200000, 0)
		r.frame(bodyFrame, 1, make([]byte, 131072+1))
	})},
	{name: "larger than agreed by its own eight bytes", want: "-", run: answered(func(r *raw) {
		begin(r)
		r.header(1, 60, 131072, 0)
		r.frame(bodyFrame, 1, make([]byte, 131072))
	})},
	{name: "an empty method", want: `connection.close 501 "FRAME_ERROR - type 1, all octets = <<>>: unknown_frame" 0 0; end`, run: sent(func(r *raw) { r.frame(methodFrame, 1, nil) })},
	{name: "a method of two bytes", want: `connection.close 501 "FRAME_ERROR - type 1, all octets = <<0,60>>: unknown_frame" 0 0; end`, run: sent(func(r *raw) { r.frame(methodFrame, 1, []byte{0, 60}) })},
	{name: "a class that does not exist", want: "end", run: sent(func(r *raw) { r.method(1, 99, 10) })},
	{name: "a method that does not exist", want: "end", run: sent(func(r *raw) { r.method(1, 60, 99) })},
	{name: "a method that does not exist, on channel 0", want: "end", run: sent(func(r *raw) { r.method(0, 10, 99) })},
	{name: "a method without its arguments", want: `connection.close 501 "FRAME_ERROR - cannot decode <<>>" 50 10; end`, run: sent(func(r *raw) { r.method(1, 50, 10) })},
	{name: "a method with too many bytes", want: `connection.close 501 "FRAME_ERROR - cannot decode <<0,0,0,0,0,1,0,4,109,111,114,101>>" 60 10; end`, run: sent(func(r *raw) { r.method(1, 60, 10, uint32(0), uint16(1), bits(0), "more") })},
	{name: "a string that is longer than the frame", want: `connection.close 501 "FRAME_ERROR - cannot decode <<0,0,200,97>>" 50 10; end`, run: sent(func(r *raw) { r.method(1, 50, 10, uint16(0), []byte{200, 'a'}) })},
	{name: "a table that is longer than the frame", want: `connection.close 501 "FRAME_ERROR - cannot decode <<0,0,1,113,2,0,0,3,232>>" 50 10; end`, run: sent(func(r *raw) { r.method(1, 50, 10, uint16(0), "q", bits(2), uint32(1000)) })},
	{name: "a table that ends within a field", want: "end", run: sent(func(r *raw) { r.method(1, 50, 10, uint16(0), "q", bits(1), uint32(3), "a", []byte("S")) })},
	{name: "a table with a type that does not exist", want: "end", run: sent(func(r *raw) {
		r.method(1, 50, 10, uint16(0), "q", bits(1), table(field("a", 'Z', uint32(1))))
	})},
	{name: "reserved bits", want: "basic.qos-ok; -", run: answered(func(r *raw) { r.method(1, 60, 10, uint32(0), uint16(1), bits(0xFE)) })},

	{name: "a method of the server's", want: "-", run: answered(func(r *raw) { r.method(1, 60, 60, "t", uint64(1), bits(0), "", "") })},
	{name: "an answer that nobody asked for", want: `connection.close 503 "COMMAND_INVALID - unimplemented method" 60 21; end`, run: sent(func(r *raw) { r.method(1, 60, 21, "t") })},
	{name: "channel.close-ok that nobody asked for", want: `connection.close 503 "COMMAND_INVALID - unimplemented method" 20 41; end`, run: sent(func(r *raw) { r.method(1, 20, 41) })},
	{name: "a method of a channel on channel 0", want: `connection.close 504 "CHANNEL_ERROR - unexpected method in connection state running" 60 10; end`, run: sent(func(r *raw) { r.method(0, 60, 10, uint32(0), uint16(1), bits(0)) })},
	{name: "channel.open on channel 0", want: `connection.close 504 "CHANNEL_ERROR - unexpected method in connection state running" 20 10; end`, run: sent(func(r *raw) { r.method(0, 20, 10, "") })},
	{name: "channel.close on channel 0", want: `connection.close 504 "CHANNEL_ERROR - unexpected method in connection state running" 20 40; end`, run: sent(func(r *raw) { r.method(0, 20, 40, uint16(200), "", uint16(0), uint16(0)) })},
	{name: "content on channel 0", want: `connection.close 505 "UNEXPECTED_FRAME - type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0,0,0,0>>" 0 0; end`, run: sent(func(r *raw) { r.header(0, 60, 0, 0) })},
	{name: "a method of the connection on a channel", want: `connection.close 503 "COMMAND_INVALID - unimplemented method" 10 40; end`, run: sent(func(r *raw) { r.method(1, 10, 40, "/", "", bits(0)) })},
	{name: "connection.close on a channel", want: `connection.close 503 "COMMAND_INVALID - unimplemented method" 10 50; end`, run: sent(func(r *raw) { r.method(1, 10, 50, uint16(200), "", uint16(0), uint16(0)) })},
	{name: "connection.start-ok again", want: `connection.close 504 "CHANNEL_ERROR - unexpected method in connection state running" 10 11; end`, run: sent(func(r *raw) {
		r.method(0, 10, 11, table(), "PLAIN", long("\x00guest\x00guest"), "en_US")
	})},
	{name: "connection.tune-ok again", want: `connection.close 504 "CHANNEL_ERROR - unexpected method in connection state running" 10 31; end`, run: sent(func(r *raw) { r.method(0, 10, 31, uint16(2047), uint32(131072), uint16(0)) })},
	{name: "access.request, of AMQP 0-8", want: "access.request-ok 1; -", run: answered(func(r *raw) { r.method(1, 30, 10, "/data", bits(0)) })},
	{name: "basic.publish with a ticket", want: "-", run: answered(func(r *raw) {
		r.method(1, 60, 40, uint16(77), "", "nope", bits(0))
		r.header(1, 60, 0, 0)
	})},

	{name: "a method where a header must come", want: `connection.close 505 "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead" 60 40; end`, run: sent(func(r *raw) {
		begin(r)
		r.method(1, 60, 10, uint32(0), uint16(1), bits(0))
	})},
	{name: "a body where a header must come", want: `connection.close 505 "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead" 60 40; end`, run: sent(func(r *raw) {
		begin(r)
		r.frame(bodyFrame, 1, []byte("abc"))
	})},
	{name: "a method where a body must come", want: `connection.close 505 "UNEXPECTED_FRAME - expected content body, got non content body frame instead" 60 40; end`, run: sent(func(r *raw) {
		begin(r)
		r.header(1, 60, 3, 0)
		r.method(1, 60, 10, uint32(0), uint16(1), bits(0))
	})},
	{name: "a header where a body must come", want: `connection.close 505 "UNEXPECTED_FRAME - expected content body, got non content body frame instead" 60 40; end`, run: sent(func(r *raw) {
		begin(r)
		r.header(1, 60, 3, 0)
		r.header(1, 60, 3, 0)
	})},
	{name: "a header where a method must come", want: `connection.close 505 "UNEXPECTED_FRAME - expected method frame, got non method frame instead" 0 0; end`, run: sent(func(r *raw) { r.header(1, 60, 3, 0) })},
	{name: "a body where a method must come", want: `connection.close 505 "UNEXPECTED_FRAME - expected method frame, got non method frame instead" 0 0; end`, run: sent(func(r *raw) { r.frame(bodyFrame, 1, []byte("abc")) })},
	{name: "a body that is longer than its header says", want: "-", on: map[string]string{"4.3": `connection.close 501 "FRAME_ERROR - content body frame exceeds remaining content size" 60 40; -`}, run: answered(func(r *raw) {
		begin(r)
		r.header(1, 60, 3, 0)
		r.frame(bodyFrame, 1, []byte("abcd"))
	})},
	{name: "a body in too many frames", want: `connection.close 505 "UNEXPECTED_FRAME - expected method frame, got non method frame instead" 0 0; end`, run: sent(func(r *raw) {
		begin(r)
		r.header(1, 60, 3, 0)
		r.frame(bodyFrame, 1, []byte("abc"))
		r.frame(bodyFrame, 1, []byte("d"))
	})},
	{name: "a body for a header that says 0", want: `connection.close 505 "UNEXPECTED_FRAME - expected method frame, got non method frame instead" 0 0; end`, run: sent(func(r *raw) {
		begin(r)
		r.header(1, 60, 0, 0)
		r.frame(bodyFrame, 1, []byte("d"))
	})},
	{name: "an empty body frame", want: `basic.ack 1 0 / body=ab redelivered=false exchange="" rk="q"`, run: func(e *env) string {
		q, r := e.queue("q"), e.raw()
		r.call("queue.declare-ok", 1, 50, 10, uint16(0), q, bits(2), table())
		r.call("confirm.select-ok", 1, 85, 10, bits(0))
		r.method(1, 60, 40, uint16(0), "", q, bits(0))
		r.header(1, 60, 2, 0)
		r.frame(bodyFrame, 1, []byte("a"))
		r.frame(bodyFrame, 1, nil)
		r.frame(bodyFrame, 1, []byte("b"))
		return r.next() + " / " + e.taken(q)
	}},
	{name: "a header of another class", want: `connection.close 505 "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead" 60 40; end`, run: sent(func(r *raw) {
		begin(r)
		r.header(1, 50, 3, 0)
	})},
	{name: "a header of a class that does not exist", want: `connection.close 505 "UNEXPECTED_FRAME - expected content header for class 60, got one for class 99 instead" 60 40; end`, run: sent(func(r *raw) {
		begin(r)
		r.header(1, 99, 3, 0)
	})},
	{name: "a header with a weight", want: `connection.close 505 "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead" 60 40; end`, run: sent(func(r *raw) {
		begin(r)
		r.frame(headerFrame, 1, encode(uint16(60), uint16(7), uint64(0), uint16(0)))
	})},
	{name: "an empty header", want: `connection.close 501 "FRAME_ERROR - type 2, all octets = <<>>: unknown_frame" 0 0; end`, run: sent(func(r *raw) {
		begin(r)
		r.frame(headerFrame, 1, nil)
	})},
	{name: "a header without the properties that it announces", want: `connection.close 541 "INTERNAL_ERROR" 0 0; end`, run: sent(func(r *raw) {
		begin(r)
		r.header(1, 60, 0, 1<<15)
	})},
	{name: "a header with bytes behind its properties", want: `connection.close 541 "INTERNAL_ERROR" 0 0; end`, run: sent(func(r *raw) {
		begin(r)
		r.header(1, 60, 0, 0, "more")
	})},
	{name: "a header with a flag that means nothing", want: "-", run: answered(func(r *raw) {
		begin(r)
		r.header(1, 60, 0, 1<<1)
	})},
	{name: "a header whose flags go on", want: `connection.close 541 "INTERNAL_ERROR" 0 0; end`, run: sent(func(r *raw) {
		begin(r)
		r.header(1, 60, 0, 1, uint16(0))
	})},

	{name: "headers: a type that does not exist", want: `connection.close 541 "INTERNAL_ERROR" 0 0; end`, run: withField('Z', uint32(1))},
	{name: "headers: L, a long of some clients", want: "basic.ack 1 0", run: withField('L', uint64(1))},
	{name: "headers: u, an unsigned short", want: "basic.ack 1 0", run: withField('u', uint16(1))},
	{name: "headers: i, an unsigned int", want: "basic.ack 1 0", run: withField('i', uint32(1))},
	{name: "headers: B, an unsigned byte", want: "basic.ack 1 0", run: withField('B', uint8(1))},
	{name: "headers: U, a short of the specification", want: `connection.close 541 "INTERNAL_ERROR" 0 0; end`, run: withField('U', uint16(1))},
	{name: "headers: s, a short string of the specification", want: "basic.ack 1 0", run: withField('s', "a")},
	{name: "headers: T, a time", want: "basic.ack 1 0", run: withField('T', uint64(1))},
	{name: "headers: a bool of 2", want: "basic.ack 1 0", run: withField('t', uint8(2))},
	{name: "headers: a string that is longer than the table", want: `connection.close 541 "INTERNAL_ERROR" 0 0; end`, run: withField('S', uint32(50), []byte("abc"))},
	{name: "headers: a string that is not UTF-8", want: "basic.ack 1 0", run: withField('S', long("\xff\xfe"))},
	{name: "headers: nested 100 deep", want: "basic.ack 1 0", run: func(e *env) string {
		value := table()
		for range 100 {
			value = table(field("a", 'F', value))
		}
		return withField('F', value)(e)
	}},
	{name: "headers: a name that is not UTF-8", want: "basic.ack 1 0; -", run: func(e *env) string {
		r := e.raw()
		r.call("confirm.select-ok", 1, 85, 10, bits(0))
		begin(r)
		r.header(1, 60, 0, 1<<13, table(field("\xff", 'I', uint32(1))))
		return r.rest()
	}},
	{name: "headers: the same name twice", want: `basic.get-ok 1 0 "" "q" 0; header class=60 size=0 properties=20000000000e0161490000000101614900000002`, on: map[string]string{"4": `basic.get-ok 1 0 "" "q" 0; header class=60 size=0 properties=20000000000701614900000001`}, run: func(e *env) string {
		q, r := e.queue("q"), e.raw()
		r.call("queue.declare-ok", 1, 50, 10, uint16(0), q, bits(2), table())
		r.method(1, 60, 40, uint16(0), "", q, bits(0))
		r.header(1, 60, 0, 1<<13, table(field("a", 'I', uint32(1)), field("a", 'I', uint32(2))))
		r.method(1, 60, 70, uint16(0), q, bits(1))
		return r.take(2)
	}},
	{name: "a routing key that is not UTF-8", want: `basic.return 312 "NO_ROUTE" "" "\xff"; header class=60 size=0 properties=0000; -`, run: answered(func(r *raw) {
		r.method(1, 60, 40, uint16(0), "", "\xff", bits(1))
		r.header(1, 60, 0, 0)
	})},
	{name: "a consumer tag that is not UTF-8", want: `connection.close 501 "FRAME_ERROR - Malformed UTF-8 in shortstr" 0 0; end`, run: func(e *env) string {
		q, r := e.queue("q"), e.raw()
		r.call("queue.declare-ok", 1, 50, 10, uint16(0), q, bits(2), table())
		r.method(1, 60, 20, uint16(0), q, "\xff", bits(0), table())
		return r.dies()
	}},
	{name: "a message in two writes", want: `- / basic.ack 1 0 / body=abc redelivered=false exchange="" rk="q"`, run: func(e *env) string {
		q, r := e.queue("q"), e.raw()
		r.call("queue.declare-ok", 1, 50, 10, uint16(0), q, bits(2), table())
		r.call("confirm.select-ok", 1, 85, 10, bits(0))
		all := bytes.Join([][]byte{
			frame(methodFrame, 1, encode(uint16(60), uint16(40), uint16(0), "", q, bits(0))),
			frame(headerFrame, 1, encode(uint16(60), uint16(0), uint64(3), uint16(0))),
			frame(bodyFrame, 1, []byte("abc")),
		}, nil)
		r.write(all[:9])
		before := r.within(quiet)
		r.write(all[9:])
		return strings.Join([]string{before, r.next(), e.taken(q)}, " / ")
	}},
}}
