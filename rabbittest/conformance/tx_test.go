package conformance_test

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// transactions is what is seen before their end, and after.
var transactions = section{"tx", []row{
	{
		name: "a message is seen after the commit",
		want: `none, then body=x redelivered=false exchange="" rk="q"`,
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Tx())
			e.must(ch.publish("", q, say("x")))
			seen := e.stays(q)
			e.must(ch.TxCommit())
			return seen + ", then " + e.comes(q)
		},
	},
	{
		name: "a message is not seen after the rollback",
		want: "none",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Tx())
			e.must(ch.publish("", q, say("x")))
			e.must(ch.TxRollback())
			e.must(ch.TxCommit())
			return e.stays(q)
		},
	},
	{
		name: "a message is not seen after the channel's close",
		want: "none",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Tx())
			e.must(ch.publish("", q, say("x")))
			e.must(ch.Close())
			return e.stays(q)
		},
	},
	{
		name: "in order",
		want: "1,2,3",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			e.must(ch.Tx())
			for _, body := range []string{"1", "2", "3"} {
				e.must(ch.publish("", q, say(body)))
			}
			e.must(ch.TxCommit())
			return list(e.await(q, 3))
		},
	},
	{
		name: "an ack counts after the commit",
		want: "2(r)",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "1", "2")
			ch := e.channel()
			e.must(ch.Tx())
			held := ch.hold(q, 2)
			e.must(held[0].Ack(false))
			e.must(ch.TxCommit())
			e.must(ch.Close())
			return e.stays(q)
		},
	},
	{
		name: "an ack without a commit",
		want: "1(r),2(r)",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "1", "2")
			ch := e.channel()
			e.must(ch.Tx())
			held := ch.hold(q, 2)
			e.must(held[0].Ack(false))
			e.must(ch.Close())
			return e.stays(q)
		},
	},
	{
		name: "an ack that is rolled back can be given again",
		want: "left none, no error, then 2(r)",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "1", "2")
			ch := e.channel()
			e.must(ch.Tx())
			held := ch.hold(q, 2)
			e.must(held[0].Ack(false))
			e.must(ch.TxRollback())
			seen := "left " + e.stays(q)
			e.must(held[0].Ack(false))
			e.must(ch.TxCommit())
			seen += ", " + ch.fate()
			e.must(ch.Close())
			return seen + ", then " + e.stays(q)
		},
	},
	{
		name: "a nack counts after the commit",
		want: `none / none, then 1(r) / body=2 redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"")`,
		on: map[string]string{
			"4": `none / none, then 1(r) / body=2 redelivered=false exchange="" rk="dlq" headers={x-death:[D(rejected,q,ex="",rks=["q"],n=1)]} + FIRST(rejected,q,"") + LAST(rejected,q,"")`,
		},
		run: func(e *env) string {
			q, dlq := e.mortal(classics, nil)
			e.put("", q, "1", "2")
			ch := e.channel()
			e.must(ch.Tx())
			held := ch.hold(q, 2)
			e.must(held[0].Nack(false, true))
			e.must(held[1].Nack(false, false))
			seen := e.stays(q) + " / " + e.drain(dlq)
			e.must(ch.TxCommit())
			return seen + ", then " + list(e.await(q, 1)) + " / " + e.comes(dlq)
		},
	},
	{
		name: "ack twice in one transaction",
		want: "channel 406 PRECONDITION_FAILED - unknown delivery tag 1",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.put("", q, "1")
			return e.try(func(ch *channel) error {
				e.must(ch.Tx())
				d := ch.hold(q, 1)[0]
				e.must(d.Ack(false))
				return d.Ack(false)
			})
		},
	},
	{
		name: "commit nothing",
		want: "no error",
		run: func(e *env) string {
			return e.try(func(ch *channel) error {
				e.must(ch.Tx())
				e.must(ch.Tx())
				e.must(ch.TxRollback())
				return ch.TxCommit()
			})
		},
	},
	{
		name: "publish to a missing exchange",
		want: "channel 404 NOT_FOUND - no exchange 'nope' in vhost '/'",
		run: func(e *env) string {
			return e.try(func(ch *channel) error {
				e.must(ch.Tx())
				return ch.publish(e.name("nope"), "k", say("x"))
			})
		},
	},
	{
		name: "a mandatory message returns at the commit",
		want: "0 before, 1 after",
		run: func(e *env) string {
			ch := e.channel()
			returned := ch.NotifyReturn(make(chan amqp.Return, 1))
			e.must(ch.Tx())
			e.must(ch.PublishWithContext(e.Context(), "", e.name("nope"), true, false, say("x")))
			ch.fate()
			seen := fmt.Sprintf("%d before", len(returned))
			e.must(ch.TxCommit())
			return fmt.Sprintf("%s, %d after", seen, len(returned))
		},
	},
	{
		name: "to a quorum queue",
		want: "no error, x",
		run: func(e *env) string {
			q := e.quorum("q", nil)
			return e.try(func(ch *channel) error {
				e.must(ch.Tx())
				e.must(ch.publish("", q, say("x")))
				return ch.TxCommit()
			}) + ", " + e.stays(q)
		},
	},
	{
		name: "to a full queue that rejects",
		want: "channel 406 PRECONDITION_FAILED - partial tx completion, left 1",
		run: func(e *env) string {
			q := e.classic("q", arguments("x-max-length", 1, "x-overflow", "reject-publish"))
			return e.try(func(ch *channel) error {
				e.must(ch.Tx())
				e.must(ch.publish("", q, say("1")))
				e.must(ch.publish("", q, say("2")))
				return ch.TxCommit()
			}) + ", left " + e.stays(q)
		},
	},
}}
