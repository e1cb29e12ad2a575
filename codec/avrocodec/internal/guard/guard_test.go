package guard_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/hamba/avro/v2"

	"github.com/warren-mq/warren/codec/avrocodec/internal/guard"
)

var limits = guard.Limits{Bytes: 1 << 20, Depth: 100, Values: 10_000}

func parse(t testing.TB, schema string) avro.Schema {
	t.Helper()
	s, err := guard.Parse(schema)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A body in which nothing is to be changed is neither copied nor changed.
func TestASoundBodyIsReturnedAsItIs(t *testing.T) {
	s := parse(t, `{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":"int"}},{"name":"b","type":["null","string"]}]}`)
	type r struct {
		A []int32 `avro:"a"`
		B *string `avro:"b"`
	}
	p, err := guard.Compile(s, s, reflect.TypeFor[r]())
	if err != nil {
		t.Fatal(err)
	}
	body := []byte{4, 2, 4, 0, 2, 2, 'x'}
	got, err := p.Run(body, limits)
	if err != nil || &got[0] != &body[0] || len(got) != len(body) {
		t.Error(got, err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = p.Run(body, limits) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// What is rewritten is what the library's own resolution makes of it, where that works.
func TestTheLibraryResolvesToTheSame(t *testing.T) {
	writer := parse(t, `{"type":"record","name":"R","fields":[{"name":"gone","type":{"type":"map","values":"int"}},{"name":"i","type":"int"},{"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},{"name":"s","type":"string"},{"name":"n","type":["null","int"]}]}`)
	reader := parse(t, `{"type":"record","name":"R","fields":[{"name":"s","type":"string"},{"name":"d","type":"string","default":"x"},{"name":"i","type":"long"},{"name":"e","type":{"type":"enum","name":"E","symbols":["B","A"]}},{"name":"n","type":["null","int"]}]}`)
	body := []byte{2, 2, 'k', 6, 0, 9, 2, 4, 'h', 'i', 2, 8}
	p, err := guard.Compile(writer, reader, reflect.TypeFor[map[string]any]())
	if err != nil {
		t.Fatal(err)
	}
	sound, err := p.Run(body, limits)
	if err != nil {
		t.Fatal(err)
	}
	var ours, theirs map[string]any
	if err := avro.Unmarshal(p.Target, sound, &ours); err != nil {
		t.Fatal(err)
	}
	resolved, err := avro.NewSchemaCompatibility().Resolve(reader, writer)
	if err != nil {
		t.Fatal(err)
	}
	if err := avro.Unmarshal(resolved, body, &theirs); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(ours, theirs) {
		t.Errorf("%v\nthe library: %v", ours, theirs)
	}
}

// FuzzSchemas gives the guard schemas and bodies of any kind: what it accepts, the library has to decode, to the last
// byte.
func FuzzSchemas(f *testing.F) {
	for _, s := range []string{
		`"int"`, `["null","string"]`, `{"type":"array","items":"null"}`, `{"type":"map","values":["int","bytes"]}`,
		`{"type":"record","name":"N","fields":[{"name":"v","type":"long"},{"name":"kids","type":{"type":"array","items":"N"}}]}`,
		`{"type":"record","name":"R","fields":[{"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]},"default":"A"},{"name":"f","type":{"type":"fixed","name":"F","size":2}},{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}}]}`,
	} {
		f.Add(s, s, []byte{2, 2, 0, 0})
		f.Add(s, `"long"`, []byte{1, 2, 3})
	}
	f.Fuzz(func(t *testing.T, w, r string, body []byte) {
		writer, err := guard.Parse(w)
		if err != nil {
			return
		}
		reader, err := guard.Parse(r)
		if err != nil {
			return
		}
		_ = guard.Fingerprint(writer)
		p, err := guard.Compile(writer, reader, reflect.TypeFor[any]())
		if err != nil {
			return
		}
		before := bytes.Clone(body)
		sound, err := p.Run(body, limits)
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		if err != nil {
			return
		}
		rd := avro.NewReader(nil, 0, avro.WithReaderConfig(api(p.Names)))
		rd.Reset(sound)
		var v any
		rd.ReadVal(p.Target, &v)
		if rd.Error != nil {
			t.Fatalf("the library refuses it: %v", rd.Error)
		}
		if _ = rd.Peek(); rd.Error == nil {
			t.Fatal("the library leaves something over")
		}
	})
}

func api(names guard.Names) avro.API {
	a := avro.Config{MaxByteSliceSize: limits.Bytes, MaxSliceAllocSize: limits.Values}.Freeze()
	for name, v := range names {
		a.Register(name, v)
	}
	return a
}
