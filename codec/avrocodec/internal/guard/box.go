package guard

import (
	"fmt"
	"math/big"
	"reflect"
	"strings"

	"github.com/hamba/avro/v2"
)

// What a union becomes in an any is decided by the library. If it knows all branches by name, it is the value alone; but
// for a decimal it keeps a pointer then where the garbage collector does not see it. If it does not, it is a map of the
// branch's name and the value; but the library works out how to decode the branch anew for each value, which takes it
// minutes for a body of a megabyte. So both are put into a box, a record of one field, which has the same bytes, and a
// Go type that the library knows by name. Unbox undoes that.

// internal begins the names of boxes. No schema may use it.
const internal = "warren_internal"

// A Box holds a decimal that was in a union.
type Box struct {
	Rat big.Rat `avro:"value"`
}

const boxName = internal + ".decimal"

var boxType = reflect.TypeFor[Box]()

// Names are the Go types that the library has to know by name.
type Names map[string]any

// branchTag tells, in the tag of a box's field, the name of the branch.
const branchTag = "branch"

// boxed puts the shape of a branch into a box.
func boxed(name string, shape avro.Schema) (avro.Schema, error) {
	f, err := avro.NewField("value", shape)
	if err != nil {
		return nil, err
	}
	return avro.NewRecordSchema(name, "", []*avro.Field{f})
}

// box returns the shape of one branch of a union that the library does not know by name.
func (s *shaper) box(b avro.Schema) (avro.Schema, error) {
	shape, err := s.shape(b, anyType)
	if err != nil {
		return nil, err
	}
	branch := branchName(b)
	name := internal + ".branch." + strings.ReplaceAll(branch, "-", "_")
	s.names[name] = reflect.Zero(reflect.StructOf([]reflect.StructField{{
		Name: "Value", Type: anyType, Tag: reflect.StructTag(fmt.Sprintf(`avro:"value" %s:%q`, branchTag, branch)),
	}})).Interface()
	return boxed(name, shape)
}

// branchName is what the library calls a branch.
func branchName(b avro.Schema) string {
	b = actual(b)
	if n, ok := b.(avro.NamedSchema); ok {
		return n.FullName()
	}
	if lt := logicalType(b); lt != "" {
		return string(b.Type()) + "." + string(lt)
	}
	return string(b.Type())
}

// unboxed returns what is in the box, if the shape is one.
func unboxed(shape avro.Schema) avro.Schema {
	if r, ok := shape.(*avro.RecordSchema); ok && strings.HasPrefix(r.FullName(), internal+".") {
		return actual(r.Fields()[0].Type())
	}
	return shape
}

// Unbox returns what is in v, if v is a box, as the library would have it: the amount, or a map of the branch's name and
// the value.
func Unbox(v any) (any, bool) {
	if b, ok := v.(Box); ok {
		return new(big.Rat).Set(&b.Rat), true
	}
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Struct || t.Name() != "" || t.NumField() != 1 {
		return v, false
	}
	branch, ok := t.Field(0).Tag.Lookup(branchTag)
	if !ok {
		return v, false
	}
	return map[string]any{branch: reflect.ValueOf(v).Field(0).Interface()}, true
}

// isResolved says whether the library knows all branches of the union by name.
func isResolved(u *avro.UnionSchema) bool {
	for _, b := range u.Types() {
		switch b.Type() {
		case avro.Null, avro.Boolean, avro.Int, avro.Long, avro.Float, avro.Double, avro.Bytes, avro.String:
		default:
			return false
		}
		if lt := logicalType(b); lt == avro.LocalTimestampMillis || lt == avro.LocalTimestampMicros {
			return false
		}
	}
	return true
}
