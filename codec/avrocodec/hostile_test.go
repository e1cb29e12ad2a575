package avrocodec_test

import (
	"bytes"
	"encoding"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/warren-mq/warren/codec/avrocodec"
)

const (
	nulls  = `{"type":"array","items":"null"}`
	longs  = `{"type":"array","items":"long"}`
	empty  = `{"type":"array","items":{"type":"record","name":"E","fields":[]}}`
	tree   = `{"type":"record","name":"N","fields":[{"name":"kids","type":{"type":"array","items":"N"}}]}`
	list   = `{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}`
	itself = `{"type":"record","name":"S","fields":[{"name":"s","type":"S"}]}`
	texts  = `{"type":"map","values":"string"}`
	flag   = `{"type":"record","name":"F","fields":[{"name":"f","type":"boolean"}]}`
)

// Bodies that have killed a process, made it loop or allocate, or decoded to nonsense.
func TestHostileBodiesAreRefused(t *testing.T) {
	big := append(bytes.Repeat([]byte{2}, 1<<20), 0)
	for name, test := range map[string]struct {
		schema string
		body   []byte
		kind   error
		text   string
	}{
		"no bytes for a trillion nulls":   {nulls, join(long(1<<40), long(0)), avrocodec.ErrLimit, "1099511627776 items that take no bytes"},
		"a trillion empty records":        {empty, join(long(1<<40), long(0)), avrocodec.ErrLimit, "items that take no bytes"},
		"nulls in many blocks":            {nulls, join(bytes.Repeat(long(1000), 10_000), long(0)), avrocodec.ErrLimit, "items that take no bytes"},
		"a count without items":           {longs, join(long(1<<30), long(0)), avrocodec.ErrMalformed, "1073741824 items, where 1 bytes are left"},
		"the smallest count":              {longs, join(long(math.MinInt64), long(0), long(0)), avrocodec.ErrMalformed, "the count of a block is the smallest number there is"},
		"a negative size":                 {longs, join(long(-1), long(-5), long(7), long(0)), avrocodec.ErrMalformed, "a block of -5 bytes"},
		"a size too large":                {longs, join(long(-1), long(1<<40), long(7), long(0)), avrocodec.ErrMalformed, "a block of 1099511627776 bytes"},
		"a size too small":                {longs, join(long(-2), long(1), long(7), long(8), long(0)), avrocodec.ErrMalformed, "a block that is not as long as it says"},
		"a size larger than the items":    {longs, join(long(-1), long(2), long(7), long(0)), avrocodec.ErrMalformed, "a block that is not as long as it says"},
		"no end":                          {longs, join(long(1), long(7)), avrocodec.ErrMalformed, "the body ends within the count of a block"},
		"a map without end":               {texts, join(long(1 << 62)), avrocodec.ErrMalformed, "items, where 0 bytes are left"},
		"a key that is not UTF-8":         {texts, join(long(1), long(1), []byte{0xff}, long(0), long(0)), avrocodec.ErrMalformed, "the key of a map that is not UTF-8"},
		"a tree of a million levels":      {tree, big, avrocodec.ErrLimit, "kids[].kids[]: nested deeper than 1000, at byte 500"},
		"a list of a million links":       {list, big, avrocodec.ErrLimit, "nested deeper than 1000"},
		"a record that contains itself":   {itself, nil, avrocodec.ErrLimit, "nested deeper than 1000"},
		"a string of a negative length":   {`"string"`, long(-1), avrocodec.ErrMalformed, "a string has a negative length"},
		"a string longer than the body":   {`"string"`, long(math.MaxInt64), avrocodec.ErrMalformed, "a string of 9223372036854775807 bytes, where 0 are left"},
		"a string that is not UTF-8":      {`"string"`, join(long(2), []byte{0xc3, 0x28}), avrocodec.ErrMalformed, "a string that is not UTF-8"},
		"bytes longer than the body":      {`"bytes"`, join(long(1<<20), []byte{1}), avrocodec.ErrMalformed, "bytes of 1048576 bytes, where 1 are left"},
		"a boolean of 2":                  {flag, []byte{2}, avrocodec.ErrMalformed, "f: a boolean that is neither 0 nor 1, at byte 0"},
		"nothing at all":                  {flag, nil, avrocodec.ErrMalformed, "f: the body ends within a boolean"},
		"an int of six bytes":             {`"int"`, []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0}, avrocodec.ErrMalformed, "an int is longer than its type"},
		"an int of 33 bits":               {`"int"`, []byte{0xff, 0xff, 0xff, 0xff, 0x1f}, avrocodec.ErrMalformed, "an int is longer than its type"},
		"a long of eleven bytes":          {`"long"`, append(bytes.Repeat([]byte{0x80}, 10), 0), avrocodec.ErrMalformed, "a long is longer than its type"},
		"a long of 65 bits":               {`"long"`, append(bytes.Repeat([]byte{0xff}, 9), 2), avrocodec.ErrMalformed, "a long is longer than its type"},
		"a branch that is not there":      {`["null","int"]`, long(2), avrocodec.ErrMalformed, "branch 2 of a union that has 2"},
		"a negative branch":               {`["null","int"]`, long(-1), avrocodec.ErrMalformed, "branch -1 of a union"},
		"a symbol that is not there":      {`{"type":"enum","name":"K","symbols":["A"]}`, long(1), avrocodec.ErrMalformed, "symbol 1 of an enum that has 1"},
		"a negative symbol":               {`{"type":"enum","name":"K","symbols":["A"]}`, long(-1), avrocodec.ErrMalformed, "symbol -1"},
		"a fixed that is cut":             {`{"type":"fixed","name":"X","size":4}`, []byte{1, 2, 3}, avrocodec.ErrMalformed, "the body ends within a fixed"},
		"a float that is cut":             {`"float"`, []byte{1, 2, 3}, avrocodec.ErrMalformed, "the body ends within a float"},
		"a double that is cut":            {`"double"`, make([]byte, 7), avrocodec.ErrMalformed, "the body ends within a double"},
		"a decimal of a million bytes":    {`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`, join(long(1<<20), make([]byte, 1<<20)), avrocodec.ErrMalformed, "a decimal of 1048576 bytes"},
		"microseconds beyond a Duration":  {`{"type":"long","logicalType":"time-micros"}`, long(math.MaxInt64), avrocodec.ErrMalformed, "a long that the Go type cannot hold"},
		"more values than are allowed":    {longs, join(long(1<<20+1), make([]byte, 1<<20+1), long(0)), avrocodec.ErrLimit, "more than 1048576 values"},
		"more values, in several arrays":  {`{"type":"array","items":` + longs + `}`, join(long(2), long(600_000), make([]byte, 600_000), long(0), long(600_000), make([]byte, 600_000), long(0), long(0)), avrocodec.ErrLimit, "more than 1048576 values"},
		"more bytes than are allowed":     {`"bytes"`, make([]byte, 64<<20+1), avrocodec.ErrLimit, "67108865 bytes are more than 67108864"},
		"two to the fortieth of nothings": {doubling(40), nil, avrocodec.ErrLimit, "more than 1048576 values"},
	} {
		c := newCodec(t, test.schema, avrocodec.Config{})
		var got any
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := c.Decode(test.body, &got)
		runtime.ReadMemStats(&after)
		expect(t, name, err, test.kind, test.text)
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%s: %d bytes were allocated", name, used)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
}

