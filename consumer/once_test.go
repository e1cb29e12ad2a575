package consumer_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
)

// accounts is a database with one transaction at a time: the note that a message is handled, and what handling it does.
type accounts struct {
	mu      sync.Mutex
	handled map[string]bool
	charged map[string]int
}

// charge is the recipe of the README. If fail is an error, the work fails after the note.
func (a *accounts) charge(id string, fail error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.handled[id] {
		return nil
	}
	a.handled[id] = true
	if fail != nil {
		delete(a.handled, id) // rolled back
		return fail
	}
	a.charged[id]++
	return nil
}

// PEER-BUGS (15): with the README's recipe, wherever a connection is cut or the broker dies, and though the first attempt
// fails after the note, a message has its effect once: not twice, and not never.
func TestAnEffectHappensOnce(t *testing.T) {
	for how, kill := range map[string]bool{"cut": false, "killed": true} {
		t.Run(how, func(t *testing.T) {
			rabbittest.CrashPointsWith(t, rabbittest.CrashOptions{Kill: kill}, chargeOnce)
		})
	}
}

func chargeOnce(t *testing.T, b *rabbittest.Broker) {
	ctx := t.Context()
	conn, err := connection.Open(ctx, b.URL(), connection.Config{Dial: b.Dial, Monitor: silence})
	must(t, err)
	a := &accounts{handled: map[string]bool{}, charged: map[string]int{}}
	c, err := consumer.New(conn, "orders", func(_ context.Context, m consumer.Message[string]) consumer.Outcome {
		var fail error
		if m.Attempt == 1 {
			fail = errors.New("the disk is full")
		}
		if err := a.charge(m.ID, fail); err != nil {
			return consumer.Retry(err)
		}
		return consumer.Ack()
	}, consumer.Config{Retry: retry.Fixed(3, time.Minute)})
	must(t, err)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ran := make(chan error, 1)
	go func() { ran <- c.Run(running) }()
	<-c.Ready()
	p, err := publisher.New(conn, publisher.Config{})
	must(t, err)
	for p.Send(ctx, publisher.Message{Key: "orders", ID: "7", Body: "order"}) != nil { // again, with the same id
		time.Sleep(time.Second)
	}
	time.Sleep(5 * time.Minute)
	stop()
	must(t, <-ran)
	must(t, p.Close(ctx))
	_ = conn.Close(ctx)
	if a.charged["7"] != 1 {
		t.Errorf("charged %d times", a.charged["7"])
	}
}
