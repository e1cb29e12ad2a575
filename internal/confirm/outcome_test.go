package confirm_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/rabbittest"
)

// The return comes before the confirm, which is an ack. A goroutine that merely
// reads the returns took a third of them for delivered.
func TestOf8000UnroutableMessagesNoneIsNil(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 256)
		queue := rabbitmq.Name(t, "nobody")
		var wrong atomic.Int64
		many(1000, func(id string) {
			m := message(queue, id)
			if strings.HasSuffix(id, "5") {
				m.Exchange = "amq.direct"
			}
			err := r.Send(soon(t), m)
			var returned *confirm.ReturnedError
			if !errors.As(err, &returned) || !errors.Is(err, confirm.ErrUnroutable) || errors.Is(err, confirm.ErrUnknown) {
				if wrong.Add(1) < 10 {
					t.Errorf("%s: %v", id, err)
				}
				return
			}
			if returned.Key != queue || returned.Exchange != m.Exchange || returned.Code != amqp.NoRoute || returned.Text != "NO_ROUTE" {
				t.Errorf("%s: %+v", id, returned)
			}
		})
		if n := wrong.Load(); n > 0 {
			t.Errorf("%d of 8,000 results are wrong", n)
		}
	})
}

// Mixed, and many in flight from one goroutine: each gets its own.
func TestUnroutableAndRoutableMessagesInTurn(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 64)
		queue := newQueue(t, b, nil)
		nobody := rabbitmq.Name(t, "nobody")
		var all results
		var wg sync.WaitGroup
		for i := range 4000 {
			id := fmt.Sprintf("%05d", i)
			to := queue
			if i%3 == 0 {
				to = nobody
			}
			p, err := r.Begin(soon(t), message(to, id))
			must(t, err)
			wg.Go(func() {
				err := p.Wait(soon(t))
				if (i%3 == 0) != errors.Is(err, confirm.ErrUnroutable) {
					t.Errorf("%s: %v", id, err)
				}
				if i%3 != 0 {
					all.add(id, err)
				}
			})
		}
		wg.Wait()
		all.verify(t, ids(t, b, queue))
	})
}

func TestAnOptionalMessageNeedsNoQueue(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 1)
		m := message(rabbitmq.Name(t, "nobody"), "1")
		m.Optional = true
		must(t, r.Send(soon(t), m))
	})
}

// Several that look alike may be in flight, and the broker names none.
func TestDuplicateIDsInFlight(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 100)
		queue := newQueue(t, b, nil)
		nobody := rabbitmq.Name(t, "nobody")
		for _, id := range []string{"same", ""} {
			many(200, func(string) {
				must(t, r.Send(soon(t), message(queue, id)))
				if err := r.Send(soon(t), message(nobody, id)); !errors.Is(err, confirm.ErrUnroutable) {
					t.Errorf("id %q: %v", id, err)
				}
			})
		}
		if got := ids(t, b, queue); got["same"] != 1600 || got[""] != 1600 {
			t.Errorf("in the queue: %v", got)
		}
	})
}

func TestMessagesOfOneCallerStayInOrder(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 16)
		queue := newQueue(t, b, nil)
		var pending []*confirm.Pending
		for i := range 2000 {
			if i%400 == 200 {
				r.network.Cut()
			}
			p, err := r.Begin(soon(t), message(queue, fmt.Sprintf("%05d", i)))
			must(t, err)
			pending = append(pending, p)
		}
		for _, p := range pending {
			if err := p.Wait(soon(t)); err != nil && !errors.Is(err, confirm.ErrUnknown) {
				t.Error(err)
			}
		}
		ch := raw(t, b)
		last := ""
		for {
			d, ok, err := ch.Get(queue, true)
			must(t, err)
			if !ok {
				break
			}
			if d.MessageId <= last {
				t.Errorf("%s came behind %s", d.MessageId, last)
			}
			last = d.MessageId
		}
	})
}

