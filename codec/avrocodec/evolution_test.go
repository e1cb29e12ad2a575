package avrocodec_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/warren-mq/warren/codec/avrocodec"
)

const (
	orderV1 = `{"type":"record","name":"Order","namespace":"shop","fields":[
		{"name":"id","type":"string"},
		{"name":"cents","type":"int"},
		{"name":"state","type":{"type":"enum","name":"State","symbols":["NEW","PAID"],"default":"NEW"}},
		{"name":"note","type":"string"},
		{"name":"buyer","type":{"type":"record","name":"Person","fields":[{"name":"mail","type":"string"}]}}]}`
	orderV2 = `{"type":"record","name":"Order","namespace":"shop","fields":[
		{"name":"cents","type":"long"},
		{"name":"id","type":"string"},
		{"name":"currency","type":"string","default":"EUR"},
		{"name":"state","type":{"type":"enum","name":"State","symbols":["NEW","PAID","SHIPPED"],"default":"NEW"}},
		{"name":"customer","aliases":["buyer"],"type":{"type":"record","name":"Customer","aliases":["Person"],"fields":[
			{"name":"phone","type":["null","string"],"default":null},{"name":"mail","type":"string"}]}},
		{"name":"note","type":"string","default":""},
		{"name":"tags","type":{"type":"map","values":"string"},"default":{"source":"old"}}]}`
)

type orderOne struct {
	ID    string    `avro:"id"`
	Cents int32     `avro:"cents"`
	State string    `avro:"state"`
	Note  string    `avro:"note"`
	Buyer personOne `avro:"buyer"`
}

type personOne struct {
	Mail string `avro:"mail"`
}

type orderTwo struct {
	ID       string            `avro:"id"`
	Cents    int64             `avro:"cents"`
	Currency string            `avro:"currency"`
	State    string            `avro:"state"`
	Customer customerTwo       `avro:"customer"`
	Note     string            `avro:"note"`
	Tags     map[string]string `avro:"tags"`
}

type customerTwo struct {
	Phone *string `avro:"phone"`
	Mail  string  `avro:"mail"`
}

// An old writer's bodies reach a new reader.
func TestAnOldBodyIsReadByANewProgram(t *testing.T) {
	body := encode(t, newCodec(t, orderV1, avrocodec.Config{}), orderOne{"7", 1200, "PAID", "quick", personOne{"a@b"}})
	reader := newCodec(t, orderV2, avrocodec.Config{Writers: []string{orderV1}})
	var got orderTwo
	if err := reader.Decode(body, &got); err != nil {
		t.Fatal(err)
	}
	want := orderTwo{"7", 1200, "EUR", "PAID", customerTwo{nil, "a@b"}, "quick", map[string]string{"source": "old"}}
	if show(got) != show(want) {
		t.Errorf("%s\nwant %s", show(got), show(want))
	}
	var anything any
	if err := reader.Decode(body, &anything); err != nil {
		t.Fatal(err)
	}
	if m := anything.(map[string]any); m["currency"] != "EUR" || m["cents"] != int64(1200) || len(m) != 7 {
		t.Error(show(anything))
	}
	for n := range body {
		expect(t, "a prefix", reader.Decode(body[:n], new(orderTwo)), avrocodec.ErrMalformed, "")
	}
}

