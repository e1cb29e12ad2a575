package sentrymonitor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/getsentry/sentry-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/sentrymonitor"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// newMonitor returns a monitor whose events go to the SDK's own mock.
func newMonitor(t *testing.T, cfg sentrymonitor.Config) (*sentrymonitor.Monitor, *sentry.MockTransport) {
	t.Helper()
	transport := &sentry.MockTransport{}
	client, err := sentry.NewClient(sentry.ClientOptions{
		Dsn: "https://key@sentry.invalid/1", Transport: transport, Release: "1.2.3", AttachStacktrace: true,
		DisableTelemetryBuffer: true,
	})
	must(t, err)
	m, err := sentrymonitor.New(sentry.NewHub(client, sentry.NewScope()), cfg)
	must(t, err)
	return m, transport
}

var delivery = monitoring.Delivery{
	Queue: "orders", MessageID: "m-7", Type: "order", Attempt: 4, Key: "orders", BodySize: 7, Body: []byte("secret!"),
	Published: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), QueueWait: time.Second, Handling: 40 * time.Millisecond,
}

type declined struct{ code int }

func (d declined) Error() string { return fmt.Sprintf("declined: %d", d.code) }

func TestWhatAGivenUpMessageSends(t *testing.T) {
	m, transport := newMonitor(t, sentrymonitor.Config{})
	retried := monitoring.Retried{Delivery: delivery, Failure: monitoring.FailureReturned, Err: errors.New("the bank is down"), Wait: time.Minute}
	retried.Attempt = 1
	m.Observe(t.Context(), retried)
	retried.Attempt = 2
	m.Observe(t.Context(), retried)
	other := retried
	other.MessageID = "m-8"
	m.Observe(t.Context(), other)
	ctx := m.Start(t.Context(), &monitoring.Operation{Kind: monitoring.Process, Queue: "orders", Attempt: 4})
	sentry.GetHubFromContext(ctx).Scope().SetTag("tenant", "acme") // as a handler may
	m.Observe(ctx, monitoring.Errored{
		Delivery: delivery, Reason: monitoring.ReasonExhausted, Failure: monitoring.FailureReturned,
		Err: fmt.Errorf("charge: %w", declined{51}), Fingerprint: "f00d", To: "orders.error",
	})
	if n := len(transport.Events()); n != 1 {
		t.Fatalf("%d events were sent", n)
	}
	e := transport.Events()[0]
	for name, want := range map[string]string{
		"warren.queue": "orders", "warren.attempt": "4", "warren.reason": "exhausted", "warren.failure": "returned", "warren.type": "order", "tenant": "acme",
	} {
		if e.Tags[name] != want {
			t.Errorf("tag %s is %q, want %q", name, e.Tags[name], want)
		}
	}
	if !slices.Equal(e.Fingerprint, []string{"warren", "orders", "f00d"}) || e.Level != sentry.LevelError || e.Release != "1.2.3" {
		t.Errorf("fingerprint %v, level %s, release %s", e.Fingerprint, e.Level, e.Release)
	}
	if len(e.Exception) != 2 || e.Exception[0].Type != "sentrymonitor_test.declined" || e.Exception[1].Value != "charge: declined: 51" {
		t.Errorf("exceptions: %+v", e.Exception)
	}
	for _, x := range e.Exception {
		if x.Stacktrace != nil {
			t.Error("it shows a stack that has nothing to do with it")
		}
	}
	var crumbs []string
	for _, b := range e.Breadcrumbs {
		crumbs = append(crumbs, fmt.Sprint(b.Message, " ", b.Data["attempt"]))
	}
	if !slices.Equal(crumbs, []string{"the bank is down 1", "the bank is down 2"}) {
		t.Errorf("breadcrumbs: %v", crumbs)
	}
	message := e.Contexts["message"]
	if message["id"] != "m-7" || message["published"] != "2026-01-02T03:04:05Z" || message["queue_wait"] != "1s" {
		t.Errorf("the message is %v", message)
	}
	wire, err := json.Marshal(e)
	must(t, err)
	if strings.Contains(string(wire), "secret!") {
		t.Errorf("it sends the body: %s", wire)
	}
}

