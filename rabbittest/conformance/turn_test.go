package conformance_test

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// turns is whose turn it is when several wait.
var turns = section{"take turns", []row{
	{name: "a classic queue goes on where it stopped", want: "0,- / 1,- / -, then 3,- / - / 2,-", run: goesOn(classics)},
	{name: "a quorum queue goes on where it stopped", want: "0,- / 1,- / -, then 3,- / - / 2,-", run: goesOn(quorums)},
	{name: "who acknowledges first gets the next, classic", want: "a 0, b 1, b 2, a 3", run: first(classics)},
	{name: "who acknowledges first gets the next, quorum", want: "a 0, b 1, b 2, a 3", run: first(quorums)},
	{name: "a requeued message and two consumers, classic", want: "- / 0(r),-", run: bounced(classics)},
	{name: "a requeued message and two consumers, quorum", want: "- / 0(r),-", run: bounced(quorums)},
	{name: "a closed consumer's messages and two others, classic", want: "0(r),2(r),- / 1(r),3(r),-", run: inherited(classics)},
	{name: "a closed consumer's messages and two others, quorum", want: "0(r),2(r),- / 1(r),3(r),-", run: inherited(quorums)},
	{name: "a newcomer, classic", want: "2,- / 1,- / 3,-", run: newcomer(classics)},
	{name: "a newcomer, quorum", want: "2,- / 1,- / 3,-", run: newcomer(quorums)},
	{name: "a cancelled one is left out, classic", want: "0,2,- / closed / 1,3,-", run: cancelled(classics)},
	{name: "a cancelled one is left out, quorum", want: "0,2,- / closed / 1,3,-", run: cancelled(quorums)},
	{name: "all that waits is dealt out, classic", want: "0(r),2(r),- / 1(r),3(r),4(r),5(r),-", run: dealt(classics)},
	{name: "all that waits is dealt out, quorum", want: "0(r),2(r),- / 1(r),3(r),4(r),5(r),-", run: dealt(quorums)},
	{name: "two channels with different room, classic", want: "0 / 1,2,3,-, then 4,- / -", run: rooms(classics)},
	{name: "two channels with different room, quorum", want: "0 / 1,2,3,-, then 4,- / -", run: rooms(quorums)},
	{name: "a higher priority comes later, classic", want: "0, then 2,- / 1,-", run: late(classics)},
	{name: "a higher priority comes later, quorum", want: "0, then 2,- / 1,-", run: late(quorums)},
	{name: "a requeue goes to the higher priority, classic", want: "- / 0(r),-", run: upwards(classics)},
	{name: "a requeue goes to the higher priority, quorum", want: "- / 0(r),-", run: upwards(quorums)},
	{name: "a requeue by one without room, classic", want: "0(r),- / 1(r),-", run: behind(classics)},
	{name: "a requeue by one without room, quorum", want: "1(r),- / 0(r),-", run: behind(quorums)},
	{name: "a consumer comes back under its tag, classic", want: "2,3,-, then 4,-, messages=0 consumers=1", run: again(classics)},
	{
		name: "a consumer comes back under its tag, quorum",
		want: "-, then 2,-, messages=2 consumers=1",
		not:  map[string]string{"3.10": "the acknowledgement ends the connection, with 541 INTERNAL_ERROR: a bug of 3.10.8"},
		run:  again(quorums),
	},
}}

// subscriber consumes on a channel of its own, with a prefetch.
func (e *env) subscriber(queue string, prefetch int, args amqp.Table) (*channel, <-chan amqp.Delivery) {
	e.Helper()
	ch := e.channelOn(e.connect())
	e.must(ch.Qos(prefetch, 0, false))
	return ch, ch.consume(queue, "", args)
}

func goesOn(declare kind) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", nil)
		_, a := e.subscriber(q, 0, nil)
		_, b := e.subscriber(q, 0, nil)
		_, c := e.subscriber(q, 0, nil)
		e.put("", q, "0", "1")
		seen := e.rest(a) + " / " + e.rest(b) + " / " + e.rest(c)
		e.put("", q, "2", "3")
		return seen + ", then " + e.rest(a) + " / " + e.rest(b) + " / " + e.rest(c)
	}
}

