package execute_test

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/warren-mq/warren/internal/execute"
)

// guard runs f in a goroutine of its own, guarded, and returns what failed was told, and whether Guard returned.
func guard(f func()) (told *execute.Panic, returned bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		execute.Guard(f, func(p *execute.Panic) { told = p })
		returned = true
	}()
	<-done
	return told, returned
}

func TestGuard(t *testing.T) {
	for _, test := range []struct {
		name     string
		f        func()
		text     string // empty: nothing failed
		returned bool
	}{
		{"returns", func() {}, "", true},
		{"panics", func() { panic("a text") }, "panic: a text", true},
		{"panics with an error", func() { panic(io.EOF) }, "panic: EOF", true},
		{"panics with a number", func() { panic(7) }, "panic: 7", true},
		{"panics with a struct", func() { panic(struct{ password string }{"hush"}) }, "panic: a value of type struct { password string }", true},
		{"panics with nil", func() { panic(any(nil)) }, "panic: panic called with nil argument", true},
		{"panics in the runtime", func() { note(nil) }, "panic: assignment to entry in nil map", true},
		{"panics with an error that panics", func() { panic(rudeError{}) }, "panic: a execute_test.rudeError whose Error method panics", true},
		{"panics again while it panics", func() { defer func() { panic("second") }(); panic("first") }, "panic: second", true},
		{"recovers by itself", func() { defer func() { _ = recover() }(); panic("x") }, "", true},
		{"ends its goroutine", runtime.Goexit, "runtime.Goexit", false},
		{"panics while it ends its goroutine", func() { defer func() { panic("late") }(); runtime.Goexit() }, "panic: late", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			told, returned := guard(test.f)
			switch {
			case test.text == "" && told != nil:
				t.Errorf("it failed: %v", told)
			case test.text != "" && (told == nil || !strings.Contains(told.Error(), test.text)):
				t.Errorf("it says %v, want %q", told, test.text)
			case told != nil && len(told.Stack) == 0:
				t.Error("there is no stack")
			}
			if returned != test.returned {
				t.Errorf("returned: %v", returned)
			}
		})
	}
	if told, _ := guard(func() { panic(io.EOF) }); !errors.Is(told, io.EOF) {
		t.Error("what it panicked with is not in the chain")
	}
}

func note(m map[int]int) { m[1] = 1 }

//go:noinline
func culprit() { panic("it was me") }

func TestTheStackBeginsAtThePanic(t *testing.T) {
	told, _ := guard(culprit)
	lines := strings.Split(string(told.Stack), "\n")
	if !strings.HasPrefix(lines[0], "goroutine ") || !strings.HasPrefix(lines[1], "panic(") || !strings.Contains(lines[3], "execute_test.culprit") {
		t.Errorf("it is:\n%s", told.Stack)
	}
}
