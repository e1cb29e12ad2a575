package conformance_test

import (
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// repliesQueue is consumed by who waits for direct replies. https://www.rabbitmq.com/docs/direct-reply-to
const repliesQueue = "amq.rabbitmq.reply-to"

// An asker has asked something and waits for direct replies.
type asker struct {
	*channel
	address string // where replies go
	replies <-chan amqp.Delivery
}

// asks publishes a request and takes it from its queue, as who is to answer it does.
func (e *env) asks() asker {
	e.Helper()
	ch := e.channelOn(e.connect())
	replies, err := ch.Consume(repliesQueue, "asker", true, false, false, false, nil)
	e.must(err)
	q := e.classic("requests", nil)
	e.must(ch.Confirm(false))
	if got := ch.confirmed("", q, amqp.Publishing{ReplyTo: repliesQueue}); got != "ack" {
		e.Fatalf("the request: %s", e.mask(got))
	}
	d, ok := e.get(q)
	if !ok {
		e.Fatal("there is no request")
	}
	return asker{ch, d.ReplyTo, replies}
}

// hears shows the replies that come, until nothing comes for a while.
func (a asker) hears() string {
	var all []string
	for {
		select {
		case d, ok := <-a.replies:
			if !ok {
				return strings.Join(append(all, "closed"), " ")
			}
			all = append(all, fmt.Sprintf("%s(%d %s %q %q)", d.Body, d.DeliveryTag, d.ConsumerTag, d.Exchange, a.hide(d.RoutingKey)))
		case <-time.After(quiet):
			return strings.Join(append(all, "-"), " ")
		}
	}
}

// hide replaces the address, which is another one each time.
func (a asker) hide(seen string) string { return strings.ReplaceAll(seen, a.address, "ADDRESS") }

// answers publishes to an address and returns what becomes of it.
func (e *env) answers(address, body string) string {
	e.Helper()
	ch := e.channelOn(e.connect())
	e.must(ch.Confirm(false))
	returns := ch.NotifyReturn(make(chan amqp.Return, 1))
	d, err := ch.PublishWithDeferredConfirm("", address, true, false, amqp.Publishing{Body: []byte(body)})
	e.must(err)
	select {
	case <-d.Done():
	case <-time.After(patience):
		return "no confirm"
	}
	if !d.Acked() {
		return ch.fate()
	}
	select {
	case r := <-returns:
		return fmt.Sprintf("%d %s, acked", r.ReplyCode, r.ReplyText)
	default:
		return "acked"
	}
}

var repliesDirectly = section{"reply directly", []row{
	{
		name: "the shape of an address",
		want: "amq.rabbitmq.reply-to of 2 parts, the last of 24",
		run: func(e *env) string { // the first one is as long as the node's name makes it
			rest := strings.Split(strings.TrimPrefix(e.asks().address, repliesQueue+"."), ".")
			return fmt.Sprintf("%s of %d parts, the last of %d", repliesQueue, len(rest), len(rest[len(rest)-1]))
		},
	},
	{
		name: "two replies",
		want: `acked / acked / a(1 asker "" "ADDRESS") b(2 asker "" "ADDRESS") -`,
		on: map[string]string{
			"3.10": `312 NO_ROUTE, acked / 312 NO_ROUTE, acked / a(1 asker "" "ADDRESS") b(1 asker "" "ADDRESS") -`,
			"4.0":  `312 NO_ROUTE, acked / 312 NO_ROUTE, acked / a(1 asker "" "ADDRESS") b(1 asker "" "ADDRESS") -`,
		},
		run: func(e *env) string {
			a := e.asks()
			return e.answers(a.address, "a") + " / " + e.answers(a.address, "b") + " / " + a.hears()
		},
	},
	{
		name: "when the asker has cancelled",
		want: "acked / closed",
		on:   map[string]string{"3.10": "312 NO_ROUTE, acked / closed", "4.0": "312 NO_ROUTE, acked / closed"},
		run: func(e *env) string {
			a := e.asks()
			e.must(a.Cancel("asker", false))
			return e.answers(a.address, "a") + " / " + a.hears()
		},
	},
	{
		name: "when the asker has hung up",
		want: "acked",
		on:   map[string]string{"3.10": "312 NO_ROUTE, acked", "4.0": "312 NO_ROUTE, acked"},
		run: func(e *env) string {
			a := e.asks()
			e.must(a.conn.Close())
			return e.answers(a.address, "a")
		},
	},
	{
		name: "to an address that never was",
		want: "312 NO_ROUTE, acked",
		on:   map[string]string{"3.10": "connection 541 INTERNAL_ERROR", "4.0": "connection 541 INTERNAL_ERROR"},
		run:  func(e *env) string { return e.answers(repliesQueue+".who.knows", "a") },
	},
	{
		name: "to the name without an address",
		want: "312 NO_ROUTE, acked",
		run:  func(e *env) string { return e.answers(repliesQueue, "a") },
	},
	{
		name: "by CC",
		want: `a(1 asker "" "other") -`,
		run: func(e *env) string {
			a := e.asks()
			e.publish("", "other", amqp.Publishing{Body: []byte("a"), Headers: amqp.Table{"CC": []any{a.address}}})
			return a.hears()
		},
	},
	{
		name: "in a transaction",
		want: `- / a(1 asker "" "ADDRESS") -`,
		on:   map[string]string{"3.10": `a(1 asker "" "ADDRESS") - / -`, "4.0": `a(1 asker "" "ADDRESS") - / -`},
		run: func(e *env) string {
			a, ch := e.asks(), e.channel()
			e.must(ch.Tx())
			e.must(ch.publish("", a.address, amqp.Publishing{Body: []byte("a")}))
			before := a.hears()
			e.must(ch.TxCommit())
			return before + " / " + a.hears()
		},
	},
	{
		name: "ask without waiting for replies",
		want: "channel 406 PRECONDITION_FAILED - fast reply consumer does not exist",
		run: func(e *env) string {
			return e.try(func(ch *channel) error {
				return ch.publish("", e.name("q"), amqp.Publishing{ReplyTo: repliesQueue})
			})
		},
	},
	{name: "wait for replies, to acknowledge them", want: "channel 406 PRECONDITION_FAILED - reply consumer cannot acknowledge", run: waitForReplies(1, false)},
	{name: "wait for replies twice", want: "channel 406 PRECONDITION_FAILED - reply consumer already set", run: waitForReplies(2, true)},
	{
		name: "wait for replies, cancel, and wait again",
		want: "no error",
		run: func(e *env) string {
			return e.try(func(ch *channel) error {
				for range 2 {
					if _, err := ch.Consume(repliesQueue, "c", true, false, false, false, nil); err != nil {
						return err
					}
					e.must(ch.Cancel("c", false))
				}
				return nil
			})
		},
	},
	{name: "declare the name", want: "messages=0 consumers=1", run: func(e *env) string { return e.counts(repliesQueue) }},
	{
		name: "declare the address of who waits",
		want: "messages=0 consumers=1",
		run:  func(e *env) string { return e.counts(e.asks().address) },
	},
	{
		name: "declare one's own address",
		want: "channel 404 NOT_FOUND - no queue 'ADDRESS' in vhost '/'",
		on:   map[string]string{"3.10": "connection 541 INTERNAL_ERROR", "4.0": "connection 541 INTERNAL_ERROR"},
		run: func(e *env) string {
			a := e.asks()
			_, _ = a.QueueDeclarePassive(a.address, false, false, false, false, nil)
			return a.hide(a.fate())
		},
	},
	{
		name: "declare the address of who has cancelled",
		want: "channel 404 NOT_FOUND - no queue 'ADDRESS' in vhost '/'",
		run: func(e *env) string {
			a := e.asks()
			e.must(a.Cancel("asker", false))
			return a.hide(e.counts(a.address))
		},
	},
	{
		name: "get from the name",
		want: "channel 404 NOT_FOUND - no queue 'amq.rabbitmq.reply-to' in vhost '/'",
		run: func(e *env) string {
			return e.try(func(ch *channel) error {
				_, _, err := ch.Get(repliesQueue, true)
				return err
			})
		},
	},
}}

func waitForReplies(times int, noAck bool) func(e *env) string {
	return func(e *env) string {
		return e.try(func(ch *channel) error {
			for range times {
				if _, err := ch.Consume(repliesQueue, "", noAck, false, false, false, nil); err != nil {
					return err
				}
			}
			return nil
		})
	}
}
