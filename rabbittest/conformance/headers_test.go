package conformance_test

import (
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// matches binds a queue to a headers exchange with each of these arguments, publishes a message with these headers, and
// says which of the queues have it.
func matches(headers amqp.Table, bindings ...amqp.Table) func(e *env) string {
	return func(e *env) string {
		x, ch := e.exchange("x"), e.channel()
		e.must(ch.exchange(x, "headers", durable, nil))
		for i, args := range bindings {
			q := e.queue(fmt.Sprintf("q%d", i))
			e.must(ch.declare(q, durable, nil))
			e.must(ch.bind(q, x, fmt.Sprintf("ignored%d", i), args))
		}
		e.publish(x, "k", amqp.Publishing{Headers: headers})
		var seen []string
		for i := range bindings {
			_, ok, err := ch.Get(e.name(fmt.Sprintf("q%d", i)), true)
			e.must(err)
			seen = append(seen, fmt.Sprint(ok))
		}
		return strings.Join(seen, " ")
	}
}

// same binds a queue to a headers exchange by a field of one value, publishes one with another, and says whether they
// are the same to the broker.
func same(bound, sent any) func(e *env) string {
	return matches(amqp.Table{"a": sent}, amqp.Table{"x-match": "all", "a": bound})
}

// headers is the headers exchange.
var headers = section{"route by headers", []row{
	{name: "all and any", want: "false true", run: matches(arguments("a", int32(1)), arguments("x-match", "all", "a", int32(1), "b", "x"), arguments("x-match", "any", "a", int32(1), "b", "x"))},
	{name: "all and any, both there", want: "true true", run: matches(arguments("a", int32(1), "b", "x", "c", "y"), arguments("x-match", "all", "a", int32(1), "b", "x"), arguments("x-match", "any", "a", int32(1), "b", "x"))},
	{name: "all and any, none there", want: "false false", run: matches(arguments("c", "y"), arguments("x-match", "all", "a", int32(1)), arguments("x-match", "any", "a", int32(1)))},
	{name: "all and any, no headers", want: "false false true false true", run: matches(nil, arguments("x-match", "all", "a", int32(1)), arguments("x-match", "any", "a", int32(1)), arguments("x-match", "all"), arguments("x-match", "any"), nil)},
	{name: "bound with nothing", want: "true false true false true", run: matches(arguments("a", int32(1)), arguments("x-match", "all"), arguments("x-match", "any"), nil, arguments("x-match", "any-with-x"), arguments("x-match", "all-with-x"))},
	{name: "no x-match is all", want: "true false", run: matches(arguments("a", int32(1)), arguments("a", int32(1)), arguments("a", int32(1), "b", int32(2)))},
	{name: "fields of x- count only with-x", want: "true false true false true false true", run: matches(arguments("a", "1", "x-b", "2"),
		arguments("x-match", "all", "a", "1", "x-b", "other"),
		arguments("x-match", "all-with-x", "a", "1", "x-b", "other"),
		arguments("x-match", "all-with-x", "a", "1", "x-b", "2"),
		arguments("x-match", "any", "a", "other", "x-b", "2"),
		arguments("x-match", "any-with-x", "a", "other", "x-b", "2"),
		arguments("x-match", "any", "x-b", "2"),
		arguments("x-match", "all", "x-b", "other"))},
	{name: "a message with a header x-match", want: "true false", run: matches(arguments("x-match", "any", "a", "1"), arguments("x-match", "any", "a", "1"), arguments("x-match", "any-with-x", "x-match", "any-with-x"))},
	{name: "the routing key does not matter", want: "true", run: matches(arguments("a", "1"), arguments("a", "1"))},
	{name: "names are compared with capitals", want: "false true", run: matches(arguments("A", "1"), arguments("a", "1"), arguments("A", "1"))},
	{name: "void matches any value", want: "true false true", run: matches(arguments("a", int32(1)), arguments("a", nil), arguments("b", nil), arguments("x-match", "any", "a", nil, "b", nil))},
	{name: "a message's void", want: "true false", run: matches(arguments("a", nil), arguments("a", nil), arguments("a", "1"))},
	{name: "int32 and int64", want: "true", run: same(int32(1), int64(1))},
	{name: "int16 and int32", want: "true", run: same(int16(1), int32(1))},
	{name: "int8 and uint8", want: "true", run: same(int8(1), uint8(1))},
	{name: "int32 and another", want: "false", run: same(int32(1), int32(2))},
	{name: "a string and a string", want: "true", run: same("a", "a")},
	{name: "a string and bytes", want: "true", run: same("a", []byte("a"))},
	{name: "bytes and bytes", want: "true", run: same([]byte("a"), []byte("a"))},
	{name: "a string and a number", want: "false", run: same("1", int32(1))},
	{name: "true and true", want: "true", run: same(true, true)},
	{name: "true and false", want: "false", run: same(true, false)},
	{name: "true and a string", want: "false", run: same(true, "true")},
	{name: "a float and a double", want: "true", run: same(float32(1), float64(1))},
	{name: "a double and a double", want: "true", run: same(float64(1.5), float64(1.5))},
	{name: "a double and a number", want: "true", on: map[string]string{"4": "false"}, run: same(float64(1), int32(1))},
	{name: "a table and a table", want: "true", run: same(amqp.Table{"b": "1"}, amqp.Table{"b": "1"})},
	{name: "a table and another", want: "false", run: same(amqp.Table{"b": "1"}, amqp.Table{"b": "2"})},
	{name: "an array and an array", want: "true", run: same([]any{"b", int32(1)}, []any{"b", int32(1)})},
	{name: "an array and another", want: "false", run: same([]any{"b", int32(1)}, []any{int32(1), "b"})},
	{name: "a decimal and a decimal", want: "true", run: same(amqp.Decimal{Scale: 1, Value: 2}, amqp.Decimal{Scale: 1, Value: 2})},
	{name: "decimals of one value and two scales", want: "false", run: same(amqp.Decimal{Scale: 1, Value: 10}, amqp.Decimal{Scale: 2, Value: 100})},
	{name: "two bindings of one queue", want: "0,1,2", run: func(e *env) string {
		x, q, ch := e.exchange("x"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "headers", durable, nil))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, x, "", arguments("a", "1")))
		e.must(ch.bind(q, x, "", arguments("b", "1")))
		for i, h := range []amqp.Table{{"a": "1"}, {"b": "1"}, {"a": "1", "b": "1"}, {"c": "1"}} {
			e.publish(x, "", amqp.Publishing{Headers: h, Body: []byte(fmt.Sprint(i))})
		}
		return e.drain(q)
	}},
	{name: "bound to another exchange", want: "1", run: func(e *env) string {
		x, y, q, ch := e.exchange("x"), e.exchange("y"), e.queue("q"), e.channel()
		e.must(ch.exchange(x, "headers", durable, nil))
		e.must(ch.exchange(y, "fanout", durable, nil))
		e.must(ch.ExchangeBind(y, "", x, false, arguments("x-match", "any", "a", "1")))
		e.must(ch.declare(q, durable, nil))
		e.must(ch.bind(q, y, "", nil))
		e.publish(x, "", amqp.Publishing{Headers: arguments("a", "1"), Body: []byte("1")})
		e.publish(x, "", amqp.Publishing{Headers: arguments("a", "2"), Body: []byte("2")})
		return e.drain(q)
	}},
}}
