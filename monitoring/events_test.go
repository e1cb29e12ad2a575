package monitoring_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/monitoring"
)

var errDown = errors.New("bank is down")

// delivery has every field set.
var delivery = monitoring.Delivery{
	Queue:       "orders",
	MessageID:   "m-7",
	Type:        "order.placed",
	Attempt:     2,
	Redelivered: true,
	Exchange:    "shop",
	Key:         "order.new",
	BodySize:    12,
	Body:        []byte(`{"cents":12}`),
	Published:   time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC),
	QueueWait:   1500 * time.Millisecond,
	Handling:    20 * time.Millisecond,
}

const deliveryLine = ` queue=orders message_id=m-7 message_type=order.placed attempt=2 redelivered=true` +
	` exchange=shop key=order.new body_size=12 queue_wait=1.5s handling=20ms`

// plain is a delivery of a message that says as little as possible.
var plain = monitoring.Delivery{Queue: "orders", Attempt: 1, Key: "orders"}

const plainLine = ` queue=orders attempt=1 body_size=0`

// samples is at least one of each event, full and, where that differs, empty,
// with the line that Log writes for it.
var samples = []struct {
	event monitoring.Event
	line  string
}{
	{monitoring.Acked{Delivery: delivery}, `level=DEBUG msg="message acked"` + deliveryLine},
	{monitoring.Acked{Delivery: plain}, `level=DEBUG msg="message acked"` + plainLine},
	{
		monitoring.Retried{
			Delivery: delivery, Failure: monitoring.FailurePanic, Err: errDown, Stack: []byte("goroutine 1"),
			Fingerprint: "f00d", Wait: time.Minute, To: "orders.retry.1m0s",
		},
		`level=WARN msg="message retried"` + deliveryLine +
			` failure=panic error="bank is down" fingerprint=f00d wait=1m0s to=orders.retry.1m0s stack="goroutine 1"`,
	},
	{monitoring.Retried{Delivery: plain}, `level=WARN msg="message retried"` + plainLine + ` wait=0s`},
	{
		monitoring.Deferred{Delivery: delivery, Err: errDown, Wait: time.Minute, To: "orders.retry.1m0s"},
		`level=INFO msg="message deferred"` + deliveryLine + ` error="bank is down" wait=1m0s to=orders.retry.1m0s`,
	},
	{monitoring.Deferred{Delivery: plain}, `level=INFO msg="message deferred"` + plainLine + ` wait=0s`},
	{
		monitoring.Errored{
			Delivery: delivery, Reason: monitoring.ReasonExhausted, Failure: monitoring.FailureTimeout, Err: errDown,
			Stack: []byte("goroutine 1"), Fingerprint: "f00", To: "orders.error",
		},
		`level=ERROR msg="message errored"` + deliveryLine +
			` reason=exhausted failure=timeout error="bank is down" fingerprint=f00 to=orders.error stack="goroutine 1"`,
	},
	{
		monitoring.Errored{Delivery: plain, Reason: monitoring.ReasonCrashed},
		`level=ERROR msg="message errored"` + plainLine + ` reason=crashed`,
	},
	{monitoring.HandedBack{Delivery: delivery}, `level=DEBUG msg="message handed back"` + deliveryLine},
	{
		monitoring.Held{Delivery: delivery, Left: time.Hour, Wait: time.Minute, To: "orders.retry.1m0s"},
		`level=DEBUG msg="message held"` + deliveryLine + ` left=1h0m0s wait=1m0s to=orders.retry.1m0s`,
	},
	{
		monitoring.Lost{Delivery: delivery, Outcome: "ack", Err: errDown},
		`level=WARN msg="message lost"` + deliveryLine + ` outcome=ack error="bank is down"`,
	},
	{
		monitoring.Stuck{
			Delivery: delivery, Running: 40 * time.Second, Stack: []byte("goroutine 1"), Abandoned: 3, Limit: 8,
		},
		`level=ERROR msg="handler stuck"` + deliveryLine + ` running=40s stuck=3 limit=8 stack="goroutine 1"`,
	},
	{
		monitoring.LateOutcome{Delivery: delivery, Outcome: "retry", Err: errDown, After: time.Second},
		`level=WARN msg="late outcome dropped"` + deliveryLine + ` outcome=retry error="bank is down" after=1s`,
	},
	{
		monitoring.SettleFailed{Delivery: delivery, To: "orders.error", Err: errDown, Tries: 3, Next: time.Second},
		`level=WARN msg="settling failed"` + deliveryLine + ` to=orders.error error="bank is down" tries=3 next=1s`,
	},
	{
		monitoring.Published{Exchange: "shop", Key: "order.new", MessageID: "m-7", BodySize: 12, Took: time.Millisecond, Result: monitoring.ResultConfirmed},
		`level=DEBUG msg="message published" exchange=shop key=order.new message_id=m-7 result=confirmed body_size=12 took=1ms`,
	},
	{
		monitoring.Published{Key: "orders", MessageID: "m-7", BodySize: 12, Took: time.Millisecond, Result: monitoring.ResultUnknown, Err: errDown},
		`level=WARN msg="publish failed" key=orders message_id=m-7 result=unknown error="bank is down" body_size=12 took=1ms`,
	},
	{
		monitoring.Connected{Name: "billing/consume", Address: "mq:5672", Version: "4.3.6", Took: time.Millisecond},
		`level=INFO msg=connected connection=billing/consume address=mq:5672 version=4.3.6 took=1ms`,
	},
	{
		monitoring.Disconnected{Name: "billing/consume", Address: "mq:5672", Err: errDown, Lived: time.Hour},
		`level=WARN msg=disconnected connection=billing/consume address=mq:5672 error="bank is down" lived=1h0m0s`,
	},
	{
		monitoring.Disconnected{Name: "billing/consume", Address: "mq:5672", Lived: time.Hour},
		`level=INFO msg=disconnected connection=billing/consume address=mq:5672 lived=1h0m0s`,
	},
	{
		monitoring.DialFailed{Name: "billing/consume", Address: "mq:5672", Err: errDown, Tries: 2, Next: time.Second},
		`level=WARN msg="dial failed" connection=billing/consume address=mq:5672 error="bank is down" tries=2 next=1s`,
	},
	{
		monitoring.DialFailed{Name: "billing", Address: "mq:5672", Err: errDown, Refused: true, Tries: 2, Next: time.Minute},
		`level=ERROR msg="dial refused" connection=billing address=mq:5672 error="bank is down" tries=2 next=1m0s`,
	},
	{
		monitoring.Blocked{Name: "billing/publish", Address: "mq:5672", Reason: "low on memory"},
		`level=WARN msg="publishing blocked" connection=billing/publish address=mq:5672 reason="low on memory"`,
	},
	{
		monitoring.Unblocked{Name: "billing/publish", Address: "mq:5672", After: time.Minute},
		`level=INFO msg="publishing unblocked" connection=billing/publish address=mq:5672 after=1m0s`,
	},
	{
		monitoring.ConsumerReady{Queue: "orders", Consumer: 3, Workers: 8, Prefetch: 16},
		`level=INFO msg="consumer ready" queue=orders workers=8 prefetch=16`,
	},
	{
		monitoring.ConsumerLost{Queue: "orders", Consumer: 3, Err: errDown, Unhandled: 5, Next: time.Second},
		`level=WARN msg="consumer lost" queue=orders error="bank is down" unhandled=5 next=1s`,
	},
	{
		monitoring.ConsumerLost{Queue: "orders", Consumer: 3, Err: errDown, Refused: true, Next: time.Second},
		`level=ERROR msg="consumer refused" queue=orders error="bank is down" unhandled=0 next=1s`,
	},
	{
		monitoring.ConsumerResized{Queue: "orders", Consumer: 3, Workers: 9, Prefetch: 18},
		`level=INFO msg="consumer resized" queue=orders workers=9 prefetch=18`,
	},
	{monitoring.ConsumerPaused{Queue: "orders", Consumer: 3}, `level=INFO msg="consumer paused" queue=orders`},
	{monitoring.ConsumerResumed{Queue: "orders", Consumer: 3}, `level=INFO msg="consumer resumed" queue=orders`},
	{monitoring.ConsumerOverloaded{Queue: "orders", Consumer: 3, Stuck: 8}, `level=ERROR msg="consumer overloaded" queue=orders stuck=8`},
	{monitoring.ConsumerStopping{Queue: "orders", Consumer: 3, Running: 3}, `level=INFO msg="consumer stopping" queue=orders handlers=3`},
	{
		monitoring.ConsumerStopped{Queue: "orders", Consumer: 3, Took: time.Second},
		`level=INFO msg="consumer stopped" queue=orders took=1s`,
	},
	{
		monitoring.ConsumerStopped{Queue: "orders", Consumer: 3, Err: errDown, Took: time.Second},
		`level=ERROR msg="consumer failed" queue=orders error="bank is down" took=1s`,
	},
	{
		monitoring.QueuesDeclared{Queue: "orders", Count: 5, Took: 30 * time.Millisecond},
		`level=DEBUG msg="queues declared" queue=orders count=5 took=30ms`,
	},
	{
		monitoring.WaitingChosen{Queue: "orders", Consumer: 3, Waiting: "tiers", Reason: "RabbitMQ 4.0.5 is older than 4.3"},
		`level=INFO msg="waiting chosen" queue=orders waiting=tiers reason="RabbitMQ 4.0.5 is older than 4.3"`,
	},
	{monitoring.WaitingChosen{Queue: "orders", Waiting: "native"}, `level=INFO msg="waiting chosen" queue=orders waiting=native`},
	{
		monitoring.HeaderIgnored{Queue: "orders", MessageID: "m-7", Header: "warren-attempt"},
		`level=WARN msg="header ignored" queue=orders message_id=m-7 header=warren-attempt`,
	},
	{
		monitoring.Reviewed{
			Queue: "orders", ErrorQueue: "orders.error", Action: "replay", Filter: "reason=exhausted", To: "orders", By: "ann@desk",
			Run: "r-1", Matched: 9, Done: 5, Failed: 1, Left: 3, Took: time.Second, Err: errDown,
		},
		`level=WARN msg="error queue reviewed" queue=orders error_queue=orders.error action=replay filter="reason=exhausted"` +
			` to=orders by=ann@desk run=r-1 matched=9 done=5 failed=1 remaining=3 took=1s error="bank is down"`,
	},
	{
		monitoring.Reviewed{Queue: "orders", ErrorQueue: "orders.error", Action: "discard", Filter: "all", Matched: 1, Failed: 1},
		`level=WARN msg="error queue reviewed" queue=orders error_queue=orders.error action=discard filter=all` +
			` matched=1 done=0 failed=1 remaining=0 took=0s`,
	},
	{
		monitoring.Reviewed{Queue: "orders", ErrorQueue: "orders.error", Action: "discard", Filter: "all", DryRun: true, Matched: 2, Left: 2},
		`level=INFO msg="error queue reviewed" queue=orders error_queue=orders.error action=discard filter=all dry_run=true` +
			` matched=2 done=0 failed=0 remaining=2 took=0s`,
	},
	{
		monitoring.MonitorPanicked{
			Monitor: "*stats.Monitor", Event: "monitoring.Acked", Value: "no map", Stack: []byte("goroutine 1"), Count: 4,
		},
		`level=ERROR msg="monitor panicked" monitor=*stats.Monitor event=monitoring.Acked panic="no map" count=4` +
			` stack="goroutine 1"`,
	},
	{monitoring.MonitorPanicked{Monitor: "*stats.Monitor", Value: "no map", Count: 5}, ``},
}

