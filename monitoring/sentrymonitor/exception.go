package sentrymonitor

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getsentry/sentry-go"
)

const (
	maxCauses = 10
	maxFrames = 100
	maxText   = 4096 // bytes
)

// exceptions are an error and what it wraps, the innermost first, as Sentry has them. The stack is that of the
// outermost; without one there is none: the SDK would take the stack of the goroutine that settles.
func exceptions(err error, stack []byte) []sentry.Exception {
	if err == nil {
		err = errors.New("no error was given")
	}
	var list []sentry.Exception
	for pending := []error{err}; len(pending) > 0 && len(list) < maxCauses; {
		cause := pending[0]
		list = append(list, sentry.Exception{Type: fmt.Sprintf("%T", cause), Value: errorText(cause)})
		pending = append(causes(cause), pending[1:]...)
	}
	list[0].Stacktrace = stacktrace(stack)
	slices.Reverse(list)
	return list
}

// causes are what an error wraps, one or several. Its method may panic.
func causes(err error) (list []error) {
	defer func() {
		if recover() != nil {
			list = nil
		}
	}()
	switch err := err.(type) { //nolint:errorlint // one step, not the whole chain
	case interface{ Unwrap() error }:
		list = []error{err.Unwrap()}
	case interface{ Unwrap() []error }:
		list = slices.Clone(err.Unwrap())
	}
	return slices.DeleteFunc(list, func(err error) bool { return err == nil })
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
	return clip(err.Error(), maxText)
}

// clip bounds a text.
func clip(s string, limit int) string {
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
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
		InApp: inApp(program(), module),
	}
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// program is the path of the program's module, such as "example.com/shop" or just "shop"; empty if unknown.
var program = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Path
})

// inApp tells whether a package is the program's own: not the standard library, nor what of Warren runs handlers.
func inApp(program, module string) bool {
	if module == "github.com/warren-mq/warren/consumer" || module == "github.com/warren-mq/warren/internal/execute" {
		return false
	}
	if module == "main" || program != "" && (module == program || strings.HasPrefix(module, program+"/")) {
		return true
	}
	first, _, _ := strings.Cut(module, "/")
	return strings.Contains(first, ".") // the standard library has no host
}
