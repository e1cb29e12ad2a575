package rabbittest

import (
	"fmt"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// wireValue turns a Go value into one of a field table.
func wireValue(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool, int8, uint8, int16, uint16, int32, uint32, int64, float32, float64, string, wire.Decimal:
		return v, nil
	case int:
		return int64(v), nil
	case []byte:
		return wire.Binary(v), nil
	case time.Time:
		return wire.Timestamp(v.Unix()), nil
	case time.Duration:
		return nil, fmt.Errorf("a header cannot be a %T: AMQP has no type for it", v)
	case map[string]any:
		return wireTable(v)
	case []string:
		list := make(wire.Array, len(v))
		for i := range v {
			list[i] = v[i]
		}
		return list, nil
	case []any:
		list := make(wire.Array, len(v))
		for i := range v {
			item, err := wireValue(v[i])
			if err != nil {
				return nil, err
			}
			list[i] = item
		}
		return list, nil
	}
	return nil, fmt.Errorf("a header cannot be a %T: AMQP has no type for it", v)
}