func TestSamplesHaveEveryEventOfThePackage(t *testing.T) {
	sampled := map[string]bool{}
	for _, s := range samples {
		sampled[reflect.TypeOf(s.event).Name()] = true
	}
	declared := eventTypes(t)
	if len(declared) < 20 {
		t.Fatalf("found only %v in the source: has the way to seal Event changed?", declared)
	}
	for _, name := range declared {
		if !sampled[name] {
			t.Errorf("no sample of the event %s: add it to samples, with the line that Log writes", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sampled)) {
		if !slices.Contains(declared, name) {
			t.Errorf("%s is sampled and not among the events found in the source", name)
		}
	}
}

// A field that no sample sets is a field whose place in the log nobody checks.
func TestSamplesSetEveryFieldOfEveryEvent(t *testing.T) {
	set := map[string]bool{}
	for _, s := range samples {
		v := reflect.ValueOf(s.event)
		for i := range v.NumField() {
			name := v.Type().Name() + "." + v.Type().Field(i).Name
			set[name] = set[name] || !v.Field(i).IsZero()
		}
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if !set[name] {
			t.Errorf("no sample sets %s", name)
		}
	}
	for i, v := 0, reflect.ValueOf(delivery); i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("the delivery of the samples does not set %s", v.Type().Field(i).Name)
		}
	}
}

// eventTypes is the receivers of all methods named event in the package.
func eventTypes(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, file := range parsePackage(t) {
		for _, decl := range file.Decls {
			method, ok := decl.(*ast.FuncDecl)
			if !ok || method.Recv == nil || method.Name.Name != "event" {
				continue
			}
			receiver, ok := method.Recv.List[0].Type.(*ast.Ident)
			if !ok {
				t.Fatalf("an event with a receiver that is no plain type, at %d", method.Pos())
			}
			names = append(names, receiver.Name)
		}
	}
	return names
}

// parsePackage is the source of this package without its tests, by file.
func parsePackage(t *testing.T) map[string]*ast.File {
	t.Helper()
	source := os.DirFS(".")
	names, err := fs.Glob(source, "*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := fs.ReadFile(source, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name], err = parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}
