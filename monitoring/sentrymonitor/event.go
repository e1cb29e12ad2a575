package sentrymonitor

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/getsentry/sentry-go"

	"github.com/warren-mq/warren/monitoring"
)

// about returns an event about a message.
func about(d monitoring.Delivery, err error, stack []byte) *sentry.Event {
	event := sentry.NewEvent()
	event.Level = sentry.LevelError
	event.Logger = "warren"
	event.Transaction = d.Queue
	event.Tags = map[string]string{"warren.queue": d.Queue, "warren.attempt": strconv.Itoa(d.Attempt)}
	if d.Type != "" {
		event.Tags["warren.type"] = d.Type
	}
	event.Exception = exceptions(err, stack)
	return event
}

func (m *Monitor) errored(e monitoring.Errored) *sentry.Event {
	event := about(e.Delivery, e.Err, e.Stack)
	event.Tags["warren.reason"] = string(e.Reason)
	if e.Failure != 0 {
		event.Tags["warren.failure"] = e.Failure.String()
	}
	event.Fingerprint = fingerprint(e.Queue, e.Fingerprint)
	event.Breadcrumbs = m.trail.take(e.Delivery)
	event.Extra = map[string]any{"error_queue": e.To}
	return event
}

// fingerprint makes one issue of the failures of a queue that have the same. Without one, Sentry decides.
func fingerprint(queue, of string) []string {
	if of == "" {
		return nil
	}
	return []string{"warren", queue, of}
}

func (m *Monitor) panicked(e monitoring.Retried) *sentry.Event {
	event := about(e.Delivery, e.Err, e.Stack)
	event.Tags["warren.failure"] = e.Failure.String()
	event.Fingerprint = fingerprint(e.Queue, e.Fingerprint)
	event.Extra = map[string]any{"retry_queue": e.To, "wait": e.Wait.String()}
	return event
}

func (m *Monitor) stuck(e monitoring.Stuck) *sentry.Event {
	event := about(e.Delivery, fmt.Errorf("the handler ignores the end of its context: it has been running for %v", e.Running.Round(time.Second)), e.Stack)
	event.Tags["warren.failure"] = monitoring.FailureStuck.String()
	event.Fingerprint = []string{"warren", e.Queue, "stuck"}
	return event
}

// describe is what an event shows of a message.
func (m *Monitor) describe(d monitoring.Delivery) sentry.Context {
	c := sentry.Context{"id": d.MessageID, "attempt": d.Attempt, "redelivered": d.Redelivered, "body_size": d.BodySize}
	if d.Exchange != "" || d.Key != d.Queue {
		c["exchange"], c["key"] = d.Exchange, d.Key
	}
	if !d.Published.IsZero() {
		c["published"] = d.Published.UTC().Format(time.RFC3339)
	}
	if d.QueueWait > 0 {
		c["queue_wait"] = d.QueueWait.String()
	}
	if d.Handling > 0 {
		c["handling"] = d.Handling.String()
	}
	if m.cfg.Body != nil {
		c["body"] = m.body(d)
	}
	return c
}

// body is what the redactor makes of a body. If that panics, or cannot be sent, the event is sent without.
func (m *Monitor) body(d monitoring.Delivery) (v any) {
	defer func() {
		if p := recover(); p != nil {
			v = "Config.Body has panicked: " + clip(safely(p), maxText)
		}
	}()
	v = m.cfg.Body(d)
	if _, err := json.Marshal(v); err != nil {
		return "what Config.Body returned cannot be sent: " + clip(err.Error(), maxText)
	}
	return v
}

// safely writes a value whose methods may panic.
func safely(v any) (s string) {
	defer func() {
		if recover() != nil {
			s = fmt.Sprintf("a %T", v)
		}
	}()
	return fmt.Sprint(v)
}
