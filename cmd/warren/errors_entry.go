package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/warren-mq/warren/errorqueue"
)

// entryJSON is an entry as --json prints it. Its names are those of --where, and do not change. What is zero is left out,
// but for the first ones.
type entryJSON struct {
	ID          string `json:"id"`
	Position    int    `json:"position"`
	Queue       string `json:"queue"`
	Source      string `json:"source"`
	Reason      string `json:"reason"`
	Attempts    int    `json:"attempts"`
	Fingerprint string `json:"fingerprint"`
	Size        int    `json:"size"`

	Error          string     `json:"error,omitzero"`
	ErrorType      string     `json:"error_type,omitzero"`
	FirstFailure   *time.Time `json:"first_failure,omitempty"`
	LastFailure    *time.Time `json:"last_failure,omitempty"`
	Host           string     `json:"host,omitzero"`
	Process        string     `json:"process,omitzero"`
	OriginExchange string     `json:"origin_exchange,omitzero"`
	OriginKey      string     `json:"origin_key,omitzero"`
	Replays        int        `json:"replays,omitzero"`
	Looks          int        `json:"looks,omitzero"`
	Cut            []string   `json:"cut,omitempty"`

	Type            string     `json:"type,omitzero"`
	AppID           string     `json:"app_id,omitzero"`
	ContentType     string     `json:"content_type,omitzero"`
	ContentEncoding string     `json:"content_encoding,omitzero"`
	CorrelationID   string     `json:"correlation_id,omitzero"`
	ReplyTo         string     `json:"reply_to,omitzero"`
	UserID          string     `json:"user_id,omitzero"`
	Expiration      string     `json:"expiration,omitzero"`
	DeliveryMode    uint8      `json:"delivery_mode,omitzero"`
	Priority        uint8      `json:"priority,omitzero"`
	Timestamp       *time.Time `json:"timestamp,omitempty"`
	Exchange        string     `json:"exchange,omitzero"`
	RoutingKey      string     `json:"routing_key,omitzero"`
	Redelivered     bool       `json:"redelivered,omitzero"`

	// The rest only where one entry is shown.
	Failures []string        `json:"failures,omitempty"`
	Stack    string          `json:"stack,omitzero"`
	Headers  map[string]any  `json:"headers,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"` // a JSON or Avro body
	Text     string          `json:"text,omitzero"`  // a body that is text, or cut
	Base64   string          `json:"base64,omitzero"`
	BodyNote string          `json:"body_note,omitzero"` // why a body is not shown, or not whole
}

// inBrief is an entry without what may be long.
func inBrief(e *errorqueue.Entry) entryJSON {
	m := &e.Message
	return entryJSON{
		ID: e.ID, Position: e.Position, Queue: e.Queue, Source: string(e.Source), Reason: e.Reason,
		Attempts: e.Attempts, Fingerprint: e.Fingerprint, Size: len(m.Body),
		Error: e.Error, ErrorType: e.ErrorType, FirstFailure: known(e.FirstFailure), LastFailure: known(e.LastFailure),
		Host: e.Host, Process: e.Process, OriginExchange: e.OriginExchange, OriginKey: e.OriginKey,
		Replays: e.Replays, Looks: e.Looks, Cut: e.Cut,
		Type: m.Type, AppID: m.AppID, ContentType: m.ContentType, ContentEncoding: m.ContentEncoding,
		CorrelationID: m.CorrelationID, ReplyTo: m.ReplyTo, UserID: m.UserID, Expiration: m.Expiration,
		DeliveryMode: m.DeliveryMode, Priority: m.Priority, Timestamp: known(m.Timestamp),
		Exchange: m.Exchange, RoutingKey: m.Key, Redelivered: m.Redelivered,
	}
}

// whole is an entry with everything that may be seen.
func (b *bodyFlags) whole(e *errorqueue.Entry) entryJSON {
	j := inBrief(e)
	j.Failures, j.Stack = e.Failures, e.Stack
	if len(e.Message.Headers) > 0 {
		j.Headers = b.headers(e.Message.Headers)
	}
	seen := b.see(&e.Message)
	j.Body, j.Text, j.Base64, j.BodyNote = seen.JSON, seen.Text, seen.Base64, seen.Note
	return j
}

// known is a time in UTC, or nil if it is zero.
func known(t time.Time) *time.Time {
	if t.IsZero() || t.Year() < 0 || t.Year() > 9999 { // which JSON has no form for
		return nil
	}
	t = t.UTC()
	return &t
}

// headers are a table's values as JSON has them.
func (b *bodyFlags) headers(table map[string]any) map[string]any {
	shown := make(map[string]any, len(table))
	for name, v := range table {
		if b.hides(name, name) {
			shown[name] = redactedMark
		} else {
			shown[name] = b.header(v)
		}
	}
	return shown
}

