package engine

import (
	"slices"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// QueueState is a copy of what a queue is and has.
type QueueState struct {
	VHost, Name                    string
	Durable, Exclusive, AutoDelete bool
	Quorum                         bool
	Arguments                      wire.Table
	Messages                       []MessageState
	Ready, Unacked, Delayed        int
	Leftover                       int // dead letters that their target has not taken yet
	Consumers                      []ConsumerState
}

// MessageState is a copy of a message in a queue.
type MessageState struct {
	Serial      uint64
	Exchange    string
	Key         string
	Properties  wire.Properties // as the next consumer would get them
	Body        []byte
	Redelivered bool
	Unacked     bool
	Expires     time.Time // zero: never
	ReadyAt     time.Time // of a delayed one
}

// ConsumerState is a copy of a subscription.
type ConsumerState struct {
	Tag       string
	Channel   uint16
	NoAck     bool
	Exclusive bool
	Priority  int64
	Prefetch  int
	Unacked   int
	Active    bool
	Arguments wire.Table
}

// ExchangeState is a copy of an exchange and the bindings from it.
type ExchangeState struct {
	VHost, Name, Type             string
	Durable, AutoDelete, Internal bool
	Arguments                     wire.Table
	Bindings                      []Binding
}

// Queue returns the state of a queue, and whether it exists.
func (n *Node) Queue(vhost, name string) (QueueState, bool) {
	v := n.vhosts[vhost]
	if v == nil || v.queues[name] == nil {
		return QueueState{}, false
	}
	return v.queues[name].state(), true
}

// Queues returns the states of all queues of a virtual host, by name.
func (n *Node) Queues(vhost string) []QueueState {
	var all []QueueState
	if v := n.vhosts[vhost]; v != nil {
		for _, q := range v.sortedQueues() {
			all = append(all, q.state())
		}
	}
	return all
}

// Exchanges returns the states of all exchanges of a virtual host, by name.
func (n *Node) Exchanges(vhost string) []ExchangeState {
	var all []ExchangeState
	v := n.vhosts[vhost]
	if v == nil {
		return nil
	}
	for _, x := range v.sortedExchanges() {
		s := ExchangeState{
			VHost: v.name, Name: x.Name, Type: x.Type, Durable: x.Durable, AutoDelete: x.AutoDelete, Internal: x.Internal, Arguments: x.Arguments,
		}
		for _, b := range x.bindings {
			to := Binding{Source: x.Name, Key: b.Key, Arguments: b.args}
			if b.to.queue != nil {
				to.ToQueue, to.To = true, b.to.queue.Name
			} else {
				to.To = b.to.exchange.Name
			}
			s.Bindings = append(s.Bindings, to)
		}
		all = append(all, s)
	}
	return all
}

// each yields the entries that are in the queue and not with a consumer.
func (q *Queue) each(yield func(*entry) bool) {
	lists := slices.Concat([]list{q.returned}, q.levels, []list{q.delayed})
	for i := range lists {
		for _, e := range lists[i].all() {
			if !yield(e) {
				return
			}
		}
	}
}

func (q *Queue) state() QueueState {
	s := QueueState{
		VHost: q.vhost.name, Name: q.Name, Durable: q.Durable, Exclusive: q.owner != nil, AutoDelete: q.AutoDelete, Quorum: q.Quorum,
		Arguments: q.Arguments, Ready: q.Ready(), Unacked: q.unacked, Delayed: q.delayed.len(), Leftover: len(q.leftover.list),
	}
	for e := range q.each {
		s.Messages = append(s.Messages, q.messageState(e, false))
	}
	for _, c := range q.consumers {
		s.Consumers = append(s.Consumers, ConsumerState{
			Tag: c.Tag, Channel: c.channel.Number, NoAck: c.NoAck, Exclusive: c.Exclusive, Priority: c.Priority, Prefetch: c.prefetch,
			Unacked: c.unacked, Active: !q.singleActive || q.active == c, Arguments: c.Arguments,
		})
	}
	return s
}

func (q *Queue) messageState(e *entry, unacked bool) MessageState {
	return MessageState{
		Serial: e.Serial, Exchange: e.Exchange, Key: e.Key, Properties: q.properties(e, false), Body: e.Body,
		Redelivered: e.redelivered, Unacked: unacked, Expires: e.expires, ReadyAt: e.readyAt,
	}
}

// QueueCount is how many messages a queue has: −1 of each if it does not exist.
type QueueCount struct{ Ready, Unacked, All int }

// Count counts a queue's messages, without copying them.
func (n *Node) Count(vhost, name string) QueueCount {
	v := n.vhosts[vhost]
	if v == nil || v.queues[name] == nil {
		return QueueCount{-1, -1, -1}
	}
	q := v.queues[name]
	ready := q.Ready()
	return QueueCount{Ready: ready, Unacked: q.unacked, All: ready + q.unacked + q.delayed.len() + len(q.leftover.list)}
}

// Held tells whether any client has a message that it has not settled.
func (n *Node) Held() bool {
	for _, v := range n.vhosts {
		for _, q := range v.queues {
			if q.unacked > 0 {
				return true
			}
		}
	}
	return false
}

// Unsettled returns the messages that the channel's client has, the first delivered first.
func (ch *Channel) Unsettled(vhost, queue string) []MessageState {
	held := ch.deliveries.list
	if ch.tx != nil { // what a transaction settles is unsettled until its commit
		held = slices.Clone(held)
		for _, s := range ch.tx.settled {
			held = append(held, s.list...)
		}
		slices.SortFunc(held, func(a, b *delivery) int { return byTag(a, b.tag) })
	}
	var list []MessageState
	for _, d := range held {
		if !d.lost && d.queue.vhost.name == vhost && d.queue.Name == queue {
			list = append(list, d.queue.messageState(d.entry, true))
		}
	}
	return list
}
