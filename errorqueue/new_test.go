package errorqueue_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/rabbittest"
)

func TestNewRefusesNonsense(t *testing.T) {
	t.Parallel()
	conn, err := connection.New("amqp://nowhere", connection.Config{})
	must(t, err)
	for name, test := range map[string]struct {
		conn  *connection.Connection
		queue string
		cfg   errorqueue.Config
		want  string
	}{
		"no connection":     {nil, "orders", errorqueue.Config{}, "connection is nil"},
		"no queue":          {conn, "", errorqueue.Config{}, "no name"},
		"not text":          {conn, "\xff", errorqueue.Config{}, "not text"},
		"too long":          {conn, strings.Repeat("x", 250), errorqueue.Config{}, "Config.ErrorQueue: its name has 256 bytes"},
		"error queue":       {conn, "orders", errorqueue.Config{ErrorQueue: "a\x00b"}, "Config.ErrorQueue"},
		"the main queue":    {conn, "orders", errorqueue.Config{ErrorQueue: "orders"}, "Config.ErrorQueue is the main queue"},
		"negative chunk":    {conn, "orders", errorqueue.Config{Chunk: -1}, "Config.Chunk is -1"},
		"chunk over 16 bit": {conn, "orders", errorqueue.Config{Chunk: 1 << 16}, "Config.Chunk is 65536"},
	} {
		if q, err := errorqueue.New(test.conn, test.queue, test.cfg); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, %v", name, q, err)
		}
	}
	q, err := errorqueue.New(conn, strings.Repeat("x", 250), errorqueue.Config{ErrorQueue: "parked"})
	must(t, err)
	if q.Name() != "parked" || len(q.Main()) != 250 {
		t.Error(q.Name(), q.Main())
	}
}

func TestThereIsNoErrorQueue(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		q := k.queue(errorqueue.Config{})
		_, errLen := q.Len(t.Context())
		_, errGet := q.Get(t.Context(), "1")
		_, errGroups := q.Groups(t.Context(), errorqueue.Filter{})
		var errAll error
		for e, err := range q.All(t.Context(), errorqueue.Filter{}) {
			errAll = err
			if e.ID != "" {
				t.Error(e)
			}
		}
		for call, err := range map[string]error{"Len": errLen, "Get": errGet, "Groups": errGroups, "All": errAll} {
			if !errors.Is(err, errorqueue.ErrNoQueue) || !strings.Contains(err.Error(), k.name) {
				t.Errorf("%s: %v", call, err)
			}
		}
		k.declare(nil)
		if n, err := q.Len(t.Context()); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if ids := k.list(q, errorqueue.Filter{}); len(ids) > 0 {
			t.Error(ids)
		}
		if _, err := q.Get(t.Context(), "1"); !errors.Is(err, errorqueue.ErrNotFound) {
			t.Error(err)
		}
	})
}

// The queue goes away in the middle.
func TestTheQueueIsDeletedInTheMiddle(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, k *kit) {
		k.declare(nil)
		k.publish(numbered(100)...)
		last := error(nil)
		for e, err := range k.queue(errorqueue.Config{}).All(t.Context(), errorqueue.Filter{}) {
			last = err
			if e.Position == 10 {
				_, err := k.channel().QueueDelete(k.name, false, false, false)
				must(t, err)
			}
		}
		if !errors.Is(last, errorqueue.ErrLost) {
			t.Error(last)
		}
	})
}

// Where another consumer is the only one that the broker serves, the call says so, and does not wait for ever.
func TestAnotherConsumerIsTheOnlyOneServed(t *testing.T) {
	t.Parallel()
	brokers.InBubble(t, rabbittest.Options{}, func(t *testing.T, b brokers.Broker) {
		k := newKit(t, b)
		k.declare(amqp.Table{"x-queue-type": "quorum", "x-single-active-consumer": true})
		ch := k.channel()
		must(t, ch.Qos(1, 0, false))
		_, err := ch.Consume(k.name, "", false, false, false, false, nil)
		must(t, err)
		k.publish(numbered(3)...)
		_, err = k.queue(errorqueue.Config{}).Get(t.Context(), "2")
		if !errors.Is(err, errorqueue.ErrLost) || !strings.Contains(err.Error(), "another consumer") {
			t.Error(err)
		}
	})
}

// A person who thinks for half an hour in the middle of a loop is told before the broker takes everything back.
func TestAPersonWhoThinksForTooLong(t *testing.T) {
	t.Parallel()
	brokers.InBubble(t, rabbittest.Options{ConsumerTimeout: 30 * time.Minute}, func(t *testing.T, b brokers.Broker) {
		k := newKit(t, b)
		k.declare(nil)
		k.publish(numbered(100)...)
		last := error(nil)
		for e, err := range k.queue(errorqueue.Config{}).All(t.Context(), errorqueue.Filter{}) {
			last = err
			if e.Position == 10 {
				time.Sleep(26 * time.Minute)
			}
		}
		if !errors.Is(last, errorqueue.ErrLost) {
			t.Error(last)
		}
		k.unharmed(100)
	})
}

// A call without a connection ends with its context.
func TestThereIsNoBroker(t *testing.T) {
	t.Parallel()
	brokers.InBubble(t, rabbittest.Options{}, func(t *testing.T, b brokers.Broker) {
		k := newKit(t, b)
		b.Test.Stop()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := k.queue(errorqueue.Config{}).Len(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		b.Test.Boot()
	})
}
