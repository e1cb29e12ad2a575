// Package topology computes the queues, exchanges and bindings that a consumer
// needs. It does no I/O: what it returns is what a consumer declares, what
// (*consumer.Consumer).Plan returns, and what tools compare with the broker.
//
// For a main queue named orders and a policy that waits one minute it is:
//
//	orders               where work arrives
//	orders.retry.1m0s    holds a message for a minute, then the broker puts it back
//	orders.error         holds what will not succeed by itself, for a person
//
// There are other ways to let messages wait, each with a function of its own.
//
// All are durable quorum queues, and whatever dead-letters does so at least
// once: a classic queue that dead-letters was seen to lose thousands of
// confirmed messages when its broker was killed. See DESIGN.md, D2 and D3.
//
// The arguments are part of Warren's public contract. RabbitMQ refuses to
// declare a queue again with other arguments, so a change would break every
// rolling deployment. A golden test holds them.
package topology

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Type is the type of a queue.
type Type string

const (
	// Quorum queues are replicated, and survive the death of a broker without
	// losing what was confirmed. The default.
	Quorum Type = "quorum"
	// Classic queues live on one node. A retry queue of this type loses
	// messages when its broker is killed while they are put back.
	Classic Type = "classic"
)

// Queue is a queue to declare. It is durable, not exclusive and not deleted
// automatically.
type Queue struct {
	Name string `json:"name"`
	// Args are the arguments of queue.declare.
	Args map[string]any `json:"arguments"`
}

// Retry is a queue that holds messages for a time.
type Retry struct {
	Queue
	Wait time.Duration `json:"wait"`
}

// Exchange is an exchange to declare.
type Exchange struct {
	Name    string `json:"name"`
	Kind    string `json:"type"`
	Durable bool   `json:"durable"`
	// AutoDelete exchanges go when the last queue is unbound from them.
	AutoDelete bool           `json:"auto_delete,omitempty"`
	Args       map[string]any `json:"arguments,omitempty"`
}

// Binding binds a queue to an exchange.
type Binding struct {
	Exchange string         `json:"exchange"`
	Queue    string         `json:"queue"`
	Key      string         `json:"key"`
	Args     map[string]any `json:"arguments,omitempty"`
}

// Plan is everything that one consumer needs. Declarations lists it in the order
// of declaring.
type Plan struct {
	// Waiting is the way in which messages wait between attempts, such as
	// "tiers".
	Waiting string `json:"waiting"`

	Error Queue `json:"error"`
	Main  Queue `json:"main"`
	// Retry holds one queue for each distinct wait of the policy, ascending.
	Retry []Retry `json:"retry"`
	// Rungs are the queues of which arbitrary waits are composed, ascending.
	// Each is declared when it is first needed.
	Rungs []Retry `json:"rungs"`
	// Peers are queues that another library needs, with which the consumer
	// shares its main queue.
	Peers     []Queue    `json:"peers,omitempty"`
	Exchanges []Exchange `json:"exchanges,omitempty"`
	Bindings  []Binding  `json:"bindings,omitempty"`
}

const (
	// CrashLimit is the delivery limit of a main queue. At that point the broker
	// itself moves a message to the error queue. Warren moves it earlier, with
	// a reason; this is for messages that no consumer can read.
	CrashLimit = 100

	// reviewLimit is the delivery limit of an error queue. Without one,
	// RabbitMQ 4 deletes a message after 20 looks at it; with -1, RabbitMQ 3.10
	// dead-letters it at the first.
	reviewLimit = 1_000_000
)

// rungs are what arbitrary waits are composed of. Six queues reach from a
// second to a day in at most 14 steps.
var rungs = []time.Duration{
	time.Second, 5 * time.Second, 30 * time.Second, 3 * time.Minute, 20 * time.Minute, 2 * time.Hour,
}

// Tiers returns the plan for a main queue of type t, with one retry queue for
// each of the distinct waits.
func Tiers(queue string, t Type, waits []time.Duration) Plan {
	p := Plan{
		Waiting: "tiers",
		Error:   Queue{Name: ErrorQueue(queue), Args: map[string]any{"x-queue-type": string(t)}},
		Main: Queue{Name: queue, Args: map[string]any{
			"x-queue-type":              string(t),
			"x-dead-letter-exchange":    "",
			"x-dead-letter-routing-key": ErrorQueue(queue),
		}},
		Retry: []Retry{},
		Rungs: []Retry{},
	}
	if t == Quorum {
		p.Error.Args["x-delivery-limit"] = int64(reviewLimit)
		p.Main.Args["x-delivery-limit"] = int64(CrashLimit)
		p.Main.Args["x-dead-letter-strategy"] = "at-least-once"
		p.Main.Args["x-overflow"] = "reject-publish"
	}
	for _, w := range waits {
		p.Retry = append(p.Retry, retryQueue(queue, t, w))
	}
	for _, w := range rungs {
		if !slices.Contains(waits, w) {
			p.Rungs = append(p.Rungs, retryQueue(queue, t, w))
		}
	}
	return p
}

