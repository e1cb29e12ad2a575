package avrocodec_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hamba/avro/v2"

	"github.com/warren-mq/warren/codec/avrocodec"
)

// everything has every type and logical type of the specification, and refers to itself in every way.
const everything = `{"type":"record","name":"Everything","namespace":"test","fields":[
	{"name":"nothing","type":"null"},
	{"name":"flag","type":"boolean"},
	{"name":"small","type":"int"},
	{"name":"big","type":"long"},
	{"name":"single","type":"float"},
	{"name":"double","type":"double"},
	{"name":"blob","type":"bytes"},
	{"name":"text","type":"string"},
	{"name":"kind","type":{"type":"enum","name":"Kind","symbols":["A","B","C"],"default":"A"}},
	{"name":"hash","type":{"type":"fixed","name":"Hash","size":4}},
	{"name":"number","type":{"type":"fixed","name":"Eight","size":8}},
	{"name":"list","type":{"type":"array","items":"long"}},
	{"name":"names","type":{"type":"map","values":"string"}},
	{"name":"maybe","type":["null","string"]},
	{"name":"one","type":["int","string",{"type":"record","name":"Pair","fields":[{"name":"l","type":"int"},{"name":"r","type":"Kind"}]}]},
	{"name":"day","type":{"type":"int","logicalType":"date"}},
	{"name":"clock","type":{"type":"int","logicalType":"time-millis"}},
	{"name":"fine","type":{"type":"long","logicalType":"time-micros"}},
	{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
	{"name":"exactly","type":{"type":"long","logicalType":"timestamp-micros"}},
	{"name":"here","type":{"type":"long","logicalType":"local-timestamp-millis"}},
	{"name":"wall","type":{"type":"long","logicalType":"local-timestamp-micros"}},
	{"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
	{"name":"rate","type":{"type":"fixed","name":"Rate","size":6,"logicalType":"decimal","precision":10,"scale":4}},
	{"name":"id","type":{"type":"string","logicalType":"uuid"}},
	{"name":"span","type":{"type":"fixed","name":"Span","size":12,"logicalType":"duration"}},
	{"name":"next","type":["null","Everything"]},
	{"name":"kids","type":{"type":"array","items":{"type":"record","name":"Node","fields":[
		{"name":"v","type":"int"},{"name":"kids","type":{"type":"array","items":"Node"}},{"name":"by","type":{"type":"map","values":"Node"}}]}}}
]}`

type treeNode struct {
	V    int32               `avro:"v"`
	Kids []treeNode          `avro:"kids"`
	By   map[string]treeNode `avro:"by"`
}

type all struct {
	Nothing any                  `avro:"nothing"`
	Flag    bool                 `avro:"flag"`
	Small   int                  `avro:"small"`
	Big     int64                `avro:"big"`
	Single  float32              `avro:"single"`
	Double  float64              `avro:"double"`
	Blob    []byte               `avro:"blob"`
	Text    string               `avro:"text"`
	Kind    string               `avro:"kind"`
	Hash    [4]byte              `avro:"hash"`
	Number  uint64               `avro:"number"`
	List    []int64              `avro:"list"`
	Names   map[string]string    `avro:"names"`
	Maybe   *string              `avro:"maybe"`
	One     any                  `avro:"one"`
	Day     time.Time            `avro:"day"`
	Clock   time.Duration        `avro:"clock"`
	Fine    time.Duration        `avro:"fine"`
	At      time.Time            `avro:"at"`
	Exactly time.Time            `avro:"exactly"`
	Here    time.Time            `avro:"here"`
	Wall    time.Time            `avro:"wall"`
	Price   *big.Rat             `avro:"price"`
	Rate    *big.Rat             `avro:"rate"`
	ID      string               `avro:"id"`
	Span    avro.LogicalDuration `avro:"span"`
	Next    *all                 `avro:"next"`
	Kids    []treeNode           `avro:"kids"`
}

func sample(depth int) all {
	word := "a word"
	a := all{
		Flag: true, Small: -70000, Big: 1 << 40, Single: 1.5, Double: -math.Pi, Blob: []byte{0, 255, 1}, Text: "Grüße",
		Kind: "C", Hash: [4]byte{1, 2, 3, 4}, Number: 1 << 63, List: []int64{1, -2, 300}, Names: map[string]string{"k": "v"},
		Maybe: &word, One: map[string]any{"test.Pair": map[string]any{"l": 3, "r": "B"}},
		Day: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), Clock: time.Hour, Fine: time.Microsecond,
		At: time.UnixMilli(1_800_000_000_001).UTC(), Exactly: time.UnixMicro(1_800_000_000_000_001).UTC(),
		Here: time.UnixMilli(1_800_000_000_001).UTC(), Wall: time.UnixMicro(1_800_000_000_000_001).UTC(),
		Price: big.NewRat(-1999, 100), Rate: big.NewRat(12345, 10000), ID: "0190b2c4-7e1a-7cde-8f00-1234567890ab",
		Span: avro.LogicalDuration{Months: 1, Days: 2, Milliseconds: 3},
		Kids: []treeNode{{V: 1, Kids: []treeNode{{V: 2, Kids: []treeNode{}, By: map[string]treeNode{}}}, By: map[string]treeNode{"x": {V: 3, Kids: []treeNode{}, By: map[string]treeNode{}}}}},
	}
	if depth > 0 {
		next := sample(depth - 1)
		a.Next = &next
	}
	return a
}

// same compares as a reader would: a map of one entry has one order, and amounts and times have several forms.
func same(a, b any) bool {
	return show(a) == show(b)
}

func show(v any) string {
	var b strings.Builder
	shown(&b, reflect.ValueOf(v))
	return b.String()
}

func shown(b *strings.Builder, v reflect.Value) {
	if !v.IsValid() {
		b.WriteString("nil")
		return
	}
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case time.Time:
			fmt.Fprint(b, x.UTC().Format(time.RFC3339Nano))
			return
		case *big.Rat:
			fmt.Fprint(b, x)
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		shown(b, v.Elem())
	case reflect.Struct:
		b.WriteString("{")
		for i := range v.NumField() {
			shown(b, v.Field(i))
			b.WriteString(" ")
		}
		b.WriteString("}")
	case reflect.Slice:
		b.WriteString("[")
		for i := range v.Len() {
			shown(b, v.Index(i))
			b.WriteString(" ")
		}
		b.WriteString("]")
	case reflect.Float32, reflect.Float64:
		fmt.Fprintf(b, "%x", math.Float64bits(v.Float()))
	case reflect.Map:
		inside := make(map[string]string)
		for e := v.MapRange(); e.Next(); {
			var k, x strings.Builder
			shown(&k, e.Key())
			shown(&x, e.Value())
			inside[k.String()] = x.String()
		}
		fmt.Fprint(b, inside) // sorted
	default:
		fmt.Fprintf(b, "%v", v)
	}
}

func newCodec(t testing.TB, schema string, cfg avrocodec.Config) *avrocodec.Codec {
	t.Helper()
	c, err := avrocodec.New(schema, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func encode(t testing.TB, c *avrocodec.Codec, v any) []byte {
	t.Helper()
	body, err := c.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// long is a zigzag varint.
func long(n int64) []byte { return binary.AppendVarint(nil, n) }

func join(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func expect(t *testing.T, what string, err error, kind error, text string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v\nwant %v with %q", what, err, kind, text)
	}
}
