package drift

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Policy is a policy or an operator policy.
type Policy struct {
	Name string
	// Pattern is a regular expression that part of the queue's name matches.
	Pattern string
	// ApplyTo is queues, classic_queues, quorum_queues, streams, exchanges or all.
	ApplyTo    string
	Priority   int64
	Operator   bool
	Definition map[string]any
}

// Effective returns what policies define for a queue of type kind, and by key
// the names of those that do. Of the policies that match, the one with the
// highest priority holds, and beside it the operator policy with the highest. An
// error says that it cannot be told which these are: a pattern that only Erlang
// understands, or equal priorities.
func Effective(queue, kind string, policies []Policy) (definition map[string]any, by map[string]string, err error) {
	users, err := best(queue, kind, policies, false)
	if err != nil {
		return nil, nil, err
	}
	operators, err := best(queue, kind, policies, true)
	if err != nil {
		return nil, nil, err
	}
	definition, by = map[string]any{}, map[string]string{}
	for _, p := range []*Policy{users, operators} {
		if p == nil {
			continue
		}
		name := "policy " + p.Name
		if p.Operator {
			name = "operator policy " + p.Name
		}
		for key, v := range p.Definition {
			if had, ok := definition[key]; ok && !stricter(v, had) {
				continue
			}
			definition[key], by[key] = v, name
		}
	}
	return definition, by, nil
}

// stricter says whether an operator policy's value holds beside a policy's: the
// smaller number does, and otherwise the operator's.
func stricter(operators, users any) bool {
	x, ok := number(operators)
	y, also := number(users)
	return !ok || !also || x <= y
}

// best finds the policy that holds for a queue.
func best(queue, kind string, policies []Policy, operator bool) (*Policy, error) {
	var fit []*Policy
	for i := range policies {
		p := &policies[i]
		if p.Operator != operator || !p.appliesTo(kind) {
			continue
		}
		pattern, err := regexp.Compile(p.Pattern)
		if err != nil {
			return nil, fmt.Errorf("the pattern of policy %s cannot be read here", p.Name)
		}
		if pattern.MatchString(queue) {
			fit = append(fit, p)
		}
	}
	slices.SortStableFunc(fit, func(a, b *Policy) int { return cmp.Compare(b.Priority, a.Priority) })
	switch {
	case len(fit) == 0:
		return nil, nil
	case len(fit) > 1 && fit[0].Priority == fit[1].Priority && !maps.EqualFunc(fit[0].Definition, fit[1].Definition, same):
		return nil, fmt.Errorf("policies %s and %s match with the same priority", fit[0].Name, fit[1].Name)
	}
	return fit[0], nil
}

func (p *Policy) appliesTo(kind string) bool {
	switch p.ApplyTo {
	case "all", "queues", "":
		return true
	case "classic_queues", "quorum_queues":
		return strings.TrimSuffix(p.ApplyTo, "_queues") == kind
	case "streams":
		return kind == "stream"
	}
	return false
}

// settings are what holds for a queue: its arguments, and what policies make of them.
type settings struct {
	kind   string
	args   map[string]any
	policy map[string]any
	by     map[string]string
	// unknown says why nothing is known of policies.
	unknown string
}

// Settings returns the value that holds for key, such as "delivery-limit",
// whether by argument or by policy; nil if neither sets it. known is false if
// the queue's arguments or policies could not be seen.
func (b Broker) Settings(queue string) (value func(key string) any, known bool) {
	q := b.Queues[queue]
	c := &comparison{broker: b}
	s := c.settings(q, q.Args)
	return s.value, q.Seen == Present && q.Args != nil && s.unknown == ""
}

// settings finds what holds for q, if these are its arguments.
func (c *comparison) settings(q Queue, args map[string]any) settings {
	s := settings{kind: q.Type, args: args}
	if s.kind == "" {
		s.kind, _ = args[typeArgument].(string)
	}
	if s.kind == "" {
		s.kind = "classic"
	}
	var err error
	if c.broker.Policies != nil {
		if s.policy, s.by, err = Effective(q.Name, s.kind, c.broker.Policies); err == nil {
			return s
		}
		s.unknown = err.Error()
	} else {
		s.unknown = cmp.Or(c.broker.Why["policies"], "nobody looked")
	}
	if q.Effective != nil { // what the statistics say is some seconds old, but better than nothing
		s.policy, s.by, s.unknown = q.Effective, map[string]string{}, ""
		for key := range q.Effective {
			s.by[key] = "a policy"
		}
	}
	return s
}

// value is what holds for key. Seen on 3.10.8, 4.0.5 and 4.3.6: of two numbers
// the smaller, of two texts the argument; but a policy's overflow and
// delayed-retry-type win over a quorum queue's.
func (s settings) value(key string) any {
	arg, policy := s.args["x-"+key], s.policy[key]
	switch {
	case policy == nil:
		return arg
	case arg == nil:
		return policy
	case s.kind == "quorum" && (key == "overflow" || key == "delayed-retry-type"):
		return policy
	}
	x, ok := number(arg)
	y, also := number(policy)
	switch {
	case !ok || !also:
		return arg
	case key == "delivery-limit" && (x < 0 || y < 0): // negative: none
		return max(x, y)
	}
	return min(x, y)
}

// atLeastOnce says whether dead letters are kept until they are confirmed.
func (s settings) atLeastOnce() bool {
	return s.kind == "quorum" && s.value("dead-letter-strategy") == "at-least-once" && s.value("overflow") == "reject-publish"
}
