package consumer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
)

// Whatever headers a message comes with, ours among them: it is handled, retried, and ends in the error queue, once, with
// the sender's headers; and the consumer's connection lives.
func FuzzHeadersOfAMessage(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed, int64(seed)-2, "three", []byte{0xff})
	}
	f.Fuzz(func(t *testing.T, seed uint64, n int64, s string, raw []byte) {
		dice := rand.New(rand.NewPCG(seed, 1))
		var value func(depth int) any
		value = func(depth int) any {
			values := []any{
				nil, n, s, raw, true, int8(n), int16(n), int32(n), float32(n), float64(n) / 3, time.Unix(n%(1<<40), 0),
				"orders", time.Now().Add(time.Duration(n)).UnixMilli(),
			}
			if i := dice.IntN(len(values) + 2); i < len(values) {
				return values[i]
			}
			if depth > 3 {
				return nil
			}
			if dice.IntN(2) == 0 {
				return []any{value(depth + 1), value(depth + 1)}
			}
			return map[string]any{"a": value(depth + 1), "reason": "expired", "count": n, "queue": "orders"}
		}
		headers := map[string]any{"mine": s}
		for _, name := range []string{
			"warren-queue", "warren-attempt", "warren-due", "warren-not-before", "warren-not-after", "warren-deferred-since", "warren-first-failure",
			"warren-failures", "warren-origin-exchange", "warren-origin-key", "warren-cut", "warren-trace", "warren-replays", "warren-replay",
			"warren-reason", "x-delivery-count", "x-acquired-count", "x-death", "x-first-death-queue", "retry-attempts", "retry_info", "CC", "other",
		} {
			if dice.IntN(2) == 0 {
				headers[name] = value(0)
			}
		}
		if dice.IntN(2) == 0 {
			headers["warren-queue"] = "orders"
		}
		table, err := confirm.Table(headers)
		if err != nil || len(s)+len(raw) > 1000 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			b := rabbittest.NewWith(t, rabbittest.Options{Version: []string{rabbittest.V3_10, rabbittest.V4_0, rabbittest.V4_3}[seed%3]})
			events := newEvents()
			conn, err := connection.Open(t.Context(), b.URL(), connection.Config{Dial: b.Dial, Monitor: events, Heartbeat: -1})
			must(t, err)
			c, err := consumer.New(conn, "orders", func(_ context.Context, m consumer.Message[[]byte]) consumer.Outcome {
				if m.Attempt < 1 || m.Queue != "orders" {
					t.Errorf("%+v", m)
				}
				return consumer.Retry(errBank)
			}, consumer.Config{Retry: retry.Fixed(1, time.Minute)})
			must(t, err)
			r := start(t, c)
			<-c.Ready()
			if b.Queue("orders").Publish(rabbittest.Message{Headers: table, Body: []byte("x"), MessageID: "a"}) != nil {
				return // RabbitMQ would not take it either
			}
			time.Sleep(3 * 366 * 24 * time.Hour) // longer than any wait that headers can ask for
			synctest.Wait()
			found := b.Queue("orders.error").Messages()
			if len(found) != 1 || b.Queue("orders").Len() != 0 {
				t.Fatalf("%d messages are in the error queue, %d in the main queue", len(found), b.Queue("orders").Len())
			}
			if got := found[0].Headers; fmt.Sprint(got["mine"]) != s || found[0].MessageID != "a" || string(found[0].Body) != "x" {
				t.Fatalf("it has become %+v", found[0])
			}
			if got := events.endings("a"); got == "" {
				t.Error("nobody was told of its end")
			}
			must(t, r.stop())
			must(t, conn.Close(context.Background()))
		})
	})
}
