package engine

import "slices"

// heldExclusively tells whether a consumer wants no other beside it.
func (q *Queue) heldExclusively() bool {
	return slices.ContainsFunc(q.consumers, func(c *Consumer) bool { return c.Exclusive })
}

// taker is the consumer whose turn it is, or nil. The highest priority that has room, and within it the one that has
// waited longest. https://www.rabbitmq.com/docs/consumer-priority
func (q *Queue) taker() *Consumer {
	if q.singleActive {
		if q.active != nil && !q.asleep && !q.fading && q.active.hasRoom() {
			return q.active
		}
		return nil
	}
	for i, c := range q.consumers {
		if c.hasRoom() {
			q.consumers = slices.Delete(q.consumers, i, i+1)
			q.queueUp(c)
			return c
		}
		c.passedOver = true
	}
	return nil
}

// queueUp puts a consumer behind those of its priority.
func (q *Queue) queueUp(c *Consumer) {
	at := len(q.consumers)
	for at > 0 && q.consumers[at-1].Priority < c.Priority {
		at--
	}
	q.consumers = slices.Insert(q.consumers, at, c)
}

func (q *Queue) join(c *Consumer) {
	q.queueUp(c)
	q.unused.Stop()
	q.asleep = false
	q.activate()
	q.node.touch(q)
}

// part takes a consumer out. The last one takes an auto-delete queue along.
func (q *Queue) part(c *Consumer) {
	q.consumers = slices.DeleteFunc(q.consumers, func(other *Consumer) bool { return other == c })
	if q.active == c {
		q.active, q.fading = nil, false
		q.asleep = q.node.profile.SleepyActivation && !q.Quorum
	}
	if q.deleted {
		return
	}
	if len(q.consumers) == 0 {
		if q.AutoDelete {
			q.remove()
			return
		}
		q.used()
	}
	q.activate()
	q.node.touch(q)
}

// activate chooses the single active consumer. https://www.rabbitmq.com/docs/consumers#single-active-consumer
func (q *Queue) activate() {
	if !q.singleActive || len(q.consumers) == 0 {
		return
	}
	if q.active == nil {
		q.active = q.consumers[0]
		return
	}
	switch next := q.successor(); {
	case next == nil:
	case q.active.unacked == 0:
		q.active = next
	default:
		q.fading = true
	}
}

// successor is the consumer for which the active one makes way as soon as it has settled all that it has, or nil.
func (q *Queue) successor() *Consumer {
	if q.Quorum && q.node.profile.PriorityTakesOver && q.active != nil && q.consumers[0].Priority > q.active.Priority {
		return q.consumers[0]
	}
	return nil
}

// consumerCount is how many consumers the queue says that it has. A quorum queue counts who only holds a message, too,
// and does not count who waits to be the single active one.
func (q *Queue) consumerCount() int {
	switch {
	case !q.Quorum:
		return len(q.consumers)
	case q.singleActive:
		n := q.holders
		if q.active != nil {
			n++
		}
		return n
	}
	return len(q.consumers) + q.holders
}
