package consumer

import (
	"context"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
)

// endsMeanwhile is a context that ends just after it has been asked whether it has.
type endsMeanwhile struct {
	context.Context
	asked bool
}

func (c *endsMeanwhile) Err() error {
	if !c.asked {
		c.asked = true
		return nil
	}
	return context.Canceled
}

func (c *endsMeanwhile) Done() <-chan struct{} {
	ended := make(chan struct{})
	close(ended)
	return ended
}

// A consumer that is told to stop while it subscribes cancels that, however the goroutines that ask the broker are
// scheduled: what is subscribed later would hold messages that nobody takes or hands back.
func TestACancellationDoesNotOvertakeItsSubscription(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // the goroutine that is begun last runs first
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			broker := rabbittest.New(t)
			quiet := monitoring.Log(slog.New(slog.DiscardHandler))
			conn, err := connection.Open(t.Context(), broker.URL(), connection.Config{Dial: broker.Dial, Monitor: quiet})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close(context.Background()) }()
			c, err := New(conn, "orders", func(context.Context, Message[[]byte]) Outcome { return Ack() }, Config{})
			if err != nil {
				t.Fatal(err)
			}
			r := newRun(t.Context(), c, 1)
			e, err := r.openEpoch()
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				r.halt()
				if err := r.drain(e, nil); err != nil {
					t.Error(err)
				}
			}()
			if err := e.handBackBuffered(t.Context()); err != nil { // the first subscription, which has come about
				t.Fatal(err)
			}
			running := r.stopping
			r.stopping = &endsMeanwhile{Context: context.Background()}
			_ = e.widen()
			r.stopping = running
			if err := e.handBackBuffered(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if left := broker.Queue("orders").Consumers(); len(left) != 0 {
				t.Errorf("a subscription lives that nobody reads: %+v", left)
			}
		})
	}
}
