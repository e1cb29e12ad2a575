package header

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what is told about a failure. Texts come from anywhere.
const (
	maxFailures = 5
	maxFailure  = 240
	maxText     = 4 << 10
	maxType     = 200
	maxStack    = 16 << 10
)

// Failure is one failed attempt.
type Failure struct {
	At      time.Time
	Attempt int
	// Kind is how it failed: "returned", "timeout", "panic", "stuck"; or the
	// reason, where no handler ran.
	Kind string
	// Text and Type describe the error.
	Text, Type string
	// Stack is that of a panic.
	Stack []byte
	// Frame is the function of the application where it failed, if known.
	Frame string
}

// NewFailure describes err. It survives an Error method that panics.
func NewFailure(at time.Time, attempt int, kind string, err error, stack []byte, frame string) Failure {
	return Failure{
		At: at, Attempt: attempt, Kind: kind,
		Text: Text(err), Type: typeOf(err), Stack: stack, Frame: frame,
	}
}

// Text returns what err says, in bounds and as valid UTF-8.
func Text(err error) (s string) {
	if err == nil {
		return ""
	}
	defer func() {
		if recover() != nil {
			s = fmt.Sprintf("a %T whose Error method panics", err)
		}
	}()
	return clip(err.Error(), maxText)
}

// Type names the type of what a handler panicked with; of an error, that which
// it is about.
func Type(v any) string {
	if err, ok := v.(error); ok {
		return typeOf(err)
	}
	if v == nil {
		return ""
	}
	return clip(fmt.Sprintf("%T", v), maxType)
}

// typeOf returns the type of the error that err is about: the first in its
// chain that is more than a wrapper of package fmt or errors.
func typeOf(err error) string {
	if err == nil {
		return ""
	}
	name := ""
	for e := err; e != nil; e = unwrap(e) {
		name = fmt.Sprintf("%T", e)
		if t := reflect.TypeOf(e); t.Kind() == reflect.Pointer {
			t = t.Elem()
			if t.PkgPath() == "fmt" || t.PkgPath() == "errors" {
				continue
			}
		}
		break
	}
	return clip(name, maxType)
}

// unwrap returns what err wraps; the last of several, which is the cause where
// a sentinel comes before it.
func unwrap(err error) (inner error) {
	defer func() { _ = recover() }()
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		if list := several.Unwrap(); len(list) > 0 {
			return list[len(list)-1]
		}
	}
	return errors.Unwrap(err)
}

// Line is the failure in short, for the list of the last few.
func (f Failure) Line() string {
	b := make([]byte, 0, maxFailure) // on the stack
	b = f.At.UTC().AppendFormat(b, time.RFC3339)
	b = append(b, " attempt "...)
	b = strconv.AppendInt(b, int64(f.Attempt), 10)
	b = append(b, ": "...)
	b = append(b, f.Kind...)
	if text := strings.TrimPrefix(strings.ReplaceAll(f.Text, "\n", " "), f.Kind+": "); text != "" {
		b = append(b, ": "...)
		b = append(b, text...)
	}
	return clip(string(b), maxFailure)
}

// Append returns the last few failures with f at their end, in a list of its own.
func (f Failure) Append(earlier []any) []any {
	kept := earlier[max(0, len(earlier)-maxFailures+1):]
	return append(append(make([]any, 0, len(kept)+1), kept...), f.Line())
}

// Fingerprint is equal for failures that are probably the same: of the same
// kind and type, with the same text but for numbers and ids, at the same place
// of the application.
func (f Failure) Fingerprint() string {
	sum := sha256.Sum256([]byte(f.Kind + "\x00" + f.Type + "\x00" + normalise(f.Text) + "\x00" + f.Frame))
	return hex.EncodeToString(sum[:8])
}

// word is one with a digit in it.
const word = `\b[0-9a-zA-Zµ_-]*[0-9][0-9a-zA-Zµ_-]*`

var (
	variable = regexp.MustCompile(strings.Join([]string{
		`"[^"]{0,200}"`, `'[^']{0,200}'`, // what is quoted is data
		`[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}`, // UUID
		word + `(?:[.:]` + word + `)*`,                         // numbers, ids, 0x..., 3.2s, 10.0.0.1:5672
	}, "|"))
	spaces = regexp.MustCompile(`\s+`)
)

func normalise(text string) string {
	return clip(spaces.ReplaceAllString(variable.ReplaceAllString(clip(text, 1<<10), "*"), " "), 512)
}

// Function names the function at pc, without its package's path.
func Function(pc uintptr) string {
	if pc == 0 {
		return ""
	}
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	return short(frame.Function)
}

func short(function string) string {
	return function[strings.LastIndexByte(function, '/')+1:]
}

// PanicFrame finds, in the stack of a panic, the first function below the panic
// that is not the runtime's: where it happened.
func PanicFrame(stack []byte) string {
	lines := strings.Split(string(stack), "\n")
	panicked := false
	for _, line := range lines {
		if line == "" || line[0] == '\t' || strings.HasPrefix(line, "goroutine ") {
			continue
		}
		if strings.HasPrefix(line, "panic(") {
			panicked = true
			continue
		}
		if !panicked || strings.HasPrefix(line, "runtime.") {
			continue
		}
		if i := strings.LastIndexByte(line, '('); i > 0 {
			line = line[:i]
		}
		return short(line)
	}
	return ""
}

// clip cuts s to at most that many bytes, between characters, and makes it valid
// UTF-8, which never takes more bytes than it had.
func clip(s string, most int) string {
	const more = "…"
	if len(s) <= most {
		return strings.ToValidUTF8(s, "?")
	}
	s = s[:most-len(more)]
	for i := len(s) - 1; i >= most-len(more)-utf8.UTFMax && i >= 0; i-- {
		if utf8.RuneStart(s[i]) { // of the last character, which may be cut
			if !utf8.FullRuneInString(s[i:]) {
				s = s[:i]
			}
			break
		}
	}
	return strings.ToValidUTF8(s, "?") + more
}

// ClipStack cuts a stack.
func ClipStack(stack []byte) string { return clip(string(stack), maxStack) }
