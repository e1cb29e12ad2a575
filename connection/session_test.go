package connection_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/monitoring"
)

func TestASessionSaysWhatItIs(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		cfg := quick()
		cfg.Heartbeat = 3 * time.Second
		c := createOn(t, b, cfg)
		s := session(t, c, connection.Consume)
		if s.Address() != c.Nodes()[0] || s.Version() == "" || s.FrameMax() != 131072 || s.Err() != nil || s.Heartbeat() != 3*time.Second {
			t.Errorf("%s %q %d %v %v", s.Address(), s.Version(), s.FrameMax(), s.Err(), s.Heartbeat())
		}
		if again := session(t, c, connection.Consume); again != s {
			t.Error("there are two sessions for one purpose")
		}
		if other := session(t, c, connection.Publish); other == s {
			t.Error("there is one session for two purposes")
		}
		if again, err := s.Blocked(); again != nil || err != nil {
			t.Errorf("blocked: %v", err)
		}
	})
}

// Connect brings up the publishing connection, and a use the other one.
func TestConnectionsAreDialledWhenNeeded(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		diary := newDiary()
		network := netproxy.New(b.Dial)
		slow(b, network, time.Millisecond)
		cfg := quick()
		cfg.Monitor = diary
		cfg.Dial = network.Dial
		c := createOn(t, b, cfg)
		must(t, c.Health()) // nobody needs it
		if network.Dials() != 0 {
			t.Error("New has dialled")
		}
		for range 3 {
			must(t, c.Connect(soon(t)))
		}
		must(t, c.Health())
		names := func() (all []string) {
			for _, e := range told[monitoring.Connected](diary) {
				if e.Version == "" || e.Took <= 0 || e.Address != c.Nodes()[0] {
					t.Errorf("told %+v", e)
				}
				all = append(all, e.Name)
			}
			return all
		}
		if got := names(); len(got) != 1 || got[0] != "connection-test/publish" {
			t.Errorf("connected: %q", got)
		}
		ch, err := c.Channel(soon(t), connection.Consume)
		must(t, err)
		must(t, ch.Close())
		if got := names(); len(got) != 2 || got[1] != "connection-test/consume" {
			t.Errorf("connected: %q", got)
		}
		must(t, c.Close(t.Context()))
		ended := told[monitoring.Disconnected](diary)
		if len(ended) != 2 {
			t.Fatalf("told %+v", ended)
		}
		for _, e := range ended {
			if e.Err != nil || e.Lived <= 0 {
				t.Errorf("told %+v", e)
			}
		}
		if text := diary.text(); strings.Contains(text, "WARN") || strings.Contains(text, "ERROR") {
			t.Errorf("logged:\n%s", text)
		}
	})
}

func TestManyWaitForOneConnection(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		network := netproxy.New(b.Dial)
		cfg := quick()
		cfg.Dial = network.Dial
		c := createOn(t, b, cfg)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				ch, err := c.Channel(soon(t), connection.Publish)
				if err != nil {
					t.Error(err)
					return
				}
				_ = ch.Close()
			})
		}
		wg.Wait()
		if n := network.Dials(); n != 1 {
			t.Errorf("dialled %d times", n)
		}
	})
}

func TestALossIsToldAndMended(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		diary := newDiary()
		network := netproxy.New(b.Dial)
		cfg := quick()
		cfg.Monitor = diary
		cfg.Dial = network.Dial
		c := connectOn(t, b, cfg)
		s := session(t, c, connection.Publish)
		network.Cut()
		<-s.Done()
		var reason *amqp.Error
		if err := s.Err(); !errors.As(err, &reason) || errors.Is(err, connection.ErrClosed) {
			t.Errorf("the session says %v", err)
		}
		if _, err := s.Channel(soon(t)); !errors.Is(err, s.Err()) {
			t.Errorf("Channel says %v", err)
		}
		if err := s.Do(soon(t), func() error { t.Error("called"); return nil }); !errors.Is(err, s.Err()) {
			t.Errorf("Do says %v", err)
		}
		if next := session(t, c, connection.Publish); next == s {
			t.Error("the dead session was handed out")
		}
		must(t, c.Health())
		all := told[monitoring.Disconnected](diary)
		if len(all) != 1 || all[0].Err == nil || all[0].Address != s.Address() || all[0].Name != "connection-test/publish" {
			t.Errorf("told %+v", all)
		}
	})
}

func TestHealthWhileThereIsNoConnection(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		network := netproxy.New(b.Dial)
		cfg := quick()
		cfg.Dial = network.Dial
		c := connectOn(t, b, cfg)
		network.CutAt(netproxy.FromBroker, 1)
		network.Cut()
		until(t, "Health to notice", func() bool { return c.Health() != nil })
		if err := c.Health(); !errors.Is(err, connection.ErrNotConnected) {
			t.Errorf("Health says %v", err)
		}
		network.CutAt(netproxy.FromBroker, 0)
		until(t, "Health to recover", func() bool { return c.Health() == nil })
		must(t, c.Close(t.Context()))
		if err := c.Health(); !errors.Is(err, connection.ErrClosed) {
			t.Errorf("Health says %v", err)
		}
	})
}

