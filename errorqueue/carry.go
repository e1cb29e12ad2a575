package errorqueue

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/internal/header"
)

// carry returns m as it is published again: persistent, with its properties and
// headers, but without what must not be sent twice, as consumers do it too.
func carry(m *Message) amqp.Publishing {
	h := header.Again(m.Headers, m.Expiration, m.UserID, func(string) bool { return true })
	for name, v := range h {
		h[name] = wire(v)
	}
	return amqp.Publishing{
		Headers:         h,
		ContentType:     m.ContentType,
		ContentEncoding: m.ContentEncoding,
		DeliveryMode:    amqp.Persistent,
		Priority:        m.Priority,
		CorrelationId:   m.CorrelationID,
		ReplyTo:         m.ReplyTo,
		MessageId:       m.ID,
		Timestamp:       m.Timestamp,
		Type:            m.Type,
		AppId:           m.AppID,
		Body:            m.Body,
	}
}

// wire returns a header's value with the client's type for tables.
func wire(v any) any {
	switch v := v.(type) {
	case map[string]any:
		t := make(amqp.Table, len(v))
		for name, v := range v {
			t[name] = wire(v)
		}
		return t
	case []any:
		a := make([]any, len(v))
		for i, e := range v {
			a[i] = wire(e)
		}
		return a
	default:
		return v
	}
}

// remember writes down what only the broker's headers tell of an entry, since
// those are not sent again. What is there of ours is of an earlier round.
func remember(h amqp.Table, e *Entry) {
	if e.Source != SourceBroker {
		return
	}
	for _, t := range []struct {
		name  string
		value any
		known bool
	}{
		{header.Reason, e.Reason, e.Reason != ""},
		{header.Error, e.Error, e.Error != ""},
		{header.ErrorType, e.ErrorType, e.ErrorType != ""},
		{header.Stack, e.Stack, e.Stack != ""},
		{header.Attempts, int64(e.Attempts), e.Attempts > 0},
		{header.LastFailure, stamp(e.LastFailure), !e.LastFailure.IsZero()},
		{header.OriginQueue, e.Queue, e.Queue != ""},
		{header.Host, e.Host, e.Host != ""},
		{header.Process, e.Process, e.Process != ""},
		{header.Fingerprint, e.Fingerprint, true},
		{header.OriginExchange, e.OriginExchange, e.OriginKey != ""},
		{header.OriginKey, e.OriginKey, e.OriginKey != ""},
	} {
		delete(h, t.name)
		if t.known {
			h[t.name] = t.value
		}
	}
	if _, present := h[header.FirstFailure]; !present && !e.FirstFailure.IsZero() {
		h[header.FirstFailure] = stamp(e.FirstFailure)
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// tightRoom is what is left free in the frame of headers for the broker's own:
// enough for its note of one dead-lettering. Entries may come as full as that.
const tightRoom = 2 << 10

func addressed(t Target, p amqp.Publishing) confirm.Message {
	return confirm.Message{Exchange: t.Exchange, Key: t.Key, Room: tightRoom, Publishing: p}
}
