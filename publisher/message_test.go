package publisher_test

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/publisher"
)

type order struct {
	ID    string `json:"id"`
	Cents int    `json:"cents"`
}

func TestPublishSetsWhatEveryMessageNeeds(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{AppID: "shop"})
		before := time.Now().Truncate(time.Second)
		must(t, p.Publish(t.Context(), queue, order{"7", 1200}))
		m := take1(t, queue)
		if string(m.Body) != `{"id":"7","cents":1200}` || m.ContentType != "application/json" {
			t.Errorf("the body is %s of type %s", m.Body, m.ContentType)
		}
		if m.DeliveryMode != amqp.Persistent {
			t.Error("it is not persistent")
		}
		if m.Timestamp.Before(before) || m.Timestamp.After(time.Now()) {
			t.Errorf("the timestamp is %v", m.Timestamp)
		}
		if !uuid7.MatchString(m.MessageId) {
			t.Errorf("the id is %q", m.MessageId)
		}
		if m.AppId != "shop" || m.Exchange != "" || m.RoutingKey != queue {
			t.Errorf("got app id %q, exchange %q, key %q", m.AppId, m.Exchange, m.RoutingKey)
		}
		if len(m.Headers) != 0 || m.Expiration != "" || m.Priority != 0 || m.UserId != "" {
			t.Errorf("something that nobody gave: %+v", m)
		}
	})
}

func TestSendSetsWhatItIsGiven(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{})
		sent := publisher.Message{
			Body: []byte("<order/>"), Key: queue,
			ID: "order-7", CorrelationID: "c-1", Type: "order.new", ReplyTo: "answers",
			ContentType: "application/xml", ContentEncoding: "identity", AppID: "shop", UserID: "guest",
			Expiration: time.Hour, Priority: 9, Timestamp: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC),
		}
		must(t, p.Send(t.Context(), sent))
		m := take1(t, queue)
		got := publisher.Message{
			Body: m.Body, Key: m.RoutingKey,
			ID: m.MessageId, CorrelationID: m.CorrelationId, Type: m.Type, ReplyTo: m.ReplyTo,
			ContentType: m.ContentType, ContentEncoding: m.ContentEncoding, AppID: m.AppId, UserID: m.UserId,
			Priority: m.Priority, Timestamp: m.Timestamp.UTC(),
		}
		if m.Expiration == "3600000" {
			got.Expiration = time.Hour
		}
		if !reflect.DeepEqual(got, sent) {
			t.Errorf("got  %+v\nwant %+v", got, sent)
		}
	})
}

func TestSendToAnExchange(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		must(t, raw(t).QueueBind(queue, "order.*", "amq.topic", false, nil))
		p := start(t, publisher.Config{})
		must(t, p.Send(t.Context(), publisher.Message{Exchange: "amq.topic", Key: "order.new", Body: 1}))
		if m := take1(t, queue); m.Exchange != "amq.topic" || m.RoutingKey != "order.new" {
			t.Errorf("got %+v", m)
		}
	})
}