// doubling is a schema whose every value takes no bytes and 2^n records.
func doubling(n int) string {
	s := `{"type":"record","name":"R0","fields":[]}`
	for i := range n {
		s = fmt.Sprintf(`{"type":"record","name":"R%d","fields":[{"name":"a","type":%s},{"name":"b","type":"R%d"}]}`, i+1, s, i)
	}
	return s
}

// A schema of which a struct has only a part, where the part that it has not is recursive: the library builds what is
// to skip it without end.
func TestARecursiveFieldThatAStructHasNot(t *testing.T) {
	c := newCodec(t, `{"type":"record","name":"N","fields":[{"name":"v","type":"long"},{"name":"kids","type":{"type":"array","items":"N"}}]}`, avrocodec.Config{})
	var got struct {
		V int64 `avro:"v"`
	}
	body := join(long(7), long(1), long(8), long(0), long(0))
	if err := c.Decode(body, &got); err != nil || got.V != 7 {
		t.Error(got, err)
	}
	expect(t, "what is dropped is checked, too", c.Decode(join(long(7), long(1), long(8), long(0)), &got), avrocodec.ErrMalformed, "the body ends within the count of a block")
}

// Putting the fields of a record in order moves what is within it, at each level.
func TestReorderingIsBounded(t *testing.T) {
	writer := `{"type":"record","name":"L","fields":[{"name":"v","type":"bytes"},{"name":"next","type":["null","L"]}]}`
	reader := `{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]},{"name":"v","type":"bytes"}]}`
	c := newCodec(t, reader, avrocodec.Config{Writers: []string{writer}, MaxBytes: 20_000})
	body := func(levels, size int) []byte {
		return join(bytes.Repeat([]byte{0, 2}, levels), long(int64(size)), make([]byte, size), long(0))
	}
	var got any
	if err := c.Decode(body(100, 1000), &got); err != nil {
		t.Error(err)
	}
	expect(t, "moves", c.Decode(body(900, 15_000), &got), avrocodec.ErrLimit, "records of another order are nested too deeply for their size")
}

