package avrocodec

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/hamba/avro/v2"

	"github.com/warren-mq/warren/codec/avrocodec/internal/guard"
)

// ConfluentConfig holds what may be left out for NewConfluent. Its zero value works.
type ConfluentConfig struct {
	Config

	// Register makes the first Encode, or Prepare, add the schema to the subject, if the registry has it not. Otherwise
	// that is an error: in many places schemas are registered when programs are built, and not when they run.
	Register bool

	// RegistryReferences tell how the registry knows the schemas in Config.References. Only Encode and Prepare need them.
	RegistryReferences []Reference
}

const confluentHead = 5

// confluent is the form of "Wire format" in the documentation of Confluent's schema registry: 0, the id of the writer's
// schema in four bytes, greatest first, and the datum.
type confluent struct {
	registry   *Registry
	subject    string
	schema     string
	register   bool
	references []Reference
	prefix     atomic.Pointer[[]byte]
}

// NewConfluent returns a Codec for the wire format of Confluent's schema registry. It reads bodies of every schema that
// the registry has and schema can read, and writes schema with the id under which the subject has it. A body whose id
// the registry does not have is an [ErrUnknownSchema]; while the registry does not answer, bodies of schemas that were
// not yet fetched are an error that wraps codec.ErrUnavailable, and consumers try them again.
//
// The subject is usually the name of the topic or queue with "-value", or the record's full name. It may be empty: then
// the Codec only decodes. The schema may be empty, too, for programs that show bodies of any kind: they decode into an
// any, by the writer's schema. NewConfluent does no I/O; see [Codec.Prepare].
func NewConfluent(registry *Registry, subject, schema string, cfg ConfluentConfig) (*Codec, error) {
	if registry == nil {
		return nil, errors.New("avro codec: the registry is nil")
	}
	if len(cfg.Writers) > 0 {
		return nil, errors.New("avro codec: Config.Writers is set, and the registry has the writers' schemas")
	}
	checked, err := cfg.checked()
	if err != nil {
		return nil, fmt.Errorf("avro codec: %w", err)
	}
	f := &confluent{
		registry: registry, subject: subject, schema: schema,
		register: cfg.Register, references: cfg.RegistryReferences,
	}
	var own avro.Schema
	if schema != "" {
		if own, err = guard.Parse(schema, cfg.References...); err != nil {
			return nil, fmt.Errorf("avro codec: %w", err)
		}
	}
	return newCodec(own, checked, f)
}

// Prepare finds the id that Encode writes, where there is a registry; other codecs are always prepared. A publisher
// that calls it when it starts learns then, and not with the first message, that the schema is not registered. It
// blocks until ctx ends or the registry has answered, at most RegistryConfig.Timeout. Once it has returned nil it does
// nothing more.
func (c *Codec) Prepare(ctx context.Context) error {
	f, ok := c.form.(*confluent)
	if !ok {
		return nil
	}
	if _, err := f.prepare(ctx); err != nil {
		return fmt.Errorf("avro codec: %w", err)
	}
	return nil
}

var (
	errNoSubject = errors.New("the codec has no subject: it only decodes")
	errNoSchema  = errors.New("the codec has no schema: it only decodes")
)

func (f *confluent) prepare(ctx context.Context) ([]byte, error) {
	if p := f.prefix.Load(); p != nil {
		return *p, nil
	}
	switch {
	case f.schema == "":
		return nil, errNoSchema
	case f.subject == "":
		return nil, errNoSubject
	}
	ask := f.registry.Lookup
	if f.register {
		ask = f.registry.Register
	}
	id, err := ask(ctx, f.subject, f.schema, f.references...)
	if err != nil {
		return nil, fmt.Errorf("subject %s: %w", f.subject, err)
	}
	prefix := binary.BigEndian.AppendUint32([]byte{0}, id)
	f.prefix.Store(&prefix)
	return prefix, nil
}

func (f *confluent) head() ([]byte, error) { return f.prepare(context.Background()) }

func (f *confluent) open(body []byte) (avro.Schema, []byte, error) {
	switch {
	case len(body) < confluentHead:
		return nil, nil, fmt.Errorf("%w: %d bytes are too few for the id of a schema", ErrMalformed, len(body))
	case body[0] != 0:
		return nil, nil, fmt.Errorf("%w: it begins with %02x, not with the 00 of Confluent's wire format", ErrMalformed, body[0])
	}
	s, err := f.registry.schema(context.Background(), binary.BigEndian.Uint32(body[1:]))
	return s.schema, body[confluentHead:], err
}
