// Package avrocodec encodes and decodes bodies in Apache Avro, for publishers and consumers that agree on schemas.
//
// There are three forms of a body, and a constructor for each:
//
//   - [New]: the datum alone. Nothing in the body says with which schema it was written; both sides have to know.
//   - [NewSingleObject]: Avro's single-object encoding: two marker bytes and the fingerprint of the writer's schema
//     stand before the datum.
//   - [NewConfluent]: the wire format of Confluent's schema registry: a zero byte and the schema's id stand before
//     the datum, and the [Registry] has the schema.
//
// The writer's schema may be older or newer than the reader's, the one that the program was built with: fields that the
// reader does not know are dropped, those that the writer did not know get their defaults, numbers are widened, and so
// on, as the specification's section "Schema Resolution" says. docs/avro.md of the repository shows how schemas can
// change without stopping anybody.
//
// # Hostile bodies
//
// A body is checked, to the byte, against its writer's schema and against [Config]'s limits before anything is decoded
// or allocated: cut short, too long, with counts that claim what is not there, nested without end, with numbers that
// the Go type cannot hold, it is an error. The work is done by a library, github.com/hamba/avro/v2, which does none of
// this and is not maintained any more; SECURITY.md tells what that means. No error quotes a body.
//
// # Go types
//
// Structs have their fields named by the tag avro, or else by the field's own name:
//
//	null                    any type; it keeps its zero value
//	boolean                 bool
//	int                     int, int32, int16, int8, uint16, uint8
//	long                    int64, int (where it has 64 bits), uint32
//	float, double           float32, float64
//	string                  string, or a type with UnmarshalText (and MarshalText)
//	bytes                   []byte
//	fixed                   [n]byte; of 8 bytes also uint64
//	enum                    string, or a type with UnmarshalText (and MarshalText)
//	array                   slice
//	map                     map with string keys
//	record                  struct, pointer to one, map[string]any
//	union of null and T     pointer to T; for arrays and bytes also the slice itself
//	any union               any, or map[string]any, where the key is the branch's name. An any, too, holds such a map
//	                        if the union has records, enums, fixed, arrays, maps or local timestamps
//	date, timestamp-*       time.Time, in UTC; local-timestamp-* in the process's zone
//	time-millis, -micros    time.Duration
//	decimal                 *big.Rat; of bytes also big.Rat
//	duration                avro.LogicalDuration
//	anything                any
//
// A type that cannot hold what the schema describes is an error at the first body. A field of the schema that a struct
// has no place for is dropped.
package avrocodec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/hamba/avro/v2"

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/codec/avrocodec/internal/guard"
)

// What a body may be refused for. Decode's errors wrap one of these, or tell of schemas or Go types that do not fit.
var (
	// ErrMalformed says that a body is not what its schema says: it is cut short, something follows, a length, index or
	// number makes no sense.
	ErrMalformed = guard.ErrMalformed

	// ErrLimit says that a body is larger, deeper or fuller than Config allows.
	ErrLimit = guard.ErrLimit

	// ErrUnknownSchema says that the body names a writer's schema that nobody has.
	ErrUnknownSchema = errors.New("unknown schema")

	// ErrIncompatible says that bodies of the writer's schema cannot become values of the reader's schema and Go type.
	ErrIncompatible = errors.New("incompatible schemas")
)

const (
	contentType   = "application/avro"
	defaultDepth  = 1000
	defaultValues = 1 << 20

	// maxPlans is how many pairs of a writer's schema and a Go type are kept compiled.
	maxPlans = 1000
)

// Config holds what may be left out. Its zero value works.
type Config struct {
	// ContentType is what ContentType returns. Empty means application/avro. Two Avro codecs in one [codec.Set] need
	// different ones.
	ContentType string

	// References are schemas of the names that the schema mentions but does not define, each after those that it
	// mentions itself. A registry's own references need not be here; those of the reader's schema do.
	References []string

	// Writers are the schemas that bodies to decode may be written with, besides the codec's own. New takes at most
	// one, and then all bodies to decode are of that. NewSingleObject finds them by their fingerprints. NewConfluent
	// takes none: the registry has them. References hold for them, too.
	Writers []string

	// MaxBytes bounds a body, as it comes and with the defaults of fields that it has not. 0 means codec.DefaultLimit,
	// 64 MiB.
	MaxBytes int

	// MaxDepth bounds how deep records, arrays and maps may stand in each other. 0 means 1000.
	MaxDepth int

	// MaxValues bounds the items of arrays, entries of maps, and records of one body, all in all. A record counts once
	// more for every 32 fields. 0 means 1,048,576. Of items that take no bytes, such as null, only as many are taken as
	// the body has bytes, and 1024.
	MaxValues int
}

func (cfg Config) checked() (Config, error) {
	if cfg.ContentType == "" {
		cfg.ContentType = contentType
	}
	for _, n := range []struct {
		name  string
		value *int
		unset int
	}{
		{"MaxBytes", &cfg.MaxBytes, codec.DefaultLimit},
		{"MaxDepth", &cfg.MaxDepth, defaultDepth},
		{"MaxValues", &cfg.MaxValues, defaultValues},
	} {
		if *n.value < 0 {
			return cfg, fmt.Errorf("Config.%s is negative: %d", n.name, *n.value)
		}
		if *n.value == 0 {
			*n.value = n.unset
		}
	}
	if cfg.MaxDepth > 10*defaultDepth { // what the stack of a 32-bit machine is sure to hold
		return cfg, fmt.Errorf("Config.MaxDepth is %d, more than %d", cfg.MaxDepth, 10*defaultDepth)
	}
	return cfg, nil
}

