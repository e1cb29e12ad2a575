package rabbittest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/engine"
)

// Queue looks at a queue, whether it exists or not. It is a name, not a copy: each method sees what is there now.
type Queue struct {
	broker      *Broker
	vhost, name string
}

// Queue returns the queue of a name in the first virtual host.
func (b *Broker) Queue(name string) Queue { return b.QueueIn(b.settings.VHosts[0], name) }

// QueueIn returns the queue of a name in a virtual host.
func (b *Broker) QueueIn(vhost, name string) Queue { return Queue{broker: b, vhost: vhost, name: name} }

// Name returns the queue's name.
func (q Queue) Name() string { return q.name }

// state returns a copy of all that the queue has.
func (q Queue) state() (s engine.QueueState) {
	q.broker.node.Look(func() { s, _ = q.broker.node.Queue(q.vhost, q.name) })
	return s
}

// count returns how many messages there are of each kind, or −1 for a queue that does not exist.
func (q Queue) count() (c engine.QueueCount) {
	q.broker.node.Look(func() { c = q.broker.node.Count(q.vhost, q.name) })
	return c
}

// Exists tells whether the queue is declared.
func (q Queue) Exists() bool { return q.count().Ready >= 0 }

// Len is how many messages the queue has, whoever holds them: ready, with consumers, delayed, and dead-lettered but not
// yet taken by their target. It is −1 if the queue does not exist, so that a misspelled one is not taken for empty.
func (q Queue) Len() int { return q.count().All }

// Ready is how many messages wait to be taken; −1 if the queue does not exist.
func (q Queue) Ready() int { return q.count().Ready }

// Unacked is how many messages consumers have and have not settled; −1 if the queue does not exist.
func (q Queue) Unacked() int { return q.count().Unacked }

// Messages returns copies of the messages: those with consumers first, by age, then the others, the next one to be
// delivered first. The queue does not notice.
func (q Queue) Messages() []Message {
	var all []Message
	q.broker.node.Look(func() {
		for _, c := range q.broker.conns {
			for _, ch := range c.channels {
				for _, s := range ch.Unsettled(q.vhost, q.name) {
					all = append(all, newMessage(s))
				}
			}
		}
		slices.SortFunc(all, func(a, b Message) int { return cmp.Compare(a.Serial, b.Serial) })
		s, _ := q.broker.node.Queue(q.vhost, q.name)
		for _, m := range s.Messages {
			all = append(all, newMessage(m))
		}
	})
	return all
}

// Arguments returns what the queue was declared with.
func (q Queue) Arguments() map[string]any {
	return goTable(q.state().Arguments)
}

// Consumer is a copy of a subscription.
type Consumer struct {
	Tag       string
	Priority  int
	Prefetch  int  // 0 is no limit
	Unacked   int  // deliveries that it has not settled
	NoAck     bool // it settles by receiving
	Exclusive bool
	Active    bool // gets messages: on a queue with x-single-active-consumer only one does
}

// Consumers returns the queue's subscriptions, those whose turn is next first.
func (q Queue) Consumers() []Consumer {
	var all []Consumer
	for _, c := range q.state().Consumers {
		all = append(all, Consumer{
			Tag: c.Tag, Priority: int(c.Priority), Prefetch: c.Prefetch, Unacked: c.Unacked, NoAck: c.NoAck, Exclusive: c.Exclusive, Active: c.Active,
		})
	}
	return all
}

// Event is something that happened to a message.
type Event struct {
	Time      time.Time
	Kind      string // published, delivered, acked, requeued, rejected, died, refused, unrouted, purged, deleted
	Queue     string // empty for unrouted
	Serial    uint64 // of the message, see [Message]; 0 for purged and deleted
	MessageID string
	Reason    string // of died: rejected, expired, maxlen or delivery_limit
}

// String writes the event for people: "2000-01-01T00:01:00Z orders: died (expired) #1 7f3c".
func (e Event) String() string {
	s := e.Time.UTC().Format(time.RFC3339Nano) + " " + e.Queue + ": " + e.Kind
	if e.Reason != "" {
		s += " (" + e.Reason + ")"
	}
	if e.Serial != 0 {
		s += fmt.Sprintf(" #%d", e.Serial)
	}
	if e.MessageID != "" {
		s += " " + e.MessageID
	}
	return s
}

// History returns what happened in the broker, oldest first: the newest ten thousand events.
func (b *Broker) History() []Event {
	var all []Event
	b.node.Look(func() {
		for h := range b.node.Journal {
			all = append(all, Event{Time: h.Time, Kind: string(h.Kind), Queue: h.Queue, Serial: h.Serial, MessageID: h.ID, Reason: h.Reason})
		}
	})
	return all
}

// History returns what happened in the queue, as far as [Broker.History] knows it.
func (q Queue) History() []Event {
	return slices.DeleteFunc(q.broker.History(), func(e Event) bool { return e.Queue != q.name })
}

// Publish puts a message into the queue, past all exchanges. See [Broker.Publish] for the errors.
func (q Queue) Publish(m Message) error { return q.broker.publish(q.vhost, "", q.name, m) }

// Wait waits until the queue satisfies a condition. The condition is asked at first, and after everything that happens
// in the broker; it may call any method of the broker that does not wait. If ctx ends before, the error has the state
// of the broker.
func (q Queue) Wait(ctx context.Context, holds func(Queue) bool) error {
	return q.broker.wait(ctx, "queue "+q.name, func() bool { return holds(q) })
}

// WaitLen waits until the queue has n messages; see [Queue.Len].
func (q Queue) WaitLen(ctx context.Context, n int) error {
	return q.Wait(ctx, func(q Queue) bool { return q.Len() == n })
}
