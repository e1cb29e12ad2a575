package connection

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/monitoring"
)

// PEER-BUGS G2: where the connection dies before anyone listens for that, the
// client only closes the channel of who comes late. That must not look like a
// Close of the application, or nobody would dial again.
func TestASessionThatDiedBeforeAnyoneListened(t *testing.T) {
	a, b := net.Pipe()
	_ = a.Close()
	_ = b.Close()
	conn, err := amqp.Open(b, amqp.Config{})
	if err == nil {
		t.Fatal("it opened")
	}
	for !conn.IsClosed() {
		time.Sleep(time.Millisecond)
	}
	settings, err := newSettings("amqp://", Config{Monitor: monitoring.Discard{}})
	if err != nil {
		t.Fatal(err)
	}
	sock := &socket{Conn: b}
	s := newSession(newLink(settings, Publish, "test"), conn, newGatherer(sock), sock, "")
	s.watch()
	if err := s.Err(); err == nil || errors.Is(err, ErrClosed) {
		t.Errorf("the session says %v", err)
	}
}

func TestUnreadableFrames(t *testing.T) {
	for _, test := range []struct {
		err  *amqp.Error
		want bool
	}{
		{nil, false},
		{&amqp.Error{Code: amqp.FrameError, Reason: amqp.ErrFrameTooLarge.Error()}, true},
		{&amqp.Error{Code: amqp.FrameError, Reason: amqp.ErrSyntax.Error()}, true},
		{&amqp.Error{Code: amqp.FrameError, Reason: amqp.ErrFrame.Error()}, true},
		{&amqp.Error{Code: amqp.FrameError, Reason: amqp.ErrFrame.Error(), Server: true}, false},
		{&amqp.Error{Code: amqp.FrameError, Reason: "EOF"}, false},
		{&amqp.Error{Code: amqp.ConnectionForced, Reason: amqp.ErrSyntax.Error()}, false},
	} {
		if got := unreadable(test.err); got != test.want {
			t.Errorf("%v: %v", test.err, got)
		}
	}
}

func TestWithDefaultTimeout(t *testing.T) {
	ctx, cancel := withDefaultTimeout(t.Context(), time.Hour)
	defer cancel()
	if d, ok := ctx.Deadline(); !ok || time.Until(d) < 59*time.Minute {
		t.Errorf("the deadline is %v, %v", d, ok)
	}
	given, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ctx, cancel = withDefaultTimeout(given, time.Hour)
	defer cancel()
	if d, _ := ctx.Deadline(); time.Until(d) > time.Minute {
		t.Errorf("the deadline is %v", d)
	}
}
