package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

//go:noinline
func charge(m message) consumer.Outcome {
	return consumer.Error(fmt.Errorf("charge order %s: %w", m.ID, &os.PathError{Op: "open", Path: "card", Err: io.EOF}))
}

//go:noinline
func refund(m message) consumer.Outcome {
	panic(fmt.Errorf("refund order %s: %w", m.ID, &os.PathError{Op: "open", Path: "card", Err: io.EOF}))
}

// rudeError is an error that panics when it is asked anything.
type rudeError struct{ n *int }

func (e rudeError) Error() string          { return fmt.Sprint(*e.n) }
func (e rudeError) Unwrap() error          { panic("no") }
func (e rudeError) Is(error) bool          { panic("no") }
func (e *rudeError) As(any) bool           { panic("no") }
func (e rudeError) Format(fmt.State, rune) { panic("no") }

// What a person finds in the error queue: every header, in bounds.
func TestErrorQueueEntry(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		began := time.Now()
		run(k, func(_ context.Context, m message) consumer.Outcome {
			switch {
			case strings.HasPrefix(m.ID, "charge"):
				return charge(m)
			case m.Attempt == 1:
				return consumer.Retry(errors.New("first"))
			}
			return refund(m)
		}, soon)
		k.publish(text("charge 17", "x"), text("charge 018f3c2e-7b1a-7c3d-9e4f-aabbccddeeff", "x"), text("refund 1", "x"), text("refund 2", "x"))
		entries := map[string]amqp.Delivery{}
		for _, d := range k.take(topology.ErrorQueue(k.queue), 4) {
			entries[d.MessageId] = d
		}
		host, _ := os.Hostname()
		for id, want := range map[string]map[string]any{
			"charge 17": {
				"warren-reason": "rejected", "warren-error": "charge order charge 17: open card: EOF", "warren-error-type": "*fs.PathError",
				"warren-attempts": int64(1), "warren-stack": nil, "warren-cut": nil,
			},
			"refund 1": {
				"warren-reason": "exhausted", "warren-error": "panic: refund order refund 1: open card: EOF", "warren-error-type": "*fs.PathError",
				"warren-attempts": int64(2), "warren-cut": nil,
			},
		} {
			h := entries[id].Headers
			want["warren-host"], want["warren-origin-queue"], want["warren-origin-exchange"], want["warren-origin-key"] = host, k.queue, "", k.queue
			want["warren-process"] = fmt.Sprintf("%s[%d]", filepath.Base(os.Args[0]), os.Getpid())
			// What is for the way between attempts is not there.
			for _, name := range []string{"warren-queue", "warren-attempt", "warren-due", "warren-not-before", "warren-not-after", "warren-deferred-since"} {
				want[name] = nil
			}
			for name, want := range want {
				if got := h[name]; got != want {
					t.Errorf("%s: %s is %v, want %v", id, name, got, want)
				}
			}
			first, err1 := time.Parse(time.RFC3339Nano, h["warren-first-failure"].(string))
			last, err2 := time.Parse(time.RFC3339Nano, h["warren-last-failure"].(string))
			if err1 != nil || err2 != nil || first.Before(began.Add(-time.Millisecond)) || last.Before(first) || last.After(time.Now()) {
				t.Errorf("%s: first %v, last %v", id, h["warren-first-failure"], h["warren-last-failure"])
			}
			if strings.HasPrefix(id, "refund") != (last.Sub(first) > 90*time.Millisecond) {
				t.Errorf("%s: last is %v after first", id, last.Sub(first))
			}
		}
		refunded := entries["refund 1"].Headers
		if stack, _ := refunded["warren-stack"].(string); !strings.Contains(stack, "consumer_test.refund") || len(stack) > 16<<10 {
			t.Errorf("the stack is %s", stack)
		}
		failures, _ := refunded["warren-failures"].([]any)
		if len(failures) != 2 || !strings.Contains(failures[0].(string), "attempt 1: returned: first") ||
			!strings.Contains(failures[1].(string), "attempt 2: panic: refund order") {
			t.Errorf("failures %q", failures)
		}
		fingerprint := func(id string) string { s, _ := entries[id].Headers["warren-fingerprint"].(string); return s }
		if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(fingerprint("charge 17")) {
			t.Errorf("the fingerprint is %q", fingerprint("charge 17"))
		}
		if fingerprint("charge 17") != fingerprint("charge 018f3c2e-7b1a-7c3d-9e4f-aabbccddeeff") || fingerprint("refund 1") != fingerprint("refund 2") {
			t.Error("the same failure of two orders has two fingerprints")
		}
		if fingerprint("charge 17") == fingerprint("refund 1") {
			t.Error("two failures have one fingerprint")
		}
		for _, e := range waitFor[monitoring.Errored](k, 4) {
			if e.Fingerprint != fingerprint(e.MessageID) || e.To != topology.ErrorQueue(k.queue) || e.Err == nil {
				t.Errorf("the event of %s: %+v", e.MessageID, e)
			}
		}
	})
}

// The same error from two places is two failures.
func TestFingerprintTellsPlacesApart(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		here := func() consumer.Outcome { return consumer.Error(errBank) }
		there := func() consumer.Outcome { return consumer.Error(errBank) }
		run(k, func(_ context.Context, m message) consumer.Outcome {
			if m.ID == "here" {
				return here()
			}
			return there()
		}, soon)
		k.publish(text("here", ""), text("there", ""), text("there too", ""))
		prints := map[string]any{}
		for _, d := range k.take(topology.ErrorQueue(k.queue), 3) {
			prints[d.MessageId] = d.Headers["warren-fingerprint"]
		}
		if prints["here"] == prints["there"] || prints["there"] != prints["there too"] {
			t.Error(prints)
		}
	})
}