func TestTheExpirationIsRoundedUpToMilliseconds(t *testing.T) {
	onBoth(t, func(t on) {
		queue, expired := rabbitmq.Name(t, "publisher"), newQueue(t)
		declare(t, queue, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": expired})
		p := start(t, publisher.Config{})
		for given, want := range map[time.Duration]string{
			time.Nanosecond:           "1",
			time.Millisecond:          "1",
			time.Millisecond + 1:      "2",
			1500 * time.Millisecond:   "1500",
			10 * 365 * 24 * time.Hour: "315360000000",
		} {
			must(t, p.Send(t.Context(), publisher.Message{Key: queue, Body: 1, Expiration: given}))
			var got any
			if given > time.Second {
				got = take1(t, queue).Expiration
			} else {
				death := wait1(t, expired).Headers["x-death"].([]any)[0].(amqp.Table)
				got = death["original-expiration"]
			}
			if got != want {
				t.Errorf("%v is sent as %q, want %q", given, got, want)
			}
		}
	})
}

// named is a Go type that the broker would not know.
type named []byte

func TestTheDefaultCodecIsThatOfPackageCodec(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{})
		text := "text"
		var nothing *order
		for name, c := range map[string]struct {
			body any
			want codec.Codec
		}{
			"bytes":           {[]byte("x"), codec.Default[[]byte]()},
			"no bytes":        {[]byte(nil), codec.Default[[]byte]()},
			"named bytes":     {named("x"), codec.Default[named]()},
			"json.RawMessage": {json.RawMessage("{}"), codec.Default[json.RawMessage]()},
			"an address":      {net.IPv4(127, 0, 0, 1), codec.Default[net.IP]()},
			"string":          {text, codec.Default[string]()},
			"pointer":         {&text, codec.Default[*string]()},
			"number":          {7, codec.Default[int]()},
			"struct":          {order{ID: "7"}, codec.Default[order]()},
			"nil":             {nil, codec.Default[any]()},
			"nil pointer":     {nothing, codec.Default[*order]()},
			"list":            {[]int{1}, codec.Default[[]int]()},
		} {
			must(t, p.Publish(t.Context(), queue, c.body))
			m := take1(t, queue)
			body, err := c.want.Encode(c.body)
			must(t, err)
			if m.ContentType != c.want.ContentType() || string(m.Body) != string(body) {
				t.Errorf("%s: got %q as %s, want %q as %s", name, m.Body, m.ContentType, body, c.want.ContentType())
			}
		}
	})
}

// plain is a codec without a content type.
type plain struct{ codec.Raw }

func (plain) ContentType() string { return "" }

func TestACodecOfOnesOwn(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{Codec: plain{}})
		must(t, p.Publish(t.Context(), queue, "hello"))
		if m := take1(t, queue); string(m.Body) != "hello" || m.ContentType != "application/octet-stream" {
			t.Errorf("got %q as %q", m.Body, m.ContentType)
		}
		err := p.Publish(t.Context(), queue, order{})
		if !errors.Is(err, publisher.ErrEncode) || !strings.Contains(err.Error(), "only []byte") {
			t.Errorf("raw of a struct: %v", err)
		}
	})
}

func TestABodyIsNotKept(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{})
		body := []byte("before")
		headers := map[string]any{"list": []any{"before"}, "bytes": []byte("before")}
		for _, err := range publisher.All(t.Context(), p, queue, func(yield func(publisher.Message) bool) {
			if !yield(publisher.Message{Body: body, Headers: headers}) {
				return
			}
			copy(body, "after!") // the sequence is asked on while the first is in flight
			copy(headers["bytes"].([]byte), "after!")
			headers["list"].([]any)[0] = "after!"
			headers["new"] = 1
		}) {
			must(t, err)
		}
		m := take1(t, queue)
		if string(m.Body) != "before" || len(m.Headers) != 2 || m.Headers["list"].([]any)[0] != "before" ||
			string(m.Headers["bytes"].([]byte)) != "before" {
			t.Errorf("got %s, %v", m.Body, m.Headers)
		}
	})
}

func TestABodyThatIsAMessageIsSentAsOne(t *testing.T) {
	onBoth(t, func(t on) {
		queue, other := newQueue(t), newQueue(t)
		p := start(t, publisher.Config{})
		must(t, p.Publish(t.Context(), queue, publisher.Message{ID: "a", Body: 1}))
		must(t, p.Publish(t.Context(), queue, &publisher.Message{ID: "b", Body: 2}))
		must(t, p.Publish(t.Context(), queue, publisher.Message{ID: "c", Body: 3, Key: other}))
		for i, m := range append(take(t, queue, 2), take1(t, other)) {
			if want := string(rune('a' + i)); m.MessageId != want || string(m.Body) != string(rune('1'+i)) {
				t.Errorf("got %s %s, want %s", m.MessageId, m.Body, want)
			}
		}
		for _, body := range []any{
			(*publisher.Message)(nil),
			publisher.Message{Body: publisher.Message{Body: 1}},
			publisher.Message{Body: &publisher.Message{Body: 1}},
		} {
			if err := p.Publish(t.Context(), queue, body); !errors.Is(err, publisher.ErrEncode) {
				t.Errorf("%#v: %v", body, err)
			}
		}
	})
}

