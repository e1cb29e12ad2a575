// Package gauges knows how things stand. Events tell of changes, and a gauge shows what they come to: is a consumer
// subscribed, how many handlers run. The monitors for metrics share it, so that they show the same.
package gauges

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/warren-mq/warren/monitoring"
)

// Name is that of a gauge in docs/monitoring.md.
type Name string

// The gauges of a queue, and of a connection.
const (
	Ready      Name = "consumer_ready"
	Paused     Name = "consumer_paused"
	Overloaded Name = "consumer_overloaded"
	Workers    Name = "workers"
	Running    Name = "running"
	Stuck      Name = "stuck"

	Connected Name = "connected"
	Blocked   Name = "blocked"
)

// Info says what a gauge is.
type Info struct {
	Name  Name
	Label string // the one that it has: "queue" or "connection"
	Unit  string // for OpenTelemetry
	Help  string
	Sum   bool // over instances it makes sense to add it up
}

// All are the gauges.
var All = []Info{
	{Ready, "queue", "1", "1 if the consumer is subscribed.", false},
	{Paused, "queue", "1", "1 if the consumer is paused.", false},
	{Overloaded, "queue", "1", "1 if too many handlers are stuck.", false},
	{Workers, "queue", "{worker}", "How many handlers may run at once.", true},
	{Running, "queue", "{handler}", "How many handlers run.", true},
	{Stuck, "queue", "{handler}", "Handlers that were given up and still run.", true},
	{Connected, "connection", "1", "1 if the connection is up.", false},
	{Blocked, "connection", "1", "1 if the broker takes no messages.", false},
}

// Value is the value of one gauge now.
type Value struct {
	Name  Name
	Of    string // the queue, or the connection
	Value int64
}

// Set is all gauges of a monitor. Its zero value is empty. Any number of goroutines may use it.
type Set struct {
	mu          sync.RWMutex
	queues      map[string]*queue
	connections map[string]*connection
}

type queue struct {
	running, stuck atomic.Int64
	consumers      map[int64]*consumer // whose Run has not returned
	failed         bool                // a Run has returned an error, and nobody has been ready or paused since
}

type consumer struct {
	ready, paused, overloaded bool
	workers                   int
}

type connection struct {
	live    int // several may have the name
	blocked bool
}

// Label is a name as the value of a label, which must be UTF-8.
func Label(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }

// Exchange is an exchange's name as the value of a label: RabbitMQ's own for the default exchange, which has none.
func Exchange(name string) string {
	if name == "" {
		return "amq.default"
	}
	return Label(name)
}

// Began counts a handler that begins.
func (s *Set) Began(name string) { s.count(name, 1, 0) }

// count adds to what runs and what is stuck.
func (s *Set) count(name string, running, stuck int64) {
	name = Label(name)
	s.mu.RLock()
	q := s.queues[name]
	if q != nil {
		q.add(running, stuck)
	}
	s.mu.RUnlock()
	if q != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue(name).add(running, stuck)
}

func (q *queue) add(running, stuck int64) {
	if running != 0 {
		q.running.Add(running)
	}
	if stuck != 0 {
		q.stuck.Add(stuck)
	}
}

// Observe takes in an event. ran says that Began was called for its delivery. It returns whether a gauge may have
// changed that does not change with every message.
func (s *Set) Observe(e monitoring.Event, ran bool) (changed bool) {
	if d, _, ok := monitoring.EndingOf(e); ok {
		if lost, ok := e.(monitoring.Lost); ran && ok && lost.Outcome == "" {
			s.count(d.Queue, -1, 1) // the handler outlives its consumer
		} else if ran {
			s.count(d.Queue, -1, 0)
		}
		return false
	}
	switch e := e.(type) {
	case monitoring.Stuck:
		s.count(e.Queue, 0, 1) // its delivery ends, too
		return true
	case monitoring.LateOutcome:
		s.count(e.Queue, 0, -1)
		s.forget(e.Queue)
		return true
	}
	return s.ofConsumer(e) || s.ofConnection(e)
}

