package consumertest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/consumer/consumertest"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
)

// order is the body of most messages.
type order struct {
	ID    string
	Cents int
}

func (o order) Validate() error {
	if o.Cents < 0 {
		return errors.New("cents are negative")
	}
	return nil
}

var errBank = errors.New("the bank is down")

func says(o consumer.Outcome) consumer.Handler[order] {
	return func(context.Context, consumer.Message[order]) consumer.Outcome { return o }
}

// absent is a codec that cannot do its work now.
type absent struct{ codec.JSON }

func (absent) Decode([]byte, any) error {
	return fmt.Errorf("%w: the registry is down", codec.ErrUnavailable)
}

// What follows from what a handler says, or does instead, at which attempt.
func TestWhatBecomesOfIt(t *testing.T) {
	policy := retry.Steps(time.Second, time.Minute)
	yesterday := time.Now().Add(-25 * time.Hour).UnixMilli()
	for name, test := range map[string]struct {
		handler consumer.Handler[order]
		message consumer.Message[order]
		cfg     consumer.Config
		want    string // Result.String
		to      string
		failure monitoring.Failure
		runs    int
	}{
		"ack":           {handler: says(consumer.Ack()), want: "acked", runs: 1},
		"first retry":   {handler: says(consumer.Retry(errBank)), want: "retried after 1s: the bank is down", to: "q.retry.1s", failure: monitoring.FailureReturned, runs: 1},
		"zero outcome":  {handler: says(consumer.Outcome{}), want: "retried after 1s", to: "q.retry.1s", failure: monitoring.FailureReturned, runs: 1},
		"second retry":  {handler: says(consumer.Retry(errBank)), message: consumer.Message[order]{Attempt: 2}, want: "retried after 1m0s: the bank is down", to: "q.retry.1m0s", failure: monitoring.FailureReturned, runs: 1},
		"last attempt":  {handler: says(consumer.Retry(errBank)), message: consumer.Message[order]{Attempt: 3}, want: "errored, exhausted: the bank is down", to: "q.error", failure: monitoring.FailureReturned, runs: 1},
		"error":         {handler: says(consumer.Error(errBank)), want: "errored, rejected: the bank is down", to: "q.error", failure: monitoring.FailureReturned, runs: 1},
		"retry after":   {handler: says(consumer.RetryAfter(time.Hour, nil)), want: "retried after 1h0m0s", to: "q.retry.20m0s", failure: monitoring.FailureReturned, runs: 1},
		"too many":      {handler: says(consumer.RetryAfter(time.Hour, nil)), message: consumer.Message[order]{Attempt: 3}, want: "errored, exhausted", to: "q.error", failure: monitoring.FailureReturned, runs: 1},
		"defer":         {handler: says(consumer.Defer(30*time.Second, errBank)), message: consumer.Message[order]{Attempt: 3}, want: "deferred for 30s: the bank is down", to: "q.retry.30s", runs: 1},
		"panic":         {handler: func(context.Context, consumer.Message[order]) consumer.Outcome { panic("boom") }, want: "retried after 1s: panic: boom", to: "q.retry.1s", failure: monitoring.FailurePanic, runs: 1},
		"panic at last": {handler: func(context.Context, consumer.Message[order]) consumer.Outcome { panic(errBank) }, message: consumer.Message[order]{Attempt: 3}, want: "errored, exhausted: panic: the bank is down", to: "q.error", failure: monitoring.FailurePanic, runs: 1},
		"goexit": {handler: func(context.Context, consumer.Message[order]) consumer.Outcome {
			runtime.Goexit()
			return consumer.Ack()
		}, want: "retried after 1s: the handler ended its goroutine (runtime.Goexit)", to: "q.retry.1s", failure: monitoring.FailurePanic, runs: 1},
		"immediate":     {handler: says(consumer.Retry(errBank)), cfg: consumer.Config{Immediate: 2}, want: "retried after 1s: the bank is down", to: "q.retry.1s", failure: monitoring.FailureReturned, runs: 3},
		"not immediate": {handler: says(consumer.Retry(errBank)), message: consumer.Message[order]{Attempt: 2}, cfg: consumer.Config{Immediate: 2}, want: "retried after 1m0s: the bank is down", to: "q.retry.1m0s", failure: monitoring.FailureReturned, runs: 1},
		"undecodable":   {handler: says(consumer.Ack()), message: consumer.Message[order]{Raw: []byte(`{"ID":7}`)}, want: "errored, undecodable: the body cannot be decoded: ", to: "q.error"},
		"empty":         {handler: says(consumer.Ack()), message: consumer.Message[order]{Raw: []byte{}}, want: "errored, undecodable: the body cannot be decoded: ", to: "q.error"},
		"not now":       {handler: says(consumer.Ack()), message: consumer.Message[order]{Raw: []byte("?")}, cfg: consumer.Config{Codec: absent{}}, want: "retried after 1s: the body cannot be decoded: not available now: the registry is down", to: "q.retry.1s", failure: monitoring.FailureReturned},
		"never":         {handler: says(consumer.Ack()), message: consumer.Message[order]{Raw: []byte("?"), Attempt: 3}, cfg: consumer.Config{Codec: absent{}}, want: "errored, exhausted: the body cannot be decoded: not available now: the registry is down", to: "q.error", failure: monitoring.FailureReturned},
		"invalid":       {handler: says(consumer.Ack()), message: consumer.Message[order]{Body: order{Cents: -1}}, want: "errored, invalid: the body is invalid: cents are negative", to: "q.error"},
		"invalid raw":   {handler: says(consumer.Ack()), message: consumer.Message[order]{Raw: []byte(`{"Cents":-1}`)}, want: "errored, invalid: the body is invalid: cents are negative", to: "q.error"},
		"expired": {
			handler: says(consumer.Defer(time.Second, errBank)),
			message: consumer.Message[order]{Headers: map[string]any{"warren-queue": "q", "warren-deferred-since": yesterday}},
			want:    "errored, expired: deferred again and again for 25h0m", to: "q.error", failure: monitoring.FailureReturned, runs: 1,
		},
		"crashed": {
			handler: says(consumer.Ack()),
			message: consumer.Message[order]{Redelivered: true, Headers: map[string]any{"x-delivery-count": 10}},
			want:    "errored, crashed: 10 deliveries ended with a dead process or connection", to: "q.error",
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.cfg.Retry = policy
			test.message.Queue = "q"
			out := consumertest.RunMessage(t.Context(), t, test.handler, test.message, test.cfg)
			if got := out.String(); !strings.HasPrefix(got, test.want) {
				t.Errorf("it is %q, want %q", got, test.want)
			}
			if out.To != test.to || out.Failure != test.failure || out.Runs != test.runs {
				t.Errorf("to %q by %v after %d runs, want to %q by %v after %d", out.To, out.Failure, out.Runs, test.to, test.failure, test.runs)
			}
			if (out.Sent != nil) != (test.to != "") {
				t.Errorf("sent is %v", out.Sent)
			}
			if (len(out.Stack) > 0) != (test.failure == monitoring.FailurePanic) {
				t.Errorf("the stack is %q", out.Stack)
			}
		})
	}
}

