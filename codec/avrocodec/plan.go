package avrocodec

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/hamba/avro/v2"

	"github.com/warren-mq/warren/codec/avrocodec/internal/guard"
)

// A plan decodes bodies of one writer's schema into one Go type.
type plan struct {
	program *guard.Program
	err     error // there is no way to do so
	readers sync.Pool
	serial  *sync.Mutex
	clip    func(reflect.Value)
}

type planKey struct {
	writer avro.Schema // by identity: the registry keeps them
	t      reflect.Type
}

// plan returns the plan for a writer's schema and a Go type. One that cannot be made is kept as well: there may be
// more such bodies.
func (c *Codec) plan(writer avro.Schema, t reflect.Type) *plan {
	key := planKey{writer, t}
	c.mu.RLock()
	p := c.plans[key]
	c.mu.RUnlock()
	if p != nil {
		return p
	}
	p = c.makePlan(writer, t)
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.plans[key]; other != nil {
		return other
	}
	if len(c.plans) >= maxPlans {
		clear(c.plans)
	}
	c.plans[key] = p
	return p
}

func (c *Codec) makePlan(writer avro.Schema, t reflect.Type) *plan {
	reader := c.schema
	if reader == nil {
		reader = writer
	}
	program, err := guard.Compile(writer, reader, t)
	if err != nil {
		return &plan{err: fmt.Errorf("%w: %w", ErrIncompatible, err)}
	}
	c.register(program.Names)
	p := &plan{program: program}
	p.readers.New = func() any { return avro.NewReader(nil, 0, avro.WithReaderConfig(c.decoding)) }
	if program.Serial {
		p.serial = new(sync.Mutex)
	}
	if program.Generic {
		p.clip = clipper(t)
	}
	return p
}

// register makes names known to the library, each once: it keeps a list.
func (c *Codec) register(names guard.Names) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, v := range names {
		if !c.names[name] {
			c.names[name] = true
			c.decoding.Register(name, v)
		}
	}
}

var errDisagree = errors.New("the library has not read what was checked")

// decode lets the library read a sound body of the program's target into v. It does not call Unmarshal, which takes a
// body that ends too soon for a good one.
func (p *plan) decode(body []byte, v any, value reflect.Value) error {
	if p.serial != nil {
		p.serial.Lock()
		defer p.serial.Unlock()
	}
	r := p.readers.Get().(*avro.Reader)
	r.Reset(body)
	r.Error = nil
	r.ReadVal(p.program.Target, v)
	err := r.Error
	if err == nil {
		if _ = r.Peek(); r.Error == nil {
			err = errDisagree
		}
	}
	r.Reset(nil)
	p.readers.Put(r)
	if err != nil {
		return err
	}
	if p.clip != nil {
		p.clip(value)
	}
	return nil
}
