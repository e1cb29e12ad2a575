package consumer

import (
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/topology"
)

// tiers is the way of DESIGN.md, D2 and D3: a message that waits is published to
// a queue with the wait as its time to live, which puts it back. The other ways
// are built on it, and say only where they differ.
type tiers struct{}

func (tiers) plan(queue string, cfg *Config) (topology.Plan, error) {
	return topology.Tiers(queue, cfg.queueType(), cfg.Retry.Waits()), nil
}

func (tiers) admit(string) error { return nil }

func (tiers) prove(topology.Queue) (step, bool) { return step{}, false }

func (tiers) read(*delivery) []string { return nil }

func (tiers) hold(*delivery, *verdict) holding { return holding{manner: published} }

func (tiers) errorAddress(d *delivery) address { return address{key: d.epoch.plan.Error.Name} }

func (tiers) markRetry(*delivery, *verdict, amqp.Table) {}

func (tiers) markHeld(*delivery, amqp.Table) {}

func (tiers) markError(*delivery, *verdict, *header.Failure, amqp.Table) {}
