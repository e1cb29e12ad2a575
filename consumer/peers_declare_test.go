package consumer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

// Whoever comes first declares, and the broker has nothing against what the other declares then: not one argument, flag
// or type differs, or this would end with a 406.
func TestPeersAndWarrenDeclareTheSame(t *testing.T) {
	t.Parallel()
	besidePeers(t, func(t *testing.T, first *kit, w wayOf) {
		cfg := consumer.Config{Waiting: w.waiting, Retry: retry.Fixed(peerMax, peerWait)}
		t.Log("theirs, ours, theirs")
		w.library.declare(t, first.channel(), first.queue)
		first.deletePeersLater()
		run(first, ack, cfg)
		w.library.declare(t, first.channel(), first.queue)

		t.Log("ours, theirs, ours")
		second := newKit(t, first.broker)
		c := newConsumer(second, ack, cfg)
		must(t, c.Declare(t.Context()))
		w.library.declare(t, second.channel(), second.queue)
		must(t, c.Declare(t.Context()))
		second.waitReady(start(second, c))
		if p := c.Plan(); p.Waiting != w.waiting.String() {
			t.Errorf("the plan is for %q", p.Waiting)
		}

		t.Log("ours, where the other library was before")
		for _, other := range libraries() {
			if other.waiting != w.waiting {
				k := newKit(t, first.broker)
				other.library.declare(t, k.channel(), k.queue)
				k.deletePeersLater()
				if e := refused(k, cfg); e.Verb != "declare" || e.Argument == "" {
					t.Errorf("%+v", e)
				}
			}
		}
	})
}

// The names that Kicks lets its users change, and an exchange of their own.
func TestNamesOfKicks(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		q := k.queue
		cfg := consumer.Config{
			Waiting: consumer.Kicks, Retry: retry.Fixed(1, 100*time.Millisecond),
			Kicks:    topology.KicksNames{Retry: q + ".later", Error: q + ".failed", Requeue: q + ".again"},
			Bindings: []consumer.Binding{{Exchange: q + ".events", Kind: "topic", Keys: []string{"order.*", "refund"}}},
		}
		keys := make(chan string, 10)
		run(k, func(_ context.Context, m message) consumer.Outcome {
			keys <- m.Key
			return consumer.Retry(errBank)
		}, cfg)
		k.publishTo(q+".events", "order.new", text("a", "x"))
		d := k.take(q+".failed", 1)[0]
		if d.Exchange != q+".failed" || d.RoutingKey != "order.new" || d.Headers["warren-attempts"] != int64(2) || d.Headers["warren-origin-key"] != "order.new" {
			t.Errorf("%s %s %v", d.Exchange, d.RoutingKey, d.Headers)
		}
		for range 2 {
			if key := <-keys; key != "order.new" {
				t.Errorf("the key is %q", key)
			}
		}
		retried := waitFor[monitoring.Retried](k, 1)
		if retried[0].To != q+".later" || retried[0].Wait != 100*time.Millisecond {
			t.Errorf("%+v", retried[0])
		}
		if e := waitFor[monitoring.Errored](k, 1); e[0].To != q+".failed" {
			t.Errorf("%+v", e[0])
		}
	})
}

// Without an exchange of theirs, and with a main queue that is somebody else's.
func TestKicksUnbound(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		unbound := consumer.Config{Waiting: consumer.Kicks, KicksUnbound: true}
		for name, cfg := range map[string]consumer.Config{
			"unbound": unbound, "not ours": {Waiting: consumer.Kicks, Declare: consumer.DeclareOwn},
		} {
			for _, b := range newConsumer(k, ack, cfg).Plan().Bindings {
				if b.Exchange == topology.KicksExchange {
					t.Errorf("%s: it binds to %s", name, b.Exchange)
				}
			}
		}
		run(k, ack, unbound)
		k.publish(text("a", "x"))
		waitFor[monitoring.Acked](k, 1)
	})
}

func TestPeersThatNewRefuses(t *testing.T) {
	conn, err := connection.New("amqp://localhost", connection.Config{})
	must(t, err)
	for _, test := range []struct {
		queue string
		cfg   consumer.Config
		want  string // "" if it is taken
	}{
		{"q", consumer.Config{Waiting: consumer.Kicks}, ""},
		{"q", consumer.Config{Waiting: consumer.Kicks, Retry: retry.None()}, ""},
		{"q", consumer.Config{Waiting: consumer.Kicks, Retry: retry.Exponential(9, time.Second, time.Second)}, ""},
		{
			"q",
			consumer.Config{Waiting: consumer.Kicks, Retry: retry.Exponential(5, time.Second, 0)},
			"Config.Retry has 5 waits, but Kicks has one queue to wait in: the nearest is retry.Fixed(5, 4s), if that is Kicks' retry_timeout",
		},
		{"q", consumer.Config{Waiting: consumer.Kicks, Kicks: topology.KicksNames{Error: "q"}}, "two queues"},
		{"q", consumer.Config{Kicks: topology.KicksNames{Error: "x"}}, "Config.Kicks is set, but Config.Waiting is tiers"},
		{"q", consumer.Config{Waiting: consumer.Bunnicula, KicksUnbound: true}, "Config.Kicks is set, but Config.Waiting is bunnicula"},
		{"q", consumer.Config{Waiting: consumer.Bunnicula, Retry: retry.Exponential(5, time.Second, 0)}, ""},
		{strings.Repeat("q", 242), consumer.Config{}, ""},
		{strings.Repeat("q", 242), consumer.Config{Waiting: consumer.Bunnicula}, "has 256 bytes"},
		{strings.Repeat("q", 242), consumer.Config{Waiting: consumer.Kicks}, "has 256 bytes"},
	} {
		_, err := consumer.New(conn, test.queue, ack, test.cfg)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%v, %v: %v, want %q", test.cfg.Waiting, test.cfg.Retry, err, test.want)
		}
	}
}

