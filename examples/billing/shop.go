package main

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"time"

	"go.uber.org/fx"

	"github.com/warren-mq/warren/codec/avrocodec"
	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/publisher"
)

// openShop publishes orders when the consumers are subscribed. In life the shop is another service; here, it makes
// something happen.
func openShop(lc fx.Lifecycle, conn *connection.Connection, c *avrocodec.Codec, s Settings, l *ledger) error {
	// A publisher has one codec. That of the module is for receipts.
	p, err := publisher.New(conn, publisher.Config{AppID: "shop", Codec: c})
	if err != nil {
		return err
	}
	// Its start comes after that of the consumers, which is what it needs: then there is a queue.
	lc.Append(fx.StartStopHook(
		func(ctx context.Context) error {
			list := sample(s.Orders)
			l.expect(list)
			for m, err := range publisher.All(ctx, p, orders, messages(list)) {
				if err != nil {
					return fmt.Errorf("order %s: %w", m.ID, err)
				}
			}
			return nil
		},
		p.Close,
	))
	return nil
}

// messages gives each order's id to its message, so that an order that is published again is known to be the same.
func messages(list []Order) iter.Seq[publisher.Message] {
	return func(yield func(publisher.Message) bool) {
		for _, o := range list {
			if !yield(publisher.Message{ID: o.ID, Body: o}) {
				return
			}
		}
	}
}

var customers = []string{"Copperfield", "Micawber", "Pip", "Dorrit", "Nickleby", "Twist"}

// sample makes n orders of this run.
func sample(n int) []Order {
	run := strconv.FormatInt(time.Now().Unix(), 36)
	list := make([]Order, n)
	for i := range list {
		list[i] = Order{ID: fmt.Sprintf("%s-%d", run, i+1), Customer: customers[i%len(customers)], Cents: int64(100 + 75*i)}
	}
	return list
}
