package rabbittest

import (
	"github.com/warren-mq/warren/rabbittest/internal/engine"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// channel is a client's channel: it turns methods into calls of the engine, and what the engine says into methods.
type channel struct {
	*engine.Channel
	conn   *conn
	number uint16

	closing bool // channel.close was sent: all but its answer is ignored
}

// channelCommand takes a method of a channel other than 0.
func (c *conn) channelCommand(number uint16, m wire.Method, with *content) {
	ch := c.channels[number]
	_, opens := m.(*wire.ChannelOpen)
	switch {
	case ch == nil && opens:
		c.openChannel(number)
	case ch == nil:
		c.fail(engine.ConnectionFault(wire.ChannelError, "expected 'channel.open'"), m)
	case ch.closing:
		ch.farewell(m)
	case opens:
		c.fail(secondOpen(), m)
	default:
		if err := ch.command(m, with); err != nil {
			ch.fail(err, m)
		}
	}
}

// openChannel opens a channel. RabbitMQ bounds how many there are, and not their numbers.
func (c *conn) openChannel(number uint16) {
	if len(c.channels) >= int(c.channelMax) {
		c.fail(engine.ConnectionFault(wire.NotAllowed,
			"number of channels opened (%d) has reached the negotiated channel_max (%d)", len(c.channels), c.channelMax), nil)
		return
	}
	ch := &channel{conn: c, number: number}
	ch.Channel = c.engine.Channel(number, ch)
	c.channels[number] = ch
	c.send(number, &wire.ChannelOpenOk{})
}

// farewell takes a method of a channel that is closing: it hears its answer, and answers to the same wish. The number
// is not free before that.
func (ch *channel) farewell(m wire.Method) {
	switch m.(type) {
	case *wire.ChannelCloseOk:
		delete(ch.conn.channels, ch.number)
	case *wire.ChannelClose:
		ch.conn.send(ch.number, &wire.ChannelCloseOk{})
	case *wire.ChannelOpen:
		ch.conn.fail(secondOpen(), m)
	}
}

func secondOpen() *engine.Error {
	return engine.ConnectionFault(wire.ChannelError, "second 'channel.open' seen")
}

// fail closes the channel, or the connection, with an error that m has caused.
func (ch *channel) fail(e *engine.Error, m wire.Method) {
	if e.Connection {
		ch.conn.fail(e, m)
		return
	}
	ch.Channel.Close()
	ch.say(e, m)
}

// say sends channel.close.
func (ch *channel) say(e *engine.Error, m wire.Method) {
	ch.closing = true
	reply := &wire.ChannelClose{ReplyCode: e.Code, ReplyText: e.Text}
	if m != nil {
		reply.ClassID, reply.MethodID = wire.ID(m)
	}
	ch.conn.send(ch.number, reply)
}

// answer sends a reply, unless the client does not want one.
func (ch *channel) answer(noWait bool, m wire.Method) {
	if !noWait {
		ch.conn.send(ch.number, m)
	}
}

// command carries out a method.
func (ch *channel) command(m wire.Method, with *content) *engine.Error {
	switch m := m.(type) {
	case *wire.BasicPublish:
		return ch.publish(m, with)
	case *wire.BasicAck:
		return ch.Ack(m.DeliveryTag, m.Multiple)
	case *wire.BasicNack:
		return ch.Nack(m.DeliveryTag, m.Multiple, m.Requeue)
	case *wire.BasicReject:
		return ch.Reject(m.DeliveryTag, m.Requeue)
	case *wire.BasicQos:
		return ch.answerIf(ch.Qos(m.PrefetchSize, m.PrefetchCount, m.Global), false, &wire.BasicQosOk{})
	case *wire.BasicConsume:
		return ch.consume(m)
	case *wire.BasicCancel:
		ch.Channel.Cancel(m.ConsumerTag) // not ch.Cancel, which tells the client
		ch.answer(m.NoWait, &wire.BasicCancelOk{ConsumerTag: m.ConsumerTag})
		return nil
	case *wire.BasicGet:
		return ch.get(m)
	case *wire.BasicRecover:
		return ch.answerIf(ch.Recover(m.Requeue), false, &wire.BasicRecoverOk{})
	case *wire.BasicRecoverAsync:
		return ch.Recover(m.Requeue)
	case *wire.ConfirmSelect:
		return ch.answerIf(ch.ConfirmSelect(), m.NoWait, &wire.ConfirmSelectOk{})
	case *wire.TxSelect:
		return ch.answerIf(ch.TxSelect(), false, &wire.TxSelectOk{})
	case *wire.TxCommit:
		return ch.answerIf(ch.TxCommit(), false, &wire.TxCommitOk{})
	case *wire.TxRollback:
		return ch.answerIf(ch.TxRollback(), false, &wire.TxRollbackOk{})
	case *wire.ChannelClose:
		ch.Channel.Close()
		delete(ch.conn.channels, ch.number)
		ch.conn.send(ch.number, &wire.ChannelCloseOk{})
		return nil
	case *wire.ChannelFlow:
		if !m.Active {
			return engine.ConnectionFault(wire.NotImplemented, "active=false")
		}
		ch.answer(false, &wire.ChannelFlowOk{Active: true})
		return nil
	case *wire.AccessRequest:
		ch.answer(false, &wire.AccessRequestOk{Ticket: 1})
		return nil
	}
	return ch.topology(m)
}

// topology carries out a method about queues and exchanges.
func (ch *channel) topology(m wire.Method) *engine.Error {
	switch m := m.(type) {
	case *wire.QueueDeclare:
		return ch.declareQueue(m)
	case *wire.QueueBind:
		return ch.answerIf(ch.Bind(engine.Binding{
			Source: m.Exchange, ToQueue: true, To: m.Queue, Key: m.RoutingKey, Arguments: m.Arguments,
		}), m.NoWait, &wire.QueueBindOk{})
	case *wire.QueueUnbind:
		return ch.answerIf(ch.Unbind(engine.Binding{
			Source: m.Exchange, ToQueue: true, To: m.Queue, Key: m.RoutingKey, Arguments: m.Arguments,
		}), false, &wire.QueueUnbindOk{})
	case *wire.QueuePurge:
		n, err := ch.QueuePurge(m.Queue)
		return ch.answerIf(err, m.NoWait, &wire.QueuePurgeOk{MessageCount: uint32(n)})
	case *wire.QueueDelete:
		n, err := ch.QueueDelete(m.Queue, m.IfUnused, m.IfEmpty)
		return ch.answerIf(err, m.NoWait, &wire.QueueDeleteOk{MessageCount: uint32(n)})
	case *wire.ExchangeDeclare:
		return ch.declareExchange(m)
	case *wire.ExchangeDelete:
		return ch.answerIf(ch.ExchangeDelete(m.Exchange, m.IfUnused), m.NoWait, &wire.ExchangeDeleteOk{})
	case *wire.ExchangeBind:
		return ch.answerIf(ch.Bind(engine.Binding{
			Source: m.Source, To: m.Destination, Key: m.RoutingKey, Arguments: m.Arguments,
		}), m.NoWait, &wire.ExchangeBindOk{})
	case *wire.ExchangeUnbind:
		return ch.answerIf(ch.Unbind(engine.Binding{
			Source: m.Source, To: m.Destination, Key: m.RoutingKey, Arguments: m.Arguments,
		}), m.NoWait, &wire.ExchangeUnbindOk{})
	}
	return engine.ConnectionFault(wire.CommandInvalid, "unimplemented method")
}

// answerIf sends a reply if there is no error, and passes on the error.
func (ch *channel) answerIf(err *engine.Error, noWait bool, m wire.Method) *engine.Error {
	if err == nil {
		ch.answer(noWait, m)
	}
	return err
}

func (ch *channel) declareQueue(m *wire.QueueDeclare) *engine.Error {
	var info engine.QueueInfo
	var err *engine.Error
	if m.Passive {
		info, err = ch.QueueCheck(m.Queue)
	} else {
		info, err = ch.QueueDeclare(engine.QueueSpec{
			Name: m.Queue, Durable: m.Durable, Exclusive: m.Exclusive, AutoDelete: m.AutoDelete, Arguments: m.Arguments,
		})
	}
	return ch.answerIf(err, m.NoWait, &wire.QueueDeclareOk{
		Queue: info.Name, MessageCount: uint32(info.Messages), ConsumerCount: uint32(info.Consumers),
	})
}

func (ch *channel) declareExchange(m *wire.ExchangeDeclare) *engine.Error {
	var err *engine.Error
	if m.Passive {
		err = ch.ExchangeCheck(m.Exchange)
	} else {
		err = ch.ExchangeDeclare(engine.ExchangeSpec{
			Name: m.Exchange, Type: m.Type, Durable: m.Durable, AutoDelete: m.AutoDelete, Internal: m.Internal, Arguments: m.Arguments,
		})
	}
	return ch.answerIf(err, m.NoWait, &wire.ExchangeDeclareOk{})
}

func (ch *channel) consume(m *wire.BasicConsume) *engine.Error {
	tag, err := ch.Consume(engine.Subscription{
		Queue: m.Queue, Tag: m.ConsumerTag, NoAck: m.NoAck, Exclusive: m.Exclusive, Arguments: m.Arguments,
	})
	return ch.answerIf(err, m.NoWait, &wire.BasicConsumeOk{ConsumerTag: tag})
}

func (ch *channel) get(m *wire.BasicGet) *engine.Error {
	d, left, ok, err := ch.Get(m.Queue, m.NoAck)
	switch {
	case err != nil:
		return err
	case !ok:
		ch.answer(false, &wire.BasicGetEmpty{})
	default:
		ch.conn.sendContent(ch.number, &wire.BasicGetOk{
			DeliveryTag: d.Tag, Redelivered: d.Redelivered, Exchange: d.Exchange, RoutingKey: d.Key, MessageCount: uint32(left),
		}, &d.Properties, d.Body)
	}
	return nil
}
