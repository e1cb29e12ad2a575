package avrocodec_test

import (
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/codec/avrocodec"
)

type inner struct {
	A int8 `avro:"a"`
}

type named string

type shout string

func (s *shout) UnmarshalText(b []byte) error { *s = shout(strings.ToUpper(string(b))); return nil }

type choice struct{ value any }

func (c *choice) FromAny(v any) error { c.value = v; return nil }
func (c *choice) ToAny() (any, error) { return c.value, nil }

type Embedded struct {
	A int `avro:"a"`
}

type embedding struct {
	*Embedded
	B string
}

// What a Go type can hold, and what it cannot. Some of the refused ones the library decodes, over memory that is not
// theirs.
func TestGoTypes(t *testing.T) {
	intA := `{"type":"record","name":"I","fields":[{"name":"a","type":"int"}]}`
	maybeI := `["null",` + intA + `]`
	bytesDecimal := `{"type":"bytes","logicalType":"decimal","precision":6,"scale":2}`
	fixedDecimal := `{"type":"fixed","name":"D","size":3,"logicalType":"decimal","precision":6,"scale":2}`
	eight := `{"type":"fixed","name":"X","size":8}`
	for name, test := range map[string]struct {
		schema string
		body   []byte
		v      any
		want   string
		err    string // of the type, or of the value
	}{
		"int":                          {`"int"`, long(-5), new(int), "-5", ""},
		"int8":                         {`"int"`, long(-128), new(int8), "-128", ""},
		"int8 that overflows":          {`"int"`, long(128), new(int8), "", "an int that the Go type cannot hold"},
		"int16 that overflows":         {`"int"`, long(-32769), new(int16), "", "an int that the Go type cannot hold"},
		"uint8 that is negative":       {`"int"`, long(-1), new(uint8), "", "an int that the Go type cannot hold"},
		"uint16":                       {`"int"`, long(65535), new(uint16), "65535", ""},
		"uint16 that overflows":        {`"int"`, long(65536), new(uint16), "", "an int that the Go type cannot hold"},
		"uint32":                       {`"long"`, long(math.MaxUint32), new(uint32), "4294967295", ""},
		"uint32 that overflows":        {`"long"`, long(math.MaxUint32 + 1), new(uint32), "", "a long that the Go type cannot hold"},
		"long in int":                  {`"long"`, long(1 << 40), new(int), "1099511627776", ""},
		"long in int32":                {`"long"`, long(1), new(int32), "", "the Go type int32 cannot hold the Avro type long"},
		"int in int64":                 {`"int"`, long(1), new(int64), "", "the Go type int64 cannot hold the Avro type int"},
		"float in float64":             {`"float"`, make([]byte, 4), new(float64), "", "the Go type float64 cannot hold the Avro type float"},
		"string in named":              {`"string"`, join(long(1), []byte("x")), new(named), "x", ""},
		"string in a text":             {`"string"`, join(long(1), []byte("x")), new(shout), "X", ""},
		"string in an address":         {`"string"`, join(long(3), []byte("::1")), new(netip.Addr), "", ""},
		"string in a pointer":          {`"string"`, long(0), new(*string), "", "cannot hold"},
		"enum in a text":               {`{"type":"enum","name":"E","symbols":["a"]}`, long(0), new(shout), "a", ""},
		"enum in int":                  {`{"type":"enum","name":"E","symbols":["a"]}`, long(0), new(int), "", "the Go type int cannot hold the Avro type enum E"},
		"null in anything":             {`"null"`, nil, new(time.Time), "0001-01-01T00:00:00Z", ""},
		"record in a pointer":          {intA, long(1), new(*inner), "{1 }", ""},
		"record in a map":              {intA, long(1), new(map[string]any), "map[a:1]", ""},
		"record in a map of named":     {intA, long(1), new(map[named]any), "map[a:1]", ""},
		"record in a map of strings":   {intA, long(1), new(map[string]string), "", "cannot hold"},
		"record in a map of interface": {intA, long(1), new(map[string]fmt.Stringer), "", "cannot hold"},
		"record in an interface":       {intA, long(1), new(fmt.Stringer), "", "cannot hold"},
		"record in another struct":     {intA, long(1), new(struct{ B int }), "", "has none of the fields of record I"},
		"record in an empty struct":    {intA, long(1), new(struct{}), "{}", ""},
		"record in an embedding":       {`{"type":"record","name":"I","fields":[{"name":"a","type":"int"},{"name":"B","type":"string"}]}`, join(long(1), long(1), []byte("x")), new(embedding), "{{1 } x }", ""},
		"maybe in a pointer":           {maybeI, join(long(1), long(7)), new(*inner), "{7 }", ""},
		"maybe in a struct":            {maybeI, join(long(1), long(7)), new(inner), "", "the Go type avrocodec_test.inner cannot hold the Avro type union"},
		"maybe in a converter struct":  {maybeI, join(long(1), long(7)), new(choice), "", "cannot hold"},
		"maybe in a converter":         {maybeI, join(long(1), long(7)), new(*choice), "", "that takes too long as an avro.UnionConverter"},
		"maybe in a map":               {maybeI, join(long(1), long(7)), new(map[string]any), "map[I:map[a:7]]", ""},
		"maybe in a map of interface":  {maybeI, join(long(1), long(7)), new(map[string]fmt.Stringer), "", "cannot hold"},
		"maybe an array":               {`["null",` + longs + `]`, join(long(1), long(1), long(7), long(0)), new([]int64), "[7 ]", ""},
		"no array":                     {`["null",` + longs + `]`, long(0), new([]int64), "[]", ""},
		"a union in any":               {`["int","string"]`, join(long(1), long(1), []byte("x")), new(any), "x", ""},
		"a union in a pointer":         {`["int","string"]`, long(0), new(*int), "", "cannot hold"},
		"array in an array":            {longs, long(0), new([1]int64), "", "the Go type [1]int64 cannot hold the Avro type array"},
		"array of the wrong items":     {longs, long(0), new([]string), "", "items: the Go type string cannot hold the Avro type long"},
		"map of numbers":               {texts, long(0), new(map[int]string), "", "cannot hold"},
		"map of the wrong values":      {texts, long(0), new(map[string]int), "", "values: the Go type int cannot hold the Avro type string"},
		"fixed":                        {eight, []byte{0, 0, 0, 0, 0, 0, 1, 0}, new(uint64), "256", ""},
		"fixed in a wrong array":       {eight, make([]byte, 8), new([7]byte), "", "the Go type [7]uint8 cannot hold the Avro type fixed X"},
		"decimal":                      {bytesDecimal, join(long(1), []byte{0x85}), new(*big.Rat), "-123/100", ""},
		"decimal in a value":           {bytesDecimal, join(long(1), []byte{0x85}), new(big.Rat), "-123/100", ""},
		"maybe a fixed decimal":        {`["null",` + fixedDecimal + `]`, join(long(1), []byte{0xff, 0xff, 0x85}), new(*big.Rat), "-123/100", ""},
		"maybe a decimal in any":       {`["null",` + bytesDecimal + `]`, join(long(1), long(1), []byte{0x85}), new(any), "-123/100", ""},
		"a decimal in any":             {bytesDecimal, join(long(1), []byte{0x85}), new(any), "-123/100", ""},
		"a fixed decimal in any":       {fixedDecimal, []byte{0xff, 0xff, 0x85}, new(any), "-123/100", ""},
		"among records in any":         {`["null",` + intA + `,` + bytesDecimal + `]`, join(long(2), long(1), []byte{0x85}), new(any), "map[bytes.decimal:-123/100]", ""},
		"in a map of branches":         {`["null",` + bytesDecimal + `]`, join(long(1), long(1), []byte{0x85}), new(map[string]any), "map[bytes.decimal:-123/100]", ""},
		"in an array in any":           {`{"type":"array","items":["null",` + bytesDecimal + `]}`, join(long(2), long(1), long(1), []byte{0x85}, long(0), long(0)), new(any), "[-123/100 nil ]", ""},
		"records in any":               {`["null",` + intA + `,` + longs + `,` + enumABC + `]`, join(long(1), long(7)), new(any), "map[I:map[a:7]]", ""},
		"an array in any":              {`["null",` + longs + `]`, join(long(1), long(1), long(7), long(0)), new(any), "map[array:[7 ]]", ""},
		"in each other":                {`{"type":"array","items":["null",{"type":"record","name":"N","fields":[{"name":"n","type":["null","N","int"]}]}]}`, join(long(1), long(1), long(1), long(1), long(2), long(5), long(0)), new(any), "[map[N:map[n:map[N:map[n:map[N:map[n:map[int:5]]]]]]] ]", ""},
		"a date in any":                {`["null",{"type":"int","logicalType":"date"}]`, join(long(1), long(1)), new(any), "1970-01-02T00:00:00Z", ""},
		"a local stamp in any":         {`["null",{"type":"long","logicalType":"local-timestamp-millis"}]`, join(long(1), long(0)), new(any), "", ""},
		"decimal of no bytes":          {bytesDecimal, long(0), new(*big.Rat), "0/1", ""},
		"decimal of too many digits":   {bytesDecimal, join(long(3), []byte{0x7f, 0xff, 0xff}), new(*big.Rat), "", "a decimal of more digits than its precision"},
		"fixed decimal":                {fixedDecimal, []byte{0xff, 0xff, 0x85}, new(*big.Rat), "-123/100", ""},
		"fixed decimal of too many":    {fixedDecimal, []byte{0x80, 0, 0}, new(*big.Rat), "", "a decimal of more digits than its precision"},
		"decimal in a struct":          {bytesDecimal, long(0), new(inner), "", "cannot hold"},
		"maybe a decimal":              {`["null",` + bytesDecimal + `]`, join(long(1), long(1), []byte{0x85}), new(*big.Rat), "-123/100", ""},
		"a date in a string":           {`{"type":"int","logicalType":"date"}`, long(0), new(string), "", "cannot hold"},
		"a date":                       {`{"type":"int","logicalType":"date"}`, long(-1), new(time.Time), "1969-12-31T00:00:00Z", ""},
		"a stamp in a duration":        {`{"type":"long","logicalType":"timestamp-millis"}`, long(0), new(time.Duration), "", "cannot hold"},
		"a stamp in int64":             {`{"type":"long","logicalType":"timestamp-millis"}`, long(5), new(int64), "5", ""},
		"a long in a time":             {`"long"`, long(0), new(time.Time), "", "cannot hold"},
	} {
		err := newCodec(t, test.schema, avrocodec.Config{}).Decode(test.body, test.v)
		switch {
		case test.err != "":
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: %v\nwant %s", name, err, test.err)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && show(test.v) != test.want:
			t.Errorf("%s: %s, want %s", name, show(test.v), test.want)
		}
	}
}

