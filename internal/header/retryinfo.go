package header

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

// RetryInfo is Kicks' header on an error entry: a JSON object that tells of the
// failure, or an array of such, the newest first, if the message has been there
// before.
const RetryInfo = "retry_info"

// Bounds of a RetryInfo that we write. It repeats the message's headers, and
// all of them must fit into one frame.
const (
	maxRetryInfo = 16 << 10
	maxRounds    = 10
	maxBacktrace = 10 // Kicks' own
)

// KicksFailure is what Kicks tells about a failure, in its order.
type KicksFailure struct {
	Error       string         `json:"error"`
	NumAttempts int            `json:"num_attempts"` // deliveries, this one included
	FailedAt    string         `json:"failed_at"`
	Properties  map[string]any `json:"properties"` // of the message, in Kicks' spelling; "headers" is one of them
	Class       string         `json:"error_class,omitempty"`
	Message     string         `json:"error_message,omitempty"`
	Backtrace   []string       `json:"backtrace,omitempty"`
}

// NewKicksFailure tells f as Kicks would.
func NewKicksFailure(f Failure, attempts int, properties map[string]any) KicksFailure {
	k := KicksFailure{
		Error: f.Text, NumAttempts: attempts, FailedAt: f.At.UTC().Format("2006-01-02T15:04:05-07:00"), // as Time#iso8601
		Properties: properties,
	}
	if k.Error == "" {
		k.Error = "reject" // what Kicks says where there is no error
		return k
	}
	k.Class, k.Message = f.Type, f.Text
	for line := range strings.Lines(string(f.Stack)) {
		if len(k.Backtrace) == maxBacktrace {
			break
		}
		k.Backtrace = append(k.Backtrace, clip(strings.TrimSpace(line), maxFailure))
	}
	return k
}

// JSON returns the text of a RetryInfo header: k, and after it what earlier, the
// header that the message came with, tells. It is bounded: what is too much is
// left out, the oldest first, then the message's headers and the backtrace.
func (k KicksFailure) JSON(earlier any) string {
	rounds := Rounds(earlier)
	rounds = rounds[:min(len(rounds), maxRounds-1)]
	k.Properties = plain(k.Properties)
	for {
		s := k.with(rounds)
		switch {
		case len(s) <= maxRetryInfo:
			return s
		case len(rounds) > 0:
			rounds = rounds[:len(rounds)-1]
		case k.Properties["headers"] != nil:
			delete(k.Properties, "headers")
		case len(k.Backtrace) > 0:
			k.Backtrace = nil
		case len(k.Error) > maxFailure:
			k.Error, k.Message = clip(k.Error, maxFailure), clip(k.Message, maxFailure)
		default:
			k.Properties = nil // nine short strings cannot be too long, but who knows
			return k.with(nil)
		}
	}
}

// with returns k as an object, or k and what was before as an array.
func (k KicksFailure) with(rounds []json.RawMessage) string {
	b, err := json.Marshal(k)
	if err != nil { // nothing in it can fail
		b = []byte(`{}`)
	}
	if len(rounds) == 0 {
		return string(b)
	}
	list, err := json.Marshal(append([]json.RawMessage{b}, rounds...))
	if err != nil {
		return string(b)
	}
	return string(list)
}

// Rounds returns the objects of a RetryInfo header, the newest first. It knows
// an object, an array of them, and the array of pairs that Kicks makes of the
// object that a message came with: [["error", "..."], ["num_attempts", 3], ...].
// What it cannot read becomes an object that says so.
func Rounds(v any) []json.RawMessage {
	if v == nil {
		return nil
	}
	unreadable := []json.RawMessage{json.RawMessage(`{"error":"unreadable retry_info"}`)}
	s, ok := text(v)
	if !ok {
		return unreadable
	}
	var list []json.RawMessage
	if json.Unmarshal([]byte(s), &list) != nil || list == nil {
		var object map[string]json.RawMessage
		if json.Unmarshal([]byte(s), &object) != nil || object == nil {
			return unreadable
		}
		return []json.RawMessage{json.RawMessage(s)}
	}
	var rounds []json.RawMessage
	pairs := map[string]json.RawMessage{}
	flush := func() {
		if len(pairs) == 0 {
			return
		}
		if b, err := json.Marshal(pairs); err == nil {
			rounds = append(rounds, b)
		}
		pairs = map[string]json.RawMessage{}
	}
	for _, item := range list {
		var object map[string]json.RawMessage
		if json.Unmarshal(item, &object) == nil && object != nil {
			flush()
			rounds = append(rounds, item)
			continue
		}
		var pair []json.RawMessage
		var key string
		if json.Unmarshal(item, &pair) != nil || len(pair) != 2 || json.Unmarshal(pair[0], &key) != nil {
			continue
		}
		if _, twice := pairs[key]; twice {
			flush() // the next round begins
		}
		pairs[key] = pair[1]
	}
	flush()
	return rounds
}

// plain returns a table as JSON can say it.
func plain(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[strings.ToValidUTF8(k, "?")] = plainValue(v, 0)
	}
	return out
}

// plainValue returns a header's value as JSON can say it, and as Ruby does.
func plainValue(v any, depth int) any {
	const deepest = 32 // deeper ones are not delivered
	switch v := v.(type) {
	case nil, bool, int, int8, int16, int32, int64, uint8, uint16, uint32:
		return v
	case float32:
		return plainValue(float64(v), depth)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprint(v)
		}
		return v
	case string:
		return strings.ToValidUTF8(v, "?")
	case []byte:
		return strings.ToValidUTF8(string(v), "?")
	case time.Time:
		return v.UTC().Format("2006-01-02 15:04:05 UTC")
	case []any:
		list := make([]any, 0, len(v))
		for _, item := range v {
			if depth < deepest {
				list = append(list, plainValue(item, depth+1))
			}
		}
		return list
	}
	if m := table(v); m != nil && depth < deepest {
		out := make(map[string]any, len(m))
		for k, item := range m {
			out[strings.ToValidUTF8(k, "?")] = plainValue(item, depth+1)
		}
		return out
	}
	return strings.ToValidUTF8(fmt.Sprint(v), "?")
}
