package errorqueue_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/topology"
)

// errored is an entry as a consumer of Warren's writes it.
func (k *kit) errored(id, reason string) amqp.Publishing {
	return amqp.Publishing{
		MessageId: id, Body: []byte("body " + id), Type: "order.made", Timestamp: time.Unix(1_600_000_000, 0),
		Headers: amqp.Table{
			"warren-reason": reason, "warren-error": "the bank is down", "warren-error-type": "*bank.Error", "warren-stack": "goroutine 1",
			"warren-attempts": int64(4), "warren-first-failure": "2026-01-02T03:04:05Z", "warren-last-failure": "2026-01-02T04:04:05Z",
			"warren-origin-queue": k.main, "warren-host": "h", "warren-process": "p[1]", "warren-fingerprint": "0123456789abcdef",
			"warren-failures": []any{"the first", "the last"}, "warren-origin-exchange": "shop", "warren-origin-key": "order.made",
			"warren-deferred-since": int64(1_600_000_000_000), "tenant": "a", "count": int32(7),
		},
	}
}

// entries puts n entries of Warren's into the error queue: those with an odd id were exhausted, the others rejected.
func (k *kit) entries(n int) {
	k.Helper()
	all := make([]amqp.Publishing, n)
	for i := range all {
		reason := "rejected"
		if i%2 == 0 {
			reason = "exhausted"
		}
		all[i] = k.errored(strconv.Itoa(i+1), reason)
	}
	k.publish(all...)
}

// declareMain declares the main queue, as Warren does.
func (k *kit) declareMain() {
	k.Helper()
	k.declareNamed(k.main, topology.Tiers(k.main, topology.Quorum, nil).Main.Args)
}

// declareNamed declares a queue until the test ends.
func (k *kit) declareNamed(name string, args amqp.Table) {
	k.Helper()
	k.broker.Delete(k.TB, name)
	_, err := k.channel().QueueDeclare(name, true, false, false, false, args)
	must(k, err)
}

// drain takes all messages out of a queue, once as many are there.
func (k *kit) drain(queue string, n int) []amqp.Delivery {
	k.Helper()
	ch := k.channel()
	defer func() { _ = ch.Close() }()
	eventually(k, strconv.Itoa(n)+" messages in "+queue, func() bool { return k.ready(queue) >= n })
	var all []amqp.Delivery
	for {
		d, ok, err := ch.Get(queue, true)
		must(k, err)
		if !ok {
			return all
		}
		all = append(all, d)
	}
}

func idsOf(list []amqp.Delivery) []string {
	var all []string
	for _, d := range list {
		all = append(all, d.MessageId)
	}
	return all
}

// odd and even are the ids of entries.
func odd(n int) (list []string)  { return stepped(1, n) }
func even(n int) (list []string) { return stepped(2, n) }

func stepped(first, last int) (list []string) {
	for i := first; i <= last; i += 2 {
		list = append(list, strconv.Itoa(i))
	}
	return list
}

// same fails if two lists of ids differ.
func same(tb testing.TB, what string, got, want []string) {
	tb.Helper()
	if !slices.Equal(got, want) {
		tb.Errorf("%s: %d are there: %.300v\nwant %d: %.300v", what, len(got), got, len(want), want)
	}
}

// count fails if a result counts otherwise.
func counts(tb testing.TB, r errorqueue.Result, seen, matched, done, failed, left int) {
	tb.Helper()
	if r.Seen != seen || r.Matched != matched || r.Done != done || r.Failed != failed || r.Left != left {
		tb.Errorf("seen %d, matched %d, done %d, failed %d, left %d; want %d, %d, %d, %d, %d (%v)",
			r.Seen, r.Matched, r.Done, r.Failed, r.Left, seen, matched, done, failed, left, r.Errors)
	}
}

// reviews is a monitor that keeps the audit trail.
type reviews struct {
	mu   sync.Mutex
	list []monitoring.Reviewed
}

func (m *reviews) Observe(_ context.Context, e monitoring.Event) {
	if e, ok := e.(monitoring.Reviewed); ok {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.list = append(m.list, e)
	}
}

// last returns the last event, and fails if there are not so many.
func (m *reviews) last(tb testing.TB, n int) monitoring.Reviewed {
	tb.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.list) != n {
		tb.Fatalf("%d events, want %d: %+v", len(m.list), n, m.list)
	}
	return m.list[n-1]
}

