package consumer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/netproxy"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/monitoring"
)

// Matrix row 13: what a program may do is taken away from it while it runs, and given back. Nothing is lost meanwhile,
// what is wrong is told, and no restart is needed. The users of rabbittest cannot be changed.
func TestRightsAreTakenAwayAtRunTime(t *testing.T) {
	t.Parallel()
	node := rabbitmq.Private(t, rabbitmq.Options{})
	ctl := func(args ...string) {
		t.Helper()
		_, err := node.Ctl(context.Background(), args...)
		must(t, err)
	}
	ctl("add_user", "worker", "worker")
	ctl("set_permissions", "worker", ".*", ".*", ".*")
	b := brokers.At(node.URL())
	admin := newKit(t, b)
	worker := b.As("worker")
	k := newKitOver(t, worker, netproxy.New(b.Dial))
	k.queue = admin.queue
	r := run(k, func(context.Context, message) consumer.Outcome { return consumer.Error(errBank) }, consumer.Config{Workers: 1})

	// It may not publish: not even to the error queue.
	ctl("set_permissions", "worker", ".*", "^$", ".*")
	admin.publish(text("a", "x"))
	for _, e := range waitFor[monitoring.SettleFailed](k, 2) {
		var reason *amqp.Error
		if e.MessageID != "a" || !errors.As(e.Err, &reason) || reason.Code != amqp.AccessRefused {
			t.Errorf("%+v", e)
		}
	}
	if got := k.events.endings("a"); got != "" {
		t.Errorf("it ends as %s", got)
	}
	ctl("set_permissions", "worker", ".*", ".*", ".*")
	eventually(t, "the end of a", func() bool { return k.events.endings("a") == "Errored 1" })
	if d := admin.takeError(); d.MessageId != "a" {
		t.Errorf("%s is in the error queue", d.MessageId)
	}

	// It may not read: once its connection is lost it cannot subscribe again. It tries, and not in a hot loop.
	ctl("set_permissions", "worker", ".*", ".*", "^$")
	ctl("close_all_connections", "for the test")
	var refused *consumer.DeclareError
	eventually(t, "Health to tell", func() bool { return errors.As(r.Health(), &refused) })
	var reason *amqp.Error
	if !errors.As(refused, &reason) || reason.Code != amqp.AccessRefused {
		t.Errorf("Health says %v", refused)
	}
	lost := of[monitoring.ConsumerLost](k.events)
	if last := lost[len(lost)-1]; !last.Refused || last.Next < 10*time.Second || len(lost) > 3 {
		t.Errorf("%d losses, and then %+v", len(lost), last)
	}
	ctl("set_permissions", "worker", ".*", ".*", ".*")

	// Its password is another one.
	ctl("change_password", "worker", "other")
	ctl("close_all_connections", "for the test")
	var wrong *connection.RefusedError
	eventually(t, "the connection's Health to tell", func() bool { return errors.As(k.conn.Health(), &wrong) })
	ctl("change_password", "worker", "worker")
	admin.publish(text("b", "x"))
	eventuallyWithin(t, "the end of b", time.Minute, func() bool { return k.events.endings("b") == "Errored 1" })
	admin.takeError()
	must(t, r.Health())
	must(t, r.stop())
}