func TestTheBodyIsSentByARedactor(t *testing.T) {
	m, transport := newMonitor(t, sentrymonitor.Config{Body: func(d monitoring.Delivery) any { return fmt.Sprintf("%d bytes", len(d.Body)) }})
	m.Observe(t.Context(), monitoring.Errored{Delivery: delivery, Reason: monitoring.ReasonUndecodable, Err: errors.New("not JSON")})
	if got := transport.Events()[0].Contexts["message"]["body"]; got != "7 bytes" {
		t.Errorf("the body is %v", got)
	}
}

func TestWhatIsNoMessage(t *testing.T) {
	down := errors.New("403 ACCESS_REFUSED")
	m, transport := newMonitor(t, sentrymonitor.Config{})
	for _, e := range []monitoring.Event{
		monitoring.ConsumerLost{Queue: "a", Err: down, Refused: true},
		monitoring.ConsumerLost{Queue: "a", Err: down, Refused: true}, // again: no news
		monitoring.ConsumerReady{Queue: "a"},
		monitoring.ConsumerLost{Queue: "a", Err: down, Refused: true}, // news
		monitoring.ConsumerLost{Queue: "a", Err: down},                // mends itself
		monitoring.DialFailed{Name: "shop", Err: down, Refused: true},
		monitoring.DialFailed{Name: "shop", Err: down, Refused: true},
		monitoring.DialFailed{Name: "other", Err: down},
		monitoring.Connected{Name: "shop"},
		monitoring.ConsumerStopped{Queue: "a"},
		monitoring.ConsumerStopped{Queue: "b", Err: down},
		monitoring.ConsumerOverloaded{Queue: "c", Stuck: 8},
		monitoring.MonitorPanicked{Monitor: "*m.M", Value: "boom", Stack: []byte("x")},
		monitoring.MonitorPanicked{Monitor: "*m.M", Value: "boom"},
		monitoring.Acked{Delivery: delivery},
		monitoring.Published{Err: down},                                         // the caller has it
		monitoring.Reviewed{Queue: "a", Action: "replay", Failed: 1, Err: down}, // and so has this one
	} {
		m.Observe(t.Context(), e)
	}
	var got []string
	for _, e := range transport.Events() {
		got = append(got, e.Message+": "+e.Exception[len(e.Exception)-1].Value)
	}
	want := []string{
		"the broker refuses the consumer of a: 403 ACCESS_REFUSED",
		"the broker refuses the consumer of a: 403 ACCESS_REFUSED",
		"the broker refuses the connection shop: 403 ACCESS_REFUSED",
		"the consumer of b has stopped: 403 ACCESS_REFUSED",
		"the consumer of c is overloaded: 8 handlers are stuck: the consumer takes no more messages",
		"the monitor *m.M panics: boom",
	}
	if !slices.Equal(got, want) {
		t.Errorf("sent\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// breaks is a function to be found in a stack.
func breaks(m map[string]int) { m["x"] = 1 }

// A consumer on a broker, in virtual time: a panic is sent with the stack of the handler.
func TestAPanicShowsWhereItWas(t *testing.T) {
	m, transport := newMonitor(t, sentrymonitor.Config{}) // the SDK has goroutines of its own, that never end
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		b := rabbittest.New(t)
		conn, err := connection.Open(ctx, b.URL(), connection.Config{Dial: b.Dial, Monitor: m})
		must(t, err)
		handle := func(ctx context.Context, _ consumer.Message[string]) consumer.Outcome {
			sentry.GetHubFromContext(ctx).AddBreadcrumb(&sentry.Breadcrumb{Message: "about to break"}, nil)
			breaks(nil)
			return consumer.Ack()
		}
		c, err := consumer.New(conn, "orders", handle, consumer.Config{Retry: retry.Fixed(1, time.Minute)})
		must(t, err)
		go func() { _ = c.Run(ctx) }()
		<-c.Ready()
		must(t, b.Queue("orders").Publish(rabbittest.Message{MessageID: "1", Body: []byte(`"x"`)}))
		must(t, b.Queue("orders.error").WaitLen(ctx, 1))
		synctest.Wait()
		events := transport.Events()
		if len(events) != 2 {
			t.Fatalf("%d events", len(events))
		}
		for i, e := range events {
			x := e.Exception[len(e.Exception)-1]
			if x.Stacktrace == nil {
				t.Fatalf("event %d has no stack: %+v", i, x)
			}
			last := x.Stacktrace.Frames[len(x.Stacktrace.Frames)-1]
			if last.Function != "breaks" || !last.InApp || last.Filename != "sentrymonitor_test.go" || last.Lineno == 0 {
				t.Errorf("event %d: the innermost frame is %+v", i, last)
			}
			if !strings.Contains(x.Value, "nil map") {
				t.Errorf("event %d: %s", i, x.Value)
			}
			if !slices.Equal(e.Fingerprint, events[0].Fingerprint) || len(e.Fingerprint) != 3 {
				t.Errorf("event %d: the fingerprint is %v", i, e.Fingerprint)
			}
			if e.Tags["warren.failure"] != "panic" || e.Tags["warren.attempt"] != fmt.Sprint(i+1) {
				t.Errorf("event %d: tags %v", i, e.Tags)
			}
		}
		var crumbs []string
		for _, b := range events[1].Breadcrumbs {
			crumbs = append(crumbs, b.Category+b.Message)
		}
		if len(crumbs) != 2 || !strings.HasPrefix(crumbs[0], "warren.retry") || crumbs[1] != "about to break" {
			t.Errorf("breadcrumbs of the last event: %v", crumbs)
		}
	})
}

func TestAStuckHandlerShowsWhereItIs(t *testing.T) {
	m, transport := newMonitor(t, sentrymonitor.Config{})
	stack := "goroutine 12 [sleep]:\ntime.Sleep(0x1)\n\t/usr/local/go/src/runtime/time.go:300 +0xf\n" +
		"example.com/shop/billing.(*Bank).Charge(0xc000, {0x1, 0x2})\n\t/src/shop/billing/bank.go:42 +0x1b\n" +
		"created by github.com/warren-mq/warren/consumer.(*pool).fill in goroutine 7\n\t/src/warren/consumer/pool.go:9 +0x1\n"
	m.Observe(t.Context(), monitoring.Stuck{Delivery: delivery, Running: 90 * time.Second, Stack: []byte(stack)})
	frames := transport.Events()[0].Exception[0].Stacktrace.Frames
	if len(frames) != 3 || frames[1].Module != "example.com/shop/billing" || frames[1].Function != "(*Bank).Charge" ||
		frames[1].AbsPath != "/src/shop/billing/bank.go" || frames[1].Lineno != 42 || !frames[1].InApp || frames[0].InApp || frames[2].InApp {
		t.Errorf("frames: %+v", frames)
	}
}

func TestTheTrailIsBounded(t *testing.T) {
	m, transport := newMonitor(t, sentrymonitor.Config{})
	for i := range 3000 {
		d := delivery
		d.MessageID = fmt.Sprint(i)
		for range 30 {
			m.Observe(t.Context(), monitoring.Retried{Delivery: d, Failure: monitoring.FailureReturned, Err: errors.New("no")})
		}
	}
	for i, want := range map[int]int{0: 0, 1999: 0, 2000: 20, 2999: 20} {
		d := delivery
		d.MessageID = fmt.Sprint(i)
		m.Observe(t.Context(), monitoring.Errored{Delivery: d, Err: errors.New("no")})
		events := transport.Events()
		if n := len(events[len(events)-1].Breadcrumbs); n != want {
			t.Errorf("message %d has %d breadcrumbs, want %d", i, n, want)
		}
	}
}

func TestANilHubIsAnError(t *testing.T) {
	if _, err := sentrymonitor.New(nil, sentrymonitor.Config{}); err == nil || err.Error() != "the Sentry hub is nil" {
		t.Errorf("got %v", err)
	}
}

// docs/monitoring.md names every tag, context and extra.
func TestThePageNamesEveryTag(t *testing.T) {
	page, err := os.ReadFile("../../docs/monitoring.md")
	must(t, err)
	for _, file := range []string{"sentrymonitor.go", "event.go", "trail.go"} {
		source, err := os.ReadFile(file)
		must(t, err)
		for _, name := range regexp.MustCompile(`"(warren\.[a-z]+)"|c\["([a-z_]+)"\]|"([a-z_]+)": `).FindAllStringSubmatch(string(source), -1) {
			if want := strings.Join(name[1:], ""); !strings.Contains(string(page), want) {
				t.Errorf("the page lacks %s", want)
			}
		}
	}
}
