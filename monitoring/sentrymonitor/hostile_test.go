package sentrymonitor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/getsentry/sentry-go"

	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/sentrymonitor"
)

// A redactor that fails must not keep an event from being sent.
func TestARedactorThatFails(t *testing.T) {
	for want, body := range map[string]func(monitoring.Delivery) any{
		"Config.Body has panicked: at the body":          func(monitoring.Delivery) any { panic("at the body") },
		"what Config.Body returned cannot be sent: json": func(monitoring.Delivery) any { return func() {} },
	} {
		m, transport := newMonitor(t, sentrymonitor.Config{Body: body})
		m.Observe(t.Context(), monitoring.Errored{Delivery: delivery, Err: errors.New("no")})
		events := transport.Events()
		if len(events) != 1 {
			t.Fatalf("%d events", len(events))
		}
		if got := fmt.Sprint(events[0].Contexts["message"]["body"]); !strings.HasPrefix(got, want) {
			t.Errorf("the body is %q", got)
		}
		if _, err := json.Marshal(events[0]); err != nil {
			t.Error(err)
		}
	}
}

// broken is an error none of whose methods works.
type broken struct{ cause *fmt.Stringer }

func (b broken) Error() string { return (*b.cause).String() }
func (b broken) Unwrap() error { return errors.New((*b.cause).String()) }

// endless is an error that wraps itself.
type endless struct{}

func (e endless) Error() string   { return "again" }
func (e endless) Unwrap() []error { return []error{e, e, nil} }

func TestWhatErrorsWrap(t *testing.T) {
	for want, err := range map[string]error{
		"declined: 51 < undecodable < undecodable: declined: 51": fmt.Errorf("%w: %w", errors.New("undecodable"), declined{51}),
		"b < a < a\nb":                          errors.Join(errors.New("a"), errors.New("b")),
		"sentrymonitor_test.broken":             broken{},
		strings.Repeat("again < ", 9) + "again": endless{},
	} {
		m, transport := newMonitor(t, sentrymonitor.Config{})
		m.Observe(t.Context(), monitoring.Errored{Delivery: delivery, Err: err})
		events := transport.Events()
		if len(events) != 1 {
			t.Fatalf("%s: %d events", want, len(events))
		}
		var list []string
		for _, x := range events[0].Exception {
			list = append(list, x.Value)
		}
		if got := strings.Join(list, " < "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAMonitorThatPanicsShowsWhere(t *testing.T) {
	m, transport := newMonitor(t, sentrymonitor.Config{})
	all := monitoring.All(m, monitoring.Func(func(context.Context, monitoring.Event) { breaks(nil) }))
	all.Observe(t.Context(), monitoring.Acked{Delivery: delivery})
	x := transport.Events()[0].Exception[0]
	if x.Stacktrace == nil {
		t.Fatal("there is no stack")
	}
	if last := x.Stacktrace.Frames[len(x.Stacktrace.Frames)-1]; last.Function != "breaks" {
		t.Errorf("the innermost frame is %+v", last)
	}
}

// Before sentry.Init there is nothing to send, and so nothing that was not sent.
func TestCloseWithoutAClient(t *testing.T) {
	m, err := sentrymonitor.New(sentry.NewHub(nil, sentry.NewScope()), sentrymonitor.Config{})
	must(t, err)
	m.Observe(t.Context(), monitoring.Errored{Delivery: delivery, Err: errors.New("no")})
	must(t, m.Close(t.Context()))
}
