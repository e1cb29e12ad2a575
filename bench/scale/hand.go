package main

import (
	"errors"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// hand is a consumer as a careful program writes it on the bare client: it acknowledges finished prefixes, and
// does not wait for the confirm of one retry before it handles the next message. It has no deadlines, guards or
// metrics, and does not survive the loss of its connection.
type hand struct {
	queue             string
	workers, prefetch int
	// each acknowledges every message singly.
	each bool
	// handle returns the confirm to wait for before the message is acknowledged, or nil.
	handle func(d *amqp.Delivery) (*amqp.DeferredConfirmation, error)

	// failed is told of what goes wrong.
	failed *failure

	ch      *amqp.Channel
	tag     string
	acks    prefixAcks
	pending chan unconfirmed
	wg      sync.WaitGroup // workers
	confirm sync.WaitGroup
}

type unconfirmed struct {
	c   *amqp.DeferredConfirmation
	tag uint64
}

// start subscribes on a channel of its own.
func (h *hand) start(conn *amqp.Connection) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	return h.startOn(ch)
}

func (h *hand) startOn(ch *amqp.Channel) error {
	if err := ch.Qos(h.prefetch, 0, false); err != nil {
		return err
	}
	const autoAck, exclusive, noLocal, noWait = false, false, false, false
	h.ch, h.tag = ch, h.queue
	deliveries, err := ch.Consume(h.queue, h.tag, autoAck, exclusive, noLocal, noWait, nil)
	if err != nil {
		return err
	}
	h.acks.begin(ch, h.prefetch, h.failed)
	h.pending = make(chan unconfirmed, h.prefetch)
	h.confirm.Go(func() {
		for u := range h.pending {
			if !u.c.Wait() {
				h.failed.note(errNotConfirmed)
				return
			}
			h.ack(u.tag)
		}
	})
	for range h.workers {
		h.wg.Go(func() {
			for d := range deliveries {
				h.one(&d)
			}
		})
	}
	return nil
}

func (h *hand) one(d *amqp.Delivery) {
	switch c, err := h.handle(d); {
	case err != nil:
		h.failed.note(err)
	case c != nil:
		h.pending <- unconfirmed{c, d.DeliveryTag}
	default:
		h.ack(d.DeliveryTag)
	}
}

func (h *hand) ack(tag uint64) {
	if !h.each {
		h.acks.done(tag)
	} else if err := h.ch.Ack(tag, false); err != nil {
		h.failed.note(err)
	}
}

// stop works off what has been taken, and waits for every goroutine.
func (h *hand) stop() error {
	if h.ch == nil {
		return nil
	}
	err := h.ch.Cancel(h.tag, false)
	h.wg.Wait()
	close(h.pending)
	h.confirm.Wait()
	h.acks.end()
	return errors.Join(err, h.ch.Close())
}

// ackDelay is for how long a finished prefix may wait for more.
const ackDelay = 5 * time.Millisecond

// prefixAcks acknowledges what is finished in a row, half a window at a time.
type prefixAcks struct {
	ch     *amqp.Channel
	failed *failure
	timer  *time.Timer

	mu       sync.Mutex
	finished []bool // a ring: no more than the prefetch are unacknowledged
	next     uint64 // the first that is not finished
	acked    uint64
	armed    bool
}

func (a *prefixAcks) begin(ch *amqp.Channel, prefetch int, failed *failure) {
	a.ch, a.failed, a.finished, a.next = ch, failed, make([]bool, prefetch), 1
	a.timer = time.AfterFunc(time.Hour, a.flush)
	a.timer.Stop()
}

func (a *prefixAcks) done(tag uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	size := uint64(len(a.finished))
	a.finished[tag%size] = true
	for a.finished[a.next%size] {
		a.finished[a.next%size] = false
		a.next++
	}
	switch n := a.next - 1 - a.acked; {
	case n >= max(1, size/2):
		a.write()
	case n > 0 && !a.armed:
		a.armed = true
		a.timer.Reset(ackDelay)
	}
}

func (a *prefixAcks) flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.armed = false
	a.write()
}

// write is called with mu.
func (a *prefixAcks) write() {
	if upTo := a.next - 1; upTo > a.acked {
		a.acked = upTo
		if err := a.ch.Ack(upTo, true); err != nil {
			a.failed.note(err)
		}
	}
}

// end writes what is left.
func (a *prefixAcks) end() {
	a.timer.Stop()
	a.flush()
}

// dialByHand connects with the heartbeat that Warren has, too.
func dialByHand(broker string) (*amqp.Connection, error) {
	return amqp.DialConfig(broker, amqp.Config{Heartbeat: heartbeat})
}

// heartbeat is Warren's default.
const heartbeat = 5 * time.Second
