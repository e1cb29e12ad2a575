//go:build linux || darwin

package faults_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/faults"
	"github.com/warren-mq/warren/internal/rabbitmq"
)

// flooded is how many messages are there at once for the control, and for Warren beside it.
const flooded = 10_000

// What the table calls the two.
const (
	flooding   = "broker killed under a flood"
	byHandName = "control: a consumer by hand, broker killed under a flood"
)

// TestControl runs the checker on a consumer as it is commonly written by hand, which must lose messages when the
// broker is killed: or else the checker proves nothing. And on Warren with the same load, which must not.
func TestControl(t *testing.T) {
	if !*full {
		t.Skip("with -faults.full")
	}
	t.Parallel()
	node := rabbitmq.Private(t, rabbitmq.Options{Name: "control"})
	t.Run("by hand", func(t *testing.T) {
		const most = 4 // whether a kill hits the moment is luck
		for range most {
			v := byHand(t, node)
			record(t, node, byHandName, true, v)
			if len(v.Lost) > 0 {
				return
			}
		}
		t.Errorf("the control has lost nothing in %d runs", most)
	})
	t.Run("warren", func(t *testing.T) {
		cfg := usualConfig()
		cfg.Workers, cfg.Prefetch = 16, 256
		b := newBench(t, node, nil, cfg)
		b.loading, b.giveUp = func() {}, func() {}
		flood(t, node, b.ledger, b.queue, flooded)
		b.ledger.Watch(true)
		b.consume()
		b.eventually("a part is handled", time.Minute, func() bool { return b.ledger.Done() > flooded/4 })
		must(t, node.Kill())
		boot(b)
		b.ledger.Mark(time.Now())
		defer noteFailure(t, node, flooding)
		record(t, node, flooding, false, b.finish())
	})
}

// flood publishes so many messages that are to be retried, and waits for all confirms.
func flood(t *testing.T, node *rabbitmq.Node, l *faults.Ledger, queue string, n int) {
	t.Helper()
	conn, err := amqp.Dial(node.URL())
	must(t, err)
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	must(t, err)
	must(t, ch.Confirm(false))
	confirms := map[int]*amqp.DeferredConfirmation{}
	for range n {
		n := l.Publish(false)
		confirms[n], err = ch.PublishWithDeferredConfirmWithContext(t.Context(), "", queue, true, false, amqp.Publishing{
			MessageId: strconv.Itoa(n), DeliveryMode: amqp.Persistent, ContentType: "application/json", Body: body(doRetry, ""),
		})
		must(t, err)
	}
	for n, c := range confirms {
		if ok, err := c.WaitContext(t.Context()); err != nil || !ok {
			t.Fatalf("a message of the flood is not confirmed: %v, %v", ok, err)
		}
		l.Confirm(n)
	}
}

// byHand is a run of a consumer that nobody would be ashamed of: durable queues, persistent messages, manual acks, and
// a retry queue with a TTL that dead-letters back to the main queue. It publishes a retry and then acks, and does not
// wait for a confirm in between. When the broker is back it connects again.
func byHand(t *testing.T, node *rabbitmq.Node) faults.Verdict {
	t.Helper()
	l := faults.NewLedger()
	queue := rabbitmq.Name(t, "h")
	const wait = 300 // milliseconds
	conn, err := amqp.Dial(node.URL())
	must(t, err)
	ch, err := conn.Channel()
	must(t, err)
	for name, args := range map[string]amqp.Table{
		queue: nil,
		queue + ".retry": {
			"x-message-ttl": int64(wait), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue,
		},
	} {
		_, err := ch.QueueDeclare(name, true, false, false, false, args)
		must(t, err)
		rabbitmq.Delete(t, node.URL(), name)
	}
	_ = conn.Close()
	flood(t, node, l, queue, flooded)
	l.Watch(true)

	var handled atomic.Int64
	life := func(ctx context.Context) {
		conn, err := amqp.Dial(node.URL())
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		ch, err := conn.Channel()
		if err != nil {
			return
		}
		if ch.Qos(256, 0, false) != nil {
			return
		}
		deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
		if err != nil {
			return
		}
		for {
			select {
			case <-ctx.Done():
				return
			case d, ok := <-deliveries:
				if !ok {
					return
				}
				if d.Headers["x-death"] == nil {
					again := amqp.Publishing{MessageId: d.MessageId, DeliveryMode: amqp.Persistent, ContentType: d.ContentType, Body: d.Body}
					if ch.PublishWithContext(ctx, "", queue+".retry", false, false, again) != nil {
						return
					}
				} else {
					l.Handled(d.MessageId, "", time.Now())
					handled.Add(1)
				}
				if d.Ack(false) != nil {
					return
				}
			}
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			life(ctx)
			nap(ctx, 200*time.Millisecond)
		}
	}()
	defer func() {
		stop()
		<-ended
	}()
	for deadline := time.Now().Add(time.Minute); handled.Load() < flooded/4 && time.Now().Before(deadline); {
		nap(ctx, 10*time.Millisecond)
	}
	must(t, node.Kill())
	must(t, node.Restart(ctx))
	l.Mark(time.Now())
	// It is at rest when nothing was handled for so long.
	for before := int64(-1); before != handled.Load(); nap(ctx, 3*time.Second) {
		before = handled.Load()
	}
	stop()
	<-ended
	l.Watch(false)
	conn, err = amqp.Dial(node.URL())
	must(t, err)
	defer func() { _ = conn.Close() }()
	ch, err = conn.Channel()
	must(t, err)
	for _, name := range []string{queue, queue + ".retry"} {
		for {
			d, ok, err := ch.Get(name, true)
			must(t, err)
			if !ok {
				break
			}
			l.Queued(d.MessageId)
		}
	}
	return l.Verdict()
}
