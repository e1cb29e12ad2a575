package engine

import (
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// directReplyTo is a queue that does not exist. A client consumes from it, and names it as reply_to of what it
// publishes on the same channel. The broker puts an address there, and what is published to that goes straight to the
// client. https://www.rabbitmq.com/docs/direct-reply-to
const directReplyTo = "amq.rabbitmq.reply-to"

// replies is a channel's subscription to direct replies.
type replies struct {
	tag     string
	address string // amq.rabbitmq.reply-to.WHO.SECRET; who cancels and subscribes again gets another secret
}

// replyID is the node's part of all addresses that it gives, so that it knows them again.
func replyID() string { return encode(randomBytes(15)) }

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// consumeReplies subscribes to direct replies.
func (ch *Channel) consumeReplies(s Subscription) (string, *Error) {
	_, taken := ch.consumers[s.Tag]
	switch {
	case taken && s.Tag != "":
		return "", tagTaken(s.Tag)
	case !s.NoAck:
		return "", ChannelFault(wire.PreconditionFailed, "reply consumer cannot acknowledge")
	case ch.replies != nil:
		return "", ChannelFault(wire.PreconditionFailed, "reply consumer already set")
	}
	if s.Tag == "" {
		s.Tag = newTag()
	}
	if ch.replyNumber == 0 {
		ch.node.replyChannels++
		ch.replyNumber = ch.node.replyChannels
	}
	who := ch.node.replyID + encode(binary.BigEndian.AppendUint64(make([]byte, 9), ch.replyNumber))
	ch.replies = &replies{tag: s.Tag, address: directReplyTo + "." + who + "." + encode(randomBytes(16))}
	ch.node.asking[ch.replies.address] = ch
	return s.Tag, nil
}

// endReplies ends the subscription to direct replies, if there is one.
func (ch *Channel) endReplies() {
	if ch.replies != nil {
		delete(ch.node.asking, ch.replies.address)
		ch.replies = nil
	}
}

// gaveAddress tells whether the node has given an address, to whoever it was.
func (n *Node) gaveAddress(name string) bool {
	return strings.HasPrefix(name, directReplyTo+"."+n.replyID)
}

// strayReply refuses what is published to an address that never was one, as RabbitMQ before 4.3 does: it crashes.
func (ch *Channel) strayReply(p Publishing) *Error {
	if p.Exchange != "" || !strings.HasPrefix(p.Key, directReplyTo+".") || ch.node.gaveAddress(p.Key) || !ch.node.profile.RepliesAreNoQueue {
		return nil
	}
	return internalError()
}

func internalError() *Error {
	return &Error{Code: wire.InternalError, Text: wire.CodeName(wire.InternalError), Connection: true}
}

// reply hands a message to those to whose addresses it goes. It tells whether there was any address, also of someone
// who is gone.
func (n *Node) reply(m *Message) bool {
	if m.Exchange != "" {
		return false
	}
	known := false
	for _, key := range m.keys() {
		if !n.gaveAddress(key) {
			continue
		}
		known = true
		if ch := n.asking[key]; ch != nil {
			d := Delivery{Tag: ch.deliveries.last + 1, Exchange: m.Exchange, Key: m.Key, Properties: m.Properties, Body: m.Body}
			if !n.profile.RepliesAreNoQueue { // else the same tag comes again
				ch.deliveries.next()
			}
			ch.peer.Deliver(ch.replies.tag, d)
		}
	}
	return known
}

// declareReplies answers whether someone waits for replies: who is to answer can ask before it begins to work. It is
// not for who waits: RabbitMQ's channel would ask itself.
func (ch *Channel) declareReplies(name string) (QueueInfo, *Error) {
	asking := ch.node.asking[name]
	switch {
	case name == directReplyTo, asking != nil && asking != ch:
		return QueueInfo{Name: name, Consumers: 1}, nil
	case !ch.node.gaveAddress(name), asking == ch && ch.node.profile.RepliesAreNoQueue:
		return QueueInfo{}, internalError()
	}
	return QueueInfo{}, ch.vhost.noQueue(name)
}

// isReplies tells whether a name belongs to direct replies.
func isReplies(name string) bool {
	return name == directReplyTo || strings.HasPrefix(name, directReplyTo+".")
}