func (b *bodyFlags) header(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return b.headers(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = b.header(v[i])
		}
		return list
	case []byte:
		if utf8.Valid(v) {
			return string(v)
		}
		return "base64:" + base64.StdEncoding.EncodeToString(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprint(v)
		}
	case float32:
		return b.header(float64(v))
	case time.Time:
		if t := known(v); t != nil {
			return *t
		}
		return v.String()
	case nil, bool, string, int, int8, int16, int32, int64, uint8, uint16, uint32:
	default: // a decimal
		return fmt.Sprint(v)
	}
	return v
}

// show prints an entry for people.
func (b *bodyFlags) show(o output, queue string, e *errorqueue.Entry, now time.Time) error {
	var text strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&text, "%s  %s\n", o.paint(faint, fmt.Sprintf("%-15s", name)), printable(value))
		}
	}
	number := func(name string, n int) {
		if n != 0 {
			line(name, grouped(n))
		}
	}
	m := &e.Message
	fmt.Fprintf(&text, "%s, at position %s of %s\n", o.paint(red, printable(e.ID)), grouped(e.Position), printable(queue))
	line("reason", e.Reason)
	line("error", e.Error)
	line("error type", e.ErrorType)
	number("attempts", e.Attempts)
	line("first failure", when(e.FirstFailure, now))
	line("last failure", when(e.LastFailure, now))
	number("replays", e.Replays)
	line("fingerprint", e.Fingerprint)
	line("failed in", e.Queue)
	line("put here by", string(e.Source))
	line("host", strings.Join(slices.DeleteFunc([]string{e.Host, e.Process}, func(s string) bool { return s == "" }), ", process "))
	if e.OriginExchange != "" || e.OriginKey != "" {
		line("published to", fmt.Sprintf("exchange %q, key %q", e.OriginExchange, e.OriginKey))
	}
	line("message type", m.Type)
	line("app id", m.AppID)
	line("correlation id", m.CorrelationID)
	line("reply to", m.ReplyTo)
	line("user id", m.UserID)
	line("published at", when(m.Timestamp, now))
	number("looks", e.Looks)
	line("left out", strings.Join(e.Cut, ", "))
	for i, failure := range e.Failures {
		name := ""
		if i == 0 {
			name = "failures"
		}
		line(name, failure)
	}
	if e.Stack != "" {
		stack := e.Stack
		if b.most > 0 {
			stack = clip(stack, b.most)
		}
		fmt.Fprintf(&text, "%s\n%s\n", o.paint(faint, "stack"), indented(printableLines(strings.TrimSpace(stack))))
	}
	if err := b.showHeaders(&text, o, m.Headers); err != nil {
		return err
	}
	if err := b.showBody(&text, o, m); err != nil {
		return err
	}
	_, err := o.Write([]byte(text.String()))
	return err
}

// showHeaders prints those that are not told already.
func (b *bodyFlags) showHeaders(text *strings.Builder, o output, table map[string]any) error {
	shown := b.headers(table)
	maps.DeleteFunc(shown, func(name string, _ any) bool { return strings.HasPrefix(name, "warren-") })
	if len(shown) == 0 {
		return nil
	}
	fmt.Fprintf(text, "%s\n", o.paint(faint, "headers"))
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		value, ok := shown[name].(string)
		if !ok {
			encoded, err := jsonOf(shown[name], false)
			if err != nil {
				return err
			}
			value = strings.TrimSpace(string(encoded))
		}
		if b.most > 0 {
			value = cut(value, b.most)
		}
		fmt.Fprintf(text, "    %s: %s\n", printable(name), printable(value))
	}
	return nil
}

func (b *bodyFlags) showBody(text *strings.Builder, o output, m *errorqueue.Message) error {
	about := count(len(m.Body), "byte", "bytes")
	if kind := strings.Trim(m.ContentType+", "+m.ContentEncoding, ", "); kind != "" {
		about += ", " + kind
	}
	seen := b.see(m)
	if seen.Note != "" {
		about += " (" + seen.Note + ")"
	}
	fmt.Fprintf(text, "%s  %s\n", o.paint(faint, fmt.Sprintf("%-15s", "body")), printable(about))
	shown := printableLines(seen.Text) + seen.Base64
	if seen.JSON != nil {
		pretty, err := jsonOf(seen.JSON, true)
		if err != nil {
			return err
		}
		shown = strings.TrimSuffix(string(pretty), "\n")
	}
	if shown != "" {
		text.WriteString(indented(shown) + "\n")
	}
	return nil
}

func indented(s string) string { return "    " + strings.ReplaceAll(s, "\n", "\n    ") }

// when is a time, and how long ago that was.
func when(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC") + " (" + ago(t, now) + ")"
}

// ago is how long ago a time was; nothing if it is not known.
func ago(t, now time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case t.After(now):
		return "in " + inShort(t.Sub(now))
	default:
		return inShort(now.Sub(t)) + " ago"
	}
}