// Errors come from anywhere: they panic, are endless, or are no text. The message is settled all the same, with all
// kinds of outcomes, and what is told has bounds.
func TestHostileErrors(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		hostile := map[string]error{
			"rude": rudeError{}, "rude pointer": &rudeError{}, "wrapped": fmt.Errorf("x: %w", errors.Join(io.EOF, &rudeError{})),
			"nil pointer": (*os.PathError)(nil), "huge": errors.New(strings.Repeat("ä\xff", 1<<20)), "no text": errors.New("\x00\xff\xfe"),
			"lines": errors.New("one\ntwo\r\n\tthree"), "empty": errors.New(""),
		}
		outcomes := map[string]func(error) consumer.Outcome{
			"error": consumer.Error, "retry": consumer.Retry, "panic": func(err error) consumer.Outcome { panic(err) },
			"retry after": func(err error) consumer.Outcome { return consumer.RetryAfter(time.Millisecond, err) },
			"defer":       func(err error) consumer.Outcome { return consumer.Defer(time.Millisecond, err) },
		}
		all := map[string]func() consumer.Outcome{}
		for kind, err := range hostile {
			for name, outcome := range outcomes {
				all[name+" "+kind] = func() consumer.Outcome { return outcome(err) }
			}
		}
		run(k, func(_ context.Context, m message) consumer.Outcome { return all[m.ID]() },
			consumer.Config{Retry: retry.Fixed(1, 50*time.Millisecond), MaxAge: 1, Workers: 8})
		for id := range all {
			k.publish(text(id, id))
		}
		for _, d := range k.take(topology.ErrorQueue(k.queue), len(all)) {
			said, _ := d.Headers["warren-error"].(string)
			if len(said) > 4096 || !utf8.ValidString(said) || said == "" && !strings.HasSuffix(d.MessageId, "empty") {
				t.Errorf("%s: it says %.100q", d.MessageId, said)
			}
			if d.Headers["warren-error-type"] == "" || d.Headers["warren-fingerprint"] == "" {
				t.Errorf("%s: %v", d.MessageId, d.Headers)
			}
		}
		if n := len(of[monitoring.Connected](k.events)); n != 2 {
			t.Errorf("the connections came up %d times", n)
		}
		for id := range all {
			eventually(t, "the end of "+id, func() bool { return strings.Contains(k.events.endings(id), "Errored ") })
		}
	})
}

type order struct {
	N int `json:"n"`
}

func (o *order) Validate() error {
	if o.N < 0 {
		return fmt.Errorf("n is %d", o.N)
	}
	if o.N == 13 {
		panic("unlucky")
	}
	return nil
}

// PEER-BUGS test 10: what cannot be decoded, or makes no sense, goes to the error queue once, and no handler runs.
func TestUndecodableAndInvalid(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		got := make(chan consumer.Message[*order], 20)
		run(k, func(_ context.Context, m consumer.Message[*order]) consumer.Outcome {
			got <- m
			return consumer.Ack()
		}, soon)
		for id, test := range map[string]struct {
			m      amqp.Publishing
			reason string // empty: it is handled
		}{
			"fine":              {amqp.Publishing{Body: []byte(`{"n":1}`)}, ""},
			"of a content type": {amqp.Publishing{Body: []byte(`{"n":1}`), ContentType: "application/json; charset=utf-8"}, ""},
			"of kombu":          {amqp.Publishing{Body: []byte(`{"n":1}`), ContentType: "application/json", ContentEncoding: "utf-8"}, ""},
			"unknown type":      {amqp.Publishing{Body: []byte(`{"n":1}`), ContentType: "text/turtle"}, ""},
			"empty":             {amqp.Publishing{}, "undecodable"},
			"garbage":           {amqp.Publishing{Body: []byte("\x00\xff{")}, "undecodable"},
			"unknown encoding":  {amqp.Publishing{Body: []byte(`{"n":1}`), ContentEncoding: "br"}, "undecodable"},
			"not gzip":          {amqp.Publishing{Body: []byte(`{"n":1}`), ContentEncoding: "gzip"}, "undecodable"},
			"invalid":           {amqp.Publishing{Body: []byte(`{"n":-1}`)}, "invalid"},
			"null":              {amqp.Publishing{Body: []byte(`null`)}, "invalid"},
			"panics":            {amqp.Publishing{Body: []byte(`{"n":13}`)}, "invalid"},
		} {
			test.m.MessageId = id
			k.publish(test.m)
			if test.reason == "" {
				if m := <-got; m.ID != id || m.Body.N != 1 || !reflect.DeepEqual(m.Raw, test.m.Body) {
					t.Errorf("%s: %+v", id, m)
				}
				eventually(t, id, func() bool { return k.events.endings(id) == "Acked 1" })
				continue
			}
			d := k.takeError()
			if d.MessageId != id || d.Headers["warren-reason"] != test.reason || d.Headers["warren-attempts"] != int64(0) || string(d.Body) != string(test.m.Body) {
				t.Errorf("%s: %s: %v", id, d.MessageId, d.Headers)
			}
			eventually(t, "the end of "+id, func() bool { return k.events.endings(id) == "Errored 1" })
			if f := k.events.failure(id); f != 0 {
				t.Errorf("%s: no handler ran, and the failure is %v", id, f)
			}
		}
		if len(got) > 0 {
			t.Errorf("the handler had %d more", len(got))
		}
	})
}
