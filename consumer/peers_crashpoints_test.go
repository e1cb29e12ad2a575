package consumer_test

import (
	"testing"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/rabbittest"
)

// Beside peers, too, nothing is lost wherever a connection is cut. Where the broker is killed that holds for what waits in
// queues of ours, beside Bunnicula, and not for what Kicks' way leaves to classic queues: docs/from-kicks.md says what
// that loses.
func TestNothingIsLostBesidePeersWhereverAConnectionIsCut(t *testing.T) {
	for _, w := range libraries() {
		t.Run(w.waiting.String(), func(t *testing.T) {
			rabbittest.CrashPoints(t, func(t *testing.T, b *rabbittest.Broker) { journeyOf(t, b, w.waiting) })
		})
	}
}

func TestNothingIsLostBesideBunniculaWheneverTheBrokerIsKilled(t *testing.T) {
	rabbittest.CrashPointsWith(t, rabbittest.CrashOptions{Kill: true}, func(t *testing.T, b *rabbittest.Broker) {
		journeyOf(t, b, consumer.Bunnicula)
	})
}
