package consumer_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/rabbittest"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

func ack(context.Context, message) consumer.Outcome { return consumer.Ack() }

// refused runs a consumer that the broker must refuse at once, and returns why.
func refused(k *kit, cfg consumer.Config) *consumer.DeclareError {
	k.Helper()
	r := start(k, newConsumer(k, ack, cfg))
	var refusal *consumer.DeclareError
	if err := r.wait(); !errors.As(err, &refusal) {
		k.Fatalf("Run returned %v", err)
	}
	if err := r.Health(); !errors.Is(err, consumer.ErrNotRunning) {
		k.Errorf("then Health says %v", err)
	}
	return refusal
}

// PEER-BUGS test 14, matrix row 14: a queue with other arguments is refused with all that there is to know, and others
// on the same connection do not notice.
func TestAQueueWithOtherArguments(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, bystander *kit) {
		run(bystander, ack, consumer.Config{})
		for name, test := range map[string]struct {
			existing          func(topology.Plan) (string, amqp.Table)
			queue             func(topology.Plan) string
			arg, ours, theirs string
		}{
			"another wait": {
				func(p topology.Plan) (string, amqp.Table) {
					args := amqp.Table(p.Retry[0].Args)
					args["x-message-ttl"] = int64(7)
					return p.Retry[0].Name, args
				},
				func(p topology.Plan) string { return p.Retry[0].Name },
				"x-message-ttl", "60000", "7",
			},
			"a missing argument": {
				func(p topology.Plan) (string, amqp.Table) {
					return p.Main.Name, amqp.Table{"x-queue-type": "quorum"}
				},
				func(p topology.Plan) string { return p.Main.Name },
				"", "", "none", // which one the broker looks at first is its own affair
			},
			"another type": {
				func(p topology.Plan) (string, amqp.Table) { return p.Error.Name, amqp.Table{"x-queue-type": "classic"} },
				func(p topology.Plan) string { return p.Error.Name },
				"x-queue-type", "quorum", "classic",
			},
		} {
			k := newKit(t, bystander.broker)
			k.conn = bystander.conn
			plan := newConsumer(k, ack, consumer.Config{}).Plan()
			queue, args := test.existing(plan)
			k.declare(queue, args)
			e := refused(k, consumer.Config{})
			if e.Verb != "declare" || e.Queue != test.queue(plan) || test.arg != "" && (e.Argument != test.arg || e.Ours != test.ours) ||
				e.Argument == "" || e.Theirs != test.theirs {
				t.Errorf("%s: %+v: %v", name, e, e)
			}
			var broker *amqp.Error
			if !errors.As(e, &broker) || broker.Code != amqp.PreconditionFailed {
				t.Errorf("%s: the cause is %v", name, e.Err)
			}
			if !strings.Contains(e.Error(), e.Queue) || !strings.Contains(e.Error(), e.Argument) {
				t.Errorf("%s: it says %v", name, e)
			}
		}
		bystander.publish(text("a", "x"))
		eventually(t, "the other consumer", func() bool { return bystander.events.endings("a") == "Acked 1" })
		if n := len(of[monitoring.ConsumerLost](bystander.events)); n > 0 {
			t.Errorf("the other consumer was lost %d times", n)
		}
	})
}

// RabbitMQ's answers are cut off after 255 bytes. What it would have told is in the plan.
func TestAQueueWithOtherArgumentsAndALongName(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		k.queue += strings.Repeat("x", 230-len(k.queue))
		plan := newConsumer(k, ack, consumer.Config{}).Plan()
		args := amqp.Table(plan.Retry[0].Args)
		args["x-message-ttl"] = int64(7)
		k.declare(plan.Retry[0].Name, args)
		e := refused(k, consumer.Config{})
		if e.Queue != plan.Retry[0].Name || e.Argument != "x-message-ttl" || e.Ours != "60000" {
			t.Errorf("%+v", e)
		}
	})
}