// A channel that the broker closes takes its neighbours with it. They are nil
// or unknown, and the one that was to blame is told apart.
func TestWhoIsToBlameForAClosedChannel(t *testing.T) {
	const internal = "internal"
	for name, test := range map[string]struct {
		spoil func(*confirm.Message)
		want  error
		code  int
	}{
		"no such exchange": {
			func(m *confirm.Message) { m.Exchange = "no such ' exchange" }, confirm.ErrUnroutable, amqp.NotFound,
		},
		"an internal exchange": {
			func(m *confirm.Message) { m.Exchange = internal }, confirm.ErrRefused, amqp.AccessRefused,
		},
		"another user's id": {
			func(m *confirm.Message) { m.UserId = "somebody" }, confirm.ErrRefused, amqp.PreconditionFailed,
		},
		"a reply that nobody waits for": {
			func(m *confirm.Message) { m.ReplyTo = "amq.rabbitmq.reply-to" }, confirm.ErrRefused, amqp.PreconditionFailed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			brokers.Each(t, func(t *testing.T, b brokers.Broker) {
				exchange := rabbitmq.Name(t, internal)
				ch := raw(t, b)
				must(t, ch.ExchangeDeclare(exchange, "fanout", false, true, true, false, nil))
				t.Cleanup(func() { _ = ch.ExchangeDelete(exchange, false, false) })
				r := start(t, b, 64)
				queue := newQueue(t, b, nil)
				blame := func(err error, what string) {
					t.Helper()
					var reason *amqp.Error
					if !errors.Is(err, test.want) || errors.Is(err, confirm.ErrUnknown) || !errors.As(err, &reason) || reason.Code != test.code {
						t.Errorf("%s: %v", what, err)
					}
				}
				bad := func(id string) confirm.Message {
					m := message(queue, id)
					test.spoil(&m)
					if m.Exchange == internal {
						m.Exchange = exchange
					}
					return m
				}
				for i := range 3 {
					blame(r.Send(soon(t), bad("alone")), fmt.Sprint(i))
					must(t, r.Send(soon(t), message(queue, fmt.Sprint(i))))
				}
				_, err := ch.QueuePurge(queue, false)
				must(t, err)

				// Among others: one at a time, so that it is clear who was it.
				var all results
				var turn sync.Mutex
				many(100, func(id string) {
					if strings.HasSuffix(id, "5") && turn.TryLock() {
						blame(r.Send(soon(t), bad(id)), id)
						turn.Unlock()
						all.add(id, confirm.ErrRefused)
						return
					}
					err := r.Send(soon(t), message(queue, id))
					if all.add(id, err); err != nil && !errors.Is(err, confirm.ErrUnknown) {
						t.Errorf("a neighbour: %v", err)
					}
				})
				all.verify(t, ids(t, b, queue))
				if lost := r.lost(); len(lost) > 0 {
					t.Errorf("connections were lost: %v", lost)
				}
			})
		})
	}
}

// Without permission, which is another text.
func TestAForbiddenExchange(t *testing.T) {
	t.Parallel()
	users := []rabbittest.User{
		{Name: "guest", Password: "guest"},
		{Name: "reader", Password: "reader", Write: regexp.MustCompile("^$")},
	}
	brokers.EachWith(t, rabbittest.Options{Users: users}, func(t *testing.T, b brokers.Broker) {
		if b.Test == nil {
			addReader(t)
		}
		for _, exchange := range []string{"amq.direct", ""} {
			refuses(t, b.As("reader"), exchange, "k")
		}
	})
}

// The same for a routing key: rabbittest has no such permissions.
func TestAForbiddenTopic(t *testing.T) {
	t.Parallel()
	node := rabbitmq.Shared(t)
	ctl(t, node, "add_user", "narrow", "narrow")
	t.Cleanup(func() { ctl(t, node, "delete_user", "narrow") })
	ctl(t, node, "set_permissions", "narrow", ".*", ".*", ".*")
	ctl(t, node, "set_topic_permissions", "narrow", "amq.topic", "^allowed", ".*")
	refuses(t, brokers.RabbitMQ(t).As("narrow"), "amq.topic", "forbidden.key")
}

func addReader(t *testing.T) {
	t.Helper()
	node := rabbitmq.Shared(t)
	ctl(t, node, "add_user", "reader", "reader")
	t.Cleanup(func() { ctl(t, node, "delete_user", "reader") })
	ctl(t, node, "set_permissions", "reader", ".*", "^$", ".*")
}

func ctl(t *testing.T, node *rabbitmq.Node, args ...string) {
	t.Helper()
	_, err := node.Ctl(context.Background(), args...)
	must(t, err)
}

// refuses tries to publish what the broker must not let pass.
func refuses(t *testing.T, b brokers.Broker, exchange, key string) {
	t.Helper()
	m := message(key, "1")
	m.Exchange = exchange
	err := start(t, b, 8).Send(soon(t), m)
	var reason *amqp.Error
	if !errors.Is(err, confirm.ErrRefused) || errors.Is(err, confirm.ErrUnknown) || !errors.As(err, &reason) || reason.Code != amqp.AccessRefused {
		t.Errorf("%q, %q: %v", exchange, key, err)
	}
}

