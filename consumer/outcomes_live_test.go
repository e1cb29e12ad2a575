package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

type message = consumer.Message[[]byte]

var errBank = errors.New("the bank is down")

// limited is an error of somebody else's that carries a wait.
type limited struct{ wait time.Duration }

func (e limited) Error() string             { return "too many requests" }
func (e limited) RetryAfter() time.Duration { return e.wait }

// ending is what is expected of one message: its endings, and what the last of them tells.
type ending struct {
	handler  consumer.Handler[[]byte]
	endings  string
	failure  monitoring.Failure // of the first ending
	reason   monitoring.Reason  // of its entry in the error queue
	text     string             // the error there
	attempts int64
}

const (
	returned = monitoring.FailureReturned
	panicked = monitoring.FailurePanic
	timedOut = monitoring.FailureTimeout
)

func outcomes() map[string]ending {
	ack, retried, failed := consumer.Ack(), consumer.Retry(errBank), consumer.Error(errBank)
	always := func(o consumer.Outcome) consumer.Handler[[]byte] {
		return func(context.Context, message) consumer.Outcome { return o }
	}
	once := func(o consumer.Outcome) consumer.Handler[[]byte] {
		var mu sync.Mutex
		had := false
		return func(context.Context, message) consumer.Outcome {
			mu.Lock()
			defer mu.Unlock()
			if had {
				return ack
			}
			had = true
			return o
		}
	}
	late := func(o consumer.Outcome) consumer.Handler[[]byte] {
		return func(ctx context.Context, _ message) consumer.Outcome {
			<-ctx.Done()
			return o
		}
	}
	fails := func(err error) consumer.Handler[[]byte] {
		return consumer.Func(func(context.Context, message) error { return err })
	}
	const twice, exhausted = "Retried 1, Errored 2", monitoring.ReasonExhausted
	return map[string]ending{
		"ack":                  {handler: always(ack), endings: "Acked 1"},
		"retry":                {handler: always(retried), endings: twice, failure: returned, reason: exhausted, text: errBank.Error(), attempts: 2},
		"retry once":           {handler: once(retried), endings: "Retried 1, Acked 2", failure: returned},
		"retry after":          {handler: always(consumer.RetryAfter(time.Millisecond, errBank)), endings: twice, failure: returned, reason: exhausted, text: errBank.Error(), attempts: 2},
		"retry without reason": {handler: always(consumer.Retry(nil)), endings: twice, failure: returned, reason: exhausted, attempts: 2},
		"the zero outcome":     {handler: always(consumer.Outcome{}), endings: twice, failure: returned, reason: exhausted, attempts: 2},
		"error":                {handler: always(failed), endings: "Errored 1", failure: returned, reason: monitoring.ReasonRejected, text: errBank.Error(), attempts: 1},
		"error without reason": {handler: always(consumer.Error(nil)), endings: "Errored 1", failure: returned, reason: monitoring.ReasonRejected, attempts: 1},
		"error at last": {handler: func(_ context.Context, m message) consumer.Outcome {
			if m.Attempt == 2 {
				return failed
			}
			return retried
		}, endings: twice, failure: returned, reason: monitoring.ReasonRejected, text: errBank.Error(), attempts: 2},
		"defer": {handler: once(consumer.Defer(time.Millisecond, nil)), endings: "Deferred 1, Acked 1"},
		"panic": {handler: func(context.Context, message) consumer.Outcome { panic("boom") }, endings: twice, failure: panicked, reason: exhausted, text: "panic: boom", attempts: 2},
		"goexit": {handler: func(context.Context, message) consumer.Outcome {
			runtime.Goexit()
			return ack
		}, endings: twice, failure: panicked, reason: exhausted, text: "the handler ended its goroutine (runtime.Goexit)", attempts: 2},
		"timeout":               {handler: late(consumer.Retry(nil)), endings: twice, failure: timedOut, reason: exhausted, text: "the handler's time of 300ms was up: context deadline exceeded", attempts: 2},
		"timeout with an error": {handler: late(retried), endings: twice, failure: timedOut, reason: exhausted, text: errBank.Error(), attempts: 2},
		"timeout and panic": {handler: func(ctx context.Context, _ message) consumer.Outcome {
			<-ctx.Done()
			panic("late boom")
		}, endings: twice, failure: panicked, reason: exhausted, text: "panic: late boom", attempts: 2},
		"ack after the timeout":   {handler: late(ack), endings: "Acked 1"},
		"error after the timeout": {handler: late(failed), endings: "Errored 1", failure: returned, reason: monitoring.ReasonRejected, text: errBank.Error(), attempts: 1},
		"func: nil":               {handler: fails(nil), endings: "Acked 1"},
		"func: an error":          {handler: fails(errBank), endings: twice, failure: returned, reason: exhausted, text: errBank.Error(), attempts: 2},
		"func: permanent": {
			handler: fails(fmt.Errorf("charge: %w", consumer.Permanent(errBank))), endings: "Errored 1", failure: returned,
			reason: monitoring.ReasonRejected, text: "charge: the bank is down", attempts: 1,
		},
		"func: permanent with a wait": {
			handler: fails(consumer.After(time.Second, consumer.Permanent(errBank))), endings: "Errored 1", failure: returned,
			reason: monitoring.ReasonRejected, text: errBank.Error(), attempts: 1,
		},
		"func: nothing that is permanent": {handler: fails(consumer.Permanent(nil)), endings: "Acked 1"},
		"func: nothing after a while":     {handler: fails(consumer.After(time.Second, nil)), endings: "Acked 1"},
		"func: after":                     {handler: deferOnce(func() error { return fmt.Errorf("x: %w", consumer.After(time.Millisecond, errBank)) }), endings: "Deferred 1, Acked 1"},
		"func: somebody's wait":           {handler: deferOnce(func() error { return fmt.Errorf("x: %w", limited{time.Millisecond}) }), endings: "Deferred 1, Acked 1"},
	}
}

