package conformance_test

import (
	"bytes"
	"fmt"
	"math"
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

// passed shows the properties of a message that has gone through a queue.
func passed(declare kind, p amqp.Publishing) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", nil)
		ch := e.channel()
		e.must(ch.Confirm(false))
		if answer := ch.confirmed("", q, p); answer != "ack" {
			return answer
		}
		return abridge(showProperties(e.await(q, 1)[0]))
	}
}

// abridge writes a character that comes often in a row as "x*255".
func abridge(s string) string {
	var b strings.Builder
	for s != "" {
		rest := strings.TrimLeft(s, s[:1])
		if n := len(s) - len(rest); n < 20 {
			b.WriteString(s[:n])
		} else {
			fmt.Fprintf(&b, "%s*%d", s[:1], n)
		}
		s = rest
	}
	return b.String()
}

// headed is a message with one header.
func headed(name string, value any) amqp.Publishing {
	return amqp.Publishing{Headers: amqp.Table{name: value}}
}

// nested is a table of this depth.
func nested(depth int) amqp.Table {
	table := amqp.Table{}
	for range depth {
		table = amqp.Table{"in": table}
	}
	return table
}

// properties is what comes out as it went in.
var properties = section{"keep properties", []row{
	{name: "none", want: "none", run: passed(classics, amqp.Publishing{})},
	{
		name: "none, quorum",
		want: "headers={x-delivery-count:0(int64)}",
		on: map[string]string{
			"4": "none",
		},
		run: passed(quorums, amqp.Publishing{}),
	},
	{name: "all", want: `content-type=text/plain content-encoding=gzip delivery-mode=2 priority=7 correlation-id=correlation reply-to=reply expiration=60000 message-id=message timestamp=1700000000 type=type user-id=guest app-id=app headers={a:"b"}`, run: passed(classics, everyProperty)},
	{
		name: "all, quorum",
		want: `content-type=text/plain content-encoding=gzip delivery-mode=2 priority=7 correlation-id=correlation reply-to=reply expiration=60000 message-id=message timestamp=1700000000 type=type user-id=guest app-id=app headers={a:"b", x-delivery-count:0(int64)}`,
		on: map[string]string{
			"4": `content-type=text/plain content-encoding=gzip delivery-mode=2 priority=7 correlation-id=correlation reply-to=reply expiration=60000 message-id=message timestamp=1700000000 type=type user-id=guest app-id=app headers={a:"b"}`,
		},
		run: passed(quorums, everyProperty),
	},
	{name: "every type of header", want: `headers={array:[1(int32), "two", [true], {k:"v"}], bool:true, bytes:"\x00\xff"(bytes), decimal:{2 314}(amqp091.Decimal), float32:1.5(float32), float64:2.5(float64), int16:-16(int16), int32:-32(int32), int64:-64(int64), int8:-8(int8), string:"text", table:{deep:{deeper:[void, 1(int64)]}}, time:time, uint16:60000(uint16), uint32:4000000000(uint32), uint8:200(uint8), void:void}`, run: passed(classics, amqp.Publishing{Headers: everyHeader})},
	{
		name: "every type of header, quorum",
		want: `headers={array:[1(int32), "two", [true], {k:"v"}], bool:true, bytes:"\x00\xff"(bytes), decimal:{2 314}(amqp091.Decimal), float32:1.5(float32), float64:2.5(float64), int16:-16(int16), int32:-32(int32), int64:-64(int64), int8:-8(int8), string:"text", table:{deep:{deeper:[void, 1(int64)]}}, time:time, uint16:60000(uint16), uint32:4000000000(uint32), uint8:200(uint8), void:void, x-delivery-count:0(int64)}`,
		on: map[string]string{
			"4": `headers={array:[1(int32), "two", [true], {k:"v"}], bool:true, bytes:"\x00\xff"(bytes), decimal:{2 314}(amqp091.Decimal), float32:1.5(float32), float64:2.5(float64), int16:-16(int16), int32:-32(int32), int64:-64(int64), int8:-8(int8), string:"text", table:{deep:{deeper:[void, 1(int64)]}}, time:time, uint16:60000(uint16), uint32:4000000000(uint32), uint8:200(uint8), void:void}`,
		},
		run: passed(quorums, amqp.Publishing{Headers: everyHeader}),
	},
	{name: "an empty table in the headers", want: "headers={k:{}}", run: passed(classics, headed("k", amqp.Table{}))},
	{name: "an empty list in the headers", want: "headers={k:[]}", run: passed(classics, headed("k", []any{}))},
	{name: "an empty text in the headers", want: `headers={k:""}`, run: passed(classics, headed("k", ""))},
	{name: "a header without a name", want: `headers={:"v"}`, run: passed(classics, headed("", "v"))},
	{name: "a header with a long name", want: "headers={n*255:true}", run: passed(classics, headed(strings.Repeat("n", 255), true))},
	{name: "tables in tables", want: "headers={in:{in:{in:{in:{in:{in:{in:{in:{in:{in:{in:{in:{}}}}}}}}}}}}}", run: passed(classics, amqp.Publishing{Headers: nested(12)})},
	{
		name: "tables in tables, quorum",
		want: "headers={in:{in:{in:{in:{in:{in:{in:{in:{in:{in:{in:{in:{}}}}}}}}}}}}, x-delivery-count:0(int64)}",
		on: map[string]string{
			"4": "headers={in:{in:{in:{in:{in:{in:{in:{in:{in:{in:{in:{in:{}}}}}}}}}}}}}",
		},
		run: passed(quorums, amqp.Publishing{Headers: nested(12)}),
	},
	{name: "text that is no UTF-8", want: `headers={k:"\xff\xfe"}`, run: passed(classics, headed("k", "\xff\xfe"))},
	{name: "the least and the greatest numbers", want: "headers={float32:3.4028235e+38(float32), float64:5e-324(float64), int16:-32768(int16), int32:-2147483648(int32), int64:-9223372036854775808(int64), int8:-128(int8), minus:-0(float64), more:9223372036854775807(int64), uint16:65535(uint16), uint32:4294967295(uint32), uint8:255(uint8)}", run: passed(classics, amqp.Publishing{Headers: amqp.Table{
		"int8": int8(math.MinInt8), "uint8": uint8(math.MaxUint8), "int16": int16(math.MinInt16), "uint16": uint16(math.MaxUint16),
		"int32": int32(math.MinInt32), "uint32": uint32(math.MaxUint32), "int64": int64(math.MinInt64), "more": int64(math.MaxInt64),
		"float32": float32(math.MaxFloat32), "float64": math.SmallestNonzeroFloat64, "minus": math.Copysign(0, -1),
	}})},
	{name: "an infinite number", want: "connection 541 INTERNAL_ERROR", run: passed(classics, headed("k", math.Inf(1)))},
	{name: "no number", want: "connection 541 INTERNAL_ERROR", run: passed(quorums, headed("k", math.NaN()))},
	{name: "a negative decimal", want: "headers={k:{3 -5}(amqp091.Decimal)}", run: passed(classics, headed("k", amqp.Decimal{Scale: 3, Value: -5}))},
	{name: "a header of 40 kB", want: "40000", run: func(e *env) string {
		q := e.classic("q", nil)
		e.publish("", q, headed("k", strings.Repeat("x", 40_000)))
		text, _ := e.await(q, 1)[0].Headers["k"].(string)
		return fmt.Sprint(len(text))
	}},
	{name: "priority 255", want: "priority=255", run: passed(classics, amqp.Publishing{Priority: 255})},
	{
		name: "delivery mode 3",
		want: "channel 406 PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,3}",
		on: map[string]string{
			"4": "delivery-mode=3",
		},
		run: passed(classics, amqp.Publishing{DeliveryMode: 3}),
	},
	{
		name: "delivery mode 3, quorum",
		want: "channel 406 PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,3}",
		on: map[string]string{
			"4": "delivery-mode=3",
		},
		run: passed(quorums, amqp.Publishing{DeliveryMode: 3}),
	},
	{
		name: "delivery mode 1, quorum",
		want: "delivery-mode=1 headers={x-delivery-count:0(int64)}",
		on: map[string]string{
			"4": "delivery-mode=1",
		},
		run: passed(quorums, amqp.Publishing{DeliveryMode: 1}),
	},
	{name: "long texts", want: "correlation-id=c*255 message-id=m*255 type=t*255", run: passed(classics, amqp.Publishing{
		MessageId: strings.Repeat("m", 255), CorrelationId: strings.Repeat("c", 255), Type: strings.Repeat("t", 255),
	})},
	{name: "another user", want: "channel 406 PRECONDITION_FAILED - user_id property set to 'foo' but authenticated user was 'guest'", run: passed(classics, amqp.Publishing{UserId: "foo"})},
	{name: "an expiration that is no number", want: "channel 406 PRECONDITION_FAILED - invalid expiration 'abc': no_integer", run: passed(classics, amqp.Publishing{Expiration: "abc"})},
	{
		name: "an expiration with a plus",
		want: "expiration=+60000",
		on: map[string]string{
			"4": "expiration=60000",
		},
		run: passed(classics, amqp.Publishing{Expiration: "+60000"}),
	},
	{name: "an expiration with blanks", want: "channel 406 PRECONDITION_FAILED - invalid expiration ' 60000': no_integer", run: passed(classics, amqp.Publishing{Expiration: " 60000"})},
	{name: "a negative expiration", want: "channel 406 PRECONDITION_FAILED - invalid expiration '-1': {value_negative,-1}", run: passed(classics, amqp.Publishing{Expiration: "-1"})},
	{name: "an expiration with a fraction", want: `channel 406 PRECONDITION_FAILED - invalid expiration '1.5': {leftover_string,".5"}`, run: passed(classics, amqp.Publishing{Expiration: "1.5"})},
	{name: "an expiration of 50 days", want: "expiration=4294967296", run: passed(classics, amqp.Publishing{Expiration: "4294967296"})},
	{name: "an expiration beyond all", want: `channel 406 PRECONDITION_FAILED - invalid expiration '99999999999999999999': {value_too_large,\n                                            99999999999999999999}`, run: passed(classics, amqp.Publishing{Expiration: "99999999999999999999"})},
	{name: "the longest expiration", want: "expiration=315360000000", run: passed(classics, amqp.Publishing{Expiration: "315360000000"})},
	{name: "one more than the longest expiration", want: "channel 406 PRECONDITION_FAILED - invalid expiration '315360000001': {value_too_large,315360000001}", run: passed(classics, amqp.Publishing{Expiration: "315360000001"})},
	{
		name: "the exchange and the key",
		want: `body=x redelivered=false exchange="amq.topic" rk=".k x 100"`,
		run: func(e *env) string {
			q := e.classic("q", nil)
			key := e.token + strings.Repeat(".k", 100)
			e.must(e.channel().bind(q, "amq.topic", e.token+".#", nil))
			e.put("amq.topic", key, "x")
			return strings.ReplaceAll(e.comes(q), strings.Repeat(".k", 100), ".k x 100")
		},
	},
}}

