package header_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/warren-mq/warren/internal/header"
)

// rude is an error that panics when it is asked anything.
type rude struct{ n *int }

func (r rude) Error() string { return fmt.Sprint(*r.n) }
func (r rude) Unwrap() error { panic(*r.n) }

// endless is an error that wraps itself.
type endless struct{}

func (e *endless) Error() string { return "endless" }
func (e *endless) Unwrap() error { return e }

func TestNewFailure(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name             string
		err              error
		text, kind, line string
	}{
		{"none", nil, "", "", "2026-03-01T12:00:00Z attempt 2: returned"},
		{"a plain one", io.EOF, "EOF", "*errors.errorString", "2026-03-01T12:00:00Z attempt 2: returned: EOF"},
		{
			"wrapped", fmt.Errorf("charge: %w", &os.PathError{Op: "open", Path: "x", Err: io.EOF}),
			"charge: open x: EOF", "*fs.PathError", "2026-03-01T12:00:00Z attempt 2: returned: charge: open x: EOF",
		},
		{
			"joined", errors.Join(io.EOF, &os.PathError{Op: "open", Path: "x", Err: io.EOF}),
			"EOF\nopen x: EOF", "*fs.PathError", "2026-03-01T12:00:00Z attempt 2: returned: EOF open x: EOF",
		},
		{
			"rude",
			rude{},
			"a header_test.rude whose Error method panics", "header_test.rude",
			"2026-03-01T12:00:00Z attempt 2: returned: a header_test.rude whose Error method panics",
		},
		{"endless", &endless{}, "endless", "*header_test.endless", "2026-03-01T12:00:00Z attempt 2: returned: endless"},
		{
			"said twice", errors.New("returned: by the bank"), "returned: by the bank", "*errors.errorString",
			"2026-03-01T12:00:00Z attempt 2: returned: by the bank",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := header.NewFailure(at, 2, "returned", test.err, nil, "")
			if f.Text != test.text || f.Type != test.kind {
				t.Errorf("text %q, type %q", f.Text, f.Type)
			}
			if got := f.Line(); got != test.line {
				t.Errorf("line %q", got)
			}
		})
	}
}

func TestWhatAFailureSaysIsBounded(t *testing.T) {
	for _, s := range []string{
		strings.Repeat("x", 1<<20), strings.Repeat("ä", 1<<20), strings.Repeat("\x80", 1<<20), strings.Repeat("a\xff", 1<<20),
		strings.Repeat("\n", 1<<20), "\x00", "\xe2\x82", strings.Repeat("€", 1366) + "\xe2",
	} {
		f := header.NewFailure(time.Now(), 1, "returned", errors.New(s), nil, "")
		for what, v := range map[string]struct {
			text string
			most int
		}{
			"text": {f.Text, 4096}, "type": {f.Type, 200}, "line": {f.Line(), 240},
			"stack": {header.ClipStack([]byte(s)), 16384},
		} {
			if len(v.text) > v.most || !utf8.ValidString(v.text) {
				t.Errorf("the %s of %.10q... has %d bytes, at most %d are fine: %.20q", what, s, len(v.text), v.most, v.text)
			}
		}
		if s != "" && f.Text == "" {
			t.Errorf("nothing is left of %.10q", s)
		}
		if strings.Contains(f.Line(), "\n") {
			t.Errorf("the line of %.10q has lines", s)
		}
	}
}

func TestAppendKeepsTheLastFive(t *testing.T) {
	var list []any
	for i := range 9 {
		f := header.NewFailure(time.Unix(int64(i), 0), i+1, "returned", nil, nil, "")
		longer := f.Append(list)
		if len(list) > 0 && &longer[0] == &list[0] {
			t.Fatal("it writes into a list that others have")
		}
		list = longer
	}
	if len(list) != 5 || !strings.Contains(list[0].(string), "attempt 5:") || !strings.Contains(list[4].(string), "attempt 9:") {
		t.Errorf("%q", list)
	}
}

