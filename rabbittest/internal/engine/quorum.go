package engine

import "time"

// defaultPriority is what a message has in a quorum queue if its publisher did not say.
// https://www.rabbitmq.com/docs/quorum-queues#priorities
const defaultPriority = 4

// turns: of two levels, RabbitMQ 4.0 takes the higher one, but each third time the older message (rabbit_fifo_q.erl).
const turns = 3

// level is the index of the message's priority.
func (q *Queue) level(m *Message) int {
	p, set := m.priority()
	switch {
	case !q.Quorum:
		return q.maxPriority - min(p, q.maxPriority)
	case len(q.levels) == 1:
		return 0
	case !set:
		p = defaultPriority
	}
	if len(q.levels) == 2 {
		if p > defaultPriority {
			return 0
		}
		return 1
	}
	return len(q.levels) - 1 - min(p, len(q.levels)-1)
}

// nextLevel is the index of the level from which the next entry is taken, or -1.
func (q *Queue) nextLevel() int {
	if q.Quorum && len(q.levels) == 2 && q.turn == turns-1 && q.levels[0].len() > 0 && q.levels[1].len() > 0 {
		if q.levels[1].front().position < q.levels[0].front().position {
			return 1
		}
		return 0
	}
	for i := range q.levels {
		if q.levels[i].len() > 0 {
			return i
		}
	}
	return -1
}

// takeTurn counts what is taken from the levels.
func (q *Queue) takeTurn() { q.turn = (q.turn + 1) % turns }

// takeBackQuorum puts an entry where the version puts it; or dead-letters it, if it returned too often.
// https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling
func (q *Queue) takeBackQuorum(e *entry, why cause) {
	count := e.returns
	if q.node.profile.AcquiredCount {
		count = e.failures
	}
	if q.limited && count > q.deliveryLimit {
		q.deadLetter(e, reasonDeliveryLimit)
		if c := e.holder; c != nil && q.node.profile.LimitLeavesRoom {
			c.extra++
		}
		return
	}
	if d := q.retryDelay(e, q.node.profile.failed(why, true)); d > 0 {
		e.readyAt = time.Now().Add(d)
		q.delayed.push(e)
		q.setReadying()
		return
	}
	q.bytes += len(e.Body)
	if !q.limited && q.node.profile.ZeroDeliveryCount && why != closedDown {
		// RabbitMQ 3.10 without a limit: such a return is a new message to the log.
		e.position = q.position
		q.position++
		q.levels[e.level].push(e)
		return
	}
	q.returned.push(e)
}

// retryDelay is how long RabbitMQ 4.3 keeps back what was returned.
// https://www.rabbitmq.com/docs/quorum-queues#delayed-retry
func (q *Queue) retryDelay(e *entry, failed bool) time.Duration {
	switch q.delayType {
	case "all":
	case "failed":
		if !failed {
			return 0
		}
	case "returned":
		if failed {
			return 0
		}
	default:
		return 0
	}
	return min(q.delayMin*time.Duration(max(e.failures, 1)), q.delayMax)
}

// setReadying has the queue look at what is delayed when the first of it is due.
func (q *Queue) setReadying() {
	var due time.Time
	for _, e := range q.delayed.all() {
		if due.IsZero() || e.readyAt.Before(due) {
			due = e.readyAt
		}
	}
	q.readying.Stop()
	q.readying = nil
	if due.IsZero() {
		return
	}
	q.readying = q.node.At(due, func() {
		now := time.Now()
		q.delayed.filter(func(e *entry) bool {
			if e.readyAt.After(now) {
				return true
			}
			q.bytes += len(e.Body)
			q.returned.push(e)
			return false
		})
		q.setReadying()
		q.node.touch(q)
	})
}
