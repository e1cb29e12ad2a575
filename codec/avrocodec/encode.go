package avrocodec

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/hamba/avro/v2"

	"github.com/warren-mq/warren/codec/avrocodec/internal/guard"
)

// An encoder writes values of one schema, and refuses what its readers would.
type encoder struct {
	schema avro.Schema
	api    avro.API
	check  *guard.Program
	serial *sync.Mutex

	mu   sync.RWMutex
	vets map[vetKey]vet
}

// oneBlock makes every array and map one block. Blocks without their size are what every reader understands.
const oneBlock = 1 << 30

func newEncoder(schema avro.Schema) (*encoder, error) {
	check, err := guard.Check(schema)
	if err != nil {
		return nil, err
	}
	e := &encoder{
		schema: schema,
		api:    avro.Config{BlockLength: oneBlock, DisableBlockSizeHeader: true}.Freeze(),
		check:  check,
		vets:   make(map[vetKey]vet),
	}
	if guard.HasFixed8(schema) { // its encoder of uint64 keeps its buffer
		e.serial = new(sync.Mutex)
	}
	return e, nil
}

var errNil = errors.New("it is nil")

func (e *encoder) encode(v any, limits guard.Limits) ([]byte, error) {
	if e == nil {
		return nil, errNoSchema
	}
	if v == nil && e.schema.Type() != avro.Null && e.schema.Type() != avro.Union {
		return nil, errNil // the library would write the defaults
	}
	if v != nil {
		value := reflect.ValueOf(v)
		if vet := e.vet(e.schema, value.Type()); vet != nil {
			if err := vet(value, limits.Depth); err != nil {
				return nil, err
			}
		}
	}
	datum, err := e.marshal(v)
	if err != nil {
		return nil, err
	}
	if _, err := e.check.Run(datum, limits); err != nil {
		return nil, fmt.Errorf("nobody could read it: %w", err)
	}
	return datum, nil
}

func (e *encoder) marshal(v any) ([]byte, error) {
	if e.serial != nil {
		e.serial.Lock()
		defer e.serial.Unlock()
	}
	return e.api.Marshal(e.schema, v)
}
