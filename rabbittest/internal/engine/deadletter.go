package engine

import (
	"slices"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// Why a message is dead-lettered, in the words of x-death. https://www.rabbitmq.com/docs/dlx#effects
const (
	reasonRejected      = "rejected"
	reasonExpired       = "expired"
	reasonMaxLength     = "maxlen"
	reasonDeliveryLimit = "delivery_limit"
)

// deadLetter is told of an entry that was taken out of the queue and must not stay. Without a dead-letter exchange it
// is dropped.
func (q *Queue) deadLetter(e *entry, reason string) {
	q.node.record(Died, q, e.Message, reason)
	q.node.touch(q)
	if !q.deadLetters {
		return
	}
	m := q.dead(e, reason)
	if q.atLeastOnce {
		q.leftover.add(q, m, reason)
		return
	}
	q.node.letters = append(q.node.letters, letter{q.vhost, m, reason})
}

// letter is a dead message on its way. Each queue of RabbitMQ has a process of its own, so what a queue drops comes to
// another one after all that the same publishing or settling brings there itself.
type letter struct {
	vhost  *vhost
	dead   *Message
	reason string
}

func (l letter) post() {
	if l.vhost.exchanges[l.dead.Exchange] == nil {
		return // RabbitMQ drops it without a word
	}
	for _, target := range withoutCycles(l.vhost.route(l.dead.Exchange, l.dead), l.dead, l.reason) {
		target.enqueue(l.dead)
	}
}

// dead returns what a message is after its death: another exchange and key, no expiration, and one death more.
func (q *Queue) dead(e *entry, reason string) *Message {
	m := *e.Message
	profile := q.node.profile
	cause := Cause{Reason: reason, Queue: q.Name, Exchange: m.Exchange}
	m.Deaths = profile.withDeath(m.Deaths, Death{
		Cause: cause, Count: 1,
		Keys: append([]string{m.Key}, m.CC...), Time: time.Now(),
		Expiration: m.Properties.Expiration, hasExpiry: m.Properties.Has(wire.HasExpiration),
	})
	if _, told := m.Properties.Headers.Get("x-death"); len(e.Deaths) == 0 && (!told || !profile.TrustsDeaths) {
		m.First = cause
	}
	m.Last = cause
	m.Properties.Flags &^= wire.HasExpiration
	m.Properties.Expiration = ""
	if profile.KeepsFailures {
		m.failedBefore = e.failures
	}
	m.Exchange = q.deadExchange
	m.Mandatory = false
	if q.hasDeadKey {
		m.Key, m.CC, m.BCC = q.deadKey, nil, nil
		if profile.DropsCC {
			m.Properties.Headers = m.Properties.Headers.Without("CC")
		}
	}
	return &m
}

// withDeath counts a death: the entry of the same queue and reason moves to the front, with all it has but its count.
func (p Profile) withDeath(deaths []Death, d Death) []Death {
	if p.ReversesDeaths && len(deaths) > 1 {
		deaths = slices.Clone(deaths)
		slices.Reverse(deaths)
	}
	at := slices.IndexFunc(deaths, func(old Death) bool { return old.Queue == d.Queue && old.Reason == d.Reason })
	if at >= 0 {
		d = deaths[at]
		d.Count++
		deaths = slices.Delete(slices.Clone(deaths), at, at+1)
	}
	return append([]Death{d}, deaths...)
}

// withoutCycles leaves out the queues in which the message has been before without ever having been rejected since:
// it would go round for ever. https://www.rabbitmq.com/docs/dlx#routing
func withoutCycles(queues []*Queue, m *Message, reason string) []*Queue {
	if reason == reasonRejected {
		return queues
	}
	return slices.DeleteFunc(queues, func(q *Queue) bool {
		for _, d := range m.Deaths {
			if d.Reason == reasonRejected {
				return false
			}
			if d.Queue == q.Name {
				return true
			}
		}
		return false
	})
}

// deathHeaders are the message's headers with those of its deaths.
func (n *Node) deathHeaders(m *Message) wire.Table {
	headers := m.Properties.Headers
	var list wire.Array
	for _, d := range m.Deaths {
		list = append(list, d.table())
	}
	headers = headers.With("x-death", list)
	headers = m.First.headers(headers, "x-first-death-")
	if n.profile.LastDeath {
		headers = m.Last.headers(headers, "x-last-death-")
	}
	return sortHeaders(headers)
}

func (c Cause) headers(t wire.Table, prefix string) wire.Table {
	if c == (Cause{}) {
		return t
	}
	return t.With(prefix+"reason", c.Reason).With(prefix+"queue", c.Queue).With(prefix+"exchange", c.Exchange)
}

func (d Death) table() wire.Table {
	if d.given != nil {
		return d.given.With("count", d.Count)
	}
	var keys wire.Array
	for _, k := range d.Keys {
		keys = append(keys, k)
	}
	t := wire.Table{
		{Name: "count", Value: d.Count},
		{Name: "reason", Value: d.Reason},
		{Name: "queue", Value: d.Queue},
		{Name: "time", Value: wire.Timestamp(d.Time.Unix())},
		{Name: "exchange", Value: d.Exchange},
		{Name: "routing-keys", Value: keys},
	}
	if d.hasExpiry {
		t = t.With("original-expiration", d.Expiration)
	}
	return t
}

// readDeaths takes what a client says of earlier deaths for true, as RabbitMQ did before 4.0.
func (m *Message) readDeaths() {
	value, ok := m.Properties.Headers.Get("x-death")
	if !ok {
		return
	}
	list, _ := value.(wire.Array)
	for _, v := range list {
		t, ok := v.(wire.Table)
		if !ok {
			return
		}
		d := Death{given: t}
		d.Reason = text(t, "reason")
		d.Queue = text(t, "queue")
		d.Exchange = text(t, "exchange")
		count, _ := t.Get("count")
		d.Count, _ = integer(count)
		m.Deaths = append(m.Deaths, d)
	}
}

func text(t wire.Table, name string) string {
	v, _ := t.Get(name)
	s, _ := v.(string)
	return s
}