// Fields that take no bytes take time.
func TestManyFieldsAreManyValues(t *testing.T) {
	var fields []string
	for i := range 3200 {
		fields = append(fields, fmt.Sprintf(`{"name":"f%d","type":"null"}`, i))
	}
	c := newCodec(t, `{"type":"array","items":{"type":"record","name":"R","fields":[`+strings.Join(fields, ",")+`]}}`, avrocodec.Config{MaxValues: 10_000})
	expect(t, "records", c.Decode(join(long(100), long(0)), new([]struct{})), avrocodec.ErrLimit, "more than 10000 values")
}

// The library works out for each value how to decode a record in a union in an any: 360 µs for this one.
func TestUnionsInAnAnyAreFast(t *testing.T) {
	fields := strings.TrimSuffix(strings.Repeat(`{"name":"%d","type":"null"},`, 100), ",")
	for i := range 100 {
		fields = strings.Replace(fields, "%d", fmt.Sprintf("f%d", i), 1)
	}
	c := newCodec(t, `{"type":"array","items":["null",{"type":"record","name":"R","fields":[`+fields+`]}]}`, avrocodec.Config{})
	body := join(long(2000), bytes.Repeat(long(1), 2000), long(0))
	var got any
	decode := func() {
		got = nil
		if err := c.Decode(body, &got); err != nil {
			t.Fatal(err)
		}
	}
	n := testing.AllocsPerRun(1, decode)
	t.Logf("%v allocations", n)
	if each := n / 2000; each > 500 { // some four for each field; working it out anew takes more than twice as many
		t.Errorf("%v allocations for each record", each)
	}
	if first := got.([]any)[0].(map[string]any)["R"].(map[string]any); len(first) != 100 {
		t.Error(len(first))
	}
}

