//go:build !race

package consumer

import (
	"encoding/json"
	"testing"

	"github.com/warren-mq/warren/codec"
)

// What a message costs above the client library, in allocations: a number that
// is the same every time, unlike the time that it takes. DESIGN.md, section 7,
// has the bound: 4, and what decoding needs.
//
// Not with the race detector, under which other things escape.
func TestAllocationsAboveTheClient(t *testing.T) {
	in := newOrder(t)
	asJSON := testing.AllocsPerRun(200, func() { _ = json.Unmarshal(in.Body, new(order)) })
	asBytes := testing.AllocsPerRun(200, func() { _ = codec.Raw{}.Decode(in.Body, new([]byte)) }) + 1 // new itself, there on the stack
	const every = 3                                                                                   // the delivery, the context with its deadline, and the event
	for _, c := range []struct {
		name string
		*desk
		want float64
	}{
		{"ack, bytes", newDesk(t, says[[]byte](Ack()), often), every + asBytes},
		{"ack, JSON", newDesk(t, says[order](Ack()), often), every + asJSON},
		{"retry", newDesk(t, says[[]byte](Retry(errBankDown)), often), 26},
	} {
		if n := testing.AllocsPerRun(1000, func() { c.work(t, in) }); n != c.want {
			t.Errorf("%s: %v allocations, not %v", c.name, n, c.want)
		}
	}
}
