package consumer_test

import (
	"fmt"
	"strings"

	"github.com/warren-mq/warren/monitoring"
)

// eventName is the kind of an event, such as "Acked".
func eventName(e monitoring.Event) string {
	return strings.TrimPrefix(fmt.Sprintf("%T", e), "monitoring.")
}

// delivery returns what a message event is about, and whether it is one of the six endings.
func delivery(e monitoring.Event) (d monitoring.Delivery, ending, ok bool) {
	switch e := e.(type) {
	case monitoring.Acked:
		return e.Delivery, true, true
	case monitoring.Retried:
		return e.Delivery, true, true
	case monitoring.Deferred:
		return e.Delivery, true, true
	case monitoring.Errored:
		return e.Delivery, true, true
	case monitoring.HandedBack:
		return e.Delivery, true, true
	case monitoring.Lost:
		return e.Delivery, true, true
	case monitoring.Held:
		return e.Delivery, false, true
	case monitoring.Stuck:
		return e.Delivery, false, true
	case monitoring.LateOutcome:
		return e.Delivery, false, true
	case monitoring.SettleFailed:
		return e.Delivery, false, true
	}
	return d, false, false
}

// endings lists the endings of a message's deliveries in their order, such as "Retried 1, Acked 2": the kind and the
// attempt.
func (e *events) endings(id string) string {
	var list []string
	for _, event := range e.all() {
		if d, ending, ok := delivery(event); ok && ending && d.MessageID == id {
			list = append(list, fmt.Sprintf("%s %d", eventName(event), d.Attempt))
		}
	}
	return strings.Join(list, ", ")
}
