package consumer

import (
	"errors"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// However fast deliveries come and go, the dispatcher sees what else happens.
func TestAFlowOfDeliveriesHidesNothing(t *testing.T) {
	const many = 10_000
	cfg := often
	cfg.Workers = 1
	d := newDesk(t, says[[]byte](Ack()), cfg)
	deliveries, cancels := make(chan amqp.Delivery, many), make(chan string, 1)
	in := newOrder(t)
	for range many {
		in.DeliveryTag++
		deliveries <- in
	}
	d.subs = []*subscription{{tag: "ours", deliveries: deliveries}}
	d.cancels = cancels
	d.pool.jobs = make(chan *delivery, many) // workers who are always free
	cancels <- "ours"
	if err := d.dispatch(); !errors.Is(err, ErrCancelled) {
		t.Errorf("it ends with %v", err)
	}
	if n := len(d.pool.jobs); n > many/10 {
		t.Errorf("it ends after %d deliveries", n)
	}
}
