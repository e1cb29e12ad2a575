package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// Queue is a queue, classic or quorum.
type Queue struct {
	Name       string
	Durable    bool
	AutoDelete bool
	Quorum     bool
	Arguments  wire.Table
	settings

	node    *Node
	vhost   *vhost
	owner   *Conn // of an exclusive queue
	deleted bool
	crashed bool // its process is: see Node.CrashQueue
	dirty   bool // is in node.dirty

	levels   []list // by priority, the highest first
	returned list   // of a quorum queue: what came back goes first, in the order in which it came
	delayed  list   // of a quorum queue of 4.3: what came back and waits
	turn     int    // of a quorum queue of 4.0: which of the turns it is
	bytes    int    // of what is ready
	position uint64
	unacked  int

	consumers []*Consumer // by priority, the highest first; those of one priority in the order of their turn
	active    *Consumer   // the single active one
	fading    bool        // the active one gets nothing more, and makes way once it has settled what it has
	asleep    bool        // nothing is delivered before something else happens: see SleepyActivation
	holders   int         // who hold a message, and are no consumers: each basic.get, and each cancelled consumer
	leftover  leftover    // dead letters that wait to be confirmed by their target

	expiry   *Timer // looks at the head
	unused   *Timer // deletes the queue
	readying *Timer // looks at delayed
}

// settings are what the arguments say.
type settings struct {
	ttl             time.Duration
	hasTTL          bool
	expires         time.Duration // 0: never
	maxLength       int64         // -1: none
	maxBytes        int64         // -1: none
	overflow        string
	deadLetters     bool
	deadExchange    string
	deadKey         string
	hasDeadKey      bool
	atLeastOnce     bool
	maxPriority     int
	deliveryLimit   int64
	limited         bool // deliveryLimit counts
	singleActive    bool
	consumerTimeout time.Duration // 0: the broker's
	delayType       string
	delayMin        time.Duration
	delayMax        time.Duration
}

// String names the queue as RabbitMQ's texts do.
func (q *Queue) String() string { return fmt.Sprintf("queue '%s' in vhost '%s'", q.Name, q.vhost.name) }

// Ready is how many messages wait for someone to take them.
func (q *Queue) Ready() int {
	n := q.returned.len()
	for i := range q.levels {
		n += q.levels[i].len()
	}
	return n
}

// checkOwner refuses an exclusive queue to other connections.
func (q *Queue) checkOwner(c *Conn) *Error {
	if q.owner == nil || q.owner == c {
		return nil
	}
	return q.locked()
}

func (q *Queue) locked() *Error {
	return ChannelFault(wire.ResourceLocked, "cannot obtain exclusive access to locked %s. It could be originally declared on another connection"+
		" or the exclusive property value does not match that of the original declaration.", q)
}

// enqueue takes a new message, and tells whether it did: a full queue may refuse.
func (q *Queue) enqueue(m *Message) bool {
	e := &entry{Message: m, position: q.position, level: q.level(m)}
	q.carryFailures(e)
	q.position++
	q.asleep = false
	if q.crashed {
		q.node.record(Refused, q, m, "")
		return false
	}
	now := time.Now()
	if ttl, ok := q.timeToLive(m); ok {
		e.expires = now.Add(ttl)
		e.fresh = ttl == 0
	}
	if q.overflow != dropHead && q.full(1, len(m.Body)) { // even if someone is waiting: the bound may be 0
		q.node.record(Refused, q, m, "")
		if q.overflow == rejectPublishDLX {
			q.deadLetter(e, reasonMaxLength)
		}
		return false
	}
	if q.Ready() == 0 { // someone may be waiting
		if c := q.taker(); c != nil {
			q.node.record(Published, q, m, "")
			e.redelivered = e.redelivered && q.Quorum // a classic queue looks only at what it has kept
			q.takeTurn()
			c.deliver(e)
			q.node.touch(q)
			return true
		}
	}
	q.node.record(Published, q, m, "")
	q.levels[e.level].push(e)
	q.bytes += len(m.Body)
	if !q.Quorum {
		q.dropHead()
	}
	q.node.touch(q)
	return true
}

// dropHead makes room in a queue that drops what stands first.
func (q *Queue) dropHead() {
	if q.overflow != dropHead {
		return
	}
	var dropped []*entry
	for q.full(0, 0) {
		dropped = append(dropped, q.takeNext())
	}
	if q.Quorum && q.node.profile.DropsBackwards {
		slices.Reverse(dropped)
	}
	for _, e := range dropped {
		q.deadLetter(e, reasonMaxLength)
	}
}

// full tells whether the queue would hold too much with that much more.
func (q *Queue) full(messages, bytes int) bool {
	return q.maxLength >= 0 && int64(q.Ready()+messages) > q.maxLength ||
		q.maxBytes >= 0 && int64(q.bytes+bytes) > q.maxBytes
}

// timeToLive is the shorter one of the queue's and the message's own.
func (q *Queue) timeToLive(m *Message) (time.Duration, bool) {
	own, ok := m.expiration()
	switch {
	case ok && q.hasTTL:
		return min(own, q.ttl), true
	case ok:
		return own, true
	}
	return q.ttl, q.hasTTL
}

// pump delivers and expires what can be, and sets the clock for the rest.
func (q *Queue) pump() {
	if q.crashed {
		return
	}
	for {
		q.expire()
		e := q.next()
		if e == nil {
			break
		}
		c := q.taker()
		if c == nil {
			if q.unwanted(e) {
				continue // a TTL may be 0
			}
			break
		}
		c.deliver(q.takeNext())
	}
	if q.Quorum { // which delivers before it counts
		q.dropHead()
	}
	q.setExpiry()
}

