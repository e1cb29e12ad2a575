package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// exchange routes messages to queues and to other exchanges.
type exchange struct {
	Name       string
	Type       string // direct, fanout, topic or headers
	Durable    bool
	AutoDelete bool
	Internal   bool
	Arguments  wire.Table

	vhost     *vhost
	alternate string
	bindings  []*binding // from this exchange
	bound     bool       // it once had a binding, so an auto-delete exchange may go with the last one
}

func (x *exchange) String() string {
	return fmt.Sprintf("exchange '%s' in vhost '%s'", x.Name, x.vhost.name)
}

// node is where a binding leads to: a queue or an exchange.
type node struct {
	queue    *Queue
	exchange *exchange
}

func queueNode(q *Queue) node       { return node{queue: q} }
func exchangeNode(x *exchange) node { return node{exchange: x} }

func (d node) durable() bool {
	if d.queue != nil {
		return d.queue.Durable
	}
	return d.exchange.Durable
}

// binding is a route from an exchange.
type binding struct {
	to    node
	Key   string
	words []string // of Key: a topic exchange compares them
	args  wire.Table
}

// ExchangeSpec is what exchange.declare says.
type ExchangeSpec struct {
	Name, Type                    string
	Durable, AutoDelete, Internal bool
	Arguments                     wire.Table
}

func newVHost(n *Node, name string) *vhost {
	v := &vhost{node: n, name: name, exchanges: map[string]*exchange{}, queues: map[string]*Queue{}}
	for _, x := range []exchange{
		{Name: "", Type: "direct"},
		{Name: "amq.direct", Type: "direct"},
		{Name: "amq.fanout", Type: "fanout"},
		{Name: "amq.headers", Type: "headers"},
		{Name: "amq.match", Type: "headers"},
		{Name: "amq.rabbitmq.trace", Type: "topic", Internal: true},
		{Name: "amq.topic", Type: "topic"},
		{Name: "amq.rabbitmq.log", Type: "topic", Internal: true},
	} {
		if x.Name == "amq.rabbitmq.log" && !n.profile.LogExchange {
			continue
		}
		x.Durable, x.vhost = true, v
		v.exchanges[x.Name] = &x
	}
	return v
}

func (v *vhost) noExchange(name string) *Error {
	return ChannelFault(wire.NotFound, "no exchange '%s' in vhost '%s'", name, v.name)
}

func (v *vhost) noQueue(name string) *Error {
	return ChannelFault(wire.NotFound, "no queue '%s' in vhost '%s'", name, v.name)
}

func (v *vhost) sortedQueues() []*Queue {
	return sortQueues(slices.Collect(maps.Values(v.queues)))
}

