package consumer

import (
	"math"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/topology"
)

// bunnicula shares a queue with consumers of Bunnicula. It retries through
// queues of its own, as tiers does: Bunnicula's are filled without confirms
// through exchanges that a restart of the broker takes away, and hold everyone
// up behind the longest wait. What the consumers have in common is the header
// that counts failures, and the error queue.
type bunnicula struct{ tiers }

func (bunnicula) plan(queue string, cfg *Config) (topology.Plan, error) {
	p := topology.Bunnicula(queue, cfg.queueType(), cfg.Retry.Waits())
	return p, p.CheckPeerNames()
}

// read takes the larger of the two counts. They are equal if Warren was the last
// to put the message off. A Bunnicula consumer leaves nothing but its own.
func (bunnicula) read(d *delivery) (ignored []string) {
	n, ok := header.FailuresOfBunnicula(d.Headers)
	if !ok {
		ignored = append(ignored, header.RetryAttempts)
	}
	d.state.Attempt = max(d.state.Attempt, min(n, math.MaxInt32-1)+1)
	return ignored
}

// crashes knows nothing: the main queue is a classic one, which does not count.
func (bunnicula) crashes(*delivery) int { return 0 }

func (bunnicula) errorAddress(d *delivery) address {
	return address{exchange: d.epoch.plan.Error.Name, key: "#"}
}

func (bunnicula) markRetry(d *delivery, v *verdict, h amqp.Table) {
	failures := d.state.Attempt
	if v.deferred {
		failures--
	}
	h[header.RetryAttempts] = int64(failures)
}

func (bunnicula) markHeld(d *delivery, h amqp.Table) {
	h[header.RetryAttempts] = int64(d.state.Attempt - 1)
}

// markError counts this delivery, also where no handler ran: Bunnicula does.
func (bunnicula) markError(d *delivery, _ *verdict, _ *header.Failure, h amqp.Table) {
	h[header.RetryAttempts] = int64(d.state.Attempt)
}
