package header

import (
	"reflect"
	"time"
)

// RetryAttempts is Bunnicula's header: how often the message has failed.
const RetryAttempts = "retry-attempts"

// Deaths is where the broker counts how often a message left a queue without
// being acknowledged.
const Deaths = "x-death"

// FailuresOfBunnicula returns how often a message has failed, as Bunnicula
// counts it: the number in its header, 0 if there is none. ok is false if what
// is there is no number, or a negative one: then it is 0, too.
func FailuresOfBunnicula(headers map[string]any) (n int, ok bool) {
	v, present := headers[RetryAttempts]
	if !present {
		return 0, true
	}
	if i, isInt := Int(v); !isInt || i < 0 {
		return 0, false
	}
	return count(v), true
}

// FailuresOfKicks returns how often a message has failed, as Kicks counts it:
// how often it left the queue for whatever reason, by the broker's own book, and
// when it did so first, if that is told. ok is false if that book cannot be
// read: then what can be is counted. Brokers before RabbitMQ 4 believe what a
// publisher has written there.
func FailuresOfKicks(headers map[string]any, queue string) (n int, first time.Time, ok bool) {
	v, present := headers[Deaths]
	if !present {
		return 0, first, true
	}
	deaths, ok := v.([]any)
	if !ok {
		return 0, first, false
	}
	for _, v := range deaths {
		death := table(v)
		if death == nil {
			ok = false
			continue
		}
		if name, _ := text(death["queue"]); name != queue {
			continue
		}
		if at, isTime := death["time"].(time.Time); isTime && (first.IsZero() || at.Before(first)) {
			first = at
		}
		switch i, isInt := Int(death["count"]); {
		case death["count"] == nil:
			n++ // of a broker that wrote an entry for each
		case !isInt || i < 0:
			ok = false
		default:
			n += count(death["count"])
		}
	}
	return min(n, maxAttempt), first, ok
}

// table returns a header's value if that is a table. The client library has a
// type of its own for tables, which this package does not know.
func table(v any) map[string]any {
	if m, ok := v.(map[string]any); ok {
		return m
	}
	kind := reflect.TypeFor[map[string]any]()
	if r := reflect.ValueOf(v); r.IsValid() && r.Kind() == reflect.Map && r.CanConvert(kind) {
		m, _ := r.Convert(kind).Interface().(map[string]any)
		return m
	}
	return nil
}
