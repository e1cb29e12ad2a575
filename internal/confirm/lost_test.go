package confirm_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/internal/rabbitmq"
)

func Test8000MessagesThroughConnectionDrops(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 256)
		queue := newQueue(t, b, nil)
		var all results
		var n atomic.Int64
		many(1000, func(id string) {
			if n.Add(1)%130 == 0 { // sixty times
				r.network.Cut()
			}
			all.add(id, r.Send(soon(t), message(queue, id)))
		})
		fine, unknown, other := all.count()
		t.Logf("%d connections: %d confirmed, %d unknown", r.network.Dials(), fine, unknown)
		if other > 0 || fine < 4000 {
			t.Errorf("%d confirmed, %d unknown, %d else", fine, unknown, other)
		}
		all.verify(t, ids(t, b, queue))
	})
}

// PEER-BUGS test 3: the socket dies after any byte from the broker, on a
// connection with a Sender. 1,100 bytes are more than the handshake takes.
func TestTheSocketDiesAtEveryByte(t *testing.T) {
	t.Parallel()
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 8)
		queue := newQueue(t, b, nil)
		var all results
		for at := 600; at < 1100; at += 5 {
			r.network.CutAt(netproxy.FromBroker, int64(at))
			r.network.Cut()
			for i := range 4 {
				id := fmt.Sprintf("%d-%d", at, i)
				all.add(id, r.Send(after(t, 20*time.Millisecond), message(queue, id)))
			}
		}
		r.network.CutAt(netproxy.FromBroker, 0)
		r.network.Cut()
		must(t, r.Flush(soon(t)))
		all.verify(t, ids(t, b, queue))
		fine, unknown, other := all.count()
		t.Logf("%d confirmed, %d unknown, %d not sent", fine, unknown, other)
	})
}

// PEER-BUGS test 5.
func TestAFullWindowAndALostConnection(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		const window, callers = 16, 64
		r := start(t, b, window)
		queue := newQueue(t, b, nil)
		for round := range 5 {
			must(t, r.Send(soon(t), message(queue, fmt.Sprintf("before-%d", round))))
			r.network.Hold(netproxy.FromBroker)
			var all results
			var wg sync.WaitGroup
			for i := range callers {
				wg.Go(func() {
					id := fmt.Sprintf("%d-%02d", round, i)
					all.add(id, r.Send(soon(t), message(queue, id)))
				})
			}
			until(t, "the window to be full", func() bool { return r.Free() == 0 })
			r.network.Cut()
			r.network.Release()
			within(t, 10*time.Second, "every result", wg.Wait)
			if fine, unknown, other := all.count(); fine+unknown != callers || other > 0 || unknown > window {
				t.Errorf("%d confirmed, %d unknown, %d else", fine, unknown, other)
			}
			why := r.lost()[round]
			for id, err := range all.all {
				if err != nil && !errors.Is(err, why) {
					t.Errorf("%s: %v, want because of %v", id, err, why)
				}
			}
			must(t, r.Send(soon(t), message(queue, fmt.Sprintf("after-%d", round))))
			there := ids(t, b, queue)
			for _, id := range []string{"before", "after"} {
				delete(there, fmt.Sprintf("%s-%d", id, round))
			}
			all.verify(t, there)
		}
	})
}

// Where a write fails although the connection looks alive, one message is
// unknown. Those behind it were not begun, and go out on the next connection.
func TestAFailedWriteDoesNotSpoilTheQueue(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 64)
		queue := newQueue(t, b, nil)
		must(t, r.Send(soon(t), message(queue, "first")))
		r.network.Mute(true)
		var all results
		all.add("first", nil)
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				id := fmt.Sprintf("%02d", i)
				all.add(id, r.Send(soon(t), message(queue, id)))
			})
		}
		within(t, 2*time.Second, "to give the connection up", func() { // and not only with its next heartbeat
			until(t, "the connection to be given up", func() bool { return len(r.lost()) > 0 })
		})
		r.network.Mute(false)
		wg.Wait()
		if fine, unknown, other := all.count(); unknown > 1 || other > 0 {
			t.Errorf("%d confirmed, %d unknown, %d else", fine, unknown, other)
		}
		all.verify(t, ids(t, b, queue))
	})
}

// PEER-BUGS test 6: a confirm that comes too late is for nobody, least of all
// for the next message.
func TestALateConfirmIsNotCreditedToTheNext(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 4)
		r.SetTimeout(100 * time.Millisecond)
		queue, nobody := newQueue(t, b, nil), rabbitmq.Name(t, "nobody")
		var all results
		for round := range 5 {
			good, bad := fmt.Sprintf("good-%d", round), fmt.Sprintf("bad-%d", round)
			must(t, r.Send(soon(t), message(queue, "open-"+good)))
			all.add("open-"+good, nil)
			r.network.Hold(netproxy.FromBroker)
			err := r.Send(soon(t), message(queue, good))
			if !errors.Is(err, confirm.ErrUnknown) || !strings.Contains(err.Error(), "no confirm within 100ms") {
				t.Errorf("%s: %v", good, err)
			}
			all.add(good, err)
			p, err := r.Begin(soon(t), message(nobody, bad))
			must(t, err)
			r.network.Release() // the confirm of the good one comes, while the bad one is in flight
			if err := p.Wait(soon(t)); !errors.Is(err, confirm.ErrUnroutable) {
				t.Errorf("%s: %v", bad, err)
			}
		}
		if lost := r.lost(); len(lost) > 0 {
			t.Errorf("connections were lost: %v", lost)
		}
		all.verify(t, ids(t, b, queue))
	})
}

