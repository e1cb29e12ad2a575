package errorqueue_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/connection"
	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/errorqueue"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

// all collects the entries of the error queue.
func (k *kit) all() []errorqueue.Entry {
	k.Helper()
	var list []errorqueue.Entry
	for e, err := range k.queue(errorqueue.Config{}).All(k.Context(), errorqueue.Filter{}) {
		must(k, err)
		list = append(list, e)
	}
	return list
}

// What a consumer of Warren has moved there is told in full.
func TestEntriesOfWarren(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		began := time.Now().Add(-2 * time.Second)
		c, err := consumer.New(k.conn, k.main, func(_ context.Context, m consumer.Message[[]byte]) consumer.Outcome {
			if m.Attempt == 1 {
				return consumer.Retry(errors.New("the bank is down"))
			}
			return consumer.Error(&os.PathError{Op: "open", Path: "card", Err: os.ErrNotExist})
		}, consumer.Config{Retry: retry.Fixed(3, 50*time.Millisecond)})
		must(t, err)
		for _, q := range c.Plan().Queues() {
			k.broker.Delete(t, q.Name)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		<-c.Ready()
		must(t, k.channel().Publish("", k.main, true, false, amqp.Publishing{
			MessageId: "17", Type: "charge", CorrelationId: "c", AppId: "shop", ContentType: "application/json", ReplyTo: "answers", Priority: 3,
			Timestamp: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Headers: amqp.Table{"tenant": "acme", "deep": amqp.Table{"n": int16(4), "list": []any{true, nil}}},
			Body: []byte(`{"cents":1200}`),
		}))
		eventually(t, "the entry", func() bool { return k.ready(k.name) == 1 })
		stop()
		must(t, <-done)

		e := k.all()[0]
		if e.ID != "17" || e.Position != 1 || e.Queue != k.main || e.Source != errorqueue.SourceWarren || e.Reason != "rejected" ||
			e.Error != "open card: file does not exist" || e.ErrorType != "*fs.PathError" || e.Attempts != 2 || e.OriginExchange != "" || e.OriginKey != k.main ||
			e.Host == "" || e.Process == "" || e.Looks != 0 || e.Replays != 0 || len(e.Cut) != 0 {
			t.Errorf("%+v", e)
		}
		if e.FirstFailure.Before(began) || !e.LastFailure.After(e.FirstFailure) || len(e.Failures) != 2 || !strings.Contains(e.Failures[0], "the bank is down") {
			t.Errorf("first %v, last %v: %q", e.FirstFailure, e.LastFailure, e.Failures)
		}
		if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(e.Fingerprint) {
			t.Errorf("fingerprint %q", e.Fingerprint)
		}
		m := e.Message
		if m.ID != "17" || m.Type != "charge" || m.CorrelationID != "c" || m.AppID != "shop" || m.ContentType != "application/json" || m.ReplyTo != "answers" ||
			m.Priority != 3 || m.DeliveryMode != amqp.Persistent || m.Timestamp.Unix() != 1772366400 || m.Key != k.name || string(m.Body) != `{"cents":1200}` {
			t.Errorf("%+v", m)
		}
		if deep := m.Headers["deep"]; m.Headers["tenant"] != "acme" || !reflect.DeepEqual(deep, map[string]any{"n": int16(4), "list": []any{true, nil}}) {
			t.Errorf("headers %v", m.Headers)
		}
	})
}

// What the broker has moved by itself has its own note, and what Warren has left on it.
func TestEntriesOfTheBroker(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, k *kit) {
		plan := topology.Tiers(k.main, topology.Quorum, nil)
		plan.Main.Args["x-delivery-limit"] = int64(1)
		ch := k.channel()
		for _, q := range plan.Queues() {
			_, err := ch.QueueDeclare(q.Name, true, false, false, false, q.Args)
			must(t, err)
		}
		must(t, ch.QueueBind(k.main, k.main, "amq.topic", false, nil))
		must(t, ch.Publish("amq.topic", k.main, true, false, amqp.Publishing{DeliveryMode: 2, Body: []byte("x"), Headers: amqp.Table{
			"warren-queue": k.main, "warren-attempt": int64(3), "warren-failures": []any{"earlier"}, "warren-reason": "exhausted", "warren-error": "of another life",
			"warren-origin-exchange": "amq.topic", "warren-origin-key": k.main,
		}}))
		deliveries, err := ch.Consume(k.main, "", false, false, false, false, nil)
		must(t, err)
		for range 2 {
			must(t, (<-deliveries).Reject(true))
		}
		eventually(t, "the entry", func() bool { return k.ready(k.name) == 1 })
		e := k.all()[0]
		if e.ID != "#2d711642b726b044" || e.Queue != k.main || e.Source != errorqueue.SourceBroker || e.Reason != "delivery_limit" || e.Error != "" || e.Attempts != 3 ||
			e.OriginExchange != "amq.topic" || e.OriginKey != k.main || len(e.Failures) != 1 || e.Looks != 0 || e.Fingerprint == "" {
			t.Errorf("%+v", e)
		}
		if age := time.Since(e.LastFailure); age < -time.Minute || age > time.Minute {
			t.Errorf("it died %v ago", age)
		}
		if again, err := k.queue(errorqueue.Config{}).Get(t.Context(), e.ID); err != nil || again.Fingerprint != e.Fingerprint {
			t.Errorf("%+v, %v", again, err)
		}
	})
}

