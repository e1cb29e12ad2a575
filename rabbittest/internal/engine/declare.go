package engine

import (
	"crypto/rand"
	"encoding/base64"
	"strings"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// QueueSpec is what queue.declare says.
type QueueSpec struct {
	Name                           string // empty: the broker makes one
	Durable, Exclusive, AutoDelete bool
	Arguments                      wire.Table
}

// QueueInfo is the answer to it.
type QueueInfo struct {
	Name      string
	Messages  int // that are ready
	Consumers int
}

// randomName is the changing part of a generated name: 22 characters.
func randomName() string {
	return base64.RawURLEncoding.EncodeToString(randomBytes(16))
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// oneLine is a name without line feeds and carriage returns, which RabbitMQ takes out (rabbit_channel.erl, strip_cr_lf).
func oneLine(name string) string {
	return strings.NewReplacer("\n", "", "\r", "").Replace(name)
}

// queueName is the name that was given, or that of the last queue declared on the channel.
func (ch *Channel) queueName(name string) (string, *Error) {
	if name != "" {
		return name, nil
	}
	if ch.lastQueue == "" {
		return "", ChannelFault(wire.NotFound, "no previously declared queue")
	}
	return ch.lastQueue, nil
}

// queue finds a queue, if the user may do with it what the caller wants to.
func (ch *Channel) queue(name string, what Permission) (*Queue, *Error) {
	name, err := ch.queueName(name)
	if err != nil {
		return nil, err
	}
	if err := ch.conn.allow(what, "queue", name); err != nil {
		return nil, err
	}
	if q := ch.vhost.queues[name]; q != nil {
		return q, nil
	}
	return nil, ch.vhost.noQueue(name)
}

// QueueDeclare declares a queue, or checks that one that is there is the same.
func (ch *Channel) QueueDeclare(s QueueSpec) (QueueInfo, *Error) {
	s.Name = oneLine(s.Name)
	switch {
	case s.Name == "" && queueType(s.Arguments) == "quorum":
		return QueueInfo{}, ChannelFault(wire.PreconditionFailed, "Cannot declare a server-named queue for type %s", module(true))
	case s.Name == "":
		s.Name = "amq.gen-" + randomName()
	case isReplies(s.Name):
		return ch.declareReplies(s.Name)
	case strings.HasPrefix(s.Name, "amq."): // also if it is there
		return QueueInfo{}, ChannelFault(wire.AccessRefused, "queue name '%s' contains reserved prefix 'amq.*'", s.Name)
	case ch.vhost.queues[s.Name] != nil:
		return ch.declareAgain(ch.vhost.queues[s.Name], s)
	}
	if err := ch.conn.allow(Configure, "queue", s.Name); err != nil {
		return QueueInfo{}, err
	}
	q := &Queue{
		Name: s.Name, Durable: s.Durable, AutoDelete: s.AutoDelete, Arguments: s.Arguments, node: ch.node, vhost: ch.vhost,
	}
	if err := ch.allowDeadLetters(q); err != nil {
		return QueueInfo{}, err
	}
	if err := q.configure(s); err != nil {
		return QueueInfo{}, err
	}
	if s.Exclusive {
		q.owner = ch.conn
	}
	ch.vhost.queues[q.Name] = q
	ch.lastQueue = q.Name
	q.used()
	return q.info(), nil
}

// allowDeadLetters refuses a dead-letter exchange that is no name, or not the user's to publish to.
func (ch *Channel) allowDeadLetters(q *Queue) *Error {
	const name = "x-dead-letter-exchange"
	v, ok := q.Arguments.Get(name)
	if !ok {
		return nil
	}
	exchange, ok := v.(string)
	if !ok {
		return ChannelFault(wire.PreconditionFailed, "invalid type '%s' for arg '%s' in %s", wire.TypeName(v), name, q)
	}
	if err := ch.conn.allow(Read, "queue", q.Name); err != nil {
		return err
	}
	return ch.conn.allow(Write, "exchange", exchange)
}

func (ch *Channel) declareAgain(q *Queue, s QueueSpec) (QueueInfo, *Error) {
	if err := ch.conn.allow(Configure, "queue", s.Name); err != nil {
		return QueueInfo{}, err
	}
	if err := q.equivalent(s, ch.conn); err != nil {
		return QueueInfo{}, err
	}
	ch.lastQueue = q.Name
	q.used()
	return q.info(), nil
}

func (q *Queue) info() QueueInfo {
	if q.crashed {
		return QueueInfo{Name: q.Name}
	}
	return QueueInfo{Name: q.Name, Messages: q.Ready(), Consumers: q.consumerCount()}
}

// QueueCheck is a passive declare.
func (ch *Channel) QueueCheck(name string) (QueueInfo, *Error) {
	name = oneLine(name) // an empty one does not mean the last queue declared
	if isReplies(name) {
		return ch.declareReplies(name)
	}
	if ch.node.profile.GuardsPassive {
		if err := ch.conn.allowAny("queue", name); err != nil {
			return QueueInfo{}, err
		}
	}
	q := ch.vhost.queues[name]
	if q == nil {
		return QueueInfo{}, ch.vhost.noQueue(name)
	}
	if err := q.checkOwner(ch.conn); err != nil {
		return QueueInfo{}, err
	}
	ch.lastQueue = q.Name
	q.used()
	return q.info(), nil
}

// QueuePurge drops what is ready in a queue, and says how much that was.
func (ch *Channel) QueuePurge(name string) (int, *Error) {
	q, err := ch.queue(name, Read)
	if err != nil {
		return 0, err
	}
	if err := q.checkOwner(ch.conn); err != nil {
		return 0, err
	}
	if q.crashed {
		return 0, q.noProcess("")
	}
	return q.purge(), nil
}

// QueueDelete deletes a queue, and says how many ready messages went with it. One that is missing is deleted already.
func (ch *Channel) QueueDelete(name string, ifUnused, ifEmpty bool) (int, *Error) {
	name, err := ch.queueName(oneLine(name))
	if err != nil {
		return 0, err
	}
	if err := ch.conn.allow(Configure, "queue", name); err != nil {
		return 0, err
	}
	q := ch.vhost.queues[name]
	if q == nil {
		return 0, nil
	}
	if err := q.checkOwner(ch.conn); err != nil {
		return 0, err
	}
	switch {
	case ifUnused && q.Quorum:
		return 0, ConnectionFault(wire.NotImplemented, "cannot delete %s. queue.delete operations with if-unused flag set are not supported by quorum queues", q)
	case ifEmpty && q.Quorum:
		return 0, ConnectionFault(wire.NotImplemented, "cannot delete %s. queue.delete operations with if-empty flag set are not supported by quorum queues", q)
	case ifEmpty && q.Ready() > 0:
		return 0, ChannelFault(wire.PreconditionFailed, "%s not empty", q)
	case ifUnused && len(q.consumers) > 0:
		return 0, ChannelFault(wire.PreconditionFailed, "%s in use", q)
	}
	n := q.Ready()
	q.remove()
	return n, nil
}

// equivalent refuses to declare the queue again as another one.
func (q *Queue) equivalent(s QueueSpec, c *Conn) *Error {
	if q.owner != nil && q.owner != c || (q.owner != nil) != s.Exclusive {
		return q.locked()
	}
	for _, p := range []struct {
		name      string
		got, have bool
	}{{"durable", s.Durable, q.Durable}, {"auto_delete", s.AutoDelete, q.AutoDelete}} {
		if p.got != p.have {
			return ChannelFault(wire.PreconditionFailed, "inequivalent arg '%s' for %s: received '%v' but current is '%v'", p.name, q, p.got, p.have)
		}
	}
	for _, name := range q.node.profile.argumentsOf(q.Quorum) {
		got, have := s.Arguments, q.Arguments
		if name == "x-queue-type" {
			got, have = withQueueType(got), withQueueType(have)
			if !q.node.profile.DefaultsToClassic && queueType(got) != queueType(have) {
				got, have = s.Arguments, q.Arguments // as they were written
			}
		}
		if err := sameArgument(q, name, got, have); err != nil {
			return err
		}
	}
	return nil
}

func withQueueType(args wire.Table) wire.Table {
	if _, ok := args.Get("x-queue-type"); ok {
		return args
	}
	return args.With("x-queue-type", "classic")
}

func queueType(args wire.Table) any {
	v, _ := args.Get("x-queue-type")
	return v
}

// badArgument refuses the value of an argument.
func (q *Queue) badArgument(name, why string) *Error {
	return ChannelFault(wire.PreconditionFailed, "invalid arg '%s' for %s: %s", name, q, why)
}
