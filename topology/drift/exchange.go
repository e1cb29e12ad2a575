package drift

import (
	"strings"

	"github.com/warren-mq/warren/topology"
)

const mendExchange = "an exchange cannot be changed. Either plan what the broker has, or take another name, bind both until all publishers " +
	"have moved, and delete the old one: docs/topology.md"

// exchange compares an exchange that the plan declares.
func (c *comparison) exchange(want topology.Exchange) {
	e := c.broker.Exchanges[want.Name]
	switch e.Seen {
	case Unknown:
		c.unseen("exchange", want.Name, "existence", "exchanges")
		return
	case Missing:
		c.differs(Difference{
			Kind: KindMissing, Weight: Warning, Object: "exchange", Name: want.Name, Apply: true,
			Breaks: "who publishes to it is refused with 404, which ends the channel; a consumer with DeclareAll makes it when it starts",
			Mend:   "warren topology apply, or start a consumer with DeclareAll",
		})
		return
	case Present:
	}
	if e.Refused != nil {
		c.refusal("exchange", want.Name, e.Refused)
		return
	}
	if e.Kind == "" {
		if !e.Agreed {
			c.unseen("exchange", want.Name, "arguments", "arguments")
		}
		return
	}
	for _, p := range []struct{ name, want, have string }{
		{"type", want.Kind, e.Kind},
		{"durable", text(want.Durable), text(e.Durable)},
		{"auto_delete", text(want.AutoDelete), text(e.AutoDelete)},
		// The only argument that RabbitMQ compares.
		{"alternate-exchange", text(want.Args["alternate-exchange"]), text(e.Args["alternate-exchange"])},
	} {
		if p.want != p.have {
			c.differs(Difference{
				Kind: KindProperty, Weight: Failure, Object: "exchange", Name: want.Name, Argument: p.name,
				Want: p.want, Have: p.have, Breaks: refused, Mend: mendExchange,
			})
		}
	}
}

// binding looks for a binding of the plan.
func (c *comparison) binding(want topology.Binding) {
	name := BindingName(want)
	e := c.broker.Exchanges[want.Exchange]
	q := c.broker.Queues[want.Queue]
	switch {
	case e.Seen == Missing || q.Seen == Missing: // there can be none
	case e.Seen == Unknown:
		c.unseen("exchange", want.Exchange, "existence", "exchanges")
		return
	case q.Seen == Unknown || q.Bindings == nil:
		c.unseen("binding", name, "existence", "bindings")
		return
	default:
		for _, b := range q.Bindings {
			if b.Exchange == want.Exchange && b.Key == want.Key && sameBindingArgs(want.Args, b.Args) {
				return
			}
		}
	}
	d := Difference{
		Kind: KindMissing, Weight: Failure, Object: "binding", Name: name, Apply: true,
		Breaks: "what is published to the exchange with this key does not reach the queue: RabbitMQ drops it without a word, " +
			"unless it is published as mandatory",
		Mend: "warren topology apply, or start a consumer with DeclareAll",
	}
	if e.Seen == Missing && !c.declaresExchange(want.Exchange) {
		d.Apply = false
		d.Breaks = "every consumer that binds to the exchange is refused with 404 NOT_FOUND: it does not exist, and the plan does not declare it"
		d.Mend = "have the owner of the exchange declare it, or set Binding.Kind so that the consumer does"
	}
	c.differs(d)
}

func (c *comparison) declaresExchange(name string) bool {
	for _, e := range c.plan.Exchanges {
		if e.Name == name {
			return true
		}
	}
	return false
}

func sameBindingArgs(a, b map[string]any) bool {
	return len(a) == 0 && len(b) == 0 || sameTable(any(a), any(b))
}

// BindingName is how differences name a binding.
func BindingName(b topology.Binding) string {
	name := b.Exchange + " to " + b.Queue
	if b.Key != "" {
		name += " with key " + b.Key
	}
	return name
}

