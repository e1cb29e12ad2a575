package conformance_test

import (
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A count of deliveries, as a consumer sees it.
func counted(d amqp.Delivery) string {
	s := "new"
	if d.Redelivered {
		s = "redelivered"
	}
	for _, name := range []string{"x-delivery-count", "x-acquired-count"} {
		if value, ok := d.Headers[name]; ok {
			s += " " + strings.TrimPrefix(name, "x-") + "=" + showValue(value)
		}
	}
	return s
}

// delivered shows three deliveries of one message, which came back twice.
func delivered(declare kind, back back) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", nil)
		e.put("", q, "x")
		var seen []string
		for range 3 {
			ch := e.channelOn(e.connect())
			held := ch.hold(q, 1)
			seen = append(seen, counted(held[0]))
			back(e, ch, held)
			e.settled(q, func(q amqp.Queue) bool { return q.Messages == 1 })
		}
		return strings.Join(seen, "; ")
	}
}

// cancelling makes a consumer that takes one, is cancelled, and then settles.
func cancelling(declare kind, settle func(amqp.Delivery) error) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", nil)
		e.put("", q, "x")
		var seen []string
		for range 3 {
			ch := e.channel()
			d := e.next(ch.consume(q, "c", nil))
			seen = append(seen, counted(d))
			e.must(ch.Cancel("c", false))
			e.must(settle(d))
			e.settled(q, func(q amqp.Queue) bool { return q.Messages == 1 })
		}
		return strings.Join(seen, "; ")
	}
}

func requeue(d amqp.Delivery) error { return d.Nack(false, true) }
func reject(d amqp.Delivery) error  { return d.Reject(true) }

