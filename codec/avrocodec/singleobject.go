package avrocodec

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/hamba/avro/v2"

	"github.com/warren-mq/warren/codec/avrocodec/internal/guard"
)

// singleObject is the form of the specification's section "Single-object encoding": C3 01, the CRC-64-AVRO fingerprint
// of the writer's schema, least byte first, and the datum.
type singleObject struct {
	prefix  []byte
	writers map[uint64]avro.Schema
}

const singleObjectHead = 10

var errNotSingleObject = errors.New("it is no single object: that begins with C3 01 and a fingerprint")

// NewSingleObject returns a Codec for single-object encoding. It writes schema, and reads schema and each of
// Config.Writers, which it tells apart by their fingerprints. A body of another schema is an [ErrUnknownSchema]. It does
// no I/O.
func NewSingleObject(schema string, cfg Config) (*Codec, error) {
	cfg, own, writers, err := parse(schema, cfg)
	if err != nil {
		return nil, fmt.Errorf("avro codec: %w", err)
	}
	sum := guard.Fingerprint(own)
	f := singleObject{prefix: binary.LittleEndian.AppendUint64([]byte{0xc3, 0x01}, sum), writers: make(map[uint64]avro.Schema)}
	for _, w := range writers {
		f.writers[guard.Fingerprint(w)] = w
	}
	f.writers[sum] = own
	return newCodec(own, cfg, f)
}

func (f singleObject) open(body []byte) (avro.Schema, []byte, error) {
	if len(body) < singleObjectHead || body[0] != 0xc3 || body[1] != 0x01 {
		return nil, nil, fmt.Errorf("%w: %w", ErrMalformed, errNotSingleObject)
	}
	sum := binary.LittleEndian.Uint64(body[2:])
	if w := f.writers[sum]; w != nil {
		return w, body[singleObjectHead:], nil
	}
	return nil, nil, fmt.Errorf("%w with the fingerprint %016x", ErrUnknownSchema, sum)
}

func (f singleObject) head() ([]byte, error) { return f.prefix, nil }