// PEER-BUGS test 16.
func TestAHundredReconnectsLeaveNothingBehind(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		diary := newDiary()
		network := netproxy.New(b.Dial)
		cfg := quick()
		cfg.MinRedial, cfg.MaxRedial = time.Millisecond, time.Millisecond
		cfg.Monitor = diary
		cfg.Dial = network.Dial
		c := createOn(t, b, cfg)
		turn := func() {
			for _, p := range []connection.Purpose{connection.Consume, connection.Publish} {
				if _, err := c.Channel(soon(t), p); err != nil {
					t.Fatal(err)
				}
			}
			dead := [2]*connection.Session{session(t, c, connection.Consume), session(t, c, connection.Publish)}
			network.Cut()
			for _, s := range dead {
				<-s.Done()
			}
		}
		turn()
		session(t, c, connection.Consume)
		session(t, c, connection.Publish)
		before := brokers.Goroutines()
		for range 100 {
			turn()
		}
		session(t, c, connection.Consume)
		session(t, c, connection.Publish)
		until(t, "the goroutines to end", func() bool { return brokers.Goroutines() <= before })
		if n := len(told[monitoring.Connected](diary)); n != 2*102 {
			t.Errorf("connected %d times", n)
		}
	})
}

func TestFailEndsTheSessionAndAnotherOneComes(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		c := connectOn(t, b, quick())
		s := session(t, c, connection.Publish)
		why := errors.New("it smells")
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { s.Fail(why) })
		}
		wg.Wait()
		<-s.Done()
		s.Fail(errors.New("late"))
		if err := s.Err(); !errors.Is(err, why) {
			t.Errorf("the session says %v", err)
		}
		session(t, c, connection.Publish)
	})
}

// A listener of the application that nobody reads holds up the client's reader.
// Fail ends the session all the same. (Not in a bubble: the client waits with a
// mutex held, which stops the clock.)
func TestFailEndsASessionWhoseReaderIsHeldUp(t *testing.T) {
	t.Parallel()
	c := connectOn(t, brokers.RabbitMQ(t), quick())
	s := session(t, c, connection.Publish)
	ch, err := s.Channel(soon(t))
	must(t, err)
	ch.NotifyReturn(make(chan amqp.Return)) // for ever unread
	for range 20 {                          // 5 s each
		must(t, ch.Publish("", "nobody-is-there", true, false, amqp.Publishing{}))
	}
	until(t, "the reader to be held up", func() bool {
		_, err := s.Channel(after(t, 100*time.Millisecond))
		return err != nil
	})
	within(t, 15*time.Second, "Fail", func() {
		s.Fail(errors.New("enough"))
		<-s.Done()
	})
}

func TestDo(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		c := connectOn(t, b, quick())
		s := session(t, c, connection.Publish)
		inner := errors.New("inner")
		if err := s.Do(t.Context(), func() error { return inner }); !errors.Is(err, inner) {
			t.Errorf("Do says %v", err)
		}
		must(t, s.Do(t.Context(), func() error { return nil }))

		cause := errors.New("cause")
		ended, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		if err := s.Do(ended, func() error { t.Error("called"); return nil }); !errors.Is(err, cause) {
			t.Errorf("Do says %v", err)
		}
		hold, done := make(chan struct{}), make(chan struct{})
		ctx, cancel := context.WithCancelCause(t.Context())
		err := s.Do(ctx, func() error {
			cancel(cause)
			<-hold
			close(done)
			return nil
		})
		if !errors.Is(err, cause) {
			t.Errorf("Do says %v", err)
		}
		close(hold)
		<-done
		// What was answered is so, also if the connection is lost at once.
		must(t, s.Do(t.Context(), func() error {
			s.Fail(errors.New("enough"))
			<-s.Done()
			return nil
		}))
	})
}

func TestABrokerThatDoesNotAnswerIsGivenUp(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		network := netproxy.New(b.Dial)
		cfg := quick()
		cfg.Dial = network.Dial
		c := createOn(t, b, cfg)
		c.SetCallTimeout(200 * time.Millisecond)
		s := session(t, c, connection.Consume)
		network.Hold(netproxy.FromBroker)
		_, err := s.Channel(soon(t))
		if err == nil || !strings.Contains(err.Error(), "the broker does not answer within 200ms") {
			t.Errorf("Channel says %v", err)
		}
		<-s.Done()
		network.Release()
		session(t, c, connection.Consume)
	})
}

