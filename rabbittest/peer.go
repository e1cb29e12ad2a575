package rabbittest

import (
	"github.com/warren-mq/warren/rabbittest/internal/engine"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// A channel is the engine's Peer: what the broker says by itself.
var _ engine.Peer = (*channel)(nil)

// Deliver sends basic.deliver.
func (ch *channel) Deliver(tag string, d engine.Delivery) {
	ch.conn.sendContent(ch.number, &wire.BasicDeliver{
		ConsumerTag: tag, DeliveryTag: d.Tag, Redelivered: d.Redelivered, Exchange: d.Exchange, RoutingKey: d.Key,
	}, &d.Properties, d.Body)
}

// Return sends basic.return.
func (ch *channel) Return(code uint16, text string, m *engine.Message) {
	ch.conn.sendContent(ch.number, &wire.BasicReturn{
		ReplyCode: code, ReplyText: text, Exchange: m.Exchange, RoutingKey: m.Key,
	}, &m.Properties, m.Body)
}

// Confirm sends basic.ack or basic.nack, or keeps it: see [Broker.HoldConfirms].
func (ch *channel) Confirm(tag uint64, ack bool) {
	ch.conn.broker.faults.confirm(func() {
		if ack {
			ch.conn.send(ch.number, &wire.BasicAck{DeliveryTag: tag})
		} else {
			ch.conn.send(ch.number, &wire.BasicNack{DeliveryTag: tag})
		}
	})
}

// Cancel sends basic.cancel.
func (ch *channel) Cancel(tag string) {
	ch.conn.send(ch.number, &wire.BasicCancel{ConsumerTag: tag, NoWait: true})
}

// Close sends channel.close.
func (ch *channel) Close(e *engine.Error) { ch.say(e, nil) }
