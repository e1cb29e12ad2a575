package consumer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
)

// deleteExchangeLater deletes an exchange when the test ends.
func (k *kit) deleteExchangeLater(name string) {
	k.Cleanup(func() {
		ch, err := k.client().Channel()
		if err == nil {
			err = ch.ExchangeDelete(name, false, false)
		}
		if err != nil {
			k.Errorf("clean up: %v", err)
		}
	})
}

// The main queue is bound to exchanges, which are declared, too, if they have a kind. A message comes with what it was
// published with, also at later attempts and in the error queue.
func TestBindings(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		topic, direct, fanout, headers := k.queue+".topic", k.queue+".direct", k.queue+".fanout", k.queue+".headers"
		for _, name := range []string{topic, direct, fanout, headers} {
			k.client()
			k.deleteExchangeLater(name)
		}
		must(t, k.channel().ExchangeDeclare(direct, "direct", false, false, false, false, nil)) // someone else's
		seen := make(chan message, 20)
		cfg := consumer.Config{Retry: retry.Fixed(1, 100*time.Millisecond), Bindings: []consumer.Binding{
			{Exchange: topic, Kind: "topic", Keys: []string{"order.*", "refund.#"}},
			{Exchange: direct, Keys: []string{"one", "two"}},
			{Exchange: fanout, Kind: "fanout", Transient: true},
			{Exchange: headers, Kind: "headers", Args: map[string]any{"x-match": "all", "kind": "order", "version": 2}},
		}}
		r := run(k, twice(seen), cfg)
		if plan := r.Plan(); len(plan.Exchanges) != 3 || len(plan.Bindings) != 6 {
			t.Errorf("%+v", plan)
		}
		for _, test := range []struct {
			exchange, key string
			headers       amqp.Table
		}{
			{topic, "order.made", nil},
			{topic, "refund.x.y", nil},
			{direct, "two", nil},
			{fanout, "whatever", nil},
			{headers, "", amqp.Table{"kind": "order", "version": int64(2)}},
		} {
			k.publishTo(test.exchange, test.key, amqp.Publishing{MessageId: test.exchange + test.key, Headers: test.headers})
			for attempt := 1; attempt <= 2; attempt++ {
				if m := <-seen; m.Exchange != test.exchange || m.Key != test.key || m.Attempt != attempt {
					t.Errorf("attempt %d of %s, %q came by %q, %q", m.Attempt, test.exchange, test.key, m.Exchange, m.Key)
				}
			}
			d := k.takeError()
			if d.Headers["warren-origin-exchange"] != test.exchange || d.Headers["warren-origin-key"] != test.key || d.Headers["warren-origin-queue"] != k.queue {
				t.Errorf("%v", d.Headers)
			}
		}
		for _, e := range of[monitoring.Errored](k.events) {
			if e.Exchange+e.Key != e.MessageID {
				t.Errorf("the event says that it came by %q, %q", e.Exchange, e.Key)
			}
		}
		must(t, r.stop())
		if err := run(k, twice(seen), cfg).stop(); err != nil { // once more is no contradiction
			t.Error(err)
		}
	})
}

func TestBindingsThatAreRefused(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		missing, other := k.queue+".missing", k.queue+".other"
		ch := k.channel()
		must(t, ch.ExchangeDeclare(other, "direct", true, false, false, false, nil))
		k.deleteExchangeLater(other)
		for name, test := range map[string]struct {
			binding                consumer.Binding
			verb, exchange         string
			code                   int
			argument, ours, theirs string
		}{
			"no such exchange":       {consumer.Binding{Exchange: missing}, "bind to", missing, amqp.NotFound, "", "", ""},
			"another kind":           {consumer.Binding{Exchange: other, Kind: "topic"}, "declare", other, amqp.PreconditionFailed, "type", "topic", "direct"},
			"not durable":            {consumer.Binding{Exchange: other, Kind: "direct", Transient: true}, "declare", other, amqp.PreconditionFailed, "durable", "false", "true"},
			"a name of the broker's": {consumer.Binding{Exchange: "amq.mine", Kind: "topic"}, "declare", "amq.mine", amqp.AccessRefused, "", "", ""},
		} {
			e := refused(k, consumer.Config{Bindings: []consumer.Binding{test.binding}})
			var broker *amqp.Error
			if !errors.As(e, &broker) || broker.Code != test.code || e.Verb != test.verb || e.Queue != test.exchange ||
				e.Argument != test.argument || e.Ours != test.ours || e.Theirs != test.theirs {
				t.Errorf("%s: %+v: %v", name, e, e)
			}
		}
		// What RabbitMQ has by itself can be bound to, with or without a kind.
		for _, b := range []consumer.Binding{{Exchange: "amq.topic", Keys: []string{k.queue}}, {Exchange: "amq.topic", Kind: "topic", Keys: []string{k.queue}}} {
			r := run(k, func(context.Context, message) consumer.Outcome { return consumer.Ack() }, consumer.Config{Bindings: []consumer.Binding{b}})
			k.publishTo("amq.topic", k.queue, text("x", "x"))
			eventually(t, "it", func() bool { return len(of[monitoring.Acked](k.events)) > 0 })
			must(t, r.stop())
		}
	})
}
