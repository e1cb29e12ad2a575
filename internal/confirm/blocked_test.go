package confirm_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/internal/rabbitmq"
)

// What a broker can do to a publisher, on one node that only this test uses.
func TestFaultsOfTheBroker(t *testing.T) {
	t.Parallel()
	node := rabbitmq.Private(t, rabbitmq.Options{})
	// Long before the kill: RabbitMQ 3.10 was seen to forget a durable queue that
	// was declared a second before, and all that was confirmed in it.
	old := newQueue(t, node.URL(), nil)
	t.Run("alarm", func(t *testing.T) { testAlarm(t, node) })
	t.Run("large message under an alarm", func(t *testing.T) { testLargeUnderAnAlarm(t, node) })
	t.Run("close under an alarm", func(t *testing.T) { testCloseUnderAnAlarm(t, node) })
	t.Run("a smaller limit than ours", func(t *testing.T) { testOversize(t, node) })
	t.Run("frozen", func(t *testing.T) { testFrozen(t, node) })
	t.Run("killed", func(t *testing.T) { testKilled(t, node, old) })
}

func alarm(t *testing.T, node *rabbitmq.Node, limit ...string) {
	t.Helper()
	_, err := node.Ctl(context.Background(), append([]string{"set_vm_memory_high_watermark"}, limit...)...)
	must(t, err)
}

// A publish that has not begun waits until its context ends, and is then
// certainly not sent. One that has begun is unknown.
func testAlarm(t *testing.T, node *rabbitmq.Node) {
	r := startOn(t, node.URL(), 16, connection.Config{})
	r.SetTimeout(300 * time.Millisecond)
	queue := newQueue(t, r.url, nil)
	must(t, r.Send(soon(t), message(queue, "first")))
	alarm(t, node, "absolute", "1MB")
	t.Cleanup(func() { alarm(t, node, "0.4") })

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
	alarm(t, node, "0.4")
	err = <-patient
	all.add("patient", err)
	must(t, err)
	must(t, r.Flush(soon(t)))
	if lost := r.lost(); len(lost) > 0 || r.network.count() != 1 {
		t.Errorf("connections were lost: %v", lost)
	}
	all.verify(t, ids(t, r.url, queue))
}

// A broker that blocks the connection in the middle of a message reads the rest
// later. That is no reason to hang up, and to be unknown again and again.
func testLargeUnderAnAlarm(t *testing.T, node *rabbitmq.Node) {
	r := startOn(t, node.URL(), 4, connection.Config{WriteTimeout: 500 * time.Millisecond, Heartbeat: time.Second})
	queue := newQueue(t, r.url, nil)
	must(t, r.Send(soon(t), message(queue, "first")))
	alarm(t, node, "absolute", "1MB")
	t.Cleanup(func() { alarm(t, node, "0.4") })
	other := startOn(t, node.URL(), 4, connection.Config{})
	_ = other.Send(after(t, 100*time.Millisecond), message(queue, "first"))
	until(t, "the alarm", func() bool { return errors.Is(other.conn.Health(), connection.ErrBlocked) })
	m := message(queue, "large")
	m.Body = make([]byte, 60<<20) // more than the buffers of the network hold
	if err := r.Send(after(t, 4*time.Second), m); !errors.Is(err, confirm.ErrUnknown) {
		t.Errorf("the large one: %v", err)
	}
	if err := r.Send(after(t, 100*time.Millisecond), message(queue, "never")); !errors.Is(err, connection.ErrBlocked) {
		t.Errorf("the next one: %v", err)
	}
	alarm(t, node, "0.4")
	must(t, r.Send(soon(t), message(queue, "last")))
	if lost := r.lost(); len(lost) > 0 {
		t.Errorf("connections were lost: %v", lost)
	}
	if there := ids(t, r.url, queue); len(there) != 3 || there["large"] != 1 {
		t.Errorf("in the queue: %v", there)
	}
}

// PEER-BUGS test 9: with a message that has begun, and others that have not.
func testCloseUnderAnAlarm(t *testing.T, node *rabbitmq.Node) {
	r := startOn(t, node.URL(), 8, connection.Config{})
	queue := newQueue(t, r.url, nil)
	s := confirm.New(r.conn, 4)
	must(t, s.Send(soon(t), message(queue, "first")))
	alarm(t, node, "absolute", "1MB")
	t.Cleanup(func() { alarm(t, node, "0.4") })
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
	alarm(t, node, "0.4")
	must(t, r.Send(soon(t), message(queue, "after")))
	all.add("after", nil)
	all.verify(t, ids(t, r.url, queue))
}

// The broker closes the channel on a body that is larger than it takes. The
// others are not to blame.
func testOversize(t *testing.T, node *rabbitmq.Node) {
	_, err := node.Ctl(t.Context(), "eval", "application:set_env(rabbit, max_message_size, 1000).")
	must(t, err)
	r := startOn(t, node.URL(), 64, connection.Config{})
	queue := newQueue(t, r.url, nil)
	var all results
	many(40, func(id string) {
		m := message(queue, id)
		tooLarge := id[len(id)-1] == '5'
		if tooLarge {
			m.Body = make([]byte, 1001)
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
	all.verify(t, ids(t, r.url, queue))
	_, err = node.Ctl(t.Context(), "eval", "application:unset_env(rabbit, max_message_size).")
	must(t, err)
}

func testFrozen(t *testing.T, node *rabbitmq.Node) {
	r := startOn(t, node.URL(), 8, connection.Config{Heartbeat: 2 * time.Second, DialTimeout: time.Second})
	queue := newQueue(t, r.url, nil)
	must(t, r.Send(soon(t), message(queue, "first")))
	must(t, node.Freeze())
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
	must(t, node.Thaw())
	wg.Wait()
	must(t, r.Flush(soon(t)))
	all.verify(t, ids(t, r.url, queue))
}

// Nothing that was confirmed may be lost with the broker.
func testKilled(t *testing.T, node *rabbitmq.Node, queue string) {
	r := startOn(t, node.URL(), 64, connection.Config{})
	var all results
	restarted := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	go func() {
		until(t, "some to be confirmed", func() bool { n, _, _ := all.count(); return n > 1000 })
		must(t, node.Kill())
		restarted <- node.Restart(ctx)
	}()
	many(1000, func(id string) { all.add(id, r.Send(ctx, message(queue, id))) })
	must(t, <-restarted)
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
	all.verify(t, ids(t, r.url, queue))
}
