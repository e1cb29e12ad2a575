package consumer

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/topology"
)

// native is the way in which RabbitMQ 4.3 and later wait by themselves: a message
// that is rejected stays in the main queue, and is delivered again after a time
// that grows with each failure. Nothing is published, so nothing can be lost or
// doubled on the way. What the queue cannot do takes the retry queues of tiers:
// the waits of RetryAfter and Defer, and those that the broker would get wrong.
//
// The attempt is the broker's count. It counts every delivery that was rejected,
// or that ended with its connection, and does not tell one from the other; a
// delivery that was handed back, by a nack, is not counted. So a crash uses up
// an attempt, but only one: and whatever the count, a handler has run and failed
// before a message is exhausted.
type native struct {
	tiers
	step, limit time.Duration // what the queue waits: step times the failures, up to limit
	retries     int
}

func newNative(cfg *Config) native {
	n := native{retries: cfg.Retry.Retries()}
	n.step, n.limit, _ = cfg.Retry.AsLinear()
	return n
}

func (n native) plan(queue string, cfg *Config) (topology.Plan, error) {
	switch {
	case cfg.Classic:
		return topology.Plan{}, fmt.Errorf("Config.Classic: only quorum queues wait as Config.Waiting %v asks for", Native)
	case cfg.Declare == DeclareOwn:
		return topology.Plan{}, fmt.Errorf("Config.Declare %v: a main queue that belongs to someone else does not wait as "+
			"Config.Waiting %v asks for; the nearest is %v", cfg.Declare, Native, Tiers)
	}
	if _, _, ok := cfg.Retry.AsLinear(); !ok {
		return topology.Plan{}, fmt.Errorf("Config.Retry: RabbitMQ's own delayed retry waits a time that grows by the same step "+
			"with each attempt, up to a limit, and %v does not; the nearest that does is %v, and Config.Waiting %v does them all",
			cfg.Retry, cfg.Retry.NearestLinear(), Tiers)
	}
	return topology.Native(queue, n.step, n.limit, n.retries), nil
}

// nativeSince is the first RabbitMQ whose quorum queues delay what was rejected.
// Older ones accept the arguments, ignore them, and deliver a message again and
// again, within seconds, until it has reached the delivery limit.
const nativeSince = "4.3"

func (native) admit(version string) error {
	if !delaysRetries(version) {
		return &UnsupportedError{Way: Native, Version: version, Needs: nativeSince}
	}
	return nil
}

// delaysRetries tells whether quorum queues of that RabbitMQ can delay what was
// rejected, and count every delivery: since 4.3.
func delaysRetries(version string) bool {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	x, err := strconv.Atoi(major)
	if err != nil {
		return false
	}
	y, err := strconv.Atoi(minor)
	return x > 4 || x == 4 && err == nil && y >= 3
}

// read adds the failures that the broker has counted to the attempt of our
// headers, which is that of the last retry queue the message came from: a message
// that is published begins at 0 again.
func (n native) read(d *delivery) []string {
	if d.Redelivered && !carried(d) {
		// Never more than there were deliveries: a count that its publisher wrote
		// stays on a message that was only handed back so far.
		d.failures = min(header.Crashes(d.Headers, true), header.Acquired(d.Headers))
		d.state.AddFailures(d.failures)
	}
	return nil
}

// carried tells whether the broker's count on d is partly that of another queue,
// in which the message failed, and which dead-lettered it to ours. Of how many
// failures it came with nothing is left. When it has been through a retry queue
// of ours, it counts from 0.
func carried(d *delivery) bool {
	return !d.state.Moved && header.Refused(d.Headers)
}

// crashes leaves out as many failures as can be rejections by handlers. So a
// message that kills its process is known for that later than with tiers; but
// the queue makes it wait, each time, like any other.
func (n native) crashes(d *delivery) int {
	all := n.tiers.crashes(d)
	before := max(0, d.state.Attempt-d.failures-1) // attempts that the broker has not counted
	return max(0, all-max(0, n.retries-before))
}

// hold leaves the wait to the main queue, if that makes it wait for as long as it
// shall. It would not, where a message expires meanwhile.
func (n native) hold(d *delivery, v *verdict) holding {
	if !v.composed && d.Expiration == "" && n.delays(d) && n.next(d.failures) == v.wait {
		return holding{manner: requeued, to: d.about.Queue}
	}
	v.composed = true
	return holding{manner: published}
}

// delays tells whether the main queue is one that delays what is rejected, as far
// as can be told: it counts deliveries in a header that others do not have, such
// as a classic queue, or one whose cluster is about to be upgraded to 4.3.
func (native) delays(d *delivery) bool {
	return !carried(d) && (!d.Redelivered || header.Acquired(d.Headers) > 0)
}

// next is how long the broker makes a message wait that has failed so often
// before, and now once more.
func (n native) next(failures int) time.Duration {
	if n.step == 0 || int64(failures) >= int64(n.limit/n.step) {
		return n.limit
	}
	return n.step * time.Duration(failures+1)
}
