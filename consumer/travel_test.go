package consumer_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
)

// traveller is a scenario for rabbittest.CrashPoints: messages are published, handled, and come to their ends, while one
// connection is cut or the broker dies somewhere on the way. What was confirmed must be done or in the error queue then,
// and nothing else, and nothing may be left over.
type traveller struct {
	// handle is given a body. It may be called for the same message any number of times.
	handle func(ctx context.Context, m consumer.Message[string]) consumer.Outcome
	retry  retry.Policy // three times after a minute if it is the zero value
	drain  time.Duration

	done    []string // bodies for which the handler says Ack in the end
	errored []string // bodies that end in the error queue
	garbage bool     // and one that is no JSON, which ends there, too
	// meanwhile is done while the messages are on their way. It may stop the consumer and run it again.
	meanwhile func(t *testing.T, j *travel)
	takes     time.Duration // for all to come to their ends
}

// travel is one run of a scenario.
type travel struct {
	*consumer.Consumer
	t    *testing.T
	stop context.CancelFunc
	ran  chan error

	mu    sync.Mutex
	acked map[string]int
}

// run runs the consumer in a goroutine.
func (j *travel) run() {
	ctx, stop := context.WithCancel(context.WithoutCancel(j.t.Context()))
	j.stop, j.ran = stop, make(chan error, 1)
	go func() { j.ran <- j.Run(ctx) }()
}

// halt stops it. What it could not settle in time is the broker's again: that is no failure.
func (j *travel) halt() {
	j.stop()
	if err := <-j.ran; err != nil && !errors.As(err, new(*consumer.DrainError)) {
		j.t.Errorf("run: %v", err)
	}
}

func (s traveller) travel(t *testing.T, b *rabbittest.Broker) {
	ctx := t.Context()
	conn, err := connection.Open(ctx, b.URL(), connection.Config{Dial: b.Dial, Monitor: silence})
	must(t, err)
	j := &travel{t: t, acked: map[string]int{}}
	if s.retry == (retry.Policy{}) {
		s.retry = retry.Fixed(3, time.Minute)
	}
	j.Consumer, err = consumer.New(conn, "orders", func(ctx context.Context, m consumer.Message[string]) consumer.Outcome {
		o := s.handle(ctx, m)
		if o.Kind() == consumer.KindAck {
			j.mu.Lock()
			j.acked[m.Body]++
			j.mu.Unlock()
		}
		return o
	}, consumer.Config{Workers: 2, Retry: s.retry, Drain: s.drain})
	must(t, err)
	j.run()
	<-j.Ready()

	p, err := publisher.New(conn, publisher.Config{})
	must(t, err)
	publish := func(to publisher.Message) {
		for p.Send(ctx, to) != nil { // as someone would who must not lose it
			time.Sleep(time.Second)
		}
	}
	for _, body := range slices.Concat(s.done, s.errored) {
		publish(publisher.Message{Key: "orders", Body: body})
	}
	if s.garbage {
		publish(publisher.Message{Key: "orders", Body: []byte("{"), ContentType: "application/json"})
	}
	if s.meanwhile != nil {
		s.meanwhile(t, j)
	}
	time.Sleep(s.takes)
	must(t, b.WaitIdle(ctx))
	if err := j.Health(); err != nil {
		t.Errorf("in the end Health says %v", err)
	}
	j.halt()
	must(t, p.Close(ctx))
	_ = conn.Close(ctx) // the cut may be in the middle of it, and is an error then
	s.arrived(t, b, j)
}

// arrived checks that every message has come to its end.
func (s traveller) arrived(t *testing.T, b *rabbittest.Broker, j *travel) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if got := slices.Sorted(maps.Keys(j.acked)); !slices.Equal(got, slices.Sorted(slices.Values(s.done))) {
		t.Errorf("done are %q, not %q", got, s.done)
	}
	errored := map[string]bool{}
	for _, m := range b.Queue("orders.error").Messages() {
		errored[string(m.Body)] = true
	}
	want := map[string]bool{}
	for _, body := range s.errored {
		want[`"`+body+`"`] = true
	}
	if s.garbage {
		want["{"] = true
	}
	if !maps.Equal(errored, want) {
		t.Errorf("the error queue has %v, not %v", errored, want)
	}
	plan := j.Plan()
	waiting := slices.Concat(plan.Retry, plan.Rungs)
	for _, q := range waiting {
		if n := b.Queue(q.Name).Len(); n > 0 { // those for composed waits may not be there
			t.Errorf("%d messages are left in %s", n, q.Name)
		}
	}
	if n := b.Queue("orders").Len(); n != 0 {
		t.Errorf("%d messages are left in the main queue", n)
	}
}

var errNotYet = errors.New("not yet")

// travellers are the ways that a message can go.
var travellers = map[string]traveller{
	"no handler, panics, and the last attempt": {
		handle: func(_ context.Context, m consumer.Message[string]) consumer.Outcome {
			if m.Body == "panics" {
				panic(errNotYet)
			}
			return consumer.Retry(errNotYet)
		},
		errored: []string{"panics", "always later"}, garbage: true, retry: retry.Fixed(1, time.Minute), takes: 5 * time.Minute,
	},
	"composed waits": {
		handle: func(_ context.Context, m consumer.Message[string]) consumer.Outcome {
			_, again := m.Headers["warren-deferred-since"]
			switch {
			case m.Attempt > 1, again:
				return consumer.Ack()
			case m.Body == "deferred":
				return consumer.Defer(7*time.Second, errNotYet)
			}
			return consumer.RetryAfter(40*time.Second, errNotYet)
		},
		done: []string{"deferred", "after"}, takes: 5 * time.Minute,
	},
	"stopped with work in hand": {
		handle: func(ctx context.Context, _ consumer.Message[string]) consumer.Outcome {
			select {
			case <-time.After(10 * time.Second):
				return consumer.Ack()
			case <-ctx.Done():
				return consumer.Retry(context.Cause(ctx))
			}
		},
		done: []string{"a", "b", "c", "d", "e"}, drain: 4 * time.Second, takes: 5 * time.Minute,
		meanwhile: func(_ *testing.T, j *travel) {
			j.halt() // some handlers run, and will not finish
			j.run()
			time.Sleep(15 * time.Second)
			j.halt() // some will
			j.run()
		},
	},
	"paused and resumed": {
		handle: func(context.Context, consumer.Message[string]) consumer.Outcome {
			time.Sleep(5 * time.Second)
			return consumer.Ack()
		},
		done: []string{"a", "b", "c", "d", "e"}, takes: 5 * time.Minute,
		meanwhile: func(t *testing.T, j *travel) {
			must(t, j.Pause(t.Context()))
			must(t, j.SetWorkers(3))
			time.Sleep(time.Minute)
			must(t, j.Resume(t.Context()))
			must(t, j.SetWorkers(1))
		},
	},
}

// A cut, and a dead broker, at every step of every way, on every version; with the race detector, which makes a minute of
// seconds, on one.
func TestEveryWaySurvivesCutsAndCrashes(t *testing.T) {
	versions := []string{rabbittest.V3_10, rabbittest.V4_0, rabbittest.V4_3}
	if raceEnabled {
		versions = versions[2:]
	}
	for _, version := range versions {
		for name, s := range travellers {
			for how, kill := range map[string]bool{"cut": false, "killed": true} {
				t.Run(version+", "+name+", "+how, func(t *testing.T) {
					t.Parallel()
					o := rabbittest.CrashOptions{Kill: kill, Broker: rabbittest.Options{Version: version}}
					rabbittest.CrashPointsWith(t, o, s.travel)
				})
			}
		}
	}
}