var exhausted = errorqueue.Filter{Reasons: []string{"exhausted"}}

// What does not match stays, in order; the audit trail tells what was done.
func TestActingOnSome(t *testing.T) {
	t.Parallel()
	const n = 90 // above 32, 3.10 would shuffle
	for name, verb := range map[string]struct {
		act  func(context.Context, *kit, *errorqueue.Queue, errorqueue.Options) (errorqueue.Result, error)
		to   string
		here bool // what was done stays here
	}{
		"replay": {func(ctx context.Context, _ *kit, q *errorqueue.Queue, o errorqueue.Options) (errorqueue.Result, error) {
			return q.Replay(ctx, errorqueue.ReplayOptions{Options: o})
		}, "", false},
		"discard": {func(ctx context.Context, _ *kit, q *errorqueue.Queue, o errorqueue.Options) (errorqueue.Result, error) {
			return q.Discard(ctx, o)
		}, "-", false},
		"move": {func(ctx context.Context, k *kit, q *errorqueue.Queue, o errorqueue.Options) (errorqueue.Result, error) {
			return q.Move(ctx, errorqueue.ToQueue(k.main+".parked"), o)
		}, ".parked", false},
		"copy": {func(ctx context.Context, k *kit, q *errorqueue.Queue, o errorqueue.Options) (errorqueue.Result, error) {
			return q.Copy(ctx, errorqueue.ToQueue(k.main+".parked"), o)
		}, ".parked", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, func(t *testing.T, k *kit) {
				trail := &reviews{}
				q := k.queue(errorqueue.Config{Monitor: trail, By: "ann@desk", Chunk: 40})
				k.declare(nil)
				k.declareMain()
				k.declareNamed(k.main+".parked", nil)
				k.entries(n)
				var progress []errorqueue.Progress
				o := errorqueue.Options{Filter: exhausted, Progress: func(p errorqueue.Progress) { progress = append(progress, p) }}

				o.DryRun = true
				r, err := verb.act(t.Context(), k, q, o)
				must(t, err)
				counts(t, r, n, n/2, 0, 0, n/2)
				if e := trail.last(t, 1); !e.DryRun || e.Left != n/2 || e.Done != 0 {
					t.Errorf("%+v", e)
				}
				if k.ready(k.main)+k.ready(k.main+".parked") > 0 || k.ready(k.name) != n {
					t.Fatal("a dry run has changed something")
				}

				o.DryRun = false
				r, err = verb.act(t.Context(), k, q, o)
				must(t, err)
				counts(t, r, n, n/2, n/2, 0, 0)
				to := ""
				if verb.to != "-" {
					to = k.main + verb.to
					same(t, "at the destination", idsOf(k.drain(to, n/2)), odd(n))
				}
				if e := trail.last(t, 2); e.Action != name || e.Queue != k.main || e.ErrorQueue != k.name || e.Filter != "reason=exhausted" || e.By != "ann@desk" ||
					e.To != to || e.DryRun || e.Matched != n/2 || e.Done != n/2 || e.Failed != 0 || e.Left != 0 || e.Err != nil || (e.Run != "") != (name == "replay") {
					t.Errorf("%+v", e)
				}
				if p := progress[len(progress)-1]; p.Total != n || p.Seen != n || p.Done != n/2 {
					t.Errorf("the progress in the end: %+v", p)
				}
				if verb.here {
					same(t, "in the error queue", k.ids(), numbers(1, n))
				} else {
					same(t, "in the error queue", k.ids(), even(n))
				}
			})
		})
	}
}

// A limit takes the first that match, and does not look further.
func TestLimit(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		k.declare(nil)
		k.entries(50)
		q := k.queue(errorqueue.Config{})
		r, err := q.Discard(t.Context(), errorqueue.Options{Filter: exhausted, Limit: 3, DryRun: true})
		must(t, err)
		counts(t, r, 5, 3, 0, 0, 3)
		r, err = q.Discard(t.Context(), errorqueue.Options{Filter: exhausted, Limit: 3})
		must(t, err)
		counts(t, r, 5, 3, 3, 0, 0)
		same(t, "in the error queue", k.ids(), append([]string{"2", "4"}, numbers(6, 50)...))
	})
}

