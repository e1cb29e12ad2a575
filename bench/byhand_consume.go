package main

import (
	"context"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// ackEach acks every message when it is handled.
func ackEach(_ context.Context, t *task) error {
	s, err := t.subscribe()
	if err != nil {
		return err
	}
	handle := t.handler()
	return s.work(t, newFailure(), func(d *amqp.Delivery) error {
		if err := handle(d); err != nil {
			return err
		}
		const multiple = false
		if err := d.Ack(multiple); err != nil {
			return err
		}
		t.meter.finish(1)
		return nil
	})
}

// ackPrefixes acks what is handled in a row, many at a time.
func ackPrefixes(_ context.Context, t *task) error {
	s, err := t.subscribe()
	if err != nil {
		return err
	}
	handle := t.handler()
	acks := newPrefix(s.channel, t)
	defer acks.stop()
	return s.work(t, newFailure(), func(d *amqp.Delivery) error {
		if err := handle(d); err != nil {
			return err
		}
		return acks.finish(d.DeliveryTag)
	})
}

// prefix acks what is finished in a row: when that is half of the prefetch window, or 64, and else within 5 ms. It writes
// under its lock, since an ack must not be overtaken by a wider one.
type prefix struct {
	channel *amqp.Channel
	meter   *meter
	enough  uint64

	mu       sync.Mutex
	finished []bool // a ring, by delivery tag
	next     uint64 // the first tag that is not finished
	acked    uint64 // the last tag that is acked
	timer    *time.Timer
	ticking  bool
	err      error
}

func newPrefix(channel *amqp.Channel, t *task) *prefix {
	room := 1
	for room < t.Prefetch+1 {
		room *= 2
	}
	p := &prefix{
		channel: channel, meter: t.meter, enough: uint64(max(1, min(t.Prefetch/2, 64))),
		finished: make([]bool, room), next: 1,
	}
	p.timer = time.AfterFunc(time.Hour, p.tick)
	return p
}

// finish notes that the delivery with that tag is done with. It returns the error of an earlier ack, too.
func (p *prefix) finish(tag uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	mask := uint64(len(p.finished) - 1)
	p.finished[tag&mask] = true
	for p.finished[p.next&mask] {
		p.finished[p.next&mask] = false
		p.next++
	}
	switch waiting := p.next - 1 - p.acked; {
	case waiting >= p.enough:
		p.ack()
	case waiting > 0 && !p.ticking:
		p.ticking = true
		p.timer.Reset(5 * time.Millisecond)
	}
	return p.err
}

func (p *prefix) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ticking = false
	if p.next-1 > p.acked {
		p.ack()
	}
}

func (p *prefix) ack() {
	if p.err != nil {
		return
	}
	upTo, before := p.next-1, p.acked
	const multiple = true
	if p.err = p.channel.Ack(upTo, multiple); p.err == nil {
		p.acked = upTo
		p.meter.finish(int(upTo - before))
	}
}

func (p *prefix) stop() { p.timer.Stop() }
