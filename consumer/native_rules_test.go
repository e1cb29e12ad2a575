package consumer

import (
	"fmt"
	"maps"
	"math"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/retry"
)

// What a delivery says, in whatever headers, and what the way makes of it.
func TestNativeReads(t *testing.T) {
	t.Parallel()
	const second = time.Second
	counts := func(delivery, acquired any, more ...amqp.Table) amqp.Table {
		h := amqp.Table{}
		for name, v := range map[string]any{header.DeliveryCount: delivery, header.AcquiredCount: acquired} {
			if v != nil {
				h[name] = v
			}
		}
		for _, m := range more {
			maps.Copy(h, m)
		}
		return h
	}
	died := func(reason string) amqp.Table {
		return amqp.Table{header.Deaths: []any{amqp.Table{"queue": "other", "reason": reason, "count": int64(1)}}}
	}
	ours := func(attempt int64) amqp.Table { return amqp.Table{header.Queue: "q", header.Attempt: attempt} }
	for _, test := range []struct {
		name        string
		policy      retry.Policy
		redelivered bool
		headers     amqp.Table
		attempt     int
		crashes     int
		broker      bool // a Retry is left to it
	}{
		{name: "the first delivery", policy: retry.Linear(3, second, 0), attempt: 1, broker: true},
		{name: "rejected twice", policy: retry.Linear(3, second, 0), redelivered: true, headers: counts(int64(2), int64(2)), attempt: 3, broker: true},
		{name: "handed back once", policy: retry.Linear(3, second, 0), redelivered: true, headers: counts(nil, int64(1)), attempt: 1, broker: true},
		{name: "rejected, and handed back four times", policy: retry.Linear(3, second, 0), redelivered: true, headers: counts(int64(1), int64(5)), attempt: 2, broker: true},
		{name: "forged, and not delivered yet", policy: retry.Linear(3, second, 0), headers: counts(int64(77), int64(77)), attempt: 1, broker: true},
		{name: "forged, and handed back", policy: retry.Linear(3, second, 0), redelivered: true, headers: counts(int64(77), int64(1)), attempt: 2, broker: true},
		{name: "forged, and no number", policy: retry.Linear(3, second, 0), redelivered: true, headers: counts("many", int64(2)), attempt: 1, broker: true},
		{name: "more often than anyone counts", policy: retry.Fixed(math.MaxInt, second), redelivered: true, headers: counts(int64(math.MaxInt64), int64(math.MaxInt64), ours(9)), attempt: math.MaxInt32, broker: true},
		{name: "by a classic queue", policy: retry.Linear(3, second, 0), redelivered: true, headers: counts(int64(77), nil), attempt: 1},
		{name: "by an older quorum queue", policy: retry.Linear(3, second, 0), redelivered: true, headers: counts(int64(1), nil), attempt: 1},
		{name: "from a retry queue", policy: retry.Linear(3, second, 0), headers: counts(nil, nil, ours(2)), attempt: 2},
		{name: "from a retry queue, with a fixed wait", policy: retry.Fixed(3, second), headers: counts(nil, nil, ours(2)), attempt: 2, broker: true},
		{name: "from a retry queue, and rejected", policy: retry.Fixed(3, second), redelivered: true, headers: counts(int64(1), int64(1), ours(2)), attempt: 3, broker: true},
		{name: "from a retry queue, at the limit", policy: retry.Linear(9, second, second), headers: counts(nil, nil, ours(5)), attempt: 5, broker: true},
		{name: "refused elsewhere", policy: retry.Fixed(3, second), redelivered: true, headers: counts(int64(2), int64(2), died("rejected")), attempt: 1},
		{name: "at its limit elsewhere", policy: retry.Fixed(3, second), redelivered: true, headers: counts(int64(2), int64(2), died("delivery_limit")), attempt: 1},
		{name: "delayed elsewhere", policy: retry.Fixed(3, second), redelivered: true, headers: counts(int64(2), int64(2), died("expired")), attempt: 3, broker: true},
		{name: "refused elsewhere, then from a retry queue", policy: retry.Fixed(3, second), redelivered: true, headers: counts(int64(1), int64(1), ours(2), died("rejected")), attempt: 3, broker: true},
		{name: "an x-death that is none", policy: retry.Fixed(3, second), redelivered: true, headers: counts(int64(1), int64(1), amqp.Table{header.Deaths: "rejected"}), attempt: 2, broker: true},
		{name: "as often as there are retries", policy: retry.Fixed(3, second), redelivered: true, headers: counts(int64(3), int64(3)), attempt: 4, broker: true},
		{name: "once more", policy: retry.Fixed(3, second), redelivered: true, headers: counts(int64(4), int64(4)), attempt: 5, crashes: 1, broker: true},
		{name: "once more than the retries that are left", policy: retry.Fixed(3, second), redelivered: true, headers: counts(int64(2), int64(2), ours(3)), attempt: 5, crashes: 1, broker: true},
		{name: "without retries", policy: retry.None(), redelivered: true, headers: counts(int64(2), int64(2)), attempt: 3, crashes: 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := Config{Retry: test.policy, Waiting: Native}
			n := newNative(&cfg)
			e := &epoch{run: &run{Consumer: &Consumer{config: cfg, queue: "q"}}, version: "4.3.6"}
			d := &delivery{Delivery: amqp.Delivery{Headers: test.headers, Redelivered: test.redelivered}, epoch: e}
			d.about.Queue = "q"
			d.state, _ = header.Read(test.headers, "q", time.Now())
			if ignored := n.read(d); len(ignored) > 0 {
				t.Errorf("ignored: %v", ignored)
			}
			if d.state.Attempt != test.attempt || n.crashes(d) != test.crashes {
				t.Errorf("attempt %d, %d crashes", d.state.Attempt, n.crashes(d))
			}
			wait, more := test.policy.Wait(d.state.Attempt)
			if !more {
				wait = n.next(d.failures) // whatever it is, it will not be asked for
			}
			v := verdict{fate: held, wait: wait}
			h := n.hold(d, &v)
			if broker := h.manner == requeued; broker != test.broker && test.policy.Retries() > 0 || v.composed == broker || broker != (h.to == "q") {
				t.Errorf("it is held as %+v, composed: %v", h, v.composed)
			}
			for _, v := range []verdict{
				{fate: held, wait: wait, composed: true},
				{fate: held, wait: wait, composed: true, deferred: true},
			} {
				if h := n.hold(d, &v); h.manner != published || !v.composed {
					t.Errorf("a wait of the handler's is held as %+v", h)
				}
			}
		})
	}
}