// A Codec encodes and decodes bodies of one schema. It is safe for concurrent use.
type Codec struct {
	contentType string
	limits      guard.Limits
	form        form
	schema      avro.Schema // the reader's, and what Encode writes
	encoder     *encoder
	decoding    avro.API

	mu    sync.RWMutex
	plans map[planKey]*plan
	names map[string]bool // that the library knows
}

// A form is what stands before the datum.
type form interface {
	// open returns the writer's schema of a body, and the datum.
	open(body []byte) (avro.Schema, []byte, error)
	// head returns what stands before a datum of the codec's own schema. The caller appends to a copy.
	head() ([]byte, error)
}

var _ codec.Codec = (*Codec)(nil)

func newCodec(schema avro.Schema, cfg Config, form form) (*Codec, error) {
	c := &Codec{
		contentType: cfg.ContentType,
		limits:      guard.Limits{Bytes: cfg.MaxBytes, Depth: cfg.MaxDepth, Values: cfg.MaxValues},
		form:        form,
		schema:      schema,
		// The guard has checked everything by then. These limits are a second line.
		decoding: avro.Config{MaxByteSliceSize: cfg.MaxBytes, MaxSliceAllocSize: cfg.MaxValues}.Freeze(),
		plans:    make(map[planKey]*plan),
		names:    make(map[string]bool),
	}
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return nil, errors.New("avro codec: the library reads floats wrongly on big-endian machines")
	}
	if schema == nil {
		return c, nil // it decodes by the writers' schemas
	}
	var err error
	c.encoder, err = newEncoder(schema)
	return c, err
}

// New returns a Codec for bodies that are a datum of schema, in JSON as Avro's specification says, and nothing else.
// If they may be written with another schema, Config.Writers has it. It does no I/O.
//
// A writer's schema that schema cannot read is an error.
func New(schema string, cfg Config) (*Codec, error) {
	cfg, own, writers, err := parse(schema, cfg)
	if err != nil {
		return nil, fmt.Errorf("avro codec: %w", err)
	}
	if len(writers) > 1 {
		return nil, fmt.Errorf("avro codec: Config.Writers has %d schemas, and bodies do not say which of them it is", len(writers))
	}
	writer := own
	if len(writers) == 1 {
		writer = writers[0]
	}
	return newCodec(own, cfg, plain{writer})
}

// parse checks cfg and parses the schemas in it. Every writer's has to be readable.
func parse(schema string, cfg Config) (_ Config, own avro.Schema, writers []avro.Schema, err error) {
	if cfg, err = cfg.checked(); err != nil {
		return cfg, nil, nil, err
	}
	if own, err = guard.Parse(schema, cfg.References...); err != nil {
		return cfg, nil, nil, err
	}
	for i, text := range cfg.Writers {
		writer, err := guard.Parse(text, cfg.References...)
		if err == nil {
			err = guard.Readable(writer, own)
		}
		if err != nil {
			return cfg, nil, nil, fmt.Errorf("Config.Writers[%d]: %w", i, err)
		}
		writers = append(writers, writer)
	}
	return cfg, own, writers, nil
}

// plain is the form that has nothing before the datum.
type plain struct{ writer avro.Schema }

func (p plain) open(body []byte) (avro.Schema, []byte, error) { return p.writer, body, nil }
func (plain) head() ([]byte, error)                           { return nil, nil }

// ContentType returns Config.ContentType.
func (c *Codec) ContentType() string { return c.contentType }

// Decode reads a body into v, a pointer. What v points to is set to its zero value first.
//
// The error wraps [ErrMalformed], [ErrLimit], [ErrUnknownSchema] or [ErrIncompatible], or is that of a type which decodes
// itself. Only with a [Registry] can it be one that goes away: it wraps codec.ErrUnavailable then, and a consumer tries
// the message again. Decode blocks only while such a registry is asked, at most for RegistryConfig.Timeout.
func (c *Codec) Decode(body []byte, v any) (err error) {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return fmt.Errorf("decode Avro into %T: want a pointer that is not nil", v)
	}
	defer func() {
		if r := recover(); r != nil { // a type that decodes itself, or the library
			err = fmt.Errorf("panic: %v", r)
		}
		if err != nil {
			err = fmt.Errorf("decode Avro into %s: %w", target.Type().Elem(), err)
		}
	}()
	writer, datum, err := c.form.open(body)
	if err != nil {
		return err
	}
	p := c.plan(writer, target.Type().Elem())
	if p.err != nil {
		return p.err
	}
	sound, err := p.program.Run(datum, c.limits)
	if err != nil {
		return err
	}
	target.Elem().SetZero()
	return p.decode(sound, v, target.Elem())
}

// Encode returns v, a value of the codec's schema, as a body. It writes a field that a struct has not with its default.
//
// It refuses what Decode would refuse: numbers that the Avro type cannot hold, strings that are not UTF-8, values
// beyond the limits or that contain themselves. With a [Registry] it may have to ask that first, as [Codec.Prepare]
// does, and the error may wrap codec.ErrUnavailable.
func (c *Codec) Encode(v any) (body []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
		if err != nil {
			body, err = nil, fmt.Errorf("encode Avro from %T: %w", v, err)
		}
	}()
	head, err := c.form.head()
	if err != nil {
		return nil, err
	}
	datum, err := c.encoder.encode(v, c.limits)
	if err != nil || len(head) == 0 {
		return datum, err
	}
	return append(head[:len(head):len(head)], datum...), nil
}