func TestDeclareOwn(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		cfg := consumer.Config{Declare: consumer.DeclareOwn, Retry: retry.Fixed(1, 100*time.Millisecond)}
		if e := refused(k, cfg); e.Verb != "check" || e.Queue != k.queue || e.Argument != "" {
			t.Errorf("%+v", e)
		}
		k.declare(k.queue, amqp.Table{"x-max-priority": int64(9)}) // a classic one, of someone else
		seen := make(chan message, 2)
		run(k, twice(seen), cfg)
		k.publish(amqp.Publishing{MessageId: "a", Priority: 9, Headers: amqp.Table{"x-delivery-count": int64(77)}})
		if d := k.takeError(); d.MessageId != "a" || d.Priority != 9 || d.Headers["warren-attempts"] != int64(2) {
			t.Errorf("%+v", d)
		}
	})
}

func TestDeclareCheck(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		cfg := consumer.Config{Declare: consumer.DeclareCheck, Retry: retry.Fixed(1, 100*time.Millisecond)}
		plan := newConsumer(k, ack, cfg).Plan()
		for _, q := range plan.Queues() { // one after the other
			if e := refused(k, cfg); e.Verb != "check" || e.Queue != q.Name || k.exists(q.Name) {
				t.Errorf("%+v", e)
			}
			k.declare(q.Name, q.Args)
		}
		seen := make(chan message, 2)
		run(k, twice(seen), cfg)
		k.publish(text("a", "x"))
		k.takeError()
	})
}

func TestDeclareNone(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		cfg := consumer.Config{Declare: consumer.DeclareNone, Retry: retry.Fixed(1, 100*time.Millisecond)}
		if e := refused(k, cfg); e.Verb != "consume" || e.Queue != k.queue {
			t.Errorf("%+v", e)
		}
		plan := newConsumer(k, ack, cfg).Plan()
		for _, q := range plan.Queues() {
			k.declare(q.Name, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": k.queue, "x-message-ttl": int64(100)})
			if q.Name != plan.Retry[0].Name {
				k.delete(q.Name)
				k.declare(q.Name, nil) // anything goes
			}
		}
		seen := make(chan message, 2)
		run(k, twice(seen), cfg)
		k.publish(text("a", "x"))
		k.takeError()
		if n := len(of[monitoring.QueuesDeclared](k.events)); n > 0 {
			t.Error("it says that it has declared something")
		}
	})
}

// Matrix row 13.
func TestWithoutPermissions(t *testing.T) {
	t.Parallel()
	brokers.Alone(t, nil, brokers.Trial{
		Name: "reader", Test: testWithoutPermissions,
		Options: rabbittest.Options{Users: []rabbittest.User{
			{Name: "guest", Password: "guest"},
			{Name: "reader", Password: "pw", Configure: regexp.MustCompile("^$")},
		}},
	})
}

func testWithoutPermissions(t *testing.T, n *brokers.Node) {
	admin := newKit(t, n.Broker)
	reader := n.Broker
	reader.URL = strings.Replace(n.URL, "guest:guest@", "reader:pw@", 1)
	if reader.URL == n.URL {
		t.Fatalf("the URL is %s", n.URL)
	}
	k := newKit(t, reader)
	k.queue = admin.queue
	c, err := consumer.New(k.conn, k.queue, ack, consumer.Config{})
	must(t, err)
	var e *consumer.DeclareError
	if err := c.Run(t.Context()); !errors.As(err, &e) || e.Verb != "declare" || e.Queue != k.queue+".error" {
		t.Errorf("Run returned %v", err)
	}
	var broker *amqp.Error
	if !errors.As(e, &broker) || broker.Code != amqp.AccessRefused {
		t.Errorf("the cause is %v", e.Err)
	}
	// Who may not configure can consume what others have declared.
	admin.declarePlan(c.Plan())
	c, err = consumer.New(k.conn, k.queue, func(context.Context, message) consumer.Outcome { return consumer.Error(errBank) },
		consumer.Config{Declare: consumer.DeclareNone})
	must(t, err)
	k.waitReady(start(t, c))
	admin.publish(text("a", "x"))
	admin.takeError()
}
