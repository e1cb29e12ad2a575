package guard

import (
	"strconv"
	"strings"

	"github.com/hamba/avro/v2"
)

// Canonical returns the schema in the specification's "Parsing Canonical Form". The library's own keeps logical types,
// so that its fingerprints are not those of other languages.
func Canonical(schema avro.Schema) string {
	var b strings.Builder
	canonical(&b, schema)
	return b.String()
}

func canonical(b *strings.Builder, schema avro.Schema) {
	switch s := schema.(type) {
	case *avro.RefSchema:
		b.WriteString(strconv.Quote(s.Schema().FullName()))
	case *avro.RecordSchema:
		b.WriteString(`{"name":"` + s.FullName() + `","type":"` + string(recordType(s)) + `","fields":[`)
		for i, f := range s.Fields() {
			comma(b, i)
			b.WriteString(`{"name":"` + f.Name() + `","type":`)
			canonical(b, f.Type())
			b.WriteByte('}')
		}
		b.WriteString(`]}`)
	case *avro.EnumSchema:
		b.WriteString(`{"name":"` + s.FullName() + `","type":"enum","symbols":["` + strings.Join(s.Symbols(), `","`) + `"]}`)
	case *avro.FixedSchema:
		b.WriteString(`{"name":"` + s.FullName() + `","type":"fixed","size":` + strconv.Itoa(s.Size()) + `}`)
	case *avro.ArraySchema:
		b.WriteString(`{"type":"array","items":`)
		canonical(b, s.Items())
		b.WriteByte('}')
	case *avro.MapSchema:
		b.WriteString(`{"type":"map","values":`)
		canonical(b, s.Values())
		b.WriteByte('}')
	case *avro.UnionSchema:
		b.WriteByte('[')
		for i, t := range s.Types() {
			comma(b, i)
			canonical(b, t)
		}
		b.WriteByte(']')
	default:
		b.WriteString(`"` + string(s.Type()) + `"`)
	}
}

func recordType(s *avro.RecordSchema) avro.Type {
	if s.IsError() {
		return avro.Error
	}
	return avro.Record
}

func comma(b *strings.Builder, i int) {
	if i > 0 {
		b.WriteByte(',')
	}
}

// Fingerprint returns the CRC-64-AVRO fingerprint of the schema's canonical form, as single-object encoding wants it.
func Fingerprint(schema avro.Schema) uint64 {
	const empty = 0xc15d213aa4d7a795
	sum := uint64(empty)
	for _, c := range []byte(Canonical(schema)) {
		x := (sum ^ uint64(c)) & 0xff
		for range 8 {
			x = x>>1 ^ empty&-(x&1)
		}
		sum = sum>>8 ^ x
	}
	return sum
}
