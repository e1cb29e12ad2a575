package monitoring_test

import (
	"log/slog"
	"testing"

	"github.com/warren-mq/warren/monitoring"
)

// What it costs to tell of a message that was acknowledged, and of one that is
// retried, the event itself included.
func BenchmarkDutyObserve(b *testing.B) {
	warn := monitoring.Log(slog.New(slog.NewJSONHandler(drain{}, &slog.HandlerOptions{Level: slog.LevelWarn})))
	for _, to := range []struct {
		name    string
		monitor monitoring.Monitor
	}{
		{"Discard", monitoring.All(monitoring.Discard{})},
		{"Log-at-warn", monitoring.All(warn)},
		{"both", monitoring.All(monitoring.Discard{}, warn)},
	} {
		b.Run("to="+to.name+"/event=Acked", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				to.monitor.Observe(b.Context(), monitoring.Acked{Delivery: delivery})
			}
		})
		b.Run("to="+to.name+"/event=Retried", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				to.monitor.Observe(b.Context(), monitoring.Retried{Delivery: delivery, Failure: monitoring.FailureReturned, Err: errDown})
			}
		})
	}
}

// drain is a log that goes nowhere, but is written.
type drain struct{}

func (drain) Write(p []byte) (int, error) { return len(p), nil }
