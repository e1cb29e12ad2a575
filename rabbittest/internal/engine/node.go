package engine

import (
	"context"
	"sync"
	"time"
)

// Config says what a node is like. The zero value of each field is that of RabbitMQ, except that nothing is limited in
// time: a consumer may keep a delivery for ever.
type Config struct {
	Profile Profile

	// MaxMessageSize bounds a body, in bytes; 0 means that of the profile.
	MaxMessageSize int

	// ConsumerTimeout is how long a consumer may keep a delivery; 0 means for ever.
	ConsumerTimeout time.Duration

	// Permit says whether a user may do something. Nil permits everything.
	Permit func(user, vhost string, what Permission, resource string) bool

	// Judge, if set, is asked about every message that a client publishes, and may decide its fate. See [Verdict].
	Judge func(m *Message) Verdict

	// Done, if set, is called at the end of every Do, still with the lock, when nothing is left to do.
	Done func()
}

// Permission is a kind of access, as rabbitmqctl set_permissions has them.
type Permission string

// The three kinds of access.
const (
	Configure Permission = "configure"
	Write     Permission = "write"
	Read      Permission = "read"
)

// Verdict is what becomes of a published message.
type Verdict int

// The verdicts that a test can give. Pass lets RabbitMQ's own rules decide. Nack refuses the message. Unroutable treats
// it as if no queue were bound: returned if it is mandatory, and confirmed.
const (
	Pass Verdict = iota
	Nack
	Unroutable
)

// Node is one broker. See the package documentation for its lock.
type Node struct {
	cfg     Config
	profile Profile

	mu            sync.Mutex
	changed       *sync.Cond // of mu; told at the end of every Do
	vhosts        map[string]*vhost
	dirty         []*Queue    // have something to do before the lock is given back
	dismissed     []*Consumer // are to be told so, likewise
	letters       []letter    // are to be posted, likewise and before
	journal       journal
	replyID       string              // see there
	asking        map[string]*Channel // that consume direct replies, by their addresses
	replyChannels uint64              // that ever did

	serial  uint64 // of the last message that a client published
	closed  bool
	version uint64 // see Version

	timers  map[*Timer]struct{}
	running sync.WaitGroup // timers that are set or at work
}

// vhost is a namespace.
type vhost struct {
	node      *Node
	name      string
	exchanges map[string]*exchange
	queues    map[string]*Queue
}

// New returns a node with the virtual hosts that are named.
func New(cfg Config, vhosts ...string) *Node {
	if cfg.MaxMessageSize == 0 {
		cfg.MaxMessageSize = cfg.Profile.MaxMessageSize
	}
	n := &Node{cfg: cfg, profile: cfg.Profile, vhosts: map[string]*vhost{}, timers: map[*Timer]struct{}{}, replyID: replyID(), asking: map[string]*Channel{}}
	n.changed = sync.NewCond(&n.mu)
	for _, name := range vhosts {
		n.vhosts[name] = newVHost(n, name)
	}
	return n
}

// Profile returns how the node behaves.
func (n *Node) Profile() Profile { return n.profile }

// HasVHost tells whether a virtual host exists.
func (n *Node) HasVHost(name string) bool { return n.vhosts[name] != nil }

// Do calls f with the lock, does what f has set off, and tells those who wait.
func (n *Node) Do(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	n.drain()
	n.version++
	if n.cfg.Done != nil {
		n.cfg.Done()
	}
	n.changed.Broadcast()
}

// Look calls f with the lock. f must change nothing: nobody is told.
func (n *Node) Look(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

// Version grows with every Do: who has seen it and found nothing new can wait for another.
func (n *Node) Version() uint64 { return n.version }

// Wait waits until holds returns true, or ctx ends. It calls holds with the lock, at first and after every Do.
func (n *Node) Wait(ctx context.Context, holds func() bool) error {
	defer context.AfterFunc(ctx, func() { n.Do(func() {}) })()
	n.mu.Lock()
	defer n.mu.Unlock()
	for !holds() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n.changed.Wait()
	}
	return nil
}

// Close stops all timers, and waits for those that are at work. Connections must have been closed.
func (n *Node) Close() {
	n.mu.Lock()
	n.closed = true
	for t := range n.timers {
		t.Stop()
	}
	n.changed.Broadcast()
	n.mu.Unlock()
	n.running.Wait()
}

// touch has q looked at before the lock is given back.
func (n *Node) touch(q *Queue) {
	if !q.dirty {
		q.dirty = true
		n.dirty = append(n.dirty, q)
	}
}

// drain does what is left to do. Each step may make more: a delivery does not, but an expired message may be
// dead-lettered to a queue whose own message expires. It ends, since a cycle of dead letters is cut.
func (n *Node) drain() {
	for posted, pumped := 0, 0; posted < len(n.letters) || pumped < len(n.dirty); {
		if posted < len(n.letters) {
			n.letters[posted].post()
			posted++
			continue
		}
		q := n.dirty[pumped]
		pumped++
		q.dirty = false
		if !q.deleted {
			q.pump()
		}
	}
	clear(n.letters)
	n.letters = n.letters[:0]
	clear(n.dirty)
	n.dirty = n.dirty[:0]
	for _, c := range n.dismissed {
		if !c.channel.closed {
			c.channel.peer.Cancel(c.Tag)
		}
	}
	clear(n.dismissed)
	n.dismissed = n.dismissed[:0]
}

// Timer calls a function later, with the lock.
type Timer struct {
	node *Node
	t    *time.Timer
	due  time.Time
}

// At has f called with the lock at a time.
func (n *Node) At(due time.Time, f func()) *Timer {
	t := &Timer{node: n, due: due}
	if n.closed {
		return t
	}
	n.timers[t] = struct{}{}
	n.running.Add(1)
	t.t = time.AfterFunc(time.Until(due), func() {
		defer n.running.Done()
		n.Do(func() {
			if _, set := n.timers[t]; set { // or it was stopped while this waited for the lock
				delete(n.timers, t)
				f()
			}
		})
	})
	return t
}

// Stop takes a timer back. A nil timer, and one that has fired, may be stopped, too.
func (t *Timer) Stop() {
	if t == nil {
		return
	}
	if _, set := t.node.timers[t]; !set {
		return
	}
	delete(t.node.timers, t)
	if t.t.Stop() {
		t.node.running.Done()
	}
}

// Restart forgets what a broker forgets when it is restarted: what is not durable, messages that are not persistent
// (quorum queues persist all of them), and who had been given what. All connections must have been closed.
func (n *Node) Restart() {
	n.drain() // what the last connections have handed back may have died of it
	for _, v := range n.vhosts {
		for _, q := range v.sortedQueues() {
			if !q.Durable || q.owner != nil {
				q.remove()
				continue
			}
			q.forgetTransient()
		}
		for _, x := range v.sortedExchanges() {
			if !x.Durable {
				v.removeExchange(x)
			}
		}
		for _, x := range v.sortedExchanges() {
			x.forgetTransient()
		}
	}
}