// A message to an exchange that was deleted while it was in flight may have
// been taken before that.
func TestOnlyTheLastToAMissingExchangeIsToBlame(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 8)
		queue := newQueue(t, b, nil)
		exchange := rabbitmq.Name(t, "exchange")
		ch := raw(t, b)
		must(t, ch.ExchangeDeclare(exchange, "fanout", false, false, false, false, nil))
		must(t, ch.QueueBind(queue, "", exchange, false, nil))
		must(t, r.Send(soon(t), message(queue, "first"))) // opens the channel

		r.network.Hold(netproxy.FromBroker)
		taken := message("", "taken")
		taken.Exchange = exchange
		first, err := r.Begin(soon(t), taken)
		must(t, err)
		until(t, "it to be taken", func() bool {
			q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
			must(t, err)
			return q.Messages == 2
		})
		must(t, ch.ExchangeDelete(exchange, false, false))
		missed := message("", "missed")
		missed.Exchange = exchange
		second, err := r.Begin(soon(t), missed)
		must(t, err)
		// The confirm of the first must not come before the end of the channel.
		r.network.Release()
		errA, errB := first.Wait(soon(t)), second.Wait(soon(t))
		if errA != nil && !errors.Is(errA, confirm.ErrUnknown) {
			t.Errorf("it is in the queue, and its result is %v", errA)
		}
		if !errors.Is(errB, confirm.ErrUnroutable) || errors.Is(errB, confirm.ErrUnknown) {
			t.Errorf("the second: %v", errB)
		}
	})
}

func TestFaults(t *testing.T) {
	to := func(exchange, key string) confirm.Message { return confirm.Message{Exchange: exchange, Key: key} }
	sized := func(n int) confirm.Message {
		return confirm.Message{Publishing: amqp.Publishing{Body: make([]byte, n)}}
	}
	for _, test := range []struct {
		code  int
		text  string
		m     confirm.Message
		want  error
		every bool
	}{
		{404, "NOT_FOUND - no exchange 'x' in vhost '/'", to("x", ""), confirm.ErrUnroutable, false},
		{404, "NOT_FOUND - no exchange 'x' in vhost '/'", to("", "x"), nil, false},
		{404, "NOT_FOUND - no exchange 'x' in vhost 'y'", to("y", ""), nil, false}, // named like the vhost
		{404, "NOT_FOUND - no exchange 'x y' in vhost '/'", to("x", ""), nil, false},
		{404, "NOT_FOUND - no queue 'x' in vhost '/'", to("x", "x"), nil, false},
		{403, "ACCESS_REFUSED - access to exchange 'x' in vhost '/' refused for user 'u'", to("x", ""), confirm.ErrRefused, false},
		{403, "ACCESS_REFUSED - access to exchange 'amq.default' in vhost '/' refused for user 'u'", to("", "k"), confirm.ErrRefused, false},
		{403, "ACCESS_REFUSED - write access to exchange 'x' in vhost '/' refused for user 'u'", to("x", ""), confirm.ErrRefused, false},
		{403, "ACCESS_REFUSED - access to topic 'k' in exchange 'x' in vhost '/' refused for user 'u'", to("x", "k"), confirm.ErrRefused, false},
		{403, "ACCESS_REFUSED - access to topic 'k' in exchange 'x' in vhost '/' refused for user 'u'", to("x", "j"), nil, false},
		{403, "ACCESS_REFUSED - access to exchange 'x' in vhost '/' refused for user 'u'", to("/", ""), nil, false},
		{406, "PRECONDITION_FAILED - message size 11 is larger than configured max size 10", sized(11), confirm.ErrTooLarge, true},
		{406, "PRECONDITION_FAILED - message size 11 is larger than configured max size 10", sized(12), confirm.ErrTooLarge, true},
		{406, "PRECONDITION_FAILED - message size 11 is larger than configured max size 10", sized(10), nil, false},
		{406, "PRECONDITION_FAILED - something else", sized(99), nil, false},
		{501, "message size 11 is larger than configured max size 10", sized(11), nil, false},
	} {
		every, got := confirm.FaultOf(&amqp.Error{Code: test.code, Reason: test.text, Server: true}, &test.m)
		if !errors.Is(got, test.want) || every != test.every {
			t.Errorf("%s: %v, %v", test.text, got, every)
		}
	}
}
