package sentrymonitor

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/getsentry/sentry-go"
)

const (
	maxCauses = 10
	maxFrames = 100
	maxText   = 4096 // bytes
)

func now() time.Time { return time.Now() }

// exceptions are an error and what it wraps, the innermost first, as Sentry has them. The stack is that of the
// outermost; without one there is none: the SDK would take the stack of the goroutine that settles.
func exceptions(err error, stack []byte) []sentry.Exception {
	if err == nil {
		err = errors.New("no error was given")
	}
	var list []sentry.Exception
	for cause := err; cause != nil && len(list) < maxCauses; cause = errors.Unwrap(cause) {
		list = append(list, sentry.Exception{Type: fmt.Sprintf("%T", cause), Value: errorText(cause)})
	}
	list[0].Stacktrace = stacktrace(stack)
	slices.Reverse(list)
	return list
}

// errorText is the text of an error, bounded; the type, if its method panics.
func errorText(err error) (s string) {
	if err == nil {
		return ""
	}
	defer func() {
		if recover() != nil {
			s = fmt.Sprintf("%T", err)
		}
	}()
	s = err.Error()
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}

// stacktrace reads a stack as the runtime writes it: a line with the function, and one with file and line. The oldest
// call comes first in Sentry. What is between a panic and the code that panicked is left out.
func stacktrace(stack []byte) *sentry.Stacktrace {
	lines := bytes.Split(stack, []byte("\n"))
	var frames []sentry.Frame
	for i := 0; i+1 < len(lines) && len(frames) < maxFrames; i++ {
		place, ok := bytes.CutPrefix(lines[i+1], []byte("\t"))
		if !ok {
			continue // "goroutine 1 [running]:"
		}
		function := string(lines[i])
		i++
		if strings.HasPrefix(function, "panic(") {
			frames = frames[:0]
			continue
		}
		frames = append(frames, frame(function, string(place)))
	}
	if len(frames) == 0 {
		return nil
	}
	slices.Reverse(frames)
	return &sentry.Stacktrace{Frames: frames}
}

// frame reads "pkg/path.(*Type).Method(0x1, ...)" and "/dir/file.go:12 +0x34".
func frame(function, place string) sentry.Frame {
	function = strings.TrimPrefix(function, "created by ")
	function, _, _ = strings.Cut(function, " in goroutine ")
	if open := strings.LastIndexByte(function, '('); open > 0 && strings.HasSuffix(function, ")") {
		function = function[:open]
	}
	slash := strings.LastIndexByte(function, '/')
	module, name := "", function
	if dot := strings.IndexByte(function[slash+1:], '.'); dot >= 0 {
		module, name = function[:slash+1+dot], function[slash+1+dot+1:]
	}
	place, _, _ = strings.Cut(place, " ")
	file, number, _ := cutLast(place, ':')
	line, _ := strconv.Atoi(number)
	return sentry.Frame{
		Function: name, Module: module, AbsPath: file, Filename: filepath.Base(file), Lineno: line,
		InApp: inApp(module),
	}
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// inApp tells whether a package is the program's own: not the standard library, nor what of Warren runs handlers.
func inApp(module string) bool {
	first, _, _ := strings.Cut(module, "/")
	standard := !strings.Contains(first, ".") && module != "main"
	return !standard && module != "github.com/warren-mq/warren/consumer" && module != "github.com/warren-mq/warren/internal/execute"
}
