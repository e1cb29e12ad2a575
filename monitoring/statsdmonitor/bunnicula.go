package statsdmonitor

import (
	"strings"

	"github.com/warren-mq/warren/monitoring"
)

// bunnicula sends what nomnom/bunnicula.monitoring 2.0.3 does: the time of every handler under the queue's name, and
// how it ended. https://github.com/nomnom-insights/nomnom.bunnicula.monitoring (doc/monitoring.md)
func (m *Monitor) bunnicula(e monitoring.Event) {
	d, _, ok := monitoring.EndingOf(e)
	if !ok {
		return
	}
	if d.Handling > 0 {
		_ = m.client.Timing(metric(d.Queue), d.Handling, nil, m.cfg.Rate)
	}
	if result := bunniculaResult(e); result != "" {
		_ = m.client.Count(metric(d.Queue)+"."+result, 1, nil, 1)
	}
}

// bunniculaResult says which of Bunnicula's five results an event is. It counts what a handler said, not what became of
// the message: a retry after the last attempt is a retry. What went back unhandled is none.
func bunniculaResult(e monitoring.Event) string {
	var failure monitoring.Failure
	switch e := e.(type) {
	case monitoring.Acked:
		return "success"
	case monitoring.Deferred:
		return "retry"
	case monitoring.Retried:
		failure = e.Failure
	case monitoring.Errored:
		if e.Reason != monitoring.ReasonExhausted {
			return "error"
		}
		failure = e.Failure
	}
	switch failure {
	case monitoring.FailureReturned:
		return "retry"
	case monitoring.FailureTimeout, monitoring.FailureStuck:
		return "timeout"
	case monitoring.FailurePanic:
		return "fail"
	}
	return ""
}

// metric is a queue's name as that of a metric: what would end it is replaced.
func metric(queue string) string { return strings.ReplaceAll(unsayable.Replace(queue), ":", "_") }