// What cannot be encoded faithfully is refused. The library writes something else for most of these.
func TestEncodeRefusesWhatWouldBeLost(t *testing.T) {
	type one[T any] struct {
		F T `avro:"f"`
	}
	type link struct {
		Next *link `avro:"next"`
	}
	circle := new(link)
	circle.Next = circle
	cents := `{"type":"bytes","logicalType":"decimal","precision":6,"scale":2}`
	date := `{"type":"int","logicalType":"date"}`
	for name, test := range map[string]struct {
		schema string
		v      any
		err    string
	}{
		"a number that is too large":     {field(`"int"`), one[int]{1 << 40}, "f: a number that the Avro type cannot hold"},
		"in an array":                    {field(`{"type":"array","items":"int"}`), one[[]int]{[]int{1, 1 << 40}}, "f: [1]: a number that the Avro type cannot hold"},
		"in a map":                       {field(`{"type":"map","values":"int"}`), one[map[string]int]{map[string]int{"k": 1 << 40}}, "f: an entry: a number"},
		"in a union":                     {field(`["null","int"]`), one[any]{1 << 40}, "f: a number"},
		"behind a pointer":               {field(`["null","int"]`), one[*int]{new(1 << 40)}, "f: a number"},
		"in a branch":                    {field(`["null","int"]`), one[any]{map[string]any{"int": 1 << 40}}, "f: a number"},
		"in a map for a record":          {field(`"int"`), map[string]any{"f": 1 << 40}, "f: a number"},
		"a time of day that is too long": {field(`{"type":"int","logicalType":"time-millis"}`), one[time.Duration]{60 * 24 * time.Hour}, "f: a number"},
		"a date before 1970 with a time": {field(date), one[time.Time]{time.Date(1969, 5, 1, 12, 0, 0, 0, time.UTC)}, "f: a date before 1970 that is not midnight in UTC"},
		"half a cent":                    {field(cents), one[*big.Rat]{big.NewRat(1, 200)}, "f: a decimal with more digits after the point than its scale"},
		"a third":                        {field(cents), one[big.Rat]{*big.NewRat(1, 3)}, "f: a decimal with more digits"},
		"too much money":                 {field(cents), one[*big.Rat]{big.NewRat(10_000, 1)}, "significant digits"},
		"no decimal":                     {field(cents), one[*big.Rat]{}, "f: it is nil"},
		"a struct for a decimal":         {field(cents), one[inner]{}, "f: want a *big.Rat for a decimal"},
		"a string that is not UTF-8":     {field(`"string"`), one[string]{"\xff"}, "nobody could read it: malformed Avro: f: a string that is not UTF-8"},
		"a symbol that is not there":     {field(enumABC), one[string]{"D"}, "unknown enum symbol"},
		"a field that is missing":        {field(`"int"`), struct{}{}, `missing required field "f"`},
		"nil":                            {field(`"int"`), nil, "encode Avro from <nil>: it is nil"},
		"a nil pointer":                  {field(`"int"`), (*one[int])(nil), "nil"},
		"another type":                   {field(`"int"`), one[string]{"x"}, "string is unsupported for Avro int"},
		"a value that contains itself":   {`{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}`, circle, "it is nested too deeply, or contains itself"},
	} {
		body, err := newCodec(t, test.schema, avrocodec.Config{}).Encode(test.v)
		if err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %x, %v\nwant %s", name, body, err, test.err)
		}
	}
	for name, test := range map[string]struct {
		schema string
		v      any
		want   string
	}{
		"a number":           {field(`"int"`), one[int]{math.MinInt32}, string(long(math.MinInt32))},
		"a default":          {`{"type":"record","name":"R","fields":[{"name":"f","type":"int","default":3},{"name":"g","type":["null","int"],"default":null}]}`, struct{}{}, string(join(long(3), long(0)))},
		"a date before 1970": {field(date), one[time.Time]{time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC)}, string(long(-1))},
		"an amount":          {field(cents), one[big.Rat]{*big.NewRat(-123, 100)}, string(join(long(1), []byte{0x85}))},
		"no array":           {field(longs), one[[]int64]{}, string(long(0))},
		"one block":          {field(longs), one[[]int64]{make([]int64, 300)}, string(join(long(300), make([]byte, 300), long(0)))},
		"nothing":            {`"null"`, nil, ""},
		"perhaps nothing":    {`["null","int"]`, nil, string(long(0))},
	} {
		body, err := newCodec(t, test.schema, avrocodec.Config{}).Encode(test.v)
		if err != nil || string(body) != test.want {
			t.Errorf("%s: %x, %v, want %x", name, body, err, test.want)
		}
	}
}

