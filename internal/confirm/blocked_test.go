package confirm_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/rabbittest"
)

// What a broker can do to a publisher.
func TestFaultsOfTheBroker(t *testing.T) {
	t.Parallel()
	brokers.Alone(t, declareOld,
		brokers.Trial{Name: "alarm", Test: testAlarm},
		brokers.Trial{Name: "large message under an alarm", Test: testLargeUnderAnAlarm},
		brokers.Trial{Name: "close under an alarm", Test: testCloseUnderAnAlarm},
		brokers.Trial{Name: "a smaller limit than ours", Test: testOversize, Options: rabbittest.Options{MaxMessageSize: smallLimit}},
		brokers.Trial{Name: "frozen", Test: testFrozen},
		brokers.Trial{Name: "killed", Test: testKilled},
	)
}

// oldQueue is declared long before the kill: RabbitMQ 3.10 was seen to forget a
// durable queue that was declared a second before, and all that was confirmed in
// it.
const oldQueue = "old"

func declareOld(tb testing.TB, n *brokers.Node) {
	_, err := raw(tb, n.Broker).QueueDeclare(oldQueue, true, false, false, false, nil)
	must(tb, err)
}

// A publish that has not begun waits until its context ends, and is then
// certainly not sent. One that has begun is unknown.
func testAlarm(t *testing.T, n *brokers.Node) {
	r := start(t, n.Broker, 16)
	r.SetTimeout(300 * time.Millisecond)
	queue := newQueue(t, n.Broker, nil)
	must(t, r.Send(soon(t), message(queue, "first")))
	n.Alarm()
	t.Cleanup(n.Calm)

	var all results
	all.add("first", nil)
	err := r.Send(after(t, 100*time.Millisecond), message(queue, "begun")) // which makes the broker tell
	if all.add("begun", err); !errors.Is(err, confirm.ErrUnknown) || errors.Is(err, connection.ErrBlocked) {
		t.Errorf("begun: %v", err)
	}
	until(t, "the alarm", func() bool { return errors.Is(r.conn.Health(), connection.ErrBlocked) })
	var wg sync.WaitGroup
	for i := range 40 { // more than the window holds
		wg.Go(func() {
			id := fmt.Sprint(i)
			err := r.Send(after(t, time.Duration(100+10*i)*time.Millisecond), message(queue, id))
			all.add(id, err)
			if !errors.Is(err, connection.ErrBlocked) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, confirm.ErrUnknown) {
				t.Errorf("%s: %v", id, err)
			}
		})
	}
	within(t, 5*time.Second, "every result", wg.Wait)
	// By now the one that has begun is overdue, and its channel is out of use.
	// That is no reason to hang up, or to open another on the blocked connection.
	patient := make(chan error, 1)
	must(t, r.Flush(soon(t)))
	go func() { patient <- r.Send(soon(t), message(queue, "patient")) }()
	n.Calm()
	err = <-patient
	all.add("patient", err)
	must(t, err)
	must(t, r.Flush(soon(t)))
	if lost := r.lost(); len(lost) > 0 || r.network.Dials() != 1 {
		t.Errorf("connections were lost: %v", lost)
	}
	all.verify(t, ids(t, n.Broker, queue))
}

// A broker that blocks the connection in the middle of a message reads the rest
// later. That is no reason to hang up, and to be unknown again and again.
func testLargeUnderAnAlarm(t *testing.T, n *brokers.Node) {
	r := startOn(t, n.Broker, 4, connection.Config{WriteTimeout: 500 * time.Millisecond, Heartbeat: time.Second})
	queue := newQueue(t, n.Broker, nil)
	must(t, r.Send(soon(t), message(queue, "first")))
	n.Alarm()
	t.Cleanup(n.Calm)
	other := start(t, n.Broker, 4)
	_ = other.Send(after(t, 100*time.Millisecond), message(queue, "first"))
	until(t, "the alarm", func() bool { return errors.Is(other.conn.Health(), connection.ErrBlocked) })
	m := message(queue, "large")
	m.Body = make([]byte, 60<<20) // more than the buffers of the network hold
	if n.Test != nil {            // memory holds everything
		m.Body = m.Body[:1<<20]
	}
	if err := r.Send(after(t, 4*time.Second), m); !errors.Is(err, confirm.ErrUnknown) {
		t.Errorf("the large one: %v", err)
	}
	if err := r.Send(after(t, 100*time.Millisecond), message(queue, "never")); !errors.Is(err, connection.ErrBlocked) {
		t.Errorf("the next one: %v", err)
	}
	n.Calm()
	must(t, r.Send(soon(t), message(queue, "last")))
	if lost := r.lost(); len(lost) > 0 {
		t.Errorf("connections were lost: %v", lost)
	}
	if there := ids(t, n.Broker, queue); len(there) != 3 || there["large"] != 1 {
		t.Errorf("in the queue: %v", there)
	}
}

