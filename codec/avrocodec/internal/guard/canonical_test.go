package guard_test

import (
	"testing"

	"github.com/warren-mq/warren/codec/avrocodec/internal/guard"
)

// From share/test/data/schema-tests.txt of Apache Avro, and the specification's rules.
func TestFingerprints(t *testing.T) {
	for schema, want := range map[string]struct {
		canonical string
		print     uint64
	}{
		`"null"`:            {`"null"`, 7195948357588979594},
		`{"type":"int"}`:    {`"int"`, 8247732601305521295},
		`{"type":"string"}`: {`"string"`, 1<<64 - 8142146995180207161},
		`{"type":"long","logicalType":"timestamp-millis"}`: {`"long"`, 1<<64 - 3434872931120570953},
		`{"type":"record","name":"R","namespace":"n","doc":"d","aliases":["S"],"fields":[{"name":"f","doc":"x","default":1,"type":{"type":"int","logicalType":"date"}},{"name":"g","type":["null","R"]},{"name":"h","type":{"type":"fixed","name":"o.F","size":12,"logicalType":"duration"}}]}`: {
			`{"name":"n.R","type":"record","fields":[{"name":"f","type":"int"},{"name":"g","type":["null","n.R"]},{"name":"h","type":{"name":"o.F","type":"fixed","size":12}}]}`, 0,
		},
		`{"type":"map","values":{"type":"array","items":{"type":"enum","name":"E","symbols":["A","B"],"default":"A"}}}`: {
			`{"type":"map","values":{"type":"array","items":{"name":"E","type":"enum","symbols":["A","B"]}}}`, 0,
		},
	} {
		s, err := guard.Parse(schema)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := guard.Canonical(s); got != want.canonical {
			t.Errorf("%s\nwant %s", got, want.canonical)
		}
		if got := guard.Fingerprint(s); want.print != 0 && got != want.print {
			t.Errorf("%s: %d, want %d", schema, got, want.print)
		}
	}
}