// What cannot be is said, for each entry, and the entry stays where it is.
func TestDestinationsThatTakeNothing(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		q := k.queue(errorqueue.Config{})
		k.declare(nil)
		const n = 20
		k.entries(n)
		failed := func(r errorqueue.Result, err error, why error, done int) {
			t.Helper()
			must(t, err)
			counts(t, r, n, n, done, n-done, 0)
			if len(r.Errors) != 10 {
				t.Fatalf("%d errors are told", len(r.Errors))
			}
			for i, e := range r.Errors {
				if e.ID != strconv.Itoa(done+i+1) || !errors.Is(e, why) {
					t.Errorf("entry %s: %v, want %v", e.ID, e.Err, why)
				}
			}
		}
		for _, dry := range []bool{true, false} {
			r, err := q.Replay(t.Context(), errorqueue.ReplayOptions{Options: errorqueue.Options{DryRun: dry}})
			failed(r, err, publisher.ErrUnroutable, 0)
			r, err = q.Copy(t.Context(), errorqueue.ToQueue(k.main+".none"), errorqueue.Options{DryRun: dry})
			failed(r, err, publisher.ErrUnroutable, 0)
		}
		r, err := q.Move(t.Context(), errorqueue.Target{Exchange: k.main + ".none", Key: "x"}, errorqueue.Options{})
		failed(r, err, publisher.ErrUnroutable, 0)

		k.declareNamed(k.main+".full", amqp.Table{"x-max-length": int32(4), "x-overflow": "reject-publish"})
		r, err = q.Move(t.Context(), errorqueue.ToQueue(k.main+".full"), errorqueue.Options{})
		failed(r, err, publisher.ErrRefused, 4)
		same(t, "in the queue that is full", idsOf(k.drain(k.main+".full", 4)), numbers(1, 4))
		same(t, "in the error queue", k.ids(), numbers(5, n))
	})
}

// An error of Match leaves the entry, and is told.
func TestMatchThatCannotTell(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		trail := &reviews{}
		k.declare(nil)
		k.entries(6)
		broken := errors.New("no JSON")
		r, err := k.queue(errorqueue.Config{Monitor: trail}).Discard(t.Context(), errorqueue.Options{Filter: errorqueue.Filter{
			MatchText: "body.id > 2",
			Match: func(e errorqueue.Entry) (bool, error) {
				if e.ID == "3" {
					return true, broken
				}
				return e.ID > "2", nil
			},
		}})
		must(t, err)
		counts(t, r, 6, 4, 3, 1, 0)
		if len(r.Errors) != 1 || r.Errors[0].ID != "3" || !errors.Is(r.Errors[0], broken) {
			t.Errorf("%v", r.Errors)
		}
		if e := trail.last(t, 1); !strings.Contains(e.Filter, "body.id > 2") || e.Failed != 1 {
			t.Errorf("%+v", e)
		}
		same(t, "in the error queue", k.ids(), numbers(1, 3))
	})
}

// Nonsense is refused before anything is touched, and is in the audit trail all the same.
func TestOptionsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		trail := &reviews{}
		q := k.queue(errorqueue.Config{Monitor: trail})
		n := 0
		for field, act := range map[string]func() (errorqueue.Result, error){
			"Options.Limit": func() (errorqueue.Result, error) {
				return q.Discard(t.Context(), errorqueue.Options{Limit: -1})
			},
			"Options.Rate": func() (errorqueue.Result, error) {
				return q.Discard(t.Context(), errorqueue.Options{Rate: 0.001})
			},
			"ReplayOptions.Run": func() (errorqueue.Result, error) {
				return q.Replay(t.Context(), errorqueue.ReplayOptions{Run: "two\nlines"})
			},
			"Target is empty": func() (errorqueue.Result, error) {
				return q.Move(t.Context(), errorqueue.Target{}, errorqueue.Options{})
			},
			"the error queue itself": func() (errorqueue.Result, error) {
				return q.Copy(t.Context(), errorqueue.ToQueue(q.Name()), errorqueue.Options{})
			},
			"does not exist": func() (errorqueue.Result, error) {
				r, err := q.Replay(t.Context(), errorqueue.ReplayOptions{})
				if !errors.Is(err, errorqueue.ErrNoQueue) {
					t.Errorf("%v is no ErrNoQueue", err)
				}
				return r, err
			},
		} {
			r, err := act()
			n++
			if err == nil || !strings.Contains(err.Error(), field) || r.Seen != 0 {
				t.Errorf("%s: %v, %+v", field, err, r)
			}
			if e := trail.last(t, n); !errors.Is(e.Err, err) {
				t.Errorf("%s: the event has %v", field, e.Err)
			}
		}
	})
}
