package conformance_test

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A back is a way in which messages that are held come back to their queue.
type back func(e *env, ch *channel, held []amqp.Delivery)

// rejecting rejects some of the held, in this order.
func rejecting(which ...int) back {
	return func(e *env, _ *channel, held []amqp.Delivery) {
		for _, i := range which {
			e.must(held[i].Reject(true))
		}
	}
}

// nacking nacks some of the held, in this order.
func nacking(which ...int) back {
	return func(e *env, _ *channel, held []amqp.Delivery) {
		for _, i := range which {
			e.must(held[i].Nack(false, true))
		}
	}
}

// nackingAll nacks all with one frame.
func nackingAll(e *env, _ *channel, held []amqp.Delivery) {
	e.must(held[len(held)-1].Nack(true, true))
}

// ackingMiddle acknowledges one and closes the channel over the others.
func ackingMiddle(e *env, ch *channel, held []amqp.Delivery) {
	e.must(held[len(held)/2].Ack(false))
	e.must(ch.Close())
}

func closingChannel(e *env, ch *channel, _ []amqp.Delivery)    { e.must(ch.Close()) }
func closingConnection(e *env, ch *channel, _ []amqp.Delivery) { e.must(ch.conn.Close()) }
func recovering(e *env, ch *channel, _ []amqp.Delivery)        { e.must(ch.recover(true)) }

// recover is what other clients still send.
func (ch *channel) recover(requeue bool) error {
	return ch.Recover(requeue) //nolint:staticcheck // deprecated, and yet a part of the protocol
}

// failing makes the broker close the channel, for an error.
func failing(e *env, ch *channel, _ []amqp.Delivery) {
	e.must(ch.Ack(99, false))
	ch.fate()
}

// dropping cuts the connection, as a crash does.
func dropping(e *env, ch *channel, _ []amqp.Delivery) {
	if err := e.sockets[ch.conn].Close(); err != nil {
		e.Fatal(err)
	}
}

// requeued says in which order five messages come, of which three were taken and came back.
func requeued(declare kind, back back) func(e *env) string {
	return requeuedOf(3, declare, back)
}

func requeuedOf(n int, declare kind, back back) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", nil)
		e.put("", q, "1", "2", "3", "4", "5")
		ch := e.channelOn(e.connect())
		back(e, ch, ch.hold(q, n))
		e.sleep(quiet)
		return e.rest(e.channel().consume(q, "", nil))
	}
}

// settled waits until a queue is as it should be.
func (e *env) settled(queue string, is func(amqp.Queue) bool) {
	e.Helper()
	ch := e.channel()
	defer func() { _ = ch.Close() }()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		q, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
		e.must(err)
		if is(q) {
			return
		}
		if time.Now().After(deadline) {
			e.Fatalf("the queue has %d messages and %d consumers", q.Messages, q.Consumers)
		}
	}
}

