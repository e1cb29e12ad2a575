package engine

import (
	"slices"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// What a full queue does. https://www.rabbitmq.com/docs/maxlength#overflow-behaviour
const (
	dropHead         = "drop-head"
	rejectPublish    = "reject-publish"
	rejectPublishDLX = "reject-publish-dlx"
)

// argument is one of queue.declare that RabbitMQ knows.
type argument struct {
	name string
	// check says what is wrong with a value, as it stands in the refusal; nothing if it is right. Nil accepts all.
	check func(p *Profile, v any) string
	// take notes the value. Nil leaves it without effect here.
	take func(s *settings, v any)
}

// arguments are checked in this order, which is RabbitMQ's (rabbit_amqqueue.erl, declare_args). The last four are not
// checked at all there, so a value of the wrong type is no error, and has no effect.
var arguments = []argument{
	{"x-expires", lifetime, func(s *settings, v any) { s.expires = milliseconds(intOf(v)) }},
	{"x-message-ttl", expiry, func(s *settings, v any) { s.ttl, s.hasTTL = milliseconds(intOf(v)), true }},
	{"x-dead-letter-exchange", nil, func(s *settings, v any) { s.deadExchange, s.deadLetters = v.(string), true }},
	{"x-dead-letter-routing-key", isString, func(s *settings, v any) { s.deadKey, s.hasDeadKey = v.(string), true }},
	{"x-dead-letter-strategy", oneOf("invalid_dlx_strategy", "at-most-once", "at-least-once"), func(s *settings, v any) { s.atLeastOnce = v == "at-least-once" }},
	{"x-max-length", notNegative, func(s *settings, v any) { s.maxLength = intOf(v) }},
	{"x-max-length-bytes", notNegative, func(s *settings, v any) { s.maxBytes = intOf(v) }},
	{"x-max-in-memory-length", notNegative, nil},
	{"x-max-in-memory-bytes", notNegative, nil},
	{"x-max-priority", priorities, func(s *settings, v any) { s.maxPriority = int(intOf(v)) }},
	{"x-overflow", oneOf("invalid_overflow", dropHead, rejectPublish, rejectPublishDLX), func(s *settings, v any) { s.overflow = v.(string) }},
	{"x-queue-mode", mode, nil},
	{"x-queue-version", version, nil},
	{"x-single-active-consumer", boolean, func(s *settings, v any) { s.singleActive = v.(bool) }},
	{"x-quorum-initial-group-size", positive, nil},
	{"x-queue-leader-locator", oneOf("invalid_queue_locator_arg", "client-local", "balanced", "random", "least-leaders", "min-masters"), nil},
	{"x-consumer-timeout", integers, func(s *settings, v any) { s.consumerTimeout = milliseconds(max(0, intOf(v))) }},
	{"x-delivery-limit", nil, func(s *settings, v any) {
		if n, ok := integer(v); ok {
			s.deliveryLimit, s.limited = n, true
		}
	}},
	{"x-delayed-retry-type", nil, func(s *settings, v any) { s.delayType, _ = v.(string) }},
	{"x-delayed-retry-min", nil, func(s *settings, v any) { s.delayMin = milliseconds(max(0, intOf(v))) }},
	{"x-delayed-retry-max", nil, func(s *settings, v any) { s.delayMax = milliseconds(max(0, intOf(v))) }},
}

// configure checks a declaration and takes its settings.
func (q *Queue) configure(s QueueSpec) *Error {
	profile := &q.node.profile
	q.settings = settings{maxLength: -1, maxBytes: -1, overflow: dropHead}
	if err := q.readType(s.Arguments); err != nil {
		return err
	}
	if q.Quorum {
		q.deliveryLimit, q.limited = profile.DeliveryLimit, profile.DeliveryLimit >= 0
	}
	known := profile.argumentsOf(q.Quorum)
	for _, a := range arguments {
		v, ok := s.Arguments.Get(a.name)
		if !ok || !slices.Contains(known, a.name) {
			continue
		}
		if a.check != nil {
			if why := a.check(profile, v); why != "" {
				return q.badArgument(a.name, why)
			}
		}
		if a.name == "x-dead-letter-routing-key" && !q.deadLetters {
			return q.badArgument(a.name, "routing_key_but_no_dlx_defined")
		}
		if a.take != nil {
			a.take(&q.settings, v)
		}
	}
	if err := q.refuseOthers(s.Arguments, known, slices.Concat(profile.ClassicArguments, profile.QuorumArguments, streamArguments)); err != nil {
		return err
	}
	if err := q.refuseProperties(s); err != nil {
		return err
	}
	q.atLeastOnce = q.atLeastOnce && q.deadLetters && q.overflow == rejectPublish
	if q.deliveryLimit < 0 && !profile.NoUnlimited {
		q.limited = false
	}
	if q.delayMax == 0 {
		q.delayMax = q.delayMin
	}
	levels := q.maxPriority + 1
	if q.Quorum {
		levels = profile.QuorumLevels
	}
	q.levels = make([]list, levels)
	return nil
}

// readType reads x-queue-type.
func (q *Queue) readType(args wire.Table) *Error {
	v, ok := args.Get("x-queue-type")
	if !ok {
		return nil
	}
	if why := isString(nil, v); why != "" {
		return q.badArgument("x-queue-type", why)
	}
	switch {
	case v == "quorum":
		q.Quorum = true
	case v == "" && q.node.profile.EmptyTypeIsDefault:
	case v != "classic":
		return q.badArgument("x-queue-type", quoted("unsupported queue type '%s'", v))
	}
	return nil
}

// refuseOthers refuses the arguments of other types of queues. What no type knows is accepted, and has no effect.
func (q *Queue) refuseOthers(args wire.Table, known, others []string) *Error {
	var refused []string
	for _, f := range args {
		if !slices.Contains(known, f.Name) && slices.Contains(others, f.Name) {
			refused = append(refused, f.Name)
		}
	}
	if refused == nil {
		return nil
	}
	return ChannelFault(wire.PreconditionFailed, "invalid arg '%s' for %s of queue type %s", slices.Min(refused), q, module(q.Quorum))
}

// refuseProperties refuses what a quorum queue cannot be (rabbit_quorum_queue.erl), and what 4.3 does not permit.
func (q *Queue) refuseProperties(s QueueSpec) *Error {
	if _, ok := s.Arguments.Get("x-queue-master-locator"); ok && q.node.profile.RefusesMasterLocator {
		return ConnectionFault(wire.InternalError, "%s", deprecated("queue_master_locator"))
	}
	if !q.Quorum {
		return nil
	}
	for _, p := range []struct {
		name string
		is   bool
	}{{"auto-delete", s.AutoDelete}, {"exclusive-owner", s.Exclusive}, {"non-durable", !s.Durable}} {
		if p.is {
			return ChannelFault(wire.PreconditionFailed, "invalid property '%s' for %s", p.name, q)
		}
	}
	return nil
}

// consumerArguments are those of basic.consume that are checked (rabbit_amqqueue.erl, consume_args).
var consumerArguments = []argument{
	{"x-priority", integers, nil},
	{"x-cancel-on-ha-failover", boolean, nil},
}

// checkConsumer checks the arguments of basic.consume, and refuses those that are for other types of queues.
func (q *Queue) checkConsumer(args wire.Table) *Error {
	p := &q.node.profile
	known := p.ClassicConsumer
	if q.Quorum {
		known = p.QuorumConsumer
	}
	for _, a := range consumerArguments {
		if v, ok := args.Get(a.name); ok && slices.Contains(known, a.name) {
			if why := a.check(p, v); why != "" {
				return q.badArgument(a.name, why)
			}
		}
	}
	return q.refuseOthers(args, known, slices.Concat(p.ClassicConsumer, p.QuorumConsumer, p.StreamConsumer))
}

// deprecated is what RabbitMQ says of a feature that it does not permit any more (rabbit_deprecated_features.erl).
func deprecated(feature string) string {
	return "Feature `" + feature + "` is deprecated.\n" +
		"By default, this feature is not permitted anymore.\n" +
		"The feature will be removed from a future major RabbitMQ version, regardless of the configuration; actual version to be determined.\n" +
		"To continue using this feature when it is not permitted by default, set the following parameter in your configuration:\n" +
		"    \"deprecated_features.permit." + feature + " = true\""
}

// module is how RabbitMQ calls a type of queue in texts.
func module(quorum bool) string {
	if quorum {
		return "rabbit_quorum_queue"
	}
	return "rabbit_classic_queue"
}
