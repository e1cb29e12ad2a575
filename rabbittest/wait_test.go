package rabbittest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/rabbittest"
)

func TestIdleMeansThatNothingIsLeftToDo(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) { waitIdle(t, b, dial(t, b)) })
}

func TestIdleInRealTime(t *testing.T) {
	b := rabbittest.New(t)
	waitIdle(t, b, dial(t, b))
}

func TestIdleOverTCP(t *testing.T) {
	b := rabbittest.New(t)
	_, err := b.Listen("127.0.0.1:0")
	must(t, err)
	conn, err := amqp.Dial(b.URL())
	must(t, err)
	defer conn.Close() //nolint:errcheck // the broker may be gone
	waitIdle(t, b, conn)
}

// waitIdle publishes a thousand messages without waiting, which a consumer takes its time for.
func waitIdle(t *testing.T, b *rabbittest.Broker, conn *amqp.Connection) {
	ch, err := conn.Channel()
	must(t, err)
	declare(t, ch, "q", nil)
	deliveries := consume(t, ch, "q")
	handled := make(chan int, 1)
	go func() {
		n := 0
		for d := range deliveries {
			if n++; n%100 == 0 {
				time.Sleep(time.Millisecond)
			}
			if n == 1000 {
				handled <- n
			}
			if d.Ack(false) != nil {
				return
			}
		}
	}()
	must(t, b.WaitIdle(t.Context())) // nothing was published
	for range 1000 {
		must(t, ch.Publish("", "q", false, false, amqp.Publishing{}))
	}
	must(t, b.Queue("q").Wait(t.Context(), func(q rabbittest.Queue) bool { return len(q.History()) > 2000 }))
	must(t, b.WaitIdle(t.Context()))
	select {
	case <-handled:
	default:
		t.Errorf("it was taken for idle with %d messages in the queue", b.Queue("q").Len())
	}
}

func TestWhatWaitsForTimeIsIdle(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		ch := channel(t, b)
		declare(t, ch, "q", amqp.Table{"x-message-ttl": int32(60000)})
		must(t, ch.Publish("", "q", false, false, amqp.Publishing{}))
		must(t, b.WaitIdle(t.Context()))
		if n := b.Queue("q").Len(); n != 1 || time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) != 0 {
			t.Errorf("%d messages, and time passed", n)
		}
		began := time.Now()
		must(t, b.Queue("q").WaitLen(t.Context(), 0))
		if took := time.Since(began); took != time.Minute {
			t.Errorf("it waited %v", took)
		}
	})
}

func TestAWaitInVainTellsWhatThereWas(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		ch := channel(t, b)
		declare(t, ch, "q", nil)
		must(t, b.Queue("q").Publish(rabbittest.Message{}))
		consume(t, ch, "q")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for _, err := range []error{b.WaitIdle(ctx), b.Queue("q").WaitLen(ctx, 7)} {
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "queue q: 0 ready, 1 unacked") {
				t.Errorf("the wait ended with %v", err)
			}
		}
	})
}

func TestListenRefusesInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := rabbittest.New(t)
		if _, err := b.Listen("127.0.0.1:0"); !errors.Is(err, rabbittest.ErrBubble) {
			t.Errorf("listen: %v", err)
		}
	})
}

func TestAClosedBrokerSaysSo(t *testing.T) {
	b, err := rabbittest.Start(rabbittest.Options{})
	must(t, err)
	conn := dial(t, b)
	ended := conn.NotifyClose(make(chan *amqp.Error, 1))
	b.Close()
	b.Close()
	if err := <-ended; err.Reason != "EOF" {
		t.Errorf("the client saw %v", err)
	}
	if _, err := b.Dial(t.Context(), "", ""); !errors.Is(err, rabbittest.ErrClosed) {
		t.Errorf("dial: %v", err)
	}
	if _, err := b.Listen("127.0.0.1:0"); !errors.Is(err, rabbittest.ErrClosed) {
		t.Errorf("listen: %v", err)
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	for _, c := range []struct {
		options rabbittest.Options
		want    string
	}{
		{rabbittest.Options{Version: "2.8"}, `Options.Version: no RabbitMQ version "2.8" is known here; there are 3.10, 4.0, 4.3`},
		{rabbittest.Options{Heartbeat: time.Millisecond}, "Options.Heartbeat is not a number of seconds from 0 to 65535: 1ms"},
		{rabbittest.Options{MaxMessageSize: -1}, "Options.MaxMessageSize is negative: -1"},
		{rabbittest.Options{ConsumerTimeout: -1}, "Options.ConsumerTimeout is negative: -1ns"},
	} {
		if _, err := rabbittest.Start(c.options); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
