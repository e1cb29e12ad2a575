package errorqueue_test

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/errorqueue"
)

// RabbitMQ forgets acks that its channel has gathered for a quorum queue when the channel closes.
func TestWhatWasAckedDoesNotComeBack(t *testing.T) {
	t.Parallel()
	for name, args := range map[string]amqp.Table{"quorum": nil, "classic": {"x-queue-type": "classic"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, func(t *testing.T, k *kit) {
				k.declare(args)
				const n = 2000
				for _, keep := range []int{0, 1, n / 2} {
					k.publish(numbered(n)...)
					seen := 0
					taken, err := k.queue(errorqueue.Config{}).Take(t.Context(), func(errorqueue.Entry) bool {
						seen++
						return seen <= n-keep
					})
					must(t, err)
					if taken != n-keep {
						t.Errorf("took %d of %d", taken, seen)
					}
					if left := k.ids(); len(left) != keep {
						t.Errorf("%d are left, not %d", len(left), keep)
					}
				}
			})
		})
	}
}
