package errorqueue_test

import (
	"testing"
	"time"

	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/rabbittest"
)

// As many in a second as were asked for, evenly, and progress is told.
func TestRate(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0.5, 10, 2000} {
		brokers.InBubble(t, rabbittest.Options{}, func(t *testing.T, b brokers.Broker) {
			k := newKit(t, b)
			k.declare(nil)
			k.declareMain()
			const n = 201
			k.entries(n)
			var told []errorqueue.Progress
			began := time.Now()
			r, err := k.queue(errorqueue.Config{}).Replay(t.Context(), errorqueue.ReplayOptions{Options: errorqueue.Options{
				Rate: rate, Progress: func(p errorqueue.Progress) { told = append(told, p) },
			}})
			must(t, err)
			counts(t, r, n, n, n, 0, 0)
			want := time.Duration(float64(n-1) / rate * float64(time.Second))
			if took := time.Since(began); took < want-2*time.Millisecond || took > want+time.Second {
				t.Errorf("at %v a second it took %v, want %v", rate, took, want)
			}
			for i, p := range told {
				at := time.Duration(float64(p.Done-1) / rate * float64(time.Second))
				if p.Took+time.Millisecond < at {
					t.Errorf("%d were done after %v", p.Done, p.Took)
				}
				if i > 0 && i < len(told)-1 && p.Took-told[i-1].Took < 200*time.Millisecond {
					t.Errorf("it is told after %v and %v", told[i-1].Took, p.Took)
				}
			}
			if len(told) < 1 || told[len(told)-1].Done != n {
				t.Errorf("%+v", told)
			}
		})
	}
}

// A replay that takes an hour does not hold what it leaves for all that time, and the broker does not take it away: it
// begins again now and then, where it was.
func TestALongOneGivesBackNowAndThen(t *testing.T) {
	t.Parallel()
	for _, version := range []string{rabbittest.V3_10, rabbittest.V4_3} {
		for name, keeps := range map[string]bool{"move": false, "copy": true} {
			t.Run(name+" "+version, func(t *testing.T) {
				t.Parallel()
				brokers.InBubble(t, rabbittest.Options{Version: version, ConsumerTimeout: 30 * time.Minute}, func(t *testing.T, b brokers.Broker) {
					k := newKit(t, b)
					k.declare(nil)
					k.declareNamed(k.main+".parked", nil)
					const n = 240
					k.entries(n)
					q := k.queue(errorqueue.Config{})
					done := make(chan struct{})
					stop := time.AfterFunc(11*time.Minute, func() { // what comes meanwhile is not meant
						defer close(done)
						k.publish(k.errored("late", "exhausted"))
					})
					defer stop.Stop()
					act := q.Move
					if keeps {
						act = q.Copy
					}
					r, err := act(t.Context(), errorqueue.ToQueue(k.main+".parked"), errorqueue.Options{Filter: exhausted, Rate: 1.0 / 30})
					must(t, err)
					<-done
					counts(t, r, n, n/2, n/2, 0, 0)
					if r.Took < 59*time.Minute {
						t.Errorf("it took %v", r.Took)
					}
					same(t, "parked", idsOf(k.drain(k.main+".parked", n/2)), odd(n))
					want := append(even(n), "late")
					if keeps {
						want = append(numbers(1, n), "late")
					}
					same(t, "in the error queue", k.ids(), want)
				})
			})
		}
	}
}
