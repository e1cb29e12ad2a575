// Package codec turns values into the bodies of messages, and bodies back into values.
//
// A [Codec] is one way to do it. [JSON] is for most, [Raw] for bodies that the program reads by itself. [Default]
// chooses between the two by a Go type. A [Set] chooses by the content type of a message, where one queue carries
// several. [Decompress] undoes a content encoding such as gzip before any of them sees the body.
//
// Bodies are hostile input. Whatever a body is, no codec here panics or hangs, and the memory that it needs grows with
// the body and not with what the body claims. An error says which Go type was wanted and what was wrong where, and does
// not quote the body; what it may show is written at each codec. Types that decode themselves are the program's own
// affair.
//
// All codecs are values without state, safe for concurrent use, and their zero values work.
package codec

import (
	"encoding"
	"encoding/json"
	"errors"
	"reflect"
)

// ErrUnavailable says that a body can be neither decoded nor refused now, since something that the codec needs, such as
// a registry of schemas, does not answer. It tells nothing of the body: a consumer tries the message again as its retry
// policy says. The codecs of this package need nothing, and never return it.
var ErrUnavailable = errors.New("not available now")

// A Codec turns values into bodies of one content type and back. Other packages may bring their own. Its methods are
// called by several goroutines at once.
type Codec interface {
	// ContentType is the media type of what Encode makes, such as application/json. Publishing sets it on the message,
	// and a Set finds the codec by it.
	ContentType() string

	// Encode returns v as a body. The body is the caller's and shares no memory with v, so that v may be changed while
	// the body is still on its way. An error means that v cannot be sent, now or later, unless it wraps ErrUnavailable.
	Encode(v any) ([]byte, error)

	// Decode reads a body into v, a pointer that is not nil. It keeps no part of body, which belongs to the caller. An
	// error means that the body is not what the type wants, and never will be: the consumer does not retry it, unless the
	// error wraps ErrUnavailable. After an error v may have been filled in part.
	Decode(body []byte, v any) error
}

// Default returns the codec for bodies of type T where nothing else was said: [Raw] if T is []byte or a named type of
// it, [JSON] for everything else.
//
// A string is JSON, too: a body of "hello" with its quotes. So is a type of bytes that writes itself as JSON or as
// text, such as json.RawMessage or net.IP.
func Default[T any]() Codec {
	t := reflect.TypeFor[T]()
	if !isBytes(t) {
		return JSON{}
	}
	for _, own := range []reflect.Type{
		reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.Unmarshaler](),
		reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
	} {
		if reflect.PointerTo(t).Implements(own) { // a pointer has the methods of the type, too
			return JSON{}
		}
	}
	return Raw{}
}

// typeName names, for an error, the type that v points to, or else v's own.
func typeName(v any) string {
	t := reflect.TypeOf(v)
	if t == nil {
		return "nil"
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.String()
}
