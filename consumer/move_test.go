package consumer

import (
	"errors"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/header"
	"github.com/warren-mq/warren/monitoring"
)

func TestOutcomesThatAreLostHaveNames(t *testing.T) {
	for _, test := range []struct {
		v    verdict
		want string
	}{
		{verdict{fate: held, failure: monitoring.FailureReturned}, "retry"},
		{verdict{fate: held, failure: monitoring.FailurePanic}, "panic"},
		{verdict{fate: held, failure: monitoring.FailureTimeout}, "timeout"},
		{verdict{fate: held, deferred: true}, "defer"},
		{verdict{fate: errored, reason: monitoring.ReasonExhausted, failure: monitoring.FailureReturned}, "retry"},
		{verdict{fate: errored, reason: monitoring.ReasonExhausted, failure: monitoring.FailurePanic}, "panic"},
		{verdict{fate: errored, reason: monitoring.ReasonRejected, failure: monitoring.FailureReturned}, "error"},
		{verdict{fate: errored, reason: monitoring.ReasonUndecodable}, "error"},
		{verdict{fate: errored, reason: monitoring.ReasonExpired, deferred: true}, "error"},
	} {
		if got := outcomeName(&test.v); got != test.want {
			t.Errorf("%+v is called %q, want %q", test.v, got, test.want)
		}
	}
}

// The timer that tells of a slow broker may fire when the move is over, or has failed for a reason of its own. Health
// would never be well again, or would say less than it knows.
func TestTroubleOfAMoveThatIsOver(t *testing.T) {
	var c Consumer
	c.state.init(1)
	r := &run{Consumer: &c}
	m := &move{d: new(delivery)}
	why := func() error {
		c.state.mu.Lock()
		defer c.state.mu.Unlock()
		if e := c.state.failing[m]; e != nil {
			return e.Err
		}
		return nil
	}
	for _, now := range []struct{ err, said error }{{errNoWord, errNoWord}, {errTest, errTest}, {errNoWord, errTest}} {
		if r.trouble(m, now.err); !errors.Is(why(), now.said) {
			t.Errorf("after %v it says %v, want %v", now.err, why(), now.said)
		}
	}
	r.state.update(func(s *state) {
		m.over = true
		delete(s.failing, m)
	})
	for _, err := range []error{errNoWord, errTest} {
		if r.trouble(m, err); why() != nil {
			t.Errorf("it is over, and %v", why())
		}
	}
}

// For how long a message has been ready is told as well as that can be known.
func TestQueueWait(t *testing.T) {
	now := time.Unix(1_700_000_000, 900_000_000)
	var ids header.IDs
	sent := now.Add(-5400 * time.Millisecond)
	whole := sent.Truncate(time.Second) // as a timestamp is
	for name, test := range map[string]struct {
		d    delivery
		want time.Duration
	}{
		"nothing is known":                 {delivery{}, 0},
		"the timestamp":                    {delivery{Delivery: amqp.Delivery{Timestamp: whole}}, now.Sub(whole)},
		"an id that tells it better":       {delivery{Delivery: amqp.Delivery{Timestamp: whole, MessageId: ids.Next(sent)}}, 5400 * time.Millisecond},
		"an id of another time":            {delivery{Delivery: amqp.Delivery{Timestamp: whole, MessageId: ids.Next(now.Add(time.Hour))}}, now.Sub(whole)},
		"an id of another form":            {delivery{Delivery: amqp.Delivery{Timestamp: whole, MessageId: "7"}}, now.Sub(whole)},
		"after a retry":                    {delivery{Delivery: amqp.Delivery{Timestamp: whole}, state: header.State{Due: now.Add(-time.Second)}}, time.Second},
		"after a wait that was composed":   {delivery{state: header.State{Due: now.Add(-3 * time.Second), NotBefore: now.Add(-2 * time.Second)}}, 2 * time.Second},
		"a clock that is ahead":            {delivery{Delivery: amqp.Delivery{Timestamp: now.Add(time.Minute)}}, 0},
		"the broker has counted a failure": {delivery{Delivery: amqp.Delivery{Timestamp: whole}, failures: 1}, 0},
	} {
		if got := test.d.queueWait(now); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