// Where the question is about what may be at fault by itself, nobody else suffers.
func TestDoPatiently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{quiet: [2]uint16{60, 10}} // basic.qos
		cfg := quick()
		cfg.Dial = f.inMemory(t)
		cfg.Heartbeat = -1
		c := create(t, "amqp://broker/", cfg)
		s := session(t, c, connection.Consume)
		ch, err := s.Channel(soon(t))
		must(t, err)
		why := errors.New("no more patience")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, why)
		defer cancel()
		if err := s.DoPatiently(ctx, func() error { return ch.Qos(1, 0, false) }); !errors.Is(err, why) {
			t.Errorf("it says %v", err)
		}
		must(t, s.Err())
		must(t, s.DoPatiently(t.Context(), func() error { return nil }))
	})
}

// Who asks for a channel does not wait longer than it wants to, and what it has
// left behind is closed.
func TestAnAbandonedChannelIsClosed(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		network := netproxy.New(b.Dial)
		cfg := quick()
		cfg.Dial = network.Dial
		c := connectOn(t, b.With("channel_max=2"), cfg)
		s := session(t, c, connection.Publish)
		for i := range 10 { // 2 of them can be open
			network.Hold(netproxy.FromBroker)
			within(t, 2*time.Second, "Channel", func() {
				if _, err := s.Channel(after(t, 10*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%d: Channel says %v", i, err)
				}
			})
			network.Release()
			until(t, "a channel to be free", func() bool {
				ch, err := s.Channel(soon(t))
				if err == nil {
					must(t, ch.Close())
				}
				return err == nil
			})
		}
		if s.Err() != nil {
			t.Errorf("the session has ended: %v", s.Err())
		}
	})
}

// The same where the context ends in the very moment of the answer.
func TestAChannelIsEitherGivenOrClosed(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		network := netproxy.New(b.Dial)
		slow(b, network, 200*time.Microsecond)
		cfg := quick()
		cfg.Dial = network.Dial
		c := connectOn(t, b.With("channel_max=20"), cfg)
		s := session(t, c, connection.Publish)
		given := 0
		for i := range 300 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*5*time.Microsecond)
			ch, err := s.Channel(ctx)
			cancel()
			switch {
			case err == nil:
				given++
				must(t, ch.Close())
			case errors.Is(err, amqp.ErrChannelMax): // until those that were left behind are closed
				breathe()
			}
		}
		t.Logf("%d of 300 were given", given)
		var open []*amqp.Channel
		until(t, "all channels to be free", func() bool {
			ch, err := s.Channel(soon(t))
			if err == nil {
				open = append(open, ch)
			}
			return len(open) == 20
		})
		must(t, s.Err())
	})
}

func TestOpenClosesTheChannelIfTheSetupFails(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		c := connectOn(t, b.With("channel_max=1"), quick())
		s := session(t, c, connection.Consume)
		inner := errors.New("inner")
		for range 3 {
			if _, err := s.Open(soon(t), func(*amqp.Channel) error { return inner }); !errors.Is(err, inner) {
				t.Errorf("Open says %v", err)
			}
			_, err := s.Open(soon(t), func(ch *amqp.Channel) error {
				_, err := ch.QueueDeclarePassive("no such queue", true, false, false, false, nil)
				return err
			})
			var reason *amqp.Error
			if !errors.As(err, &reason) || reason.Code != amqp.NotFound {
				t.Errorf("Open says %v", err)
			}
		}
		ch, err := s.Open(soon(t), func(ch *amqp.Channel) error { return ch.Qos(1, 0, false) })
		must(t, err)
		if _, err := s.Channel(soon(t)); !errors.Is(err, amqp.ErrChannelMax) {
			t.Errorf("a second of one channel: %v", err)
		}
		must(t, ch.Close())
		must(t, s.Err())
	})
}

// A broker that reads nothing is noticed by the write.
func TestWriteTimeout(t *testing.T) {
	f := &fake{deaf: make(chan struct{})}
	url := f.listen(t)
	t.Cleanup(func() { close(f.deaf) })
	diary := newDiary()
	cfg := quick()
	cfg.Monitor = diary
	cfg.Heartbeat = -1
	cfg.WriteTimeout = 200 * time.Millisecond
	c := connect(t, url, cfg)
	s := session(t, c, connection.Publish)
	ch, err := s.Channel(soon(t))
	must(t, err)
	within(t, 10*time.Second, "a write that nobody reads", func() {
		err = s.Do(soon(t), func() error {
			return ch.Publish("", "", false, false, amqp.Publishing{Body: make([]byte, 64<<20)})
		})
		<-s.Done()
	})
	if err == nil {
		t.Error("Publish succeeded")
	}
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "the broker does not answer: it has read nothing for 200ms") {
		t.Errorf("the session says %v", err)
	}
	session(t, c, connection.Publish)
	if all := told[monitoring.Disconnected](diary); len(all) != 1 || all[0].Err == nil {
		t.Errorf("told %+v", all)
	}
}