// The broker's waits are the policy's, as long as it has counted every attempt.
func TestNativeWaitsAsThePolicy(t *testing.T) {
	t.Parallel()
	for _, policy := range []retry.Policy{
		{},
		retry.Fixed(math.MaxInt, time.Hour), retry.Linear(16, time.Millisecond, 0), retry.Linear(9, 7*time.Second, 30*time.Second),
		retry.Linear(2, 500*time.Hour, 0), retry.Exponential(7, time.Second, 2*time.Second), retry.Steps(time.Second, 2*time.Second),
	} {
		n := newNative(&Config{Retry: policy})
		for failures := range min(policy.Retries(), 40) {
			want, _ := policy.Wait(failures + 1)
			if got := n.next(failures); got != want {
				t.Errorf("%v: after %d failures the broker waits %v", policy, failures+1, got)
			}
		}
		if got := n.next(math.MaxInt32); got != n.limit {
			t.Errorf("%v: at last the broker waits %v", policy, got)
		}
	}
}

func TestUnsupportedErrorTellsTheVersions(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"4.0.5": "Config.Waiting native needs RabbitMQ 4.3 or later, and the broker is RabbitMQ 4.0.5",
		"":      "Config.Waiting native needs RabbitMQ 4.3 or later, and the broker does not tell its version",
	} {
		if got := fmt.Sprint(native{}.admit(version)); got != want {
			t.Errorf("%q: %s", version, got)
		}
	}
}