// Bunnicula's exchanges for retries do not survive the broker: we are back first, perhaps, and declare them before
// anything is lost for want of them.
func TestPeersAreDeclaredAgainAfterARestart(t *testing.T) {
	t.Parallel()
	var trials []brokers.Trial
	for _, w := range libraries() {
		trials = append(trials, brokers.Trial{Name: w.waiting.String(), Test: func(t *testing.T, node *brokers.Node) {
			k := newNodeKit(t, node)
			c, err := consumer.New(k.conn, k.queue, ack, consumer.Config{Waiting: w.waiting, Retry: retry.Fixed(peerMax, peerWait)})
			must(t, err)
			r := start(k, c)
			k.waitReady(r)
			node.Sync()
			node.Restart()
			waitFor[monitoring.ConsumerReady](k, 2)
			for _, e := range c.Plan().Exchanges {
				must(t, k.channel().ExchangeDeclarePassive(e.Name, e.Kind, e.Durable, e.AutoDelete, false, false, nil))
			}
			// A message that a peer puts off takes the way through all of them.
			k.publishTo(k.queue+"-retry", "#", amqp.Publishing{MessageId: "a", Expiration: "100"})
			eventually(t, "the message", func() bool { return strings.HasPrefix(k.events.endings("a"), "Acked") })
			must(t, r.stop())
			k.deletePeersLater()
		}})
	}
	brokers.Alone(t, nil, trials...)
}

// An error exchange that has gone, and an error queue: nothing is acknowledged before they are back.
func TestErrorExchangeOfPeersIsMissing(t *testing.T) {
	t.Parallel()
	besidePeers(t, func(t *testing.T, k *kit, w wayOf) {
		r := run(k, func(context.Context, message) consumer.Outcome { return consumer.Error(errBank) }, consumer.Config{Waiting: w.waiting})
		name := r.Plan().Error.Name
		for id, remove := range map[string]func(ch *amqp.Channel) error{
			"no exchange": func(ch *amqp.Channel) error { return ch.ExchangeDelete(name, false, false) },
			"no queue": func(ch *amqp.Channel) error {
				_, err := ch.QueueDelete(name, false, false, false)
				return err
			},
			"no binding": func(ch *amqp.Channel) error { return ch.QueueUnbind(name, "#", name, nil) },
		} {
			must(t, remove(k.channel()))
			k.publish(text(id, "x"))
			eventually(t, id, func() bool { return k.events.endings(id) == "Errored 1" })
			if d := k.take(name, 1)[0]; d.MessageId != id || d.Exchange != name {
				t.Errorf("%s: %s from %s", id, d.MessageId, d.Exchange)
			}
		}
	})
}

// Kicks' way is to reject. On a queue of someone else that does not dead-letter what is rejected, such as one of Bunnicula,
// whose names are the same, the broker would delete each message that is to be retried: it must not be consumed.
func TestKicksOnAQueueThatDoesNotDeadLetter(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		clojure{}.declare(t, k.channel(), k.queue)
		k.deletePeersLater()
		k.publish(text("a", "x"))
		cfg := consumer.Config{Waiting: consumer.Kicks, Declare: consumer.DeclareCheck}
		e := refused(k, cfg)
		if e.Verb != "check" || e.Queue != k.queue || e.Argument != "x-dead-letter-exchange" || e.Ours != k.queue+"-retry" {
			t.Errorf("%+v", e)
		}
		if n := k.ready(k.queue); n != 1 {
			t.Errorf("%d messages are left", n)
		}
	})
}

// Queues of Kicks with arguments of their users are taken as they are: they dead-letter.
func TestKicksOnAQueueWithOtherArguments(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		ruby{}.declare(t, k.channel(), k.queue)
		k.deletePeersLater()
		k.delete(k.queue)
		k.declare(k.queue, amqp.Table{"x-dead-letter-exchange": k.queue + "-retry", "x-max-length": int32(1000)})
		must(t, k.channel().QueueBind(k.queue, "#", k.queue+"-retry-requeue", false, nil))
		for _, d := range []consumer.Declare{consumer.DeclareCheck, consumer.DeclareOwn, consumer.DeclareNone} {
			c := newConsumer(k, failOnce, consumer.Config{Waiting: consumer.Kicks, Declare: d, Retry: retry.Fixed(1, peerWait)})
			r := start(k, c)
			k.waitReady(r)
			acked := len(of[monitoring.Acked](k.events))
			k.publish(text(d.String(), "x"))
			waitFor[monitoring.Acked](k, acked+1)
			must(t, r.stop())
		}
	})
}

// Only what is there is used: what is missing is told, and nothing declared.
func TestPeersWithDeclareCheck(t *testing.T) {
	t.Parallel()
	besidePeers(t, func(t *testing.T, k *kit, w wayOf) {
		cfg := consumer.Config{Waiting: w.waiting, Declare: consumer.DeclareCheck, Retry: retry.Fixed(1, peerWait)}
		if e := refused(k, cfg); e.Verb != "check" {
			t.Errorf("%+v", e)
		}
		w.library.declare(t, k.channel(), k.queue)
		k.deletePeersLater()
		c := newConsumer(k, ack, cfg)
		var missing *consumer.DeclareError
		switch err := c.Declare(t.Context()); w.waiting {
		case consumer.Bunnicula: // our own retry queue is not there yet
			if !errors.As(err, &missing) || missing.Queue != topology.RetryQueue(k.queue, peerWait) {
				t.Errorf("%v", err)
			}
		default:
			must(t, err)
		}
	})
}
