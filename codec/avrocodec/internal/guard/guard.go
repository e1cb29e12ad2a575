// Package guard stands between a body and the Avro library.
//
// The library trusts its input: a few bytes make it allocate without bound, loop without end or overflow the stack,
// and what is cut short decodes as if it were whole. It also resolves schemas by recursion that a recursive schema
// does not end. So nothing reaches it that did not pass here first. A [Program] is compiled once for a writer's schema,
// a reader's schema and a Go type. [Program.Run] walks a body along it: every length, count, index and value is checked
// against what is really there and against [Limits], and the whole body has to be used, to the byte. On the way the
// body is rewritten into what the reader's schema and the Go type want, if that differs: fields are dropped, filled in
// and put in order, numbers widened, indexes translated. So the library only ever sees a sound body in exactly the
// schema that it is given, which is [Program.Target], and never has to skip or to resolve anything.
//
// It follows the Avro 1.11 specification, sections "Binary Encoding", "Schema Resolution" and "Logical Types".
package guard

import (
	"errors"
	"fmt"
	"strings"
)

// What is wrong with a body.
var (
	// ErrMalformed says that the body is not what its schema says.
	ErrMalformed = errors.New("malformed Avro")
	// ErrLimit says that the body exceeds a limit.
	ErrLimit = errors.New("beyond the limit")
)

// Limits bound what one body may hold.
type Limits struct {
	// Bytes bounds the body, before and after it is rewritten.
	Bytes int
	// Depth bounds how deep records, arrays and maps may stand in each other.
	Depth int
	// Values bounds how many items of arrays, entries of maps, and records there may be, all in all.
	Values int
}

// freeItems is how many items that take no bytes at all a body may have beyond its length. Nothing but a body that is
// meant to harm has many of them: five bytes can claim billions.
const freeItems = 1024

// A bodyError is where a body is wrong, and how. It quotes nothing of it.
type bodyError struct {
	kind   error
	offset int
	path   []string // innermost first
	reason string
}

func (e *bodyError) Error() string {
	var b strings.Builder
	b.WriteString(e.kind.Error())
	b.WriteString(": ")
	if p := e.where(); p != "" {
		b.WriteString(p)
		b.WriteString(": ")
	}
	fmt.Fprintf(&b, "%s, at byte %d", e.reason, e.offset)
	return b.String()
}

func (e *bodyError) Unwrap() error { return e.kind }

// maxPath is how many names of a place are told: a recursive schema has no bound.
const maxPath = 8

func (e *bodyError) where() string {
	var b strings.Builder
	shown := e.path
	if len(shown) > maxPath {
		shown = shown[:maxPath]
		b.WriteString("...")
	}
	for i := len(shown) - 1; i >= 0; i-- {
		if name := shown[i]; name != "[]" && b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(shown[i])
	}
	return b.String()
}

// within adds the name of the place in which err happened.
func within(err error, name string) error {
	if e, ok := err.(*bodyError); ok { //nolint:errorlint // made here, and not wrapped yet
		if len(e.path) <= maxPath {
			e.path = append(e.path, name)
		}
	}
	return err
}
