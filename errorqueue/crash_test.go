package errorqueue_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/topology"
)

// crashing is a scenario for rabbittest.CrashPoints: four of six entries are acted upon, again and again until that
// succeeds. Whatever dies on the way, each is somewhere, and the other two are where they were.
func crashing(to string, act func(context.Context, *errorqueue.Queue, errorqueue.Options) (errorqueue.Result, error)) func(*testing.T, *rabbittest.Broker) {
	return func(t *testing.T, b *rabbittest.Broker) {
		ctx := t.Context()
		prepare, err := amqp.DialConfig(b.URL(), amqp.Config{Dial: b.Connect})
		for err != nil { // the cut may be here
			time.Sleep(time.Second)
			prepare, err = amqp.DialConfig(b.URL(), amqp.Config{Dial: b.Connect})
		}
		plan := topology.Tiers("orders", topology.Quorum, nil)
		for name, args := range map[string]amqp.Table{"orders": plan.Main.Args, "orders.error": plan.Error.Args, "parked": plan.Error.Args} {
			for {
				ch, err := prepare.Channel()
				if err == nil {
					_, err = ch.QueueDeclare(name, true, false, false, false, args)
				}
				if err == nil {
					break
				}
				time.Sleep(time.Second)
				if again, err := amqp.DialConfig(b.URL(), amqp.Config{Dial: b.Connect}); err == nil {
					prepare = again
				}
			}
		}
		_ = prepare.Close()
		for i := range 6 {
			reason := "rejected"
			if i%3 != 2 {
				reason = "exhausted"
			}
			must(t, b.Publish("", "orders.error", rabbittest.Message{
				MessageID: strconv.Itoa(i + 1), DeliveryMode: 2, Body: []byte("x"), Headers: map[string]any{"warren-reason": reason, "warren-origin-queue": "orders"},
			}))
		}

		conn, err := connection.Open(ctx, b.URL(), connection.Config{Dial: b.Dial, Monitor: silence})
		must(t, err)
		q, err := errorqueue.New(conn, "orders", errorqueue.Config{Chunk: 2})
		must(t, err)
		matched := 0
		for tries := 0; ; tries++ {
			r, err := act(ctx, q, errorqueue.Options{Filter: exhausted})
			if r.Matched != r.Done+r.Failed+r.Left {
				t.Errorf("%+v", r)
			}
			matched += r.Matched
			if err == nil && r.Failed == 0 {
				break
			}
			if err != nil && !errors.Is(err, errorqueue.ErrLost) && tries > 5 {
				t.Fatalf("after %d tries: %v", tries, err)
			}
			time.Sleep(time.Second)
		}
		_ = conn.Close(ctx) // the cut may be in the middle of it, and is an error then
		must(t, b.WaitIdle(ctx))

		if matched < 4 {
			t.Errorf("only %d have matched", matched)
		}
		if to != "" {
			there := map[string]bool{}
			for _, m := range b.Queue(to).Messages() {
				there[m.MessageID] = true
			}
			if len(there) != 4 || !there["1"] || !there["2"] || !there["4"] || !there["5"] {
				t.Errorf("%s has %v", to, there)
			}
		}
		var left []string
		for _, m := range b.Queue("orders.error").Messages() {
			left = append(left, m.MessageID)
		}
		if len(left) != 2 || left[0] == left[1] || left[0] != "3" && left[0] != "6" || left[1] != "3" && left[1] != "6" {
			t.Errorf("the error queue has %v", left)
		}
	}
}

