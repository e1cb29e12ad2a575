package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// Consumer is a subscription.
type Consumer struct {
	Tag       string
	NoAck     bool
	Exclusive bool
	Priority  int64
	Arguments wire.Table

	channel    *Channel
	queue      *Queue
	prefetch   int           // 0: as many as there are
	timeout    time.Duration // for an acknowledgement, instead of the queue's; 0: none of its own
	extra      int           // may have so many more than its prefetch
	unacked    int
	passedOver bool // a classic queue had something for it when it was full
	gone       bool
	starved    bool // it gets nothing, whatever it has room for: see Node.StarveConsumers
}

// Subscription is what basic.consume says.
type Subscription struct {
	Queue, Tag       string
	NoAck, Exclusive bool
	Arguments        wire.Table
}

func (s Subscription) priority() int64 {
	v, _ := s.Arguments.Get("x-priority")
	return intOf(v)
}

// Qos limits how many unsettled deliveries a client gets: each consumer that subscribes from now on, or, with global,
// the channel as a whole. https://www.rabbitmq.com/docs/consumer-prefetch
func (ch *Channel) Qos(size uint32, count uint16, global bool) *Error {
	if size != 0 {
		return ConnectionFault(wire.NotImplemented, "prefetch_size!=0 (%d)", size)
	}
	if !global || ch.node.profile.IgnoresGlobalQos {
		ch.prefetch = int(count)
		return nil
	}
	ch.limit = int(count)
	for _, c := range ch.consumers {
		ch.node.touch(c.queue)
	}
	return nil
}

// Consume subscribes, and returns the consumer's tag. Deliveries come when the caller's Do ends.
func (ch *Channel) Consume(s Subscription) (string, *Error) {
	if s.Queue == directReplyTo {
		return ch.consumeReplies(s)
	}
	q, err := ch.queue(s.Queue, Read)
	if err != nil {
		return "", err
	}
	if _, taken := ch.consumers[s.Tag]; taken && s.Tag != "" {
		return "", tagTaken(s.Tag)
	}
	if err := q.checkOwner(ch.conn); err != nil {
		return "", err
	}
	if err := q.checkConsumer(s.Arguments); err != nil {
		return "", err
	}
	if q.crashed {
		return "", q.noProcess(ch.node.profile.DeadToConsumers)
	}
	if q.Quorum && ch.limit > 0 && ch.node.profile.RefusesGlobalQos {
		return "", ConnectionFault(wire.NotImplemented, "%s does not support global qos", q)
	}
	if s.Exclusive && (len(q.consumers) > 0 || q.singleActive) && !q.Quorum || q.heldExclusively() {
		return "", ChannelFault(wire.AccessRefused, "%s in exclusive use", q)
	}
	c := &Consumer{
		Tag: s.Tag, NoAck: s.NoAck, Exclusive: s.Exclusive && !q.Quorum, Priority: s.priority(), Arguments: s.Arguments,
		channel: ch, queue: q, prefetch: ch.prefetch, timeout: timeoutOf(s.Arguments),
	}
	if c.Tag == "" {
		c.Tag = newTag()
	}
	ch.consumers[c.Tag] = c
	c.succeed()
	q.join(c)
	return c.Tag, nil
}

func newTag() string { return "amq.ctag-" + randomName() }

func tagTaken(tag string) *Error {
	return ConnectionFault(wire.NotAllowed, "attempt to reuse consumer tag '%s'", tag)
}

// Cancel ends a subscription. What the consumer has not settled stays with the channel. A tag that is not known is
// none of the broker's business.
func (ch *Channel) Cancel(tag string) {
	if c := ch.consumers[tag]; c != nil {
		c.leave()
	} else if ch.replies != nil && ch.replies.tag == tag {
		ch.endReplies()
	}
}

func (ch *Channel) sortedConsumers() []*Consumer {
	return slices.SortedFunc(maps.Values(ch.consumers), func(a, b *Consumer) int { return cmp.Compare(a.Tag, b.Tag) })
}

// leave takes a consumer out of its channel and its queue.
func (c *Consumer) leave() {
	if c.gone {
		return
	}
	c.gone = true
	if c.unacked > 0 {
		c.queue.holders++
	}
	delete(c.channel.consumers, c.Tag)
	c.queue.part(c)
}

// dismiss ends a subscription by no wish of the client, who hears of it after the answer to the command that did it.
func (c *Consumer) dismiss() {
	if c.gone {
		return
	}
	c.leave()
	if c.channel.conn.Notify {
		c.channel.node.dismissed = append(c.channel.node.dismissed, c)
	}
}

// succeed takes over what a cancelled consumer of the same tag, channel and quorum queue has not settled: to the queue
// they are one.
func (c *Consumer) succeed() {
	if !c.queue.Quorum {
		return
	}
	for _, d := range c.channel.deliveries.list {
		if d.queue == c.queue && d.consumer != nil && d.consumer.Tag == c.Tag && !d.lost {
			d.consumer = c
			c.unacked++
		}
	}
	if c.unacked > 0 {
		c.queue.holders--
	}
}

// hasRoom tells whether the consumer may get another delivery.
func (c *Consumer) hasRoom() bool {
	if c.starved {
		return false
	}
	if c.NoAck {
		return true
	}
	ch := c.channel
	return !c.full() && (ch.limit == 0 || ch.limited < ch.limit)
}

// full tells whether the consumer has as many deliveries as it may have.
func (c *Consumer) full() bool { return c.prefetch > 0 && c.unacked >= c.prefetch+c.extra }

// bequeath is told that something was settled that the consumer got before it was cancelled. A classic queue knows
// only its tag, and gives the room to who has that now.
func (c *Consumer) bequeath() {
	if c.unacked == 0 {
		c.queue.holders--
	}
	if heir := c.channel.consumers[c.Tag]; heir != nil && heir.queue == c.queue && !c.queue.Quorum {
		heir.extra++
	}
}

func (c *Consumer) deliver(e *entry) {
	c.channel.peer.Deliver(c.Tag, c.channel.hand(c.queue, e, c, c.NoAck))
}

// String names the consumer for people.
func (c *Consumer) String() string {
	return fmt.Sprintf("%s on channel %d of %s", c.Tag, c.channel.Number, c.queue.Name)
}