// unwanted notes that nobody takes the next entry, nor any other that may expire. It returns whether that is news.
func (q *Queue) unwanted(next *entry) bool {
	news := next.fresh
	next.fresh = false
	for e := range q.heads {
		news = news || e.fresh
		e.fresh = false
	}
	return news
}

// next is the entry that is taken next, or nil.
func (q *Queue) next() *entry {
	if e := q.returned.front(); e != nil {
		return e
	}
	if at := q.nextLevel(); at >= 0 {
		return q.levels[at].front()
	}
	return nil
}

// takeNext takes out what next has returned.
func (q *Queue) takeNext() *entry {
	var e *entry
	if q.returned.len() > 0 {
		e = q.returned.pop()
	} else {
		e = q.levels[q.nextLevel()].pop()
		q.takeTurn()
	}
	q.bytes -= len(e.Body)
	return e
}

// lineUp sends a consumer that has room again behind the others. One of a classic queue that was not missed has kept
// its place.
func (q *Queue) lineUp(c *Consumer) {
	c.passedOver = false
	if c.gone {
		return
	}
	q.consumers = slices.DeleteFunc(q.consumers, func(other *Consumer) bool { return other == c })
	q.queueUp(c)
}

// settled is told when the active consumer may have settled all that it had, and so makes way.
func (q *Queue) settled(requeued bool) {
	if !q.fading || q.active.unacked > 0 {
		return
	}
	q.active, q.fading = nil, false
	if !requeued || !q.node.profile.SleepyHandover {
		q.activate()
	}
}

// takeBack puts entries back that a consumer had. They are in the order of their delivery.
func (q *Queue) takeBack(list []*entry, why cause) {
	q.asleep = false
	for _, e := range list {
		e.redelivered = true
		e.fresh = false
		q.node.record(Requeued, q, e.Message, "")
		q.countReturn(e, q.node.profile.failed(why, true))
		if q.Quorum {
			q.takeBackQuorum(e, why)
			continue
		}
		q.levels[e.level].insert(e)
		q.bytes += len(e.Body)
	}
	if !q.Quorum {
		q.dropHead()
	}
	q.node.touch(q)
}

// refuse dead-letters an entry that a consumer did not want.
func (q *Queue) refuse(e *entry, why cause) {
	q.countReturn(e, q.node.profile.failed(why, false))
	q.deadLetter(e, reasonRejected)
}

// countReturn counts that a consumer has handed an entry back.
func (q *Queue) countReturn(e *entry, failed bool) {
	e.returns++
	if failed && (q.Quorum || q.node.profile.ClassicFailures) {
		e.failures++
	}
}

// carryFailures has a new entry begin where the queues before have left it.
func (q *Queue) carryFailures(e *entry) {
	e.failures = e.failedBefore
	e.redelivered = e.failures > 0 && (q.Quorum || q.node.profile.ClassicFailures)
}

// used puts off the end of a queue that expires. https://www.rabbitmq.com/docs/ttl#queue-ttl
func (q *Queue) used() {
	q.unused.Stop()
	q.unused = nil
	if q.expires > 0 && len(q.consumers) == 0 {
		q.unused = q.node.At(time.Now().Add(q.expires), q.remove)
	}
}

// purge drops what is ready, and tells how much that was.
func (q *Queue) purge() int {
	n := q.Ready() + q.delayed.len()
	if q.node.profile.PurgesDeadLetters {
		n += len(q.leftover.list)
		q.leftover.retry.Stop()
		q.leftover = leftover{}
	}
	q.returned, q.delayed, q.turn = list{}, list{}, 0
	for i := range q.levels {
		q.levels[i] = list{}
	}
	q.bytes = 0
	q.node.record(Purged, q, nil, "")
	q.node.touch(q)
	return n
}

// remove deletes the queue and all that is in it, without dead-lettering. Consumers are told.
func (q *Queue) remove() {
	if q.deleted {
		return
	}
	q.deleted = true
	q.expiry.Stop()
	q.unused.Stop()
	q.readying.Stop()
	q.leftover.retry.Stop()
	delete(q.vhost.queues, q.Name)
	q.vhost.unbindAll(queueNode(q))
	for _, c := range slices.Clone(q.consumers) {
		c.dismiss()
	}
	q.node.record(Deleted, q, nil, "")
}

// forgetTransient drops what does not survive a restart.
func (q *Queue) forgetTransient() {
	q.owner, q.crashed = nil, false
	if !q.Quorum {
		for i := range q.levels {
			q.levels[i].filter(func(e *entry) bool { return e.persistent() })
		}
		q.bytes = 0
		for i := range q.levels {
			for _, e := range q.levels[i].all() {
				q.bytes += len(e.Body)
			}
		}
	}
	q.used()
	q.node.touch(q)
}

// find returns a queue, or nil.
func (n *Node) find(vhost, name string) *Queue {
	if v := n.vhosts[vhost]; v != nil {
		return v.queues[name]
	}
	return nil
}

// CancelConsumers ends all subscriptions to a queue.
func (n *Node) CancelConsumers(vhost, name string) {
	if q := n.find(vhost, name); q != nil {
		for _, c := range slices.Clone(q.consumers) {
			c.dismiss()
		}
	}
}

// DeleteQueue deletes a queue, if there is one.
func (n *Node) DeleteQueue(vhost, name string) {
	if q := n.find(vhost, name); q != nil {
		q.remove()
	}
}

// PurgeQueue drops what is ready in a queue.
func (n *Node) PurgeQueue(vhost, name string) {
	if q := n.find(vhost, name); q != nil {
		q.purge()
	}
}
