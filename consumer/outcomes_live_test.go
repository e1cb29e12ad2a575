package consumer_test

import (
	"context"
	"testing"

	"github.com/warren-mq/warren/consumer"
)

func TestAck(t *testing.T) {
	k := newKit(t)
	run(k, func(context.Context, consumer.Message[[]byte]) consumer.Outcome { return consumer.Ack() }, consumer.Config{})
	k.publish(text("a", "x"))
	eventually(t, "the end of a", func() bool { return k.events.endings("a") == "Acked 1" })
}
