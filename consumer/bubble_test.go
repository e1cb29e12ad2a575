package consumer_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
)

// DESIGN.md, section 7, says how long it may take: go test -run ThreeRetries -count=1000 ./consumer.
func TestThreeRetriesAnHourApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := rabbittest.New(t)
		conn, err := connection.Open(t.Context(), broker.URL(), connection.Config{Dial: broker.Dial, Monitor: silence})
		must(t, err)
		var attempts []time.Time
		handle := func(_ context.Context, m consumer.Message[string]) consumer.Outcome {
			attempts = append(attempts, time.Now())
			if m.Attempt <= 3 {
				return consumer.Retry(errors.New("the bank is down"))
			}
			return consumer.Ack()
		}
		c, err := consumer.New(conn, "orders", handle, consumer.Config{Retry: retry.Fixed(3, time.Hour)})
		must(t, err)
		go func() { _ = c.Run(t.Context()) }()
		<-c.Ready()
		must(t, broker.Queue("orders").Publish(rabbittest.Message{Body: []byte(`"order 7"`)}))
		time.Sleep(3*time.Hour + time.Second)
		synctest.Wait()

		if len(attempts) != 4 {
			t.Fatalf("%d attempts", len(attempts))
		}
		for i := range attempts[1:] {
			if wait := attempts[i+1].Sub(attempts[i]); wait != time.Hour {
				t.Errorf("attempt %d came after %v", i+2, wait)
			}
		}
		if broker.Queue("orders").Len() != 0 || broker.Queue("orders.error").Len() != 0 {
			t.Error("it was not done with")
		}
	})
}
