package consumer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/confirm"
	"github.com/warren-mq/warren/internal/header"
)

// Whatever a message brings along, what is sent on fits into a frame, or the connection would end for everyone; ours is
// cut before anything of the sender's, and the message says what is missing.
func TestFit(t *testing.T) {
	optional := []string{header.Stack, header.Failures, header.Error, header.Process}
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 900 {
		frameMax := []int{8 << 10, 128 << 10, 1 << 20}[i%3]
		p := amqp.Publishing{Headers: amqp.Table{
			header.Queue: "orders", header.Attempt: int64(2), header.OriginKey: strings.Repeat("k", r.IntN(256)),
			header.Stack: strings.Repeat("s", r.IntN(16<<10)), header.Error: strings.Repeat("e", r.IntN(4<<10)),
			header.Failures: []any{strings.Repeat("f", r.IntN(240)), strings.Repeat("f", 240)}, header.Process: "x",
		}}
		if r.IntN(4) == 0 {
			for _, name := range optional {
				delete(p.Headers, name)
			}
		}
		if r.IntN(2) == 0 {
			long := strings.Repeat("p", 255)
			p.MessageId, p.CorrelationId, p.ReplyTo, p.Type, p.AppId, p.ContentType = long, long, long, long, long, long
		}
		for total := r.IntN(frameMax + frameMax/8); total > 0; {
			size := min(total, []int{0, 10, 1000, frameMax}[r.IntN(4)])
			var v any = strings.Repeat("v", size)
			if r.IntN(3) == 0 {
				v = []any{amqp.Table{"deep": strings.Repeat("v", size)}, int64(7), nil}
			}
			name := fmt.Sprintf("foreign-%d-%s", len(p.Headers), strings.Repeat("n", r.IntN(200)))
			if r.IntN(10) == 0 {
				name = header.Prefix + "original-" + name
			}
			p.Headers[name] = v
			total -= size + len(name)
		}
		before := make(map[string]any, len(p.Headers))
		for k, v := range p.Headers {
			before[k] = v
		}

		m := fit(address{key: "orders.error"}, p, frameMax, optional...)

		room := m.Room
		if room == 0 {
			room = confirm.HeadRoom
		}
		if n := confirm.HeadSize(&m.Publishing); n > frameMax-room {
			t.Fatalf("%d: %d bytes in a frame of %d", i, n, frameMax)
		}
		var oursLeft, foreignGone []string
		for k := range before {
			_, left := m.Headers[k]
			switch {
			case slices.Contains(optional, k):
				if left {
					oursLeft = append(oursLeft, k)
				}
			case header.IsOurs(k) && !header.IsOriginal(k):
				if !left {
					t.Fatalf("%d: %s is gone", i, k)
				}
			case !left:
				foreignGone = append(foreignGone, k)
			}
		}
		if len(foreignGone) > 0 && len(oursLeft) > 0 {
			t.Fatalf("%d: %v of the sender's is gone, and %v of ours is there", i, foreignGone, oursLeft)
		}
		gone := len(before) - len(m.Headers)
		cut, told := m.Headers[header.Cut].([]any)
		if told {
			gone++
		}
		if told != (gone > 0) || len(cut) != min(gone, 20) {
			t.Fatalf("%d: %d headers are gone, and it tells of %v", i, gone, cut)
		}
	}
}

// The size is counted as the client library writes it; see its write.go.
func TestFitLeavesAsMuchAsPossible(t *testing.T) {
	const frameMax = 128 << 10
	p := amqp.Publishing{Headers: amqp.Table{
		"large": strings.Repeat("x", 125_000), "small": "x", header.Stack: strings.Repeat("s", 16<<10),
		header.Failures: []any{strings.Repeat("f", 240)}, header.Error: "it does not work", header.Attempts: int64(1),
	}}
	m := fit(address{key: "q.error"}, p, frameMax, header.Stack, header.Failures, header.Error)
	if m.Headers["large"] == nil || m.Headers["small"] == nil {
		t.Error("the sender's headers are cut, though ours were enough")
	}
	if m.Headers[header.Stack] != nil || m.Headers[header.Attempts] == nil {
		t.Error("the stack is the first to go, and what is not optional stays")
	}
}
