//go:build !race

package consumer

import (
	"encoding/json"
	"testing"
)

// What a message costs above the client library, in allocations: a number that
// is the same every time, unlike the time that it takes. DESIGN.md, section 7,
// has the bound: 4, and what encoding/json needs.
//
// Not with the race detector, under which other things escape.
func TestAllocationsAboveTheClient(t *testing.T) {
	in := newOrder(t)
	decode := testing.AllocsPerRun(200, func() { _ = json.Unmarshal(in.Body, new(order)) })
	for _, c := range []struct {
		name string
		*desk
		want float64
	}{
		{"ack, without decoding", newDesk(t, says[[]byte](Ack()), often), 9},
		{"ack, JSON", newDesk(t, says[order](Ack()), often), 7 + decode},
		{"retry", newDesk(t, says[[]byte](Retry(errBankDown)), often), 36},
	} {
		if n := testing.AllocsPerRun(1000, func() { c.work(t, in) }); n != c.want {
			t.Errorf("%s: %v allocations, not %v", c.name, n, c.want)
		}
	}
}
