//go:build linux || darwin

package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/publisher"
)

// messageFaults are messages that nobody should send, among the others.
var messageFaults = []fault{
	{
		name: "bodies of garbage", n: 2,
		inject: func(b *bench) {
			var list []amqp.Publishing
			for range 50 {
				body := make([]byte, rand.IntN(300))
				for i := range body {
					body[i] = byte(rand.Uint32())
				}
				list = append(list, amqp.Publishing{ContentType: "application/json", Body: body})
			}
			b.foreign(true, list...)
		},
	},
	{
		name: "corrupt headers", n: 2,
		inject: func(b *bench) {
			for _, headers := range corrupt(b.queue) {
				b.foreign(false, amqp.Publishing{Headers: headers, Body: body(doAck, "")}, amqp.Publishing{Headers: headers, Body: body(doRetry, "")})
			}
		},
	},
	{
		name: "headers as large as a frame", alone: true, hold: time.Second,
		inject: func(b *bench) {
			b.foreign(false, amqp.Publishing{Headers: large(100_000), Body: body(doRetry, "")})
			b.foreign(false, amqp.Publishing{Headers: large(131_020), Body: body(doAck, "")})
		},
	},
	{
		name: "messages whose handler always panics", n: 2,
		inject: func(b *bench) {
			for range 25 {
				b.foreign(true, amqp.Publishing{Body: body(doAlways, "")})
			}
		},
	},
	{
		name: "bodies that are too large", n: 2, alone: true,
		inject: func(b *bench) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			m := publisher.Message{Key: b.queue, ID: "too large", Body: order{Do: doAck, Pad: strings.Repeat("x", 17<<20)}}
			if err := b.publisher.Send(ctx, m); !errors.Is(err, publisher.ErrTooLarge) {
				b.t.Errorf("a body of 17 MiB: %v", err)
			}
			// One who believes that the broker takes it. The old ones do.
			p, err := publisher.New(b.conn, publisher.Config{MaxBody: 64 << 20})
			must(b.t, err)
			defer func() { must(b.t, p.Close(ctx)) }()
			n := b.ledger.Publish(false)
			m.ID = strconv.Itoa(n)
			if err := p.Send(ctx, m); err == nil {
				b.ledger.Confirm(n)
			} else if !errors.Is(err, publisher.ErrTooLarge) {
				b.t.Errorf("a body of 17 MiB that the broker does not take: %v", err)
			}
		},
	},
	{
		name: "bodies of a mebibyte", n: 2,
		inject: func(b *bench) {
			for range 8 {
				b.foreign(false, amqp.Publishing{Body: body(doRetry, strings.Repeat("x", 1<<20))})
			}
		},
	},
}

func body(do, pad string) []byte {
	text, err := json.Marshal(order{Do: do, Pad: pad})
	if err != nil {
		panic(err)
	}
	return text
}

// large is a table of headers that makes a header frame of about so many bytes.
func large(frame int) amqp.Table {
	const besides = 120 // of the frame: class, flags, the other properties, the header's own name
	return amqp.Table{"large": strings.Repeat("x", frame-besides)}
}

// corrupt are headers that claim to be Warren's or the broker's, and are not.
func corrupt(queue string) (list []amqp.Table) {
	values := []any{
		int64(-1), int64(math.MaxInt64), int64(math.MinInt64), "3", "", 1.5, nil, true,
		[]any{},
		[]any{"a", int64(4)},
		amqp.Table{},
		amqp.Table{"count": "NaN"},
		[]byte{0xff, 0},
		time.Unix(0, 0),
	}
	for _, name := range []string{"warren-attempt", "warren-failures", "warren-deferred-since", "x-delivery-count", "x-acquired-count"} {
		for _, v := range values {
			if name == "warren-deferred-since" && v == nil {
				continue
			}
			list = append(list, amqp.Table{"warren-queue": queue, name: v})
		}
	}
	for _, deaths := range []any{
		"x",
		[]any{"a", int64(4)},
		[]any{amqp.Table{}},
		amqp.Table{},
		[]any{amqp.Table{"queue": queue, "reason": "expired", "count": "NaN"}},
		[]any{amqp.Table{"queue": queue, "reason": "expired", "count": int64(3), "exchange": "", "routing-keys": []any{queue}}},
	} {
		list = append(list, amqp.Table{"x-death": deaths})
	}
	for i := range list {
		list[i]["case"] = fmt.Sprint(i)
	}
	return list
}

// foreign publishes messages as a client of another make does, and waits for the confirms.
func (b *bench) foreign(doomed bool, list ...amqp.Publishing) {
	b.t.Helper()
	conn, err := amqp.Dial(b.node.URL())
	must(b.t, err)
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	must(b.t, err)
	must(b.t, ch.Confirm(false))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, m := range list {
		n := b.ledger.Publish(doomed)
		m.MessageId, m.DeliveryMode = strconv.Itoa(n), amqp.Persistent
		c, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", b.queue, true, false, m)
		must(b.t, err)
		if ok, err := c.WaitContext(ctx); err != nil || !ok {
			b.t.Errorf("a foreign message with headers %.200v: %v, %v", m.Headers, ok, err)
			return
		}
		b.ledger.Confirm(n)
	}
}
