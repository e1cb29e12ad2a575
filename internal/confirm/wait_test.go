package confirm_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/internal/rabbitmq"
)

var errEnough = errors.New("enough")

// PEER-BUGS test 18: if the context ends, a message was either not sent, and is
// then not in the queue, or its outcome is unknown, or known.
func TestAContextThatEndsAtAnyMoment(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 32)
		queue := newQueue(t, b, nil)
		var all results
		if b.Test != nil {
			r.network.Delay(netproxy.FromBroker, 0, 2*time.Millisecond) // memory has none of its own
		}
		var n atomic.Int64
		many(500, func(id string) {
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Duration(n.Add(1)%200)*20*time.Microsecond, errEnough)
			defer cancel()
			err := r.Send(ctx, message(queue, id))
			if all.add(id, err); err != nil && !errors.Is(err, errEnough) {
				t.Errorf("%s: %v", id, err)
			}
			if err != nil && !errors.Is(err, confirm.ErrUnknown) && (!strings.Contains(err.Error(), "not sent") || strings.Contains(err.Error(), "%!")) {
				t.Errorf("%s: %v", id, err)
			}
		})
		must(t, r.Flush(soon(t)))
		fine, unknown, other := all.count()
		t.Logf("%d confirmed, %d unknown, %d not sent", fine, unknown, other)
		if fine == 0 || unknown == 0 || other == 0 {
			t.Error("not every case was met")
		}
		all.verify(t, ids(t, b, queue))
		if free := r.Free(); free != 32 {
			t.Errorf("%d slots are free", free)
		}
	})
}

func TestAContextThatHasEnded(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 8)
		queue := newQueue(t, b, nil)
		for range 100 {
			if _, err := r.Begin(after(t, -1), message(queue, "never")); err == nil || errors.Is(err, confirm.ErrUnknown) {
				t.Errorf("got %v", err)
			}
		}
		if there := ids(t, b, queue); len(there) != 0 {
			t.Errorf("in the queue: %v", there)
		}
	})
}

// The outcome of what is known is told, whatever the context says.
func TestAnOutcomeThatIsThereWins(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 8)
		queue := newQueue(t, b, nil)
		p, err := r.Begin(soon(t), message(queue, "1"))
		must(t, err)
		must(t, r.Flush(soon(t)))
		must(t, p.Wait(after(t, time.Minute)))
		for range 50 {
			p, err = r.Begin(soon(t), message(rabbitmq.Name(t, "nobody"), "2"))
			must(t, err)
			must(t, r.Flush(soon(t)))
			if err := p.Wait(after(t, -1)); !errors.Is(err, confirm.ErrUnroutable) {
				t.Fatalf("got %v", err)
			}
		}
	})
}

// A message whose caller has left stays in flight, and the slot is free when the
// broker has answered.
func TestACallerThatHasLeft(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 4)
		queue := newQueue(t, b, nil)
		must(t, r.Send(soon(t), message(queue, "first")))
		r.network.Hold(netproxy.FromBroker)
		var all results
		all.add("first", nil)
		for i := range 4 {
			id := fmt.Sprint(i)
			err := r.Send(after(t, 20*time.Millisecond), message(queue, id))
			if all.add(id, err); !errors.Is(err, confirm.ErrUnknown) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", id, err)
			}
		}
		if err := r.Send(after(t, 20*time.Millisecond), message(queue, "full")); errors.Is(err, confirm.ErrUnknown) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a full window: %v", err)
		}
		r.network.Release()
		must(t, r.Flush(soon(t)))
		if free := r.Free(); free != 4 {
			t.Errorf("%d slots are free", free)
		}
		all.verify(t, ids(t, b, queue))
	})
}

// A message that nobody waits for is sent all the same, also on the connection
// after the one that was there when it began.
func TestNobodyHasToWait(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 64)
		queue := newQueue(t, b, nil)
		var all results
		var pending []*confirm.Pending
		for i := range 1000 {
			if i%200 == 0 {
				r.network.Cut()
			}
			p, err := r.Begin(soon(t), message(queue, fmt.Sprint(i)))
			must(t, err)
			pending = append(pending, p)
		}
		must(t, r.Flush(soon(t)))
		for i, p := range pending {
			all.add(fmt.Sprint(i), p.Wait(after(t, -1))) // without waiting
		}
		if _, _, other := all.count(); other > 0 {
			t.Errorf("%d were not sent", other)
		}
		all.verify(t, ids(t, b, queue))
	})
}

