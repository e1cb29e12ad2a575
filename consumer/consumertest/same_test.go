package consumertest_test

import (
	"context"
	"maps"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/consumer/consumertest"
	"github.com/warren-mq/warren/internal/brokers"
	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
)

func TestMain(m *testing.M) { rabbitmq.Main(m) }

// sameCase is a message, and what its handler says to it.
type sameCase struct {
	message amqp.Publishing
	says    func() consumer.Outcome
}

// sameCases come to the queue of that name.
func sameCases(queue string) map[string]sameCase {
	carrying := func(headers amqp.Table) amqp.Publishing {
		maps.Copy(headers, amqp.Table{"warren-queue": queue})
		return amqp.Publishing{Headers: headers, Body: []byte(`{}`)}
	}
	plain := amqp.Publishing{Body: []byte(`{}`), Headers: amqp.Table{"trace": "abc", "n": int32(7), "deep": amqp.Table{"l": []any{"x"}}}, Type: "order.new", Priority: 3}
	outcome := func(o consumer.Outcome) func() consumer.Outcome { return func() consumer.Outcome { return o } }
	late := carrying(amqp.Table{"warren-attempt": int64(3), "warren-failures": []any{"one", "two"}, "warren-first-failure": "2026-01-01T00:00:00Z"})
	return map[string]sameCase{
		"ack":                {plain, outcome(consumer.Ack())},
		"retry":              {plain, outcome(consumer.Retry(errBank))},
		"retry of nothing":   {plain, outcome(consumer.Retry(nil))},
		"second retry":       {carrying(amqp.Table{"warren-attempt": int64(2), "mine": "kept"}), outcome(consumer.Retry(errBank))},
		"last attempt":       {late, outcome(consumer.Retry(errBank))},
		"error":              {plain, outcome(consumer.Error(errBank))},
		"error at last":      {late, outcome(consumer.Error(errBank))},
		"retry after":        {plain, outcome(consumer.RetryAfter(50*time.Hour, errBank))},
		"defer":              {plain, outcome(consumer.Defer(3*time.Hour, errBank))},
		"defer once more":    {carrying(amqp.Table{"warren-deferred-since": time.Now().Add(-time.Hour).UnixMilli()}), outcome(consumer.Defer(3*time.Hour, nil))},
		"expired":            {carrying(amqp.Table{"warren-deferred-since": time.Now().Add(-25 * time.Hour).UnixMilli()}), outcome(consumer.Defer(time.Hour, errBank))},
		"panic":              {plain, func() consumer.Outcome { panic("boom") }},
		"panic at last":      {late, func() consumer.Outcome { panic(errBank) }},
		"undecodable":        {amqp.Publishing{Body: []byte("x"), ContentType: "application/json"}, outcome(consumer.Ack())},
		"invalid":            {amqp.Publishing{Body: []byte(`{"Cents":-1}`)}, outcome(consumer.Ack())},
		"unknown encoding":   {amqp.Publishing{Body: []byte(`{}`), ContentEncoding: "zip"}, outcome(consumer.Ack())},
		"what is not resent": {amqp.Publishing{Body: []byte(`{}`), Expiration: "360000000", UserId: "guest", Headers: amqp.Table{"x-delivery-count": int64(5), "x-mine": "y"}}, outcome(consumer.Error(errBank))},
		"a forged attempt":   {carrying(amqp.Table{"warren-attempt": "many"}), outcome(consumer.Retry(errBank))},
		"too early":          {carrying(amqp.Table{"warren-not-before": time.Now().Add(90 * time.Minute).UnixMilli()}), outcome(consumer.Ack())},
		"too large headers":  {carrying(amqp.Table{"warren-attempt": int64(3), "large": strings.Repeat("x", 126_000)}), func() consumer.Outcome { panic("boom") }},
	}
}

// seen is what a consumer's monitor is told at the end of a delivery.
type seen struct {
	mu   sync.Mutex
	ends map[string]consumertest.Result
}

func (s *seen) Observe(_ context.Context, event monitoring.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e := event.(type) {
	case monitoring.Acked:
		s.ends[e.MessageID] = consumertest.Result{Fate: consumertest.Acked}
	case monitoring.Retried:
		s.ends[e.MessageID] = consumertest.Result{Fate: consumertest.Retried, Failure: e.Failure, Err: e.Err, Wait: e.Wait, To: e.To}
	case monitoring.Deferred:
		s.ends[e.MessageID] = consumertest.Result{Fate: consumertest.Deferred, Err: e.Err, Wait: e.Wait, To: e.To}
	case monitoring.Errored:
		s.ends[e.MessageID] = consumertest.Result{Fate: consumertest.Errored, Failure: e.Failure, Reason: e.Reason, Err: e.Err, To: e.To}
	case monitoring.Held:
		s.ends[e.MessageID] = consumertest.Result{Fate: consumertest.Held, Wait: e.Left, To: e.To}
	}
}

