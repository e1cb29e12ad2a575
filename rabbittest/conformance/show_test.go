package conformance_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// list is deliveries in short: their bodies, with (r) where one was redelivered, or "none".
func list(deliveries []amqp.Delivery) string {
	if len(deliveries) == 0 {
		return "none"
	}
	short := make([]string, len(deliveries))
	for i, d := range deliveries {
		short[i] = string(d.Body)
		if d.Redelivered {
			short[i] += "(r)"
		}
	}
	return strings.Join(short, ",")
}

// show is a delivery, without the properties that headers are not.
func show(d amqp.Delivery) string {
	s := fmt.Sprintf("body=%s redelivered=%t exchange=%q rk=%q", d.Body, d.Redelivered, d.Exchange, d.RoutingKey)
	if d.Headers != nil {
		s += " headers=" + showHeaders(d.Headers)
	}
	return s
}

// showHeaders is a message's headers, by name. The death of a message is written in short:
// D(reason,queue,ex="exchange",rks=["key"],n=count) is an entry of x-death, and FIRST(reason,queue,exchange) and
// LAST(…) are three headers each.
func showHeaders(headers amqp.Table) string {
	rest := maps.Clone(headers)
	deaths, _ := rest["x-death"].([]any)
	delete(rest, "x-death")
	first, last := ends(rest, "first"), ends(rest, "last")
	fields := showFields(rest)
	if deaths != nil {
		entries := make([]string, len(deaths))
		for i, entry := range deaths {
			entries[i] = showDeath(entry)
		}
		fields = append(fields, "x-death:["+strings.Join(entries, ", ")+"]")
	}
	s := "{" + strings.Join(fields, ", ") + "}"
	for _, end := range []string{first, last} {
		if end != "" {
			s += " + " + end
		}
	}
	return s
}

// ends takes x-first-death-* or x-last-death-* out of headers, if all three are there.
func ends(headers amqp.Table, which string) string {
	prefix := "x-" + which + "-death-"
	reason, ok := headers[prefix+"reason"].(string)
	queue, ok2 := headers[prefix+"queue"].(string)
	exchange, ok3 := headers[prefix+"exchange"].(string)
	if !ok || !ok2 || !ok3 {
		return ""
	}
	for _, name := range []string{"reason", "queue", "exchange"} {
		delete(headers, prefix+name)
	}
	return fmt.Sprintf("%s(%s,%s,%q)", strings.ToUpper(which), reason, queue, exchange)
}

// showDeath is one entry of x-death. Fields that are missing, of another type or new are shown as they are.
func showDeath(entry any) string {
	table, ok := entry.(amqp.Table)
	if !ok {
		return showValue(entry)
	}
	rest := maps.Clone(table)
	reason, ok := rest["reason"].(string)
	queue, ok2 := rest["queue"].(string)
	exchange, ok3 := rest["exchange"].(string)
	keys, ok4 := rest["routing-keys"].([]any)
	count, ok5 := rest["count"].(int64)
	_, ok6 := rest["time"].(time.Time)
	if !ok || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 {
		return showValue(entry)
	}
	for _, name := range []string{"reason", "queue", "exchange", "routing-keys", "count", "time"} {
		delete(rest, name)
	}
	s := fmt.Sprintf("D(%s,%s,ex=%q,rks=%s,n=%d", reason, queue, exchange, showValue(keys), count)
	if original, ok := rest["original-expiration"].(string); ok {
		delete(rest, "original-expiration")
		s += ",orig-exp=" + original
	}
	for _, field := range showFields(rest) {
		s += "," + field
	}
	return s + ")"
}

// showFields is a table's fields, by name.
func showFields(table amqp.Table) []string {
	fields := make([]string, 0, len(table))
	for _, name := range slices.Sorted(maps.Keys(table)) {
		fields = append(fields, name+":"+showValue(table[name]))
	}
	return fields
}

// showValue is a field's value, with its type where the value does not tell it: 1(int64), "text", true.
func showValue(value any) string {
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case bool:
		return fmt.Sprint(v)
	case nil:
		return "void"
	case []byte:
		return fmt.Sprintf("%q(bytes)", v)
	case time.Time: // whole seconds, of which the row does not know which
		return "time"
	case amqp.Table:
		return "{" + strings.Join(showFields(v), ", ") + "}"
	case []any:
		values := make([]string, len(v))
		for i, value := range v {
			values[i] = showValue(value)
		}
		return "[" + strings.Join(values, ", ") + "]"
	default:
		return fmt.Sprintf("%v(%T)", v, v)
	}
}
