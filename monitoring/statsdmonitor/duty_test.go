package statsdmonitor_test

import (
	"errors"
	"testing"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"

	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/statsdmonitor"
)

// Start and Observe for one message. The client gathers what goes to the agent
// in packets; here it throws them away.
func BenchmarkDutyObserve(b *testing.B) {
	client, err := statsd.NewWithWriter(discard{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	m, err := statsdmonitor.New(client, statsdmonitor.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = m.Close() })
	d := monitoring.Delivery{Queue: "orders", MessageID: "m", Attempt: 1, QueueWait: time.Millisecond, Handling: 3 * time.Millisecond, BodySize: 256}
	op := &monitoring.Operation{Kind: monitoring.Process, Queue: "orders", Attempt: 1}
	for name, e := range map[string]monitoring.Event{
		"Acked":   monitoring.Acked{Delivery: d},
		"Retried": monitoring.Retried{Delivery: d, Failure: monitoring.FailureReturned, Err: errors.New("the bank is down"), Wait: time.Second},
	} {
		b.Run("event="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Observe(m.Start(b.Context(), op), e)
			}
		})
	}
}

// discard is a connection to an agent that is not there.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close() error                { return nil }
