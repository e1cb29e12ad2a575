package publisher

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/monitoring"
)

type parcel struct {
	ID      string
	Cents   int64
	Lines   []string
	Comment string
}

func newParcel() *parcel {
	return &parcel{
		ID: "0190b2c4-7e1a-7cde-8f00-1234567890ab", Cents: 129900, Lines: []string{"SKU-0001", "SKU-0002"}, Comment: strings.Repeat("very urgent; ", 10),
	}
}

// Send, but for its sender: see package confirm.
func BenchmarkDutySend(b *testing.B) {
	conn, err := connection.New("amqp://nobody.invalid", connection.Config{Monitor: monitoring.Discard{}})
	if err != nil {
		b.Fatal(err)
	}
	p, err := New(conn, Config{})
	if err != nil {
		b.Fatal(err)
	}
	value := newParcel()
	body, err := json.Marshal(value)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		Message
	}{
		{"body=bytes", Message{Key: "orders", Body: body}},
		{"body=JSON", Message{Key: "orders", Body: value}},
		{"body=JSON/headers=3", Message{Key: "orders", Body: value, Headers: map[string]any{"tenant": "a", "version": 3, "urgent": true}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ctx, cancel := p.bound(b.Context())
				m := c.Message
				f := flight{began: time.Now(), bound: ctx, told: ctx}
				m.ID = p.ids.Next(f.began)
				m.Timestamp = f.began
				if _, f.err = p.prepare(&m, &f); f.err != nil {
					b.Fatal(f.err)
				}
				f.wait() // for nothing
				if err := p.end(&f); err != nil {
					b.Fatal(err)
				}
				cancel()
			}
		})
	}
}
