package monitoring_test

import (
	"testing"

	"github.com/warren-mq/warren/monitoring"
)

func TestSixEventsEndADelivery(t *testing.T) {
	d := monitoring.Delivery{Queue: "orders", Attempt: 2}
	for want, e := range map[string]monitoring.Event{
		"acked":       monitoring.Acked{Delivery: d},
		"retried":     monitoring.Retried{Delivery: d},
		"deferred":    monitoring.Deferred{Delivery: d},
		"errored":     monitoring.Errored{Delivery: d},
		"handed_back": monitoring.HandedBack{Delivery: d},
		"lost":        monitoring.Lost{Delivery: d},
	} {
		got, ending, ok := monitoring.EndingOf(e)
		if !ok || ending != want || got.Queue != "orders" || got.Attempt != 2 {
			t.Errorf("%T: %q, %v, %+v", e, ending, ok, got)
		}
	}
	for _, e := range []monitoring.Event{monitoring.Held{Delivery: d}, monitoring.Stuck{Delivery: d}, monitoring.Published{}} {
		if _, ending, ok := monitoring.EndingOf(e); ok {
			t.Errorf("%T is %q", e, ending)
		}
	}
}
