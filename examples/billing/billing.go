package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/getsentry/sentry-go"

	"github.com/warren-mq/warren/codec/avrocodec"
	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/retry"
)

// The queues.
const (
	orders   = "billing.orders"
	receipts = "billing.receipts"
)

// Order is what the shop publishes, in Avro.
type Order struct {
	ID       string  `avro:"id"`
	Customer string  `avro:"customer"`
	Cents    int64   `avro:"cents"`
	Voucher  *string `avro:"voucher"`
}

// Validate is found by the consumer: an order that fails goes to the error queue, and Charge does not see it.
func (o Order) Validate() error {
	if o.ID == "" || o.Cents <= 0 {
		return fmt.Errorf("order %q of %d cents makes no sense", o.ID, o.Cents)
	}
	return nil
}

//go:embed order.avsc
var orderSchema string

// newOrderCodec reads and writes orders in Avro's single-object encoding, which names the schema in each body. When
// the schema changes, the old one goes into Config.Writers, and both kinds of orders can be read.
func newOrderCodec() (*avrocodec.Codec, error) {
	return avrocodec.NewSingleObject(orderSchema, avrocodec.Config{})
}

// Receipt is what billing publishes for each order that was charged, in JSON.
type Receipt struct {
	Order, Customer string
	Cents           int64
}

// Bank moves the money. A charge with a key that it has seen is the same charge, and done only once.
type Bank interface {
	Charge(ctx context.Context, key, customer string, cents int64) error
}

// ErrDeclined is what the bank says of customers who cannot pay. Asking again does not help.
var ErrDeclined = errors.New("the bank has declined")

// Billing charges orders.
type Billing struct {
	bank      Bank
	publisher *publisher.Publisher
}

func newBilling(bank Bank, p *publisher.Publisher) *Billing {
	return &Billing{bank: bank, publisher: p}
}

// Charge is the handler. It may run twice for one order, if something dies in between. The bank knows the key, and the
// mailer the receipt's id, so that does no harm.
func (b *Billing) Charge(ctx context.Context, m consumer.Message[Order]) consumer.Outcome {
	order := m.Body
	if hub := sentry.GetHubFromContext(ctx); hub != nil { // there is none without Sentry
		hub.Scope().SetUser(sentry.User{Username: order.Customer})
	}
	switch err := b.bank.Charge(ctx, order.ID, order.Customer, order.Cents); {
	case errors.Is(err, ErrDeclined):
		return consumer.Error(err) // a person must look at it
	case err != nil:
		return consumer.Retry(err) // the bank is down; try again later
	}
	err := b.publisher.Publish(ctx, receipts, publisher.Message{
		ID:   "receipt-" + order.ID,
		Body: Receipt{Order: order.ID, Customer: order.Customer, Cents: order.Cents},
	})
	if err != nil {
		return consumer.Retry(err)
	}
	return consumer.Ack()
}

// newOrderConsumer is a constructor because the codec and the number of workers come from the container.
func newOrderConsumer(conn *connection.Connection, b *Billing, c *avrocodec.Codec, s Settings) (*consumer.Consumer, error) {
	return consumer.New(conn, orders, b.Charge, consumer.Config{
		Codec:   c,
		Workers: s.Workers,
		Retry:   retry.Fixed(3, s.Wait),
	})
}
