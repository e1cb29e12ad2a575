package conformance_test

import (
	"fmt"
	"strings"
	"time"
)

// gone is what is seen of a queue that is not there.
func (e *env) gone(queue string) string {
	return "channel 404 NOT_FOUND - no queue '" + queue + "' in vhost '/'"
}

// lifetimes is when queues go by themselves.
var lifetimes = section{"go by itself", []row{
	{
		name: "auto-delete after its only consumer",
		want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'",
		run: func(e *env) string {
			q := e.queue("q")
			ch := e.channel()
			e.must(ch.declare(q, durable|autoDelete, nil))
			ch.consume(q, "c", nil)
			e.must(ch.Cancel("c", false))
			return e.until(e.gone(q), func() string { return e.counts(q) })
		},
	},
	{
		name: "auto-delete after the last of two consumers",
		want: "messages=0 consumers=1, then channel 404 NOT_FOUND - no queue 'q' in vhost '/'",
		run: func(e *env) string {
			q := e.queue("q")
			ch := e.channel()
			e.must(ch.declare(q, durable|autoDelete, nil))
			ch.consume(q, "a", nil)
			ch.consume(q, "b", nil)
			e.must(ch.Cancel("a", false))
			e.sleep(quiet)
			seen := e.counts(q)
			e.must(ch.Cancel("b", false))
			return seen + ", then " + e.until(e.gone(q), func() string { return e.counts(q) })
		},
	},
	{
		name: "auto-delete after its consumer's channel",
		want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'",
		run: func(e *env) string {
			q := e.queue("q")
			ch := e.channel()
			e.must(ch.declare(q, durable|autoDelete, nil))
			ch.consume(q, "c", nil)
			e.must(ch.Close())
			return e.until(e.gone(q), func() string { return e.counts(q) })
		},
	},
	{
		name: "auto-delete after its consumer's connection",
		want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'",
		run: func(e *env) string {
			q := e.queue("q")
			ch := e.channelOn(e.connect())
			e.must(ch.declare(q, durable|autoDelete, nil))
			ch.consume(q, "c", nil)
			dropping(e, ch, nil)
			return e.until(e.gone(q), func() string { return e.counts(q) })
		},
	},
	{
		name: "auto-delete without a consumer stays",
		want: "messages=1 consumers=0",
		run: func(e *env) string {
			q := e.queue("q")
			e.must(e.channel().declare(q, durable|autoDelete, nil))
			e.put("", q, "1", "2")
			e.taken(q)
			e.sleep(quiet)
			return e.counts(q)
		},
	},
	{
		name: "auto-delete with messages",
		want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/', no error, dlq: none",
		run: func(e *env) string {
			q, dlq := e.queue("q"), e.classic("dlq", nil)
			ch := e.channel()
			e.must(ch.declare(q, durable|autoDelete, e.toDLQ()))
			e.must(ch.Qos(1, 0, false))
			e.put("", q, "1", "2")
			d := e.next(ch.consume(q, "c", nil))
			e.must(ch.Cancel("c", false))
			seen := e.until(e.gone(q), func() string { return e.counts(q) })
			e.must(d.Reject(false))
			return seen + ", " + ch.fate() + ", dlq: " + e.stays(dlq)
		},
	},
	{
		name: "exclusive with its connection",
		want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'",
		run: func(e *env) string {
			q := e.name("q")
			conn := e.connect()
			e.must(e.channelOn(conn).declare(q, exclusive, nil))
			e.must(conn.Close())
			return e.until(e.gone(q), func() string { return e.counts(q) })
		},
	},
	{
		name: "exclusive with its dropped connection",
		want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'",
		run: func(e *env) string {
			q := e.name("q")
			ch := e.channelOn(e.connect())
			e.must(ch.declare(q, exclusive, nil))
			dropping(e, ch, nil)
			return e.until(e.gone(q), func() string { return e.counts(q) })
		},
	},
	{
		name: "exclusive stays when its channel is closed",
		want: "messages=0 consumers=0",
		run: func(e *env) string {
			q := e.name("q")
			ch := e.channel()
			e.must(ch.declare(q, exclusive, nil))
			e.must(ch.Close())
			e.sleep(quiet)
			return e.counts(q)
		},
	},
	{
		name: "exclusive is for its connection alone",
		want: "channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration. / channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration. / channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration. / channel 405 RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.",
		run: func(e *env) string {
			q := e.name("q")
			e.must(e.channel().declare(q, exclusive, nil))
			other := e.connect()
			return e.tryOn(other, func(ch *channel) error { _, err := ch.Consume(q, "", false, false, false, false, nil); return err }) +
				" / " + e.tryOn(other, func(ch *channel) error { _, _, err := ch.Get(q, true); return err }) +
				" / " + e.tryOn(other, func(ch *channel) error { _, err := ch.QueuePurge(q, false); return err }) +
				" / " + e.tryOn(other, func(ch *channel) error { _, err := ch.QueueDelete(q, false, false, false); return err })
		},
	},
	{
		name: "exclusive takes messages from others",
		want: `body=x redelivered=false exchange="" rk="q"`,
		run: func(e *env) string {
			q := e.name("q")
			e.must(e.channel().declare(q, exclusive, nil))
			e.put("", q, "x") // over a connection of its own
			return e.comes(q)
		},
	},
	{
		name: "a name of the server's",
		want: "true, 22 of base64url: true",
		run: func(e *env) string {
			ch := e.channel()
			q, err := ch.QueueDeclare("", false, false, true, false, nil)
			e.must(err)
			const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
			random, ok := strings.CutPrefix(q.Name, "amq.gen-")
			return fmt.Sprintf("%t, %d of base64url: %t", ok, len(random), strings.Trim(random, alphabet) == "")
		},
	},
	{
		name: "unused for a while",
		want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'",
		run: func(e *env) string {
			q := e.classic("q", arguments("x-expires", 300))
			e.put("", q, "x")
			e.sleep(900 * time.Millisecond)
			return e.counts(q)
		},
	},
	{
		name: "unused for a while, quorum",
		want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'",
		run: func(e *env) string {
			q := e.quorum("q", arguments("x-expires", 300))
			e.put("", q, "x")
			e.sleep(8 * time.Second) // it looks every 5 s
			return e.counts(q)
		},
	},
	{
		name: "a consumer keeps it",
		want: "messages=0 consumers=1, then channel 404 NOT_FOUND - no queue 'q' in vhost '/'",
		run: func(e *env) string {
			q := e.classic("q", arguments("x-expires", 300))
			ch := e.channel()
			ch.consume(q, "c", nil)
			e.sleep(900 * time.Millisecond)
			seen := e.counts(q)
			e.must(ch.Cancel("c", false))
			e.sleep(900 * time.Millisecond)
			return seen + ", then " + e.counts(q)
		},
	},
	{
		name: "a get keeps it",
		want: "messages=0 consumers=0",
		run: func(e *env) string {
			q := e.classic("q", arguments("x-expires", 600))
			for range 4 {
				e.sleep(300 * time.Millisecond)
				e.taken(q)
			}
			return e.counts(q)
		},
	},
	{
		name: "a declaration keeps it",
		want: "messages=0 consumers=0",
		run: func(e *env) string {
			q := e.classic("q", arguments("x-expires", 600))
			for range 4 {
				e.sleep(300 * time.Millisecond)
				e.must(e.channel().declare(q, durable, arguments("x-expires", 600)))
			}
			return e.counts(q)
		},
	},
	{
		name: "publishing does not keep it",
		want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/'",
		run: func(e *env) string {
			q := e.classic("q", arguments("x-expires", 600))
			for range 3 {
				e.sleep(300 * time.Millisecond)
				e.put("", q, "x")
			}
			return e.counts(q)
		},
	},
	{
		name: "it tells no one",
		want: "channel 404 NOT_FOUND - no queue 'q' in vhost '/', dlq: none",
		run: func(e *env) string {
			dlq := e.classic("dlq", nil)
			q := e.classic("q", with(e.toDLQ(), "x-expires", 300))
			e.put("", q, "x")
			e.sleep(900 * time.Millisecond)
			return e.counts(q) + ", dlq: " + e.drain(dlq)
		},
	},
}}