// PEER-BUGS test 9: with a message that has begun, and others that have not.
func testCloseUnderAnAlarm(t *testing.T, n *brokers.Node) {
	r := start(t, n.Broker, 8)
	queue := newQueue(t, n.Broker, nil)
	s := confirm.New(r.conn, 4)
	must(t, s.Send(soon(t), message(queue, "first")))
	n.Alarm()
	t.Cleanup(n.Calm)
	var all results
	all.add("first", nil)
	all.add("begun", s.Send(after(t, 100*time.Millisecond), message(queue, "begun")))
	until(t, "the alarm", func() bool { return errors.Is(r.conn.Health(), connection.ErrBlocked) })
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			id := fmt.Sprint(i)
			err := s.Send(soon(t), message(queue, id))
			if all.add(id, err); !errors.Is(err, confirm.ErrClosed) || errors.Is(err, confirm.ErrUnknown) {
				t.Errorf("%s: %v", id, err)
			}
		})
	}
	until(t, "the window to be full", func() bool { return s.Free() == 0 })
	within(t, 3*time.Second, "Close", func() {
		if err := s.Close(after(t, 100*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close says %v", err)
		}
	})
	within(t, 3*time.Second, "every result", wg.Wait)
	n.Calm()
	must(t, r.Send(soon(t), message(queue, "after")))
	all.add("after", nil)
	all.verify(t, ids(t, n.Broker, queue))
}

const smallLimit = 1000

// The broker closes the channel on a body that is larger than it takes. The
// others are not to blame.
func testOversize(t *testing.T, n *brokers.Node) {
	if n.RabbitMQ != nil {
		n.Ctl("eval", fmt.Sprintf("application:set_env(rabbit, max_message_size, %d).", smallLimit))
		defer n.Ctl("eval", "application:unset_env(rabbit, max_message_size).")
	}
	r := start(t, n.Broker, 64)
	queue := newQueue(t, n.Broker, nil)
	var all results
	many(40, func(id string) {
		m := message(queue, id)
		tooLarge := id[len(id)-1] == '5'
		if tooLarge {
			m.Body = make([]byte, smallLimit+1)
		}
		err := r.Send(soon(t), m)
		all.add(id, err)
		switch {
		case errors.Is(err, confirm.ErrUnknown) && !tooLarge, err == nil && !tooLarge:
		case errors.Is(err, confirm.ErrTooLarge) && tooLarge:
		default:
			t.Errorf("%s: %v", id, err)
		}
	})
	all.verify(t, ids(t, n.Broker, queue))
}

func testFrozen(t *testing.T, n *brokers.Node) {
	r := startOn(t, n.Broker, 8, connection.Config{Heartbeat: 2 * time.Second, DialTimeout: time.Second})
	queue := newQueue(t, n.Broker, nil)
	must(t, r.Send(soon(t), message(queue, "first")))
	n.Freeze()
	var all results
	all.add("first", nil)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			id := fmt.Sprint(i)
			all.add(id, r.Send(after(t, 500*time.Millisecond), message(queue, id)))
		})
	}
	within(t, 5*time.Second, "every result", wg.Wait)
	for i := range 4 { // until the connection is given up
		wg.Go(func() {
			id := fmt.Sprintf("patient-%d", i)
			all.add(id, r.Send(soon(t), message(queue, id)))
		})
	}
	s := confirm.New(r.conn, 1) // which needs a channel
	within(t, 3*time.Second, "Close", func() {
		if err := s.Send(after(t, 100*time.Millisecond), message(queue, "never")); err == nil {
			t.Error("sent")
		}
		must(t, s.Close(after(t, 100*time.Millisecond)))
	})
	until(t, "the connection to be given up", func() bool { return len(r.lost()) > 0 })
	n.Thaw()
	wg.Wait()
	must(t, r.Flush(soon(t)))
	all.verify(t, ids(t, n.Broker, queue))
}

// Nothing that was confirmed may be lost with the broker.
func testKilled(t *testing.T, n *brokers.Node) {
	r := start(t, n.Broker, 64)
	var all results
	var killer sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var sent atomic.Int64
	many(1000, func(id string) {
		if sent.Add(1) == 1000 {
			killer.Go(func() {
				if n.Test != nil { // in memory nothing is ever under way, unless it is held
					n.Test.HoldConfirms()
					defer n.Test.ReleaseConfirms()
					time.Sleep(time.Millisecond)
				}
				n.Kill()
				n.Boot()
			})
		}
		all.add(id, r.Send(ctx, message(oldQueue, id)))
	})
	killer.Wait()
	fine, unknown, other := all.count()
	t.Logf("%d confirmed, %d unknown, %d else", fine, unknown, other)
	if unknown == 0 || unknown > 500 {
		t.Errorf("%d unknown", unknown)
	}
	for id, err := range all.all {
		// Right after a start the queue may not be up yet, and refuse.
		if err != nil && !errors.Is(err, confirm.ErrUnknown) && !errors.Is(err, confirm.ErrRefused) {
			t.Errorf("%s: %v", id, err)
		}
	}
	all.verify(t, ids(t, n.Broker, oldQueue))
}
