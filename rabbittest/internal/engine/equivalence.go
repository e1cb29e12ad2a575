package engine

import (
	"fmt"
	"math/big"
	"reflect"
	"slices"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// integer returns the value of any integer type.
func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int8:
		return int64(v), true
	case uint8:
		return int64(v), true
	case int16:
		return int64(v), true
	case uint16:
		return int64(v), true
	case int32:
		return int64(v), true
	case uint32:
		return int64(v), true
	case int64:
		return v, true
	case wire.Timestamp:
		return int64(v), true
	}
	return 0, false
}

// number returns the value of any type of number, exactly.
func number(v any) (*big.Float, bool) {
	if n, ok := integer(v); ok {
		return new(big.Float).SetInt64(n), true
	}
	switch f := v.(type) {
	case float32:
		if f == f {
			return big.NewFloat(float64(f)), true
		}
	case float64:
		if f == f {
			return big.NewFloat(f), true
		}
	}
	return nil, false
}

func float(v any) bool {
	switch v.(type) {
	case float32, float64:
		return true
	}
	return false
}

// sameValue compares as Erlang's == does: numbers by value.
func sameValue(a, b any) bool {
	x, ok := number(a)
	y, also := number(b)
	if ok && also {
		return x.Cmp(y) == 0
	}
	return reflect.DeepEqual(plain(a), plain(b))
}

// plain makes values equal that Erlang cannot tell apart.
func plain(v any) any {
	if b, ok := v.(wire.Binary); ok {
		return string(b)
	}
	return v
}

// sameTable compares two tables as sets of fields.
func sameTable(a, b wire.Table) bool {
	byName := func(x, y wire.Field) int {
		switch {
		case x.Name < y.Name:
			return -1
		case x.Name > y.Name:
			return 1
		}
		return 0
	}
	return slices.EqualFunc(slices.SortedFunc(slices.Values(a), byName), slices.SortedFunc(slices.Values(b), byName),
		func(x, y wire.Field) bool { return x.Name == y.Name && reflect.DeepEqual(x.Value, y.Value) })
}

// sameArgument refuses another value of an argument than the thing has. Integers are the same whatever their type.
func sameArgument(thing fmt.Stringer, name string, got, have wire.Table) *Error {
	g, gotIt := got.Get(name)
	h, haveIt := have.Get(name)
	if gotIt == haveIt && sameValue(g, h) {
		return nil
	}
	return ChannelFault(wire.PreconditionFailed, "inequivalent arg '%s' for %s: received %s but current is %s",
		name, thing, described(g, gotIt, haveIt), described(h, haveIt, gotIt))
}

// described is how RabbitMQ writes a value in such a refusal: in full only where the other side has none.
func described(v any, is, otherIs bool) string {
	switch {
	case !is:
		return "none"
	case otherIs:
		return fmt.Sprintf("'%v'", v)
	}
	return fmt.Sprintf("the value '%v' of type '%s'", v, wire.TypeName(v))
}