// The library's codec for fixed and uint64 keeps its buffer, so that two goroutines read each other's numbers.
func TestManyGoroutines(t *testing.T) {
	c := newCodec(t, everything, avrocodec.Config{})
	var everyone sync.WaitGroup
	for g := range 8 {
		everyone.Go(func() {
			for i := range 200 {
				want := sample(1)
				want.Number = uint64(g)<<32 | uint64(i)
				body, err := c.Encode(&want)
				if err != nil {
					t.Error(err)
					return
				}
				var got all
				if err := c.Decode(body, &got); err != nil || got.Number != want.Number || !same(got, want) {
					t.Errorf("%d, %v, want %d", got.Number, err, want.Number)
					return
				}
			}
		})
	}
	everyone.Wait()
}

func TestSchemasThatAreNotSound(t *testing.T) {
	for want, schema := range map[string]string{
		"the schema is no JSON":                `{"type":`,
		"unknown type: Order":                  `"Order"`,
		"unknown type: nonsense":               `nonsense`,
		"the schema is nested deeper than 256": strings.Repeat(`{"type":"array","items":`, 300) + `"int"` + strings.Repeat(`}`, 300),
		"the schema has a size of 1.099511627776e+12, not a whole number up to 1.048576e+06": `{"type":"fixed","name":"F","size":1099511627776}`,
		"the schema has a size of -1":                     `{"type":"fixed","name":"F","size":-1}`,
		"the schema has a precision of 2000":              `{"type":"bytes","logicalType":"decimal","precision":2000,"scale":2}`,
		"the schema has 1048577 bytes, more than 1048576": strings.Repeat(" ", 1<<20+1),
		"the schema is not sound":                         `{"type":"record","name":"A","fields":[{"name":"x","type":"A","default":{}}]}`,
		"union type must be unique":                       `["int","int"]`,
		"duplicate name":                                  `["null",{"type":"fixed","name":"F","size":1},{"type":"array","items":{"type":"fixed","name":"F","size":1}}]`,
		"than the precision of its decimals needs":        `{"type":"fixed","name":"F","size":100,"logicalType":"decimal","precision":9}`,
	} {
		_, err := avrocodec.New(schema, avrocodec.Config{})
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 300 {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// Names of one codec's schemas are nothing to another's.
func TestSchemasDoNotLeakIntoEachOther(t *testing.T) {
	newCodec(t, `{"type":"record","name":"leak.Inner","fields":[]}`, avrocodec.Config{})
	outer := `{"type":"record","name":"Outer","fields":[{"name":"f","type":"leak.Inner"}]}`
	if _, err := avrocodec.New(outer, avrocodec.Config{}); err == nil {
		t.Error("a name of another codec is known")
	}
	c := newCodec(t, outer, avrocodec.Config{References: []string{`{"type":"record","name":"leak.Inner","fields":[{"name":"x","type":"int"}]}`}})
	var got any
	if err := c.Decode(long(5), &got); err != nil || show(got) != "map[f:map[x:5]]" {
		t.Error(show(got), err)
	}
	_, err := avrocodec.New(outer, avrocodec.Config{References: []string{`{"type":"record"}`}})
	if err == nil || !strings.Contains(err.Error(), "reference 0: ") {
		t.Error(err)
	}
}
