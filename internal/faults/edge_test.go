//go:build linux || darwin

package faults_test

import (
	"slices"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/confirm"
)

// What becomes of a message's large header on its way through a retry or to the error queue. A frame has 131,072 bytes, of
// which Warren leaves 4 KiB free for the broker, or 2 KiB where it would else have to cut what is not its own (DESIGN.md, D5).
const (
	kept = "kept"
	cut  = "cut"
)

// headerFault sends messages whose headers nearly fill a frame to each way out of a handler. What fits must come through
// whole, and what does not must be named among what was cut, with the small header beside it untouched.
var headerFault = fault{
	name: "headers at the edge of a frame, to each way out", alone: true, mix: []string{doAck, doRetry, doAck, doError},
	inject: func(b *bench) {
		for _, do := range []string{doAck, doRetry, doDefer, doPanic, doError, doExhaust} {
			var list []amqp.Publishing
			for frame, fate := range map[int]string{100_000: kept, 125_500: kept, 126_976: kept, 129_600: cut, 131_020: cut} {
				m := amqp.Publishing{
					MessageId: "000000", DeliveryMode: amqp.Persistent, Body: body(do, edge), Headers: amqp.Table{"fate": fate, "large": ""},
				}
				m.Headers["large"] = strings.Repeat("x", frame-confirm.HeadSize(&m))
				list = append(list, m)
			}
			b.foreign(isDoomed(do), list...)
		}
	},
	look: func(b *bench, m consumer.Message[order]) {
		if m.Body.Pad == edge {
			b.checkHeaders(m.ID, m.Headers, m.Attempt > 1 || m.Headers["warren-deferred-since"] != nil)
		}
	},
	entry: func(b *bench, d amqp.Delivery) {
		if strings.Contains(string(d.Body), `"`+edge+`"`) {
			b.checkHeaders(d.MessageId, d.Headers, true)
		}
	},
}

// edge marks the messages that this is about, in their bodies.
const edge = "at the edge"

// checkHeaders looks at the headers of one of them. Moved says whether Warren has published it since.
func (b *bench) checkHeaders(id string, headers map[string]any, moved bool) {
	fate, _ := headers["fate"].(string)
	_, whole := headers["large"]
	named, _ := headers["warren-cut"].([]any)
	switch {
	case fate == "":
		b.t.Errorf("%s has lost its small header: %.300v", id, headers)
	case whole != (!moved || fate == kept):
		b.t.Errorf("%s has its large header: %v, moved: %v, which should be %s", id, whole, moved, fate)
	case whole && slices.Contains(named, any("large")), !whole && !slices.Contains(named, any("large")):
		b.t.Errorf("%s tells that %v were cut, and has its large header: %v", id, named, whole)
	}
}