// of waits for the end of a message.
func (s *seen) of(t *testing.T, id string) consumertest.Result {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		r, ok := s.ends[id]
		s.mu.Unlock()
		if ok {
			return r
		}
	}
	t.Fatalf("%s does not end", id)
	return consumertest.Result{}
}

// What is said here is what a consumer does with the same message on a broker, to the last header.
func TestAConsumerDoesTheSame(t *testing.T) {
	t.Parallel()
	brokers.Each(t, func(t *testing.T, b brokers.Broker) {
		queue := rabbitmq.Name(t, "same")
		cases := sameCases(queue)
		handle := func(_ context.Context, m consumer.Message[order]) consumer.Outcome { return cases[m.ID].says() }
		cfg := consumer.Config{Retry: retry.Steps(time.Hour, 2*time.Hour)}

		told := &seen{ends: map[string]consumertest.Result{}}
		conn, err := connection.Open(t.Context(), b.URL, connection.Config{Dial: b.Dial, Monitor: told})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(context.Background()) }()
		c, err := consumer.New(conn, queue, handle, cfg)
		if err != nil {
			t.Fatal(err)
		}
		plan := c.Plan()
		all := []string{plan.Main.Name, plan.Error.Name}
		for _, r := range append(plan.Retry, plan.Rungs...) {
			all = append(all, r.Name)
		}
		b.Delete(t, all...)
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- c.Run(ctx) }()
		<-c.Ready()

		client, err := b.Client()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Close() }()
		ch, err := client.Channel()
		if err != nil {
			t.Fatal(err)
		}
		for id, test := range cases {
			test.message.MessageId = id
			if err := ch.PublishWithContext(ctx, "", queue, true, false, test.message); err != nil {
				t.Fatal(err)
			}
			did := told.of(t, id)
			m := test.message
			said := consumertest.RunDelivery(t.Context(), t, handle, amqp.Delivery{
				RoutingKey: queue, MessageId: id, Body: m.Body, Headers: m.Headers, ContentType: m.ContentType,
				ContentEncoding: m.ContentEncoding, Expiration: m.Expiration, UserId: m.UserId, Type: m.Type, Priority: m.Priority,
			}, cfg)
			if said.Fate != did.Fate || said.Failure != did.Failure || said.Reason != did.Reason || said.To != did.To ||
				(said.Wait-did.Wait).Abs() > time.Minute || text(said.Err) != text(did.Err) {
				t.Errorf("%s: it is said to be\n%+v, and is\n%+v", id, said, did)
			}
			if said.To == "" {
				continue
			}
			d, ok, err := ch.Get(said.To, true)
			if err != nil || !ok {
				t.Errorf("%s: it is not in %s: %v", id, said.To, err)
				continue
			}
			if got, want := lasting(d.Headers), lasting(said.Sent.Headers); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: the headers are said to be\n%v, and are\n%v", id, want, got)
			}
			if string(d.Body) != string(said.Sent.Body) || d.ContentType != said.Sent.ContentType || d.Type != said.Sent.Type ||
				d.Priority != said.Sent.Priority || d.Expiration != said.Sent.Expiration || d.UserId != said.Sent.UserId {
				t.Errorf("%s: it is said to be\n%+v, and is\n%+v", id, said.Sent, d)
			}
		}
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
}

// lasting are the headers that do not tell the time, nor where the goroutine was, nor are the queue's own.
func lasting(headers amqp.Table) amqp.Table {
	kept := amqp.Table{}
	for name, v := range headers {
		switch name {
		case "x-delivery-count":
			continue
		case "warren-due", "warren-not-before", "warren-not-after", "warren-deferred-since", "warren-first-failure", "warren-last-failure", "warren-stack":
			v = v != nil
		case "warren-failures":
			var list []any
			for _, line := range v.([]any) {
				_, after, _ := strings.Cut(line.(string), " attempt ")
				list = append(list, ageless(after))
			}
			v = list
		case "warren-error":
			v = ageless(v.(string))
		}
		kept[name] = v
	}
	return kept
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return ageless(err.Error())
}

// ageless is a text without the seconds of an age, which go on while a message travels.
func ageless(text string) string { return age.ReplaceAllString(text, "for 25h") }

var age = regexp.MustCompile(`for 25h\d+m\d+s`)
