package engine

import (
	"fmt"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// What a full queue does. https://www.rabbitmq.com/docs/maxlength#overflow-behaviour
const (
	dropHead         = "drop-head"
	rejectPublish    = "reject-publish"
	rejectPublishDLX = "reject-publish-dlx"
)

// argument is one that RabbitMQ knows. Others are accepted, and have no effect.
type argument struct {
	name string
	// check says what is wrong with a value, as it stands in the refusal; nothing if it is right.
	check func(v any) string
	// take notes the value.
	take func(s *settings, v any)
}

var arguments = []argument{
	{"x-expires", positive, func(s *settings, v any) { s.expires = milliseconds(intOf(v)) }},
	{"x-message-ttl", notNegative, func(s *settings, v any) { s.ttl, s.hasTTL = milliseconds(intOf(v)), true }},
	{"x-dead-letter-exchange", nil, func(s *settings, v any) { s.deadExchange, s.deadLetters = v.(string), true }},
	{"x-dead-letter-routing-key", nil, func(s *settings, v any) { s.deadKey, s.hasDeadKey = v.(string), true }},
	{"x-dead-letter-strategy", oneOf("at-most-once", "at-least-once"), func(s *settings, v any) { s.atLeastOnce = v == "at-least-once" }},
	{"x-max-length", notNegative, func(s *settings, v any) { s.maxLength = intOf(v) }},
	{"x-max-length-bytes", notNegative, func(s *settings, v any) { s.maxBytes = intOf(v) }},
	{"x-overflow", overflow, func(s *settings, v any) { s.overflow = v.(string) }},
	{"x-max-priority", priorities, func(s *settings, v any) { s.maxPriority = int(intOf(v)) }},
	{"x-single-active-consumer", boolean, func(s *settings, v any) { s.singleActive = v.(bool) }},
	{"x-delivery-limit", anyInteger, func(s *settings, v any) { s.deliveryLimit, s.limited = intOf(v), true }},
	{"x-delayed-retry-type", oneOf("disabled", "all", "failed", "returned"), func(s *settings, v any) { s.delayType = v.(string) }},
	{"x-delayed-retry-min", notNegative, func(s *settings, v any) { s.delayMin = milliseconds(intOf(v)) }},
	{"x-delayed-retry-max", notNegative, func(s *settings, v any) { s.delayMax = milliseconds(intOf(v)) }},
}

// comparedArguments are those that must be the same when a queue is declared again, in the order in which RabbitMQ
// looks at them.
var comparedArguments = []string{
	"x-expires", "x-message-ttl", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-dead-letter-strategy",
	"x-max-length", "x-max-length-bytes", "x-overflow", "x-max-priority", "x-single-active-consumer",
	"x-queue-type", "x-delivery-limit",
}

// ofClassic and ofQuorum are arguments that the other type refuses.
var (
	ofClassic = map[string]bool{"x-max-priority": true}
	ofQuorum  = map[string]bool{"x-delivery-limit": true}
)

// configure checks a declaration and takes its settings.
func (q *Queue) configure(s QueueSpec) *Error {
	q.settings = settings{maxLength: -1, maxBytes: -1, overflow: dropHead}
	if err := q.readType(s); err != nil {
		return err
	}
	profile := q.node.profile
	if q.Quorum {
		q.deliveryLimit, q.limited = profile.DeliveryLimit, profile.DeliveryLimit >= 0
	}
	for _, a := range arguments {
		v, ok := s.Arguments.Get(a.name)
		if !ok {
			continue
		}
		if q.Quorum && ofClassic[a.name] || !q.Quorum && ofQuorum[a.name] {
			return ChannelFault(wire.PreconditionFailed, "invalid arg '%s' for %s of queue type %s", a.name, q, q.module())
		}
		if a.check == nil {
			if _, ok := v.(string); !ok {
				return ChannelFault(wire.PreconditionFailed, "invalid type '%s' for arg '%s' in %s", wire.TypeName(v), a.name, q)
			}
		} else if why := a.check(v); why != "" {
			return q.badArgument(a.name, why)
		}
		a.take(&q.settings, v)
	}
	if q.hasDeadKey && !q.deadLetters {
		return q.badArgument("x-dead-letter-routing-key", "routing_key_but_no_dlx_defined")
	}
	q.atLeastOnce = q.atLeastOnce && q.Quorum && q.deadLetters && q.overflow == rejectPublish
	if q.deliveryLimit < 0 && !profile.NoUnlimited {
		q.limited = false
	}
	if q.delayMax == 0 {
		q.delayMax = q.delayMin
	}
	if !profile.DelayedRetry || !q.Quorum {
		q.delayType = ""
	}
	levels := q.maxPriority + 1
	if q.Quorum {
		levels = profile.QuorumLevels
	}
	q.levels = make([]list, levels)
	return nil
}

// readType reads x-queue-type, and refuses what the type cannot be.
func (q *Queue) readType(s QueueSpec) *Error {
	v, ok := s.Arguments.Get("x-queue-type")
	if !ok {
		return nil
	}
	name, ok := v.(string)
	if !ok {
		return q.badArgument("x-queue-type", quoted("expected longstr, got %s", wire.TypeName(v)))
	}
	switch name {
	case "classic":
		return nil
	case "quorum":
		q.Quorum = true
	default:
		return q.badArgument("x-queue-type", quoted("unsupported queue type '%s'", name))
	}
	for _, p := range []struct {
		name string
		is   bool
	}{{"non-durable", !s.Durable}, {"exclusive-owner", s.Exclusive}, {"auto-delete", s.AutoDelete}} {
		if p.is {
			return ChannelFault(wire.PreconditionFailed, "invalid property '%s' for %s", p.name, q)
		}
	}
	return nil
}

// module is how RabbitMQ calls the type in texts.
func (q *Queue) module() string {
	if q.Quorum {
		return "rabbit_quorum_queue"
	}
	return "rabbit_classic_queue"
}

func intOf(v any) int64 {
	n, _ := integer(v)
	return n
}

func anyInteger(v any) string {
	if _, ok := integer(v); !ok {
		return quoted("expected integer, got %s", wire.TypeName(v))
	}
	return ""
}

func notNegative(v any) string {
	if why := anyInteger(v); why != "" {
		return why
	}
	if n := intOf(v); n < 0 {
		return fmt.Sprintf("{value_negative,%d}", n)
	}
	return ""
}

func positive(v any) string {
	if why := notNegative(v); why != "" {
		return why
	}
	if intOf(v) == 0 {
		return "{value_zero,0}"
	}
	return ""
}

func priorities(v any) string {
	if why := notNegative(v); why != "" {
		return why
	}
	if n := intOf(v); n > 255 {
		return fmt.Sprintf("{max_value_exceeded,%d}", n)
	}
	return ""
}

func boolean(v any) string {
	if _, ok := v.(bool); !ok {
		return quoted("expected boolean, got %s", wire.TypeName(v))
	}
	return ""
}

func overflow(v any) string {
	switch v {
	case dropHead, rejectPublish, rejectPublishDLX:
		return ""
	}
	return "invalid_overflow"
}

func oneOf(names ...string) func(any) string {
	return func(v any) string {
		for _, name := range names {
			if v == name {
				return ""
			}
		}
		return fmt.Sprintf("invalid value %v", v)
	}
}
