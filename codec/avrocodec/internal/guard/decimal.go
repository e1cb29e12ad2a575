package guard

import (
	"math"
	"math/big"
	"reflect"
	"strconv"

	"github.com/hamba/avro/v2"
)

// The library decodes a decimal into a big.Rat by overwriting its first word with a pointer, so that it stays 0; into a
// *big.Rat of a union of null and a decimal, too. So a decimal that becomes either is rewritten to text here, which a
// big.Rat reads by itself.
var text = avro.NewPrimitiveSchema(avro.String, nil)

var ratType = reflect.TypeFor[big.Rat]()

func isRat(t reflect.Type) bool { return t == ratType || t == reflect.PointerTo(ratType) }

func isDecimal(s avro.Schema) bool { return logicalType(actual(s)) == avro.Decimal }

// asText says whether decimals of this schema are rewritten to text for a t.
func asText(r avro.Schema, t reflect.Type) bool {
	return t != nil && isDecimal(r) && (isRat(t) || t == boxType)
}

// decimalSlack is by how many bytes a decimal may be longer than needed: some writers pad.
const decimalSlack = 16

// decimalSize returns the most bytes that a decimal of the schema's precision can sensibly have; 0 if it is none.
// Arithmetic on a number of megabytes takes minutes.
func decimalSize(s avro.Schema) int {
	if d, ok := logical(s).(*avro.DecimalLogicalSchema); ok {
		return int(float64(d.Precision())*math.Log2(10)/8) + 1 + decimalSlack
	}
	return 0
}

// decimal gives a node the bounds of a decimal, if the schema is one.
func decimal(s avro.Schema, n node) *node {
	if d, ok := logical(s).(*avro.DecimalLogicalSchema); ok {
		if n.size == 0 {
			n.size = decimalSize(s)
		}
		n.below = new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.Precision())), nil)
		n.scale = d.Scale()
	}
	return &n
}

// unscaled returns a number in two's complement.
func unscaled(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return v
}

// decimal checks in[start:pos] against the precision.
func (r *run) decimal(n *node, start int) error {
	b := r.in[start:r.pos]
	if 8*len(b) >= n.below.BitLen() && unscaled(b).CmpAbs(n.below) >= 0 {
		r.pos = start
		return r.malformed("a decimal of more digits than its precision")
	}
	return nil
}

// appendDecimal appends a decimal as a string of Avro's that a big.Rat reads.
func appendDecimal(to, b []byte, scale int) []byte {
	s := unscaled(b).String() + "e-" + strconv.Itoa(scale)
	return append(append(to, varint(len(s))...), s...)
}
