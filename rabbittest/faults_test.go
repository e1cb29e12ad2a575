package rabbittest_test

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/rabbittest"
)

// closed returns what a connection ends with when something is done to it.
func closed(c *amqp.Connection, by func()) *amqp.Error {
	told := c.NotifyClose(make(chan *amqp.Error, 1))
	by()
	return <-told
}

func TestRefusedDialsAndLogins(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		b.RefuseDials(2)
		for range 2 {
			var op *net.OpError
			if _, err := b.Dial(t.Context(), "tcp", "x"); !errors.As(err, &op) || op.Op != "dial" {
				t.Errorf("dial: %v", err)
			}
		}
		b.RefuseLogins(1)
		_, err := amqp.DialConfig(b.URL(), amqp.Config{Dial: b.Connect})
		if !errors.Is(err, amqp.ErrCredentials) {
			t.Errorf("log in: %v", err)
		}
		b.RefuseDials(rabbittest.Always)
		if _, err := b.Connect("", ""); err == nil {
			t.Error("a dial passed")
		}
		b.RefuseDials(0)
		dial(t, b)
	})
}

func TestPublishesAreNackedReturnedAndHeld(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		ch := channel(t, b)
		declare(t, ch, "q", nil)
		must(t, ch.Confirm(false))
		returns := ch.NotifyReturn(make(chan amqp.Return, 1))
		publish := func() *amqp.DeferredConfirmation {
			d, err := ch.PublishWithDeferredConfirm("", "q", true, false, amqp.Publishing{})
			must(t, err)
			return d
		}
		b.NackPublishes(1)
		if publish().Wait() {
			t.Error("it was not nacked")
		}
		b.ReturnPublishes(1)
		if d := publish(); !d.Wait() || (<-returns).ReplyCode != amqp.NoRoute {
			t.Error("it was not returned and acked")
		}
		if n := b.Queue("q").Len(); n != 0 {
			t.Errorf("%d messages came through", n)
		}
		b.HoldConfirms()
		first, second := publish(), publish()
		time.Sleep(time.Hour)
		if n := b.Queue("q").Len(); n != 2 {
			t.Errorf("the queue has %d messages", n)
		}
		select {
		case <-first.Done():
			t.Error("the confirm was not held")
		default:
		}
		b.ReleaseConfirms()
		if !first.Wait() || !second.Wait() || !publish().Wait() {
			t.Error("it was not acked")
		}
	})
}

func TestAPausedBrokerKeepsClientsWaiting(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		ch := channel(t, b)
		b.Pause()
		began := time.Now()
		time.AfterFunc(time.Hour, b.Resume)
		declare(t, ch, "q", nil)
		if took := time.Since(began); took != time.Hour {
			t.Errorf("it answered after %v", took)
		}
		for range 1000 { // more than net.Pipe would take
			must(t, ch.Publish("", "q", false, false, amqp.Publishing{Body: make([]byte, 4096)}))
		}
		must(t, b.WaitIdle(t.Context()))
		if n := b.Queue("q").Ready(); n != 1000 {
			t.Errorf("%d messages came", n)
		}
	})
}

func TestPausedConnections(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		slow, other := channel(t, b), channel(t, b)
		b.Connections()[0].Pause()
		declare(t, other, "q", nil) // is not paused
		done := make(chan struct{})
		go func() {
			defer close(done)
			declare(t, slow, "q", nil)
		}()
		synctest.Wait()
		select {
		case <-done:
			t.Error("a paused connection was answered")
		default:
		}
		b.Connections()[0].Resume()
		<-done
	})
}

func TestAnAlarmBlocksThosePublishing(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		conn := dial(t, b)
		blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 2))
		ch, err := conn.Channel()
		must(t, err)
		declare(t, ch, "q", nil)
		b.Block("low on memory")
		synctest.Wait()
		if len(blocked) != 0 {
			t.Error("one who never published was told")
		}
		must(t, ch.Publish("", "q", false, false, amqp.Publishing{}))
		if got := <-blocked; !got.Active || got.Reason != "low on memory" {
			t.Errorf("told %+v", got)
		}
		must(t, ch.Publish("", "q", false, false, amqp.Publishing{}))
		time.Sleep(time.Minute)
		if n := b.Queue("q").Len(); n > 1 {
			t.Errorf("%d messages came through", n)
		}
		b.Unblock()
		if got := <-blocked; got.Active {
			t.Errorf("told %+v", got)
		}
		must(t, b.Queue("q").WaitLen(t.Context(), 2))
	})
}

func TestConnectionsEndAsTheTestWants(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		dropped := dial(t, b)
		if err := closed(dropped, b.DropConnections); err.Code != amqp.FrameError || err.Reason != "EOF" {
			t.Errorf("dropped: %v", err)
		}
		forced := dial(t, b)
		maintain := func() { b.CloseConnections(320, "CONNECTION_FORCED - maintenance") }
		if err := closed(forced, maintain); err.Code != amqp.ConnectionForced || err.Reason != "CONNECTION_FORCED - maintenance" {
			t.Errorf("closed: %v", err)
		}
		conn := dial(t, b)
		ch, err := conn.Channel()
		must(t, err)
		ended := ch.NotifyClose(make(chan *amqp.Error, 1))
		b.CloseChannels(406, "PRECONDITION_FAILED - no")
		if err := <-ended; err.Code != amqp.PreconditionFailed {
			t.Errorf("channel: %v", err)
		}
		ch, err = conn.Channel() // the connection is fine
		must(t, err)
		declare(t, ch, "q", nil)
		must(t, b.WaitIdle(t.Context()))
		if n := len(b.Connections()); n != 1 {
			t.Errorf("%d connections are left", n)
		}
	})
}

