package execute_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/codec"
	"github.com/warren-mq/warren/internal/execute"
)

func BenchmarkDutyDeadline(b *testing.B) {
	ctx := b.Context()
	for _, c := range []struct {
		name string
		look func(context.Context)
	}{
		{"nobody=waits", func(context.Context) {}},
		{"somebody=looks", func(ctx context.Context) { _ = ctx.Err() }},
		{"somebody=waits", func(ctx context.Context) { _ = ctx.Done() }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				d := execute.NewDeadline(ctx, time.Now().Add(time.Minute))
				c.look(d)
				d.End()
			}
		})
	}
	b.Run("by=context", func(b *testing.B) { // what it stands for
		b.ReportAllocs()
		for b.Loop() {
			_, cancel := context.WithTimeout(ctx, time.Minute)
			cancel()
		}
	})
}

func BenchmarkDutyGuard(b *testing.B) {
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		execute.Guard(func() { n++ }, func(*execute.Panic) { n = 0 })
	}
	if n == 0 {
		b.Error("it panicked")
	}
}

// parcel has about 256 bytes as JSON.
type parcel struct {
	ID      string
	Cents   int64
	Lines   []string
	Comment string
}

func BenchmarkDutyDecode(b *testing.B) {
	body, err := json.Marshal(parcel{
		ID: "0190b2c4-7e1a-7cde-8f00-1234567890ab", Cents: 129900, Lines: []string{"SKU-0001", "SKU-0002"}, Comment: strings.Repeat("very urgent; ", 10),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("to=JSON", func(b *testing.B) { benchmarkDecode[parcel](b, codec.JSON{}, body) })
	b.Run("to=bytes", func(b *testing.B) { benchmarkDecode[[]byte](b, codec.Raw{}, body) })
	b.Run("by=encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v parcel
			if err := json.Unmarshal(body, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchmarkDecode[T any](b *testing.B, c codec.Codec, body []byte) {
	set, err := codec.NewSet(c)
	if err != nil {
		b.Fatal(err)
	}
	decoder := execute.NewDecoder[T](set, 1<<20)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := decoder.Decode("application/json", "", body); err != nil {
			b.Fatal(err)
		}
	}
}
