package consumer_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
)

// A quorum queue's process is dead for good, and RabbitMQ tells nobody. Its consumer finds out, says so, and consumes
// again when the queue is back. Who shares the connection does not notice, though who subscribes to such a queue loses
// the connection.
func TestACrashedQueueIsNoticed(t *testing.T) {
	t.Parallel()
	brokers.Alone(t, nil, brokers.Trial{Name: "crashed", Test: func(t *testing.T, n *brokers.Node) {
		k := newNodeKit(t, n)
		handled := make(chan string, 10)
		c, err := consumer.New(k.conn, k.queue, func(_ context.Context, m message) consumer.Outcome {
			handled <- m.ID
			return consumer.Ack()
		}, consumer.Config{Silence: time.Second})
		must(t, err)
		r := start(t, c)
		k.waitReady(r)
		neighbour := newBlocker()
		other, err := consumer.New(k.conn, k.queue+".neighbour", neighbour.handle, consumer.Config{})
		must(t, err)
		beside := start(t, other)
		k.waitReady(beside)
		n.Sync()
		k.publish(text("before", "x"))
		receive(t, "a message", handled)
		k.publishTo("", other.Queue(), text("long", "x"))
		receive(t, "a message", neighbour.began)

		n.CrashQueue(k.queue)
		eventually(t, "Health to tell", func() bool { return errors.Is(r.Health(), consumer.ErrSilent) })
		if err := r.Health(); !errors.Is(err, consumer.ErrNotReady) {
			t.Errorf("Health is %v", err)
		}
		eventually(t, "some tries", func() bool { return len(lostBySilence(k, k.queue)) >= 4 })
		if err := r.Health(); !errors.Is(err, consumer.ErrSilent) {
			t.Errorf("Health is %v", err)
		}
		n.RecoverQueue(k.queue)
		defer func() {
			if t.Failed() {
				t.Logf("Health is %v; it told %v", r.Health(), k.events.kinds())
			}
		}()
		eventuallyWithin(t, "health", time.Minute, func() bool { return r.Health() == nil })
		k.publish(text("after", "x"))
		if id := receive(t, "a message", handled); id != "after" {
			t.Errorf("%s came again", id)
		}
		// The long one would have been interrupted with the connection.
		neighbour.say(1, consumer.Ack())
		eventually(t, "the neighbour's end", func() bool { return k.events.endings("long") == "Acked 1" })
		if len(neighbour.ended) > 0 {
			t.Error("the neighbour was disturbed")
		}
		for _, e := range of[monitoring.ConsumerLost](k.events) {
			if e.Queue != k.queue || !errors.Is(e.Err, consumer.ErrSilent) {
				t.Errorf("%+v", e)
			}
		}
	}})
}

// lostBySilence returns the losses of a queue's consumer that are its queue's silence.
func lostBySilence(k *kit, queue string) (list []monitoring.ConsumerLost) {
	for _, e := range of[monitoring.ConsumerLost](k.events) {
		if e.Queue == queue && errors.Is(e.Err, consumer.ErrSilent) {
			list = append(list, e)
		}
	}
	return list
}

// listening is a kit on rabbittest, in a bubble, with heartbeats, and counts the passive declarations.
func listening(t *testing.T, test func(t *testing.T, k *kit, asked *atomic.Int64)) {
	t.Helper()
	brokers.InBubble(t, rabbittest.Options{}, func(t *testing.T, b brokers.Broker) {
		asked := new(atomic.Int64)
		test(t, listeningOn(t, b, func(conn net.Conn) net.Conn { return declarations{conn, asked} }), asked)
	})
}

// listeningOn is a kit with heartbeats, whose connections are wrapped.
func listeningOn(t *testing.T, b brokers.Broker, wrap func(net.Conn) net.Conn) *kit {
	t.Helper()
	dial := b.Dial
	b.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return wrap(conn), err
	}
	k := &kit{TB: t, broker: b, queue: rabbitmq.Name(t, "c"), events: newEvents()}
	conn, err := connection.Open(t.Context(), b.URL, connection.Config{Dial: b.Dial, Monitor: k.events, Heartbeat: time.Minute})
	must(t, err)
	k.conn = conn
	t.Cleanup(func() { must(t, conn.Close(context.Background())) })
	return k
}

// declarations counts queue.declare.
type declarations struct {
	net.Conn
	count *atomic.Int64
}

func (d declarations) Write(p []byte) (int, error) {
	d.count.Add(int64(bytes.Count(p, []byte{0, 50, 0, 10})))
	return d.Conn.Write(p)
}

func done(context.Context, message) consumer.Outcome { return consumer.Ack() }

// What broker faults there may be that are told to nobody, and what becomes of them by a consumer that asks, or does not.
func TestAConsumerThatIsNotServed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		wreck   func(rabbittest.Queue)
		config  consumer.Config
		noticed bool
	}{
		"forgotten":                          {wreck: rabbittest.Queue.ForgetConsumers, noticed: true},
		"starved":                            {wreck: rabbittest.Queue.StarveConsumers, noticed: true},
		"starved by a queue of someone else": {wreck: rabbittest.Queue.StarveConsumers, config: consumer.Config{Declare: consumer.DeclareOwn}},
		"forgotten, and it does not ask":     {wreck: rabbittest.Queue.ForgetConsumers, config: consumer.Config{Silence: -1}},
		"crashed, and it does not ask":       {wreck: rabbittest.Queue.Crash, config: consumer.Config{Silence: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listening(t, func(t *testing.T, k *kit, _ *atomic.Int64) {
				k.declarePlan(newConsumer(k, done, test.config).Plan())
				r := run(k, done, test.config)
				q := k.broker.Test.Queue(k.queue)
				test.wreck(q)
				time.Sleep(time.Second)
				must(t, r.Health()) // it cannot know yet
				_ = q.Publish(rabbittest.Message{Body: []byte("x")})
				time.Sleep(4 * time.Minute)
				if lost := lostBySilence(k, k.queue); (len(lost) == 1) != test.noticed || len(lost) > 1 {
					t.Errorf("it has noticed %+v", lost)
				}
				if done := len(of[monitoring.Acked](k.events)) == 1; done != test.noticed {
					t.Errorf("the message is handled: %v", done)
				}
				must(t, r.Health())
			})
		})
	}
}