func TestAPulledCableIsNoticedByHeartbeats(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		url := strings.Replace(b.URL(), "heartbeat=0", "heartbeat=10", 1)
		conn, err := amqp.DialConfig(url, amqp.Config{Dial: b.Connect})
		must(t, err)
		defer conn.Close() //nolint:errcheck // it is gone
		_, err = conn.Channel()
		must(t, err)
		time.Sleep(time.Hour) // heartbeats keep it
		if conn.IsClosed() {
			t.Fatal("the connection did not last an hour")
		}
		began := time.Now()
		_ = closed(conn, b.HalfOpenConnections)
		if took := time.Since(began); took < 10*time.Second || took > 20*time.Second {
			t.Errorf("it was noticed after %v", took)
		}
	})
}

func TestABrokerNoticesASilentClient(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		url := strings.Replace(b.URL(), "heartbeat=0", "heartbeat=10", 1)
		var raw net.Conn
		_, err := amqp.DialConfig(url, amqp.Config{Dial: func(network, address string) (net.Conn, error) {
			var err error
			raw, err = b.Connect(network, address)
			return raw, err
		}})
		must(t, err)
		defer raw.Close()                  //nolint:errcheck // nobody else will
		raw.(interface{ Sever() }).Sever() // beneath the client: the broker hears nothing more
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(b.Connections()); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

func TestConsumersAreCancelled(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		ch := channel(t, b)
		cancels := ch.NotifyCancel(make(chan string, 2))
		declare(t, ch, "q", nil)
		declare(t, ch, "r", nil)
		consume(t, ch, "q")
		consume(t, ch, "r")
		b.Queue("q").CancelConsumers()
		b.Queue("r").Delete()
		got := []string{<-cancels, <-cancels}
		if slices.Sort(got); !slices.Equal(got, []string{"q", "r"}) {
			t.Errorf("cancelled: %v", got)
		}
		if !b.Queue("q").Exists() || b.Queue("r").Exists() {
			t.Error("q must be there, and r must not")
		}
	})
}

func TestABrokerThatIsStoppedKeepsWhatIsDurable(t *testing.T) {
	for name, end := range map[string]func(*rabbittest.Broker){
		"Stop": (*rabbittest.Broker).Stop, "Kill": (*rabbittest.Broker).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, b *rabbittest.Broker) {
				conn := dial(t, b)
				ch, err := conn.Channel()
				must(t, err)
				declare(t, ch, "durable", nil)
				declare(t, ch, "quorum", amqp.Table{"x-queue-type": "quorum"})
				_, err = ch.QueueDeclare("transient", false, false, false, false, nil)
				must(t, err)
				must(t, ch.ExchangeDeclare("x", "direct", true, false, false, false, nil))
				must(t, ch.ExchangeDeclare("y", "direct", false, false, false, false, nil))
				for _, q := range []string{"durable", "transient"} {
					must(t, ch.QueueBind(q, q, "x", false, nil))
				}
				consume(t, ch, "durable")
				for _, m := range []struct {
					queue string
					mode  uint8
				}{{"durable", amqp.Persistent}, {"durable", amqp.Transient}, {"quorum", amqp.Transient}, {"transient", amqp.Persistent}} {
					must(t, ch.Publish("", m.queue, false, false, amqp.Publishing{DeliveryMode: m.mode}))
				}
				must(t, b.Queue("transient").WaitLen(t.Context(), 1))
				ended := conn.NotifyClose(make(chan *amqp.Error, 1))
				end(b)
				if err := <-ended; name == "Stop" && err.Code != amqp.ConnectionForced {
					t.Errorf("the connection ended with %v", err)
				}
				if _, err := b.Connect("", ""); err == nil {
					t.Error("one could connect while it was down")
				}
				b.Boot()
				if got, want := b.Topology(), `exchange "x" direct durable
  "durable" -> queue "durable"
queue "durable" classic durable
queue "quorum" quorum durable
`; got != want {
					t.Errorf("it kept\n%s", got)
				}
				m := b.Queue("durable").Messages()
				if len(m) != 1 || !m[0].Redelivered || m[0].Unacked || m[0].DeliveryMode != amqp.Persistent {
					t.Errorf("durable has %+v", m)
				}
				if n := b.Queue("quorum").Len(); n != 1 {
					t.Errorf("quorum has %d", n)
				}
				dial(t, b)
			})
		})
	}
}

func TestConnectionsAreCutAtAPoint(t *testing.T) {
	for _, c := range []struct {
		name  string
		point rabbittest.Point
		left  int // messages in the queue
		wait  bool
	}{
		{"before the broker has the message", rabbittest.Point{Method: "basic.publish", Before: true}, 0, false},
		{"before the client has the confirm", rabbittest.Point{Method: "basic.ack", Sent: true, Before: true}, 1, false},
		{"after the client has the confirm", rabbittest.Point{Method: "basic.ack", Sent: true}, 1, true},
		{"after the second one", rabbittest.Point{Method: "basic.ack", Sent: true, Nth: 2}, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			in(t, func(t *testing.T, b *rabbittest.Broker) {
				ch := channel(t, b)
				declare(t, ch, "q", nil)
				must(t, ch.Confirm(false))
				b.CutAt(c.point)
				d, err := ch.PublishWithDeferredConfirm("", "q", false, false, amqp.Publishing{})
				must(t, err)
				if got := d.Wait(); got != c.wait {
					t.Errorf("confirmed: %v", got)
				}
				synctest.Wait()
				if got := b.Queue("q").Len(); got != c.left {
					t.Errorf("the queue has %d messages", got)
				}
				if cut := c.point.Nth < 2; cut != (len(b.Connections()) == 0) {
					t.Errorf("%d connections are left", len(b.Connections()))
				}
			})
		})
	}
}
