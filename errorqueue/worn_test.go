package errorqueue_test

import (
	"errors"
	"slices"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/errorqueue"
)

// RabbitMQ 4 deletes a message of a quorum queue after 20 looks, unless the queue has another limit. However often
// people look, in whatever processes, nothing is lost.
func TestLookingDoesNotWearEntriesOut(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, k *kit) {
		k.declare(amqp.Table{"x-queue-type": "quorum"}) // Kicks' queue, say, on a broker whose default is that type
		const n = 40
		k.publish(numbered(n)...)
		refused := 0
		for range 60 {
			q := k.queue(errorqueue.Config{})
			for _, err := range q.All(t.Context(), errorqueue.Filter{}) {
				if errors.Is(err, errorqueue.ErrWorn) {
					refused++
					break
				}
				must(t, err)
			}
		}
		if left := k.ids(); len(left) < n {
			t.Errorf("%d of %d entries are left", len(left), n)
		}
		if v := k.version(); (refused > 0) != (v[:2] != "4." || v[:3] == "4.0") {
			t.Errorf("refused %d times on %s", refused, v)
		}
	})
}

// Where the limit is known, there is no end to looking.
func TestLooksAreFreeWhereTheLimitIsKnown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args   amqp.Table
		config errorqueue.Config
	}{
		"as Warren declares it":  {nil, errorqueue.Config{}},
		"classic":                {amqp.Table{"x-queue-type": "classic"}, errorqueue.Config{}},
		"classic by default":     {amqp.Table{}, errorqueue.Config{}},
		"as the config tells":    {amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": int64(90)}, errorqueue.Config{DeliveryLimit: 90}},
		"none, the config tells": {amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": int64(90)}, errorqueue.Config{DeliveryLimit: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, func(t *testing.T, k *kit) {
				k.declare(test.args)
				k.publish(numbered(3)...)
				for range 30 {
					if ids := k.list(k.queue(test.config), errorqueue.Filter{}); !slices.Equal(ids, numbers(1, 3)) {
						t.Fatal(ids)
					}
				}
			})
		})
	}
}

// version is the broker's.
func (k *kit) version() string {
	k.Helper()
	s, err := k.conn.Session(k.Context(), connection.Consume)
	must(k, err)
	return s.Version()
}