// sortQueues sorts by name, so that what is done to many is done in the same order every time.
func sortQueues(all []*Queue) []*Queue {
	slices.SortFunc(all, func(a, b *Queue) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func (v *vhost) sortedExchanges() []*exchange {
	return slices.SortedFunc(maps.Values(v.exchanges), func(a, b *exchange) int { return cmp.Compare(a.Name, b.Name) })
}

func onDefaultExchange() *Error {
	return ChannelFault(wire.AccessRefused, "operation not permitted on the default exchange")
}

// ExchangeDeclare declares an exchange, or checks one that is there.
func (ch *Channel) ExchangeDeclare(s ExchangeSpec) *Error {
	v := ch.vhost
	s.Name = oneLine(s.Name)
	if err := ch.checkExchangeType(s.Type); err != nil {
		return err
	}
	if s.Name == "" {
		return onDefaultExchange()
	}
	if err := ch.conn.allow(Configure, "exchange", s.Name); err != nil {
		return err
	}
	if old := v.exchanges[s.Name]; old != nil {
		return old.equivalent(s)
	}
	if strings.HasPrefix(s.Name, "amq.") {
		return ChannelFault(wire.AccessRefused, "exchange name '%s' contains reserved prefix 'amq.*'", s.Name)
	}
	x := &exchange{
		Name: s.Name, Type: s.Type, Durable: s.Durable, AutoDelete: s.AutoDelete, Internal: s.Internal, Arguments: s.Arguments, vhost: v,
	}
	if value, ok := s.Arguments.Get("alternate-exchange"); ok {
		name, ok := value.(string)
		if !ok {
			return ChannelFault(wire.PreconditionFailed, "invalid type '%s' for arg 'alternate-exchange' in %s", wire.TypeName(value), x)
		}
		if err := ch.conn.allow(Read, "exchange", x.Name); err != nil {
			return err
		}
		if err := ch.conn.allow(Write, "exchange", name); err != nil {
			return err
		}
		x.alternate = name
	}
	v.exchanges[s.Name] = x
	return nil
}

// ExchangeCheck is a passive declare: it looks whether the exchange exists.
func (ch *Channel) ExchangeCheck(name string) *Error {
	name = oneLine(name)
	if name == "" {
		return onDefaultExchange()
	}
	if ch.vhost.exchanges[name] == nil {
		return ch.vhost.noExchange(name)
	}
	return nil
}

func (ch *Channel) checkExchangeType(kind string) *Error {
	switch kind {
	case "direct", "fanout", "topic", "headers":
		return nil
	}
	// RabbitMQ says "invalid" where it knows the name as that of something else (as an Erlang atom): of these, the
	// empty one alone is known here.
	what := "unknown"
	if kind == "" {
		what = "invalid"
	}
	if ch.node.profile.UnknownTypeCloses {
		return ConnectionFault(wire.CommandInvalid, "%s exchange type '%s'", what, kind)
	}
	return ChannelFault(wire.PreconditionFailed, "%s exchange type '%s'", what, kind)
}

// equivalent refuses to declare the exchange again as another one.
func (x *exchange) equivalent(s ExchangeSpec) *Error {
	for _, p := range []struct{ name, got, have string }{
		{"type", s.Type, x.Type},
		{"durable", strconv.FormatBool(s.Durable), strconv.FormatBool(x.Durable)},
		{"auto_delete", strconv.FormatBool(s.AutoDelete), strconv.FormatBool(x.AutoDelete)},
		{"internal", strconv.FormatBool(s.Internal), strconv.FormatBool(x.Internal)},
	} {
		if p.got != p.have {
			return ChannelFault(wire.PreconditionFailed, "inequivalent arg '%s' for %s: received '%s' but current is '%s'", p.name, x, p.got, p.have)
		}
	}
	return sameArgument(x, "alternate-exchange", s.Arguments, x.Arguments)
}

// ExchangeDelete deletes an exchange and its bindings. One that is missing is deleted already.
func (ch *Channel) ExchangeDelete(name string, ifUnused bool) *Error {
	name = oneLine(name)
	if name == "" {
		return onDefaultExchange()
	}
	if strings.HasPrefix(name, "amq.") {
		return ChannelFault(wire.AccessRefused, "deletion of system exchange '%s' in vhost '%s' not allowed", name, ch.vhost.name)
	}
	if err := ch.conn.allow(Configure, "exchange", name); err != nil {
		return err
	}
	x := ch.vhost.exchanges[name]
	switch {
	case x == nil:
		return nil
	case ifUnused && len(x.bindings) > 0:
		return ChannelFault(wire.PreconditionFailed, "%s in use", x)
	}
	ch.vhost.removeExchange(x)
	return nil
}

func (v *vhost) removeExchange(x *exchange) {
	delete(v.exchanges, x.Name)
	x.bindings = nil
	v.unbindAll(exchangeNode(x))
}

// Binding is what a bind or unbind command says.
type Binding struct {
	Source    string
	ToQueue   bool
	To        string // a queue or an exchange
	Key       string
	Arguments wire.Table
}

// Bind adds a route. One that is there already stays as it is.
func (ch *Channel) Bind(b Binding) *Error {
	if err := ch.mayConnect(&b); err != nil {
		return err
	}
	x, to := ch.ends(b)
	switch {
	case x == nil:
		return ch.vhost.noExchange(b.Source)
	case b.ToQueue && to.queue == nil:
		return ch.vhost.noQueue(b.To)
	case !b.ToQueue && to.exchange == nil:
		return ch.vhost.noExchange(b.To)
	}
	if err := x.checkBinding(b); err != nil {
		return err
	}
	if to.queue != nil {
		if err := to.queue.checkOwner(ch.conn); err != nil {
			return err
		}
	}
	if x.find(to, b) < 0 {
		x.bindings = append(x.bindings, &binding{to: to, Key: b.Key, words: words(b.Key), args: b.Arguments})
		x.bound = true
	}
	return nil
}

// Unbind removes a route. One that is missing is removed already, also if its ends are missing too.
func (ch *Channel) Unbind(b Binding) *Error {
	if err := ch.mayConnect(&b); err != nil {
		return err
	}
	x, to := ch.ends(b)
	if x == nil {
		return nil
	}
	at := x.find(to, b)
	if at < 0 {
		return nil
	}
	if to.queue != nil {
		if err := to.queue.checkOwner(ch.conn); err != nil {
			return err
		}
	}
	x.bindings = slices.Delete(x.bindings, at, at+1)
	x.unbound()
	return nil
}

// mayConnect checks that the user may connect the two ends of a binding, and completes it: where the queue is left
// out, it is the last one that was declared, and so is the key if it is left out too.
func (ch *Channel) mayConnect(b *Binding) *Error {
	b.Source, b.To = oneLine(b.Source), oneLine(b.To)
	kind := "exchange"
	if b.ToQueue {
		kind = "queue"
		name, err := ch.queueName(b.To)
		if err != nil {
			return err
		}
		if b.To == "" && b.Key == "" {
			b.Key = name
		}
		b.To = name
	} else if b.To == "" {
		return onDefaultExchange()
	}
	if err := ch.conn.allow(Write, kind, b.To); err != nil {
		return err
	}
	if b.Source == "" {
		return onDefaultExchange()
	}
	return ch.conn.allow(Read, "exchange", b.Source)
}

// ends finds the two ends of a binding, as far as they exist.
func (ch *Channel) ends(b Binding) (*exchange, node) {
	if b.ToQueue {
		return ch.vhost.exchanges[b.Source], queueNode(ch.vhost.queues[b.To])
	}
	return ch.vhost.exchanges[b.Source], exchangeNode(ch.vhost.exchanges[b.To])
}

// checkBinding refuses a binding that means nothing to this type of exchange.
func (x *exchange) checkBinding(b Binding) *Error {
	switch x.Type {
	case "headers":
		return checkMatch(b.Arguments)
	case "topic":
		hashes := 0
		for _, word := range words(b.Key) {
			if word == "#" {
				hashes++
			}
		}
		if most := x.vhost.node.profile.MostHashes; most > 0 && hashes > most {
			return ChannelFault(wire.PreconditionFailed, "Topic binding key '%s' uses %d '#' wildcards, at most %d are allowed", b.Key, hashes, most)
		}
	}
	return nil
}

func (x *exchange) find(to node, b Binding) int {
	return slices.IndexFunc(x.bindings, func(old *binding) bool {
		return old.to == to && old.Key == b.Key && sameTable(old.args, b.Arguments)
	})
}

// unbindAll removes the routes to a queue or an exchange that is gone.
func (v *vhost) unbindAll(to node) {
	for _, x := range v.sortedExchanges() {
		before := len(x.bindings)
		x.bindings = slices.DeleteFunc(x.bindings, func(b *binding) bool { return b.to == to })
		if len(x.bindings) < before {
			x.unbound()
		}
	}
}

// unbound deletes an auto-delete exchange with its last binding.
func (x *exchange) unbound() {
	if x.AutoDelete && x.bound && len(x.bindings) == 0 && x.vhost.exchanges[x.Name] == x {
		x.vhost.removeExchange(x)
	}
}

// forgetTransient drops the bindings that do not survive a restart.
func (x *exchange) forgetTransient() {
	x.bindings = slices.DeleteFunc(x.bindings, func(b *binding) bool { return !b.to.durable() })
}