// While one message waits in vain, others begin, and channels are closed behind
// them. Closed under a message that is being sent, it would cost the connection.
func TestOverdueMessagesDoNotDisturbOthers(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 256)
		r.SetTimeout(time.Millisecond)
		if b.Test != nil {
			r.network.Delay(netproxy.FromBroker, 0, 2*time.Millisecond) // memory has none of its own
		}
		queue := newQueue(t, b, nil)
		var all results
		many(500, func(id string) { all.add(id, r.Send(soon(t), message(queue, id))) })
		fine, unknown, other := all.count()
		t.Logf("%d confirmed, %d unknown", fine, unknown)
		if other > 0 || unknown == 0 {
			t.Errorf("%d unknown, %d else", unknown, other)
		}
		if lost := r.lost(); len(lost) > 0 {
			t.Errorf("connections were lost: %v", lost)
		}
		all.verify(t, ids(t, b, queue))
	})
}

// A queue that is full nacks. That must not make it dial again and again, nor
// disturb the others.
func TestAFullQueueRefuses(t *testing.T) {
	t.Parallel()
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 64)
		full := newQueue(t, b, amqp.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
		queue := newQueue(t, b, nil)
		must(t, r.Send(soon(t), message(full, "first")))
		var stop atomic.Bool
		var all results
		var refused atomic.Int64
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := 0; !stop.Load(); i++ {
					err := r.Send(soon(t), message(full, fmt.Sprintf("full-%d-%d", g, i)))
					if !errors.Is(err, confirm.ErrRefused) || errors.Is(err, confirm.ErrUnknown) {
						t.Errorf("the full queue: %v", err)
					}
					refused.Add(1)
					breathe()
				}
			})
		}
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				id := fmt.Sprint(i)
				err := r.Send(soon(t), message(queue, id))
				if all.add(id, err); err != nil {
					t.Errorf("its neighbour: %v", err)
				}
				breathe()
			}
		})
		time.Sleep(2500 * time.Millisecond) // the load, not a wait
		stop.Store(true)
		wg.Wait()
		if refused.Load() < 10 {
			t.Errorf("only %d were refused", refused.Load())
		}
		if n := r.network.Dials(); n != 1 {
			t.Errorf("it dialled %d times: %v", n, r.lost())
		}
		all.verify(t, ids(t, b, queue))
	})
}

// Without a single ack, the cause may be a stale channel, or a node: so it opens
// another channel after a second, and dials again after two, once.
func TestNothingButNacks(t *testing.T) {
	t.Parallel()
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 64)
		full := newQueue(t, b, amqp.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
		must(t, r.Send(soon(t), message(full, "first")))
		var all results
		all.add("first", nil)
		deadline := time.Now().Add(4 * time.Second)
		many(1000, func(id string) {
			if time.Now().Before(deadline) {
				err := r.Send(soon(t), message(full, id))
				if all.add(id, err); !errors.Is(err, confirm.ErrRefused) && !errors.Is(err, confirm.ErrUnknown) {
					t.Errorf("%v", err)
				}
				time.Sleep(5 * time.Millisecond) // it is the pace, not a wait
			}
		})
		if n := r.network.Dials(); n != 2 {
			t.Errorf("it dialled %d times: %v", n, r.lost())
		}
		for _, err := range r.lost() {
			if !strings.Contains(err.Error(), "the node refuses every message") {
				t.Errorf("lost: %v", err)
			}
		}
		all.verify(t, ids(t, b, full))
		must(t, r.Send(soon(t), message(full, "last")))
	})
}

// PEER-BUGS test 16, for channels.
func TestChannelsAreNotLeaked(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := startOn(t, b.With("channel_max=3"), 8, connection.Config{})
		r.SetTimeout(400 * time.Millisecond)
		queue := newQueue(t, b, nil)
		for i := range 20 {
			must(t, r.Send(soon(t), message(queue, "open")))
			switch i % 2 {
			case 0: // retired
				r.network.Hold(netproxy.FromBroker)
				if err := r.Send(soon(t), message(queue, "late")); !errors.Is(err, confirm.ErrUnknown) {
					t.Error(err)
				}
				r.network.Release()
			case 1: // closed by the broker
				m := message(queue, "bad")
				m.UserId = "somebody"
				if err := r.Send(soon(t), m); !errors.Is(err, confirm.ErrRefused) {
					t.Error(err)
				}
			}
		}
		if lost := r.lost(); len(lost) > 0 {
			t.Errorf("connections were lost: %v", lost)
		}
	})
}