// requeueing is where messages stand in their queue when they come back.
var requeueing = section{"requeue", []row{
	{name: "the first of three, classic", want: "1(r),4,5,-", run: requeued(classics, rejecting(0))},
	{name: "the second of three, classic", want: "2(r),4,5,-", run: requeued(classics, rejecting(1))},
	{name: "the third of three, classic", want: "3(r),4,5,-", run: requeued(classics, rejecting(2))},
	{name: "all in order, classic", want: "1(r),2(r),3(r),4,5,-", run: requeued(classics, nacking(0, 1, 2))},
	{name: "all in reverse, classic", want: "1(r),2(r),3(r),4,5,-", run: requeued(classics, nacking(2, 1, 0))},
	{name: "all out of order, classic", want: "1(r),2(r),3(r),4,5,-", run: requeued(classics, nacking(1, 0, 2))},
	{name: "all at once, classic", want: "1(r),2(r),3(r),4,5,-", run: requeued(classics, nackingAll)},
	{name: "by a closed channel, classic", want: "1(r),2(r),3(r),4,5,-", run: requeued(classics, closingChannel)},
	{name: "by a closed channel after one acknowledgement, classic", want: "1(r),3(r),4,5,-", run: requeued(classics, ackingMiddle)},
	{name: "by a failed channel, classic", want: "1(r),2(r),3(r),4,5,-", run: requeued(classics, failing)},
	{name: "by a closed connection, classic", want: "1(r),2(r),3(r),4,5,-", run: requeued(classics, closingConnection)},
	{name: "by a dropped connection, classic", want: "1(r),2(r),3(r),4,5,-", run: requeued(classics, dropping)},
	{name: "by recover, classic", want: "1(r),2(r),3(r),4,5,-", run: requeued(classics, recovering)},
	{name: "the whole queue out of order, classic", want: "1(r),2(r),3(r),4(r),5(r),-", run: requeuedOf(5, classics, rejecting(3, 1, 4, 0, 2))},

	{
		name: "the first of three, quorum",
		want: "4,5,1(r),-",
		on: map[string]string{
			"4": "1(r),4,5,-",
		},
		run: requeued(quorums, rejecting(0)),
	},
	{
		name: "the second of three, quorum",
		want: "4,5,2(r),-",
		on: map[string]string{
			"4": "2(r),4,5,-",
		},
		run: requeued(quorums, rejecting(1)),
	},
	{
		name: "the third of three, quorum",
		want: "4,5,3(r),-",
		on: map[string]string{
			"4": "3(r),4,5,-",
		},
		run: requeued(quorums, rejecting(2)),
	},
	{
		name: "all in order, quorum",
		want: "4,5,1(r),2(r),3(r),-",
		on: map[string]string{
			"4": "1(r),2(r),3(r),4,5,-",
		},
		run: requeued(quorums, nacking(0, 1, 2)),
	},
	{
		name: "all in reverse, quorum",
		want: "4,5,3(r),2(r),1(r),-",
		on: map[string]string{
			"4": "3(r),2(r),1(r),4,5,-",
		},
		run: requeued(quorums, nacking(2, 1, 0)),
	},
	{
		name: "all out of order, quorum",
		want: "4,5,2(r),1(r),3(r),-",
		on: map[string]string{
			"4": "2(r),1(r),3(r),4,5,-",
		},
		run: requeued(quorums, nacking(1, 0, 2)),
	},
	{
		name: "all at once, quorum",
		want: "4,5,1(r),2(r),3(r),-",
		on: map[string]string{
			"4": "1(r),2(r),3(r),4,5,-",
		},
		run: requeued(quorums, nackingAll),
	},
	{name: "by a closed channel, quorum", want: "1(r),2(r),3(r),4,5,-", run: requeued(quorums, closingChannel)},
	{name: "by a closed channel after one acknowledgement, quorum", want: "1(r),3(r),4,5,-", run: requeued(quorums, ackingMiddle)},
	{name: "by a failed channel, quorum", want: "1(r),2(r),3(r),4,5,-", run: requeued(quorums, failing)},
	{name: "by a closed connection, quorum", want: "1(r),2(r),3(r),4,5,-", run: requeued(quorums, closingConnection)},
	{name: "by a dropped connection, quorum", want: "1(r),2(r),3(r),4,5,-", run: requeued(quorums, dropping)},
	{
		name: "by recover, quorum",
		want: "4,5,1(r),2(r),3(r),-",
		on: map[string]string{
			"4": "1(r),2(r),3(r),4,5,-",
		},
		run: requeued(quorums, recovering),
	},
	{name: "the whole queue out of order, quorum", want: "4(r),2(r),5(r),1(r),3(r),-", run: requeuedOf(5, quorums, rejecting(3, 1, 4, 0, 2))},

	{name: "the first of three, quorum with a limit", want: "1(r),4,5,-", run: requeued(limiteds, rejecting(0))},
	{name: "all in order, quorum with a limit", want: "1(r),2(r),3(r),4,5,-", run: requeued(limiteds, nacking(0, 1, 2))},
	{name: "all in reverse, quorum with a limit", want: "3(r),2(r),1(r),4,5,-", run: requeued(limiteds, nacking(2, 1, 0))},
	{name: "all out of order, quorum with a limit", want: "2(r),1(r),3(r),4,5,-", run: requeued(limiteds, rejecting(1, 0, 2))},
	{name: "all at once, quorum with a limit", want: "1(r),2(r),3(r),4,5,-", run: requeued(limiteds, nackingAll)},
	{name: "by a closed channel, quorum with a limit", want: "1(r),2(r),3(r),4,5,-", run: requeued(limiteds, closingChannel)},
	{name: "by a dropped connection, quorum with a limit", want: "1(r),2(r),3(r),4,5,-", run: requeued(limiteds, dropping)},
	{name: "by recover, quorum with a limit", want: "1(r),2(r),3(r),4,5,-", run: requeued(limiteds, recovering)},

	{
		name: "to a consumer that waits",
		want: "2,1(r)",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			deliveries := ch.consume(q, "", nil)
			e.put("", q, "1", "2")
			first := e.next(deliveries)
			e.must(first.Nack(false, true))
			return e.receive(deliveries, 2)
		},
	},
	{
		name: "to another consumer, which waits",
		want: "1(r),- / -",
		run: func(e *env) string {
			q := e.classic("q", nil)
			busy, idle := e.channel(), e.channel()
			e.must(busy.Qos(1, 0, false))
			first := busy.consume(q, "", nil)
			e.put("", q, "1")
			d := e.next(first)
			second := idle.consume(q, "", nil)
			e.must(d.Nack(false, true))
			return e.rest(first) + " / " + e.rest(second)
		},
	},
	{
		name: "recover without requeue",
		want: "connection 540 NOT_IMPLEMENTED - requeue=false",
		run: func(e *env) string {
			return e.try(func(ch *channel) error { return ch.recover(false) })
		},
	},
	{
		name: "recover to one's own consumer",
		want: "1,2 / 1(r),2(r)",
		run: func(e *env) string {
			q := e.classic("q", nil)
			ch := e.channel()
			deliveries := ch.consume(q, "", nil)
			e.put("", q, "1", "2")
			seen := e.receive(deliveries, 2)
			e.must(ch.recover(true))
			return seen + " / " + e.receive(deliveries, 2)
		},
	},
}}
