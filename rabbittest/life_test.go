package rabbittest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// The client hangs up after close-ok, as every client does. If the broker did it at once, the client's reader could take
// the end of the stream for a failure.
func TestAClosedConnectionIsEndedByTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := rabbittest.New(t)
		r := rawClient(t, b)
		r.open()
		began := time.Now()
		r.send(0, &wire.ConnectionClose{ReplyCode: 200})
		r.send(1, &wire.TxSelect{})        // comes too late
		r.write(frame(9, 1, "x"))          // so does garbage
		r.send(0, &wire.ConnectionClose{}) // and who asks twice is told twice
		r.expect("connection.close-ok", "connection.close-ok", "-")
		if got := r.within(time.Hour); got != "end" || time.Since(began) != 30*time.Second {
			t.Errorf("after %v: %s", time.Since(began), got)
		}
	})
}

func TestACloseByTheBrokerIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := rabbittest.New(t)
		answering, silent, crossing := rawClient(t, b), rawClient(t, b), rawClient(t, b)
		for _, r := range []*raw{answering, silent, crossing} {
			r.open()
		}
		began := time.Now()
		b.CloseConnections(320, "CONNECTION_FORCED - maintenance")
		for _, r := range []*raw{answering, silent, crossing} {
			r.expect("connection.close 320 CONNECTION_FORCED - maintenance (0.0)")
			r.send(1, &wire.TxSelect{})
			r.expect("-")
		}
		answering.send(0, &wire.ConnectionCloseOk{})
		answering.expect("end")
		crossing.send(0, &wire.ConnectionClose{})
		crossing.expect("connection.close-ok", "-")
		crossing.send(0, &wire.ConnectionCloseOk{})
		crossing.expect("end")
		if got := silent.within(time.Hour); got != "end" || time.Since(began) != 30*time.Second {
			t.Errorf("after %v: %s", time.Since(began), got)
		}
	})
}

func TestANormalCloseLooksLikeOne(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		for range 100 {
			conn := dial(t, b)
			told := conn.NotifyClose(make(chan *amqp.Error, 1))
			must(t, conn.Close())
			if err := <-told; err != nil {
				t.Fatalf("it ended with %v", err)
			}
		}
		synctest.Wait()
		if n := len(b.Connections()); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	})
}

func TestAClosingChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := rabbittest.New(t)
		r := rawClient(t, b)
		r.open()
		missing := &wire.QueueDeclare{Queue: "nope", Passive: true}
		const refused = "channel.close 404 NOT_FOUND - no queue 'nope' in vhost '/' (50.10)"
		r.send(1, missing)
		r.expect(refused)
		r.send(1, &wire.TxSelect{}) // not heard
		r.write(message(1, &wire.BasicPublish{}, wire.Properties{}, "nor is this"))
		r.expect("-")
		r.send(1, &wire.ChannelClose{}) // crossed ours
		r.expect("channel.close-ok", "-")
		r.send(1, &wire.ChannelCloseOk{})
		r.send(1, &wire.ChannelOpen{})
		r.expect("channel.open-ok", "-")
		r.send(1, &wire.ChannelClose{})
		r.send(1, &wire.ChannelOpen{})
		r.expect("channel.close-ok", "channel.open-ok", "-")
		r.send(1, missing)
		r.expect(refused)
		r.send(1, &wire.ChannelOpen{}) // too early: ours is not answered
		r.expect("connection.close 504 CHANNEL_ERROR - second 'channel.open' seen (20.10)")
	})
}

func TestChannelsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := rabbittest.New(t)
		r := rawClient(t, b)
		r.openWith(&wire.ConnectionTuneOk{ChannelMax: 2, FrameMax: 131072})
		r.send(700, &wire.ChannelOpen{})
		r.expect("channel.open-ok")
		r.send(700, &wire.ChannelClose{})
		r.send(2, &wire.ChannelOpen{})
		r.expect("channel.close-ok", "channel.open-ok")
		r.send(3, &wire.ChannelOpen{})
		want := raise("530 NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2) (0.0)")
		if got := r.rest(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := rabbittest.New(t)
		// One who says nothing hears from the broker twice in an interval, and is left after three.
		r := rawClient(t, b)
		r.openWith(&wire.ConnectionTuneOk{ChannelMax: 1, FrameMax: 131072, Heartbeat: 10})
		began := time.Now()
		var beats []string
		for {
			s := r.within(time.Hour)
			beats = append(beats, fmt.Sprintf("%s %v", s, time.Since(began)))
			if s == "end" {
				break
			}
		}
		want := "heartbeat 10s, heartbeat 15s, heartbeat 20s, heartbeat 25s, end 30s"
		if got := strings.Join(beats, ", "); got != want {
			t.Errorf("got %s, want %s", got, want)
		}

		// One who says anything stays: a heartbeat, or a method.
		for _, word := range []string{frame(wire.FrameHeartbeat, 0, ""), method(1, &wire.BasicQos{})} {
			r := rawClient(t, b)
			r.openWith(&wire.ConnectionTuneOk{ChannelMax: 1, FrameMax: 131072, Heartbeat: 10})
			for range 20 {
				time.Sleep(9 * time.Second)
				r.write(word)
			}
			synctest.Wait()
			if n := len(b.Connections()); n != 1 {
				t.Errorf("%d connections", n)
			}
			must(t, r.conn.Close())
		}
	})
}

func TestTheRealClientAndHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := rabbittest.NewWith(t, rabbittest.Options{Heartbeat: 10 * time.Second})
		conn, err := amqp.DialConfig(strings.TrimSuffix(b.URL(), "?heartbeat=0"), amqp.Config{Dial: b.Connect})
		must(t, err)
		if conn.Config.Heartbeat != 10*time.Second {
			t.Errorf("they agreed on %v", conn.Config.Heartbeat)
		}
		ended := conn.NotifyClose(make(chan *amqp.Error, 1))
		time.Sleep(10 * time.Minute)
		select {
		case err := <-ended:
			t.Errorf("it has ended: %v", err)
		default:
		}
		must(t, conn.Close())
	})
}

// Blocked, a publisher hears of it before its message is taken, if the message has no body; a body stays unread.
func TestAnAlarmAndWhatIsUnderWay(t *testing.T) {
	eachVersion(t, func(t *testing.T, _ string, b *rabbittest.Broker) {
		empty := message(1, &wire.BasicPublish{}, wire.Properties{}, "")
		full := message(1, &wire.BasicPublish{}, wire.Properties{}, "abc")
		const told = "connection.blocked low on memory"
		start := func() *raw {
			r := rawClient(t, b)
			r.open()
			r.send(1, &wire.ConfirmSelect{})
			r.expect("confirm.select-ok")
			return r
		}
		old := start()
		old.write(empty)
		old.expect("basic.ack")
		b.Block("low on memory")
		old.expect("-")
		consumer := start()
		consumer.send(1, &wire.BasicQos{})
		consumer.expect("basic.qos-ok")
		var ends []*raw
		var wants []string
		for _, c := range []struct{ send, blocked, unblocked string }{
			{empty + empty + empty, told + "; basic.ack; -", "connection.unblocked; basic.ack; basic.ack; -"},
			{full + full, told + "; -", "connection.unblocked; basic.ack; basic.ack; -"},
			{publish, "-", "-"},
		} {
			r := start()
			r.write(c.send)
			if got := r.rest(); got != c.blocked {
				t.Errorf("blocked: got %s, want %s", got, c.blocked)
			}
			ends, wants = append(ends, r), append(wants, c.unblocked)
		}
		gone := start()
		gone.write(full)
		gone.expect(told)
		must(t, gone.conn.Close())
		synctest.Wait()
		before := len(b.Connections()) // the broker does not see that one is gone
		b.Unblock()
		synctest.Wait()
		if after := len(b.Connections()); before != 6 || after != 5 {
			t.Errorf("%d connections, then %d", before, after)
		}
		for i, r := range ends {
			if got := r.rest(); got != wants[i] {
				t.Errorf("unblocked: got %s, want %s", got, wants[i])
			}
		}
	})
}

