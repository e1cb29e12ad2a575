package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/asking"
	"github.com/warren-mq/warren/internal/refusal"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/topology"
)

// step is one question to the broker about one queue, exchange or binding.
type step struct {
	verb, name string
	args       map[string]any // what is asked for
	do         func(*amqp.Channel) error
}

// declare does what Config.Declare says about the plan.
func (c *Consumer) declare(ctx context.Context, s *connection.Session, m *means) error {
	steps := c.steps(&m.plan)
	if len(steps) == 0 {
		return nil
	}
	began := time.Now()
	if err := ask(ctx, s, steps); err != nil {
		return err
	}
	if c.config.Declare != DeclareAll {
		// On a channel of its own: the answer may be a refusal that means nothing.
		if proof, needed := m.way.prove(m.plan.Main); needed {
			if err := ask(ctx, s, []step{proof}); err != nil {
				return err
			}
		}
	}
	c.observe(ctx, monitoring.QueuesDeclared{Queue: c.queue, Count: len(steps), Took: time.Since(began)})
	return nil
}

// steps returns what Config.Declare asks for, in an order in which nothing
// refers to what is not there yet.
func (c *Consumer) steps(p *topology.Plan) []step {
	var steps []step
	switch c.config.Declare {
	case DeclareAll:
		for _, d := range p.Declarations() {
			steps = append(steps, declareStep(d))
		}
	case DeclareOwn:
		steps = append(steps, checkQueue(p.Main))
		for _, d := range p.Declarations() {
			if d.Queue == nil || d.Queue.Name != p.Main.Name {
				steps = append(steps, declareStep(d))
			}
		}
	case DeclareCheck:
		for _, q := range p.Queues() {
			steps = append(steps, checkQueue(q))
		}
		for _, e := range p.Exchanges {
			steps = append(steps, checkExchange(e))
		}
	case DeclareNone:
	}
	return steps
}

func declareStep(d topology.Declaration) step {
	switch {
	case d.Queue != nil:
		return declareQueue(*d.Queue)
	case d.Exchange != nil:
		return declareExchange(*d.Exchange)
	default:
		return bind(*d.Binding)
	}
}

func declareExchange(e topology.Exchange) step {
	return step{"declare", e.Name, e.Args, func(ch *amqp.Channel) error {
		return ch.ExchangeDeclare(e.Name, e.Kind, e.Durable, e.AutoDelete, false, false, e.Args)
	}}
}

func checkExchange(e topology.Exchange) step {
	return step{"check", e.Name, nil, func(ch *amqp.Channel) error {
		return ch.ExchangeDeclarePassive(e.Name, e.Kind, e.Durable, e.AutoDelete, false, false, nil)
	}}
}

func bind(b topology.Binding) step {
	return step{"bind to", b.Exchange, nil, func(ch *amqp.Channel) error {
		return ch.QueueBind(b.Queue, b.Key, b.Exchange, false, b.Args)
	}}
}

func declareQueue(q topology.Queue) step {
	return step{"declare", q.Name, q.Args, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(q.Name, true, false, false, false, q.Args)
		return err
	}}
}

func checkQueue(q topology.Queue) step {
	return step{"check", q.Name, nil, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive(q.Name, true, false, false, false, nil)
		return err
	}}
}

// declareMissing declares the queue that a message could not be routed to, or,
// if it goes through an exchange, all that there is, if this consumer is one
// that declares.
func (r *run) declareMissing(ctx context.Context, p *topology.Plan, name string) error {
	if r.config.Declare == DeclareCheck || r.config.Declare == DeclareNone {
		return fmt.Errorf("it is not declared: Config.Declare is %v", r.config.Declare)
	}
	q, ok := p.Find(name)
	if !ok {
		return fmt.Errorf("no queue %s is planned", name)
	}
	steps := []step{declareQueue(q)}
	if slices.ContainsFunc(p.Exchanges, func(e topology.Exchange) bool { return e.Name == name }) {
		steps = r.steps(p) // also what binds it
	}
	s, err := r.conn.Session(ctx, connection.Consume)
	if err != nil {
		return err
	}
	return ask(ctx, s, steps)
}

// ask takes the steps on a channel of their own, since a refusal closes it, and
// each under the session's own deadline.
func ask(ctx context.Context, s *connection.Session, steps []step) error {
	ch, err := asking.Open(ctx, s, nil)
	if err != nil {
		return err
	}
	defer ch.HangUp()
	for _, step := range steps {
		if err := ch.Ask(ctx, step.do); err != nil {
			return declareError(step, err)
		}
	}
	return nil
}

// declareError makes a DeclareError of what the broker refuses, and otherwise
// wraps err as something that may pass.
func declareError(step step, err error) error {
	var e *amqp.Error
	if !errors.As(err, &e) || !e.Server || !refuses(e) {
		return fmt.Errorf("%s %s: %w", step.verb, step.name, err)
	}
	differs := refusal.DifferenceIn(e.Reason, step.args)
	return &DeclareError{
		Verb: step.verb, Queue: step.name, Err: e,
		Argument: differs.Argument, Ours: differs.Ours, Theirs: differs.Theirs,
	}
}

// refuses tells answers that trying again will not change from those that pass.
func refuses(e *amqp.Error) bool {
	switch e.Code {
	case amqp.AccessRefused, amqp.PreconditionFailed, amqp.ResourceLocked, amqp.NotImplemented,
		amqp.CommandInvalid, amqp.NotAllowed:
		return true
	case amqp.NotFound:
		return refusal.NoSuchThing(e.Reason)
	}
	return false // such as 541, while a quorum queue is not up yet
}