// retryQueue is the queue that holds messages for wait.
func retryQueue(queue string, t Type, wait time.Duration) Retry {
	args := map[string]any{
		"x-queue-type":              string(t),
		"x-message-ttl":             wait.Milliseconds(),
		"x-dead-letter-exchange":    "",
		"x-dead-letter-routing-key": queue,
	}
	if t == Quorum {
		args["x-dead-letter-strategy"] = "at-least-once"
		args["x-overflow"] = "reject-publish"
	}
	return Retry{Queue: Queue{Name: RetryQueue(queue, wait), Args: args}, Wait: wait}
}

// ErrorQueue returns the name of the error queue of a main queue.
func ErrorQueue(queue string) string { return queue + ".error" }

// RetryQueue returns the name of the queue that holds messages for wait.
func RetryQueue(queue string, wait time.Duration) string {
	return queue + ".retry." + wait.String()
}

// Queues returns the queues to declare at start, in order: error queue, main
// queue, retry queues, those of peers. Each of ours dead-letters only into one
// that is there already.
func (p Plan) Queues() []Queue {
	all := []Queue{p.Error, p.Main}
	for _, r := range p.Retry {
		all = append(all, r.Queue)
	}
	return append(all, p.Peers...)
}

// Declaration is one thing to declare: one of its fields is set.
type Declaration struct {
	Queue    *Queue
	Exchange *Exchange
	Binding  *Binding
}

// Declarations returns all that is to be declared at start, in the order of
// declaring: queues, exchanges, and then what binds them. What a peer declares,
// too, comes first, in the peer's order: exchanges, queues, bindings.
func (p Plan) Declarations() []Declaration {
	var all []Declaration
	queues := func(list ...Queue) {
		for _, q := range list {
			all = append(all, Declaration{Queue: &q})
		}
	}
	exchanges := func() {
		for _, e := range p.Exchanges {
			all = append(all, Declaration{Exchange: &e})
		}
	}
	bindings := func() {
		for _, b := range p.Bindings {
			all = append(all, Declaration{Binding: &b})
		}
	}
	if len(p.Peers) == 0 {
		queues(p.Queues()...)
		exchanges()
		bindings()
		return all
	}
	exchanges()
	queues(p.Main)
	queues(p.Peers...)
	queues(p.Error)
	bindings()
	for _, r := range p.Retry {
		queues(r.Queue)
	}
	return all
}

// Find returns the queue of the plan with that name.
func (p Plan) Find(name string) (Queue, bool) {
	for _, q := range p.Queues() {
		if q.Name == name {
			return q, true
		}
	}
	for _, r := range p.Rungs {
		if r.Name == name {
			return r.Queue, true
		}
	}
	return Queue{}, false
}

// Exactly returns the retry queue for one of the policy's waits.
func (p Plan) Exactly(wait time.Duration) (Retry, bool) {
	for _, r := range p.Retry {
		if r.Wait == wait {
			return r, true
		}
	}
	return Retry{}, false
}

// Slack returns how late a message may be that shall wait for d: a second, or
// one twentieth of d if that is longer.
func Slack(d time.Duration) time.Duration { return max(time.Second, d/20) }

// Compose returns the next retry queue for a message that still has to wait for
// left, and may be late by slack. It is the one that ends the wait in time, if
// there is one; else the longest that does not exceed it; else the shortest
// there is. Of a plan without retry queues it is the zero Retry.
func (p Plan) Compose(left, slack time.Duration) Retry {
	left = max(0, left)
	var within, below, shortest *Retry
	for _, list := range [][]Retry{p.Retry, p.Rungs} {
		for i := range list {
			r := &list[i]
			if shortest == nil || r.Wait < shortest.Wait {
				shortest = r
			}
			switch {
			case r.Wait < left:
				if below == nil || r.Wait > below.Wait {
					below = r
				}
			case r.Wait-left <= slack: // not left+slack: headers may say anything
				if within == nil || r.Wait < within.Wait {
					within = r
				}
			}
		}
	}
	switch {
	case within != nil:
		return *within
	case below != nil:
		return *below
	case shortest != nil:
		return *shortest
	default:
		return Retry{}
	}
}

// CheckName returns an error if queue cannot be the name of a main queue: if it
// is empty, reserved, not one line of text, or so long that the names of its retry queues
// exceed the 255 bytes that AMQP allows.
func CheckName(queue string, waits []time.Duration) error {
	if queue == "" {
		return errors.New("the queue has no name")
	}
	if err := checkText(queue); err != nil {
		return err
	}
	longest := len(ErrorQueue(queue))
	for _, w := range slices.Concat(waits, rungs) {
		longest = max(longest, len(RetryQueue(queue, w)))
	}
	if longest > math.MaxUint8 {
		return fmt.Errorf("the name has %d bytes; at most %d are possible, with what is added for its retry queues",
			len(queue), math.MaxUint8-(longest-len(queue)))
	}
	return nil
}

// checkText returns an error if no queue or exchange can have that name, however
// long it is.
func checkText(name string) error {
	switch {
	case strings.HasPrefix(name, "amq."):
		return fmt.Errorf("the name %q begins with amq., which is reserved", name)
	case strings.ToValidUTF8(name, "") != name || strings.ContainsRune(name, 0):
		return fmt.Errorf("the name %q is not text", name)
	case strings.ContainsAny(name, "\r\n"):
		// It leaves them out where it declares, and nowhere else: what is to go
		// back to the queue would not find it.
		return fmt.Errorf("the name %q has a line break, which RabbitMQ does not keep", name)
	}
	return nil
}
