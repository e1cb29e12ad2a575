package wire_test

import (
	"net"
	"reflect"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// server plays the broker's part of a conversation with the real client.
type server struct {
	*testing.T
	conn net.Conn
	r    *wire.Reader
}

func (s *server) send(channel uint16, m wire.Method) {
	b := wire.AppendFrame(nil, wire.Frame{Type: wire.FrameMethod, Channel: channel, Payload: wire.AppendMethod(nil, m)})
	if _, err := s.conn.Write(b); err != nil {
		s.Error(err)
	}
}

func (s *server) frame(kind byte) []byte {
	f, err := s.r.ReadFrame()
	if err != nil || f.Type != kind {
		s.Errorf("a frame of type %d, not %d: %v", f.Type, kind, err)
	}
	return f.Payload
}

func (s *server) method() wire.Method {
	m, err := wire.ParseMethod(s.frame(wire.FrameMethod))
	if err != nil {
		s.Error(err)
	}
	return m
}

func (s *server) expect(want wire.Method) {
	if got := s.method(); !reflect.DeepEqual(got, want) {
		s.Errorf("the client said %s %+v, not %+v", wire.Name(got), got, want)
	}
}

// The real client's bytes are read as it meant them, and it reads ours.
func TestTheRealClient(t *testing.T) {
	client, conn := net.Pipe()
	s := &server{t, conn, wire.NewReader(conn, 0)}
	headers := amqp.Table{
		"bool": true, "byte": int8(-1), "unsignedbyte": byte(1), "short": int16(-2), "unsignedshort": uint16(2),
		"signedint": int32(-3), "unsignedint": uint32(3), "long": int64(-4), "float": float32(0.5), "double": 0.25,
		"decimal": amqp.Decimal{Scale: 1, Value: 15}, "longstr": "s", "binary": []byte("b"), "void": nil,
		"timestamp": time.Unix(1000, 0), "array": []any{int32(1), "x"}, "table": amqp.Table{"k": "v"},
	}
	want := wire.Table{
		{"bool", true},
		{"byte", int8(-1)},
		{"unsignedbyte", byte(1)},
		{"short", int16(-2)},
		{"unsignedshort", uint16(2)},
		{"signedint", int32(-3)},
		{"unsignedint", uint32(3)},
		{"long", int64(-4)},
		{"float", float32(0.5)},
		{"double", 0.25},
		{"decimal", wire.Decimal{Scale: 1, Value: 15}},
		{"longstr", "s"},
		{"binary", wire.Binary("b")},
		{"void", nil},
		{"timestamp", wire.Timestamp(1000)},
		{"array", wire.Array{int32(1), "x"}},
		{"table", wire.Table{{"k", "v"}}},
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if h, err := s.r.ReadProtocolHeader(); h != wire.ProtocolHeader || err != nil {
			t.Errorf("%q, %v", h, err)
		}
		s.send(0, &wire.ConnectionStart{VersionMinor: 9, ServerProperties: wire.Table{{"product", "test"}}, Mechanisms: "PLAIN", Locales: "en_US"})
		if ok := s.method().(*wire.ConnectionStartOk); ok.Mechanism != "PLAIN" || ok.Response != "\x00guest\x00guest" {
			t.Errorf("%+v", ok)
		}
		s.send(0, &wire.ConnectionTune{ChannelMax: 100, FrameMax: 131072})
		s.expect(&wire.ConnectionTuneOk{ChannelMax: 100, FrameMax: 131072})
		s.expect(&wire.ConnectionOpen{VirtualHost: "/v"})
		s.send(0, &wire.ConnectionOpenOk{})
		s.expect(&wire.ChannelOpen{})
		s.send(1, &wire.ChannelOpenOk{})
		s.expect(&wire.QueueDeclare{Queue: "q", Durable: true, AutoDelete: true, Arguments: wire.Table{{"x-max-length", int32(1)}}})
		s.send(1, &wire.QueueDeclareOk{Queue: "q", MessageCount: 2, ConsumerCount: 3})
		s.expect(&wire.BasicPublish{RoutingKey: "q", Mandatory: true})
		_, size, p, err := wire.ParseHeader(s.frame(wire.FrameHeader))
		if size != 4 || err != nil {
			t.Errorf("size %d, %v", size, err)
		}
		if len(p.Headers) != len(want) {
			t.Errorf("%d headers", len(p.Headers))
		}
		for _, f := range want {
			if got, ok := p.Headers.Get(f.Name); !ok || !reflect.DeepEqual(got, f.Value) {
				t.Errorf("%s is %#v, not %#v", f.Name, got, f.Value)
			}
		}
		p.Headers = nil
		if got := (wire.Properties{
			Flags:       wire.HasContentType | wire.HasHeaders | wire.HasDeliveryMode | wire.HasMessageID | wire.HasTimestamp,
			ContentType: "text/plain", DeliveryMode: 2, MessageID: "m", Timestamp: 1000,
		}); !reflect.DeepEqual(p, got) {
			t.Errorf("%+v", p)
		}
		body := s.frame(wire.FrameBody)
		s.expect(&wire.BasicGet{Queue: "q", NoAck: true})
		p.Headers = want
		b := wire.AppendFrame(nil, wire.Frame{Type: wire.FrameMethod, Channel: 1, Payload: wire.AppendMethod(nil, &wire.BasicGetOk{
			DeliveryTag: 7, Redelivered: true, RoutingKey: "q", MessageCount: 5,
		})})
		if _, err := conn.Write(wire.AppendContent(b, 1, p, body, 4096)); err != nil {
			t.Error(err)
		}
		s.expect(&wire.ConnectionClose{ReplyCode: 200, ReplyText: "kthxbai"})
		s.send(0, &wire.ConnectionCloseOk{})
	}()
	c, err := amqp.Open(client, amqp.Config{Vhost: "/v", SASL: []amqp.Authentication{&amqp.PlainAuth{Username: "guest", Password: "guest"}}})
	if err != nil {
		t.Fatal(err)
	}
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	q, err := ch.QueueDeclare("q", true, true, false, false, amqp.Table{"x-max-length": 1})
	if err != nil || q != (amqp.Queue{Name: "q", Messages: 2, Consumers: 3}) {
		t.Errorf("%+v, %v", q, err)
	}
	sent := amqp.Publishing{
		Headers: headers, ContentType: "text/plain", DeliveryMode: 2, MessageId: "m", Timestamp: time.Unix(1000, 0), Body: []byte("body"),
	}
	if err := ch.PublishWithContext(t.Context(), "", "q", true, false, sent); err != nil {
		t.Fatal(err)
	}
	d, ok, err := ch.Get("q", true)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if !reflect.DeepEqual(d.Headers, headers) || d.DeliveryTag != 7 || !d.Redelivered || d.MessageCount != 5 || string(d.Body) != "body" || d.MessageId != "m" {
		t.Errorf("%+v", d)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	<-done
}
