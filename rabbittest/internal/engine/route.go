package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// route finds the queues for a message: each once, however many bindings lead there. An exchange that knows none asks
// its alternate. https://www.rabbitmq.com/docs/ae
func (v *vhost) route(exchangeName string, m *Message) []*Queue {
	var found []*Queue
	has := map[*Queue]bool{}
	add := func(q *Queue) {
		if q != nil && !has[q] {
			has[q] = true
			found = append(found, q)
		}
	}
	start := v.exchanges[exchangeName]
	if start == nil {
		return nil
	}
	by := criteria{keys: m.keys(), headers: m.Properties.Headers}
	if len(m.Deaths) > 0 {
		by.headers = v.node.deathHeaders(m)
	}
	todo, seen := []*exchange{start}, map[*exchange]bool{start: true}
	follow := func(x *exchange) {
		if x != nil && !seen[x] {
			seen[x] = true
			todo = append(todo, x)
		}
	}
	for len(todo) > 0 {
		x := todo[0]
		todo = todo[1:]
		if x.Name == "" {
			for _, key := range by.keys {
				add(v.queues[key])
			}
			continue
		}
		matched := false
		for _, b := range x.bindings {
			if !x.matches(b, &by) {
				continue
			}
			matched = true
			add(b.to.queue)
			follow(b.to.exchange)
		}
		if !matched && x.alternate != "" {
			follow(v.exchanges[x.alternate])
		}
	}
	return found
}

// criteria are what of a message decides where it goes.
type criteria struct {
	keys    []string
	headers wire.Table
	split   [][]string // the words of each key, once a topic exchange has asked for them
}

func (by *criteria) words() [][]string {
	if by.split == nil {
		for _, key := range by.keys {
			by.split = append(by.split, words(key))
		}
	}
	return by.split
}

// matches tells whether a binding takes a message.
func (x *exchange) matches(b *binding, by *criteria) bool {
	switch x.Type {
	case "fanout":
		return true
	case "headers":
		return headersMatch(b.args, by.headers, x.vhost.node.profile.StrictNumbers)
	case "topic":
		return slices.ContainsFunc(by.words(), func(key []string) bool { return wordsMatch(b.words, key) })
	}
	return slices.Contains(by.keys, b.Key)
}

// words splits a key. The empty one has none, as in RabbitMQ.
func words(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ".")
}

// wordsMatch matches a topic: * stands for one word, # for any number of them.
// https://www.rabbitmq.com/tutorials/amqp-concepts
//
// It goes through both at once and, after a mismatch, back to the last #, which then takes one word more: no
// pattern takes longer than the product of both lengths.
func wordsMatch(pattern, key []string) bool {
	p, k := 0, 0
	hash, resume := -1, 0
	for k < len(key) {
		switch {
		case p < len(pattern) && pattern[p] == "#":
			hash, resume = p, k
			p++
		case p < len(pattern) && (pattern[p] == "*" || pattern[p] == key[k]):
			p++
			k++
		case hash >= 0:
			resume++
			p, k = hash+1, resume
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == "#" {
		p++
	}
	return p == len(pattern)
}

// checkMatch checks the x-match of a binding.
func checkMatch(args wire.Table) *Error {
	value, ok := args.Get("x-match")
	if !ok {
		return nil
	}
	name, ok := value.(string)
	if !ok {
		return ChannelFault(wire.PreconditionFailed, "Invalid x-match field type %s (value %s); expected longstr", wire.TypeName(value), term(value))
	}
	switch name {
	case "all", "any", "all-with-x", "any-with-x":
		return nil
	}
	return ChannelFault(wire.PreconditionFailed, "Invalid x-match field value %s; expected all, any, all-with-x, or any-with-x", term(wire.Binary(name)))
}

// term is a value as Erlang prints it, as far as it is simple.
func term(v any) string {
	switch v := v.(type) {
	case nil:
		return "undefined"
	case wire.Binary:
		if len(v) == 0 {
			return "<<>>"
		}
		return fmt.Sprintf("<<%q>>", string(v))
	}
	return fmt.Sprint(v)
}

// headersMatch compares by value whatever the type, but for floats and integers if strict. A void value asks only that
// the header is there.
// https://www.rabbitmq.com/tutorials/amqp-concepts#exchange-headers
func headersMatch(args, headers wire.Table, strict bool) bool {
	mode := text(args, "x-match")
	anyMode := strings.HasPrefix(mode, "any")
	withX := strings.HasSuffix(mode, "-with-x")
	for _, f := range args {
		if f.Name == "x-match" || !withX && strings.HasPrefix(f.Name, "x-") {
			continue
		}
		value, ok := headers.Get(f.Name)
		matches := ok && (f.Value == nil || sameValue(f.Value, value) && (!strict || float(f.Value) == float(value)))
		if matches == anyMode {
			return anyMode
		}
	}
	return !anyMode
}
