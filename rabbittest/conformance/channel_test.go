package conformance_test

import (
	"context"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A channel is the client library's, with shorter ways to say what rows say most.
type channel struct {
	*amqp.Channel
	e    *env
	conn *amqp.Connection
	gone chan *amqp.Error // tells why the broker closed it
	why  *amqp.Error      // what gone told
}

// flags are the properties of a declaration that is not passive.
type flags uint8

const (
	durable flags = 1 << iota
	exclusive
	autoDelete
	internal
	noWait

	none flags = 0
)

func (f flags) has(flag flags) bool { return f&flag != 0 }

// declare declares a queue.
func (ch *channel) declare(name string, f flags, args amqp.Table) error {
	_, err := ch.QueueDeclare(name, f.has(durable), f.has(autoDelete), f.has(exclusive), f.has(noWait), args)
	return err
}

// exchange declares an exchange.
func (ch *channel) exchange(name, kind string, f flags, args amqp.Table) error {
	return ch.ExchangeDeclare(name, kind, f.has(durable), f.has(autoDelete), f.has(internal), f.has(noWait), args)
}

// bind binds a queue.
func (ch *channel) bind(queue, exchange, key string, args amqp.Table) error {
	return ch.QueueBind(queue, key, exchange, false, args)
}

// publish publishes and waits for nothing.
func (ch *channel) publish(exchange, key string, p amqp.Publishing) error {
	return ch.PublishWithContext(context.Background(), exchange, key, false, false, p)
}

// confirmed publishes on a channel in confirm mode, and returns ack, nack, or [channel.fate].
func (ch *channel) confirmed(exchange, key string, p amqp.Publishing) string {
	ch.e.Helper()
	confirmation, err := ch.PublishWithDeferredConfirm(exchange, key, false, false, p)
	if err != nil {
		return ch.fate()
	}
	select {
	case <-confirmation.Done():
	case <-time.After(patience):
		return "no confirm"
	}
	if confirmation.Acked() {
		return "ack"
	}
	if fate := ch.fate(); fate != "no error" {
		return fate
	}
	return "nack"
}

// consume subscribes, and must succeed.
func (ch *channel) consume(queue, tag string, args amqp.Table) <-chan amqp.Delivery {
	ch.e.Helper()
	deliveries, err := ch.Consume(queue, tag, false, false, false, false, args)
	ch.e.must(err)
	return deliveries
}

// fate is what has become of the channel once the broker has done all that it was asked to: "no error", or the
// error with its scope: "channel 404 NOT_FOUND - …".
func (ch *channel) fate() string {
	// The answer to this comes after what went wrong before.
	err := ch.ExchangeDeclarePassive("amq.direct", "direct", true, false, false, false, nil)
	if err == nil {
		return "no error"
	}
	if ch.why == nil {
		select {
		case ch.why = <-ch.gone:
		case <-time.After(patience):
		}
	}
	switch {
	case ch.why == nil:
		return fmt.Sprintf("%v, and the broker gave no reason", err)
	case ch.conn.IsClosed():
		return scoped("connection", ch.why)
	default:
		return scoped("channel", ch.why)
	}
}

// scoped is a broker's error, and what it closed.
func scoped(scope string, err *amqp.Error) string {
	return fmt.Sprintf("%s %d %s", scope, err.Code, err.Reason)
}