// An idle consumer asks about once a minute, and one that has something to do does not.
func TestHowOftenAConsumerAsks(t *testing.T) {
	t.Parallel()
	listening(t, func(t *testing.T, k *kit, asked *atomic.Int64) {
		hold := make(chan struct{})
		r := run(k, func(_ context.Context, m message) consumer.Outcome {
			if m.ID == "long" {
				<-hold
			}
			return consumer.Ack()
		}, consumer.Config{Timeout: 20 * time.Minute})
		count := func(f func()) int64 {
			before := asked.Load()
			f()
			return asked.Load() - before
		}
		if n := count(func() { time.Sleep(time.Hour) }); n < 50 || n > 75 {
			t.Errorf("in an idle hour it asks %d times", n)
		}
		q := k.broker.Test.Queue(k.queue)
		if n := count(func() {
			for range 60 {
				must(t, q.Publish(rabbittest.Message{}))
				time.Sleep(30 * time.Second)
			}
		}); n > 0 {
			t.Errorf("while messages flow it asks %d times", n)
		}
		must(t, q.Publish(rabbittest.Message{MessageID: "long"}))
		if n := count(func() { time.Sleep(19 * time.Minute) }); n > 0 {
			t.Errorf("while a handler runs it asks %d times", n)
		}
		close(hold)
		must(t, r.Pause(t.Context()))
		if n := count(func() { time.Sleep(time.Hour) }); n > 0 {
			t.Errorf("while it pauses it asks %d times", n)
		}
		must(t, r.Resume(t.Context()))
		if lost := of[monitoring.ConsumerLost](k.events); len(lost) > 0 {
			t.Errorf("%+v", lost)
		}
	})
}

// The queue's process is dead when the consumer connects, so that it never asks. The second half minute of that is a
// silence, too, and it leaves the connection that others share.
func TestAQueueThatIsDeadFromTheBeginning(t *testing.T) {
	t.Parallel()
	listening(t, func(t *testing.T, k *kit, _ *atomic.Int64) {
		c := newConsumer(k, done, consumer.Config{})
		k.declarePlan(c.Plan())
		k.broker.Test.Queue(k.queue).Crash()
		r := start(t, c)
		time.Sleep(5 * time.Minute)
		if err := r.Health(); !errors.Is(err, consumer.ErrSilent) {
			t.Errorf("Health is %v", err)
		}
		shared, err := k.conn.Session(t.Context(), connection.Consume)
		must(t, err)
		time.Sleep(5 * time.Minute)
		must(t, shared.Err())
		k.broker.Test.Queue(k.queue).Recover()
		time.Sleep(time.Minute)
		must(t, r.Health())
	})
}

// RabbitMQ says of every stream that it has no consumers.
func TestAStreamIsNotTakenForSilent(t *testing.T) {
	t.Parallel()
	asked := new(atomic.Int64)
	k := listeningOn(t, brokers.RabbitMQ(t), func(conn net.Conn) net.Conn { return declarations{conn, asked} })
	ch, err := k.conn.Channel(t.Context(), connection.Publish)
	must(t, err)
	_, err = ch.QueueDeclare(k.queue, true, false, false, false, amqp.Table{"x-queue-type": "stream"})
	must(t, err)
	t.Cleanup(func() {
		_, err := ch.QueueDelete(k.queue, false, false, false)
		must(t, err)
	})
	r := run(k, done, consumer.Config{Declare: consumer.DeclareNone, Silence: time.Second})
	k.waitReady(r)
	before := asked.Load()
	eventually(t, "some questions", func() bool { return asked.Load() > before+4 })
	if lost := of[monitoring.ConsumerLost](k.events); len(lost) > 0 {
		t.Errorf("%+v", lost)
	}
}

// A queue that hangs answers nobody. It is taken for silent, and does not end the connection that others share.
func TestAQueueThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	brokers.InBubble(t, rabbittest.Options{}, func(t *testing.T, b brokers.Broker) {
		hangs := new(atomic.Bool)
		k := listeningOn(t, b, func(conn net.Conn) net.Conn { return unanswered{conn, hangs} })
		r := run(k, done, consumer.Config{})
		k.waitReady(r)
		shared, err := k.conn.Session(t.Context(), connection.Consume)
		must(t, err)
		hangs.Store(true)
		time.Sleep(5 * time.Minute)
		if err := r.Health(); !errors.Is(err, consumer.ErrSilent) {
			t.Errorf("Health is %v", err)
		}
		must(t, shared.Err())
		hangs.Store(false)
		time.Sleep(time.Minute)
		must(t, r.Health())
		must(t, shared.Err())
	})
}

// unanswered loses what declares a queue, while that hangs.
type unanswered struct {
	net.Conn
	hangs *atomic.Bool
}

func (u unanswered) Write(p []byte) (int, error) {
	if u.hangs.Load() && bytes.Contains(p, []byte{0, 50, 0, 10}) {
		return len(p), nil
	}
	return u.Conn.Write(p)
}
