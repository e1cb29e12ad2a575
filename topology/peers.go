package topology

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// How the libraries whose queues we share name theirs.
const (
	peerRetry   = "-retry"
	peerError   = "-error"
	peerRequeue = "-retry-requeue"
)

// anyKey is the binding key that both use: every key of a topic exchange. To a
// fanout exchange it means nothing.
const anyKey = "#"

// Bunnicula returns the plan for a main queue that is shared with consumers of
// Bunnicula 2: exactly what those declare, and Warren's own retry queues of type
// t, one for each of the distinct waits. See docs/from-bunnicula.md.
//
// The exchanges for Bunnicula's own retries are neither durable nor kept when
// their queue is unbound. Whoever consumes declares them at every connect.
func Bunnicula(queue string, t Type, waits []time.Duration) Plan {
	ours := Tiers(queue, t, waits)
	return Plan{
		Waiting: "bunnicula",
		Error:   Queue{Name: queue + peerError, Args: map[string]any{}},
		Main:    Queue{Name: queue, Args: map[string]any{}},
		Retry:   ours.Retry,
		Rungs:   ours.Rungs,
		Peers: []Queue{
			{Name: queue + peerRetry, Args: map[string]any{"x-dead-letter-exchange": queue + peerRequeue}},
		},
		Exchanges: []Exchange{
			{Name: queue + peerRetry, Kind: "fanout", AutoDelete: true},
			{Name: queue + peerError, Kind: "topic", Durable: true},
			{Name: queue + peerRequeue, Kind: "fanout", AutoDelete: true},
		},
		Bindings: []Binding{
			{Exchange: queue + peerRequeue, Queue: queue, Key: anyKey},
			{Exchange: queue + peerError, Queue: queue + peerError, Key: anyKey},
			{Exchange: queue + peerRetry, Queue: queue + peerRetry, Key: anyKey},
		},
	}
}

// KicksExchange is the exchange to which Kicks' publisher sends, if nobody says
// otherwise: a direct, durable one.
const KicksExchange = "sneakers"

// KicksNames are what Kicks lets its users name. All consumers of a queue must
// agree on them. The zero value is Kicks' defaults.
type KicksNames struct {
	// Retry is Kicks' retry_exchange: the exchange and the queue in which
	// messages wait. "" means the main queue's name and "-retry".
	Retry string
	// Error is Kicks' retry_error_exchange: the exchange and the error queue. ""
	// means the main queue's name and "-error".
	Error string
	// Requeue is Kicks' retry_requeue_exchange: the exchange through which
	// messages come back. "" means the main queue's name and "-retry-requeue".
	Requeue string
	// RequeueKey is Kicks' retry_routing_key: the key with which the main queue
	// is bound to Requeue. "" means "#".
	RequeueKey string
}

func (n KicksNames) of(queue string) KicksNames {
	set := func(name *string, unset string) {
		if *name == "" {
			*name = unset
		}
	}
	set(&n.Retry, queue+peerRetry)
	set(&n.Error, queue+peerError)
	set(&n.Requeue, queue+peerRequeue)
	set(&n.RequeueKey, anyKey)
	return n
}

// Kicks returns the plan for a main queue that is shared with consumers of
// Kicks 3, or Sneakers, with the handler Maxretry: exactly what those declare,
// where messages wait for ttl, Kicks' retry_timeout. The rungs are Warren's own,
// of type t. See docs/from-kicks.md.
//
// The exchange to which Kicks' publisher sends is not part of it:
// consumer.Config adds that.
func Kicks(queue string, t Type, ttl time.Duration, names KicksNames) Plan {
	names = names.of(queue)
	exchange := func(name string) Exchange { return Exchange{Name: name, Kind: "topic", Durable: true} }
	return Plan{
		Waiting: "kicks",
		Error:   Queue{Name: names.Error, Args: map[string]any{}},
		Main:    Queue{Name: queue, Args: map[string]any{"x-dead-letter-exchange": names.Retry}},
		Retry:   []Retry{},
		Rungs:   Tiers(queue, t, nil).Rungs,
		Peers: []Queue{{Name: names.Retry, Args: map[string]any{
			"x-dead-letter-exchange": names.Requeue,
			"x-message-ttl":          ttl.Milliseconds(),
		}}},
		Exchanges: []Exchange{exchange(names.Retry), exchange(names.Error), exchange(names.Requeue)},
		Bindings: []Binding{
			{Exchange: names.Retry, Queue: names.Retry, Key: anyKey},
			{Exchange: names.Error, Queue: names.Error, Key: anyKey},
			{Exchange: names.Requeue, Queue: queue, Key: names.RequeueKey},
		},
	}
}

// CheckPeerNames returns an error if a queue or exchange of a plan has a name
// that AMQP does not allow, or if two that must differ have the same.
func (p Plan) CheckPeerNames() error {
	var names []string
	for _, q := range p.Queues() {
		names = append(names, q.Name)
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("two queues have the name %q", name)
		}
	}
	queues := len(names)
	for _, e := range p.Exchanges {
		if slices.Contains(names[queues:], e.Name) {
			return fmt.Errorf("two exchanges have the name %q: what goes to one would go to the queues of both", e.Name)
		}
		names = append(names, e.Name)
	}
	for _, b := range p.Bindings {
		if len(b.Key) > math.MaxUint8 {
			return fmt.Errorf("the key %.40q... has %d bytes; at most %d are possible", b.Key, len(b.Key), math.MaxUint8)
		}
	}
	for _, name := range names {
		if len(name) > math.MaxUint8 {
			return fmt.Errorf("the name %.40q... has %d bytes; at most %d are possible", name, len(name), math.MaxUint8)
		}
		if err := checkText(name); err != nil {
			return err
		}
	}
	return nil
}
