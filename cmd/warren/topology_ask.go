package main

import (
	"context"
	"errors"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/refusal"
	"github.com/warren-mq/warren/topology"
	"github.com/warren-mq/warren/topology/drift"
)

// askPlan finds out about the plan's queues and exchanges by AMQP alone. A passive declaration tells what exists. What
// exists is declared again as planned: the broker changes nothing then, and refuses what differs. Only what is deleted
// between the two would be made.
func askPlan(ctx context.Context, conn *connection.Connection, p topology.Plan, own bool, b *drift.Broker) error {
	const tells = "AMQP does not tell; give --management"
	for _, kind := range []string{"arguments", "policies", "bindings", "retries"} {
		b.Why[kind] = tells
	}
	for _, r := range append(p.Queues(), rungsOf(p)...) {
		q, err := askQueue(ctx, conn, r, own && r.Name == p.Main.Name, b)
		if err != nil {
			return err
		}
		b.Queues[r.Name] = q
	}
	for _, e := range p.Exchanges {
		x, err := askExchange(ctx, conn, e, b)
		if err != nil {
			return err
		}
		b.Exchanges[e.Name] = x
	}
	for _, binding := range p.Bindings { // those that somebody else declares
		if _, seen := b.Exchanges[binding.Exchange]; seen {
			continue
		}
		x, err := askExchange(ctx, conn, topology.Exchange{Name: binding.Exchange}, b)
		if err != nil {
			return err
		}
		b.Exchanges[binding.Exchange] = x
	}
	return nil
}

func rungsOf(p topology.Plan) (all []topology.Queue) {
	for _, r := range p.Rungs {
		all = append(all, r.Queue)
	}
	return all
}

// askQueue asks about one queue. The error is that of the connection, not of the queue.
func askQueue(ctx context.Context, conn *connection.Connection, want topology.Queue, foreign bool, b *drift.Broker) (drift.Queue, error) {
	q := drift.Queue{Name: want.Name}
	var messages int64
	said, err := askBroker(ctx, conn, func(ch *amqp.Channel) error {
		is, err := ch.QueueDeclarePassive(want.Name, true, false, false, false, nil)
		messages = int64(is.Messages)
		return err
	})
	switch {
	case err != nil:
		return q, err
	case said == nil:
		q.Seen, q.Messages = drift.Present, &messages
	case said.Code == amqp.NotFound && refusal.NoSuchThing(said.Reason):
		q.Seen = drift.Missing
		return q, nil
	case said.Code == amqp.ResourceLocked:
		q.Seen, q.Refused = drift.Present, refusalOf(said, want.Args)
		return q, nil
	default:
		b.Why["queues"] = said.Reason
		return q, nil
	}
	if foreign {
		return q, nil
	}
	said, err = askBroker(ctx, conn, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(want.Name, true, false, false, false, want.Args)
		return err
	})
	switch {
	case err != nil:
		return q, err
	case said == nil:
		q.Agreed = true
	case said.Code == amqp.PreconditionFailed || said.Code == amqp.ResourceLocked:
		q.Refused = refusalOf(said, want.Args)
	default:
		b.Why["arguments"] = said.Reason
	}
	return q, nil
}

// askExchange asks about one exchange; without a kind, only whether it is there.
func askExchange(ctx context.Context, conn *connection.Connection, want topology.Exchange, b *drift.Broker) (drift.Exchange, error) {
	x := drift.Exchange{Name: want.Name}
	said, err := askBroker(ctx, conn, func(ch *amqp.Channel) error {
		return ch.ExchangeDeclarePassive(want.Name, "direct", true, false, false, false, nil)
	})
	switch {
	case err != nil:
		return x, err
	case said == nil:
		x.Seen = drift.Present
	case said.Code == amqp.NotFound:
		x.Seen = drift.Missing
		return x, nil
	default:
		b.Why["exchanges"] = said.Reason
		return x, nil
	}
	if want.Kind == "" {
		return x, nil
	}
	said, err = askBroker(ctx, conn, func(ch *amqp.Channel) error {
		return ch.ExchangeDeclare(want.Name, want.Kind, want.Durable, want.AutoDelete, false, false, want.Args)
	})
	switch {
	case err != nil:
		return x, err
	case said == nil:
		x.Agreed = true
	case said.Code == amqp.AccessRefused:
		b.Why["arguments"] = said.Reason
	default: // also a type that the broker does not have
		x.Refused = refusalOf(said, want.Args)
	}
	return x, nil
}

// askBroker puts one question on a channel of its own, since a refusal closes it. said is the broker's refusal; err is
// that there is no answer.
func askBroker(ctx context.Context, conn *connection.Connection, question func(*amqp.Channel) error) (said *amqp.Error, err error) {
	s, err := conn.Session(ctx, connection.Consume)
	if err != nil {
		return nil, err
	}
	ch, err := s.Open(ctx, question)
	if errors.As(err, &said) && said.Server {
		return said, nil
	}
	if err != nil {
		return nil, err
	}
	return nil, s.Do(ctx, ch.Close)
}

// refusalOf reads the broker's answer to a declaration.
func refusalOf(said *amqp.Error, args map[string]any) *drift.Refusal {
	differs := refusal.DifferenceIn(said.Reason, args)
	return &drift.Refusal{Argument: differs.Argument, Ours: differs.Ours, Theirs: differs.Theirs, Text: said.Reason}
}