func TestFingerprint(t *testing.T) {
	of := func(kind, text, frame string, err error) string {
		f := header.NewFailure(time.Now(), 1, kind, err, nil, frame)
		f.Text = text
		return f.Fingerprint()
	}
	base := of("returned", "order 17 of 018f3c2e-7b1a-7c3d-9e4f-aabbccddeeff: timeout after 3.2s", "bank.Charge", io.EOF)
	for name, same := range map[string]string{
		"other numbers and ids": of("returned", "order 99 of 7d444840-9dc0-11d1-b245-5ffdce74fad2: timeout after 10s", "bank.Charge", io.EOF),
		"other white space":     of("returned", "order 1  of\n7d444840-9dc0-11d1-b245-5ffdce74fad2:\ttimeout after 10s", "bank.Charge", io.EOF),
	} {
		if same != base {
			t.Errorf("%s make another fingerprint", name)
		}
	}
	if of("returned", `no user "anna"`, "", nil) != of("returned", `no user "bert"`, "", nil) {
		t.Error("what is quoted makes another fingerprint")
	}
	if of("returned", "user o'neill", "", nil) == of("returned", "user anna", "", nil) {
		t.Error("a lone quote hides what follows")
	}
	for name, other := range map[string]string{
		"another text":  of("returned", "order 17 of 018f3c2e-7b1a-7c3d-9e4f-aabbccddeeff: refused after 3.2s", "bank.Charge", io.EOF),
		"another frame": of("returned", "order 17 of 018f3c2e-7b1a-7c3d-9e4f-aabbccddeeff: timeout after 3.2s", "bank.Refund", io.EOF),
		"another type":  of("returned", "order 17 of 018f3c2e-7b1a-7c3d-9e4f-aabbccddeeff: timeout after 3.2s", "bank.Charge", &os.PathError{}),
		"another kind":  of("timeout", "order 17 of 018f3c2e-7b1a-7c3d-9e4f-aabbccddeeff: timeout after 3.2s", "bank.Charge", io.EOF),
	} {
		if other == base {
			t.Errorf("%s makes the same fingerprint", name)
		}
	}
	if len(base) != 16 {
		t.Errorf("it has %d characters", len(base))
	}
	began := time.Now()
	of("returned", strings.Repeat(`"'`, 1<<20), "", nil)
	if took := time.Since(began); took > time.Second {
		t.Errorf("a large text takes %v", took)
	}
}

//go:noinline
func explode(m map[string]int) { m["x"]++ }

func TestPanicFrame(t *testing.T) {
	stackOf := func(f func()) (stack []byte) {
		defer func() {
			_ = recover()
			stack = debug.Stack()
		}()
		f()
		return nil
	}
	for _, test := range []struct {
		name  string
		stack []byte
		want  string
	}{
		{"a nil map", stackOf(func() { explode(nil) }), "header_test.explode"},
		{"panic itself", stackOf(func() { panic("x") }), "header_test.TestPanicFrame.func3"},
		{"again in a deferred function", stackOf(func() {
			defer func() { explode(nil) }()
			panic("first")
		}), "header_test.explode"},
		{"none", nil, ""},
		{"nonsense", []byte("\xff\n\n(\n\t\npanic("), ""},
		{"not a panic", debug.Stack(), ""},
		{"no newline", bytes.Repeat([]byte("x"), 100), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := header.PanicFrame(test.stack); got != test.want {
				t.Errorf("%q, want %q, of:\n%s", got, test.want, test.stack)
			}
		})
	}
}

func FuzzFailure(f *testing.F) {
	f.Add("order 17", "panic(", 3)
	f.Add("\xff\xfe\"'", "goroutine 1\npanic(\nmain.main(", 1)
	f.Fuzz(func(t *testing.T, text, stack string, attempt int) {
		failure := header.NewFailure(time.Unix(1, 0), attempt, "panic", errors.New(text), []byte(stack), header.PanicFrame([]byte(stack)))
		if len(failure.Text) > 4096 || !utf8.ValidString(failure.Text) {
			t.Fatalf("text %q", failure.Text)
		}
		if line := failure.Line(); len(line) > 240 || !utf8.ValidString(line) || strings.Contains(line, "\n") {
			t.Fatalf("line %q", line)
		}
		if s := header.ClipStack([]byte(stack)); len(s) > 16<<10 || !utf8.ValidString(s) {
			t.Fatalf("stack %q", s)
		}
		if fp := failure.Fingerprint(); len(fp) != 16 {
			t.Fatalf("fingerprint %q", fp)
		}
	})
}
