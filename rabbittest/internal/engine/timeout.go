package engine

import (
	"slices"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// timeoutOf reads x-consumer-timeout; 0 is none.
func timeoutOf(args wire.Table) time.Duration {
	v, _ := args.Get("x-consumer-timeout")
	return milliseconds(max(0, intOf(v)))
}

// bound is how long a delivery may stay unsettled; 0 is for ever. The consumer goes before the queue, and the queue
// before the broker, as far as the version knows them. https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout
func (d *delivery) bound() time.Duration {
	profile := &d.queue.node.profile
	switch {
	case profile.TimeoutCancels && !d.queue.Quorum:
		return 0
	case profile.TimeoutCancels && d.consumer != nil && d.consumer.timeout > 0:
		return d.consumer.timeout
	case d.queue.consumerTimeout > 0:
		return d.queue.consumerTimeout
	}
	return d.queue.node.cfg.ConsumerTimeout
}

// watch sees to it that a delivery is not kept for too long, where that is bounded.
func (ch *Channel) watch(d *delivery) {
	bound := d.bound()
	if bound == 0 {
		return
	}
	due := d.since.Add(bound)
	if ch.timeoutTimer != nil && !ch.timeoutTimer.due.After(due) {
		return
	}
	ch.timeoutTimer.Stop()
	ch.timeoutTimer = ch.node.At(due, ch.checkTimeout)
}

// checkTimeout ends who is late. RabbitMQ 4.3 cancels the consumer, if its client is told of that and has not done so
// itself, and if it is no basic.get; all else costs the channel.
func (ch *Channel) checkTimeout() {
	ch.timeoutTimer = nil
	cancels := ch.node.profile.TimeoutCancels
	var late []*Consumer
	for _, d := range ch.deliveries.list {
		bound := d.bound()
		switch {
		case bound == 0 || d.lost:
		case time.Since(d.since) < bound:
			ch.watch(d)
		case !cancels:
			ch.fail(ch.tooLate(bound.Milliseconds()))
			return
		case d.consumer == nil || d.consumer.gone || !ch.conn.Notify:
			ch.fail(ch.tooLate(-1)) // the queue noticed, and does not say what its bound is
			return
		case !slices.Contains(late, d.consumer):
			late = append(late, d.consumer)
		}
	}
	for _, c := range late {
		c.timeOut()
	}
}

func (ch *Channel) tooLate(ms int64) *Error {
	return ChannelFault(wire.PreconditionFailed, "delivery acknowledgement on channel %d timed out. Timeout value used: %d ms. "+
		"This timeout value can be configured, see consumers doc guide to learn more", ch.Number, ms)
}

// timeOut cancels a consumer and takes back what it has; a later ack of that does nothing.
func (c *Consumer) timeOut() {
	var back []*entry
	for _, d := range c.channel.deliveries.list {
		if d.consumer == c && !d.lost {
			d.lost = true
			back = append(back, d.entry)
		}
	}
	c.dismiss()
	c.queue.unacked -= len(back)
	c.queue.takeBack(back, timedOut)
}