// ofConsumer takes in what a consumer tells of itself.
func (s *Set) ofConsumer(e monitoring.Event) bool {
	switch e := e.(type) {
	case monitoring.ConsumerReady:
		s.consumer(e.Queue, e.Consumer, func(q *queue, c *consumer) {
			*c, q.failed = consumer{ready: true, workers: e.Workers}, false
		})
	case monitoring.ConsumerResized:
		s.consumer(e.Queue, e.Consumer, func(_ *queue, c *consumer) { c.workers = e.Workers })
	case monitoring.ConsumerLost:
		s.consumer(e.Queue, e.Consumer, func(_ *queue, c *consumer) { c.ready = false })
	case monitoring.ConsumerPaused:
		s.consumer(e.Queue, e.Consumer, func(q *queue, c *consumer) {
			c.ready, c.paused, q.failed = false, true, false
		})
	case monitoring.ConsumerResumed:
		s.consumer(e.Queue, e.Consumer, func(_ *queue, c *consumer) { c.paused = false })
	case monitoring.ConsumerOverloaded:
		s.consumer(e.Queue, e.Consumer, func(_ *queue, c *consumer) { c.ready, c.overloaded = false, true })
	case monitoring.ConsumerStopping:
		s.consumer(e.Queue, e.Consumer, func(_ *queue, c *consumer) { *c = consumer{workers: c.workers} })
	case monitoring.ConsumerStopped:
		s.consumer(e.Queue, e.Consumer, func(q *queue, _ *consumer) {
			delete(q.consumers, e.Consumer)
			q.failed = q.failed || e.Err != nil
		})
		s.forget(e.Queue)
	default:
		return false
	}
	return true
}

// ofConnection takes in what a connection tells of itself.
func (s *Set) ofConnection(e monitoring.Event) bool {
	switch e := e.(type) {
	case monitoring.Connected:
		s.connection(e.Name, func(c *connection) { c.live++ })
	case monitoring.DialFailed:
		s.connection(e.Name, func(*connection) {}) // it is wanted
	case monitoring.Disconnected:
		s.connection(e.Name, func(c *connection) { c.live, c.blocked = max(0, c.live-1), false })
		if e.Err == nil {
			s.closed(e.Name)
		}
	case monitoring.Blocked:
		s.connection(e.Name, func(c *connection) { c.blocked = true })
	case monitoring.Unblocked:
		s.connection(e.Name, func(c *connection) { c.blocked = false })
	default:
		return false
	}
	return true
}

// queue returns that of a name. The caller holds mu.
func (s *Set) queue(name string) *queue {
	q := s.queues[name]
	if q == nil {
		if s.queues == nil {
			s.queues = map[string]*queue{}
		}
		q = &queue{consumers: map[int64]*consumer{}}
		s.queues[name] = q
	}
	return q
}

func (s *Set) consumer(name string, number int64, change func(*queue, *consumer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queue(Label(name))
	c := q.consumers[number]
	if c == nil {
		c = &consumer{}
		q.consumers[number] = c
	}
	change(q, c)
}

func (s *Set) connection(name string, change func(*connection)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = Label(name)
	c := s.connections[name]
	if c == nil {
		if s.connections == nil {
			s.connections = map[string]*connection{}
		}
		c = &connection{}
		s.connections[name] = c
	}
	change(c)
}

// forget drops a queue that nobody consumes any more: a gauge that stays at 0 for ever looks like a failure.
func (s *Set) forget(name string) {
	name = Label(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[name]
	if q != nil && len(q.consumers) == 0 && !q.failed && q.running.Load() == 0 && q.stuck.Load() == 0 {
		delete(s.queues, name)
	}
}

// closed drops a connection that the application has closed.
func (s *Set) closed(name string) {
	name = Label(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.connections[name]; c != nil && c.live == 0 {
		delete(s.connections, name)
	}
}

// Values returns the values of all gauges, in no order.
func (s *Set) Values() []Value {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]Value, 0, 6*len(s.queues)+2*len(s.connections))
	for name, q := range s.queues {
		list = q.append(list, name)
	}
	for name, c := range s.connections {
		list = append(list, Value{Connected, name, number(c.live > 0)}, Value{Blocked, name, number(c.blocked)})
	}
	return list
}

func (q *queue) append(list []Value, name string) []Value {
	list = append(list,
		// Whoever counts before the one whose message it is may see less than none.
		Value{Running, name, max(0, q.running.Load())}, Value{Stuck, name, max(0, q.stuck.Load())})
	if len(q.consumers) == 0 && !q.failed {
		return list
	}
	ready, paused, overloaded, workers := false, !q.failed, false, 0
	for _, c := range q.consumers {
		ready = ready || c.ready
		paused = paused && c.paused
		overloaded = overloaded || c.overloaded
		workers += c.workers
	}
	return append(list, Value{Ready, name, number(ready)}, Value{Paused, name, number(paused)},
		Value{Overloaded, name, number(overloaded)}, Value{Workers, name, int64(workers)})
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
