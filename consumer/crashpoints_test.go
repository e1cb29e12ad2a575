package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
)

// journey is a scenario for rabbittest.CrashPoints: two messages are published; one is handled at its second attempt,
// the other never succeeds. Whatever dies on the way, what was confirmed must be handled or in the error queue.
func journey(t *testing.T, b *rabbittest.Broker) { journeyOf(t, b, consumer.Tiers) }

func journeyOf(t *testing.T, b *rabbittest.Broker, waiting consumer.Waiting) {
	ctx := t.Context()
	conn, err := connection.Open(ctx, b.URL(), connection.Config{Dial: b.Dial, Monitor: silence})
	must(t, err)
	var mu sync.Mutex
	handled := map[string]int{}
	handler := func(_ context.Context, m consumer.Message[string]) consumer.Outcome {
		mu.Lock()
		defer mu.Unlock()
		handled[m.Body]++
		switch {
		case m.Body == "never":
			return consumer.Error(errors.New("it cannot be"))
		case m.Attempt == 1:
			return consumer.Retry(errors.New("not yet"))
		}
		return consumer.Ack()
	}
	c, err := consumer.New(conn, "orders", handler, consumer.Config{
		Workers: 2, Retry: retry.Fixed(3, time.Minute), Waiting: waiting,
	})
	must(t, err)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- c.Run(running) }()
	<-c.Ready()

	p, err := publisher.New(conn, publisher.Config{})
	must(t, err)
	for _, body := range []string{"second time", "never"} {
		for p.Publish(ctx, "orders", body) != nil { // as someone would who must not lose it
			time.Sleep(time.Second)
		}
	}
	time.Sleep(10 * time.Minute)
	must(t, b.WaitIdle(ctx))
	stop()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	must(t, p.Close(ctx))
	_ = conn.Close(ctx) // the cut may be in the middle of it, and is an error then

	mu.Lock()
	defer mu.Unlock()
	least := 2
	if waiting == consumer.Native {
		least = 1 // a lost connection uses up an attempt, also before it is handled
	}
	if handled["second time"] < least {
		t.Errorf("handled %v", handled)
	}
	if n := b.Queue("orders").Len(); n != 0 {
		t.Errorf("%d messages are left in the main queue", n)
	}
	errored := map[string]bool{}
	for _, m := range b.Queue(c.Plan().Error.Name).Messages() {
		errored[string(m.Body)] = true
	}
	if want := `map["never":true]`; fmt.Sprintf("%v", errored) != want {
		t.Errorf("the error queue has %v, want %s", errored, want)
	}
}

func TestNothingIsLostWhereverAConnectionIsCut(t *testing.T) {
	for _, version := range []string{rabbittest.V3_10, rabbittest.V4_0, rabbittest.V4_3} {
		t.Run(version, func(t *testing.T) {
			rabbittest.CrashPointsWith(t, rabbittest.CrashOptions{Broker: rabbittest.Options{Version: version}}, journey)
		})
	}
}

func TestNothingIsLostWheneverTheBrokerIsKilled(t *testing.T) {
	for _, version := range []string{rabbittest.V3_10, rabbittest.V4_0, rabbittest.V4_3} {
		t.Run(version, func(t *testing.T) {
			o := rabbittest.CrashOptions{Kill: true, Broker: rabbittest.Options{Version: version}}
			rabbittest.CrashPointsWith(t, o, journey)
		})
	}
}