// extraBindings notes bindings of the main queue that the plan does not have.
func (c *comparison) extraBindings() {
	q := c.broker.Queues[c.plan.Main.Name]
	if c.options.Own || q.Seen != Present {
		return
	}
next:
	for _, b := range q.Bindings {
		for _, want := range c.plan.Bindings {
			if want.Queue == q.Name && b.Exchange == want.Exchange && b.Key == want.Key && sameBindingArgs(want.Args, b.Args) {
				continue next
			}
		}
		c.differs(Difference{
			Kind: KindExtra, Weight: Note, Object: "binding", Name: BindingName(topology.Binding{Exchange: b.Exchange, Queue: q.Name, Key: b.Key}),
			Breaks: "messages arrive by a binding that the plan does not have: consumers never take one away",
			Mend:   "if it is left over from an earlier plan, unbind it by hand",
		})
	}
}

// target looks where the queue's dead letters go.
func (c *comparison) target(p planned, q Queue) {
	args := q.Args
	if args == nil && q.Agreed {
		args = p.Args
	}
	if p.role == errorQueue {
		return
	}
	if args == nil {
		c.unseen("queue", p.Name, "where dead letters go", "arguments")
		return
	}
	s := c.settings(q, args)
	exchange, set := s.value("dead-letter-exchange").(string)
	if !set {
		if p.foreign {
			c.differs(Difference{
				Kind: KindTarget, Weight: Warning, Object: "queue", Name: p.Name, Have: "none",
				Breaks: "what the broker itself gives up (x-delivery-limit, which RabbitMQ 4 sets to 20 on quorum queues) is deleted without a word",
				Mend:   "a policy can set dead-letter-exchange \"\" and dead-letter-routing-key " + c.plan.Error.Name,
			})
		}
		return
	}
	key, set := s.value("dead-letter-routing-key").(string)
	to := "exchange " + exchange
	switch {
	case !set && exchange == "":
		return // to the queue that each message's own key names
	case exchange == "":
		to = "queue " + key
	case set:
		to += " with key " + key
	}
	routed, why := c.routed(exchange, key, !set)
	if routed {
		return
	}
	if why != "" {
		c.unseen("queue", p.Name, "whether dead letters to "+to+" arrive", why)
		return
	}
	d := Difference{
		Kind: KindTarget, Weight: Failure, Object: "queue", Name: p.Name,
		Want: to, Have: "it does not exist, or nothing is bound",
		Breaks: "what is dead-lettered there is dropped without a word",
		Mend:   "declare or bind it, or correct the argument or policy that names it",
	}
	if s.atLeastOnce() {
		d.Breaks = "what is dead-lettered there stays in the queue, and 32 such messages hold up all others, until there is somewhere to go"
	}
	if _, ours := c.plan.Find(key); ours && exchange == "" || c.declaresExchange(exchange) {
		d.Apply, d.Mend = true, "warren topology apply"
	}
	c.differs(d)
}

// routed says whether a message with that key, or with some key, arrives in a
// queue. If that cannot be known, why is the key of Broker.Why.
func (c *comparison) routed(exchange, key string, anyKey bool) (arrives bool, why string) {
	if exchange == "" {
		switch c.broker.Queues[key].Seen {
		case Present:
			return true, ""
		case Unknown:
			return false, "queues"
		case Missing:
		}
		return false, ""
	}
	e := c.broker.Exchanges[exchange]
	switch {
	case e.Seen == Unknown:
		return false, "exchanges"
	case e.Seen == Missing:
		return false, ""
	case e.Bindings == nil:
		return false, "bindings"
	}
	if anyKey && len(e.Bindings) > 0 {
		return true, ""
	}
	for _, b := range e.Bindings {
		if fits, known := matches(e.Kind, b.Key, key); !known || fits && b.Queue == "" {
			why = "bindings" // headers, plugins, and exchanges behind this one
		} else if fits {
			return true, ""
		}
	}
	if e.Args["alternate-exchange"] != nil {
		why = "bindings"
	}
	return false, why
}

// matches says whether an exchange of that kind takes key for a binding's.
func matches(kind, binding, key string) (fits, known bool) {
	switch kind {
	case "fanout":
		return true, true
	case "direct":
		return binding == key, true
	case "topic":
		return topic(strings.Split(binding, "."), strings.Split(key, ".")), true
	}
	return false, false
}

// topic matches words: * is one, # any number of them.
func topic(pattern, words []string) bool {
	if len(pattern) == 0 {
		return len(words) == 0
	}
	if pattern[0] == "#" {
		return topic(pattern[1:], words) || len(words) > 0 && topic(pattern, words[1:])
	}
	return len(words) > 0 && (pattern[0] == "*" || pattern[0] == words[0]) && topic(pattern[1:], words[1:])
}
