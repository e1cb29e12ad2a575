package header

import (
	"strings"
	"time"
)

// Told is what the headers of a message in an error queue tell of why it is
// there, whoever wrote them. What they do not tell is zero. Texts are valid
// UTF-8 and have bounds.
type Told struct {
	// Queue is the queue in which it failed.
	Queue                     string
	Reason                    string
	Error, ErrorType, Stack   string
	Attempts                  int
	FirstFailure, LastFailure time.Time
	Failures                  []string // oldest first
	Fingerprint               string
	Host, Process             string
	OriginExchange, OriginKey string
	Cut                       []string
	Replays                   int
	// Frame is where it failed, if that is known: for the fingerprint.
	Frame string
}

// ReadTold reads what Warren's consumers write on what they move to an error
// queue. ok is false if they did not: an entry of theirs always has a reason.
func ReadTold(headers map[string]any) (t Told, ok bool) {
	reason, ok := text(headers[Reason])
	if !ok || reason == "" {
		return Told{}, false
	}
	t.Reason = clip(reason, maxType)
	t.Queue = name(headers[OriginQueue])
	t.Error = bounded(headers[Error], maxText)
	t.ErrorType = bounded(headers[ErrorType], maxType)
	t.Stack = bounded(headers[Stack], maxStack)
	t.Attempts = count(headers[Attempts])
	t.FirstFailure = moment(headers[FirstFailure])
	t.LastFailure = moment(headers[LastFailure])
	t.Failures = lines(headers[Failures], maxFailures, maxFailure)
	t.Fingerprint = bounded(headers[Fingerprint], maxType)
	t.Host = bounded(headers[Host], maxType)
	t.Process = bounded(headers[Process], maxType)
	t.OriginExchange, t.OriginKey = name(headers[OriginExchange]), name(headers[OriginKey])
	t.Cut = lines(headers[Cut], MaxCut, maxType)
	t.Replays = count(headers[Replays])
	return t, true
}

// bounded is v as a text of at most that many bytes; empty if it is none.
func bounded(v any, most int) string {
	s, _ := text(v)
	return clip(s, most)
}

// name is v as the name of a queue or exchange, or a key; empty if it cannot be
// one.
func name(v any) string {
	s, ok := text(v)
	if !ok || !isShort(s) || strings.ToValidUTF8(s, "") != s {
		return ""
	}
	return s
}

// lines are the last few texts of v, if that is an array.
func lines(v any, most, bytes int) []string {
	list, _ := v.([]any)
	var kept []string
	for _, v := range texts(list, most, bytes) {
		kept = append(kept, v.(string))
	}
	return kept
}

// moment reads a time that may be an AMQP timestamp, or text of RFC 3339.
func moment(v any) time.Time {
	if t, ok := v.(time.Time); ok {
		return t.UTC()
	}
	s, ok := text(v)
	if !ok || len(s) > maxStamp {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// maxStamp is the longest text of a time: that of RFC 3339, with every digit.
const maxStamp = len(time.RFC3339Nano)
