package prommonitor_test

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/prommonitor"
)

var (
	dutyDelivery = monitoring.Delivery{Queue: "orders", MessageID: "m", Attempt: 1, QueueWait: time.Millisecond, Handling: 3 * time.Millisecond, BodySize: 256}
	dutyEvents   = map[string]monitoring.Event{
		"Acked":   monitoring.Acked{Delivery: dutyDelivery},
		"Retried": monitoring.Retried{Delivery: dutyDelivery, Failure: monitoring.FailureReturned, Err: errors.New("the bank is down"), Wait: time.Second},
	}
)

// Start and Observe for one message.
func BenchmarkDutyObserve(b *testing.B) {
	m, err := prommonitor.New(prometheus.NewRegistry(), prommonitor.Config{})
	if err != nil {
		b.Fatal(err)
	}
	op := &monitoring.Operation{Kind: monitoring.Process, Queue: "orders", Attempt: 1}
	for name, e := range dutyEvents {
		b.Run("event="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Observe(m.Start(b.Context(), op), e)
			}
		})
	}
}
