package rabbittest

import (
	"maps"
	"slices"
	"time"

	"github.com/warren-mq/warren/rabbittest/internal/engine"
	"github.com/warren-mq/warren/rabbittest/internal/wire"
)

// Message is a copy of a message in a queue, or one to publish.
type Message struct {
	// Exchange and Key are where it was published, or dead-lettered, last. [Broker.Publish] does not read them.
	Exchange, Key string

	// Headers are what a consumer would get, with those that the broker adds, in the types that amqp091-go has: a
	// table is a map[string]any, an array a []any, a timestamp a time.Time.
	Headers map[string]any

	ContentType     string
	ContentEncoding string
	DeliveryMode    uint8 // 2 is persistent
	Priority        uint8
	CorrelationID   string
	ReplyTo         string
	Expiration      string // milliseconds, as AMQP has it
	MessageID       string
	Timestamp       time.Time // in whole seconds; zero is none
	Type            string
	UserID          string
	AppID           string
	Body            []byte

	Redelivered bool
	Unacked     bool      // a consumer has it
	Expires     time.Time // when its time to live is over; zero is never
	ReadyAt     time.Time // when a delayed retry of RabbitMQ 4.3 is over; zero if it is none
	Serial      uint64    // one number for a message in all queues that it goes through
}

// Death is an entry of a message's x-death header: how often it left a queue for a reason.
type Death struct {
	Count       int64
	Reason      string // rejected, expired, maxlen or delivery_limit
	Queue       string
	Exchange    string
	RoutingKeys []string
	Time        time.Time // of the first of them
}

// Deaths reads the x-death header: the newest death first.
func (m Message) Deaths() []Death {
	list, _ := m.Headers["x-death"].([]any)
	var deaths []Death
	for _, v := range list {
		t, _ := v.(map[string]any)
		d := Death{}
		d.Count, _ = t["count"].(int64)
		d.Reason, _ = t["reason"].(string)
		d.Queue, _ = t["queue"].(string)
		d.Exchange, _ = t["exchange"].(string)
		d.Time, _ = t["time"].(time.Time)
		keys, _ := t["routing-keys"].([]any)
		for _, k := range keys {
			key, _ := k.(string)
			d.RoutingKeys = append(d.RoutingKeys, key)
		}
		deaths = append(deaths, d)
	}
	return deaths
}

func newMessage(s engine.MessageState) Message {
	p := s.Properties
	m := Message{
		Exchange: s.Exchange, Key: s.Key, Headers: goTable(p.Headers),
		ContentType: p.ContentType, ContentEncoding: p.ContentEncoding, DeliveryMode: p.DeliveryMode, Priority: p.Priority,
		CorrelationID: p.CorrelationID, ReplyTo: p.ReplyTo, Expiration: p.Expiration, MessageID: p.MessageID,
		Type: p.Type, UserID: p.UserID, AppID: p.AppID, Body: slices.Clone(s.Body),
		Redelivered: s.Redelivered, Unacked: s.Unacked, Expires: s.Expires, ReadyAt: s.ReadyAt, Serial: s.Serial,
	}
	if p.Has(wire.HasTimestamp) {
		m.Timestamp = time.Unix(int64(p.Timestamp), 0)
	}
	return m
}

// properties are those of a message to publish: what is zero is left out.
func (m Message) properties() (wire.Properties, error) {
	headers, err := wireTable(m.Headers)
	if err != nil {
		return wire.Properties{}, err
	}
	p := wire.Properties{
		ContentType: m.ContentType, ContentEncoding: m.ContentEncoding, Headers: headers, DeliveryMode: m.DeliveryMode,
		Priority: m.Priority, CorrelationID: m.CorrelationID, ReplyTo: m.ReplyTo, Expiration: m.Expiration,
		MessageID: m.MessageID, Type: m.Type, UserID: m.UserID, AppID: m.AppID,
	}
	if !m.Timestamp.IsZero() {
		p.Timestamp = uint64(m.Timestamp.Unix())
	}
	for _, f := range []struct {
		flag uint16
		set  bool
	}{
		{wire.HasContentType, m.ContentType != ""},
		{wire.HasContentEncoding, m.ContentEncoding != ""},
		{wire.HasHeaders, len(headers) > 0},
		{wire.HasDeliveryMode, m.DeliveryMode != 0},
		{wire.HasPriority, m.Priority != 0},
		{wire.HasCorrelationID, m.CorrelationID != ""},
		{wire.HasReplyTo, m.ReplyTo != ""},
		{wire.HasExpiration, m.Expiration != ""},
		{wire.HasMessageID, m.MessageID != ""},
		{wire.HasTimestamp, !m.Timestamp.IsZero()},
		{wire.HasType, m.Type != ""},
		{wire.HasUserID, m.UserID != ""},
		{wire.HasAppID, m.AppID != ""},
	} {
		if f.set {
			p.Flags |= f.flag
		}
	}
	return p, nil
}

// goTable turns a field table into what Go programs know.
func goTable(t wire.Table) map[string]any {
	if len(t) == 0 {
		return nil
	}
	m := make(map[string]any, len(t))
	for _, f := range t {
		m[f.Name] = goValue(f.Value)
	}
	return m
}

func goValue(v any) any {
	switch v := v.(type) {
	case wire.Table:
		return goTable(v)
	case wire.Array:
		list := make([]any, len(v))
		for i := range v {
			list[i] = goValue(v[i])
		}
		return list
	case wire.Binary:
		return []byte(v)
	case wire.Timestamp:
		return time.Unix(int64(v), 0)
	}
	return v
}

// wireTable is the way back, in the order of the names.
func wireTable(m map[string]any) (wire.Table, error) {
	var t wire.Table
	for _, name := range slices.Sorted(maps.Keys(m)) {
		v, err := wireValue(m[name])
		if err != nil {
			return nil, err
		}
		t = append(t, wire.Field{Name: name, Value: v})
	}
	return t, nil
}
