package monitoring_test

import (
	"testing"

	"github.com/warren-mq/warren/monitoring"
)

// Dashboards, and the header warren-reason, hold these texts.
func TestTextsOfTheConstants(t *testing.T) {
	for want, got := range map[string]string{
		"process":     monitoring.Process.String(),
		"publish":     monitoring.Publish.String(),
		"unknown":     monitoring.OperationKind(0).String(),
		"returned":    monitoring.FailureReturned.String(),
		"timeout":     monitoring.FailureTimeout.String(),
		"panic":       monitoring.FailurePanic.String(),
		"stuck":       monitoring.FailureStuck.String(),
		"":            monitoring.Failure(0).String(),
		"rejected":    string(monitoring.ReasonRejected),
		"exhausted":   string(monitoring.ReasonExhausted),
		"undecodable": string(monitoring.ReasonUndecodable),
		"invalid":     string(monitoring.ReasonInvalid),
		"crashed":     string(monitoring.ReasonCrashed),
		"expired":     string(monitoring.ReasonExpired),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDiscardIgnoresEverything(t *testing.T) {
	for _, s := range samples {
		monitoring.Discard{}.Observe(t.Context(), s.event)
	}
}
