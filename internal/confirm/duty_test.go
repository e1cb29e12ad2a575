package confirm

import (
	"context"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
)

func dutyMessage() Message {
	return Message{Key: "orders.retry.1m0s", Publishing: amqp.Publishing{
		MessageId: "0190b2c4-7e1a-7cde-8f00-1234567890ab", ContentType: "application/json", DeliveryMode: amqp.Persistent, Timestamp: time.Now(),
		Headers: amqp.Table{"warren-queue": "orders", "warren-attempt": int64(2), "warren-failures": []any{"the bank is down"}},
		Body:    make([]byte, 256),
	}}
}

// Once for each message: will the client, and the broker, take it?
func BenchmarkDutyCheck(b *testing.B) {
	m := dutyMessage()
	b.ReportAllocs()
	for b.Loop() {
		if err := m.check(128 << 10); err != nil {
			b.Fatal(err)
		}
	}
}

// Everything about one message but the client: it is queued, in flight behind
// others, and decided.
func BenchmarkDutyConfirm(b *testing.B) {
	const window = 256
	s, c := newDutySender(b, window)
	m := dutyMessage()
	for range window - 1 {
		dutyBegin(b, s, c, m)
	}
	b.ReportAllocs()
	for b.Loop() {
		p := dutyBegin(b, s, c, m)
		dutyDecide(b, c, p)
	}
}

func newDutySender(tb testing.TB, window int) (*Sender, *channel) {
	tb.Helper()
	broker := rabbittest.New(tb)
	conn, err := connection.Open(tb.Context(), broker.URL(), connection.Config{Dial: broker.Dial, Monitor: monitoring.Discard{}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.Background()) })
	s := New(conn, window)
	s.writing = true // that is us
	return s, &channel{sender: s, dead: make(chan struct{})}
}

func dutyBegin(tb testing.TB, s *Sender, c *channel, m Message) *Pending {
	p, err := s.Begin(tb.Context(), m)
	if err != nil {
		tb.Fatal(err)
	}
	if <-s.queue != p || !p.state.CompareAndSwap(queued, begun) {
		tb.Fatal("it is not the next")
	}
	c.mu.Lock()
	p.channel, p.sent = c, time.Now()
	c.flight.add(p)
	p.told <- struct{}{}
	c.mu.Unlock()
	return p
}

func dutyDecide(tb testing.TB, c *channel, p *Pending) {
	c.mu.Lock()
	c.settle(p, nil)
	c.mu.Unlock()
	if err := p.Wait(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}