// counting is how a broker counts the deliveries of one message.
var counting = section{"count deliveries", []row{
	{name: "rejected, classic", want: "new; redelivered; redelivered", run: delivered(classics, rejecting(0))},
	{name: "nacked, classic", want: "new; redelivered; redelivered", run: delivered(classics, nacking(0))},
	{name: "channel closed, classic", want: "new; redelivered; redelivered", run: delivered(classics, closingChannel)},
	{name: "connection dropped, classic", want: "new; redelivered; redelivered", run: delivered(classics, dropping)},
	{name: "recovered, classic", want: "new; redelivered; redelivered", run: delivered(classics, recovering)},
	{name: "cancelled and nacked, classic", want: "new; redelivered; redelivered", run: cancelling(classics, requeue)},
	{
		name: "rejected, quorum",
		want: "new delivery-count=0(int64); redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
		on: map[string]string{
			"4.0": "new; redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
			"4.3": "new; redelivered delivery-count=1(int64) acquired-count=1(int64); redelivered delivery-count=2(int64) acquired-count=2(int64)",
		},
		run: delivered(quorums, rejecting(0)),
	},
	{
		name: "nacked, quorum",
		want: "new delivery-count=0(int64); redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
		on: map[string]string{
			"4.0": "new; redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
			"4.3": "new; redelivered acquired-count=1(int64); redelivered acquired-count=2(int64)",
		},
		run: delivered(quorums, nacking(0)),
	},
	{
		name: "channel closed, quorum",
		want: "new delivery-count=0(int64); redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
		on: map[string]string{
			"4.0": "new; redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
			"4.3": "new; redelivered delivery-count=1(int64) acquired-count=1(int64); redelivered delivery-count=2(int64) acquired-count=2(int64)",
		},
		run: delivered(quorums, closingChannel),
	},
	{
		name: "channel failed, quorum",
		want: "new delivery-count=0(int64); redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
		on: map[string]string{
			"4.0": "new; redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
			"4.3": "new; redelivered delivery-count=1(int64) acquired-count=1(int64); redelivered delivery-count=2(int64) acquired-count=2(int64)",
		},
		run: delivered(quorums, failing),
	},
	{
		name: "connection closed, quorum",
		want: "new delivery-count=0(int64); redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
		on: map[string]string{
			"4.0": "new; redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
			"4.3": "new; redelivered delivery-count=1(int64) acquired-count=1(int64); redelivered delivery-count=2(int64) acquired-count=2(int64)",
		},
		run: delivered(quorums, closingConnection),
	},
	{
		name: "connection dropped, quorum",
		want: "new delivery-count=0(int64); redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
		on: map[string]string{
			"4.0": "new; redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
			"4.3": "new; redelivered delivery-count=1(int64) acquired-count=1(int64); redelivered delivery-count=2(int64) acquired-count=2(int64)",
		},
		run: delivered(quorums, dropping),
	},
	{
		name: "recovered, quorum",
		want: "new delivery-count=0(int64); redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
		on: map[string]string{
			"4.0": "new; redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
			"4.3": "new; redelivered acquired-count=1(int64); redelivered acquired-count=2(int64)",
		},
		run: delivered(quorums, recovering),
	},
	{
		name: "cancelled and nacked, quorum",
		want: "new; redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
		on: map[string]string{
			"4.3": "new; redelivered acquired-count=1(int64); redelivered acquired-count=2(int64)",
		},
		run: cancelling(quorums, requeue),
	},
	{
		name: "cancelled and rejected, quorum",
		want: "new; redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
		on: map[string]string{
			"4.3": "new; redelivered delivery-count=1(int64) acquired-count=1(int64); redelivered delivery-count=2(int64) acquired-count=2(int64)",
		},
		run: cancelling(quorums, reject),
	},
	{
		name: "rejected, quorum with a limit",
		want: "new delivery-count=0(int64); redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
		on: map[string]string{
			"4.0": "new; redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
			"4.3": "new; redelivered delivery-count=1(int64) acquired-count=1(int64); redelivered delivery-count=2(int64) acquired-count=2(int64)",
		},
		run: delivered(limiteds, rejecting(0)),
	},
	{
		name: "nacked, quorum with a limit",
		want: "new delivery-count=0(int64); redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
		on: map[string]string{
			"4.0": "new; redelivered delivery-count=1(int64); redelivered delivery-count=2(int64)",
			"4.3": "new; redelivered acquired-count=1(int64); redelivered acquired-count=2(int64)",
		},
		run: delivered(limiteds, nacking(0)),
	},
	{
		name: "in every way in turn",
		want: "new delivery-count=0(int64); redelivered delivery-count=1(int64); redelivered delivery-count=2(int64); redelivered delivery-count=3(int64); redelivered delivery-count=4(int64); redelivered delivery-count=5(int64); redelivered delivery-count=6(int64)",
		on: map[string]string{
			"4.0": "new; redelivered delivery-count=1(int64); redelivered delivery-count=2(int64); redelivered delivery-count=3(int64); redelivered delivery-count=4(int64); redelivered delivery-count=5(int64); redelivered delivery-count=6(int64)",
			"4.3": "new; redelivered acquired-count=1(int64); redelivered delivery-count=1(int64) acquired-count=2(int64); redelivered delivery-count=2(int64) acquired-count=3(int64); redelivered delivery-count=2(int64) acquired-count=4(int64); redelivered delivery-count=2(int64) acquired-count=5(int64); redelivered delivery-count=3(int64) acquired-count=6(int64)",
		},
		run: func(e *env) string {
			q := e.quorum("q", nil)
			e.put("", q, "x")
			var seen []string
			for _, back := range []back{nacking(0), rejecting(0), closingChannel, nacking(0), recovering, dropping, nacking(0)} {
				ch := e.channelOn(e.connect())
				held := ch.hold(q, 1)
				seen = append(seen, counted(held[0]))
				back(e, ch, held)
				e.settled(q, func(q amqp.Queue) bool { return q.Messages == 1 })
			}
			return strings.Join(seen, "; ")
		},
	},
	{
		name: "a delivery that is not acknowledged by hand",
		want: "new",
		run: func(e *env) string {
			q := e.quorum("q", nil)
			e.put("", q, "x")
			deliveries, err := e.channel().Consume(q, "", true, false, false, false, nil)
			e.must(err)
			return counted(e.next(deliveries))
		},
	},
	{
		name: "a publisher's own count, classic",
		want: "new delivery-count=77(int64) acquired-count=78(int64); redelivered delivery-count=77(int64) acquired-count=78(int64)",
		run: func(e *env) string {
			q := e.classic("q", nil)
			e.publish("", q, amqp.Publishing{Headers: amqp.Table{"x-delivery-count": int64(77), "x-acquired-count": int64(78)}})
			ch := e.channel()
			d := ch.hold(q, 1)[0]
			e.must(d.Reject(true))
			return counted(d) + "; " + counted(ch.hold(q, 1)[0])
		},
	},
	{
		name: "a publisher's own count, quorum",
		want: "new delivery-count=0(int64) acquired-count=78(int64); redelivered delivery-count=1(int64) acquired-count=78(int64)",
		on: map[string]string{
			"4.0": "new delivery-count=77(int64) acquired-count=78(int64); redelivered delivery-count=1(int64) acquired-count=78(int64)",
			"4.3": "new delivery-count=77(int64) acquired-count=78(int64); redelivered delivery-count=1(int64) acquired-count=1(int64)",
		},
		run: func(e *env) string {
			q := e.quorum("q", nil)
			e.publish("", q, amqp.Publishing{Headers: amqp.Table{"x-delivery-count": int64(77), "x-acquired-count": int64(78)}})
			ch := e.channel()
			d := ch.hold(q, 1)[0]
			e.must(d.Reject(true))
			return counted(d) + "; " + counted(ch.hold(q, 1)[0])
		},
	},
}}

