// Package errorqueue is for the people who look after an error queue: what
// cannot succeed by itself waits there for them.
//
// A [Queue] is the error queue of one main queue. It lists what is there and
// why, picks one, groups what failed alike, and then replays, discards, moves,
// copies, exports and imports:
//
//	q, err := errorqueue.New(conn, "orders", errorqueue.Config{})
//	if err != nil {
//		return err
//	}
//	for entry, err := range q.All(ctx, errorqueue.Filter{Reasons: []string{"exhausted"}}) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(entry.ID, entry.Attempts, entry.Error)
//	}
//
// # What looking does
//
// AMQP has no way to look at a message without taking it. So every call here
// takes entries from the queue, a chunk at a time, holds all that it has seen
// until it is done, and then gives back what it was not told to act upon, in
// the order in which it was. Nobody else gets an entry while it is held; that
// is also what keeps two people from replaying the same one. Other readers get
// what is not held, and what arrives meanwhile is left for the next call.
//
// Whatever dies in between, the broker puts back what was held: nothing is
// lost. Only the order may suffer then, and where several people look at once.
//
// A quorum queue keeps what was given back ahead of the rest, in the order in
// which it came back. To keep the order, a call that ends early therefore takes
// all that was ever given back before it gives back anything: in a queue that
// somebody has listed before it takes as long as one that reads to the end, some
// seconds for 100,000 entries.
//
// Below RabbitMQ 4.3 a quorum queue counts each look ([Entry].Looks), and a
// queue has a limit. The error queues that Warren declares have one of a
// million. One that somebody else declared may have RabbitMQ 4's default of 20,
// beyond which RabbitMQ deletes an entry: see [ErrWorn].
package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/user"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/topology"
)

// DefaultChunk is how many entries are taken at a time where Config does not
// say.
const DefaultChunk = 2000

// Config is what a Queue can be told. Its zero value works.
type Config struct {
	// ErrorQueue is the name of the error queue. Empty: that of the main queue
	// and ".error", as Warren's consumers declare it. Bunnicula's and Kicks' end
	// in "-error".
	ErrorQueue string
	// Monitor is told of what is done with entries. Nil: that of the connection.
	Monitor monitoring.Monitor
	// Chunk is how many entries are taken at a time, at most 65,535; 0 means
	// 2,000. They are in memory together, so it is lowered by itself where
	// entries are large. A call begins with 32. Where entries are suddenly much
	// larger than those before, it keeps 8 MB of them, gives everything back, and
	// begins again with fewer at a time: each time that is one look more. So a
	// call takes less than 64 MB and a few of the largest entries.
	Chunk int
	// DeliveryLimit is that of the error queue, if it is a quorum queue that
	// somebody else has declared, or that has it from a policy: how often an
	// entry may be taken and given back before the broker deletes it. Negative:
	// it has none. 0: a queue is asked whether it is one that Warren has
	// declared, or a classic one; if neither, 20 is taken for granted, which is
	// RabbitMQ 4's default. At half of it reading stops: see [ErrWorn].
	//
	// A policy's limit cannot be seen from here: AMQP does not tell of policies,
	// and an entry tells how often it was looked at (Entry.Looks), but not how
	// often it may be. RabbitMQ obeys the lower of the queue's own limit and the
	// policy's. So below RabbitMQ 4.3, where each look counts, a policy with a
	// delivery-limit below 1,000,000 on a queue that Warren has declared, or
	// below 20 on another, must be said here, or looking too often deletes
	// entries, without an error. The warren command asks the management API for
	// it, and "warren doctor" finds such policies.
	DeliveryLimit int
	// By says who acts, for the monitor. Empty: the user and host of this
	// process.
	By string
}

// Queue is the error queue of one main queue. It is safe for concurrent use.
// Every call that reads or moves opens a channel of its own, on the connection
// for consuming, and closes it.
type Queue struct {
	conn   *connection.Connection
	main   string
	name   string
	config Config
}

// New returns the error queue of the main queue of that name. It does no I/O,
// and does not declare anything: that is up to the consumer. The error is about
// an argument.
func New(conn *connection.Connection, queue string, cfg Config) (*Queue, error) {
	if conn == nil {
		return nil, errors.New("errorqueue: the connection is nil")
	}
	if err := checkName(queue); err != nil {
		return nil, fmt.Errorf("errorqueue: the main queue: %w", err)
	}
	if cfg.ErrorQueue == "" {
		cfg.ErrorQueue = topology.ErrorQueue(queue)
	}
	if err := checkName(cfg.ErrorQueue); err != nil {
		return nil, fmt.Errorf("errorqueue: Config.ErrorQueue: %w", err)
	}
	if cfg.ErrorQueue == queue {
		return nil, fmt.Errorf("errorqueue: Config.ErrorQueue is the main queue, %q", queue)
	}
	switch {
	case cfg.Chunk < 0 || cfg.Chunk > math.MaxUint16:
		return nil, fmt.Errorf("errorqueue: Config.Chunk is %d; it must be between 0 and %d", cfg.Chunk, math.MaxUint16)
	case cfg.Chunk == 0:
		cfg.Chunk = DefaultChunk
	}
	if cfg.Monitor == nil {
		cfg.Monitor = conn.Monitor()
	}
	return &Queue{conn: conn, main: queue, name: cfg.ErrorQueue, config: cfg}, nil
}

// checkName returns an error if no queue can have that name.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("it has no name")
	case len(name) > math.MaxUint8:
		return fmt.Errorf("its name has %d bytes; at most %d are possible", len(name), math.MaxUint8)
	case strings.ToValidUTF8(name, "") != name || strings.ContainsRune(name, 0):
		return fmt.Errorf("the name %q is not text", name)
	}
	return nil
}

// Name returns the name of the error queue.
func (q *Queue) Name() string { return q.name }

// Main returns the name of the main queue.
func (q *Queue) Main() string { return q.main }

// by names who acts.
func (q *Queue) by() string {
	if q.config.By != "" {
		return q.config.By
	}
	who := os.Getenv("USER")
	if u, err := user.Current(); err == nil && u.Username != "" {
		who = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return who
	}
	return who + "@" + host
}

// Len returns how many entries wait in the error queue. Those that somebody
// holds, who looks at them or acts upon them, are not counted: AMQP does not
// tell. The error wraps [ErrNoQueue] if there is no such queue.
func (q *Queue) Len(ctx context.Context) (ready int, err error) {
	s, err := q.conn.Session(ctx, connection.Consume)
	if err != nil {
		return 0, q.failed("count", err)
	}
	ch, found, err := q.open(ctx, s)
	if err != nil {
		return 0, q.failed("count", err)
	}
	defer ch.HangUp()
	for range 10 {
		if found.known {
			return found.ready, nil
		}
		err = ch.Ask(ctx, func(amqpChannel *amqp.Channel) (err error) {
			found, err = ch.inspect(amqpChannel, q.name)
			return err
		})
		if err != nil {
			return 0, q.failed("count", err)
		}
	}
	return 0, q.failed("count", errBusy)
}

// failed says what could not be done with the queue.
func (q *Queue) failed(verb string, err error) error {
	return fmt.Errorf("%s %s: %w", verb, q.name, err)
}
