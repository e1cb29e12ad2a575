package header

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Death says that a message left a queue without being acknowledged: one entry
// of the broker's x-death header.
type Death struct {
	Queue  string
	Reason string // "rejected", "expired", "maxlen" or "delivery_limit"
	Count  int
	// Time is that of the first, if there were several.
	Time time.Time
	// Exchange and Key are what it was published with before.
	Exchange, Key string
}

// maxDeaths is how many deaths are read. A message dies in a queue or two.
const maxDeaths = 32

// ReadDeaths reads the broker's record of why a message left its queues, the
// newest first. What cannot be read is left out.
func ReadDeaths(headers map[string]any) []Death {
	list, _ := headers[Deaths].([]any)
	var deaths []Death
	for _, v := range list[:min(len(list), maxDeaths)] {
		m := table(v)
		d := Death{
			Queue:    name(m["queue"]),
			Reason:   bounded(m["reason"], maxType),
			Count:    count(m["count"]),
			Time:     moment(m["time"]),
			Exchange: name(m["exchange"]),
		}
		if d.Queue == "" || d.Reason == "" {
			continue
		}
		if keys, _ := m["routing-keys"].([]any); len(keys) > 0 {
			d.Key = name(keys[0])
		}
		deaths = append(deaths, d)
	}
	return deaths
}

// ToldByBroker reads what the broker writes on a message that it moves by
// itself, and what Warren has left on it before, if it was on its way through
// retry queues. ok is false if the broker has written nothing.
func ToldByBroker(headers map[string]any, now time.Time) (t Told, ok bool) {
	deaths := ReadDeaths(headers)
	if len(deaths) == 0 {
		return Told{}, false
	}
	last, first := deaths[0], deaths[len(deaths)-1]
	t = Told{
		Queue: last.Queue, Reason: last.Reason,
		LastFailure: last.Time, FirstFailure: last.Time,
		OriginExchange: first.Exchange, OriginKey: first.Key,
		// Nobody knows what failed; but it did so in this queue.
		Frame: last.Queue,
	}
	state, _ := Read(headers, last.Queue, now)
	if !state.Moved {
		return t, true
	}
	t.Attempts, t.Replays = state.Attempt, state.Replays
	t.OriginExchange, t.OriginKey = state.OriginExchange, state.OriginKey
	t.Failures = lines(state.Failures, maxFailures, maxFailure)
	t.Cut = lines(state.Cut, MaxCut, maxType)
	if at := moment(state.FirstFailure); !at.IsZero() {
		t.FirstFailure = at
	}
	return t, true
}

// ToldByBunnicula reads what Bunnicula writes on an error entry: how often it
// was delivered, and nothing else. ok is false if it is not there.
func ToldByBunnicula(headers map[string]any) (t Told, ok bool) {
	if _, present := headers[RetryAttempts]; !present {
		return Told{}, false
	}
	t.Attempts, _ = FailuresOfBunnicula(headers)
	return t, true
}

// ToldByKicks reads what Kicks, or Sneakers, writes on an error entry. ok is
// false if it is not there.
func ToldByKicks(headers map[string]any) (t Told, ok bool) {
	v, present := headers[RetryInfo]
	if !present {
		return Told{}, false
	}
	// It moves a message there only when the attempts are used up.
	t.Reason = "exhausted"
	rounds := Rounds(v)
	for i, r := range rounds[:min(len(rounds), maxFailures)] {
		f := readKicks(r)
		if i == 0 {
			t.Error, t.ErrorType, t.Stack, t.Frame = f.text, f.class, f.backtrace, f.frame
			t.Attempts, t.LastFailure = f.attempts, f.at
			t.Queue, t.OriginExchange, t.OriginKey = f.queue, f.exchange, f.key
		}
		if !f.at.IsZero() {
			t.FirstFailure = f.at
		}
		line := Failure{At: f.at, Attempt: f.attempts, Kind: "returned", Text: f.text}
		t.Failures = append(t.Failures, line.Line())
	}
	slices.Reverse(t.Failures)
	return t, true
}

// round is one failure as Kicks tells it.
type round struct {
	text, class, backtrace, frame string
	attempts                      int
	at                            time.Time
	queue, exchange, key          string
}

// readKicks reads one object of a RetryInfo. Any field may be of any type.
func readKicks(object json.RawMessage) (r round) {
	var m map[string]any
	if json.Unmarshal(object, &m) != nil {
		return r
	}
	r.text = cmp.Or(bounded(m["error_message"], maxText), bounded(m["error"], maxText))
	r.class = bounded(m["error_class"], maxType)
	r.attempts = count(m["num_attempts"])
	r.at = moment(m["failed_at"])
	r.backtrace, r.frame = backtrace(m["backtrace"])
	properties, _ := m["properties"].(map[string]any)
	nested, _ := properties["headers"].(map[string]any)
	for _, d := range ReadDeaths(nested) {
		if d.Reason == "rejected" { // by Kicks, to retry
			r.queue, r.exchange, r.key = d.Queue, d.Exchange, d.Key
			break
		}
	}
	return r
}

// backtrace joins the lines of a stack, and returns the file of the first.
func backtrace(v any) (stack, frame string) {
	list, _ := v.([]any)
	var b strings.Builder
	for _, v := range list {
		s, ok := text(v)
		if !ok {
			continue
		}
		if frame == "" {
			frame, _, _ = strings.Cut(s, ":")
		}
		if b.Len() > maxStack {
			break
		}
		b.WriteString(s)
		b.WriteByte('\n')
	}
	return clip(b.String(), maxStack), clip(frame, maxType)
}
