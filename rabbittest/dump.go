package rabbittest

import (
	"fmt"
	"strings"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/engine"
)

const (
	dumpMessages = 10 // of each queue
	dumpEvents   = 50
	dumpBody     = 80 // bytes
)

// Dump tells all that the broker has, for people: connections, queues with their first messages, and what happened
// last. Its form may change.
func (b *Broker) Dump() string {
	var s strings.Builder
	fmt.Fprintf(&s, "RabbitMQ %s at %s\n", b.settings.profile.Version, time.Now().UTC().Format(time.RFC3339Nano))
	b.node.Look(func() {
		b.dumpFaults(&s)
		for _, c := range b.conns {
			c.dump(&s)
		}
		for _, vhost := range b.settings.VHosts {
			for _, q := range b.node.Queues(vhost) {
				b.dumpQueue(&s, q)
			}
		}
	})
	events := b.History()
	if left := len(events) - dumpEvents; left > 0 {
		fmt.Fprintf(&s, "%d older events\n", left)
		events = events[left:]
	}
	for _, e := range events {
		fmt.Fprintln(&s, e)
	}
	return s.String()
}

func (b *Broker) dumpFaults(s *strings.Builder) {
	f := &b.faults
	for _, x := range []struct {
		on   bool
		text string
	}{
		{b.closed, "closed"},
		{b.down, "down"},
		{f.paused, "paused"},
		{f.alarm != "", "publishers are blocked: " + f.alarm},
		{f.holdConfirms, fmt.Sprintf("%d confirms are held", len(f.heldConfirms))},
		{f.refuseDials != 0, "dials are refused"},
		{f.refuseLogins != 0, "logins are refused"},
		{f.nackPublishes != 0, "publishes are nacked"},
		{f.returnPublish != 0, "publishes are returned"},
	} {
		if x.on {
			fmt.Fprintln(s, "fault:", x.text)
		}
	}
}

func (c *conn) dump(s *strings.Builder) {
	fmt.Fprintf(s, "connection %s%s %s%s\n", c.name, quotedName(c.clientName()), c.stage,
		words(map[string]bool{"blocked": c.blocked, "deaf": c.deaf, "paused": c.paused}))
	for _, ch := range c.sortedChannels() {
		fmt.Fprintf(s, "  channel %d%s\n", ch.number, words(map[string]bool{"closing": ch.closing, "publishing": c.arriving[ch.number] != nil}))
	}
}

func quotedName(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" %q", name)
}

func (b *Broker) dumpQueue(s *strings.Builder, q engine.QueueState) {
	fmt.Fprintf(s, "queue %s: %d ready, %d unacked, %d delayed, %d dead letters not taken\n", q.Name, q.Ready, q.Unacked, q.Delayed, q.Leftover)
	for _, c := range q.Consumers {
		fmt.Fprintf(s, "  consumer %s on channel %d: %d of %d unacked%s\n", c.Tag, c.Channel, c.Unacked, c.Prefetch,
			words(map[string]bool{"no-ack": c.NoAck, "exclusive": c.Exclusive, "waits": !c.Active}))
	}
	for _, c := range b.conns {
		for _, ch := range c.sortedChannels() {
			for i, m := range ch.Unsettled(q.VHost, q.Name) {
				if i == dumpMessages {
					fmt.Fprintln(s, "  …")
					break
				}
				fmt.Fprintf(s, "  unacked %s\n", describe(newMessage(m)))
			}
		}
	}
	for i, m := range q.Messages {
		if i == dumpMessages {
			fmt.Fprintf(s, "  … %d more\n", len(q.Messages)-i)
			break
		}
		fmt.Fprintf(s, "  ready %s\n", describe(newMessage(m)))
	}
}

// describe writes a message in one line.
func describe(m Message) string {
	s := fmt.Sprintf("#%d", m.Serial)
	if m.MessageID != "" {
		s += " id " + m.MessageID
	}
	if m.Redelivered {
		s += " redelivered"
	}
	if !m.Expires.IsZero() {
		s += " expires " + m.Expires.UTC().Format(time.RFC3339Nano)
	}
	if len(m.Headers) > 0 {
		s += " " + inline(m.Headers)
	}
	body := m.Body
	more := ""
	if len(body) > dumpBody {
		more = fmt.Sprintf("… (%d bytes)", len(body))
		body = body[:dumpBody]
	}
	return fmt.Sprintf("%s %q%s", s, body, more)
}
