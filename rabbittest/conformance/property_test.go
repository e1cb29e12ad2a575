package conformance_test

import (
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// everyProperty is a message with all properties that a client may set.
var everyProperty = amqp.Publishing{
	Headers:         amqp.Table{"a": "b"},
	ContentType:     "text/plain",
	ContentEncoding: "gzip",
	DeliveryMode:    amqp.Persistent,
	Priority:        7,
	CorrelationId:   "correlation",
	ReplyTo:         "reply",
	Expiration:      "60000",
	MessageId:       "message",
	Timestamp:       time.Unix(1700000000, 0),
	Type:            "type",
	UserId:          "guest",
	AppId:           "app",
	Body:            []byte("x"),
}

// everyHeader has a field of each type that the client library can write.
var everyHeader = amqp.Table{
	"bool": true, "int8": int8(-8), "uint8": byte(200), "int16": int16(-16), "uint16": uint16(60000),
	"int32": int32(-32), "uint32": uint32(4000000000), "int64": int64(-64), "float32": float32(1.5), "float64": 2.5,
	"decimal": amqp.Decimal{Scale: 2, Value: 314}, "string": "text", "bytes": []byte{0, 255},
	"time": time.Unix(1700000000, 0), "void": nil,
	"array": []any{int32(1), "two", []any{true}, amqp.Table{"k": "v"}},
	"table": amqp.Table{"deep": amqp.Table{"deeper": []any{nil, int64(1)}}},
}

// showProperties is what a delivery's properties are, the headers last.
func showProperties(d amqp.Delivery) string {
	var set []string
	text := func(name, value string) {
		if value != "" {
			set = append(set, name+"="+value)
		}
	}
	number := func(name string, value int64) {
		if value != 0 {
			set = append(set, fmt.Sprintf("%s=%d", name, value))
		}
	}
	text("content-type", d.ContentType)
	text("content-encoding", d.ContentEncoding)
	number("delivery-mode", int64(d.DeliveryMode))
	number("priority", int64(d.Priority))
	text("correlation-id", d.CorrelationId)
	text("reply-to", d.ReplyTo)
	text("expiration", d.Expiration)
	text("message-id", d.MessageId)
	if !d.Timestamp.IsZero() {
		number("timestamp", d.Timestamp.Unix())
	}
	text("type", d.Type)
	text("user-id", d.UserId)
	text("app-id", d.AppId)
	if d.Headers != nil {
		set = append(set, "headers="+showHeaders(d.Headers))
	}
	if set == nil {
		return "none"
	}
	return strings.Join(set, " ")
}