// The library gives slices of bytes the memory behind them as capacity.
func TestAnAppendChangesNothingElse(t *testing.T) {
	c := newCodec(t, `{"type":"record","name":"O","fields":[{"name":"b","type":"bytes"},{"name":"more","type":{"type":"map","values":{"type":"array","items":"bytes"}}},{"name":"maybe","type":["null","bytes"]},{"name":"s","type":"string"}]}`, avrocodec.Config{})
	type record struct {
		B     []byte              `avro:"b"`
		More  map[string][][]byte `avro:"more"`
		Maybe *[]byte             `avro:"maybe"`
		S     string              `avro:"s"`
	}
	maybe := []byte("m")
	body := encode(t, c, record{B: []byte("b"), More: map[string][][]byte{"k": {[]byte("x"), []byte("y")}}, Maybe: &maybe, S: "text"})
	var got, next record
	if err := c.Decode(body, &got); err != nil {
		t.Fatal(err)
	}
	if err := c.Decode(body, &next); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("!", 20)
	_ = append(got.B, long...)
	_ = append(*got.Maybe, long...)
	_ = append(got.More["k"][0], long...)
	_ = append(got.More["k"][1], long...)
	if show(got) != show(next) || got.S != "text" {
		t.Error(show(got), show(next))
	}
	var anything any
	if err := c.Decode(body, &anything); err != nil {
		t.Fatal(err)
	}
	before := show(anything)
	m := anything.(map[string]any)
	_ = append(m["b"].([]byte), long...)
	_ = append(m["more"].(map[string]any)["k"].([]any)[0].([]byte), long...)
	_ = append(m["maybe"].([]byte), long...)
	if show(anything) != before {
		t.Error(show(anything), before)
	}
}

func TestDecodeKeepsNothingOfTheBody(t *testing.T) {
	c := newCodec(t, everything, avrocodec.Config{})
	body := encode(t, c, sample(0))
	var got all
	if err := c.Decode(body, &got); err != nil {
		t.Fatal(err)
	}
	clear(body)
	if !same(got, sample(0)) {
		t.Error(show(got))
	}
}

type bomb struct{}

func (*bomb) UnmarshalText([]byte) error { panic("boom") }

var _ encoding.TextUnmarshaler = (*bomb)(nil)

func TestATypeThatPanicsIsAnError(t *testing.T) {
	c := newCodec(t, `"string"`, avrocodec.Config{})
	err := c.Decode(join(long(1), []byte("x")), new(bomb))
	if err == nil || err.Error() != "decode Avro into avrocodec_test.bomb: panic: boom" {
		t.Error(err)
	}
	var n int
	for want, v := range map[string]any{
		"decode Avro into <nil>: want a pointer that is not nil": nil,
		"decode Avro into int: want a pointer that is not nil":   n,
		"decode Avro into *int: want a pointer that is not nil":  (*int)(nil),
	} {
		if err := c.Decode(nil, v); err == nil || err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

func TestErrorsTellThePlace(t *testing.T) {
	c := newCodec(t, everything, avrocodec.Config{})
	s := sample(1)
	body := encode(t, c, s)
	at := bytes.LastIndex(body, []byte("a word"))
	body[at] = 0xff
	err := c.Decode(body, new(all))
	want := fmt.Sprintf("decode Avro into avrocodec_test.all: malformed Avro: next.maybe: a string that is not UTF-8, at byte %d", at)
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
}

func TestLimitsCanBeSet(t *testing.T) {
	body := join(long(3), long(1), long(2), long(3), long(0))
	c := newCodec(t, longs, avrocodec.Config{MaxValues: 2})
	expect(t, "values", c.Decode(body, new([]int64)), avrocodec.ErrLimit, "more than 2 values")
	c = newCodec(t, longs, avrocodec.Config{MaxBytes: 4})
	expect(t, "bytes", c.Decode(body, new([]int64)), avrocodec.ErrLimit, "5 bytes are more than 4")
	c = newCodec(t, tree, avrocodec.Config{MaxDepth: 2})
	expect(t, "depth", c.Decode(join(long(1), long(0), long(0)), new(any)), avrocodec.ErrLimit, "nested deeper than 2")
	for want, cfg := range map[string]avrocodec.Config{
		"avro codec: Config.MaxBytes is negative: -1":                                         {MaxBytes: -1},
		"avro codec: Config.MaxDepth is negative: -1":                                         {MaxDepth: -1},
		"avro codec: Config.MaxValues is negative: -1":                                        {MaxValues: -1},
		"avro codec: Config.MaxDepth is 10001, more than 10000":                               {MaxDepth: 10001},
		"avro codec: Config.Writers has 2 schemas, and bodies do not say which of them it is": {Writers: []string{longs, longs}},
	} {
		if _, err := avrocodec.New(longs, cfg); err == nil || err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}
