package connection_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/monitoring"
)

// What a broker can do to us.
func TestFaults(t *testing.T) {
	t.Parallel()
	brokers.Alone(t, nil,
		brokers.Trial{Name: "alarm", Test: testAlarm},
		brokers.Trial{Name: "frozen", Test: testFrozen},
		brokers.Trial{Name: "close while frozen", Test: testCloseWhileFrozen},
		brokers.Trial{Name: "connections closed by the operator", Test: testForced},
		brokers.Trial{Name: "killed and started again", Test: testKilled},
	)
}

// publishOne makes the broker tell about its alarm: it tells those who publish.
func publishOne(t *testing.T, s *connection.Session) {
	t.Helper()
	ch, err := s.Channel(soon(t))
	must(t, err)
	must(t, ch.Publish("", "nobody", false, false, amqp.Publishing{}))
}

// PEER-BUGS test 9.
func testAlarm(t *testing.T, n *brokers.Node) {
	diary := newDiary()
	cfg := quick()
	cfg.Monitor = diary
	c := connectOn(t, n.Broker, cfg)
	c2 := createOn(t, n.Broker, quick())
	c2.SetCallTimeout(100 * time.Millisecond)
	s, s2 := session(t, c, connection.Publish), session(t, c2, connection.Publish)
	n.Alarm()
	t.Cleanup(n.Calm)
	publishOne(t, s)
	publishOne(t, s2)
	until(t, "the alarm", func() bool { return errors.Is(c.Health(), connection.ErrBlocked) })
	until(t, "the other's alarm", func() bool { return errors.Is(c2.Health(), connection.ErrBlocked) })
	again, err := s.Blocked()
	if again == nil || !errors.Is(err, connection.ErrBlocked) || !strings.Contains(err.Error(), "memory") {
		t.Errorf("Blocked says %v", err)
	}
	must(t, s.Err())
	if all := told[monitoring.Blocked](diary); len(all) != 1 || all[0].Name != "connection-test/publish" || all[0].Reason == "" {
		t.Errorf("told %+v", all)
	}

	// Consuming goes on, and so do new connections.
	ch, err := c.Channel(soon(t), connection.Consume)
	must(t, err)
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	must(t, err)
	_, err = ch.Consume(q.Name, "", true, false, false, false, nil)
	must(t, err)
	must(t, connectOn(t, n.Broker, quick()).Health())

	// A question waits, and is no reason to hang up.
	answer := make(chan error, 1)
	go func() {
		_, err := s2.Channel(context.Background())
		answer <- err
	}()
	within(t, 5*time.Second, "a question without patience", func() {
		if _, err := s.Channel(after(t, 500*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Channel says %v", err)
		}
	})
	must(t, s2.Err()) // after five times its call timeout

	// Close does not wait for the alarm.
	c3 := connectOn(t, n.Broker, quick())
	publishOne(t, session(t, c3, connection.Publish))
	until(t, "the third's alarm", func() bool { return c3.Health() != nil })
	within(t, 3*time.Second, "Close", func() {
		if err := c3.Close(after(t, 300*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close says %v", err)
		}
	})

	n.Calm()
	select {
	case <-again:
	case <-time.After(patience):
		t.Fatal("the end of the alarm was not told")
	}
	must(t, c.Health())
	if again, err := s.Blocked(); again != nil || err != nil {
		t.Errorf("Blocked says %v", err)
	}
	must(t, <-answer)
	until(t, "the event", func() bool { return len(told[monitoring.Unblocked](diary)) == 1 })
	if e := told[monitoring.Unblocked](diary)[0]; e.After <= 0 || e.Name != "connection-test/publish" {
		t.Errorf("told %+v", e)
	}
	if n := len(told[monitoring.Disconnected](diary)); n != 0 {
		t.Errorf("%d connections were lost", n)
	}
}

// A frozen broker is noticed after one and a half heartbeats.
func testFrozen(t *testing.T, n *brokers.Node) {
	diary := newDiary()
	cfg := quick()
	cfg.Monitor = diary
	cfg.Heartbeat = 2 * time.Second
	cfg.DialTimeout = time.Second
	c := connectOn(t, n.Broker, cfg)
	s := session(t, c, connection.Publish)
	n.Freeze()
	frozen := time.Now() // or some moments later
	select {
	case <-s.Done():
	case <-time.After(patience):
		t.Error("it was not noticed")
	}
	if took := time.Since(frozen); took > 10*time.Second {
		t.Errorf("it was noticed after %v", took)
	}
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "it has sent nothing, not even heartbeats") {
		t.Errorf("the session says %v", err)
	}
	until(t, "a dial to fail", func() bool { return len(told[monitoring.DialFailed](diary)) > 0 })
	n.Thaw()
	session(t, c, connection.Publish)
	for _, e := range told[monitoring.DialFailed](diary) {
		if e.Refused {
			t.Errorf("told %+v", e)
		}
	}
}

func testCloseWhileFrozen(t *testing.T, n *brokers.Node) {
	c := connectOn(t, n.Broker, quick())
	session(t, c, connection.Consume)
	ch, err := c.Channel(soon(t), connection.Publish)
	must(t, err)
	n.Freeze()
	defer n.Thaw()
	until(t, "it to be frozen", func() bool { // which takes a moment
		_, err := c.Channel(after(t, 200*time.Millisecond), connection.Consume)
		return err != nil
	})
	written := make(chan error, 1)
	go func() { // into a socket that fills up
		written <- ch.Publish("", "nobody", false, false, amqp.Publishing{Body: make([]byte, 100<<20)})
	}()
	within(t, 3*time.Second, "Close", func() {
		if err := c.Close(after(t, 500*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close says %v", err)
		}
	})
	if err := <-written; err == nil && n.Test == nil { // memory has room
		t.Error("it was written")
	}
}

func testForced(t *testing.T, n *brokers.Node) {
	diary := newDiary()
	cfg := quick()
	cfg.Monitor = diary
	c := connectOn(t, n.Broker, cfg)
	s := session(t, c, connection.Publish)
	n.CloseConnections("for the test")
	<-s.Done()
	var reason *amqp.Error
	if err := s.Err(); !errors.As(err, &reason) || reason.Code != amqp.ConnectionForced || !strings.Contains(err.Error(), "for the test") {
		t.Errorf("the session says %v", err)
	}
	session(t, c, connection.Publish)
	if all := told[monitoring.Disconnected](diary); len(all) != 1 || !errors.As(all[0].Err, &reason) {
		t.Errorf("told %+v", all)
	}
}

// PEER-BUGS test 17 is in it.
func testKilled(t *testing.T, n *brokers.Node) {
	diary := newDiary()
	cfg := quick()
	cfg.Monitor = diary
	c := connectOn(t, n.Broker, cfg)
	dead := [2]*connection.Session{session(t, c, connection.Publish), session(t, c, connection.Consume)}
	n.Kill()
	for _, s := range dead {
		<-s.Done()
	}
	if err := c.Health(); !errors.Is(err, connection.ErrNotConnected) {
		t.Errorf("Health says %v", err)
	}
	_, err := c.Session(after(t, 200*time.Millisecond), connection.Publish)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("Session says %v", err)
	}
	late := createOn(t, n.Broker, cfg) // made while it is down
	if err := late.Connect(after(t, 100*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Connect says %v", err)
	}
	n.Boot()
	for _, c := range []*connection.Connection{c, late} {
		must(t, c.Connect(soon(t)))
		session(t, c, connection.Consume)
		must(t, c.Health())
	}
	for _, e := range told[monitoring.DialFailed](diary) {
		if e.Refused {
			t.Errorf("told %+v", e)
		}
	}
	if text := diary.text(); strings.Contains(text, "level=ERROR") {
		t.Errorf("a dead broker was taken for a refusal:\n%s", text)
	}
}
