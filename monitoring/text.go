package monitoring

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// errorText is err.Error(), whatever that does. Handlers of slog would call it
// without a guard, and a nil pointer in an error is a common mistake.
func errorText(err error) string {
	return guarded(err, "Error", err.Error)
}

// panicText describes the value of a panic. Like the runtime it looks inside
// plain values only: a value that contains itself would end the process.
func panicText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case error:
		return errorText(v)
	case fmt.Stringer:
		return guarded(v, "String", v.String)
	}
	switch k := reflect.TypeOf(v).Kind(); {
	case k >= reflect.Bool && k <= reflect.Complex128, k == reflect.String:
		return fmt.Sprint(v)
	default:
		return fmt.Sprintf("a %T", v)
	}
}

func guarded(v any, method string, call func() string) (s string) {
	defer func() {
		if recover() != nil {
			s = fmt.Sprintf("a %T whose %s method panics", v, method)
		}
	}()
	return call()
}

// bounded is the beginning of s as UTF-8, with a mark if there is more.
func bounded[T string | []byte](s T, limit int) string {
	start := string(head(s, limit))
	if len(start) < len(s) {
		start += "…"
	}
	return strings.ToValidUTF8(start, "\uFFFD")
}

// bodyText is the beginning of a body: as it is if that is UTF-8, else quoted.
func bodyText(body []byte, limit int) string {
	start := string(head(body, limit))
	if utf8.ValidString(start) {
		return start
	}
	return strconv.Quote(start)
}

// head is at most the first n bytes of s, and does not end within a character.
func head[T string | []byte](s T, n int) T {
	if len(s) <= n {
		return s
	}
	for end := n; end >= 0 && end > n-utf8.UTFMax; end-- {
		if utf8.RuneStart(s[end]) {
			return s[:end]
		}
	}
	return s[:n] // no text
}
