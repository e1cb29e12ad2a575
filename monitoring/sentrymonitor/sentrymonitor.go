// Package sentrymonitor reports to Sentry what someone must look at: messages that went to the error queue, panics,
// handlers that are stuck, and a broker that refuses.
//
//	err := sentry.Init(sentry.ClientOptions{Dsn: os.Getenv("SENTRY_DSN")})
//	m, err := sentrymonitor.New(sentry.CurrentHub(), sentrymonitor.Config{})
//	defer m.Close(ctx) // after the connection: it sends what is left
//	conn, err := connection.Open(ctx, url, connection.Config{Monitor: monitoring.All(m, monitoring.Log(nil))})
//
// One event is sent for each message that is given up, not for each attempt: a retry is a breadcrumb of the event that
// follows it, if one does. A panic is a fault of the program and is sent each time. Events for the same failure have
// the fingerprint that the entry in the error queue has, and so are one issue.
//
// The handler's context has a hub of its own, for sentry.GetHubFromContext: tags and breadcrumbs that a handler sets are
// on the event of its message, and on no other.
//
// Bodies and headers are not sent, since they may hold anything: see [Config.Body].
package sentrymonitor

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/getsentry/sentry-go"

	"github.com/warren-mq/warren/monitoring"
)

// Config holds what may be left out. Its zero value works.
type Config struct {
	// Body, if set, says what of a message's body an event shows, with the name "body". It must leave out what Sentry
	// must not have. d.Body is shared: it must not be changed.
	Body func(d monitoring.Delivery) any
}

// Monitor sends events to Sentry. It is a [monitoring.Starter], since it lends a hub to each handler. Any number of
// goroutines may use it. It does not block: the SDK sends in the background, and drops what is too much.
type Monitor struct {
	hub   *sentry.Hub
	cfg   Config
	trail trail

	mu      sync.Mutex
	refused map[string]bool // what has been told to be refused, and not been ready since
}

var _ monitoring.Starter = (*Monitor)(nil)

// New returns a monitor that sends with clones of a hub; the hub's own scope is not touched. It is an error if there is
// none: sentry.CurrentHub() is the usual one, after sentry.Init.
func New(hub *sentry.Hub, cfg Config) (*Monitor, error) {
	if hub == nil {
		return nil, errors.New("the Sentry hub is nil")
	}
	return &Monitor{hub: hub, cfg: cfg, refused: map[string]bool{}}, nil
}

// Close sends what is left, until ctx ends. The client stays as it is, since it is not the monitor's. Without a client,
// as before sentry.Init, there is nothing to send.
func (m *Monitor) Close(ctx context.Context) error {
	if m.hub.Client() == nil {
		return nil
	}
	if !m.hub.FlushWithContext(ctx) {
		return errors.New("not everything was sent to Sentry in time")
	}
	return nil
}

// Start gives a handler a hub of its own.
func (m *Monitor) Start(ctx context.Context, op *monitoring.Operation) context.Context {
	if op.Kind != monitoring.Process {
		return ctx
	}
	hub := m.hub.Clone()
	hub.ConfigureScope(func(s *sentry.Scope) {
		s.SetTag("warren.queue", op.Queue)
		s.SetTag("warren.attempt", strconv.Itoa(op.Attempt))
	})
	return sentry.SetHubOnContext(ctx, hub)
}

// Observe sends an event, if there is something to look at.
func (m *Monitor) Observe(ctx context.Context, e monitoring.Event) {
	switch e := e.(type) {
	case monitoring.Acked:
		m.trail.take(e.Delivery)
	case monitoring.Retried:
		if e.Failure == monitoring.FailurePanic {
			m.send(ctx, e.Delivery, m.panicked(e))
		}
		m.trail.add(e)
	case monitoring.Errored:
		m.send(ctx, e.Delivery, m.errored(e))
	case monitoring.Stuck:
		m.send(ctx, e.Delivery, m.stuck(e))
	default:
		m.state(e)
	}
}

// state sends what is about no message: each refusal once.
func (m *Monitor) state(e monitoring.Event) {
	switch e := e.(type) {
	case monitoring.ConsumerReady:
		m.mended("queue " + e.Queue)
	case monitoring.Connected:
		m.mended("connection " + e.Name)
	case monitoring.ConsumerLost:
		if e.Refused && m.isNews("queue "+e.Queue) {
			m.tell("the broker refuses the consumer of "+e.Queue, e.Err, nil, map[string]string{"warren.queue": e.Queue})
		}
	case monitoring.ConsumerStopped:
		if e.Err != nil {
			m.tell("the consumer of "+e.Queue+" has stopped", e.Err, nil, map[string]string{"warren.queue": e.Queue})
		}
	case monitoring.ConsumerOverloaded:
		err := errors.New(strconv.Itoa(e.Stuck) + " handlers are stuck: the consumer takes no more messages")
		m.tell("the consumer of "+e.Queue+" is overloaded", err, nil, map[string]string{"warren.queue": e.Queue})
	case monitoring.DialFailed:
		if e.Refused && m.isNews("connection "+e.Name) {
			m.tell("the broker refuses the connection "+e.Name, e.Err, nil, map[string]string{"warren.connection": e.Name})
		}
	case monitoring.MonitorPanicked:
		if len(e.Stack) > 0 { // it is not each time
			m.tell("the monitor "+e.Monitor+" panics", errors.New(clip(safely(e.Value), maxText)), e.Stack, map[string]string{"warren.monitor": e.Monitor})
		}
	}
}

func (m *Monitor) isNews(what string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	news := !m.refused[what]
	m.refused[what] = true
	return news
}

func (m *Monitor) mended(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.refused, what)
}

// tell sends an event that is about no message.
func (m *Monitor) tell(message string, err error, stack []byte, tags map[string]string) {
	event := sentry.NewEvent()
	event.Level = sentry.LevelError
	event.Logger = "warren"
	event.Message = message
	event.Tags = tags
	event.Exception = exceptions(err, stack)
	event.Fingerprint = []string{"warren", message}
	m.hub.Clone().CaptureEvent(event)
}

// send sends an event about a message, with the hub that its handler had.
func (m *Monitor) send(ctx context.Context, d monitoring.Delivery, event *sentry.Event) {
	hub := sentry.GetHubFromContext(ctx)
	if hub == nil { // no handler ran
		hub = m.hub.Clone()
	}
	event.Contexts["message"] = m.describe(d)
	hub.CaptureEvent(event)
}