func deferOnce(err func() error) consumer.Handler[[]byte] {
	var mu sync.Mutex
	had := false
	return consumer.Func(func(context.Context, message) error {
		mu.Lock()
		defer mu.Unlock()
		if had {
			return nil
		}
		had = true
		return err()
	})
}

func TestEveryOutcome(t *testing.T) {
	t.Parallel()
	for _, waiting := range []consumer.Waiting{consumer.Tiers, consumer.Native, consumer.Bunnicula, consumer.Kicks} {
		t.Run(waiting.String(), func(t *testing.T) {
			t.Parallel()
			everyOutcome(t, waiting)
		})
	}
}

func everyOutcome(t *testing.T, waiting consumer.Waiting) {
	t.Helper()
	onBoth(t, func(t *testing.T, k *kit) {
		k.needs(waiting)
		all := outcomes()
		r := run(k, func(ctx context.Context, m message) consumer.Outcome { return all[m.ID].handler(ctx, m) }, consumer.Config{
			Workers: 16, Retry: retry.Fixed(1, 200*time.Millisecond), Timeout: 300 * time.Millisecond, Waiting: waiting,
		})
		for id := range all {
			k.publish(text(id, "body of "+id))
		}
		for id, want := range all {
			eventually(t, fmt.Sprintf("%s to end as %s", id, want.endings), func() bool { return len(k.events.endings(id)) >= len(want.endings) })
		}
		entries := map[string]amqp.Delivery{}
		wanted := 0
		for _, want := range all {
			if want.reason != "" {
				wanted++
			}
		}
		for _, d := range k.take(r.Plan().Error.Name, wanted) {
			entries[d.MessageId] = d
		}
		for id, want := range all {
			if got := k.events.endings(id); got != want.endings {
				t.Errorf("%s: it ends as %s, want %s", id, got, want.endings)
			}
			if got := k.events.failure(id); got != want.failure {
				t.Errorf("%s: the failure is %q, want %q", id, got, want.failure)
			}
			d, ok := entries[id]
			if ok != (want.reason != "") {
				t.Errorf("%s: it is in the error queue: %v", id, ok)
			}
			if !ok {
				continue
			}
			if string(d.Body) != "body of "+id {
				t.Errorf("%s: the body has become %q", id, d.Body)
			}
			for name, want := range map[string]any{
				"warren-reason": string(want.reason), "warren-error": want.text, "warren-attempts": want.attempts,
			} {
				if got := d.Headers[name]; got != want {
					t.Errorf("%s: %s is %v, want %v", id, name, got, want)
				}
			}
			if stack, _ := d.Headers["warren-stack"].(string); (stack != "") != (want.failure == panicked) {
				t.Errorf("%s: the stack is %q", id, stack)
			}
		}
		if n := k.ready(k.queue); n != 0 {
			t.Errorf("%d messages are left in the main queue", n)
		}
		for _, wrong := range []int{len(of[monitoring.HeaderIgnored](k.events)), len(of[monitoring.SettleFailed](k.events)), len(of[monitoring.Lost](k.events))} {
			if wrong > 0 {
				t.Errorf("events that should not be: %v", k.events.kinds())
			}
		}
	})
}

// failure returns how the first delivery of a message failed, as its ending tells.
func (e *events) failure(id string) monitoring.Failure {
	for _, event := range e.all() {
		switch event := event.(type) {
		case monitoring.Retried:
			if event.MessageID == id {
				return event.Failure
			}
		case monitoring.Errored:
			if event.MessageID == id {
				return event.Failure
			}
		}
	}
	return 0
}

// kinds counts the events of each kind.
func (e *events) kinds() map[string]int {
	n := map[string]int{}
	for _, event := range e.all() {
		n[eventName(event)]++
	}
	return n
}