// over runs a test with the real client over memory in a bubble, over memory in real time, and over TCP.
func over(t *testing.T, test func(t *testing.T, conn *amqp.Connection)) {
	t.Run("bubble", func(t *testing.T) {
		in(t, func(t *testing.T, b *rabbittest.Broker) { test(t, dial(t, b)) })
	})
	t.Run("memory", func(t *testing.T) { test(t, dial(t, rabbittest.New(t))) })
	t.Run("tcp", func(t *testing.T) {
		b := rabbittest.New(t)
		_, err := b.Listen("127.0.0.1:0")
		must(t, err)
		conn, err := amqp.Dial(b.URL())
		must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		test(t, conn)
	})
}

func TestBodiesOfEverySize(t *testing.T) {
	over(t, func(t *testing.T, conn *amqp.Connection) {
		ch, err := conn.Channel()
		must(t, err)
		must(t, ch.Confirm(false))
		declare(t, ch, "q", nil)
		deliveries := consume(t, ch, "q")
		frame := conn.Config.FrameSize
		for _, size := range []int{0, 1, frame - 9, frame - 8, frame - 7, frame, 3 * (frame - 8), 3*frame + 1, 1 << 20} {
			body := strings.Repeat("0123456789", size/10+1)[:size]
			sent, err := ch.PublishWithDeferredConfirm("", "q", true, false, amqp.Publishing{Body: []byte(body)})
			must(t, err)
			if !sent.Wait() {
				t.Errorf("%d bytes were refused", size)
			}
			if d := <-deliveries; string(d.Body) != body {
				t.Errorf("%d bytes came back as %d", size, len(d.Body))
			}
		}
	})
}

func TestManyChannelsAtOnce(t *testing.T) {
	over(t, func(t *testing.T, conn *amqp.Connection) {
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				ch, err := conn.Channel()
				if err != nil {
					t.Error(err)
					return
				}
				name := fmt.Sprint("q", i)
				declare(t, ch, name, nil)
				deliveries := consume(t, ch, name)
				for n := range 50 {
					if err := ch.Publish("", name, true, false, amqp.Publishing{Body: fmt.Append(nil, n)}); err != nil {
						t.Error(err)
					}
				}
				for n := range 50 {
					d := <-deliveries
					if string(d.Body) != fmt.Sprint(n) {
						t.Errorf("message %d is %s", n, d.Body)
					}
					if err := d.Ack(false); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}

// A client that reads nothing fills its TCP buffers, and the broker's sender waits. That must not keep the broker from
// being closed.
func TestABrokerClosesThoughAClientReadsNothing(t *testing.T) {
	t.Parallel()
	b, err := rabbittest.Start(rabbittest.Options{})
	must(t, err)
	addr, err := b.Listen("127.0.0.1:0")
	must(t, err)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr.String())
	must(t, err)
	r := rawOver(t, conn)
	r.open()
	r.send(1, &wire.QueueDeclare{Queue: "q"})
	r.send(1, &wire.BasicConsume{Queue: "q", NoAck: true})
	r.expect("queue.declare-ok", "basic.consume-ok")
	must(t, b.Publish("", "q", rabbittest.Message{Body: make([]byte, 15<<20)}))
	must(t, b.Publish("", "q", rabbittest.Message{Body: make([]byte, 15<<20)}))
	closed := make(chan struct{})
	go func() {
		b.Close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
}

func TestADialAfterTheEnd(t *testing.T) {
	b, err := rabbittest.Start(rabbittest.Options{})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Dial(ctx, "", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	b.Close()
	b.Close()
	if _, err := b.Dial(t.Context(), "", ""); !errors.Is(err, rabbittest.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	if _, err := b.Listen("127.0.0.1:0"); !errors.Is(err, rabbittest.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}
