package guard

import (
	"math"
	"math/big"
)

// op is what one node of a program does.
type op uint8

const (
	opFail op = iota // nothing can be here: the schemas do not fit
	opNull
	opBoolean
	opInt
	opLong
	opFloat
	opDouble
	opBytes
	opString
	opFixed
	opDecimal      // becomes text
	opFixedDecimal // becomes text
	opEnum
	opArray
	opMap
	opRecord
	opUnion // the writer's
	opInto  // the reader has a union here, and the writer has not
	opIntToFloat
	opIntToDouble
	opLongToFloat
	opLongToDouble
	opFloatToDouble
)

// A node is how one value of the writer's is read. Nodes of recursive schemas point back.
type node struct {
	op       op
	least    int      // bytes that every value takes
	lo, hi   int64    // of opInt and opLong: what the Go type can hold
	size     int      // of fixed: the size; of bytes that are a decimal: the most
	below    *big.Int // of a decimal: what its unscaled value has to stay below
	scale    int      // of a decimal
	symbols  []int    // of opEnum: the reader's index for each of the writer's, or -1
	same     bool     // of opEnum: the indexes are the same
	item     *node    // of opArray, opMap and opInto
	branches []branch // of opUnion
	steps    []step   // of opRecord
	order    []part   // of opRecord: how to put together what the steps kept, if the reader's order is another
	index    []byte   // of opInto
	why      string   // of opFail
}

// A branch is one type of the writer's union, and its index in the reader's: -1 if the reader has no union there.
type branch struct {
	node  *node
	index int
}

// A step reads one field of the writer's, or fills in one that it has not.
type step struct {
	name   string
	node   *node  // nil: only fill
	drop   bool   // the reader does not want it
	fill   []byte // the default, encoded
	values int    // how much of Limits.Values it takes
}

// A part is one field in the reader's order: the nth that was kept, or a default.
type part struct {
	kept   int // -1: the default
	name   string
	fill   []byte
	values int
}

func fail(why string) *node { return &node{op: opFail, why: why} }

func number(o op) *node {
	return &node{op: o, least: 1, lo: math.MinInt64, hi: math.MaxInt64}
}