func TestNothingIsLostWhereverAConnectionIsCut(t *testing.T) {
	for name, scenario := range map[string]func(*testing.T, *rabbittest.Broker){
		"replay": crashing("orders", func(ctx context.Context, q *errorqueue.Queue, o errorqueue.Options) (errorqueue.Result, error) {
			return q.Replay(ctx, errorqueue.ReplayOptions{Options: o})
		}),
		"discard": crashing("", func(ctx context.Context, q *errorqueue.Queue, o errorqueue.Options) (errorqueue.Result, error) {
			return q.Discard(ctx, o)
		}),
		"move": crashing("parked", func(ctx context.Context, q *errorqueue.Queue, o errorqueue.Options) (errorqueue.Result, error) {
			return q.Move(ctx, errorqueue.ToQueue("parked"), o)
		}),
	} {
		for _, kill := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ", a connection is cut", true: ", the broker is killed"}[kill], func(t *testing.T) {
				t.Parallel()
				rabbittest.CrashPointsWith(t, rabbittest.CrashOptions{Kill: kill}, scenario)
			})
		}
	}
}

// An import that is interrupted anywhere is done again, and leaves out what is there.
func TestAnImportIsDoneAgainWhereverItIsCut(t *testing.T) {
	rabbittest.CrashPoints(t, func(t *testing.T, b *rabbittest.Broker) {
		ctx := t.Context()
		conn, err := connection.Open(ctx, b.URL(), connection.Config{Dial: b.Dial, Monitor: silence})
		must(t, err)
		for {
			ch, err := conn.Channel(ctx, connection.Consume)
			if err == nil {
				_, err = ch.QueueDeclare("orders.error", true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
			}
			if err == nil {
				_ = ch.Close()
				break
			}
			time.Sleep(time.Second)
		}
		q, err := errorqueue.New(conn, "orders", errorqueue.Config{})
		must(t, err)
		file := "{\"id\":\"1\",\"body\":\"x\"}\n{\"id\":\"2\",\"body\":\"x\"}\n{\"id\":\"2\",\"body\":\"x\"}\n{\"body\":\"y\"}\n"
		for tries := 0; ; tries++ {
			r, err := q.Import(ctx, strings.NewReader(file), errorqueue.ImportOptions{SkipPresent: true})
			if err == nil && r.Failed == 0 {
				break
			}
			if tries > 5 {
				t.Fatalf("%+v, %v", r, err)
			}
			time.Sleep(time.Second)
		}
		_ = conn.Close(ctx)
		must(t, b.WaitIdle(ctx))
		there := map[string]int{}
		for _, m := range b.Queue("orders.error").Messages() {
			there[m.MessageID]++
		}
		if there["1"] != 1 || there["2"] != 2 || there[""] != 1 {
			t.Errorf("%v", there)
		}
	})
}

// The broker dies in the middle of a replay. Who resumes it loses nothing.
func TestTheBrokerIsKilledDuringAReplay(t *testing.T) {
	t.Parallel()
	brokers.Alone(t, nil, brokers.Trial{Name: "kill", Test: func(t *testing.T, n *brokers.Node) {
		k := newKit(t, n.Broker)
		k.declare(nil)
		k.declareMain()
		const entries = 2000
		k.publish(numbered(entries)...)
		n.Sync()
		q := k.queue(errorqueue.Config{})
		seen := 0
		o := errorqueue.ReplayOptions{Options: errorqueue.Options{Filter: errorqueue.Filter{Match: func(errorqueue.Entry) (bool, error) {
			if seen++; seen == entries/2 {
				n.Kill()
			}
			return true, nil
		}}}}
		first, err := q.Replay(t.Context(), o)
		if !errors.Is(err, errorqueue.ErrLost) {
			t.Errorf("the broker was killed: %v", err)
		}
		if first.Matched != first.Done+first.Failed+first.Left || first.Done >= entries/2 || first.Run == "" {
			t.Errorf("%+v", first)
		}
		n.Boot()
		o.Run = first.Run
		eventually(t, "the rest", func() bool {
			r, err := q.Replay(t.Context(), o)
			return err == nil && r.Failed == 0
		})
		k.raw, err = n.Client()
		must(t, err)
		t.Cleanup(func() { _ = k.raw.Close() })
		there := map[string]int{}
		twice := 0
		for _, d := range k.drain(k.main, entries) {
			if there[d.MessageId]++; there[d.MessageId] == 2 {
				twice++
			}
		}
		if len(there) != entries {
			t.Errorf("%d of %d are in the main queue", len(there), entries)
		}
		if left := k.ready(k.name); left > 0 {
			t.Errorf("%d are left", left)
		}
		if twice > 256+first.Failed+first.Done {
			t.Errorf("%d are there twice", twice)
		}
		t.Logf("done before: %d, twice: %d", first.Done, twice)
	}})
}

// The caller loses patience. What was on its way is finished, and the Result is true.
func TestCancelled(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, k *kit) {
		k.declare(nil)
		k.declareMain()
		const n = 200
		k.entries(n)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		seen := 0
		r, err := k.queue(errorqueue.Config{}).Replay(ctx, errorqueue.ReplayOptions{Options: errorqueue.Options{Filter: errorqueue.Filter{
			Match: func(errorqueue.Entry) (bool, error) {
				if seen++; seen == 100 {
					cancel()
				}
				return true, nil
			},
		}}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		counts(t, r, 100, 100, r.Done, 0, 100-r.Done)
		if r.Done == 0 || r.Left == 0 {
			t.Errorf("done %d, left %d", r.Done, r.Left)
		}
		same(t, "in the main queue", idsOf(k.drain(k.main, r.Done)), numbers(1, r.Done))
		same(t, "in the error queue", k.ids(), numbers(r.Done+1, n))
	})
}

// A broker that does not confirm in time leaves doubt, and that is said.
func TestCancelledInDoubt(t *testing.T) {
	t.Parallel()
	brokers.InBubble(t, rabbittest.Options{}, func(t *testing.T, b brokers.Broker) {
		k := newKit(t, b)
		k.declare(nil)
		k.declareMain()
		k.entries(10)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began, seen := time.Now(), 0
		r, err := k.queue(errorqueue.Config{}).Replay(ctx, errorqueue.ReplayOptions{Options: errorqueue.Options{Filter: errorqueue.Filter{
			Match: func(errorqueue.Entry) (bool, error) {
				if seen++; seen == 2 {
					time.Sleep(time.Millisecond) // the first is done, so the others go together
					b.Test.HoldConfirms()
				}
				return true, nil
			},
		}}})
		must(t, err)                                                                 // all had begun
		if took := time.Since(began); took < 6*time.Second || took > 7*time.Second { // five more, and the goodbye
			t.Errorf("it took %v", took)
		}
		counts(t, r, 10, 10, 1, 9, 0)
		if !errors.Is(r.Errors[0], publisher.ErrUnknown) {
			t.Errorf("%v", r.Errors[0])
		}
		b.Test.ReleaseConfirms()
		same(t, "in the error queue", k.ids(), numbers(2, 10))
	})
}

// Nothing is published any more when the entries are lost, also if the publishing connection comes back: it would be
// there twice for certain.
func TestNothingIsPublishedInVain(t *testing.T) {
	t.Parallel()
	brokers.InBubble(t, rabbittest.Options{}, func(t *testing.T, b brokers.Broker) {
		k := newKit(t, b)
		k.declare(nil)
		k.declareMain()
		k.entries(10)
		seen := 0
		r, err := k.queue(errorqueue.Config{}).Replay(t.Context(), errorqueue.ReplayOptions{Options: errorqueue.Options{Filter: errorqueue.Filter{
			Match: func(errorqueue.Entry) (bool, error) {
				if seen++; seen == 5 {
					time.Sleep(time.Second) // the first four are done
					b.Test.RefuseDials(3)
					b.Test.DropConnections()
				}
				return true, nil
			},
		}}})
		if !errors.Is(err, errorqueue.ErrLost) {
			t.Errorf("%v", err)
		}
		if r.Done > 4 || r.Matched != r.Done+r.Failed+r.Left {
			t.Errorf("%+v", r)
		}
		time.Sleep(time.Minute)
		if n := b.Test.Queue(k.main).Len(); n != 4 {
			t.Errorf("%d were published", n)
		}
	})
}
