// Package execute runs one handler for one message: it decodes and validates
// the body, bounds the time, and contains what the handler may do to its
// goroutine. A consumer and its test kit share it, so that a handler behaves in
// a test as it does in production.
package execute

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"

	"github.com/warren-mq/warren/codec"
)

// Why a body was not given to its handler.
var (
	ErrUndecodable = errors.New("the body cannot be decoded")
	ErrInvalid     = errors.New("the body is invalid")
)

// Decoder makes values of type T of bodies.
type Decoder[T any] struct {
	codecs *codec.Set
	limit  int
}

// NewDecoder returns a decoder that uses the codec for a message's content type
// and accepts at most limit bytes after decompression.
func NewDecoder[T any](codecs *codec.Set, limit int) *Decoder[T] {
	return &Decoder[T]{codecs: codecs, limit: limit}
}

// Decode returns the value in body. Its errors wrap ErrUndecodable or
// ErrInvalid. A codec or a Validate method that panics is an error, too: the
// same message would only panic again.
func (d *Decoder[T]) Decode(contentType, encoding string, body []byte) (v T, err error) {
	stage := ErrUndecodable
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %w", stage, &Panic{Value: r, Stack: stack()})
		}
	}()
	plain, err := codec.Decompress(encoding, body, d.limit)
	if err != nil {
		return v, fmt.Errorf("%w: %w", stage, err)
	}
	if err := d.codecs.For(contentType).Decode(plain, &v); err != nil {
		return v, fmt.Errorf("%w: %w", stage, err)
	}
	stage = ErrInvalid
	if err := validate(&v); err != nil {
		return v, fmt.Errorf("%w: %w", stage, err)
	}
	return v, nil
}

// Validator is a body that can tell whether it makes sense.
type Validator interface{ Validate() error }

var errNil = errors.New("it is null")

// validate finds Validate on T and on *T. A body type that is a pointer must
// not be nil: its handler would be the one to panic.
func validate[T any](v *T) error {
	if isNil(*v) {
		return errNil
	}
	// *T has the methods of T, too, and is asked first: to ask T itself costs a
	// copy of the body.
	if x, ok := any(v).(Validator); ok {
		return x.Validate()
	}
	switch reflect.TypeFor[T]().Kind() {
	case reflect.Pointer, reflect.Interface: // but not where T is one of these
		if x, ok := any(*v).(Validator); ok {
			return x.Validate()
		}
	}
	return nil
}

// Panic is a handler that did not return: it panicked, or ended its goroutine.
type Panic struct {
	// Value is what it panicked with; nil if it called runtime.Goexit.
	Value any
	Stack []byte
}

// Error says what happened. The value is printed only where printing it cannot
// do harm.
func (p *Panic) Error() string {
	switch v := p.Value.(type) {
	case nil:
		return "the handler ended its goroutine (runtime.Goexit)"
	case error:
		return "panic: " + text(v)
	case string:
		return "panic: " + v
	case bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
		return fmt.Sprintf("panic: %v", v)
	default:
		return fmt.Sprintf("panic: a value of type %T", v)
	}
}

// Unwrap returns the error that it panicked with, if it was one.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

func text(err error) (s string) {
	defer func() {
		if recover() != nil {
			s = fmt.Sprintf("a %T whose Error method panics", err)
		}
	}()
	return err.Error()
}

// Guard runs f, and failed if f did not return. After a panic Guard returns;
// after runtime.Goexit the goroutine ends when failed has returned, and its
// other deferred functions with it.
func Guard(f func(), failed func(*Panic)) {
	returned := false
	defer func() {
		if returned {
			return
		}
		failed(&Panic{Value: recover(), Stack: stack()})
	}()
	f()
	returned = true
}

// stack returns the current goroutine's stack from the panic on: what is above
// it is about us.
func stack() []byte {
	s := debug.Stack()
	head := bytes.IndexByte(s, '\n') + 1
	if i := bytes.Index(s, []byte("\npanic(")); i > head {
		return append(s[:head:head], s[i+1:]...)
	}
	return s
}