// Those of the other libraries are told as far as their headers go.
func TestEntriesOfPeers(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "internal", "header", "testdata", "kicks.error.json"))
	must(t, err)
	var kicks []struct {
		Headers map[string]struct {
			Value string `json:"v"`
		} `json:"headers"`
	}
	must(t, json.Unmarshal(text, &kicks))
	onBoth(t, func(t *testing.T, k *kit) {
		k.name = k.main + "-error"
		k.broker.Delete(t, k.name)
		k.declare(amqp.Table{})
		k.publish(
			amqp.Publishing{Body: []byte("k"), Headers: amqp.Table{"retry_info": kicks[0].Headers["retry_info"].Value}},
			amqp.Publishing{Body: []byte("b"), Headers: amqp.Table{"retry-attempts": int64(4)}},
			amqp.Publishing{Body: []byte("?"), Headers: amqp.Table{"x": int64(4)}},
		)
		q := k.queue(errorqueue.Config{ErrorQueue: k.name})
		var list []errorqueue.Entry
		for e, err := range q.All(t.Context(), errorqueue.Filter{}) {
			must(t, err)
			list = append(list, e)
		}
		if len(list) != 3 {
			t.Fatal(list)
		}
		if e := list[0]; e.Source != errorqueue.SourceKicks || e.Reason != "exhausted" || e.ErrorType != "RuntimeError" || e.Attempts != 3 || e.Queue != "q.kicks" {
			t.Errorf("Kicks: %+v", e)
		}
		if e := list[1]; e.Source != errorqueue.SourceBunnicula || e.Reason != "" || e.Attempts != 4 || e.Fingerprint == "" {
			t.Errorf("Bunnicula: %+v", e)
		}
		if e := list[2]; e.Source != errorqueue.SourceUnknown || e.Attempts != 0 || e.Fingerprint == list[0].Fingerprint {
			t.Errorf("unknown: %+v", e)
		}
	})
}

// An entry that the client library cannot read ends the call, and its connection, and stays. Consumers on the same
// Connection do not notice.
func TestAnUnreadableEntry(t *testing.T) {
	t.Parallel()
	deep := any("end")
	for range 20 {
		deep = amqp.Table{"x": []any{deep}}
	}
	onBoth(t, func(t *testing.T, k *kit) {
		k.declare(nil)
		k.publish(numbered(2)...)
		k.publish(amqp.Publishing{MessageId: "3", Headers: amqp.Table{"deep": deep}})
		shared, err := k.conn.Session(t.Context(), connection.Consume)
		must(t, err)
		_, err = k.queue(errorqueue.Config{}).Get(t.Context(), "none")
		if !errors.Is(err, errorqueue.ErrLost) || !errors.Is(err, connection.ErrUnreadable) {
			t.Errorf("%v", err)
		}
		if s := err.Error(); !strings.Contains(s, "cannot read") || !strings.Contains(s, "after number ") {
			t.Error(s)
		}
		if err := shared.Err(); err != nil {
			t.Errorf("the connection of the others ended: %v", err)
		}
		eventually(t, "the broker to take them back", func() bool { return k.ready(k.name) == 3 })
	})
}

// Headers of every kind come as they are, as deep as the client reads them.
func TestHeadersOfEveryType(t *testing.T) {
	t.Parallel()
	deep := any("end")
	for range 15 {
		deep = amqp.Table{"x": []any{deep}}
	}
	onBoth(t, func(t *testing.T, k *kit) {
		k.declare(nil)
		at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		want := amqp.Table{
			"t": true, "b": int8(-1), "s": int16(-2), "I": int32(-3), "l": int64(-4), "f": float32(0.5), "d": 0.25, "S": "text", "x": []byte{0, 255},
			"T": at, "D": amqp.Decimal{Scale: 2, Value: 1200}, "V": nil, "A": []any{int32(1), "two"}, "deep": deep,
		}
		k.publish(amqp.Publishing{Headers: want})
		got := k.all()[0].Message.Headers
		got["T"] = got["T"].(time.Time).UTC()
		if len(got) != len(want) {
			t.Errorf("%v", got)
		}
		for name, v := range want {
			if name != "deep" && !reflect.DeepEqual(got[name], v) {
				t.Errorf("%s is %v (%T), not %v", name, got[name], got[name], v)
			}
		}
		v := got["deep"]
		for range 15 {
			v = v.(map[string]any)["x"].([]any)[0]
		}
		if v != "end" {
			t.Error(v)
		}
	})
}
