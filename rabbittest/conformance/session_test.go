package conformance_test

import (
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// sessions is how channels and connections open and close.
var sessions = section{"channels and connections", []row{
	{name: "open a channel twice", want: `connection.close 504 "CHANNEL_ERROR - second 'channel.open' seen" 20 10; end`, run: sent(func(r *raw) { r.method(1, 20, 10, "") })},
	{name: "a method on a channel that is not open", want: `connection.close 504 "CHANNEL_ERROR - expected 'channel.open'" 60 10; end`, run: sent(func(r *raw) { r.method(5, 60, 10, uint32(0), uint16(1), bits(0)) })},
	{name: "close a channel that is not open", want: `connection.close 504 "CHANNEL_ERROR - expected 'channel.open'" 20 40; end`, run: sent(func(r *raw) { r.method(5, 20, 40, uint16(200), "", uint16(0), uint16(0)) })},
	{name: "content on a channel that is not open", want: `connection.close 505 "UNEXPECTED_FRAME - expected method frame, got non method frame instead" 0 0; end`, run: sent(func(r *raw) { r.header(5, 60, 0, 0) })},
	{name: "a body on a channel that is not open", want: `connection.close 505 "UNEXPECTED_FRAME - expected method frame, got non method frame instead" 0 0; end`, run: sent(func(r *raw) { r.frame(bodyFrame, 5, []byte("a")) })},
	{name: "a channel of a high number", want: `channel.open-ok "" on channel 2047; -`, run: answered(func(r *raw) { r.method(2047, 20, 10, "") })},
	{name: "a channel of a number that is too high", want: `channel.open-ok "" on channel 2048; -`, run: answered(func(r *raw) { r.method(2048, 20, 10, "") })},
	{name: "a channel more than was agreed", want: `connection.close 530 "NOT_ALLOWED - number of channels opened (1) has reached the negotiated channel_max (1)" 0 0; end`, run: func(e *env) string {
		s := e.socket()
		s.write([]byte(protocolHeader))
		e.expect(s.next(), "connection.start")
		s.call("connection.tune", 0, 10, 11, table(), "PLAIN", long("\x00guest\x00guest"), "en_US")
		s.method(0, 10, 31, uint16(1), uint32(131072), uint16(0))
		s.call("connection.open-ok", 0, 10, 40, "/", "", bits(0))
		s.call("channel.open-ok", 1, 20, 10, "")
		s.method(2, 20, 10, "")
		return s.dies()
	}},
	{name: "close a channel", want: "channel.close-ok; -", run: answered(func(r *raw) { r.method(1, 20, 40, uint16(200), "bye", uint16(0), uint16(0)) })},
	{name: "close a channel, and use it", want: `connection.close 504 "CHANNEL_ERROR - expected 'channel.open'" 60 10; end`, run: sent(func(r *raw) {
		r.call("channel.close-ok", 1, 20, 40, uint16(200), "bye", uint16(0), uint16(0))
		r.method(1, 60, 10, uint32(0), uint16(1), bits(0))
	})},
	{name: "close a channel, and open it again", want: `channel.open-ok ""; -`, run: answered(func(r *raw) {
		r.call("channel.close-ok", 1, 20, 40, uint16(200), "bye", uint16(0), uint16(0))
		r.method(1, 20, 10, "")
	})},
	{name: "close a channel in the middle of a message", want: `connection.close 505 "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead" 60 40; end`, run: sent(func(r *raw) {
		begin(r)
		r.method(1, 20, 40, uint16(200), "bye", uint16(0), uint16(0))
	})},
	{name: "a channel's error, and no close-ok: the rest is dropped", want: `channel.close 406 "PRECONDITION_FAILED - unknown delivery tag 9" 60 80; -`, run: answered(func(r *raw) {
		r.method(1, 60, 80, uint64(9), bits(0))
		r.method(1, 60, 10, uint32(0), uint16(1), bits(0))
		r.publish(1, "nope", "nope", "abc")
	})},
	{name: "a channel's error, close-ok, and open it again", want: `channel.open-ok ""; -`, run: answered(func(r *raw) {
		r.call("channel.close", 1, 60, 80, uint64(9), bits(0))
		r.method(1, 20, 41)
		r.method(1, 20, 10, "")
	})},
	{name: "a channel's error, and open it again without close-ok", want: `connection.close 504 "CHANNEL_ERROR - second 'channel.open' seen" 20 10; end`, run: sent(func(r *raw) {
		r.call("channel.close", 1, 60, 80, uint64(9), bits(0))
		r.method(1, 20, 10, "")
	})},
	{name: "a channel's error, and close it too", want: "channel.close-ok; -", run: answered(func(r *raw) {
		r.call("channel.close", 1, 60, 80, uint64(9), bits(0))
		r.method(1, 20, 40, uint16(200), "bye", uint16(0), uint16(0))
	})},
	{name: "a channel's error, close-ok, and use it", want: `connection.close 504 "CHANNEL_ERROR - expected 'channel.open'" 60 10; end`, run: sent(func(r *raw) {
		r.call("channel.close", 1, 60, 80, uint64(9), bits(0))
		r.method(1, 20, 41)
		r.method(1, 60, 10, uint32(0), uint16(1), bits(0))
	})},
	{name: "one channel's error leaves another alone", want: "basic.qos-ok on channel 2; -", run: answered(func(r *raw) {
		r.call("channel.open-ok", 2, 20, 10, "")
		r.call("channel.close", 1, 60, 80, uint64(9), bits(0))
		r.method(2, 60, 10, uint32(0), uint16(1), bits(0))
	})},
	{name: "close a connection", want: "connection.close-ok; -", run: answered(func(r *raw) { r.method(0, 10, 50, uint16(200), "bye", uint16(0), uint16(0)) })},
	{name: "close a connection, and go on", want: "connection.close-ok; -", run: answered(func(r *raw) {
		r.method(0, 10, 50, uint16(200), "bye", uint16(0), uint16(0))
		r.method(1, 60, 10, uint32(0), uint16(1), bits(0))
	})},
	{name: "a connection's error, and go on: nothing but close-ok counts", want: `connection.close 540 "NOT_IMPLEMENTED - prefetch_size!=0 (1)" 60 10 / - / channel 404 NOT_FOUND - no queue 'q' in vhost '/'`, run: func(e *env) string {
		q, r := e.queue("q"), e.raw()
		r.method(1, 60, 10, uint32(1), uint16(1), bits(0))
		r.method(1, 50, 10, uint16(0), q, bits(2), table())
		return r.next() + " / " + r.within(quiet) + " / " + e.counts(q)
	}},
	{name: "a connection's error, and close it too", want: `connection.close 540 "NOT_IMPLEMENTED - prefetch_size!=0 (1)" 60 10 / connection.close-ok; -`, run: func(e *env) string {
		r := e.raw()
		r.method(1, 60, 10, uint32(1), uint16(1), bits(0))
		seen := r.next()
		r.method(0, 10, 50, uint16(200), "bye", uint16(0), uint16(0))
		return seen + " / " + r.rest()
	}},
	{name: "the class and method of an error", want: `channel.close 404 "NOT_FOUND - no previously declared queue" 50 40; -`, run: answered(func(r *raw) { r.method(1, 50, 40, uint16(0), "", bits(0)) })},
	{name: "the class and method of a publish's error", want: `channel.close 404 "NOT_FOUND - no exchange 'nope' in vhost '/'" 60 40; -`, run: answered(func(r *raw) { r.publish(1, "nope", "k", "abc") })},
	{name: "channel.flow, active", want: "channel.flow-ok 1; -", run: answered(func(r *raw) { r.method(1, 20, 20, bits(1)) })},
	{name: "channel.flow-ok that nobody asked for", want: `connection.close 503 "COMMAND_INVALID - unimplemented method" 20 21; end`, run: sent(func(r *raw) { r.method(1, 20, 21, bits(1)) })},
	{name: "drop the connection: what it had is back", want: "messages=2 consumers=0 / a(r),b", run: func(e *env) string {
		q, r := e.queue("q"), e.raw()
		r.call("queue.declare-ok", 1, 50, 10, uint16(0), q, bits(2), table())
		e.put("", q, "a", "b")
		r.call("basic.get-ok", 1, 60, 70, uint16(0), q, bits(0))
		e.must(r.conn.Close())
		return e.until("messages=2 consumers=0", func() string { return e.counts(q) }) + " / " + e.drain(q)
	}},
	{name: "many methods at once are answered in order", want: `queue.declare-ok "q" 0 0; queue.bind-ok; basic.get-ok 1 0 "amq.direct" "q" 0; header class=60 size=3 properties=0000; body abc; queue.delete-ok 0`, run: func(e *env) string {
		q, r := e.name("q"), e.raw()
		r.method(1, 50, 10, uint16(0), q, bits(4), table())
		r.method(1, 50, 20, uint16(0), q, "amq.direct", q, bits(0), table())
		r.publish(1, "amq.direct", q, "abc")
		r.method(1, 60, 70, uint16(0), q, bits(1))
		r.method(1, 50, 40, uint16(0), q, bits(0))
		return r.take(6)
	}},
	{name: "two messages in two channels, frames interleaved", want: "basic.ack 1 0 / ab,cd", run: func(e *env) string {
		q, r := e.queue("q"), e.raw()
		r.call("queue.declare-ok", 1, 50, 10, uint16(0), q, bits(2), table())
		r.call("channel.open-ok", 2, 20, 10, "")
		r.call("confirm.select-ok", 1, 85, 10, bits(0))
		for _, channel := range []uint16{1, 2} {
			r.method(channel, 60, 40, uint16(0), "", q, bits(0))
		}
		for _, channel := range []uint16{2, 1} {
			r.header(channel, 60, 2, 0)
		}
		r.frame(bodyFrame, 2, []byte("c"))
		r.frame(bodyFrame, 1, []byte("ab"))
		seen := r.next()
		r.frame(bodyFrame, 2, []byte("d"))
		r.call("confirm.select-ok", 2, 85, 10, bits(0)) // the message was taken before
		return fmt.Sprint(seen, " / ", e.drain(q))
	}},
	{name: "publish, and close the channel at once", want: "a", run: func(e *env) string {
		q, r := e.queue("q"), e.raw()
		r.call("queue.declare-ok", 1, 50, 10, uint16(0), q, bits(2), table())
		r.publish(1, "", q, "a")
		r.call("channel.close-ok", 1, 20, 40, uint16(200), "", uint16(0), uint16(0))
		return e.drain(q)
	}},
	{name: "publish, and close the connection at once", want: "a", run: func(e *env) string {
		q, r := e.queue("q"), e.raw()
		r.call("queue.declare-ok", 1, 50, 10, uint16(0), q, bits(2), table())
		r.publish(1, "", q, "a")
		r.call("connection.close-ok", 0, 10, 50, uint16(200), "", uint16(0), uint16(0))
		return e.drain(q)
	}},
	{name: "publish half a message, and close the connection", want: "none", run: func(e *env) string {
		q, r := e.queue("q"), e.raw()
		r.call("queue.declare-ok", 1, 50, 10, uint16(0), q, bits(2), table())
		r.method(1, 60, 40, uint16(0), "", q, bits(0))
		r.header(1, 60, 3, 0)
		r.frame(bodyFrame, 1, []byte("ab"))
		r.call("connection.close-ok", 0, 10, 50, uint16(200), "", uint16(0), uint16(0))
		return e.drain(q)
	}},
	{name: "a body in frames as small as was agreed", want: "8184 in 8184; 8185 in 8184 1; 20000 in 8184 8184 3632", run: func(e *env) string {
		s := e.socket()
		s.write([]byte(protocolHeader))
		e.expect(s.next(), "connection.start")
		s.call("connection.tune", 0, 10, 11, table(), "PLAIN", long("\x00guest\x00guest"), "en_US")
		s.method(0, 10, 31, uint16(10), uint32(8192), uint16(0))
		s.call("connection.open-ok", 0, 10, 40, "/", "", bits(0))
		s.call("channel.open-ok", 1, 20, 10, "")
		q := e.queue("q")
		s.call("queue.declare-ok", 1, 50, 10, uint16(0), q, bits(2), table())
		for _, size := range []int{8184, 8185, 20000} {
			e.put("", q, strings.Repeat("a", size))
		}
		var seen []string
		for range 3 {
			s.call("basic.get-ok", 1, 60, 70, uint16(0), q, bits(1))
			header := s.next()
			var size int
			_, err := fmt.Sscanf(header, "header class=60 size=%d", &size)
			e.must(err)
			frames := fmt.Sprint(size, " in")
			for size > 0 {
				n := len(strings.TrimPrefix(s.next(), "body "))
				frames += fmt.Sprint(" ", n)
				size -= n
			}
			seen = append(seen, frames)
		}
		return strings.Join(seen, "; ")
	}},
	{name: "heartbeats: the broker sends them, and misses the client's", want: "heartbeat, then end", run: func(e *env) string {
		s := e.socket()
		s.write([]byte(protocolHeader))
		e.expect(s.next(), "connection.start")
		s.call("connection.tune", 0, 10, 11, table(), "PLAIN", long("\x00guest\x00guest"), "en_US")
		s.method(0, 10, 31, uint16(10), uint32(131072), uint16(1))
		s.call("connection.open-ok", 0, 10, 40, "/", "", bits(0))
		seen := s.next()
		for {
			if next := s.next(); next != "heartbeat" {
				return seen + ", then " + next
			}
		}
	}},
	{name: "heartbeats: any frame will do", want: "all answered", run: func(e *env) string {
		s := e.socket()
		s.write([]byte(protocolHeader))
		e.expect(s.next(), "connection.start")
		s.call("connection.tune", 0, 10, 11, table(), "PLAIN", long("\x00guest\x00guest"), "en_US")
		s.method(0, 10, 31, uint16(10), uint32(131072), uint16(1))
		s.call("connection.open-ok", 0, 10, 40, "/", "", bits(0))
		s.call("channel.open-ok", 1, 20, 10, "")
		const frames = 12
		for range frames { // for almost five seconds
			s.method(1, 60, 10, uint32(0), uint16(1), bits(0))
			e.sleep(400 * time.Millisecond)
		}
		answers := 0
		for answers < frames {
			switch seen := s.next(); seen {
			case "basic.qos-ok":
				answers++
			case "heartbeat":
			default:
				return seen
			}
		}
		return "all answered"
	}},
	{name: "a connection's name is for the broker's lists alone", want: "<nil>", run: func(e *env) string {
		conn, err := e.dial(amqp.Config{Properties: amqp.Table{"connection_name": e.name("c")}})
		e.must(err)
		return fmt.Sprint(conn.Close())
	}},
}}
