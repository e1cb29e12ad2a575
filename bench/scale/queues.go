package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/topology"
)

// bodySize is that of every message.
const bodySize = 256

// stamp is what the beginning of a body says: whose turn the message is.
type stamp struct{ key, turn uint32 }

func (s stamp) body() []byte {
	b := make([]byte, bodySize)
	binary.BigEndian.PutUint32(b, s.key)
	binary.BigEndian.PutUint32(b[4:], s.turn)
	return b
}

func stampOf(body []byte) stamp {
	return stamp{binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])}
}

// message is the n-th one. Its id is the number.
func message(n int, s stamp) amqp.Publishing {
	return amqp.Publishing{
		Body: s.body(), ContentType: "application/octet-stream", DeliveryMode: amqp.Persistent, MessageId: strconv.Itoa(n),
	}
}

// numberOf returns the number that an id is.
func numberOf(id string) (int, error) {
	n, err := strconv.Atoi(id)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("a message that is not ours: its id is %q", id)
	}
	return n, nil
}

// plan is what Warren declares for a queue, and what the loops by hand use, too.
func plan(queue string, waits ...time.Duration) topology.Plan {
	return topology.Tiers(queue, topology.Quorum, waits)
}

// names are those of all queues that there may be for plans.
func names(plans ...topology.Plan) (all []string) {
	for _, p := range plans {
		for _, q := range p.Queues() {
			all = append(all, q.Name)
		}
		for _, r := range p.Rungs {
			all = append(all, r.Name)
		}
	}
	return all
}

// declare declares the queues of a plan.
func declare(ch *amqp.Channel, p topology.Plan) error {
	for _, q := range p.Queues() {
		if err := declareOne(ch, q.Name, q.Args); err != nil {
			return err
		}
	}
	return nil
}

func declareOne(ch *amqp.Channel, name string, args amqp.Table) error {
	const durable, autoDelete, exclusive, noWait = true, false, false, false
	_, err := ch.QueueDeclare(name, durable, autoDelete, exclusive, noWait, args)
	return err
}

// filling is messages for a queue.
type filling struct {
	plan     topology.Plan
	messages int
	stamp    func(n int) stamp // of the n-th; nil: none
}

// fill declares the queues of every filling, and publishes its messages, confirmed. It returns the names of all of
// them, also with an error.
func fill(ctx context.Context, broker string, fillings ...filling) (queues []string, err error) {
	for _, f := range fillings {
		queues = append(queues, names(f.plan)...)
	}
	conn, err := amqp.Dial(broker)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	s, err := newSender(conn)
	if err != nil {
		return nil, err
	}
	for _, f := range fillings {
		if err := declare(s.ch, f.plan); err != nil {
			return queues, err
		}
	}
	for _, f := range fillings {
		for n := range f.messages {
			var st stamp
			if f.stamp != nil {
				st = f.stamp(n)
			}
			if err := s.pipelined(ctx, f.plan.Main.Name, message(n, st)); err != nil {
				return queues, err
			}
		}
	}
	return queues, s.flush(ctx)
}

// remove deletes queues. Those that are not there are no error.
func remove(broker string, queues []string) error {
	if len(queues) == 0 {
		return nil
	}
	conn, err := amqp.Dial(broker)
	if err != nil {
		return fmt.Errorf("delete queues: %w", err)
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("delete queues: %w", err)
	}
	for _, name := range queues {
		const ifUnused, ifEmpty, noWait = false, false, false
		if _, err := ch.QueueDelete(name, ifUnused, ifEmpty, noWait); err != nil {
			return fmt.Errorf("delete %s: %w", name, err)
		}
	}
	return nil
}

var errNotConfirmed = errors.New("the broker has not confirmed a message")

// sendWindow is how many messages a sender has in flight.
const sendWindow = 256

// sender publishes confirmed messages by hand.
type sender struct {
	ch     *amqp.Channel
	window []*amqp.DeferredConfirmation // a ring
	next   int
}

func newSender(conn *amqp.Connection) (*sender, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	if err := ch.Confirm(false); err != nil {
		return nil, err
	}
	return &sender{ch: ch, window: make([]*amqp.DeferredConfirmation, sendWindow)}, nil
}

// publish does not wait. It may be called by many at once.
func (s *sender) publish(queue string, m amqp.Publishing) (*amqp.DeferredConfirmation, error) {
	const mandatory, immediate = true, false
	return s.ch.PublishWithDeferredConfirm("", queue, mandatory, immediate, m)
}

// pipelined waits for the message that was published a window before.
func (s *sender) pipelined(ctx context.Context, queue string, m amqp.Publishing) error {
	if err := confirmed(ctx, s.window[s.next]); err != nil {
		return err
	}
	c, err := s.publish(queue, m)
	s.window[s.next] = c
	s.next = (s.next + 1) % len(s.window)
	return err
}

// flush waits for all.
func (s *sender) flush(ctx context.Context) error {
	for i, c := range s.window {
		s.window[i] = nil
		if err := confirmed(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func confirmed(ctx context.Context, c *amqp.DeferredConfirmation) error {
	if c == nil {
		return nil
	}
	switch ok, err := c.WaitContext(ctx); {
	case err != nil:
		return err
	case !ok:
		return errNotConfirmed
	default:
		return nil
	}
}
