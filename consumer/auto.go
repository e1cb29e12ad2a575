package consumer

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/topology"
)

// choices returns what Config.Waiting can mean, the best first, and the last one
// that every broker can do. Of the ways other than Auto there is one. unfit says
// why there is no better one for Auto.
func (cfg *Config) choices(queue string) (choices []*means, unfit, err error) {
	if cfg.Waiting != Auto {
		m, err := cfg.means(queue, cfg.Waiting)
		return []*means{m}, nil, err
	}
	if cfg.Declare == DeclareAll {
		var m *means
		if m, unfit = cfg.means(queue, Native); unfit == nil {
			choices = append(choices, m)
		}
	} else {
		unfit = fmt.Errorf("Config.Declare %v: only who declares the main queue can find out how it was declared", cfg.Declare)
	}
	m, err := cfg.means(queue, Tiers)
	return append(choices, m), unfit, err
}

// present returns the means that the consumer has: those of the last declaration
// or, before the first one, those that every broker can do.
func (c *Consumer) present() *means {
	if m := c.taken.Load(); m != nil {
		return m
	}
	return c.choices[len(c.choices)-1]
}

// prepare finds a way that the broker can do and the main queue was declared for,
// and does what Config.Declare says about its plan.
//
// With Auto there is a choice. Once made it is the first to be tried again, so
// that a broker that is upgraded, or a cluster of mixed versions, does not change
// it; and a main queue that was declared for one way refuses the other (406), so
// that consumers of one queue cannot disagree.
func (c *Consumer) prepare(ctx context.Context, s *connection.Session) (*means, error) {
	var refused error // the first one
	for _, m := range c.inOrder() {
		err := m.way.admit(s.Version())
		if err == nil {
			err = c.declare(ctx, s, m)
		}
		if err == nil {
			c.take(ctx, m, refused)
			return m, nil
		}
		if !decidedOtherwise(err, m.plan.Main) {
			return nil, err
		}
		if refused == nil || errors.As(refused, new(*UnsupportedError)) {
			refused = err
		}
	}
	return nil, refused
}

// inOrder returns the means in the order in which they are tried.
func (c *Consumer) inOrder() []*means {
	last := c.taken.Load()
	order := make([]*means, 0, len(c.choices)+1)
	if last != nil {
		order = append(order, last)
	}
	for _, m := range c.choices {
		if m != last {
			order = append(order, m)
		}
	}
	return order
}

// decidedOtherwise tells whether err says that another way is the one to take:
// the broker cannot do this one, or the main queue exists with other arguments.
func decidedOtherwise(err error, main topology.Queue) bool {
	if errors.As(err, new(*UnsupportedError)) {
		return true
	}
	var (
		refused *DeclareError
		answer  *amqp.Error
	)
	return errors.As(err, &refused) && refused.Queue == main.Name && refused.Argument != "" &&
		errors.As(refused.Err, &answer) && answer.Code == amqp.PreconditionFailed
}

// take notes the means that the consumer has from now on, and tells if there was
// a choice. refused is why it is not a better one.
func (c *Consumer) take(ctx context.Context, m *means, refused error) {
	if c.taken.Swap(m) == m || c.config.Waiting != Auto {
		return
	}
	e := monitoring.WaitingChosen{Queue: c.queue, Consumer: c.number, Waiting: m.plan.Waiting}
	switch {
	case refused != nil:
		e.Reason = refused.Error()
	case c.unfit != nil:
		e.Reason = c.unfit.Error()
	}
	c.observe(ctx, e)
}
