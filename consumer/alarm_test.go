package consumer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

// Matrix row 10: while the broker takes no messages, a retry waits, unacked, and Health says so though no publish has
// failed yet. What needs no publish goes on. Then it settles, and the handler has run once.
func TestSettlingDuringAnAlarm(t *testing.T) {
	t.Parallel()
	brokers.Alone(t, nil, brokers.Trial{Name: "alarm", Test: testSettlingDuringAnAlarm})
}

func testSettlingDuringAnAlarm(t *testing.T, node *brokers.Node) {
	k := newKit(t, node.Broker)
	runs := make(chan string, 10)
	raised := make(chan struct{})
	r := run(k, func(_ context.Context, m message) consumer.Outcome {
		if m.ID == "retry" {
			<-raised
			runs <- m.ID
			return consumer.Retry(errBank)
		}
		return consumer.Ack()
	}, consumer.Config{Retry: retry.Fixed(1, time.Hour)})
	k.publish(text("retry", "x"))
	for range 20 {
		k.publish(text("ack", "x"))
	}
	node.Alarm()
	close(raised)
	began := time.Now()
	var settle *consumer.SettleError
	eventually(t, "Health to tell", func() bool { return errors.As(r.Health(), &settle) })
	if took := time.Since(began); took < 9*time.Second || took > 20*time.Second || settle.Queue != topology.RetryQueue(k.queue, time.Hour) || settle.Err == nil {
		t.Errorf("after %v: %v", took, settle)
	}
	eventually(t, "the others", func() bool { return len(of[monitoring.Acked](k.events)) == 20 })
	if got := k.events.endings("retry"); got != "" {
		t.Errorf("it ends as %s", got)
	}
	node.Calm()
	eventually(t, "the end", func() bool { return k.events.endings("retry") == "Retried 1" })
	eventually(t, "health", func() bool { return r.Health() == nil })
	if len(runs) != 1 {
		t.Errorf("the handler ran %d times", len(runs))
	}
}
