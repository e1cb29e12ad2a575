package wire_test

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// fill sets every field of a method to something that is not its zero value.
func fill(m wire.Method, r *rand.Rand) {
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Kind() {
		case reflect.Bool:
			f.SetBool(r.IntN(2) == 0)
		case reflect.String:
			f.SetString(strings.Repeat("é", r.IntN(100)+1))
		case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
			f.SetUint(r.Uint64() >> (64 - f.Type().Bits()))
		default:
			f.Set(reflect.ValueOf(wire.Table{{"k", "v"}, {"n", int64(r.Int32())}}))
		}
	}
}

func TestEveryMethodComesBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	for class := range uint16(256) {
		for method := range uint16(256) {
			m, ok := wire.New(class, method)
			if !ok {
				continue
			}
			if c, n := wire.ID(m); c != class || n != method {
				t.Errorf("%s is %d.%d, and was made as %d.%d", wire.Name(m), c, n, class, method)
			}
			if seen[wire.Name(m)] {
				t.Errorf("two methods are named %s", wire.Name(m))
			}
			seen[wire.Name(m)] = true
			for range 20 {
				fill(m, r)
				b := wire.AppendMethod(nil, m)
				back, err := wire.ParseMethod(b)
				if err != nil || !reflect.DeepEqual(back, m) {
					t.Fatalf("%s: %+v came back as %+v, %v", wire.Name(m), m, back, err)
				}
			}
		}
	}
	if len(seen) != 66 {
		t.Errorf("%d methods are known, not 66", len(seen))
	}
}
