package header_test

import (
	"testing"

	"github.com/warren-mq/warren/internal/header"
)

// Every message is read, and most have no headers of ours.
func TestReadAllocatesOnlyWhatItKeeps(t *testing.T) {
	for name, c := range map[string]struct {
		headers map[string]any
		want    float64
	}{
		"none":             {nil, 0},
		"a foreign one":    {map[string]any{"tenant": "a"}, 0},
		"another queue's":  {map[string]any{header.Queue: "other", header.Attempt: int64(3)}, 0},
		"of a retry queue": {map[string]any{header.Queue: "orders", header.Attempt: int64(3), header.Due: now.UnixMilli(), header.OriginKey: "k"}, 0},
		"with failures":    {map[string]any{header.Queue: "orders", header.Failures: []any{"one", "two"}}, 1}, // the list
	} {
		if n := testing.AllocsPerRun(100, func() { header.Read(c.headers, "orders", now) }); n != c.want {
			t.Errorf("%s: %v allocations, not %v", name, n, c.want)
		}
	}
}
