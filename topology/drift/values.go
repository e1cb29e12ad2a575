package drift

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Number returns a value as a whole number, of whatever type it is. ok is false
// if it is none.
func Number(v any) (n int64, ok bool) { return number(v) }

func number(v any) (int64, bool) {
	switch v := v.(type) {
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	case float64:
		return int64(v), v == float64(int64(v))
	case nil, bool, string:
		return 0, false
	}
	if r := reflect.ValueOf(v); r.CanInt() {
		return r.Int(), true
	}
	return 0, false
}

// same compares values as RabbitMQ does: a number is one, whatever its width.
func same(a, b any) bool {
	x, ok := number(a)
	if y, also := number(b); ok || also {
		return ok && also && x == y
	}
	return text(a) == text(b) && reflect.TypeOf(a) == reflect.TypeOf(b) || sameList(a, b) || sameTable(a, b)
}

func sameList(a, b any) bool {
	x, ok := a.([]any)
	y, also := b.([]any)
	return ok && also && slices.EqualFunc(x, y, same)
}

func sameTable(a, b any) bool {
	x, ok := a.(map[string]any)
	y, also := b.(map[string]any)
	return ok && also && maps.EqualFunc(x, y, same)
}

// text is a value for people. Nothing is "none", and the empty string, the name
// of the default exchange, is quoted.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "none"
	case string:
		if v == "" {
			return `""`
		}
		return v
	case []any, map[string]any:
		if b, err := json.Marshal(v); err == nil {
			return string(b)
		}
	}
	return fmt.Sprint(v)
}

func merged(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, b)
	return all
}

// since lists the release from which RabbitMQ knows an argument of quorum
// queues. Arguments that it does not know are neither compared nor obeyed.
// Seen on 3.10.8, 4.0.5 and 4.3.6.
var since = map[string][2]int{
	"x-delayed-retry-type":            {4, 3},
	"x-delayed-retry-min":             {4, 3},
	"x-delayed-retry-max":             {4, 3},
	"x-consumer-timeout":              {4, 3},
	"x-consumer-disconnected-timeout": {4, 3},
}

// known are the arguments of queues that every release compares.
var known = []string{
	"x-queue-type", "x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes", "x-overflow",
	"x-dead-letter-exchange", "x-dead-letter-routing-key", "x-dead-letter-strategy", "x-delivery-limit",
	"x-single-active-consumer", "x-quorum-initial-group-size", "x-queue-leader-locator", "x-max-in-memory-length",
	"x-max-in-memory-bytes", "x-queue-mode", "x-queue-version", "x-queue-master-locator",
}

// compared says whether a broker refuses another value of an argument. Of an
// unknown release the worst is believed.
func compared(name, kind, version string) bool {
	from, ok := since[name]
	if !ok {
		return slices.Contains(known, name) || name == "x-max-priority" && kind != "quorum"
	}
	major, minor, ok := Release(version)
	return !ok || major > from[0] || major == from[0] && minor >= from[1]
}

// Release reads the first two numbers of a version, such as "4.0.5".
func Release(version string) (major, minor int, ok bool) {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	major, err := strconv.Atoi(first)
	if err != nil {
		return 0, 0, false
	}
	minor, err = strconv.Atoi(second)
	return major, minor, err == nil
}
