package confirm_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/confirm"
)

// nested are headers with n tables or arrays within one another.
func nested(n int) []amqp.Table {
	inTables, inArrays, inTurn := any("end"), any("end"), any("end")
	for i := range n {
		inTables, inArrays = amqp.Table{"a": inTables}, []any{inArrays}
		if i%2 == 0 {
			inTurn = amqp.Table{"a": inTurn}
		} else {
			inTurn = []any{inTurn}
		}
	}
	return []amqp.Table{{"k": inTables}, {"k": inArrays}, {"k": inTurn}}
}

// What this client cannot read ends the connection of whoever gets it. So what is sent can be read, as deep as it is.
func TestWhatIsSentCanBeRead(t *testing.T) {
	const deepest = 32
	for _, headers := range nested(deepest + 1) {
		m := confirm.Message{Publishing: amqp.Publishing{Headers: headers}}
		if err := m.Check(131072); !errors.Is(err, confirm.ErrHeader) {
			t.Errorf("%v: %v", headers, err)
		}
		if _, err := confirm.Table(headers); !errors.Is(err, confirm.ErrHeader) {
			t.Errorf("%v: %v", headers, err)
		}
	}
	for _, number := range []any{math.NaN(), math.Inf(1), math.Inf(-1), float32(math.NaN()), float32(math.Inf(1))} {
		for _, v := range []any{number, []any{1.5, number}, amqp.Table{"a": number}} {
			m := confirm.Message{Publishing: amqp.Publishing{Headers: amqp.Table{"k": v}}}
			if err := m.Check(131072); !errors.Is(err, confirm.ErrHeader) {
				t.Errorf("%v: %v", v, err)
			}
		}
	}
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		r := start(t, b, 8)
		queue := newQueue(t, b, nil)
		list := append(nested(deepest), amqp.Table{strings.Repeat("x", 255): "a long name"})
		for _, headers := range list {
			table, err := confirm.Table(headers)
			must(t, err)
			m := message(queue, "1")
			m.Headers = table
			must(t, r.Send(soon(t), m))
		}
		ch := raw(t, b)
		for _, headers := range list {
			d, ok, err := ch.Get(queue, true)
			must(t, err)
			if !ok || !reflect.DeepEqual(d.Headers, headers) {
				t.Errorf("%v arrives as %v", headers, d.Headers)
			}
		}
	})
}

func TestPlain(t *testing.T) {
	got := confirm.Plain(amqp.Table{"a": int64(1), "b": []any{amqp.Table{"c": []any{"d"}}, "e"}, "f": amqp.Table{"g": nil}})
	want := map[string]any{"a": int64(1), "b": []any{map[string]any{"c": []any{"d"}}, "e"}, "f": map[string]any{"g": nil}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%#v", got)
	}
}
