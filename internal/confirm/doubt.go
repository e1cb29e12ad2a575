package confirm

import (
	"errors"
	"time"
)

// On RabbitMQ 3.10, a channel that was opened just after a queue's leader died
// can be nacked for ever, while another channel, or at least another node, would
// not be. But a queue that is full nacks as well. So after a second of nothing
// but nacks for one destination another channel is opened, and after one more
// second without a single ack the session is failed, but not again before the
// next ack, nor within a minute.
//
// On RabbitMQ 3.10, too, a channel that was nacked because a queue was full is
// nacked for ever, if the operator has lifted the queue's limit: only a channel
// that is opened after that is not. So another one is opened every ten seconds,
// for as long as there are nacks.
const (
	nackedFor     = time.Second
	betweenOpens  = 10 * time.Second
	betweenFails  = time.Minute
	mostDoubts    = 1000 // destinations; keys may be unique
	openedAnother = 1
	failedSession = 2
)

var errNackedOnly = errors.New("the node refuses every message")

// doubts are about the destinations that are nacked. They are under Sender.mu.
type doubts struct {
	about    map[string]*doubt
	acks     uint64 // so far
	openedAt time.Time
	failedAt time.Time
}

type doubt struct {
	since time.Time // the first nack after the last ack, or the last step
	acks  uint64    // then
	steps int
}

// settled notes the outcome of p on c.
func (s *Sender) settled(c *channel, p *Pending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finishLocked(p)
	d := &s.doubts
	switch {
	case p.result == nil:
		d.acks++
		if len(d.about) > 0 {
			delete(d.about, destination(&p.message))
		}
	case errors.Is(p.result, ErrRefused) && p.fault == nil:
		d.nacked(c, destination(&p.message))
	}
}

func destination(m *Message) string {
	if m.Exchange == "" {
		return "queue " + m.Key
	}
	return "exchange " + m.Exchange
}

// nacked notes a nack, and does what helps against a stale channel.
func (d *doubts) nacked(c *channel, destination string) {
	now := time.Now()
	about := d.about[destination]
	switch {
	case about == nil:
		if d.about == nil || len(d.about) >= mostDoubts {
			d.about = make(map[string]*doubt)
		}
		d.about[destination] = &doubt{since: now}
	case now.Sub(about.since) < nackedFor:
	case about.steps < openedAnother:
		about.steps, about.since, about.acks = openedAnother, now, d.acks
		d.openedAt = now
		c.retire()
	case about.steps < failedSession && about.acks == d.acks && now.Sub(d.failedAt) >= betweenFails:
		about.steps, d.failedAt = failedSession, now
		c.session.Fail(errNackedOnly)
	case now.Sub(d.openedAt) >= betweenOpens:
		d.openedAt = now
		c.retire()
	}
}
