package conformance_test

import (
	"context"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// published publishes to a queue and returns what the broker thinks of it.
func published(p amqp.Publishing) func(e *env) string {
	return withQueue(func(ch *channel, q string) error { return ch.publish("", q, p) })
}

// withExpiration publishes with this expiration.
func withExpiration(expiration string) func(e *env) string {
	return published(amqp.Publishing{Expiration: expiration})
}

// publishing is what a broker refuses to take, and what it says of messages that nobody gets.
var publishing = section{"publish", []row{
	{name: "to an exchange that does not exist", want: "channel 404 NOT_FOUND - no exchange 'x' in vhost '/'", run: func(e *env) string {
		return e.try(func(ch *channel) error { return ch.publish(e.name("x"), "k", amqp.Publishing{}) })
	}},
	{name: "to an exchange that does not exist, in confirm mode", want: "channel 404 NOT_FOUND - no exchange 'x' in vhost '/'", run: func(e *env) string {
		ch := e.channel()
		e.must(ch.Confirm(false))
		return ch.confirmed(e.name("x"), "k", amqp.Publishing{})
	}},
	{name: "to an exchange that does not exist, mandatory", want: "channel 404 NOT_FOUND - no exchange 'x' in vhost '/'", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			return ch.PublishWithContext(context.Background(), e.name("x"), "k", true, false, amqp.Publishing{})
		})
	}},
	{name: "to an exchange that does not exist, in a transaction", want: "channel 404 NOT_FOUND - no exchange 'x' in vhost '/'", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			e.must(ch.Tx())
			return ch.publish(e.name("x"), "k", amqp.Publishing{})
		})
	}},
	{name: "to an internal exchange", want: "channel 403 ACCESS_REFUSED - cannot publish to internal exchange 'x' in vhost '/'", run: func(e *env) string {
		x := e.exchange("x")
		e.must(e.channel().exchange(x, "fanout", durable|internal, nil))
		return e.try(func(ch *channel) error { return ch.publish(x, "k", amqp.Publishing{}) })
	}},
	{name: "to amq.rabbitmq.trace", want: "channel 403 ACCESS_REFUSED - cannot publish to internal exchange 'amq.rabbitmq.trace' in vhost '/'", run: named(func(ch *channel) error { return ch.publish("amq.rabbitmq.trace", "k", amqp.Publishing{}) })},
	{name: "immediate", want: "connection 540 NOT_IMPLEMENTED - immediate=true", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			return ch.PublishWithContext(context.Background(), "", "k", false, true, amqp.Publishing{})
		})
	}},
	{name: "immediate, to an exchange that does not exist", want: "connection 540 NOT_IMPLEMENTED - immediate=true", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			return ch.PublishWithContext(context.Background(), e.name("x"), "k", false, true, amqp.Publishing{})
		})
	}},
	{name: "expiration 0", want: "no error", run: withExpiration("0")},
	{name: "expiration 1000", want: "no error", run: withExpiration("1000")},
	{name: "expiration that is no number", want: "channel 406 PRECONDITION_FAILED - invalid expiration 'abc': no_integer", run: withExpiration("abc")},
	{name: "expiration -1", want: "channel 406 PRECONDITION_FAILED - invalid expiration '-1': {value_negative,-1}", run: withExpiration("-1")},
	{name: "expiration 1.5", want: `channel 406 PRECONDITION_FAILED - invalid expiration '1.5': {leftover_string,".5"}`, run: withExpiration("1.5")},
	{name: "expiration 1s", want: `channel 406 PRECONDITION_FAILED - invalid expiration '1s': {leftover_string,"s"}`, run: withExpiration("1s")},
	{name: "expiration with a space before", want: "channel 406 PRECONDITION_FAILED - invalid expiration ' 1': no_integer", run: withExpiration(" 1")},
	{name: "expiration with a space behind", want: `channel 406 PRECONDITION_FAILED - invalid expiration '1 ': {leftover_string," "}`, run: withExpiration("1 ")},
	{name: "expiration with a plus", want: "no error", run: withExpiration("+1")},
	{name: "expiration of 2^32", want: "no error", run: withExpiration("4294967296")},
	{name: "expiration of ten years", want: "no error", run: withExpiration("315360000000")},
	{name: "expiration of ten years and a bit", want: "channel 406 PRECONDITION_FAILED - invalid expiration '315360000001': {value_too_large,315360000001}", run: withExpiration("315360000001")},
	{name: "expiration in hex", want: `channel 406 PRECONDITION_FAILED - invalid expiration '0x10': {leftover_string,"x10"}`, run: withExpiration("0x10")},
	{name: "expiration with zeros before", want: "no error", run: withExpiration("0001")},
	{name: "expiration empty, but there", want: `channel.close 406 "PRECONDITION_FAILED - invalid expiration '': no_integer" 60 40; -`, run: func(e *env) string {
		r := e.raw()
		r.method(1, 60, 40, uint16(0), "", e.name("q"), bits(0))
		r.header(1, 60, 0, 1<<8, "")
		return r.rest()
	}},
	{name: "a bad expiration to an exchange that does not exist", want: "channel 404 NOT_FOUND - no exchange 'x' in vhost '/'", run: func(e *env) string {
		return e.try(func(ch *channel) error { return ch.publish(e.name("x"), "k", amqp.Publishing{Expiration: "abc"}) })
	}},
	{name: "a bad expiration that goes nowhere", want: "channel 406 PRECONDITION_FAILED - invalid expiration 'abc': no_integer", run: func(e *env) string {
		return e.try(func(ch *channel) error { return ch.publish("", e.name("nope"), amqp.Publishing{Expiration: "abc"}) })
	}},
	{name: "a bad expiration, in confirm mode", want: "channel 406 PRECONDITION_FAILED - invalid expiration 'abc': no_integer", run: func(e *env) string {
		ch := e.channel()
		e.must(ch.Confirm(false))
		return ch.confirmed("", e.name("nope"), amqp.Publishing{Expiration: "abc"})
	}},
	{name: "the user's own user_id", want: "no error", run: published(amqp.Publishing{UserId: "guest"})},
	{name: "another's user_id", want: "channel 406 PRECONDITION_FAILED - user_id property set to 'foo' but authenticated user was 'guest'", run: published(amqp.Publishing{UserId: "foo"})},
	{name: "another's user_id and a bad expiration", want: "channel 406 PRECONDITION_FAILED - user_id property set to 'foo' but authenticated user was 'guest'", on: map[string]string{"4": "channel 406 PRECONDITION_FAILED - invalid expiration 'abc': no_integer"}, run: published(amqp.Publishing{UserId: "foo", Expiration: "abc"})},
	{name: "another's user_id and a bad CC", want: "channel 406 PRECONDITION_FAILED - user_id property set to 'foo' but authenticated user was 'guest'", on: map[string]string{"4": `channel 406 PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",longstr}`}, run: published(amqp.Publishing{UserId: "foo", Headers: amqp.Table{"CC": "x"}})},
	{name: "a direct reply-to without a consumer, another's user_id and a bad expiration", want: "channel 406 PRECONDITION_FAILED - fast reply consumer does not exist", run: published(amqp.Publishing{ReplyTo: "amq.rabbitmq.reply-to", UserId: "foo", Expiration: "abc"})},
	{name: "another's user_id to an exchange that does not exist", want: "channel 404 NOT_FOUND - no exchange 'x' in vhost '/'", run: func(e *env) string {
		return e.try(func(ch *channel) error { return ch.publish(e.name("x"), "k", amqp.Publishing{UserId: "foo"}) })
	}},
	{name: "delivery mode 0", want: `channel.close 406 "PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,0}" 60 40`, on: map[string]string{"4": "0"}, run: func(e *env) string { return modes(e, 0) }},
	{name: "delivery mode 3", want: `channel.close 406 "PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,3}" 60 40`, on: map[string]string{"4": "3"}, run: func(e *env) string { return modes(e, 3) }},
	{name: "delivery mode 2", want: "2", run: func(e *env) string { return modes(e, 2) }},
	{name: "delivery mode 1", want: "1", run: func(e *env) string { return modes(e, 1) }},
	{name: "priority 255 to a queue without priorities", want: "255", run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, nil))
		e.publish("", q, amqp.Publishing{Priority: 255})
		d, _ := e.get(q)
		return fmt.Sprint(d.Priority)
	}},
	{name: "CC that is a string", want: `channel 406 PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",longstr}`, run: published(amqp.Publishing{Headers: amqp.Table{"CC": "a"}})},
	{name: "CC that is a number", want: `channel 406 PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",signedint}`, run: published(amqp.Publishing{Headers: amqp.Table{"CC": int32(1)}})},
	{name: "CC that is void", want: `channel 406 PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",void}`, run: published(amqp.Publishing{Headers: amqp.Table{"CC": nil}})},
	{name: "BCC that is a string", want: `channel 406 PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"BCC",longstr}`, run: published(amqp.Publishing{Headers: amqp.Table{"BCC": "a"}})},
	{name: "CC of numbers", want: "no error", run: published(amqp.Publishing{Headers: amqp.Table{"CC": []any{int32(1)}}})},
	{name: "CC of a string and a number", want: "no error", run: published(amqp.Publishing{Headers: amqp.Table{"CC": []any{"a", int32(1)}}})},
	{name: "CC that is a string, to an exchange that does not exist", want: "channel 404 NOT_FOUND - no exchange 'x' in vhost '/'", run: func(e *env) string {
		return e.try(func(ch *channel) error {
			return ch.publish(e.name("x"), "k", amqp.Publishing{Headers: amqp.Table{"CC": "a"}})
		})
	}},
	{name: "mandatory, to nothing", want: `return 312 NO_ROUTE exchange="" rk="nope" then ack=true`, run: func(e *env) string { return e.mandatory("", e.name("nope")) }},
	{name: "mandatory, to nothing in amq.topic", want: `return 312 NO_ROUTE exchange="amq.topic" rk="nope" then ack=true`, run: func(e *env) string { return e.mandatory("amq.topic", e.name("nope")) }},
	{name: "mandatory, to a queue", want: "ack=true", run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, nil))
		return e.mandatory("", q)
	}},
	{name: "to nothing, in confirm mode", want: "ack", run: func(e *env) string {
		ch := e.channel()
		e.must(ch.Confirm(false))
		return ch.confirmed("", e.name("nope"), amqp.Publishing{})
	}},
	{name: "mandatory, to nothing, not in confirm mode", want: `basic.return 312 "NO_ROUTE" "" "nope"; header class=60 size=3 properties=0000; body abc`, run: func(e *env) string {
		r := e.raw()
		r.method(1, 60, 40, uint16(0), "", e.name("nope"), bits(1))
		r.header(1, 60, 3, 0)
		r.frame(bodyFrame, 1, []byte("abc"))
		return r.take(3)
	}},
	{name: "mandatory, to nothing, without a body", want: `basic.return 312 "NO_ROUTE" "" "nope"; header class=60 size=0 properties=0000; basic.ack 1 0`, run: func(e *env) string {
		r := e.raw()
		r.call("confirm.select-ok", 1, 85, 10, bits(0))
		r.method(1, 60, 40, uint16(0), "", e.name("nope"), bits(1))
		r.header(1, 60, 0, 0)
		return r.take(3)
	}},
	{name: "a message larger than the broker takes", want: `channel.close 406 "PRECONDITION_FAILED - message size 16777217 is larger than configured max size 16777216" 60 40`, not: map[string]string{"3.10": "it takes 128 MiB, which is much to send"}, run: func(e *env) string {
		r := e.raw()
		r.method(1, 60, 40, uint16(0), "", e.name("nope"), bits(0))
		r.header(1, 60, 16<<20+1, 0)
		part := make([]byte, 131072-8)
		for left := 16<<20 + 1; left > 0; left -= len(part) {
			r.frame(bodyFrame, 1, part[:min(left, len(part))])
		}
		return r.next()
	}},
	{name: "a header that says more than 2^63 bytes", want: "-", on: map[string]string{"4.3": `connection.close 501 "FRAME_ERROR - content body size 9223372036854775813 exceeds maximum allowed size 536870912" 60 40; -`}, run: func(e *env) string {
		r := e.raw()
		r.method(1, 60, 40, uint16(0), "", e.name("nope"), bits(0))
		r.header(1, 60, 1<<63+5, 0)
		return r.rest()
	}},
	{name: "a negative timestamp, as time before 1970", want: "-5", run: func(e *env) string {
		q := e.queue("q")
		e.must(e.channel().declare(q, durable, nil))
		e.publish("", q, amqp.Publishing{Timestamp: time.Unix(-5, 0)})
		d, _ := e.get(q)
		return fmt.Sprint(d.Timestamp.Unix())
	}},
}}

// modes sends a message with a delivery mode, as a byte, and returns that with which it arrives.
func modes(e *env, mode uint8) string {
	e.Helper()
	q := e.queue("q")
	e.must(e.channel().declare(q, durable, nil))
	r := e.raw()
	r.call("confirm.select-ok", 1, 85, 10, bits(0))
	r.method(1, 60, 40, uint16(0), "", q, bits(0))
	r.header(1, 60, 0, 1<<12, mode)
	if answer := r.next(); answer != "basic.ack 1 0" {
		return answer
	}
	d, _ := e.get(q)
	return fmt.Sprint(d.DeliveryMode)
}
