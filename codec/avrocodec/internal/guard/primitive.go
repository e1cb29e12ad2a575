package guard

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"

	"github.com/hamba/avro/v2"
)

func varint(i int) []byte { return binary.AppendVarint(nil, int64(i)) }

// primitive compiles a primitive type, with the promotions of "Schema Resolution".
func primitive(w, r avro.Schema, t reflect.Type) (*node, error) {
	if err := checkLogical(w, r); err != nil {
		return nil, err
	}
	if asText(r, t) {
		if w.Type() != avro.Bytes {
			return nil, mismatch(w, r)
		}
		return decimal(r, node{op: opDecimal, least: 1}), nil
	}
	switch from, to := w.Type(), r.Type(); {
	case from == avro.Null && to == avro.Null:
		return &node{op: opNull}, nil
	case from == avro.Boolean && to == avro.Boolean:
		return &node{op: opBoolean, least: 1}, nil
	case from == avro.Int && (to == avro.Int || to == avro.Long):
		n := number(opInt)
		n.lo, n.hi = holds(r, t)
		return n, nil
	case from == avro.Long && to == avro.Long:
		n := number(opLong)
		n.lo, n.hi = holds(r, t)
		return n, nil
	case from == avro.Int && to == avro.Float:
		return number(opIntToFloat), nil
	case from == avro.Int && to == avro.Double:
		return number(opIntToDouble), nil
	case from == avro.Long && to == avro.Float:
		return number(opLongToFloat), nil
	case from == avro.Long && to == avro.Double:
		return number(opLongToDouble), nil
	case from == avro.Float && to == avro.Float:
		return &node{op: opFloat, least: 4}, nil
	case from == avro.Float && to == avro.Double:
		return &node{op: opFloatToDouble, least: 4}, nil
	case from == avro.Double && to == avro.Double:
		return &node{op: opDouble, least: 8}, nil
	case from == avro.Bytes && to == avro.Bytes:
		return decimal(r, node{op: opBytes, least: 1}), nil
	case from == avro.Bytes && to == avro.String, from == avro.String && (to == avro.String || to == avro.Bytes && logical(r) == nil):
		return &node{op: opString, least: 1}, nil
	}
	return nil, mismatch(w, r)
}

// holds returns which numbers the Go type can hold. The library would cut off the rest.
func holds(r avro.Schema, t reflect.Type) (lo, hi int64) {
	if logicalType(r) == avro.TimeMicros && t != nil { // becomes a time.Duration, in nanoseconds
		return math.MinInt64 / 1000, math.MaxInt64 / 1000
	}
	if t != nil {
		switch t.Kind() {
		case reflect.Int8:
			return math.MinInt8, math.MaxInt8
		case reflect.Int16:
			return math.MinInt16, math.MaxInt16
		case reflect.Uint8:
			return 0, math.MaxUint8
		case reflect.Uint16:
			return 0, math.MaxUint16
		case reflect.Uint32:
			return 0, math.MaxUint32
		}
	}
	return math.MinInt64, math.MaxInt64
}

func logical(s avro.Schema) avro.LogicalSchema {
	if l, ok := s.(avro.LogicalTypeSchema); ok {
		return l.Logical()
	}
	return nil
}

func logicalType(s avro.Schema) avro.LogicalType {
	if l := logical(s); l != nil {
		return l.Type()
	}
	return ""
}

// checkLogical refuses what would be read wrongly without a word: an amount with another scale, a time in another unit.
// A logical type on one side only is what the specification lets pass.
func checkLogical(w, r avro.Schema) error {
	wl, rl := logical(w), logical(r)
	if wl == nil || rl == nil {
		return nil
	}
	wd, wok := wl.(*avro.DecimalLogicalSchema)
	rd, rok := rl.(*avro.DecimalLogicalSchema)
	if wok && rok && wd.Scale() != rd.Scale() {
		return fmt.Errorf("the writer has decimals of scale %d, the reader of scale %d", wd.Scale(), rd.Scale())
	}
	if wl.Type() != rl.Type() {
		return mismatch(w, r)
	}
	return nil
}
