package engine

import (
	"slices"
	"time"
)

// leftover holds the dead letters of a queue with the strategy at-least-once, until every queue that they go to has
// them. https://www.rabbitmq.com/docs/quorum-queues#activating-at-least-once-dead-lettering
type leftover struct {
	list  []*deadletter // oldest first
	retry *Timer
}

// deadletter is a message on its way to other queues.
type deadletter struct {
	message *Message
	reason  string
	done    []*Queue // have it
}

const (
	// leftoverWindow is how many dead letters a queue has under way at once, and so how many that cannot be delivered
	// hold up those behind them: RabbitMQ's dead_letter_worker_consumer_prefetch.
	leftoverWindow = 32
	// leftoverPause is when what could not be delivered is tried again:
	// dead_letter_worker_publisher_confirm_timeout.
	leftoverPause = 180 * time.Second
)

func (l *leftover) add(q *Queue, m *Message, reason string) {
	d := &deadletter{message: m, reason: reason}
	if len(l.list) < leftoverWindow && q.pass(d) {
		return
	}
	l.list = append(l.list, d)
	l.wait(q)
}

// wait sees to it that the oldest are tried again.
func (l *leftover) wait(q *Queue) {
	if l.retry == nil {
		l.retry = q.node.At(time.Now().Add(leftoverPause), func() {
			l.retry = nil
			l.try(q)
		})
	}
}

// try tries those in the window; where one leaves, the next moves up and is tried, too.
func (l *leftover) try(q *Queue) {
	for i := 0; i < len(l.list) && i < leftoverWindow; {
		if q.pass(l.list[i]) {
			l.list = slices.Delete(l.list, i, i+1)
		} else {
			i++
		}
	}
	if len(l.list) > 0 {
		l.wait(q)
	}
}

// pass publishes a dead letter to the queues that do not have it yet, and tells whether all have it then. One that
// goes nowhere stays, unless it is a cycle that keeps it from going.
func (q *Queue) pass(d *deadletter) bool {
	if q.vhost.exchanges[q.deadExchange] == nil {
		return false
	}
	routed := q.vhost.route(q.deadExchange, d.message)
	if len(routed) == 0 {
		return false
	}
	whole := true
	for _, target := range withoutCycles(routed, d.message, d.reason) {
		if slices.Contains(d.done, target) {
			continue
		}
		if target.enqueue(d.message) {
			d.done = append(d.done, target)
		} else {
			whole = false
		}
	}
	return whole
}
