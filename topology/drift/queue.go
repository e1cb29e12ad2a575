package drift

import (
	"fmt"
	"maps"
	"slices"

	"github.com/warren-mq/warren/topology"
)

// queue compares one queue.
func (c *comparison) queue(p planned) {
	q := c.broker.Queues[p.Name]
	obeyed := p.foreign || c.supported(p)
	switch q.Seen {
	case Missing:
		if !p.optional {
			c.missingQueue(p, obeyed)
		}
		return
	case Unknown:
		if !p.optional || c.broker.Why["queues"] != "" {
			c.unseen("queue", p.Name, "existence", "queues")
		}
		return
	case Present:
	}
	if !p.foreign {
		c.arguments(p, q)
	}
	c.policies(p, q)
	c.target(p, q)
}

func (c *comparison) missingQueue(p planned, obeyed bool) {
	d := Difference{
		Kind: KindMissing, Weight: Warning, Object: "queue", Name: p.Name, Apply: true,
		Breaks: "a consumer that only checks (DeclareCheck) is refused; others declare it when they start",
		Mend:   "warren topology apply, or start a consumer that declares",
	}
	switch {
	case p.foreign:
		d.Weight, d.Apply = Failure, false
		d.Breaks = "the consumer is refused: with DeclareOwn the main queue belongs to someone else, and must be there"
		d.Mend = "have its owner declare it"
	case p.role == mainQueue:
		d.Breaks = "who publishes to it before a consumer has declared it is told that it cannot be routed, " +
			"or is not told at all if it is not mandatory"
	case p.role == retryQueue && p.optional:
	case p.role == retryQueue:
		d.Breaks = "messages that wait for " + c.waitOf(p.Name) + " stay in the main queue, unacknowledged, until it is there; " +
			"a consumer that declares makes it when it starts"
	case p.role == errorQueue:
		d.Breaks = "what fails for good stays in the main queue, unacknowledged, until it is there; " +
			"a consumer that declares makes it when it starts"
	case p.role == peerQueue:
		d.Breaks = "the other library's messages have nowhere to go"
	}
	if !obeyed {
		d.Apply, d.Mend = false, "not before RabbitMQ knows its arguments"
	}
	c.differs(d)
}

func (c *comparison) waitOf(name string) string {
	for _, r := range slices.Concat(c.plan.Retry, c.plan.Rungs) {
		if r.Name == name {
			return r.Wait.String()
		}
	}
	return "?"
}

// supported looks for arguments of the plan that this release takes without a
// word and does not obey, whether the queue has them or not.
func (c *comparison) supported(p planned) bool {
	all := true
	for _, name := range slices.Sorted(maps.Keys(p.Args)) {
		if _, mayBe := since[name]; !mayBe || compared(name, "quorum", c.broker.Version) || p.optional {
			continue
		}
		d := Difference{
			Kind: KindArgument, Weight: Failure, Object: "queue", Name: p.Name, Argument: name,
			Want: text(p.Args[name]), Have: "unknown to RabbitMQ " + c.broker.Version,
			Breaks: "RabbitMQ takes this argument from 4.3 on. Before that it says nothing, and does nothing",
			Mend:   "upgrade RabbitMQ, or plan without it",
		}
		if name == "x-delayed-retry-type" {
			d.Breaks += ": what is rejected comes back at once, until the delivery limit ends it. A consumer with consumer.Native does not start there"
			d.Mend = "upgrade RabbitMQ, or let messages wait in another way (Config.Waiting)"
		}
		c.differs(d)
		all = false
	}
	return all
}

const (
	refused = "every consumer that declares it is refused with 406 PRECONDITION_FAILED, and does not start"

	mendArgument = "arguments cannot be changed. Either plan what the broker has, or take a queue of another name, " +
		"or empty it with a shovel, delete it and declare it anew: docs/topology.md, \"Mend a 406\""
)

