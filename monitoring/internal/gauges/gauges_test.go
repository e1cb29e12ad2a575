package gauges_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/monitoring/internal/gauges"
)

// text is what a set shows, "name=value" in order, without what is 0 but for what begins with "consumer_r" and
// "connected".
func text(s *gauges.Set) string {
	var list []string
	for _, v := range s.Values() {
		if v.Value != 0 || v.Name == gauges.Ready || v.Name == gauges.Connected {
			list = append(list, fmt.Sprintf("%s=%d", v.Name, v.Value))
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestHowThingsStand(t *testing.T) {
	down := errors.New("down")
	d := monitoring.Delivery{Queue: "q"}
	type events []monitoring.Event
	// The second is a consumer of the same queue.
	ready, ready2 := monitoring.ConsumerReady{Queue: "q", Consumer: 1, Workers: 4}, monitoring.ConsumerReady{Queue: "q", Consumer: 2, Workers: 3}
	lost, lost2 := monitoring.ConsumerLost{Queue: "q", Consumer: 1, Err: down}, monitoring.ConsumerLost{Queue: "q", Consumer: 2, Err: down}
	paused, resumed := monitoring.ConsumerPaused{Queue: "q", Consumer: 1}, monitoring.ConsumerResumed{Queue: "q", Consumer: 1}
	overloaded := monitoring.ConsumerOverloaded{Queue: "q", Consumer: 1, Stuck: 2}
	stopping, stopped := monitoring.ConsumerStopping{Queue: "q", Consumer: 1}, monitoring.ConsumerStopped{Queue: "q", Consumer: 1}
	stopped2 := monitoring.ConsumerStopped{Queue: "q", Consumer: 2}
	failed := monitoring.ConsumerStopped{Queue: "q", Consumer: 1, Err: down}
	stuck, late := monitoring.Stuck{Delivery: d, Abandoned: 1}, monitoring.LateOutcome{Delivery: d}
	connected, closed, cut := monitoring.Connected{Name: "c"}, monitoring.Disconnected{Name: "c"}, monitoring.Disconnected{Name: "c", Err: down}
	for _, c := range []struct {
		name   string
		events events
		want   string
	}{
		{"nothing", nil, ""},
		{"ready", events{ready}, "consumer_ready=1 workers=4"},
		{"lost", events{ready, lost}, "consumer_ready=0 workers=4"},
		{"never ready", events{lost}, "consumer_ready=0"},
		{"other workers", events{ready, monitoring.ConsumerResized{Queue: "q", Consumer: 1, Workers: 9}}, "consumer_ready=1 workers=9"},
		{"paused", events{ready, paused}, "consumer_paused=1 consumer_ready=0 workers=4"},
		{"resumed, without a broker", events{ready, paused, resumed, lost}, "consumer_ready=0 workers=4"},
		{"stopped while paused, and run again", events{paused, stopping, stopped, ready}, "consumer_ready=1 workers=4"},
		{"overloaded", events{ready, overloaded}, "consumer_overloaded=1 consumer_ready=0 workers=4"},
		{"overloaded, and one of several has returned", events{ready, stuck, stuck, overloaded, late}, "consumer_overloaded=1 consumer_ready=0 stuck=1 workers=4"},
		{"no more overloaded", events{ready, stuck, overloaded, late, ready}, "consumer_ready=1 workers=4"},
		{"returned before it is told to be stuck", events{ready, late, stuck}, "consumer_ready=1 workers=4"},
		{"stopping", events{ready, overloaded, stopping}, "consumer_ready=0 workers=4"},
		{"stopped", events{ready, stopping, stopped}, ""},
		{"stopped, and one is stuck", events{ready, stuck, stopping, stopped}, "stuck=1"},
		{"stopped, and it has returned", events{ready, stuck, stopping, stopped, late}, ""},
		{"failed", events{ready, stopping, failed}, "consumer_ready=0"},
		{"failed, and run again", events{stopping, failed, ready2}, "consumer_ready=1 workers=3"},
		{"failed, and run again paused", events{failed, paused}, "consumer_paused=1 consumer_ready=0"},
		{"two", events{ready, ready2}, "consumer_ready=1 workers=7"},
		{"two, one lost", events{ready, ready2, lost}, "consumer_ready=1 workers=7"},
		{"two, one paused, one lost", events{ready, ready2, paused, lost2}, "consumer_ready=0 workers=7"},
		{"two, one stopped", events{ready, ready2, stopping, stopped}, "consumer_ready=1 workers=3"},
		{"two, both stopped", events{ready, ready2, stopped, stopped2}, ""},
		{"connected", events{connected}, "connected=1"},
		{"never connected", events{monitoring.DialFailed{Name: "c"}}, "connected=0"},
		{"cut", events{connected, cut}, "connected=0"},
		{"closed", events{connected, closed}, ""},
		{"two of a name, one cut", events{connected, connected, cut}, "connected=1"},
		{"two of a name, one closed", events{connected, connected, closed}, "connected=1"},
		{"blocked", events{connected, monitoring.Blocked{Name: "c"}}, "blocked=1 connected=1"},
		{"unblocked", events{connected, monitoring.Blocked{Name: "c"}, monitoring.Unblocked{Name: "c"}}, "connected=1"},
		{"cut while blocked", events{connected, monitoring.Blocked{Name: "c"}, cut, connected}, "connected=1"},
		{"other events", events{monitoring.QueuesDeclared{Queue: "q"}, monitoring.Published{}, monitoring.Acked{Delivery: d}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s gauges.Set
			for _, e := range c.events {
				s.Observe(e, false)
			}
			if got := text(&s); got != c.want {
				t.Errorf("it shows %q, want %q", got, c.want)
			}
		})
	}
}

func TestHowManyRun(t *testing.T) {
	d := monitoring.Delivery{Queue: "q"}
	var s gauges.Set
	for range 5 {
		s.Began("q")
	}
	if got := text(&s); got != "running=5" {
		t.Error(got)
	}
	s.Observe(monitoring.Acked{Delivery: d}, true)
	s.Observe(monitoring.Acked{Delivery: d}, false)                                    // none ran
	s.Observe(monitoring.Lost{Delivery: d, Outcome: "ack"}, true)                      // its connection was lost
	s.Observe(monitoring.Stuck{Delivery: d}, true)                                     // given up:
	s.Observe(monitoring.Retried{Delivery: d, Failure: monitoring.FailureStuck}, true) // and retried
	s.Observe(monitoring.Lost{Delivery: d}, true)                                      // its consumer had to stop
	if got := text(&s); got != "running=1 stuck=2" {
		t.Error(got)
	}
	s.Observe(monitoring.LateOutcome{Delivery: d}, true)
	s.Observe(monitoring.LateOutcome{Delivery: d}, true)
	s.Observe(monitoring.HandedBack{Delivery: d}, true)
	if got := text(&s); got != "" {
		t.Error(got)
	}
}

func TestManyAtOnce(t *testing.T) {
	var s gauges.Set
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 200 {
				name := fmt.Sprint(i % 3)
				s.Began(name)
				s.Observe(monitoring.ConsumerReady{Queue: name}, false)
				s.Values()
				s.Observe(monitoring.Acked{Delivery: monitoring.Delivery{Queue: name}}, true)
				s.Observe(monitoring.ConsumerStopped{Queue: name}, false)
			}
		})
	}
	all.Wait()
	if got := text(&s); got != "" {
		t.Error(got)
	}
}

func TestNamesAreUTF8(t *testing.T) {
	var s gauges.Set
	s.Observe(monitoring.ConsumerReady{Queue: "a\xff"}, false)
	if v := s.Values(); v[0].Of != "a\uFFFD" {
		t.Errorf("%q", v[0].Of)
	}
	if gauges.Exchange("") != "amq.default" || gauges.Exchange("a\xff") != "a\uFFFD" {
		t.Error("exchanges")
	}
}
