package refusal_test

import (
	"testing"

	"github.com/warren-mq/warren/internal/refusal"
)

// The texts are those of RabbitMQ 3.10.8, 4.0.5 and 4.3.6.
func TestDifferenceIn(t *testing.T) {
	t.Parallel()
	args := map[string]any{"x-message-ttl": int64(60000), "x-queue-type": "quorum"}
	for text, want := range map[string]refusal.Difference{
		"PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received '60000' but current is '7'": {
			Argument: "x-message-ttl", Ours: "60000", Theirs: "7",
		},
		"PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received the value '60000' of type 'signedint' but current is none": {
			Argument: "x-message-ttl", Ours: "60000", Theirs: "none",
		},
		"PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': received none but current is the value '5' of type 'signedint'": {
			Argument: "x-delivery-limit", Ours: "none", Theirs: "5",
		},
		"PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'topic'": {
			Argument: "type", Ours: "fanout", Theirs: "topic",
		},
		// A name that is so long that the values are cut off: ours is known all the same.
		"PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'qqqq": {Argument: "x-queue-type", Ours: "quorum"},
		"PRECONDITION_FAILED - inequivalent arg 'x-expires' for queue 'qqqq":    {Argument: "x-expires"},
		"PRECONDITION_FAILED - invalid arg 'x-message-ttl' for queue 'q'":       {},
		"": {},
	} {
		if got := refusal.DifferenceIn(text, args); got != want {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

func TestNoSuchThing(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"NOT_FOUND - no queue 'q' in vhost '/'":                                            true,
		"NOT_FOUND - no exchange 'x' in vhost '/'":                                         true,
		"NOT_FOUND - queue 'q' in vhost '/' process is stopped by supervisor":              false,
		"NOT_FOUND - home node 'rabbit@a' of durable queue 'q' in vhost '/' is down":       false,
		"NOT_FOUND - failed to perform operation on queue 'q' in vhost '/' due to timeout": false,
	} {
		if refusal.NoSuchThing(text) != want {
			t.Errorf("%q: not %v", text, want)
		}
	}
}