// arguments compares what the queue was declared with.
func (c *comparison) arguments(p planned, q Queue) {
	if q.Refused != nil {
		c.refusal("queue", p.Name, q.Refused)
		return
	}
	if q.Args == nil {
		if !q.Agreed {
			c.unseen("queue", p.Name, "arguments", "arguments")
		}
		return
	}
	for _, property := range []struct {
		name string
		have bool
	}{{"durable", q.Transient}, {"auto_delete", q.AutoDelete}, {"exclusive", q.Exclusive}} {
		if !property.have {
			continue
		}
		d := Difference{
			Kind: KindProperty, Weight: Failure, Object: "queue", Name: p.Name, Argument: property.name,
			Want: "false", Have: "true", Breaks: refused, Mend: mendArgument,
		}
		if property.name == "durable" {
			d.Want, d.Have = "true", "false"
			d.Breaks += "; and the queue does not survive a restart of the broker"
		}
		c.differs(d)
	}
	want, have := maps.Clone(p.Args), maps.Clone(q.Args)
	c.types(p, q, want, have)
	for _, name := range slices.Sorted(maps.Keys(merged(want, have))) {
		if name == typeArgument || same(want[name], have[name]) {
			continue
		}
		d := Difference{
			Kind: KindArgument, Weight: Failure, Object: "queue", Name: p.Name, Argument: name,
			Want: text(want[name]), Have: text(have[name]), Breaks: refused, Mend: mendArgument,
		}
		if also := missed(name, have[name], p); also != "" {
			d.Breaks += "; and " + also
		}
		if _, mayBe := since[name]; mayBe && want[name] != nil && !compared(name, q.Type, c.broker.Version) {
			continue // said by supported
		}
		if !compared(name, q.Type, c.broker.Version) {
			d.Weight = Warning
			d.Breaks = fmt.Sprintf("RabbitMQ %s does not know this argument on a %s queue: it takes any value without a word, and does nothing",
				c.broker.Version, q.Type)
			d.Mend = "leave it out, or use a release of RabbitMQ that knows it; " + mendArgument
			if _, ours := want[name]; !ours {
				d.Weight, d.Mend = Note, "nothing needs to be done until the broker is upgraded; then "+mendArgument
			}
		}
		c.differs(d)
	}
}

const typeArgument = "x-queue-type"

// types compares the types of queues. One that is declared without is of the
// broker's default type.
func (c *comparison) types(p planned, q Queue, want, have map[string]any) {
	ours, theirs := text(want[typeArgument]), q.Type
	unset := "classic"
	if c.broker.DefaultQueueType != "" {
		unset = c.broker.DefaultQueueType
	}
	if want[typeArgument] == nil {
		ours = unset
	}
	if theirs == "" {
		if theirs = "classic"; have[typeArgument] != nil {
			theirs = text(have[typeArgument])
		}
	}
	if ours == theirs {
		return
	}
	d := Difference{
		Kind: KindArgument, Weight: Failure, Object: "queue", Name: p.Name, Argument: typeArgument,
		Want: ours, Have: theirs, Breaks: refused, Mend: mendArgument,
	}
	if want[typeArgument] == nil {
		d.Want = ours + " (the default of the virtual host)"
	}
	if theirs == string(topology.Classic) {
		switch p.role {
		case retryQueue:
			d.Breaks += "; and a classic retry queue loses confirmed messages when the broker is killed while it puts them back"
		case mainQueue, errorQueue, peerQueue:
			d.Breaks += "; and a classic queue lives on one node, and does not recognise messages that kill their process"
		}
	}
	c.differs(d)
}

// missed says what goes wrong without a consumer being refused, if the queue is
// used as it is.
func missed(name string, have any, p planned) string {
	switch name {
	case "x-delivery-limit":
		if p.role == errorQueue {
			return "RabbitMQ 4 deletes an entry of the error queue after as many looks as the limit is (20 if there is none)"
		}
		return "the broker itself moves a message after so many failed deliveries, without a reason"
	case "x-dead-letter-exchange", "x-dead-letter-routing-key":
		if have == nil {
			return "what is rejected or expires there is dropped without a word"
		}
		return "what is rejected or expires there goes elsewhere"
	case "x-dead-letter-strategy", "x-overflow":
		return "dead letters are lost if the broker dies while it moves them"
	case "x-message-ttl":
		if p.role == retryQueue {
			return "messages wait for another time than planned"
		}
		return "messages in it expire"
	case "x-max-length", "x-max-length-bytes":
		return "a full queue drops messages or refuses them"
	case "x-expires":
		return "the queue is deleted, with what waits in it, when nothing has consumed from it for that time"
	case "x-single-active-consumer":
		return "only one consumer is given messages at a time, or several although one was planned"
	}
	return ""
}

// refusal makes a difference of the broker's answer.
func (c *comparison) refusal(object, name string, r *Refusal) {
	d := Difference{
		Kind: KindArgument, Weight: Failure, Object: object, Name: name,
		Argument: r.Argument, Want: r.Ours, Have: r.Theirs,
		Breaks: refused, Mend: mendArgument,
	}
	if object == "exchange" {
		d.Mend = mendExchange
	}
	if r.Argument == "" {
		d.Have = r.Text
	}
	d.Mend += ". The broker names the first difference only: there may be more"
	c.differs(d)
}
