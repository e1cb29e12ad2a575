package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// Message is what was published, and what dead-lettering made of it. It does not change: a dead letter is another
// Message with the same Serial.
type Message struct {
	// Serial is one number for a message on all its ways, counted from 1 in the order of publishing.
	Serial uint64

	Exchange, Key string
	// CC and BCC are further routing keys, from the headers of these names. BCC is taken out of the headers.
	CC, BCC []string

	Properties wire.Properties
	Body       []byte
	Mandatory  bool

	// Deaths are newest first. They are put into the headers on delivery.
	Deaths []Death
	// First and Last are the first and the newest cause of death.
	First, Last Cause

	// failedBefore is how often a consumer failed with it in the queues before this one, where they count that.
	failedBefore int64
	// replied: it went to whom it answers directly.
	replied bool
}

// Cause says why and where a message was dead-lettered.
type Cause struct{ Reason, Queue, Exchange string }

// Death is one entry of x-death: all the deaths of one message in one queue for one reason.
type Death struct {
	Cause
	Count      int64
	Keys       []string  // routing keys, without those of BCC
	Time       time.Time // of the first one
	Expiration string    // the message's own, if it had one
	hasExpiry  bool
	// given is an entry that a client sent, and that this broker only passes on.
	given wire.Table
}

// keys are all routing keys.
func (m *Message) keys() []string {
	if len(m.CC)+len(m.BCC) == 0 {
		return []string{m.Key}
	}
	return slices.Concat([]string{m.Key}, m.CC, m.BCC)
}

// persistent: it survives a restart in a durable queue.
func (m *Message) persistent() bool { return m.Properties.DeliveryMode == 2 }

// priority is what the publisher asked for, if anything.
func (m *Message) priority() (int, bool) {
	return int(m.Properties.Priority), m.Properties.Has(wire.HasPriority)
}

// withHeaders returns properties with other headers. None at all is the same as an empty table was not sent.
func withHeaders(p wire.Properties, headers wire.Table) wire.Properties {
	p.Headers = headers
	if len(headers) > 0 {
		p.Flags |= wire.HasHeaders
	}
	return p
}

// sortHeaders sorts a table of the caller's by name, as RabbitMQ does.
func sortHeaders(t wire.Table) wire.Table {
	slices.SortStableFunc(t, func(a, b wire.Field) int { return strings.Compare(a.Name, b.Name) })
	return t
}

// entry is a message in a queue.
type entry struct {
	*Message
	position    uint64    // of its first enqueueing; keeps its place when it comes back
	expires     time.Time // zero: never
	redelivered bool
	failures    int64     // how often a consumer failed with it, with those of the queues before
	returns     int64     // how often it came back to this queue at all
	holder      *Consumer // the last one that had it; nil for basic.get
	fresh       bool      // its TTL is 0, and nobody has looked at it yet: a waiting consumer may have it
	level       int       // index of its priority in the queue's levels
	readyAt     time.Time
}

// properties are what a client gets: the message's own, with the headers that the broker adds. got is for basic.get.
func (q *Queue) properties(e *entry, got bool) wire.Properties {
	if len(e.Deaths) == 0 && !q.Quorum {
		return e.Properties
	}
	headers := e.Properties.Headers
	if len(e.Deaths) > 0 {
		headers = q.node.deathHeaders(e.Message)
	}
	if q.Quorum {
		headers = q.countHeaders(e, headers, got)
	}
	return withHeaders(e.Properties, headers)
}

// countHeaders adds what a quorum queue tells about earlier deliveries. Where nothing came back to it, it tells what
// those before it counted.
func (q *Queue) countHeaders(e *entry, headers wire.Table, got bool) wire.Table {
	count := e.returns
	if count == 0 {
		count = e.failures
	}
	profile := q.node.profile
	switch {
	case profile.AcquiredCount && count > 0:
		headers = headers.With("x-acquired-count", count)
		if e.failures > 0 {
			headers = headers.With("x-delivery-count", e.failures)
		}
	case !profile.AcquiredCount && (count > 0 || got && profile.ZeroDeliveryCount):
		headers = headers.With("x-delivery-count", count)
	default:
		return headers
	}
	return sortHeaders(headers)
}
