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

// KicksState is what the broker's book of deaths tells about a message that is
// retried as Kicks does it.
type KicksState struct {
	// Failures is how often it has left the queue, for whatever reason.
	Failures int
	// First is when it did so first; zero if that is not told.
	First time.Time
	// Exchange and Key are what it had been published with when it did; empty if
	// that is not told.
	Exchange, Key string
}

// FailuresOfKicks returns how often a message has failed, as Kicks counts it,
// and what else the broker has noted about that. ok is false if its book cannot
// be read: then what can be is counted. Brokers before RabbitMQ 4 believe what a
// publisher has written there.
func FailuresOfKicks(headers map[string]any, queue string) (s KicksState, ok bool) {
	v, present := headers[Deaths]
	if !present {
		return s, true
	}
	deaths, ok := v.([]any)
	if !ok {
		return s, false
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
		switch i, isInt := Int(death["count"]); {
		case death["count"] == nil:
			s.Failures++ // of a broker that wrote an entry for each
		case !isInt || i < 0:
			ok = false
		default:
			s.Failures += count(death["count"])
		}
		if at, isTime := death["time"].(time.Time); isTime && (s.First.IsZero() || at.Before(s.First)) {
			s.First = at
			s.Exchange, s.Key = address(death)
		}
	}
	s.Failures = min(s.Failures, maxAttempt)
	return s, ok
}

// address returns what a message had been published with before a death.
func address(death map[string]any) (exchange, key string) {
	exchange, _ = text(death["exchange"])
	if keys, _ := death["routing-keys"].([]any); len(keys) > 0 {
		key, _ = text(keys[0])
	}
	if !isShort(exchange) || !isShort(key) {
		return "", ""
	}
	return exchange, key
}

// Refused tells whether the broker has dead-lettered the message because
// consumers of some queue refused it, and so may have counted its failures there.
func Refused(headers map[string]any) bool {
	deaths, _ := headers[Deaths].([]any)
	for _, v := range deaths {
		switch reason, _ := text(table(v)["reason"]); reason {
		case "rejected", "delivery_limit":
			return true
		}
	}
	return false
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
