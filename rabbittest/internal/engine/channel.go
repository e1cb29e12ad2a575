package engine

import (
	"slices"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// Peer is the client's end of a channel. It is called under the node's lock and must not block.
type Peer interface {
	// Deliver is basic.deliver.
	Deliver(consumerTag string, d Delivery)
	// Return is basic.return: the message found no queue.
	Return(code uint16, text string, m *Message)
	// Confirm is basic.ack or basic.nack for a publishing.
	Confirm(tag uint64, ack bool)
	// Cancel is basic.cancel: the consumer is gone, by no wish of the client. It is only told to those who want to know.
	Cancel(consumerTag string)
	// Close is channel.close. The channel has been closed already.
	Close(err *Error)
}

// Delivery is a message on its way to a client.
type Delivery struct {
	Tag         uint64
	Redelivered bool
	Exchange    string
	Key         string
	Properties  wire.Properties
	Body        []byte
}

// Channel is a client's channel. After Close no method may be called.
type Channel struct {
	Number uint16

	conn      *Conn
	node      *Node
	vhost     *vhost
	peer      Peer
	lastQueue string // that was declared here, for commands that name none

	confirming bool
	published  uint64 // confirm tags given so far
	tx         *transaction

	consumers    map[string]*Consumer
	replies      *replies
	replyNumber  uint64 // of the channel, among those that have consumed direct replies
	prefetch     int    // for the consumers that come now
	limit        int    // of the whole channel; 0 is none
	limited      int    // deliveries that count for it
	deliveries   deliveries
	closed       bool
	timeoutTimer *Timer
}

// transaction is what a channel holds back until tx.commit.
type transaction struct {
	published []*Message
	settled   []settlement
}

// settlement is an ack, nack or reject that waits for its commit.
type settlement struct {
	list    []*delivery
	requeue bool
	why     cause
}

// Publishing is a message as a client sends it.
type Publishing struct {
	Exchange, Key        string
	Mandatory, Immediate bool
	Properties           wire.Properties
	Body                 []byte
}

// Publish takes a message, routes it and puts it into queues; or keeps it for tx.commit.
func (ch *Channel) Publish(p Publishing) *Error {
	if p.Immediate {
		return ConnectionFault(wire.NotImplemented, "immediate=true")
	}
	if limit := ch.node.cfg.MaxMessageSize; len(p.Body) > limit {
		return ch.node.oversize(len(p.Body), limit)
	}
	if err := ch.checkPublish(p); err != nil {
		return err
	}
	m := &Message{
		Exchange: p.Exchange, Key: p.Key, Mandatory: p.Mandatory, Properties: p.Properties, Body: p.Body,
	}
	if ch.node.profile.FirstHeader {
		m.Properties.Headers = firstOfEach(m.Properties.Headers)
	}
	if err := m.readRoutes(); err != nil {
		return err
	}
	if mode := p.Properties.DeliveryMode; ch.node.profile.ChecksDeliveryMode && p.Properties.Has(wire.HasDeliveryMode) && mode != 1 && mode != 2 {
		return ChannelFault(wire.PreconditionFailed, "invalid message: {delivery_mode_unknown,%d}", mode)
	}
	if err := ch.checkUser(p); err != nil {
		return err
	}
	if err := ch.strayReply(p); err != nil {
		return err
	}
	if m.Properties.ReplyTo == directReplyTo {
		m.Properties.ReplyTo = ch.replies.address
	}
	if ch.node.profile.TrustsDeaths {
		m.readDeaths()
	}
	if p.Properties.Has(wire.HasExpiration) && ch.node.profile.RewritesExpiration {
		m.Properties.Expiration = canonicalNumber(m.Properties.Expiration)
	}
	ch.node.serial++
	m.Serial = ch.node.serial
	if ch.tx != nil {
		m.replied = ch.node.profile.RepliesAreNoQueue && ch.node.reply(m)
		ch.tx.published = append(ch.tx.published, m)
		return nil
	}
	ch.accept(m)
	return nil
}

func (ch *Channel) checkPublish(p Publishing) *Error {
	x := ch.vhost.exchanges[p.Exchange]
	if x == nil {
		return ch.vhost.noExchange(p.Exchange)
	}
	if err := ch.conn.allow(Write, "exchange", p.Exchange); err != nil {
		return err
	}
	if x.Internal {
		return ChannelFault(wire.AccessRefused, "cannot publish to internal exchange '%s' in vhost '%s'", x.Name, ch.vhost.name)
	}
	if p.Properties.ReplyTo == directReplyTo && ch.replies == nil {
		return ChannelFault(wire.PreconditionFailed, "fast reply consumer does not exist")
	}
	if err := ch.checkUser(p); err != nil && ch.node.profile.UserFirst {
		return err
	}
	if p.Properties.Has(wire.HasExpiration) {
		if why := invalidExpiration(p.Properties.Expiration); why != "" {
			return ChannelFault(wire.PreconditionFailed, "%s", why)
		}
	}
	return nil
}

// checkUser compares who says to have sent a message with who has.
func (ch *Channel) checkUser(p Publishing) *Error {
	if user := p.Properties.UserID; p.Properties.Has(wire.HasUserID) && user != ch.conn.user {
		return ChannelFault(wire.PreconditionFailed, "user_id property set to '%s' but authenticated user was '%s'", user, ch.conn.user)
	}
	return nil
}

// firstOfEach is a table without second fields of one name, sorted: lists:ukeysort in mc_amqpl.erl.
func firstOfEach(t wire.Table) wire.Table {
	return slices.CompactFunc(sortHeaders(slices.Clone(t)), func(a, b wire.Field) bool { return a.Name == b.Name })
}

func (n *Node) oversize(size, limit int) *Error {
	if limit == n.profile.LargestMessage {
		return ChannelFault(wire.PreconditionFailed, "message size %d is larger than max size %d", size, limit)
	}
	return ChannelFault(wire.PreconditionFailed, "message size %d is larger than configured max size %d", size, limit)
}

// readRoutes takes the further routing keys out of the headers CC and BCC.
func (m *Message) readRoutes() *Error {
	for _, h := range []struct {
		name string
		keys *[]string
	}{{"CC", &m.CC}, {"BCC", &m.BCC}} {
		value, ok := m.Properties.Headers.Get(h.name)
		if !ok {
			continue
		}
		list, ok := value.(wire.Array)
		if !ok {
			return ChannelFault(wire.PreconditionFailed, "invalid message: {unacceptable_type_in_header,%q,%s}", h.name, wire.TypeName(value))
		}
		for _, v := range list {
			if key, ok := v.(string); ok {
				*h.keys = append(*h.keys, key)
			}
		}
	}
	if _, ok := m.Properties.Headers.Get("BCC"); ok {
		m.Properties.Headers = m.Properties.Headers.Without("BCC")
	}
	return nil
}

// accept routes a message, and answers: first with a return, then with a confirm. RabbitMQ's order. It tells whether
// every queue took the message.
// https://www.rabbitmq.com/docs/confirms#when-publishes-are-confirmed
func (ch *Channel) accept(m *Message) bool {
	verdict := Pass
	if ch.node.cfg.Judge != nil {
		verdict = ch.node.cfg.Judge(m)
	}
	var queues []*Queue
	if verdict == Pass {
		queues = ch.vhost.route(m.Exchange, m)
	}
	ack := verdict != Nack
	for _, q := range queues {
		ack = q.enqueue(m) && ack
	}
	if verdict == Pass && !m.replied {
		m.replied = ch.node.reply(m)
	}
	if len(queues) == 0 && verdict != Nack {
		if !m.replied {
			ch.node.record(Unrouted, nil, m, "")
		}
		if m.Mandatory && (!m.replied || ch.node.profile.RepliesAreNoQueue) {
			ch.peer.Return(wire.NoRoute, wire.CodeName(wire.NoRoute), m)
		}
	}
	if ch.confirming {
		ch.published++
		ch.peer.Confirm(ch.published, ack)
	}
	return ack
}

// ConfirmSelect turns publisher confirms on.
func (ch *Channel) ConfirmSelect() *Error {
	if ch.tx != nil {
		return ChannelFault(wire.PreconditionFailed, "cannot switch from tx to confirm mode")
	}
	ch.confirming = true
	return nil
}

// TxSelect begins transactions.
func (ch *Channel) TxSelect() *Error {
	if ch.confirming {
		return ChannelFault(wire.PreconditionFailed, "cannot switch from confirm to tx mode")
	}
	if ch.tx == nil {
		ch.tx = &transaction{}
	}
	return nil
}

// TxCommit does what the transaction holds, and begins the next.
func (ch *Channel) TxCommit() *Error {
	if ch.tx == nil {
		return ChannelFault(wire.PreconditionFailed, "channel is not transactional")
	}
	done := ch.tx
	ch.tx = &transaction{}
	whole := true
	for _, m := range done.published {
		whole = ch.accept(m) && whole
	}
	for _, s := range done.settled {
		ch.settle(s)
	}
	if !whole {
		return ChannelFault(wire.PreconditionFailed, "partial tx completion")
	}
	return nil
}

// TxRollback forgets what the transaction holds: the messages that were settled in it are unsettled again.
func (ch *Channel) TxRollback() *Error {
	if ch.tx == nil {
		return ChannelFault(wire.PreconditionFailed, "channel is not transactional")
	}
	for _, s := range ch.tx.settled {
		for _, d := range s.list {
			ch.deliveries.putBack(d)
		}
	}
	ch.tx = &transaction{}
	return nil
}

// Close cancels the consumers, and gives back what the client has not settled.
func (ch *Channel) Close() {
	if ch.closed {
		return
	}
	ch.closed = true
	ch.conn.forget(ch)
	ch.timeoutTimer.Stop()
	if ch.tx != nil {
		_ = ch.TxRollback()
	}
	ch.endReplies()
	for _, c := range ch.sortedConsumers() {
		c.leave()
	}
	ch.giveBack(ch.deliveries.takeAll(), closedDown)
}

// fail closes the channel for a reason that no command of the client has.
func (ch *Channel) fail(err *Error) {
	ch.Close()
	ch.peer.Close(err)
}