// What a message carries from one attempt to the next, exactly, and what the events say of it.
func TestWhatARetryCarries(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		seen := make(chan message, 10)
		began := time.Now()
		run(k, func(_ context.Context, m message) consumer.Outcome {
			seen <- m
			switch m.Attempt {
			case 1:
				return consumer.Retry(errBank)
			case 2:
				return consumer.Retry(nil)
			}
			return consumer.Ack()
		}, consumer.Config{Retry: retry.Steps(100*time.Millisecond, 200*time.Millisecond)})
		k.publish(amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"trace": "abc"}})

		m := <-seen
		if m.ID != "" || m.Attempt != 1 || m.Redelivered || m.Exchange != "" || m.Key != k.queue || m.Queue != k.queue || !maps.Equal(m.Headers, map[string]any{"trace": "abc"}) {
			t.Errorf("attempt 1: %+v", m)
		}
		m = <-seen
		if m.ID == "" || m.Attempt != 2 || m.Exchange != "" || m.Key != k.queue || string(m.Body) != "x" {
			t.Errorf("attempt 2: %+v", m)
		}
		names := ours(m.Headers)
		if want := []string{
			"trace", "warren-attempt", "warren-due", "warren-failures", "warren-first-failure", "warren-origin-exchange",
			"warren-origin-key", "warren-queue",
		}; !slices.Equal(names, want) {
			t.Errorf("attempt 2 has the headers %v, want %v", names, want)
		}
		due := time.UnixMilli(m.Headers["warren-due"].(int64))
		if due.Before(began.Add(99*time.Millisecond)) || due.After(time.Now().Add(time.Second)) {
			t.Errorf("due %v after the start", due.Sub(began))
		}
		if m.Headers["warren-attempt"] != int64(2) || m.Headers["warren-queue"] != k.queue || m.Headers["trace"] != "abc" {
			t.Errorf("attempt 2: %v", m.Headers)
		}
		first := m.Headers["warren-first-failure"]
		third := <-seen
		if third.Attempt != 3 || third.ID != m.ID || third.Headers["warren-first-failure"] != first {
			t.Errorf("attempt 3: %+v", third)
		}
		failures, _ := third.Headers["warren-failures"].([]any)
		if len(failures) != 2 || !strings.HasSuffix(failures[0].(string), "attempt 1: returned: the bank is down") ||
			!strings.HasSuffix(failures[1].(string), "attempt 2: returned") {
			t.Errorf("failures: %q", failures)
		}
		waitFor[monitoring.Acked](k, 1)
		retried := waitFor[monitoring.Retried](k, 2)
		if retried[0].MessageID != m.ID || retried[0].Wait != 100*time.Millisecond || retried[0].To != topology.RetryQueue(k.queue, 100*time.Millisecond) ||
			!errors.Is(retried[0].Err, errBank) || retried[1].Wait != 200*time.Millisecond {
			t.Errorf("%+v", retried)
		}
		if took := time.Since(began); took < 300*time.Millisecond {
			t.Errorf("three attempts within %v", took)
		}
	})
}

// ours lists the names of headers but for the broker's, sorted.
func ours(headers map[string]any) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(headers)), func(name string) bool { return strings.HasPrefix(name, "x-") })
}

// Immediate runs a Retry again in the process: one attempt, one timeout, one ending.
func TestImmediate(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		var mu sync.Mutex
		runs := map[string][]int{}
		run(k, func(ctx context.Context, m message) consumer.Outcome {
			mu.Lock()
			runs[m.ID] = append(runs[m.ID], m.Attempt)
			n := len(runs[m.ID])
			mu.Unlock()
			switch {
			case m.ID == "third time" && n == 3, m.ID == "never" && m.Attempt == 2:
				return consumer.Ack()
			case m.ID == "panics":
				panic("boom")
			case m.ID == "error":
				return consumer.Error(errBank)
			case m.ID == "after":
				return consumer.RetryAfter(time.Millisecond, errBank)
			case m.ID == "slow":
				<-ctx.Done()
			case m.ID == "goexit":
				runtime.Goexit()
			}
			return consumer.Retry(errBank)
		}, consumer.Config{Immediate: 2, Timeout: 300 * time.Millisecond, Retry: retry.Fixed(1, 100*time.Millisecond), Workers: 8})
		for id, want := range map[string]struct {
			endings string
			runs    []int
		}{
			"third time": {"Acked 1", []int{1, 1, 1}},
			"never":      {"Retried 1, Acked 2", []int{1, 1, 1, 2}},
			"panics":     {"Retried 1, Errored 2", []int{1, 1, 1, 2}},
			"error":      {"Errored 1", []int{1}},
			"after":      {"Retried 1, Errored 2", []int{1, 2}},
			"slow":       {"Retried 1, Errored 2", []int{1, 2}},
			"goexit":     {"Retried 1, Errored 2", []int{1, 2}},
		} {
			k.publish(text(id, ""))
			eventually(t, id+" to end as "+want.endings, func() bool { return k.events.endings(id) == want.endings })
			mu.Lock()
			if !slices.Equal(runs[id], want.runs) {
				t.Errorf("%s: it ran as attempt %v, want %v", id, runs[id], want.runs)
			}
			mu.Unlock()
		}
	})
}
