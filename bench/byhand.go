package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// The loops by hand are what a careful person would write with amqp091-go who knows what is fast, for one purpose, and
// without what they do not need. They end with the first error: reconnecting is not what is measured.

// patience is how long the broker has to answer while a loop is set up.
const patience = 30 * time.Second

// connect opens a connection by hand, whose calls are counted.
func (t *task) connect() (*amqp.Connection, error) {
	return amqp.DialConfig(t.url, amqp.Config{
		Heartbeat: 5 * time.Second, // as Warren does
		Locale:    "en_US",
		Dial: func(network, address string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			conn, err := t.meter.dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return conn, conn.SetDeadline(time.Now().Add(patience)) // the client takes it away
		},
	})
}

// subscription is a consumer by hand.
type subscription struct {
	queue      string
	conn       *amqp.Connection
	channel    *amqp.Channel
	deliveries <-chan amqp.Delivery
	closed     chan *amqp.Error
}

const consumerTag = "bench"

func (t *task) subscribe() (s *subscription, err error) {
	s = &subscription{queue: t.Queue}
	if s.conn, err = t.connect(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = s.conn.Close()
		}
	}()
	if s.channel, err = s.conn.Channel(); err != nil {
		return nil, err
	}
	s.closed = s.channel.NotifyClose(make(chan *amqp.Error, 1))
	if err = s.channel.Qos(t.Prefetch, 0, false); err != nil {
		return nil, err
	}
	const autoAck, exclusive, noLocal, noWait = false, false, false, false
	s.deliveries, err = s.channel.Consume(t.Queue, consumerTag, autoAck, exclusive, noLocal, noWait, nil)
	return s, err
}

// work handles deliveries until all messages are finished or something fails, and closes the connection. A message that
// is finished must have been acked.
func (s *subscription) work(t *task, failed *failure, handle func(*amqp.Delivery) error) error {
	var wg sync.WaitGroup
	for range t.Workers {
		wg.Go(func() {
			for d := range s.deliveries {
				failed.note(handle(&d))
			}
		})
	}
	var err error
	select {
	case <-t.meter.done:
	case <-failed.seen:
	case err = <-s.closed:
	}
	err = errors.Join(err, s.end())
	wg.Wait() // deliveries is closed by the end
	return errors.Join(err, failed.get())
}

// end cancels, and sees to it that RabbitMQ has the acks: a channel that closes forgets those that it has gathered for a
// quorum queue, so it is asked some questions first (DESIGN.md, D9).
func (s *subscription) end() error {
	const noWait, autoAck = false, false
	err := s.channel.Cancel(consumerTag, noWait)
	for range 3 {
		if err == nil {
			_, _, err = s.channel.Get(s.queue, autoAck)
		}
	}
	return errors.Join(err, s.conn.Close())
}

// failure keeps the first error of several goroutines.
type failure struct {
	once sync.Once
	seen chan struct{} // closed when there is one
	err  error
}

func newFailure() *failure { return &failure{seen: make(chan struct{})} }

func (f *failure) note(err error) {
	if err != nil {
		f.once.Do(func() {
			f.err = err
			close(f.seen)
		})
	}
}

// get returns the first error so far, or nil.
func (f *failure) get() error {
	select {
	case <-f.seen:
		return f.err
	default:
		return nil
	}
}