// A new writer's bodies reach an old reader, which does not have to know that anything changed.
func TestANewBodyIsReadByAnOldProgram(t *testing.T) {
	// The old reader has int where the new writer has long: that is no promotion, and the one thing that they had to
	// agree on before.
	_, err := avrocodec.New(orderV1, avrocodec.Config{Writers: []string{orderV2}})
	if err == nil || err.Error() != "avro codec: Config.Writers[0]: field cents: the writer has long, the reader int" {
		t.Error(err)
	}
	old := strings.NewReplacer(`"cents","type":"int"`, `"cents","type":"long"`,
		`"buyer","type"`, `"buyer","aliases":["customer"],"type"`, `"Person","fields"`, `"Person","aliases":["Customer"],"fields"`).Replace(orderV1)
	phone := "1"
	body := encode(t, newCodec(t, orderV2, avrocodec.Config{}), orderTwo{"7", 1200, "USD", "SHIPPED", customerTwo{&phone, "a@b"}, "slow", nil})
	reader := newCodec(t, old, avrocodec.Config{Writers: []string{orderV2}})
	var got struct {
		ID    string    `avro:"id"`
		Cents int64     `avro:"cents"`
		State string    `avro:"state"`
		Note  string    `avro:"note"`
		Buyer personOne `avro:"buyer"`
	}
	if err := reader.Decode(body, &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != "7" || got.Cents != 1200 || got.State != "NEW" || got.Note != "slow" || got.Buyer.Mail != "a@b" {
		t.Error(show(got))
	}
	for n := range body {
		expect(t, "a prefix", reader.Decode(body[:n], &got), avrocodec.ErrMalformed, "")
	}
}

func field(schema string) string {
	return `{"type":"record","name":"R","fields":[{"name":"f","type":` + schema + `}]}`
}

const (
	enumABC = `{"type":"enum","name":"E","symbols":["A","B","C"]}`
	recAB   = `{"type":"record","name":"P","fields":[{"name":"a","type":"int"},{"name":"b","type":"string"}]}`
)

// The specification's "Schema Resolution", rule by rule: what the writer wrote, and what the reader has in the end.
func TestResolution(t *testing.T) {
	for name, test := range map[string]struct {
		writer, reader string
		body           []byte
		want           string // of an any
		refused        string // by Decode
	}{
		"int to long":                  {`"int"`, `"long"`, long(-7), "-7", ""},
		"int to float":                 {`"int"`, `"float"`, long(3), "4008000000000000", ""},
		"int to double":                {`"int"`, `"double"`, long(3), "4008000000000000", ""},
		"long to float":                {`"long"`, `"float"`, long(3), "4008000000000000", ""},
		"long to double":               {`"long"`, `"double"`, long(3), "4008000000000000", ""},
		"float to double":              {`"float"`, `"double"`, []byte{0, 0, 0x40, 0x40}, "4008000000000000", ""},
		"string to bytes":              {`"string"`, `"bytes"`, join(long(2), []byte("hi")), "[104 105 ]", ""},
		"bytes to string":              {`"bytes"`, `"string"`, join(long(2), []byte("hi")), "hi", ""},
		"bytes that are no string":     {`"bytes"`, `"string"`, join(long(1), []byte{0xff}), "", "a string that is not UTF-8"},
		"an enum in another order":     {enumABC, `{"type":"enum","name":"E","symbols":["C","B","A"]}`, long(0), "A", ""},
		"an enum of another namespace": {`{"type":"enum","name":"x.E","symbols":["A"]}`, `{"type":"enum","name":"y.E","symbols":["A"]}`, long(0), "A", ""},
		"a symbol with a default":      {enumABC, `{"type":"enum","name":"E","symbols":["A","Z"],"default":"Z"}`, long(2), "Z", ""},
		"a symbol without":             {enumABC, `{"type":"enum","name":"E","symbols":["A","Z"]}`, long(2), "", "a symbol that the reader's enum has not, and it has no default"},
		"a symbol that both have":      {enumABC, `{"type":"enum","name":"E","symbols":["Z","A"]}`, long(0), "A", ""},
		"an array":                     {`{"type":"array","items":"int"}`, `{"type":"array","items":"double"}`, join(long(-1), long(1), long(3), long(0)), "[4008000000000000 ]", ""},
		"an array in blocks":           {`{"type":"array","items":"int"}`, `{"type":"array","items":["null","long"]}`, join(long(1), long(3), long(-2), long(2), long(4), long(5), long(0)), "[3 4 5 ]", ""},
		"a map":                        {`{"type":"map","values":"int"}`, `{"type":"map","values":"long"}`, join(long(1), long(1), []byte("k"), long(3), long(0)), "map[k:3]", ""},
		"a value into a union":         {`"int"`, `["null","int"]`, long(3), "3", ""},
		"a value into a wider union":   {`"int"`, `["string","double"]`, long(3), "4008000000000000", ""},
		"the same type before a wider": {`"int"`, `["null","double","int"]`, long(3), "3", ""},
		"a union into a value":         {`["null","int"]`, `"long"`, join(long(1), long(3)), "3", ""},
		"a null that does not fit":     {`["null","int"]`, `"long"`, long(0), "", "the writer has null, the reader long"},
		"a union in another order":     {`["null","int","string"]`, `["string","long","null"]`, join(long(1), long(3)), "3", ""},
		"two branches to one":          {`["int","long","float"]`, `["null","double"]`, join(long(0), long(3)), "4008000000000000", ""},
		"a branch that is gone":        {`["null","int","string"]`, `["null","int"]`, join(long(2), long(0)), "", "the reader's union lacks string"},
		"a field less":                 {recAB, `{"type":"record","name":"P","fields":[{"name":"b","type":"string"}]}`, join(long(1), long(1), []byte("x")), "map[b:x]", ""},
		"a field more":                 {recAB, `{"type":"record","name":"P","fields":[{"name":"c","type":"boolean","default":true},{"name":"b","type":"string"},{"name":"a","type":"int"}]}`, join(long(1), long(1), []byte("x")), "map[a:1 b:x c:true]", ""},
		"a field with an alias":        {recAB, `{"type":"record","name":"P","fields":[{"name":"z","aliases":["q","a"],"type":"int"}]}`, join(long(1), long(1), []byte("x")), "map[z:1]", ""},
		"a record with an alias":       {recAB, `{"type":"record","name":"Q","aliases":["P"],"fields":[{"name":"a","type":"int"}]}`, join(long(1), long(1), []byte("x")), "map[a:1]", ""},
		"two fields with one alias":    {`{"type":"record","name":"P","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"}]}`, `{"type":"record","name":"P","fields":[{"name":"b","aliases":["a"],"type":"int"}]}`, join(long(1), long(2)), "map[b:2]", ""},
		"a fixed":                      {`{"type":"fixed","name":"F","size":2}`, `{"type":"fixed","name":"n.F","size":2}`, []byte{1, 2}, "[1 2]", ""},
		"a decimal of more digits":     {`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`, `{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`, join(long(2), []byte{4, 210}), "617/50", ""},
		"a record in a union":          {recAB, `["null",` + recAB + `]`, join(long(1), long(1), []byte("x")), "map[P:map[a:1 b:x]]", ""},
		"a union of nothing":           {`[]`, `"int"`, long(0), "", "branch 0 of a union that has 0"},
		"defaults of every kind": {
			field(`"int"`), `{"type":"record","name":"R","fields":[
			{"name":"null","type":"null","default":null},{"name":"bool","type":"boolean","default":false},{"name":"int","type":"int","default":-3},
			{"name":"long","type":"long","default":4294967296},{"name":"float","type":"float","default":1.5},{"name":"double","type":"double","default":-2},
			{"name":"bytes","type":"bytes","default":"\u00ff\u0000"},{"name":"string","type":"string","default":"ü"},
			{"name":"enum","type":{"type":"enum","name":"E","symbols":["A","B"]},"default":"B"},{"name":"fixed","type":{"type":"fixed","name":"F","size":2},"default":"\u0001\u00fe"},
			{"name":"array","type":{"type":"array","items":"int"},"default":[1,2]},{"name":"none","type":{"type":"array","items":"int"},"default":[]},
			{"name":"map","type":{"type":"map","values":"string"},"default":{"k":"v"}},{"name":"union","type":["string","null"],"default":"u"},{"name":"maybe","type":["null","string"],"default":null},
			{"name":"record","type":{"type":"record","name":"In","fields":[{"name":"x","type":"int"},{"name":"y","type":"string","default":"dy"}]},"default":{"x":5}}]}`,
			long(1), "map[array:[1 2 ] bool:false bytes:[255 0 ] double:c000000000000000 enum:B fixed:[1 254] float:3ff8000000000000 int:-3 long:4294967296 map:map[k:v] maybe:nil none:[] null:nil record:map[x:5 y:dy] string:ü union:u]", "",
		},
	} {
		c, err := avrocodec.New(test.reader, avrocodec.Config{Writers: []string{test.writer}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got any
		err = c.Decode(test.body, &got)
		switch {
		case test.refused != "":
			expect(t, name, err, avrocodec.ErrMalformed, test.refused)
		case err != nil || show(got) != test.want:
			t.Errorf("%s: %v, %s\nwant %s", name, err, show(got), test.want)
		}
		if err == nil && len(test.body) > 0 && c.Decode(test.body[:len(test.body)-1], &got) == nil {
			t.Errorf("%s: a prefix is accepted", name)
		}
	}
}

func TestSchemasThatDoNotFitAreRefusedAtOnce(t *testing.T) {
	decimal := func(precision, scale string) string {
		return `{"type":"bytes","logicalType":"decimal","precision":` + precision + `,"scale":` + scale + `}`
	}
	for want, test := range map[string]struct{ writer, reader string }{
		"the writer has string, the reader int":                                      {`"string"`, `"int"`},
		"the writer has double, the reader float":                                    {`"double"`, `"float"`},
		"the writer has record P, the reader record Q":                               {recAB, `{"type":"record","name":"Q","fields":[]}`},
		"field c: the writer has it not, and it has no default":                      {recAB, `{"type":"record","name":"P","fields":[{"name":"c","type":"int"}]}`},
		"field f: items: the writer has int, the reader string":                      {field(`{"type":"array","items":"int"}`), field(`{"type":"array","items":"string"}`)},
		"field f: values: the writer has int, the reader string":                     {field(`{"type":"map","values":"int"}`), field(`{"type":"map","values":"string"}`)},
		"fixed F has 2 bytes with the writer, 3 with the reader":                     {`{"type":"fixed","name":"F","size":2}`, `{"type":"fixed","name":"F","size":3}`},
		"the writer has enum E, the reader enum G":                                   {enumABC, `{"type":"enum","name":"G","symbols":["A"]}`},
		"the reader's union lacks int":                                               {`"int"`, `["null","string"]`},
		"the writer has decimals of scale 2, the reader of scale 3":                  {decimal("9", "2"), decimal("9", "3")},
		"the writer has long (timestamp-millis), the reader long (timestamp-micros)": {`{"type":"long","logicalType":"timestamp-millis"}`, `{"type":"long","logicalType":"timestamp-micros"}`},
		"the writer has string, the reader bytes (decimal)":                          {`"string"`, decimal("9", "3")},
		"field g: its default: it is beyond 2⁵³, and may not be what was written":    {field(`"int"`), `{"type":"record","name":"R","fields":[{"name":"g","type":"long","default":9007199254740994}]}`},
		"field g: its default: 3000000000 is no int":                                 {field(`"int"`), `{"type":"record","name":"R","fields":[{"name":"g","type":"int","default":3000000000}]}`},
	} {
		_, err := avrocodec.New(test.reader, avrocodec.Config{Writers: []string{test.writer}})
		if err == nil || err.Error() != "avro codec: Config.Writers[0]: "+want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// The library's own resolution overflows the stack with these.
func TestRecursiveSchemasResolve(t *testing.T) {
	writer := `{"type":"record","name":"N","fields":[{"name":"v","type":"int"},{"name":"x","type":"string"},{"name":"kids","type":{"type":"array","items":"N"}}]}`
	reader := `{"type":"record","name":"N","fields":[{"name":"kids","type":{"type":"array","items":"N"}},{"name":"v","type":"long"},{"name":"w","type":"int","default":5}]}`
	c := newCodec(t, reader, avrocodec.Config{Writers: []string{writer}})
	type n struct {
		V    int64 `avro:"v"`
		W    int32 `avro:"w"`
		Kids []n   `avro:"kids"`
	}
	one := func(v int64, kids ...[]byte) []byte {
		b := join(long(v), long(1), []byte("x"))
		for _, k := range kids {
			b = join(b, long(1), k)
		}
		return append(b, 0)
	}
	var got n
	if err := c.Decode(one(1, one(2, one(3)), one(4)), &got); err != nil {
		t.Fatal(err)
	}
	want := n{1, 5, []n{{2, 5, []n{{3, 5, nil}}}, {4, 5, nil}}}
	if show(got) != show(want) {
		t.Error(show(got), show(want))
	}
}

// Defaults of what the guard rewrites for a Go type, or puts into boxes.
func TestDefaultsOfDecimalsAndUnions(t *testing.T) {
	cents := `{"type":"bytes","logicalType":"decimal","precision":6,"scale":2}`
	reader := `{"type":"record","name":"R","fields":[
		{"name":"plain","type":` + cents + `,"default":"\u0085"},
		{"name":"fixed","type":{"type":"fixed","name":"F","size":2,"logicalType":"decimal","precision":4,"scale":2},"default":"\u00ff\u0085"},
		{"name":"maybe","type":[` + cents + `,"null"],"default":"\u0085"},
		{"name":"record","type":[{"type":"record","name":"In","fields":[{"name":"x","type":` + cents + `},{"name":"y","type":"int"}]},"null"],"default":{"x":"\u0085","y":3}},
		{"name":"array","type":[{"type":"array","items":` + cents + `},"null"],"default":["\u0085"]}]}`
	c := newCodec(t, reader, avrocodec.Config{Writers: []string{`{"type":"record","name":"R","fields":[]}`}})
	type in struct {
		X big.Rat `avro:"x"`
	}
	var got struct {
		Plain  *big.Rat   `avro:"plain"`
		Fixed  *big.Rat   `avro:"fixed"`
		Maybe  *big.Rat   `avro:"maybe"`
		Record *in        `avro:"record"`
		Array  []*big.Rat `avro:"array"`
	}
	if err := c.Decode(nil, &got); err != nil || show(&got.Record.X) != "-123/100" {
		t.Fatal(err)
	}
	got.Record = nil
	if show(got) != "{-123/100 -123/100 -123/100 nil [-123/100 ] }" {
		t.Error(show(got))
	}
	var anything any
	want := "map[array:map[array:[-123/100 ]] fixed:-123/100 maybe:-123/100 plain:-123/100 record:map[In:map[x:-123/100 y:3]]]"
	if err := c.Decode(nil, &anything); err != nil || show(anything) != want {
		t.Errorf("%v, %s\nwant %s", err, show(anything), want)
	}
}

// A few bytes must not become many through the defaults of the reader's schema.
func TestDefaultsAreBounded(t *testing.T) {
	reader := field(`{"type":"array","items":{"type":"record","name":"E","fields":[{"name":"s","type":"string","default":"` + strings.Repeat("x", 1000) + `"}]}}`)
	writer := field(`{"type":"array","items":{"type":"record","name":"E","fields":[]}}`)
	c := newCodec(t, reader, avrocodec.Config{Writers: []string{writer}, MaxBytes: 100_000})
	expect(t, "defaults", c.Decode(join(long(1000), long(0)), new(any)), avrocodec.ErrLimit, "more than 100000 bytes with the defaults of the reader's schema")
}
