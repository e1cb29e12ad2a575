package main

import (
	"context"
	"sync"

	"github.com/warren-mq/warren/consumer"
)

// Mailer sends receipts to customers; here, it remembers that it has.
type Mailer struct {
	mu   sync.Mutex
	sent map[string]Receipt // by the message's id
}

func newMailer() *Mailer { return &Mailer{sent: map[string]Receipt{}} }

// Send is the handler. A receipt that comes twice has the same id, and is sent once.
func (m *Mailer) Send(_ context.Context, message consumer.Message[Receipt]) consumer.Outcome {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent[message.ID] = message.Body
	return consumer.Ack()
}

// Sent returns how many receipts were sent, and their sum.
func (m *Mailer) Sent() (n int, cents int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.sent {
		cents += r.Cents
	}
	return len(m.sent), cents
}
