package errorqueue_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/rabbittest"
)

// Whoever leaves in the middle leaves everything as it was.
func TestLeavingEarly(t *testing.T) {
	t.Parallel()
	errEnough := errors.New("enough")
	for name, leave := range map[string]func(k *kit, q *errorqueue.Queue, after int){
		"break": func(k *kit, q *errorqueue.Queue, after int) {
			for e, err := range q.All(k.Context(), errorqueue.Filter{}) {
				must(k, err)
				if e.Position == after {
					break
				}
			}
		},
		"panic": func(k *kit, q *errorqueue.Queue, after int) {
			defer func() { _ = recover() }()
			for e, err := range q.All(k.Context(), errorqueue.Filter{}) {
				must(k, err)
				if e.Position == after {
					panic("no more")
				}
			}
		},
		"cancel": func(k *kit, q *errorqueue.Queue, after int) {
			ctx, cancel := context.WithCancelCause(k.Context())
			defer cancel(nil)
			var last error
			for e, err := range q.All(ctx, errorqueue.Filter{}) {
				if e.Position == after {
					cancel(errEnough)
				}
				last = err
			}
			if after < 120 && !errors.Is(last, errEnough) {
				k.Errorf("after the cancel: %v", last)
			}
		},
		"get": func(k *kit, q *errorqueue.Queue, after int) {
			e, err := q.Get(k.Context(), strconv.Itoa(after))
			must(k, err)
			if e.Position != after || string(e.Message.Body) != fmt.Sprintf("body %d", after) {
				k.Errorf("%+v", e)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, func(t *testing.T, k *kit) {
				const n = 120
				k.declare(nil)
				k.publish(numbered(n)...)
				leave(k, k.queue(errorqueue.Config{}), n)
				began := brokers.Goroutines()
				for _, chunk := range []int{1, 40, 500} {
					for _, after := range []int{1, 33, 100, n} {
						leave(k, k.queue(errorqueue.Config{Chunk: chunk}), after)
					}
				}
				k.unharmed(n)
				if k.broker.Test != nil { // tests on a real broker run at the same time
					eventually(k, "its goroutines to end", func() bool { return brokers.Goroutines() <= began })
				}
				if k.broker.Test != nil {
					for _, c := range k.broker.Test.Connections() {
						if c.ClientName != "" && len(c.Channels) > 0 {
							t.Errorf("%s has channels left: %v", c.ClientName, c.Channels)
						}
					}
				}
			})
		})
	}
}

// unharmed fails the test unless the queue has entries 1 to n, in order.
func (k *kit) unharmed(n int) {
	k.Helper()
	if ids := k.ids(); !slices.Equal(ids, numbers(1, n)) {
		k.Errorf("%d are left, in this order: %v", len(ids), ids)
	}
}

// What is not held is for others, and what is held is not.
func TestOthersGetWhatIsNotHeld(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, k *kit) {
		k.declare(nil)
		k.publish(numbered(50)...)
		ch := k.channel()
		var theirs []string
		mine := k.list(k.queue(errorqueue.Config{}), errorqueue.Filter{Match: func(e errorqueue.Entry) (bool, error) {
			if e.Position == 32 { // the first chunk
				for range 10 {
					d, ok, err := ch.Get(k.name, true)
					if err != nil || !ok {
						return false, fmt.Errorf("nothing for others: %w", err)
					}
					theirs = append(theirs, d.MessageId)
				}
			}
			return true, nil
		}})
		if want := numbers(33, 42); !slices.Equal(theirs, want) {
			t.Errorf("others had %v", theirs)
		}
		if want := append(numbers(1, 32), numbers(43, 50)...); !slices.Equal(mine, want) {
			t.Errorf("listed %v", mine)
		}
		if ids := k.ids(); !slices.Equal(ids, append(numbers(1, 32), numbers(43, 50)...)) {
			t.Errorf("left %v", ids)
		}
	})
}

// A consumer that takes everything does not keep a call from ending, nor the other way round.
func TestAConsumerOfTheErrorQueue(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, k *kit) {
		const n = 200
		k.declare(nil)
		k.publish(numbered(n)...)
		got := map[string]bool{}
		var consuming sync.WaitGroup
		defer consuming.Wait()
		ch := k.channel()
		for e, err := range k.queue(errorqueue.Config{}).All(t.Context(), errorqueue.Filter{}) {
			must(t, err)
			if e.Position != 10 {
				continue
			}
			must(t, ch.Qos(20, 0, false))
			deliveries, err := ch.Consume(k.name, "other", false, false, false, false, nil)
			must(t, err)
			consuming.Go(func() {
				for d := range deliveries {
					got[d.MessageId] = true
					_ = d.Ack(false)
				}
			})
		}
		eventually(t, "the consumer to have everything", func() bool { return k.ready(k.name) == 0 })
		must(t, ch.Cancel("other", false))
		consuming.Wait()
		if len(got) != n {
			t.Errorf("the consumer got %d of %d", len(got), n)
		}
	})
}