func first(declare kind) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", nil)
		_, a := e.subscriber(q, 1, nil)
		_, b := e.subscriber(q, 1, nil)
		e.put("", q, "0", "1", "2", "3")
		da, db := e.next(a), e.next(b)
		e.must(db.Ack(false))
		seen := e.receive(b, 1)
		e.must(da.Ack(false))
		return fmt.Sprintf("a %s, b %s, b %s, a %s", da.Body, db.Body, seen, e.receive(a, 1))
	}
}

func bounced(declare kind) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", nil)
		_, a := e.subscriber(q, 0, nil)
		_, b := e.subscriber(q, 0, nil)
		e.put("", q, "0")
		e.must(e.next(a).Nack(false, true))
		return e.rest(a) + " / " + e.rest(b)
	}
}

func inherited(declare kind) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", nil)
		ch, a := e.subscriber(q, 0, nil)
		e.put("", q, "0", "1", "2", "3")
		e.receive(a, 4)
		_, b := e.subscriber(q, 0, nil)
		_, c := e.subscriber(q, 0, nil)
		e.must(ch.Close())
		return e.rest(b) + " / " + e.rest(c)
	}
}

func newcomer(declare kind) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", nil)
		_, a := e.subscriber(q, 0, nil)
		_, b := e.subscriber(q, 0, nil)
		e.put("", q, "0")
		e.receive(a, 1)
		_, c := e.subscriber(q, 0, nil)
		e.put("", q, "1", "2", "3")
		return e.rest(a) + " / " + e.rest(b) + " / " + e.rest(c)
	}
}

func cancelled(declare kind) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", nil)
		_, a := e.subscriber(q, 0, nil)
		ch := e.channel()
		b := ch.consume(q, "b", nil)
		_, c := e.subscriber(q, 0, nil)
		e.put("", q, "0")
		e.must(ch.Cancel("b", false))
		e.put("", q, "1", "2", "3")
		return e.rest(a) + " / " + e.rest(b) + " / " + e.rest(c)
	}
}

func dealt(declare kind) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", nil)
		holder := e.channelOn(e.connect())
		e.put("", q, "0", "1", "2", "3", "4", "5")
		holder.hold(q, 6)
		_, a := e.subscriber(q, 2, nil)
		_, b := e.subscriber(q, 0, nil)
		e.must(holder.conn.Close())
		return e.rest(a) + " / " + e.rest(b)
	}
}

func rooms(declare kind) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", nil)
		_, a := e.subscriber(q, 1, nil)
		_, b := e.subscriber(q, 3, nil)
		e.put("", q, "0", "1", "2", "3", "4", "5")
		da := e.next(a)
		seen := string(da.Body) + " / " + e.rest(b)
		e.must(da.Ack(false))
		return seen + ", then " + e.rest(a) + " / " + e.rest(b)
	}
}

func late(declare kind) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", nil)
		_, a := e.subscriber(q, 0, nil)
		e.put("", q, "0")
		seen := e.receive(a, 1)
		_, b := e.subscriber(q, 1, arguments("x-priority", 5))
		e.put("", q, "1", "2")
		return seen + ", then " + e.rest(a) + " / " + e.rest(b)
	}
}

func upwards(declare kind) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", nil)
		_, a := e.subscriber(q, 0, nil)
		e.put("", q, "0")
		d := e.next(a)
		_, b := e.subscriber(q, 0, arguments("x-priority", 5))
		e.must(d.Nack(false, true))
		return e.rest(a) + " / " + e.rest(b)
	}
}

func behind(declare kind) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", nil)
		_, a := e.subscriber(q, 2, nil)
		e.put("", q, "0", "1")
		e.next(a)
		last := e.next(a)
		_, b := e.subscriber(q, 0, nil)
		e.must(last.Nack(true, true))
		return e.rest(a) + " / " + e.rest(b)
	}
}

func again(declare kind) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", nil)
		ch := e.channel()
		e.must(ch.Qos(2, 0, false))
		a := ch.consume(q, "c", nil)
		e.put("", q, "0", "1", "2", "3", "4")
		d := e.next(a)
		e.next(a)
		e.must(ch.Cancel("c", false))
		b := ch.consume(q, "c", nil)
		seen := e.rest(b)
		e.must(d.Ack(false))
		return seen + ", then " + e.rest(b) + ", " + e.counts(q)
	}
}
