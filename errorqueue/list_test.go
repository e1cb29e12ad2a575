package errorqueue_test

import (
	"slices"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/errorqueue"
)

// list collects the ids of all entries.
func (k *kit) list(q *errorqueue.Queue, f errorqueue.Filter) []string {
	k.Helper()
	var ids []string
	for e, err := range q.All(k.Context(), f) {
		must(k, err)
		ids = append(ids, e.ID)
	}
	return ids
}

// Looking changes nothing, however often one looks, whatever the size of the chunks.
func TestListingLeavesTheQueueAsItWas(t *testing.T) {
	t.Parallel()
	for name, args := range map[string]amqp.Table{"quorum": nil, "classic": {"x-queue-type": "classic"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, func(t *testing.T, k *kit) {
				k.declare(args)
				const n = 150
				k.publish(numbered(n)...)
				for _, chunk := range []int{0, 1, 7, 50, 1000} {
					q := k.queue(errorqueue.Config{Chunk: chunk})
					if ids := k.list(q, errorqueue.Filter{}); !slices.Equal(ids, numbers(1, n)) {
						t.Fatalf("with chunks of %d: %v", chunk, ids)
					}
					ready, err := q.Len(t.Context())
					must(t, err)
					if ready != n {
						t.Errorf("%d are ready after it", ready)
					}
				}
				if ids := k.ids(); !slices.Equal(ids, numbers(1, n)) {
					t.Errorf("left in this order: %v", ids)
				}
			})
		})
	}
}
