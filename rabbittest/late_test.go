package rabbittest_test

import (
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/rabbittest"
)

// Who keeps a delivery for too long, as it was seen on 3.10.8 and 4.3.6 with a consumer_timeout of four seconds.
func TestADeliveryThatIsKeptForTooLong(t *testing.T) {
	const tooLate = "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: "
	const further = " ms. This timeout value can be configured, see consumers doc guide to learn more"
	for name, test := range map[string]struct {
		version   string
		queue     amqp.Table
		cancelled bool // by the client, while it has the delivery
		cancel    bool // by the broker
		closed    string
	}{
		"3.10, quorum":             {version: rabbittest.V3_10, queue: amqp.Table{"x-queue-type": "quorum"}, closed: tooLate + "4000" + further},
		"3.10, classic":            {version: rabbittest.V3_10, closed: tooLate + "4000" + further},
		"4.3, quorum":              {version: rabbittest.V4_3, queue: amqp.Table{"x-queue-type": "quorum"}, cancel: true},
		"4.3, quorum, had enough":  {version: rabbittest.V4_3, queue: amqp.Table{"x-queue-type": "quorum"}, cancelled: true, closed: tooLate + "-1" + further},
		"4.3, classic":             {version: rabbittest.V4_3},
		"4.3, classic, had enough": {version: rabbittest.V4_3, cancelled: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := rabbittest.NewWith(t, rabbittest.Options{Version: test.version, ConsumerTimeout: 4 * time.Second})
				ch := channel(t, b)
				cancels, closes := ch.NotifyCancel(make(chan string, 1)), ch.NotifyClose(make(chan *amqp.Error, 1))
				declare(t, ch, "q", test.queue)
				must(t, b.Queue("q").Publish(rabbittest.Message{}))
				<-consume(t, ch, "q")
				if test.cancelled {
					must(t, ch.Cancel("q", false))
				}
				time.Sleep(3900 * time.Millisecond)
				if len(cancels) > 0 || len(closes) > 0 {
					t.Error("too early")
				}
				time.Sleep(200 * time.Millisecond)
				synctest.Wait()
				if got := len(cancels) > 0; got != test.cancel {
					t.Errorf("the broker cancels: %v", got)
				}
				said := ""
				if len(closes) > 0 {
					said = (<-closes).Reason
				}
				if said != test.closed {
					t.Errorf("the channel is closed with %q, want %q", said, test.closed)
				}
			})
		})
	}
}
