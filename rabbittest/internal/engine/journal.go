package engine

import "time"

// Kind says what happened to a message.
type Kind string

// What can happen.
const (
	Published Kind = "published" // it came to a queue
	Unrouted  Kind = "unrouted"  // no queue wanted it
	Refused   Kind = "refused"   // a full queue did not take it
	Delivered Kind = "delivered"
	Acked     Kind = "acked"
	Rejected  Kind = "rejected" // and not to be requeued
	Requeued  Kind = "requeued" // by the client, or since the client is gone
	Died      Kind = "died"     // dead-lettered, or dropped where there is no dead-letter exchange
	Purged    Kind = "purged"   // all that was ready
	Deleted   Kind = "deleted"  // the whole queue
)

// Happening is one line of the node's journal.
type Happening struct {
	Time   time.Time
	Kind   Kind
	Queue  string // empty for Unrouted
	Serial uint64 // of the message; 0 for Purged and Deleted
	ID     string // message-id
	Reason string // of Died
}

// journalSize is how many happenings are kept.
const journalSize = 10000

// journal keeps the newest happenings.
type journal struct {
	ring []Happening
	next int
}

// record notes what happened. Queue and message may be nil.
func (n *Node) record(kind Kind, q *Queue, m *Message, reason string) {
	h := Happening{Time: time.Now(), Kind: kind, Reason: reason}
	if q != nil {
		h.Queue = q.Name
	}
	if m != nil {
		h.Serial, h.ID = m.Serial, m.Properties.MessageID
	}
	j := &n.journal
	if len(j.ring) < journalSize {
		j.ring = append(j.ring, h)
		return
	}
	j.ring[j.next] = h
	j.next = (j.next + 1) % journalSize
}

// Journal yields the newest happenings, oldest first.
func (n *Node) Journal(yield func(Happening) bool) {
	j := &n.journal
	for i := range j.ring {
		if !yield(j.ring[(j.next+i)%len(j.ring)]) {
			return
		}
	}
}
