package wire

import "slices"

// Table is a field table. It keeps the order of its fields, as RabbitMQ does:
// clients can see it, for instance in the history of a dead-lettered message.
type Table []Field

// Field is one field of a table. Its value is one of
//
//	bool 't'     int8 'b'     uint8 'B'    int16 's'    uint16 'u'
//	int32 'I'    uint32 'i'   int64 'l'    float32 'f'  float64 'd'
//	Decimal 'D'  string 'S'   Binary 'x'   Timestamp 'T'
//	Array 'A'    Table 'F'    nil 'V'     LongLong 'L'
type Field struct {
	Name  string
	Value any
}

// Array is an array of values of the types that a Field may have.
type Array []any

// Binary is a byte array. RabbitMQ keeps it apart from a string.
type Binary []byte

// Timestamp is a time in seconds since 1970.
type Timestamp uint64

// Decimal is Value divided by ten to the power of Scale. The specification says
// that Value is signed; RabbitMQ reads and writes it unsigned
// (rabbit_binary_parser.erl), and so does this package.
type Decimal struct {
	Scale uint8
	Value uint32
}

// LongLong is an integer that was sent as 'L', by a client that keeps to another
// reading of the specification (py-amqp does, for what does not fit 32 bits).
// RabbitMQ takes it for the same as 'l', and writes 'l' where it writes a table
// anew; but until then it passes the bytes on, and not every client can read them.
// Methods never have one: their tables are always read.
type LongLong int64

// Rewritten returns the table as RabbitMQ writes it after it has read it: with
// 'l' for 'L'. The receiver is unchanged.
func (t Table) Rewritten() Table {
	if t == nil {
		return nil
	}
	to := make(Table, len(t))
	for i, f := range t {
		to[i] = Field{f.Name, rewritten(f.Value)}
	}
	return to
}

func rewritten(v any) any {
	switch v := v.(type) {
	case LongLong:
		return int64(v)
	case Table:
		return v.Rewritten()
	case Array:
		to := make(Array, len(v))
		for i := range v {
			to[i] = rewritten(v[i])
		}
		return to
	default:
		return v
	}
}

// Get returns the value of the first field with that name.
func (t Table) Get(name string) (any, bool) {
	for _, f := range t {
		if f.Name == name {
			return f.Value, true
		}
	}
	return nil, false
}

// With returns a copy in which the field has that value: in its old place, or
// at the end when it is new. The receiver is unchanged.
func (t Table) With(name string, value any) Table {
	to := make(Table, len(t), len(t)+1)
	copy(to, t)
	for i := range to {
		if to[i].Name == name {
			to[i].Value = value
			return to
		}
	}
	return append(to, Field{name, value})
}

// Without returns a copy that has no field with any of those names. The
// receiver is unchanged.
func (t Table) Without(names ...string) Table {
	to := make(Table, 0, len(t))
	for _, f := range t {
		if !slices.Contains(names, f.Name) {
			to = append(to, f)
		}
	}
	return to
}

// TypeName is RabbitMQ's name for the type of a value, as it stands in its
// error texts ("expected integer, got longstr"). It is empty for a Go type
// that no field can have.
func TypeName(v any) string {
	switch v.(type) {
	case nil:
		return "void"
	case bool:
		return "bool"
	case int8:
		return "byte"
	case uint8:
		return "unsignedbyte"
	case int16:
		return "short"
	case uint16:
		return "unsignedshort"
	case int32:
		return "signedint"
	case uint32:
		return "unsignedint"
	case int64, LongLong:
		return "long"
	case float32:
		return "float"
	case float64:
		return "double"
	case Decimal:
		return "decimal"
	case string:
		return "longstr"
	case Binary:
		return "binary"
	case Array:
		return "array"
	case Timestamp:
		return "timestamp"
	case Table:
		return "table"
	default:
		return ""
	}
}
