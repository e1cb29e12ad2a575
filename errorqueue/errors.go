package errorqueue

import (
	"errors"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/refusal"
)

var (
	// ErrNotFound is what Get returns if no entry has that id. It may be in the
	// queue all the same, while somebody else holds it.
	ErrNotFound = errors.New("no entry has this id")

	// ErrNoQueue says that the error queue does not exist. Consumers declare it
	// at their first start.
	ErrNoQueue = errors.New("the error queue does not exist")

	// ErrLost says that the call ended before it was done: the channel or the
	// connection was lost, the queue was deleted, or it took so long that the
	// broker would have taken the entries back. What it had not acted upon is in
	// the queue again, and nothing is lost. The error tells the reason, too.
	ErrLost = errors.New("reading the error queue ended early")

	// ErrWorn says that entries were looked at so often that the broker may
	// soon delete them: half of the queue's delivery limit is used up, which is
	// that of Config or, since the queue is not one that Warren has declared,
	// unknown and taken to be 20. A policy with a lower one, also of a queue that
	// Warren has declared, is not seen unless Config tells. Nothing more is taken then. Give the queue a
	// higher limit by a policy, and say so in Config. Below RabbitMQ 4.3 each
	// further try is one more look, so an entry at three quarters of the limit is
	// put at the end of the queue, as a copy that the broker has confirmed: where
	// it was it would be lost at last.
	ErrWorn = errors.New("entries were looked at so often that the broker may soon delete them")
)

// errBusy says that the broker does not know what is in the queue.
var errBusy = errors.New("the queue does not answer")

// missing tells whether the broker says that there is no such queue, or exchange.
func missing(err error) bool {
	var e *amqp.Error
	return errors.As(err, &e) && e.Code == amqp.NotFound && refusal.NoSuchThing(e.Reason)
}
