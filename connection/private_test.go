package connection_test

import (
	"errors"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/monitoring"
)

// Two users of one Connection. One has an AMQP connection of its own, and its loss is nothing to the other.
func TestAPrivateConnectionIsLostAlone(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		before := brokers.Goroutines()
		diary := newDiary()
		cfg := quickOn(b)
		cfg.Name, cfg.Monitor = "billing", diary
		c, err := connection.Open(soon(t), b.URL, cfg)
		must(t, err)
		shared := session(t, c, connection.Consume)
		p := c.Private("orders")
		s, err := p.Session(soon(t))
		must(t, err)
		must(t, c.Health())

		boom := errors.New("boom")
		s.Fail(boom)
		<-s.Done()
		again, err := p.Session(soon(t))
		must(t, err)
		if again == s || !errors.Is(s.Err(), boom) || shared.Err() != nil {
			t.Errorf("the private one ended with %v, the shared one with %v", s.Err(), shared.Err())
		}
		named := 0
		for _, e := range told[monitoring.Connected](diary) {
			if strings.HasSuffix(e.Name, "billing/consume/orders") {
				named++
			}
		}
		if named != 2 {
			t.Errorf("it was told %d times that billing/consume/orders is connected", named)
		}

		must(t, p.Close(t.Context()))
		must(t, p.Close(t.Context()))
		must(t, c.Health())
		if _, err := p.Session(soon(t)); !errors.Is(err, connection.ErrClosed) {
			t.Errorf("after Close, Session says %v", err)
		}
		if shared.Err() != nil {
			t.Errorf("the shared one ended with %v", shared.Err())
		}
		must(t, c.Close(t.Context()))
		until(t, "the goroutines to end", func() bool { return brokers.Goroutines() <= before })
	})
}

func TestCloseClosesPrivateConnections(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		before := brokers.Goroutines()
		c, err := connection.Open(soon(t), b.URL, quickOn(b))
		must(t, err)
		p, unused := c.Private("orders"), c.Private("refunds")
		s, err := p.Session(soon(t))
		must(t, err)
		ch, err := s.Channel(soon(t))
		must(t, err)
		closed := ch.NotifyClose(make(chan *amqp.Error, 1))
		must(t, c.Close(t.Context()))
		if e, ok := <-closed; ok {
			t.Errorf("the channel ended with %v", e)
		}
		for _, p := range []*connection.Private{p, unused, c.Private("late")} {
			if _, err := p.Session(soon(t)); !errors.Is(err, connection.ErrClosed) {
				t.Errorf("Session says %v", err)
			}
			must(t, p.Close(t.Context()))
		}
		until(t, "the goroutines to end", func() bool { return brokers.Goroutines() <= before })
	})
}
