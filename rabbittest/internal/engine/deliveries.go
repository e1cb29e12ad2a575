package engine

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// delivery is a message that a client has and has not settled.
type delivery struct {
	tag      uint64
	entry    *entry
	queue    *Queue
	consumer *Consumer // nil for basic.get
	since    time.Time
	// lost: the queue has taken the message back (see TimeoutCancels), so that settling it does nothing.
	lost bool
}

// deliveries are those of one channel, in the order of their tags.
type deliveries struct {
	list []*delivery
	last uint64 // tag given so far
}

// next returns the next tag.
func (ds *deliveries) next() uint64 {
	ds.last++
	return ds.last
}

func (ds *deliveries) add(d *delivery) { ds.list = append(ds.list, d) }

func byTag(d *delivery, tag uint64) int {
	switch {
	case d.tag < tag:
		return -1
	case d.tag > tag:
		return 1
	}
	return 0
}

func (ds *deliveries) putBack(d *delivery) {
	at, _ := slices.BinarySearchFunc(ds.list, d.tag, byTag)
	ds.list = slices.Insert(ds.list, at, d)
}

// take returns the delivery with a tag; with multiple, all up to it, and 0 means all. As in RabbitMQ the tag itself
// must be outstanding, also with multiple.
func (ds *deliveries) take(tag uint64, multiple bool) ([]*delivery, *Error) {
	if multiple && tag == 0 {
		return ds.takeAll(), nil
	}
	at, found := slices.BinarySearchFunc(ds.list, tag, byTag)
	switch {
	case !found:
		return nil, ChannelFault(wire.PreconditionFailed, "unknown delivery tag %d", tag)
	case multiple:
		taken := ds.list[: at+1 : at+1]
		ds.list = ds.list[at+1:]
		return taken, nil
	case at == 0:
		taken := ds.list[:1:1]
		ds.list = ds.list[1:]
		return taken, nil
	}
	d := ds.list[at]
	ds.list = slices.Delete(ds.list, at, at+1)
	return []*delivery{d}, nil
}

func (ds *deliveries) takeAll() []*delivery {
	all := ds.list
	ds.list = nil
	return all
}

// cause says in what way a message came back from a consumer.
type cause int

const (
	acked cause = iota
	nacked
	rejected
	recovered  // basic.recover
	closedDown // the channel, the connection or the broker ended
	timedOut   // the consumer kept it for too long
)

// failed tells whether what came back, to stay or to be dead-lettered, was a failure of the consumer.
func (p Profile) failed(why cause, requeued bool) bool {
	switch {
	case why == closedDown:
		return true
	case p.RejectIsFailure:
		return why == rejected
	}
	return !requeued
}

// Ack settles deliveries as done.
func (ch *Channel) Ack(tag uint64, multiple bool) *Error {
	return ch.take(tag, multiple, false, acked)
}

// Nack settles deliveries as not done: with requeue they go back to their queue, without they are dead-lettered.
func (ch *Channel) Nack(tag uint64, multiple, requeue bool) *Error {
	return ch.take(tag, multiple, requeue, nacked)
}

// Reject is Nack for one delivery; RabbitMQ 4.3 tells them apart.
func (ch *Channel) Reject(tag uint64, requeue bool) *Error {
	return ch.take(tag, false, requeue, rejected)
}

func (ch *Channel) take(tag uint64, multiple, requeue bool, why cause) *Error {
	list, err := ch.deliveries.take(tag, multiple)
	if err != nil {
		return err
	}
	s := settlement{list: list, requeue: requeue, why: why}
	if ch.tx != nil {
		ch.tx.settled = append(ch.tx.settled, s)
		return nil
	}
	ch.settle(s)
	return nil
}

// settle carries out what a client said of its deliveries.
func (ch *Channel) settle(s settlement) {
	if s.requeue {
		ch.giveBack(s.list, s.why)
		return
	}
	for _, group := range byConsumer(s.list) {
		if q := group[0].queue; s.why != acked && !q.Quorum { // which goes through its priorities, one after the other
			slices.SortStableFunc(group, func(a, b *delivery) int { return cmp.Compare(a.entry.level, b.entry.level) })
		}
		for _, d := range group {
			ch.settleOne(d, s.why)
		}
		group[0].queue.settled(false)
	}
}

func (ch *Channel) settleOne(d *delivery, why cause) {
	ch.release(d)
	if d.lost || d.queue.deleted {
		return
	}
	d.queue.unacked--
	if why == acked {
		d.queue.node.record(Acked, d.queue, d.entry.Message, "")
		ch.node.touch(d.queue)
		return
	}
	d.queue.node.record(Rejected, d.queue, d.entry.Message, "")
	d.queue.refuse(d.entry, why)
}