// What arrives meanwhile is for the next call, or a busy queue would be without an end.
func TestArrivalsDoNotProlongIt(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, k *kit) {
		k.declare(nil)
		k.publish(numbered(40)...)
		arrivals := 0
		ids := k.list(k.queue(errorqueue.Config{Chunk: 10}), errorqueue.Filter{Match: func(errorqueue.Entry) (bool, error) {
			arrivals++
			k.publish(amqp.Publishing{MessageId: strconv.Itoa(40 + arrivals)})
			return true, nil
		}})
		if !slices.Equal(ids, numbers(1, 40)) {
			t.Errorf("listed %v", ids)
		}
		k.unharmed(40 + arrivals)
	})
}

// No entry is shown to two people at once.
func TestTwoPeopleAtOnce(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, k *kit) {
		k.declare(nil)
		k.publish(numbered(100)...)
		q := k.queue(errorqueue.Config{})
		held := map[string]bool{}
		for e, err := range q.All(t.Context(), errorqueue.Filter{}) {
			must(t, err)
			held[e.ID] = true
			if e.Position != 40 {
				continue
			}
			for e, err := range q.All(t.Context(), errorqueue.Filter{}) {
				must(t, err)
				if held[e.ID] {
					t.Errorf("entry %s was shown twice", e.ID)
				}
			}
			if _, err := q.Get(t.Context(), "40"); !errors.Is(err, errorqueue.ErrNotFound) {
				t.Errorf("what is held was got: %v", err)
			}
		}
		if len(held) != 100 {
			t.Errorf("the first saw %d", len(held))
		}
		k.unharmed(100)
	})
}

// A lost connection ends the call, says so, and loses nothing.
func TestTheConnectionIsCutInTheMiddle(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, k *kit) {
		const n = 100
		k.declare(nil)
		k.publish(numbered(n)...)
		var mu sync.Mutex
		var sockets []net.Conn
		conn, err := connection.Open(t.Context(), k.broker.URL, connection.Config{
			Name: "cut", Monitor: silence, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := k.broker.Dial(ctx, network, address)
				mu.Lock()
				defer mu.Unlock()
				sockets = append(sockets, c)
				return c, err
			},
		})
		must(t, err)
		defer func() { _ = conn.Close(context.Background()) }()
		q, err := errorqueue.New(conn, k.main, errorqueue.Config{})
		must(t, err)
		seen, last := 0, error(nil)
		for e, err := range q.All(t.Context(), errorqueue.Filter{}) {
			last = err
			if seen++; e.Position == 50 {
				mu.Lock()
				for _, c := range sockets {
					_ = c.Close()
				}
				mu.Unlock()
			}
		}
		if !errors.Is(last, errorqueue.ErrLost) || seen <= 50 {
			t.Errorf("after %d: %v", seen, last)
		}
		eventually(t, "the broker to take them back", func() bool { return k.ready(k.name) == n })
		if ids := k.list(q, errorqueue.Filter{}); len(ids) != n {
			t.Errorf("the next call shows %d", len(ids))
		}
		ids := k.ids()
		inOrder := slices.Equal(ids, numbers(1, n))
		slices.SortFunc(ids, func(a, b string) int { x, _ := strconv.Atoi(a); y, _ := strconv.Atoi(b); return x - y })
		if !slices.Equal(ids, numbers(1, n)) {
			t.Errorf("left %v", ids)
		}
		t.Logf("RabbitMQ %s, in order: %v", k.version(), inOrder)
	})
}

// Wherever a connection ends, nothing is lost, and the next call works.
func TestNothingIsLostAtAnyStep(t *testing.T) {
	t.Parallel()
	for _, version := range []string{rabbittest.V3_10, rabbittest.V4_3} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			rabbittest.CrashPointsWith(t, rabbittest.CrashOptions{Broker: rabbittest.Options{Version: version}}, func(t *testing.T, b *rabbittest.Broker) {
				const n = 6
				for { // this may be what is cut
					if err := declareIn(b, "orders.error"); err == nil {
						break
					}
				}
				for _, m := range numbered(n) {
					must(t, b.Publish("", "orders.error", rabbittest.Message{MessageID: m.MessageId, Body: m.Body, DeliveryMode: 2}))
				}
				conn, err := connection.New(b.URL(), connection.Config{Dial: b.Dial, Monitor: silence})
				must(t, err)
				defer func() { _ = conn.Close(context.Background()) }()
				q, err := errorqueue.New(conn, "orders", errorqueue.Config{Chunk: 4})
				must(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				for ids := []string(nil); len(ids) < n; { // the first time, if not the second, it is cut
					ids = nil
					for e, err := range q.All(ctx, errorqueue.Filter{}) {
						if err != nil {
							break
						}
						ids = append(ids, e.ID)
					}
					must(t, ctx.Err())
				}
				must(t, b.Queue("orders.error").WaitLen(ctx, n))
			})
		})
	}
}

// declareIn declares a quorum queue.
func declareIn(b *rabbittest.Broker, queue string) error {
	conn, err := amqp.DialConfig(b.URL(), amqp.Config{Dial: b.Connect})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	_, err = ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
	return err
}
