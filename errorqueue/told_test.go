package errorqueue_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/publisher"
	"github.com/warren-mq/warren/rabbittest"
)

// A call that stands still because of an alarm says so, and goes on after it.
func TestAnAlarmIsTold(t *testing.T) {
	t.Parallel()
	brokers.InBubble(t, rabbittest.Options{}, func(t *testing.T, b brokers.Broker) {
		k := newKit(t, b)
		k.declare(nil)
		k.declareMain()
		k.publish(numbered(3)...)
		b.Test.Block("low on memory")
		var blocked []error
		var last errorqueue.Progress
		r, err := k.queue(errorqueue.Config{}).Replay(t.Context(), errorqueue.ReplayOptions{Options: errorqueue.Options{
			Progress: func(p errorqueue.Progress) {
				last = p
				if p.Blocked != nil {
					blocked = append(blocked, p.Blocked)
					b.Test.Unblock()
				}
			},
		}})
		must(t, err)
		if r.Done != 3 || r.Failed != 0 {
			t.Errorf("the result is %+v", r)
		}
		if len(blocked) == 0 || !errors.Is(blocked[0], connection.ErrBlocked) || !strings.Contains(blocked[0].Error(), "low on memory") {
			t.Errorf("it was told %v", blocked)
		}
		if last.Blocked != nil || last.Done != 3 {
			t.Errorf("at last it is told %+v", last)
		}
	})
}

// What the broker does not let us publish was not published, and nothing else is said.
func TestWithoutPermissionNothingIsPublished(t *testing.T) {
	t.Parallel()
	users := []rabbittest.User{
		{Name: "guest", Password: "guest"},
		{Name: "reader", Password: "reader", Write: regexp.MustCompile("^$")},
	}
	for _, version := range []string{rabbittest.V3_10, rabbittest.V4_0, rabbittest.V4_3} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			brokers.InBubble(t, rabbittest.Options{Version: version, Users: users}, func(t *testing.T, b brokers.Broker) {
				k := newKit(t, b)
				k.declare(nil)
				k.declareMain()
				k.publish(numbered(5)...)
				k.broker = b.As("reader")
				k.conn = k.connect()
				r, err := k.queue(errorqueue.Config{}).Replay(t.Context(), errorqueue.ReplayOptions{})
				must(t, err)
				if r.Done != 0 || r.Failed != 5 || len(r.Errors) != 5 {
					t.Errorf("the result is %+v", r)
				}
				for _, e := range r.Errors {
					if !errors.Is(e, publisher.ErrRefused) || errors.Is(e, publisher.ErrUnknown) {
						t.Errorf("it says %v", e)
					}
				}
				if left := k.ids(); len(left) != 5 {
					t.Errorf("left are %v", left)
				}
			})
		})
	}
}

// Once the broker takes messages again, nothing says that it does not.
func TestAnAlarmThatIsOverIsNotTold(t *testing.T) {
	t.Parallel()
	brokers.InBubble(t, rabbittest.Options{}, func(t *testing.T, b brokers.Broker) {
		k := newKit(t, b)
		k.declare(nil)
		k.declareMain()
		k.publish(numbered(20)...)
		b.Test.Block("low on memory")
		blocked := 0
		_, err := k.queue(errorqueue.Config{}).Replay(t.Context(), errorqueue.ReplayOptions{Options: errorqueue.Options{
			Filter: errorqueue.Filter{Match: func(e errorqueue.Entry) (bool, error) {
				if e.Position > 2 {
					time.Sleep(time.Second) // a slow filter
				}
				return e.Position <= 3, nil
			}},
			Progress: func(p errorqueue.Progress) {
				if p.Blocked == nil {
					return
				}
				blocked++
				b.Test.Unblock()
				if p.Seen > 3 {
					t.Errorf("after %d entries it is told %v", p.Seen, p.Blocked)
				}
			},
		}})
		must(t, err)
		if blocked == 0 {
			t.Error("no alarm was told")
		}
	})
}