// exhausted shows the deliveries of a message that comes back each time until it does not, and the queue of the dead.
// After 25 deliveries it gives up.
func exhausted(args amqp.Table, back back) func(e *env) string {
	return func(e *env) string {
		q, dlq := e.mortal(quorums, args)
		e.put("", q, "x")
		n, last := 0, ""
		for n < 25 {
			ch := e.channelOn(e.connect())
			d, ok, err := ch.Get(q, false)
			e.must(err)
			if !ok {
				break
			}
			n, last = n+1, counted(d)
			back(e, ch, []amqp.Delivery{d})
			e.until("", func() string {
				if e.counts(q) == "messages=1 consumers=0" || e.counts(dlq) == "messages=1 consumers=0" {
					return ""
				}
				return "on its way"
			})
		}
		return fmt.Sprintf("%d deliveries, the last %s, dlq: %s", n, last, e.taken(dlq))
	}
}

// limits is when a quorum queue has enough of a message.
var limits = section{"limit deliveries", []row{
	{
		name: "2, rejected",
		want: `3 deliveries, the last redelivered delivery-count=2(int64), dlq: body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"")`,
		on: map[string]string{
			"4.0": `3 deliveries, the last redelivered delivery-count=2(int64), dlq: body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"") + LAST(delivery_limit,q,"")`,
			"4.3": `3 deliveries, the last redelivered delivery-count=2(int64) acquired-count=2(int64), dlq: body=x redelivered=true exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"") + LAST(delivery_limit,q,"")`,
		},
		run: exhausted(arguments("x-delivery-limit", 2), rejecting(0)),
	},
	{
		name: "2, nacked",
		want: `3 deliveries, the last redelivered delivery-count=2(int64), dlq: body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"")`,
		on: map[string]string{
			"4.0": `3 deliveries, the last redelivered delivery-count=2(int64), dlq: body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"") + LAST(delivery_limit,q,"")`,
			"4.3": "25 deliveries, the last redelivered acquired-count=24(int64), dlq: none",
		},
		run: exhausted(arguments("x-delivery-limit", 2), nacking(0)),
	},
	{
		name: "2, channel closed",
		want: `3 deliveries, the last redelivered delivery-count=2(int64), dlq: body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"")`,
		on: map[string]string{
			"4.0": `3 deliveries, the last redelivered delivery-count=2(int64), dlq: body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"") + LAST(delivery_limit,q,"")`,
			"4.3": `3 deliveries, the last redelivered delivery-count=2(int64) acquired-count=2(int64), dlq: body=x redelivered=true exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"") + LAST(delivery_limit,q,"")`,
		},
		run: exhausted(arguments("x-delivery-limit", 2), closingChannel),
	},
	{
		name: "2, connection dropped",
		want: `3 deliveries, the last redelivered delivery-count=2(int64), dlq: body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"")`,
		on: map[string]string{
			"4.0": `3 deliveries, the last redelivered delivery-count=2(int64), dlq: body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"") + LAST(delivery_limit,q,"")`,
			"4.3": `3 deliveries, the last redelivered delivery-count=2(int64) acquired-count=2(int64), dlq: body=x redelivered=true exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"") + LAST(delivery_limit,q,"")`,
		},
		run: exhausted(arguments("x-delivery-limit", 2), dropping),
	},
	{
		name: "2, recovered",
		want: `3 deliveries, the last redelivered delivery-count=2(int64), dlq: body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"")`,
		on: map[string]string{
			"4.0": `3 deliveries, the last redelivered delivery-count=2(int64), dlq: body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"") + LAST(delivery_limit,q,"")`,
			"4.3": "25 deliveries, the last redelivered acquired-count=24(int64), dlq: none",
		},
		run: exhausted(arguments("x-delivery-limit", 2), recovering),
	},
	{
		name: "0",
		want: `1 deliveries, the last new delivery-count=0(int64), dlq: body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"")`,
		on: map[string]string{
			"4.0": `1 deliveries, the last new, dlq: body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"") + LAST(delivery_limit,q,"")`,
			"4.3": `1 deliveries, the last new, dlq: body=x redelivered=true exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"") + LAST(delivery_limit,q,"")`,
		},
		run: exhausted(arguments("x-delivery-limit", 0), rejecting(0)),
	},
	{
		name: "-1",
		want: `1 deliveries, the last new delivery-count=0(int64), dlq: body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"")`,
		on: map[string]string{
			"4.0": "25 deliveries, the last redelivered delivery-count=24(int64), dlq: none",
			"4.3": "25 deliveries, the last redelivered delivery-count=24(int64) acquired-count=24(int64), dlq: none",
		},
		run: exhausted(arguments("x-delivery-limit", -1), rejecting(0)),
	},
	{
		name: "none is set",
		want: "25 deliveries, the last redelivered delivery-count=24(int64), dlq: none",
		on: map[string]string{
			"4.0": `21 deliveries, the last redelivered delivery-count=20(int64), dlq: body=x redelivered=false exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"") + LAST(delivery_limit,q,"")`,
			"4.3": `21 deliveries, the last redelivered delivery-count=20(int64) acquired-count=20(int64), dlq: body=x redelivered=true exchange="" rk="dlq" headers={x-death:[D(delivery_limit,q,ex="",rks=["q"],n=1)]} + FIRST(delivery_limit,q,"") + LAST(delivery_limit,q,"")`,
		},
		run: exhausted(nil, rejecting(0)),
	},
	{
		name: "nothing is done with the dead",
		want: "none",
		run: func(e *env) string {
			q := e.quorum("q", arguments("x-delivery-limit", 1))
			e.put("", q, "x")
			for range 2 {
				ch := e.channel()
				e.must(ch.hold(q, 1)[0].Reject(true))
				e.must(ch.Close())
			}
			return e.stays(q)
		},
	},
	{
		name: "the innocent are counted with the culprit",
		want: "1,2,3",
		on: map[string]string{
			"4.3": "1(r),2(r),3(r)",
		},
		run: func(e *env) string {
			q, dlq := e.mortal(quorums, arguments("x-delivery-limit", 1))
			e.put("", q, "1", "2", "3")
			for range 2 {
				ch := e.channelOn(e.connect())
				ch.hold(q, 3)
				e.must(ch.conn.Close())
				e.sleep(quiet)
			}
			return list(e.await(dlq, 3))
		},
	},
	{
		name: "a message that dies of it, and the prefetch",
		want: "2,3,-",
		on: map[string]string{
			"4": "2,-",
		},
		run: func(e *env) string {
			q := e.quorum("q", arguments("x-delivery-limit", 0))
			e.put("", q, "1", "2", "3", "4", "5")
			_, deliveries := e.subscriber(q, 1, nil)
			e.must(e.next(deliveries).Reject(true))
			return e.rest(deliveries)
		},
	},
	{
		name: "a classic queue does not know it",
		want: "channel 406 PRECONDITION_FAILED - invalid arg 'x-delivery-limit' for queue 'q' in vhost '/' of queue type rabbit_classic_queue",
		run: func(e *env) string {
			q := e.queue("q")
			return e.try(func(ch *channel) error { return ch.declare(q, durable, arguments("x-delivery-limit", 1)) })
		},
	},
}}
