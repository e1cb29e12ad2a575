package wire

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Error is what RabbitMQ makes of bytes that it cannot read. It ends the
// connection.
type Error struct {
	// Code and Text are those of the connection.close that it sends. Code is
	// zero where RabbitMQ's reader dies of the bytes: then it says nothing, and
	// resets the connection.
	Code uint16
	Text string
	// Class and Method are those of the method at fault, or zero.
	Class, Method uint16
}

func (e *Error) Error() string {
	if e.Code == 0 {
		return "wire: " + e.Text
	}
	return fmt.Sprintf("wire: %d %s", e.Code, e.Text)
}

// unreadable is an error that RabbitMQ has no words for. These are ours.
func unreadable(what string) *Error { return &Error{Text: what} }

// malformed is a content header whose properties cannot be read. RabbitMQ
// reads them in the channel, which dies of it.
func malformed() *Error { return &Error{Code: InternalError, Text: "INTERNAL_ERROR"} }

// Unknown is the error for a frame that makes no sense in itself.
func Unknown(f Frame) *Error {
	return &Error{Code: FrameError, Text: "FRAME_ERROR - " + snippet(f.Type, f.Payload) + ": unknown_frame"}
}

// Unexpected is the error for a frame that makes no sense where it stands:
// one for the connection itself that carries content, a heartbeat on a channel.
func Unexpected(f Frame) *Error {
	return &Error{Code: UnexpectedFrame, Text: "UNEXPECTED_FRAME - " + snippet(f.Type, f.Payload)}
}

// NoHeader is the error for another frame where the header of a message must
// come. RabbitMQ does not take one for a header whose weight is not zero.
func NoHeader() *Error {
	return &Error{
		Code: UnexpectedFrame,
		Text: "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead",
	}
}

// snippet is how RabbitMQ shows a frame in its error texts
// (rabbit_reader:payload_snippet).
func snippet(kind byte, payload []byte) string {
	if len(payload) <= 16 {
		return fmt.Sprintf("type %d, all octets = %s", kind, erlang(payload))
	}
	return fmt.Sprintf("type %d, first 16 octets = %s", kind, erlang(payload[:16]))
}

// erlang writes bytes as Erlang's ~tp does: as text when all of it can be
// printed, else as numbers.
func erlang(b []byte) string {
	var text, mark string
	printable := func(r rune) bool {
		return r >= ' ' && r <= '~' || r >= 0xa0 && r <= 0xff || r >= '\b' && r <= '\r' || r == 0x1b
	}
	if len(b) == 0 {
		return "<<>>"
	}
	if text = string(b); utf8.ValidString(text) && all(text, printable) {
		if utf8.RuneCountInString(text) != len(text) {
			mark = "/utf8"
		}
	} else {
		latin1 := make([]rune, len(b))
		for i, c := range b {
			latin1[i] = rune(c)
		}
		if text = string(latin1); !all(text, printable) {
			return numbers(b)
		}
	}
	quoted := make([]rune, 0, len(text))
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			quoted = append(quoted, '\\', r)
		case unicode.IsControl(r) && r < ' ':
			quoted = append(quoted, '\\', rune("btnvfr"[min(r, '\r')-'\b']))
			if r == 0x1b {
				quoted[len(quoted)-1] = 'e'
			}
		default:
			quoted = append(quoted, r)
		}
	}
	return `<<"` + string(quoted) + `"` + mark + `>>`
}

func all(s string, is func(rune) bool) bool {
	for _, r := range s {
		if !is(r) {
			return false
		}
	}
	return true
}

// numbers writes bytes as Erlang's ~w does.
func numbers(b []byte) string {
	s := []byte("<<")
	for i, c := range b {
		if i > 0 {
			s = append(s, ',')
		}
		s = fmt.Append(s, c)
	}
	return string(append(s, ">>"...))
}