// The zero Config is what a consumer has: three retries, a minute apart.
func TestRunIsAFirstAttempt(t *testing.T) {
	out := consumertest.Run(t, func(_ context.Context, m consumer.Message[order]) consumer.Outcome {
		if m.Attempt != 1 || m.Queue != "consumertest" || m.Key != "consumertest" || m.Exchange != "" || m.ID != "" || m.Redelivered ||
			m.Headers != nil || m.ContentType != "application/json" || string(m.Raw) != `{"ID":"7","Cents":5}` || m.Body != (order{"7", 5}) {
			t.Errorf("the handler got %+v", m)
		}
		return consumer.Retry(errBank)
	}, order{"7", 5})
	if out.Fate != consumertest.Retried || out.Wait != time.Minute || !errors.Is(out.Err, errBank) || out.Outcome.Kind() != consumer.KindRetry {
		t.Errorf("got %+v", out)
	}
}

func TestTheHandlerSeesTheMessage(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	m := consumer.Message[order]{
		Body: order{"7", 5}, ID: "id", Queue: "orders", Redelivered: true, Published: at, Exchange: "shop", Key: "order.new",
		Headers: map[string]any{"a": "b", "n": 1, "t": map[string]any{"l": []any{"x"}}}, AppID: "app", ContentType: "application/json; charset=utf-8",
		CorrelationID: "c", ReplyTo: "r", Type: "order", Priority: 3,
	}
	for attempt := range 4 {
		m.Attempt = attempt
		want := m
		want.Attempt = max(1, attempt)
		want.Raw = []byte(`{"ID":"7","Cents":5}`)
		want.Headers = map[string]any{"a": "b", "n": int64(1), "t": map[string]any{"l": []any{"x"}}}
		if attempt > 1 {
			maps.Copy(want.Headers, map[string]any{
				"warren-queue": "orders", "warren-attempt": int64(attempt), "warren-origin-exchange": "shop", "warren-origin-key": "order.new",
			})
		}
		out := consumertest.RunMessage(t.Context(), t, func(_ context.Context, got consumer.Message[order]) consumer.Outcome {
			if !reflect.DeepEqual(got, want) {
				t.Errorf("the handler got\n%+v, not\n%+v", got, want)
			}
			return consumer.Ack()
		}, m, consumer.Config{})
		if out.Fate != consumertest.Acked {
			t.Errorf("got %v", out)
		}
	}
	if len(m.Headers) != 3 {
		t.Errorf("the caller's headers have become %v", m.Headers)
	}
}