func TestSendingWithoutAConnection(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 2)
		queue := newQueue(t, b, nil)
		r.network.CutAt(netproxy.FromBroker, 1)
		r.network.Cut()
		until(t, "the connection to be lost", func() bool { return r.conn.Health() != nil })
		for range 5 {
			err := r.Send(after(t, 20*time.Millisecond), message(queue, "never"))
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, confirm.ErrUnknown) || !strings.Contains(err.Error(), "last error") {
				t.Errorf("got %v", err)
			}
		}
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() { must(t, r.Send(soon(t), message(queue, fmt.Sprint(i)))) })
		}
		r.network.CutAt(netproxy.FromBroker, 0)
		wg.Wait()
		if there := ids(t, b, queue); len(there) != 10 || there["never"] > 0 {
			t.Errorf("in the queue: %v", there)
		}
	})
}

// Callers with little time must not keep one another from opening the channel.
func TestShortContextsOnASlowNetwork(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 8)
		queue := newQueue(t, b, nil)
		r.network.Delay(netproxy.FromBroker, 60*time.Millisecond, 0)
		// Opening takes two answers.
		until(t, "a message to go through in 100 ms", func() bool {
			return r.Send(after(t, 100*time.Millisecond), message(queue, "1")) == nil
		})
	})
}

// Who asks is back in time, also while the broker does not answer at all.
func TestAContextEndsWhileAChannelIsOpened(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 8)
		queue := newQueue(t, b, nil)
		for what, method := range map[string][]byte{
			"channel.open": {0, 20, 0, 10}, "confirm.select": {0, 85, 0, 10},
		} {
			r.network.Cut() // also what is opened already
			r.network.HoldOn(netproxy.ToBroker, method)
			within(t, 3*time.Second, "Send", func() {
				err := r.Send(after(t, 100*time.Millisecond), message(queue, "never"))
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, confirm.ErrUnknown) {
					t.Errorf("%s: %v", what, err)
				}
			})
			r.network.Release()
		}
		must(t, r.Send(soon(t), message(queue, "1")))
		if there := ids(t, b, queue); len(there) != 1 || there["1"] != 1 {
			t.Errorf("in the queue: %v", there)
		}
	})
}

// A broker that opens no channel is not asked in a loop, and it is said why.
func TestNoChannelCanBeOpened(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := startOn(t, b.With("channel_max=1"), 8, connection.Config{})
		queue := newQueue(t, b, nil)
		ch, err := r.conn.Channel(soon(t), connection.Publish) // the only one
		must(t, err)
		before := brokers.Goroutines()
		err = r.Send(after(t, 200*time.Millisecond), message(queue, "never"))
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, confirm.ErrUnknown) || !strings.Contains(err.Error(), "channel id space exhausted") {
			t.Errorf("got %v", err)
		}
		until(t, "nobody to ask for a channel that nobody needs", func() bool { return brokers.Goroutines() <= before })
		must(t, ch.Close())
		must(t, r.Send(soon(t), message(queue, "1")))
	})
}

func TestManyPublishers(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 64)
		queue := newQueue(t, b, nil)
		var all results
		senders := []*confirm.Sender{r.Sender}
		for range 3 {
			s := confirm.New(r.conn, 16)
			t.Cleanup(func() { must(t, s.Close(context.Background())) })
			senders = append(senders, s)
		}
		var n atomic.Int64
		many(400, func(id string) {
			i := n.Add(1)
			all.add(id, senders[i%4].Send(soon(t), message(queue, id)))
			if i%500 == 0 {
				r.network.Cut()
			}
			if i%100 == 0 {
				must(t, senders[i%4].Flush(soon(t)))
			}
		})
		if _, _, other := all.count(); other > 0 {
			t.Errorf("%d else", other)
		}
		all.verify(t, ids(t, b, queue))
	})
}