func TestHeadersArriveInTypesThatAllCanRead(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{})
		at := time.Date(2026, 7, 1, 12, 0, 0, 999, time.UTC)
		given := map[string]any{
			"nil": nil, "bool": true, "text": "t", "bytes": []byte{1}, "time": at,
			"int": int(-1), "int8": int8(-8), "int16": int16(-16), "int32": int32(-32), "int64": int64(math.MinInt64),
			"uint": uint(1), "uint8": uint8(255), "uint16": uint16(65535), "uint32": uint32(math.MaxUint32),
			"uint64": uint64(math.MaxInt64), "float32": float32(1.5), "float64": 2.5,
			"decimal": amqp.Decimal{Scale: 2, Value: 314},
			"list":    []any{1, "a", []string{"b"}}, "texts": []string{"a", "b"},
			"map": map[string]any{"n": 1, "m": map[string]string{"a": "b"}}, "table": amqp.Table{"n": uint8(1)},
			"x-mine": "stays", "x-delay": 5, "Warren-Attempt": "is not ours",
		}
		want := amqp.Table{
			"nil": nil, "bool": true, "text": "t", "bytes": []byte{1}, "time": at.Truncate(time.Second),
			"int": int64(-1), "int8": int8(-8), "int16": int16(-16), "int32": int32(-32), "int64": int64(math.MinInt64),
			"uint": int64(1), "uint8": int64(255), "uint16": int64(65535), "uint32": int64(math.MaxUint32),
			"uint64": int64(math.MaxInt64), "float32": float32(1.5), "float64": 2.5,
			"decimal": amqp.Decimal{Scale: 2, Value: 314},
			"list":    []any{int64(1), "a", []any{"b"}}, "texts": []any{"a", "b"},
			"map": amqp.Table{"n": int64(1), "m": amqp.Table{"a": "b"}}, "table": amqp.Table{"n": int64(1)},
			"x-mine": "stays", "x-delay": int64(5), "Warren-Attempt": "is not ours",
		}
		unchanged := maps.Clone(given)
		must(t, p.Send(t.Context(), publisher.Message{Key: queue, Headers: given}))
		got := take1(t, queue).Headers
		got["time"] = got["time"].(time.Time).UTC()
		for name, v := range want {
			// A small integer may come back smaller; the value is what counts.
			if !reflect.DeepEqual(got[name], v) {
				t.Errorf("%s: got %T %v, want %T %v", name, got[name], got[name], v, v)
			}
		}
		if len(got) != len(want) {
			t.Errorf("got %d headers, want %d: %v", len(got), len(want), got)
		}
		if !reflect.DeepEqual(given, unchanged) {
			t.Error("the caller's headers were changed")
		}
	})
}

func TestHeadersOfWarrenAndOfTheBrokerAreLeftOut(t *testing.T) {
	onBoth(t, func(t on) {
		queue := newQueue(t)
		p := start(t, publisher.Config{})
		headers := map[string]any{
			"warren-attempt": 3, "warren-queue": queue, "warren-anything": func() {},
			"x-death": []any{"a", 4}, "x-first-death-reason": "expired", "x-first-death-queue": "q", "x-first-death-exchange": "e",
			"x-last-death-reason": "expired", "x-last-death-queue": "q", "x-last-death-exchange": "e",
			"x-delivery-count": 77, "x-acquired-count": 77,
			"kept": "yes",
		}
		unchanged := len(headers)
		must(t, p.Send(t.Context(), publisher.Message{Key: queue, Headers: headers}))
		if got := take1(t, queue).Headers; !reflect.DeepEqual(got, amqp.Table{"kept": "yes"}) {
			t.Errorf("got %v", got)
		}
		if len(headers) != unchanged {
			t.Error("the caller's headers were changed")
		}
	})
}