// What is published carries what a person, or the next attempt, needs.
func TestWhatIsSent(t *testing.T) {
	m := consumer.Message[order]{ID: "id", Queue: "q", Attempt: 2, Headers: map[string]any{"a": "b"}, Key: "q"}
	retried := consumertest.RunMessage(t.Context(), t, says(consumer.Retry(errBank)), m, consumer.Config{})
	if want := []string{
		"a", "warren-attempt", "warren-due", "warren-failures", "warren-first-failure", "warren-origin-exchange", "warren-origin-key", "warren-queue",
	}; !slices.Equal(slices.Sorted(maps.Keys(retried.Sent.Headers)), want) {
		t.Errorf("retried with %v", retried.Sent.Headers)
	}
	if retried.Sent.Headers["warren-attempt"] != int64(3) || retried.Sent.MessageId != "id" {
		t.Errorf("retried as %+v", retried.Sent)
	}
	errored := consumertest.RunMessage(t.Context(), t, says(consumer.Error(errBank)), m, consumer.Config{})
	for name, want := range map[string]any{
		"a": "b", "warren-reason": "rejected", "warren-error": "the bank is down", "warren-attempts": int64(2), "warren-origin-queue": "q",
	} {
		if got := errored.Sent.Headers[name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if acked := consumertest.RunMessage(t.Context(), t, says(consumer.Ack()), m, consumer.Config{}); acked.Sent != nil {
		t.Errorf("acked, and sent %+v", acked.Sent)
	}
}

// A message that was published can be delivered, again and again, until its end.
func TestWhatIsSentCanBeDelivered(t *testing.T) {
	cfg := consumer.Config{Retry: retry.Steps(time.Millisecond, 2*time.Millisecond)}
	d := amqp.Delivery{Body: []byte(`{}`)}
	var lives []string
	for range 5 {
		out := consumertest.RunDelivery(t.Context(), t, func(_ context.Context, m consumer.Message[order]) consumer.Outcome {
			return consumer.Retry(fmt.Errorf("failure %d", m.Attempt))
		}, d, cfg)
		lives = append(lives, out.String())
		if out.Fate == consumertest.Errored {
			if failures, _ := out.Sent.Headers["warren-failures"].([]any); len(failures) != 3 {
				t.Errorf("the failures are %q", failures)
			}
			break
		}
		d = amqp.Delivery{Headers: out.Sent.Headers, Body: out.Sent.Body, MessageId: out.Sent.MessageId}
	}
	if want := []string{"retried after 1ms: failure 1", "retried after 2ms: failure 2", "errored, exhausted: failure 3"}; !slices.Equal(lives, want) {
		t.Errorf("it went %q", lives)
	}
}

func TestADeliveryInAnyForm(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(`{"ID":"7"}`))
	_ = w.Close()
	seen := func(want consumer.Message[order]) consumer.Handler[order] {
		return func(_ context.Context, m consumer.Message[order]) consumer.Outcome {
			if m.Body != want.Body || m.Queue != want.Queue || m.Exchange != want.Exchange || m.Key != want.Key || m.Attempt != want.Attempt {
				t.Errorf("the handler got %+v, not %+v", m, want)
			}
			return consumer.Ack()
		}
	}
	for name, test := range map[string]struct {
		delivery amqp.Delivery
		seen     consumer.Message[order]
		want     string
	}{
		"compressed":         {amqp.Delivery{ContentEncoding: "gzip", Body: packed.Bytes()}, consumer.Message[order]{Body: order{ID: "7"}, Queue: "consumertest", Key: "consumertest", Attempt: 1}, "acked"},
		"unknown encoding":   {amqp.Delivery{ContentEncoding: "zip", Body: []byte(`{}`)}, consumer.Message[order]{}, "errored, undecodable"},
		"by name":            {amqp.Delivery{RoutingKey: "orders", Body: []byte(`{}`)}, consumer.Message[order]{Queue: "orders", Key: "orders", Attempt: 1}, "acked"},
		"by an exchange":     {amqp.Delivery{Exchange: "shop", RoutingKey: "new", Body: []byte(`{}`)}, consumer.Message[order]{Queue: "consumertest", Exchange: "shop", Key: "new", Attempt: 1}, "acked"},
		"a forged attempt":   {amqp.Delivery{Headers: amqp.Table{"warren-queue": "consumertest", "warren-attempt": true}, Body: []byte(`{}`)}, consumer.Message[order]{Queue: "consumertest", Key: "consumertest", Attempt: 1}, "acked"},
		"another's attempt":  {amqp.Delivery{Headers: amqp.Table{"warren-queue": "other", "warren-attempt": int64(9)}, Body: []byte(`{}`)}, consumer.Message[order]{Queue: "consumertest", Key: "consumertest", Attempt: 1}, "acked"},
		"an attempt as text": {amqp.Delivery{Headers: amqp.Table{"warren-queue": "consumertest", "warren-attempt": "4"}, Body: []byte(`{}`)}, consumer.Message[order]{Queue: "consumertest", Key: "consumertest", Attempt: 4}, "acked"},
		"too early":          {amqp.Delivery{Headers: amqp.Table{"warren-queue": "consumertest", "warren-not-before": time.Now().Add(time.Hour).UnixMilli()}, Body: []byte(`{}`)}, consumer.Message[order]{}, "held for 59m59"},
	} {
		t.Run(name, func(t *testing.T) {
			if out := consumertest.RunDelivery(t.Context(), t, seen(test.seen), test.delivery, consumer.Config{}); !strings.HasPrefix(out.String(), test.want) {
				t.Errorf("it is %v, want %v", out, test.want)
			}
		})
	}
}

// upper is a codec of somebody else's.
type upper struct{}

func (upper) ContentType() string { return "text/upper" }
func (upper) Encode(v any) ([]byte, error) {
	return bytes.ToUpper([]byte(v.(string))), nil
}

func (upper) Decode(body []byte, v any) error {
	*v.(*string) = strings.ToLower(string(body))
	return nil
}

func TestCodecs(t *testing.T) {
	for name, test := range map[string]struct {
		cfg         consumer.Config
		contentType string
		raw         string
	}{
		"default":        {consumer.Config{}, "", `"text"`},
		"configured":     {consumer.Config{Codec: upper{}}, "", "TEXT"},
		"by its type":    {consumer.Config{Codecs: []codec.Codec{upper{}}}, "text/upper", "TEXT"},
		"of no type":     {consumer.Config{Codecs: []codec.Codec{upper{}}}, "", `"text"`},
		"unknown type":   {consumer.Config{Codecs: []codec.Codec{upper{}}}, "text/other", `"text"`},
		"with a charset": {consumer.Config{Codecs: []codec.Codec{upper{}}}, "text/upper; charset=utf-8", "TEXT"},
	} {
		t.Run(name, func(t *testing.T) {
			out := consumertest.RunMessage(t.Context(), t, func(_ context.Context, m consumer.Message[string]) consumer.Outcome {
				if string(m.Raw) != test.raw || m.Body != "text" {
					t.Errorf("the handler got %q of %q", m.Body, m.Raw)
				}
				return consumer.Ack()
			}, consumer.Message[string]{Body: "text", ContentType: test.contentType}, test.cfg)
			if out.Fate != consumertest.Acked {
				t.Errorf("got %v", out)
			}
		})
	}
}

// A monitor of the test's own is told what it would be told in production.
func TestAMonitorIsTold(t *testing.T) {
	var told []string
	m := monitoring.Func(func(_ context.Context, e monitoring.Event) { told = append(told, fmt.Sprintf("%T", e)) })
	consumertest.RunMessage(t.Context(), t, says(consumer.Retry(errBank)), consumer.Message[order]{}, consumer.Config{Monitor: m})
	if !slices.Contains(told, "monitoring.Retried") {
		t.Errorf("it was told %v", told)
	}
}

// refusing is a testing.TB that keeps what it is told.
type refusing struct {
	testing.TB
	told string
}

func (r *refusing) Fatalf(format string, args ...any) {
	r.told = fmt.Sprintf(format, args...)
	panic(r)
}

func TestMisuseFailsTheTest(t *testing.T) {
	ack := says(consumer.Ack())
	for want, misuse := range map[string]func(consumertest.TB){
		"the handler is nil": func(t consumertest.TB) { consumertest.Run(t, nil, order{}) },
		"Message.Attempt is negative: -1": func(tb consumertest.TB) {
			consumertest.RunMessage(t.Context(), tb, ack, consumer.Message[order]{Attempt: -1}, consumer.Config{})
		},
		"Config.Timeout is negative": func(tb consumertest.TB) {
			consumertest.RunMessage(t.Context(), tb, ack, consumer.Message[order]{}, consumer.Config{Timeout: -1})
		},
		`header "c"`: func(tb consumertest.TB) {
			consumertest.RunMessage(t.Context(), tb, ack, consumer.Message[order]{Headers: map[string]any{"c": make(chan int)}}, consumer.Config{})
		},
		"unsupported type": func(tb consumertest.TB) {
			consumertest.Run(tb, func(context.Context, consumer.Message[chan int]) consumer.Outcome { return consumer.Ack() }, make(chan int))
		},
		"amq.": func(tb consumertest.TB) {
			consumertest.RunMessage(t.Context(), tb, ack, consumer.Message[order]{Queue: "amq.x"}, consumer.Config{})
		},
	} {
		r := &refusing{TB: t}
		func() {
			defer func() {
				if p := recover(); p != r {
					t.Errorf("no failure, but %v; want %q", p, want)
				}
			}()
			misuse(r)
		}()
		if !strings.Contains(r.told, want) {
			t.Errorf("it says %q, not %q", r.told, want)
		}
	}
}

func TestEveryFateHasAName(t *testing.T) {
	var names []string
	for f := consumertest.Acked; f <= consumertest.Held+1; f++ {
		names = append(names, f.String())
	}
	if want := []string{"acked", "retried", "deferred", "errored", "redelivered", "held", "Fate(7)"}; !slices.Equal(names, want) {
		t.Errorf("they are %q", names)
	}
}
