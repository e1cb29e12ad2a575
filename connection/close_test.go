package connection_test

import (
	"context"
	"errors"
	"runtime"
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

func TestCloseEndsEverything(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		before := brokers.Goroutines()
		c, err := connection.Open(soon(t), b.URL, quickOn(b))
		must(t, err)
		ch, err := c.Channel(soon(t), connection.Consume)
		must(t, err)
		closed := ch.NotifyClose(make(chan *amqp.Error, 1))
		s := session(t, c, connection.Publish)
		must(t, c.Close(t.Context()))
		if e, ok := <-closed; ok {
			t.Errorf("the channel ended with %v", e)
		}
		if !errors.Is(s.Err(), connection.ErrClosed) {
			t.Errorf("the session says %v", s.Err())
		}
		until(t, "the goroutines to end", func() bool { return brokers.Goroutines() <= before })

		must(t, c.Close(t.Context())) // again
		for what, err := range map[string]error{
			"Connect": c.Connect(t.Context()),
			"Health":  c.Health(),
			"Session": second(c.Session(t.Context(), connection.Publish)),
			"Channel": second(c.Channel(t.Context(), connection.Consume)),
			"Do":      s.Do(t.Context(), func() error { return nil }),
		} {
			if !errors.Is(err, connection.ErrClosed) {
				t.Errorf("%s says %v", what, err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestCloseOfWhatWasNeverUsed(t *testing.T) {
	c, err := connection.New("amqp://localhost:1/", quick())
	must(t, err)
	must(t, c.Close(t.Context()))
}

func TestCloseWakesThoseWhoWait(t *testing.T) {
	c := create(t, "amqp://"+closedPort(t)+"/", quick())
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := c.Session(soon(t), connection.Publish); !errors.Is(err, connection.ErrClosed) {
				t.Errorf("Session says %v", err)
			}
		})
	}
	until(t, "a dial", func() bool { return c.Health() != nil })
	must(t, c.Close(t.Context()))
	wg.Wait()
}

func TestOpenLeavesNothingBehindIfItFails(t *testing.T) {
	before := runtime.NumGoroutine()
	diary := newDiary()
	cfg := quick()
	cfg.Monitor = diary
	c, err := connection.Open(after(t, 50*time.Millisecond), "amqp://"+closedPort(t)+"/", cfg)
	if c != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open returned %v, %v", c, err)
	}
	n := len(told[monitoring.DialFailed](diary))
	until(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	if again := len(told[monitoring.DialFailed](diary)); again != n {
		t.Error("it goes on dialling")
	}
	if _, err := connection.Open(t.Context(), "", cfg); err == nil {
		t.Error("Open takes an empty URL")
	}
}

// Close is bounded by its context while the broker does not answer, and so is a
// second Close that waits for the first.
func TestCloseIsBoundedWhileTheBrokerIsSilent(t *testing.T) {
	for name, f := range map[string]*fake{
		"after the open":  {quiet: connectionBye},
		"in a handshake":  {quiet: connectionOpen},
		"at a first step": {quiet: startOk},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := quick()
				cfg.Dial = f.inMemory(t)
				c := create(t, "amqp://broker/", cfg)
				_ = c.Connect(after(t, 100*time.Millisecond))
				var wg sync.WaitGroup
				wg.Go(func() {
					within(t, 5*time.Second, "Close", func() {
						err := c.Close(after(t, time.Second))
						if f.quiet == connectionBye && !errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("Close says %v", err)
						}
					})
				})
				if f.quiet == connectionBye {
					until(t, "the first Close to begin", func() bool { return c.Health() != nil })
					within(t, 500*time.Millisecond, "the second Close", func() {
						if err := c.Close(after(t, 10*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("the second Close says %v", err)
						}
					})
				}
				wg.Wait()
				must(t, c.Close(t.Context())) // it is closed by now
			})
		})
	}
}

func TestCloseWithAContextThatHasEnded(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		c, err := connection.Open(soon(t), b.URL, quickOn(b))
		must(t, err)
		s := session(t, c, connection.Publish)
		within(t, 5*time.Second, "Close", func() { _ = c.Close(after(t, -1)) })
		<-s.Done()
		if !errors.Is(s.Err(), connection.ErrClosed) {
			t.Errorf("the session says %v", s.Err())
		}
	})
}

// PEER-BUGS W11: a dial that succeeds while the Connection is being closed.
func TestCloseAtAnyMomentOfADial(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		network := netproxy.New(b.Dial)
		slow(b, network, time.Millisecond)
		cfg := quick()
		cfg.Dial = network.Dial
		for i := range 60 {
			before := brokers.Goroutines()
			c, err := connection.New(b.URL, cfg)
			must(t, err)
			_ = c.Connect(after(t, time.Duration(i)*200*time.Microsecond))
			within(t, 5*time.Second, "Close", func() { must(t, c.Close(t.Context())) })
			until(t, "the goroutines to end", func() bool { return brokers.Goroutines() <= before+2 })
		}
	})
}

func TestUsedByManyWhileItIsLostAndClosed(t *testing.T) {
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		network := netproxy.New(b.Dial)
		cfg := quick()
		cfg.MinRedial, cfg.MaxRedial = time.Millisecond, 2*time.Millisecond
		cfg.Dial = network.Dial
		c := connectOn(t, b, cfg)
		ctx := soon(t)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for {
					ch, err := c.Channel(ctx, connection.Purpose(i%2))
					switch {
					case errors.Is(err, connection.ErrClosed):
						return
					case ctx.Err() != nil:
						t.Error("closed, and nobody was told")
						return
					case err == nil:
						_ = ch.Close()
					}
					_ = c.Health()
					breathe()
				}
			})
		}
		wg.Go(func() {
			for range 40 {
				network.Cut()
				time.Sleep(10 * time.Millisecond) // it is the pace, not a wait
			}
			close(stop)
		})
		<-stop
		must(t, c.Close(t.Context()))
		wg.Wait()
	})
}

// The client's reader waits with an answer that nobody has asked for, and does
// not notice that the socket is closed. Close is bounded all the same.
func TestCloseIsBoundedWhileTheReaderIsHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		basicQos, qosOk := [2]uint16{60, 10}, method(2, [2]uint16{60, 11}, nil)
		f := &fake{quiet: connectionBye, afterMethod: basicQos, extra: [][]byte{qosOk, qosOk}}
		cfg := quick()
		cfg.Dial = f.inMemory(t)
		cfg.Heartbeat = -1 // its writes would fail, and tell the client
		c := create(t, "amqp://broker/", cfg)
		ch, err := session(t, c, connection.Publish).Channel(soon(t))
		must(t, err)
		must(t, ch.Qos(1, 0, false))
		synctest.Wait()
		within(t, 5*time.Second, "Close", func() {
			if err := c.Close(after(t, time.Second)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Close says %v", err)
			}
		})
	})
}
