package consumer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/retry"
)

// produced is a message that a producer of another language has sent, as the broker had it, with the AMQP type of each
// header. contract.json has amqplib (Node), rabbitmqadmin, kombu (Python), Bunnicula and Kicks; more.json what amqplib
// 2.3.1, pika 1.2.0, kombu 5.2.4, Bunny 2.19.0 and the Java client 5.0.0 were seen to send with every type they have.
type produced struct {
	Body       string           `json:"body"`
	Headers    map[string]typed `json:"headers"`
	Properties struct {
		ContentType     string `json:"content_type"`
		ContentEncoding string `json:"content_encoding"`
		DeliveryMode    uint8  `json:"delivery_mode"`
		MessageID       string `json:"message_id"`
	} `json:"properties"`
}

// typed is a value with its AMQP type.
type typed struct {
	Type  string          `json:"t"`
	Value json.RawMessage `json:"v"`
}

func (v typed) value(t *testing.T) any {
	t.Helper()
	read := func(to any) { must(t, json.Unmarshal(v.Value, to)) }
	switch v.Type {
	case "V":
		return nil
	case "t":
		var b bool
		read(&b)
		return b
	case "S", "x":
		var s string
		read(&s)
		if v.Type == "x" {
			return []byte(s)
		}
		return s
	case "T":
		var at time.Time
		read(&at)
		return at
	case "D":
		var s string
		read(&s)
		var whole, part int32
		_, err := fmt.Sscanf(s, "%d.%d", &whole, &part)
		must(t, err)
		return amqp.Decimal{Scale: 2, Value: whole*100 + part}
	case "A":
		var items []typed
		read(&items)
		var list []any
		for _, item := range items {
			list = append(list, item.value(t))
		}
		return list
	case "F":
		var m map[string]typed
		read(&m)
		return table(t, m)
	}
	var f float64
	read(&f)
	switch v.Type {
	case "b":
		return int8(f)
	case "s":
		return int16(f)
	case "I":
		return int32(f)
	case "l":
		return int64(f)
	case "d":
		return f
	}
	t.Fatalf("a header of type %q", v.Type)
	return nil
}

func table(t *testing.T, m map[string]typed) amqp.Table {
	t.Helper()
	out := amqp.Table{}
	for name, v := range m {
		out[name] = v.value(t)
	}
	return out
}

// What others publish is handled, put off and handled again as what Warren publishes: without ids, with the content types
// and encodings that they send, and with every header as it came, type by type.
func TestMessagesOfOtherProducers(t *testing.T) {
	t.Parallel()
	type order struct {
		From string `json:"from"`
	}
	onBoth(t, func(t *testing.T, k *kit) {
		seen := make(chan consumer.Message[order], 100)
		run(k, func(_ context.Context, m consumer.Message[order]) consumer.Outcome {
			seen <- m
			if m.Attempt == 1 {
				return consumer.Retry(errBank)
			}
			return consumer.Ack()
		}, consumer.Config{Workers: 1, Retry: retry.Fixed(1, 100*time.Millisecond)})
		for _, file := range []string{"contract.json", "more.json"} {
			text, err := os.ReadFile(filepath.Join("testdata", "producers", file))
			must(t, err)
			var all []produced
			must(t, json.Unmarshal(text, &all))
			if len(all) < 5 {
				t.Errorf("%s has %d messages", file, len(all))
			}
			for _, p := range all {
				headers := table(t, p.Headers)
				must(t, k.channel().Publish("", k.queue, false, false, amqp.Publishing{
					ContentType: p.Properties.ContentType, ContentEncoding: p.Properties.ContentEncoding, DeliveryMode: p.Properties.DeliveryMode,
					MessageId: p.Properties.MessageID, Headers: headers, Body: []byte(p.Body),
				}))
				var want order
				must(t, json.Unmarshal([]byte(p.Body), &want))
				for attempt := 1; attempt <= 2; attempt++ {
					m := receive(t, fmt.Sprintf("%s, attempt %d", p.Body, attempt), seen)
					if m.Attempt != attempt || m.Body != want || m.ContentType != p.Properties.ContentType || string(m.Raw) != p.Body {
						t.Errorf("%s, attempt %d: %+v", p.Body, attempt, m)
					}
					if attempt == 1 && m.ID != p.Properties.MessageID || attempt == 2 && (m.ID == "" || p.Properties.MessageID != "" && m.ID != p.Properties.MessageID) {
						t.Errorf("%s, attempt %d: the id is %q", p.Body, attempt, m.ID)
					}
					for name, v := range headers {
						if got := m.Headers[name]; !sameHeader(got, v) {
							t.Errorf("%s, attempt %d: %s is %T %v, want %T %v", p.Body, attempt, name, got, got, v, v)
						}
					}
				}
			}
		}
	})
}

// sameHeader compares values with their types, but for the client library's own type of tables.
func sameHeader(a, b any) bool {
	plain := func(v any) any {
		switch v := v.(type) {
		case amqp.Table:
			return map[string]any(v)
		case time.Time:
			return v.Unix()
		case float64:
			return math.Float64bits(v)
		}
		return v
	}
	a, b = plain(a), plain(b)
	if x, ok := a.([]any); ok {
		y, _ := b.([]any)
		if len(x) != len(y) {
			return false
		}
		for i := range x {
			if !sameHeader(x[i], y[i]) {
				return false
			}
		}
		return true
	}
	if x, ok := a.(map[string]any); ok {
		y, _ := b.(map[string]any)
		if len(x) != len(y) {
			return false
		}
		for name := range x {
			if !sameHeader(x[name], y[name]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}
