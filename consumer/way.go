package consumer

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/topology"
)

// Waiting is a way in which messages wait between their attempts: which queues
// there are, and what becomes of a message that shall be tried again.
type Waiting int

const (
	// Tiers has one retry queue for each distinct wait of the policy. A message
	// that shall wait is published there, confirmed, and acknowledged only then;
	// the broker puts it back when its time is over. It works alike on every
	// RabbitMQ from 3.10 on. The default.
	Tiers Waiting = iota

	// Native leaves the waiting to the main queue, as quorum queues of RabbitMQ
	// 4.3 and later can do it: nothing is published for a Retry, so nothing can
	// be lost or doubled on the way, and a message that kills its process waits,
	// too. It waits in equal steps only (retry.Fixed and retry.Linear, or what is
	// like them), and the waits are arguments of the main queue: another policy
	// needs another queue. An older broker is refused with an [UnsupportedError].
	//
	// A delivery that ends with its connection uses up an attempt, since the
	// broker does not tell that from a Retry. A message that came without an id
	// gets none by a Retry, and what earlier attempts failed with is not kept on
	// the message. RetryAfter and Defer take retry queues, as with Tiers.
	Native

	// Auto is Native where the broker, the policy and the main queue, if that
	// exists, let it be, and otherwise Tiers. Which one it is, and why, is told
	// as a monitoring.WaitingChosen. A main queue that exists decides: it
	// stays what it was declared as, also when the broker is upgraded. It is
	// Tiers where Config.Declare is not DeclareAll.
	Auto

	// Bunnicula shares the main queue with consumers of Bunnicula 2, a library
	// for Clojure: it declares the queues and exchanges that those declare, and
	// counts attempts in their header. What Warren itself puts off waits in
	// queues like those of Tiers. See docs/from-bunnicula.md.
	Bunnicula

	// Kicks shares the main queue with consumers of Kicks 3, or Sneakers, a
	// library for Ruby, that use its handler Maxretry: it declares the queues
	// and exchanges that those declare, and lets the broker dead-letter and
	// count as they do. The policy must have one wait, Kicks' retry_timeout. See
	// docs/from-kicks.md.
	Kicks
)

// String returns the name in lower case, such as "tiers".
func (w Waiting) String() string {
	switch w {
	case Tiers:
		return "tiers"
	case Native:
		return "native"
	case Auto:
		return "auto"
	case Bunnicula:
		return "bunnicula"
	case Kicks:
		return "kicks"
	default:
		return fmt.Sprintf("Waiting(%d)", int(w))
	}
}

// way returns what does it, or nil. Auto is none of its own.
func (w Waiting) way(cfg *Config) way {
	switch w {
	case Tiers:
		return tiers{}
	case Native:
		return newNative(cfg)
	case Bunnicula:
		return bunnicula{}
	case Kicks:
		return kicks{}
	default:
		return nil
	}
}

// way is all in which one Waiting differs from another. What a handler's outcome
// means for a message is decided before, by settle; how a message is published,
// confirmed and acknowledged is one piece for all, in move.go.
//
// Its methods do no I/O and change nothing but what they are given. Each way has
// a file of its own, and embeds tiers for what it does not do otherwise.
type way interface {
	// plan computes what a consumer needs, or says which field of cfg the way
	// cannot carry out, why, and what comes nearest.
	plan(queue string, cfg *Config) (topology.Plan, error)
	// admit refuses a broker that cannot do it, by its version, before anything
	// is declared.
	admit(version string) error
	// prove says how to find out whether a main queue that somebody else has
	// declared does what this way relies on, if it relies on anything.
	prove(main topology.Queue) (s step, needed bool)

	// read adds to d.state, which has been read from our headers, what this way
	// keeps elsewhere, as the attempt. It returns the names of headers that it
	// could not use.
	read(d *delivery) (ignored []string)
	// crashes returns how many deliveries of d have failed with the process or
	// its connection, as far as that can be known.
	crashes(d *delivery) int

	// hold says how d is made to wait for v.wait. It may change v, if this way
	// can hold it only in another manner.
	hold(d *delivery, v *verdict) holding
	// errorAddress is where d goes that is for a person.
	errorAddress(d *delivery) address

	// These add headers to d as it is published to a retry queue after an
	// attempt, on its way from one retry queue to another, and to the error queue.
	markRetry(d *delivery, v *verdict, h amqp.Table)
	markHeld(d *delivery, h amqp.Table)
	markError(d *delivery, v *verdict, f *header.Failure, h amqp.Table)
}

// means is a way with what it needs for one consumer.
type means struct {
	way  way
	plan topology.Plan
}

// holding is how a message is made to wait.
type holding struct {
	manner
	to string // where it waits, unless it is published
}

// manner is what is told to the broker about a message that shall wait.
type manner int

const (
	published    manner = iota // published to the retry queue of the wait, then acknowledged
	requeued                   // rejected, and the main queue delivers it again
	deadLettered               // rejected, and the main queue dead-letters it to a retry queue
)

// address is where a message is published to.
type address struct{ exchange, key string }

// name is how people are told of it.
func (a address) name() string {
	if a.exchange != "" {
		return a.exchange
	}
	return a.key
}
