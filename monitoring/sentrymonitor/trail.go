package sentrymonitor

import (
	"sync"
	"time"

	"github.com/getsentry/sentry-go"

	"github.com/warren-mq/warren/monitoring"
)

const (
	trailMessages = 1000 // that have been retried and are not done with
	trailSteps    = 20   // of each
	stepText      = 512  // bytes of the error of each: 10 MB in all
)

// trail remembers the retries of messages in this process, for the event that follows if a message is given up. What
// another process has retried is not in it. It is bounded: the message that was retried first is forgotten first.
type trail struct {
	mu    sync.Mutex
	steps map[message][]*sentry.Breadcrumb
	order []message // of the first step
}

type message struct{ queue, id string }

func trailKey(d monitoring.Delivery) message { return message{d.Queue, d.MessageID} }

func (t *trail) add(e monitoring.Retried) {
	if e.MessageID == "" {
		return
	}
	data := map[string]any{"attempt": e.Attempt, "failure": e.Failure.String(), "wait": e.Wait.String()}
	b := &sentry.Breadcrumb{
		Category: "warren.retry", Level: sentry.LevelWarning, Message: clip(errorText(e.Err), stepText), Data: data, Timestamp: time.Now(),
	}
	key := trailKey(e.Delivery)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.steps == nil {
		t.steps = map[message][]*sentry.Breadcrumb{}
	}
	steps, known := t.steps[key]
	if !known {
		t.order = append(t.order, key)
	}
	if len(steps) == trailSteps {
		steps = steps[1:]
	}
	t.steps[key] = append(steps, b)
	for len(t.steps) > trailMessages {
		delete(t.steps, t.order[0])
		t.order = t.order[1:]
	}
}

// take returns the steps of a message, and forgets them.
func (t *trail) take(d monitoring.Delivery) []*sentry.Breadcrumb {
	key := trailKey(d)
	t.mu.Lock()
	defer t.mu.Unlock()
	steps := t.steps[key]
	if steps != nil {
		delete(t.steps, key)
		t.forget(key)
	}
	return steps
}

// forget takes a key out of the order, which is short, and in which what ends is near the front as a rule.
func (t *trail) forget(key message) {
	for i, k := range t.order {
		if k == key {
			t.order = append(t.order[:i], t.order[i+1:]...)
			return
		}
	}
}
