package errorqueue

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Filter selects entries. All that is set must hold; of the values in one list,
// any. The zero Filter selects all entries.
type Filter struct {
	// IDs, Reasons, Types (of the message), Fingerprints and Queues are compared
	// as they are.
	IDs, Reasons, Types, Fingerprints, Queues []string
	// Error is part of the error's text or type, regardless of case.
	Error string
	// Since and Until bound the last failure: not before Since, and before
	// Until. An entry that does not tell when it failed is not selected if
	// either is set.
	Since, Until time.Time
	// MinAttempts and MaxAttempts bound the attempts that were made; 0 does not.
	MinAttempts, MaxAttempts int
	// Headers are headers of the message with their values as text: numbers in
	// decimal, true or false, times as RFC 3339 in UTC. A header that is a
	// table or an array equals no text.
	Headers map[string]string
	// Match is for anything else, such as a look into the decoded body. It is
	// called last, from the caller's goroutine. An error means that it cannot
	// tell; the entry is not acted upon then.
	Match func(Entry) (bool, error)
	// MatchText says what Match does, for String; empty: "custom".
	MatchText string
}

// selects tells whether f selects e. The error is Match's.
func (f Filter) selects(e Entry) (bool, error) {
	if !f.selectsWithoutMatch(&e) {
		return false, nil
	}
	if f.Match == nil {
		return true, nil
	}
	selected, err := f.Match(e)
	if err != nil {
		return false, fmt.Errorf("match entry %s: %w", e.ID, err)
	}
	return selected, nil
}

func (f *Filter) selectsWithoutMatch(e *Entry) bool {
	for _, l := range []struct {
		any   []string
		value string
	}{
		{f.IDs, e.ID},
		{f.Reasons, e.Reason},
		{f.Types, e.Message.Type},
		{f.Fingerprints, e.Fingerprint},
		{f.Queues, e.Queue},
	} {
		if len(l.any) > 0 && !slices.Contains(l.any, l.value) {
			return false
		}
	}
	last := e.LastFailure
	switch {
	case !f.Since.IsZero() && (last.IsZero() || last.Before(f.Since)),
		!f.Until.IsZero() && (last.IsZero() || !last.Before(f.Until)),
		e.Attempts < f.MinAttempts,
		f.MaxAttempts > 0 && e.Attempts > f.MaxAttempts,
		f.Error != "" && !containsFold(e.Error, f.Error) && !containsFold(e.ErrorType, f.Error):
		return false
	}
	for name, want := range f.Headers {
		v, present := e.Message.Headers[name]
		if got, ok := valueText(v); !present || !ok || got != want {
			return false
		}
	}
	return true
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// valueText is a header's value as text.
func valueText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	case time.Time:
		return v.UTC().Format(time.RFC3339), true
	case nil, map[string]any, []any:
		return "", false
	default: // numbers and truth
		return fmt.Sprint(v), true
	}
}

// String returns the filter as people write it, such as
// "reason=exhausted error~timeout", and "all" for the zero Filter. It is made
// for reading: two different filters may look the same only where Match differs.
func (f Filter) String() string {
	var terms []string
	add := func(term, value string) { terms = append(terms, term+value) }
	for _, l := range []struct {
		name string
		any  []string
	}{
		{"id", f.IDs},
		{"reason", f.Reasons},
		{"type", f.Types},
		{"fingerprint", f.Fingerprints},
		{"queue", f.Queues},
	} {
		if len(l.any) == 0 {
			continue
		}
		values := make([]string, len(l.any))
		for i, v := range l.any {
			values[i] = quoted(v)
		}
		add(l.name+"=", strings.Join(values, ","))
	}
	if f.Error != "" {
		add("error~", quoted(f.Error))
	}
	if !f.Since.IsZero() {
		add("since=", f.Since.UTC().Format(time.RFC3339Nano))
	}
	if !f.Until.IsZero() {
		add("until=", f.Until.UTC().Format(time.RFC3339Nano))
	}
	if f.MinAttempts > 0 {
		add("attempts>=", strconv.Itoa(f.MinAttempts))
	}
	if f.MaxAttempts > 0 {
		add("attempts<=", strconv.Itoa(f.MaxAttempts))
	}
	for _, name := range slices.Sorted(maps.Keys(f.Headers)) {
		add("header."+quoted(name)+"=", quoted(f.Headers[name]))
	}
	if f.Match != nil {
		text := f.MatchText
		if text == "" {
			text = "custom"
		}
		add("match=", quoted(text))
	}
	if len(terms) == 0 {
		return "all"
	}
	return strings.Join(terms, " ")
}

// quoted quotes what would not stand out as one word.
func quoted(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || strings.ContainsRune(`",=<>~`, r) || !strconv.IsPrint(r)
	}) {
		return strconv.Quote(s)
	}
	return s
}