// sized shows whether bodies of these sizes come out as they went in.
func sized(declare kind, sizes ...int) func(e *env) string {
	return func(e *env) string {
		q := declare(e, "q", nil)
		var seen []string
		for _, size := range sizes {
			body := make([]byte, size)
			for i := range body {
				body[i] = byte(i % 251)
			}
			e.publish("", q, amqp.Publishing{Body: body})
			d := e.await(q, 1)[0]
			seen = append(seen, fmt.Sprintf("%d %t", len(d.Body), bytes.Equal(d.Body, body)))
		}
		return strings.Join(seen, ", ")
	}
}

// bodies is what comes out as it went in, in as many frames as it takes.
var bodies = section{"keep bodies", []row{
	{name: "small", want: "0 true, 1 true, 2 true", run: sized(classics, 0, 1, 2)},
	{name: "small, quorum", want: "0 true, 1 true, 2 true", run: sized(quorums, 0, 1, 2)},
	{name: "about a frame", want: "131063 true, 131064 true, 131065 true, 131072 true", run: sized(classics, 131072-9, 131072-8, 131072-7, 131072)},
	{name: "about a frame, quorum", want: "131063 true, 131064 true, 131065 true, 131072 true", run: sized(quorums, 131072-9, 131072-8, 131072-7, 131072)},
	{name: "about two frames", want: "262127 true, 262128 true, 262129 true", run: sized(classics, 2*(131072-8)-1, 2*(131072-8), 2*(131072-8)+1)},
	{name: "many frames", want: "3000000 true", run: sized(classics, 3_000_000)},
	{
		name: "in frames of 8 kB",
		want: "true",
		run: func(e *env) string {
			conn, err := e.dial(amqp.Config{FrameSize: 8192})
			e.must(err)
			e.conns = append(e.conns, conn)
			q := e.classic("q", nil)
			ch := e.channelOn(conn)
			body := bytes.Repeat([]byte("x"), 20_000)
			e.must(ch.publish("", q, amqp.Publishing{Body: body}))
			d := ch.hold(q, 1)[0]
			return fmt.Sprint(bytes.Equal(d.Body, body))
		},
	},
	{
		name: "of all sizes, in order",
		want: "0,200000,1,131064,0,50000,131065,3",
		run: func(e *env) string {
			q := e.classic("q", nil)
			publisher := e.channel()
			deliveries := e.channel().consume(q, "", nil)
			sizes := []int{0, 200_000, 1, 131_064, 0, 50_000, 131_065, 3}
			for _, size := range sizes {
				e.must(publisher.publish("", q, amqp.Publishing{Body: make([]byte, size)}))
			}
			var seen []string
			for range sizes {
				seen = append(seen, fmt.Sprint(len(e.next(deliveries).Body)))
			}
			return strings.Join(seen, ",")
		},
	},
}}
