// Package where selects entries of an error queue by an expression:
//
//	match, err := where.Parse(`reason == "exhausted" && body.amount > 100 && age > duration("2h")`, where.Config{})
//	if err != nil {
//		return err
//	}
//	filter := errorqueue.Filter{Match: match, MatchText: `reason == "exhausted" && ...`}
//
// The language is that of github.com/expr-lang/expr: comparisons, and or not,
// in, contains, startsWith, endsWith, matches (with a regular expression in
// quotes), + - * / %, ?. for what may be missing, ?? for what to take instead,
// and the functions all, none, any, one, filter, map, find, count, sum, min,
// max, len, abs, ceil, floor, round, int, float, string, trim, upper, lower,
// indexOf, keys, values, first, last, get, now, date and duration. A duration
// may be in days, too: duration("3d").
//
// # What an expression knows
//
// Of the failure:
//
//	id, position, queue, source, reason, error, error_type, stack,
//	attempts, first_failure, last_failure, age, failures, fingerprint,
//	host, process, origin_exchange, origin_key, replays, looks, cut
//
// Of the message:
//
//	type, app_id, content_type, content_encoding, correlation_id,
//	reply_to, user_id, expiration, delivery_mode, priority, timestamp,
//	exchange, routing_key, redelivered, headers, size, text, body
//
// They mean what the fields of [errorqueue.Entry] and [errorqueue.Message] of
// that name do. What an entry does not tell is zero: "", 0, or the time of year
// 1. The times are compared as in last_failure > date("2026-11-22"); age is the
// time since the last failure. size counts the bytes of the body, text is the
// body as it came, and body is what it says: of JSON, objects, arrays, text and
// numbers.
//
// # Fields that are not there
//
// A field that an object does not have is nil. Comparing nil with < or > is an
// error, and so is asking nil for a field: an expression that was meant for
// other messages should not decide about this one. Say what to take instead:
// (body.amount ?? 0) > 100, or body.customer?.id == 7.
//
// # Bounds
//
// Bodies are input from anyone. For one entry an expression may take a second,
// and make a million values. A body of more than [DefaultMaxBody], which Config
// can change, is an error where the expression asks for what it says. What is
// not asked for is not decoded: reason == "timeout" && body.id == 7 never
// looks into bodies of entries that failed otherwise.
package where

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/warren-mq/warren/errorqueue"
)

// DefaultMaxBody is how large a body may be, in bytes and decompressed, whose
// content an expression asks for: 4 MiB.
const DefaultMaxBody = 4 << 20

// Bounds of an expression, and of its work for one entry.
const (
	maxText   = 64 << 10
	maxNodes  = 1000
	maxValues = 1_000_000
	maxTime   = time.Second
)

// Config is what Parse can be told. Its zero value works.
type Config struct {
	// Decode gives the body of an entry: maps with string keys, slices, strings,
	// numbers, booleans, times, nil. It is called at most once for an entry, and
	// only if its body is asked for. Nil reads JSON, after undoing the content
	// encoding.
	Decode func(errorqueue.Entry) (any, error)
	// MaxBody is how large a body may be in bytes, decompressed, where Decode is
	// nil. 0 means DefaultMaxBody.
	MaxBody int
}

// Error is a text that is no expression.
type Error struct {
	// Line and Column, counted from 1, are where it goes wrong. They are zero
	// if it is about the whole.
	Line, Column int
	// Text is what is wrong, on one line.
	Text string
	// Snippet is the line, and below it a mark where it goes wrong. It may be
	// empty.
	Snippet string
}

// Error says what is wrong, and where.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Text
	}
	s := fmt.Sprintf("column %d: %s", e.Column, e.Text)
	if e.Line > 1 {
		s = fmt.Sprintf("line %d, %s", e.Line, s)
	}
	if e.Snippet != "" {
		s += "\n" + e.Snippet
	}
	return s
}

// Parse returns a function that tells whether an entry is meant by the
// expression. The error is an [*Error] with the position of what is wrong: a
// name that is not known, types that cannot be compared, or an expression that
// is not a yes or a no.
//
// The function may be called by several goroutines at once. Its error says that
// the expression cannot tell of this entry: its body is not what was thought,
// or a bound was reached. It then is neither meant nor not meant, and should
// stay where it is; so errorqueue's verbs do.
func Parse(text string, cfg Config) (func(errorqueue.Entry) (bool, error), error) {
	if strings.TrimSpace(text) == "" {
		return nil, &Error{Text: "it is empty"}
	}
	if len(text) > maxText {
		return nil, &Error{Text: fmt.Sprintf("it has more than %d bytes", maxText)}
	}
	if cfg.Decode == nil {
		cfg.Decode = func(e errorqueue.Entry) (any, error) { return DecodeJSON(e, cfg.MaxBody) }
	}
	check := &rewriter{}
	options := append(functions(), expr.Env(environment{}), expr.AsBool(), expr.MaxNodes(maxNodes), expr.Patch(check))
	program, err := expr.Compile(text, options...)
	// A wrong name has been seen by the compiler, which knows how to say it.
	if err == nil {
		err = check.err
	}
	if err != nil {
		return nil, positioned(err, text)
	}
	return func(e errorqueue.Entry) (bool, error) {
		env := newEnvironment(e, cfg.Decode)
		machine := vm.VM{MemoryBudget: maxValues}
		answer, err := machine.Run(program, env)
		if err != nil {
			return false, explained(err)
		}
		yes, _ := answer.(bool) // expr.AsBool has seen to it
		return yes, nil
	}, nil
}

// Names returns the names that an expression knows, in the order of the package
// comment.
func Names() []string { return slices.Clone(names) }

// positioned is an error of the compiler as one of ours.
func positioned(err error, text string) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var f *file.Error
	if !errors.As(err, &f) {
		return &Error{Text: oneLine(err.Error())}
	}
	e := &Error{Line: max(1, f.Line), Column: f.Column + 1, Text: oneLine(f.Message)}
	lines := strings.Split(text, "\n")
	if e.Line <= len(lines) && len(text) < 500 {
		line := strings.ReplaceAll(lines[e.Line-1], "\t", " ")
		e.Snippet = "    " + line + "\n    " + strings.Repeat(" ", f.Column) + "^"
	}
	return e
}

// explained is an error of a running expression, on one line, with advice for
// the usual one.
func explained(err error) error {
	var f *file.Error
	if !errors.As(err, &f) {
		return err
	}
	for _, known := range []error{errTooLong, errBody} {
		if errors.Is(f.Prev, known) {
			return f.Prev
		}
	}
	text := oneLine(f.Message)
	if strings.HasPrefix(text, "invalid operation: bool(") {
		return errors.New("the answer is not yes or no")
	}
	if strings.Contains(text, "<nil>") {
		text += " (a field is not there: say what to take instead, as in (body.amount ?? 0) > 100 or body.customer?.id)"
	}
	return fmt.Errorf("column %d: %s", f.Column+1, text)
}

func oneLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}
