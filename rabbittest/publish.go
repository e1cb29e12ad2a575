package rabbittest

import (
	"errors"
	"fmt"

	"github.com/warren-mq/warren/rabbittest/internal/engine"
)

var (
	// ErrUnroutable says that no queue took the message, for none is bound.
	ErrUnroutable = errors.New("no queue is bound")

	// ErrRefused says that a queue was full.
	ErrRefused = errors.New("a queue refused it")
)

// Publish puts a message into the broker, as a client would in the first virtual host. It returns [ErrUnroutable] or
// [ErrRefused] if no queue, or not every queue, has it, and what RabbitMQ says if the message is not valid.
func (b *Broker) Publish(exchange, key string, m Message) error {
	return b.publish(b.settings.VHosts[0], exchange, key, m)
}

func (b *Broker) publish(vhost, exchange, key string, m Message) error {
	properties, err := m.properties()
	if err == nil {
		b.node.Do(func() {
			err = b.publishLocked(vhost, engine.Publishing{Exchange: exchange, Key: key, Mandatory: true, Properties: properties, Body: m.Body})
		})
	}
	if err != nil {
		return fmt.Errorf("publish to exchange %q with key %q: %w", exchange, key, err)
	}
	return nil
}

func (b *Broker) publishLocked(vhost string, p engine.Publishing) error {
	conn, fault := b.node.Connect(vhost, b.settings.Users[0].Name)
	if fault != nil {
		return fault
	}
	defer conn.Close()
	answer := &answer{}
	ch := conn.Channel(1, answer)
	if fault := ch.ConfirmSelect(); fault != nil {
		return fault
	}
	if fault := ch.Publish(p); fault != nil {
		return fault
	}
	return answer.err
}

// answer is a Peer that remembers what the broker says of one message.
type answer struct {
	engine.Peer // whose other methods are not called

	err error
}

func (a *answer) Return(uint16, string, *engine.Message) { a.err = ErrUnroutable }

func (a *answer) Confirm(_ uint64, ack bool) {
	if !ack {
		a.err = ErrRefused
	}
}