// giveBack returns deliveries to their queues. To a quorum queue each consumer's are a command of their own, after
// which it delivers.
func (ch *Channel) giveBack(list []*delivery, why cause) {
	for _, group := range byConsumer(list) {
		var back []*entry
		for _, d := range group {
			ch.release(d)
			if !d.lost && !d.queue.deleted {
				back = append(back, d.entry)
			}
		}
		if back == nil {
			continue
		}
		q := group[0].queue
		q.unacked -= len(back)
		q.takeBack(back, why)
		q.settled(why != closedDown)
		if q.Quorum && why == nacked {
			q.pump()
		}
	}
}

// byConsumer takes deliveries apart as RabbitMQ does that settles them at once (rabbit_channel.erl,
// foreach_per_queue): queue by queue; within it first those of basic.get, then each consumer's, by its tag; in the end
// in the order of delivery.
func byConsumer(list []*delivery) [][]*delivery {
	order := map[*Queue]int{}
	for _, d := range list {
		if _, seen := order[d.queue]; !seen {
			order[d.queue] = len(order)
		}
	}
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b *delivery) int {
		return cmp.Or(cmp.Compare(order[a.queue], order[b.queue]), strings.Compare(a.consumerTag(), b.consumerTag()))
	})
	var groups [][]*delivery
	for from := 0; from < len(sorted); {
		to := from + 1
		for to < len(sorted) && sorted[to].queue == sorted[from].queue && sorted[to].consumerTag() == sorted[from].consumerTag() {
			to++
		}
		groups = append(groups, sorted[from:to:to])
		from = to
	}
	return groups
}

// consumerTag is empty for basic.get.
func (d *delivery) consumerTag() string {
	if d.consumer == nil {
		return ""
	}
	return d.consumer.Tag
}

// release gives the consumer and the channel room for another delivery.
func (ch *Channel) release(d *delivery) {
	if c := d.consumer; c != nil {
		if c.full() && (d.queue.Quorum || c.passedOver) {
			d.queue.lineUp(c)
		}
		if c.unacked--; c.gone {
			c.bequeath()
		}
		ch.limited--
		if ch.limit > 0 { // it may have held back any of them
			for _, other := range ch.consumers {
				ch.node.touch(other.queue)
			}
		}
		ch.node.touch(d.queue)
	} else {
		d.queue.holders--
	}
}

// Recover gives back everything that is unsettled on the channel.
func (ch *Channel) Recover(requeue bool) *Error {
	if !requeue {
		return ConnectionFault(wire.NotImplemented, "requeue=false")
	}
	ch.giveBack(ch.deliveries.takeAll(), recovered)
	return nil
}

// Get takes one message, and says how many are left.
func (ch *Channel) Get(queue string, noAck bool) (d Delivery, left int, ok bool, fault *Error) {
	q, err := ch.queue(queue, Read)
	if err != nil {
		return Delivery{}, 0, false, err
	}
	if err := q.checkOwner(ch.conn); err != nil {
		return Delivery{}, 0, false, err
	}
	if q.Quorum && q.singleActive {
		return Delivery{}, 0, false, ChannelFault(wire.ResourceLocked,
			"cannot obtain access to locked %s. basic.get operations are not supported by %s queues with single active consumer", q, ch.node.profile.QuorumInGet)
	}
	if q.crashed {
		return Delivery{}, 0, false, q.noProcess("Cannot get a message from queue '%s': noproc")
	}
	q.used()
	q.expire()
	e := q.next()
	if e == nil {
		return Delivery{}, 0, false, nil
	}
	return ch.hand(q, q.takeNext(), nil, noAck), q.Ready(), true, nil
}

// hand gives an entry to the client.
func (ch *Channel) hand(q *Queue, e *entry, c *Consumer, noAck bool) Delivery {
	d := Delivery{
		Tag:         ch.deliveries.next(),
		Redelivered: e.redelivered,
		Exchange:    e.Exchange,
		Key:         e.Key,
		Properties:  q.properties(e, c == nil),
		Body:        e.Body,
	}
	q.node.record(Delivered, q, e.Message, "")
	if noAck {
		q.node.touch(q)
		return d
	}
	e.holder = c
	held := &delivery{tag: d.Tag, entry: e, queue: q, consumer: c, since: time.Now()}
	ch.deliveries.add(held)
	q.unacked++
	if c != nil {
		c.unacked++
		ch.limited++
	} else {
		q.holders++
	}
	ch.watch(held)
	return d
}
