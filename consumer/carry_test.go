package consumer_test

import (
	"context"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/monitoring"
	"github.com/warren-mq/warren/retry"
	"github.com/warren-mq/warren/topology"
)

// twice retries a message once and then moves it to the error queue, and reports what it was given.
func twice(seen chan<- message) consumer.Handler[[]byte] {
	return func(_ context.Context, m message) consumer.Outcome {
		seen <- m
		if m.Attempt == 1 {
			return consumer.Retry(errBank)
		}
		return consumer.Error(errBank)
	}
}

var soon = consumer.Config{Retry: retry.Fixed(1, 100*time.Millisecond)}

// PEER-BUGS test 13, and every property besides: what its sender has put on a message is there at every attempt and in the
// error queue, but for what must not be sent again.
func TestPropertiesSurvive(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		seen := make(chan message, 2)
		run(k, twice(seen), soon)
		headers := amqp.Table{
			"int8": int8(-8), "int16": int16(-16), "int32": int32(-32), "int64": int64(math.MinInt64), "byte": byte(200),
			"uint16": uint16(65535), "uint32": uint32(math.MaxUint32), "float32": float32(1.5), "float64": math.Pi,
			"true": true, "nil": nil, "text": "größer", "no UTF-8": "\xff\xfe", "empty": "", "bytes": []byte{0, 1, 2}, "time": time.Unix(1_700_000_000, 0),
			"decimal": amqp.Decimal{Scale: 2, Value: 1234}, "array": []any{int32(1), "two", []any{nil}},
			"table": amqp.Table{"deep": amqp.Table{"er": []any{int16(3)}}}, "": "a header without a name",
			strings.Repeat("n", 255): "a header with a long name",
		}
		sent := amqp.Publishing{
			MessageId: "a", Body: []byte("the body\x00\xff"), Headers: headers, ContentType: "text/x; charset=utf-8", ContentEncoding: "utf-8",
			Priority: 7, CorrelationId: "corr", ReplyTo: "replies", Type: "order.made", AppId: "shop", Timestamp: time.Unix(1_600_000_000, 0),
			Expiration: "600000", UserId: "guest",
		}
		k.publish(sent)
		first, second := <-seen, <-seen
		entry := k.takeError()
		for name, got := range map[string][3]any{
			"message id": {first.ID, second.ID, entry.MessageId}, "app id": {first.AppID, second.AppID, entry.AppId},
			"content type":   {first.ContentType, second.ContentType, entry.ContentType},
			"correlation id": {first.CorrelationID, second.CorrelationID, entry.CorrelationId},
			"reply-to":       {first.ReplyTo, second.ReplyTo, entry.ReplyTo}, "type": {first.Type, second.Type, entry.Type},
			"priority":  {first.Priority, second.Priority, entry.Priority},
			"timestamp": {first.Published.Unix(), second.Published.Unix(), entry.Timestamp.Unix()},
			"body":      {string(first.Body), string(second.Body), string(entry.Body)},
		} {
			if got[0] != got[1] || got[0] != got[2] || reflect.ValueOf(got[0]).IsZero() {
				t.Errorf("the %s is %v, then %v, then %v", name, got[0], got[1], got[2])
			}
		}
		if entry.ContentEncoding != "utf-8" || entry.DeliveryMode != amqp.Persistent {
			t.Errorf("the encoding is %q, the mode %d", entry.ContentEncoding, entry.DeliveryMode)
		}
		for name, want := range headers {
			if got := entry.Headers[name]; !reflect.DeepEqual(got, want) {
				t.Errorf("header %.10q has become %T %v, was %T %v", name, got, got, want, want)
			}
		}
		if entry.Expiration != "" || entry.UserId != "" {
			t.Errorf("the expiration is %q, the user id %q", entry.Expiration, entry.UserId)
		}
		if entry.Headers["warren-original-expiration"] != "600000" || entry.Headers["warren-original-user-id"] != "guest" {
			t.Errorf("%v", entry.Headers)
		}
		if _, ok := second.Headers["table"].(map[string]any)["deep"].(map[string]any)["er"].([]any); !ok {
			t.Errorf("the handler sees the client's types: %#v", second.Headers["table"])
		}
	})
}

// What is in these would send copies to others with every retry, and hide that a queue is missing.
func TestCopiesAreSentOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		audit := k.queue + ".audit"
		k.declare(audit, nil)
		seen := make(chan message, 2)
		run(k, twice(seen), soon)
		k.publish(amqp.Publishing{MessageId: "a", Headers: amqp.Table{"CC": []any{audit}, "BCC": []any{audit}}})
		entry := k.takeError()
		if _, ok := entry.Headers["CC"]; ok {
			t.Error("CC is still there")
		}
		if got := entry.Headers["warren-original-cc"]; !reflect.DeepEqual(got, []any{audit}) {
			t.Errorf("CC was %v", got)
		}
		if n := k.ready(audit); n == 0 || n > 2 { // RabbitMQ may send one for each header
			t.Errorf("%d copies", n)
		}
	})
}

// A leftover expiration would end the wait; a lapsed one must not lose the message.
func TestExpirationDoesNotShortenTheWait(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		seen := make(chan message, 2)
		run(k, twice(seen), consumer.Config{Retry: retry.Fixed(1, 800*time.Millisecond)})
		k.publish(amqp.Publishing{MessageId: "a", Expiration: "400"})
		<-seen
		began := time.Now()
		<-seen
		if took := time.Since(began); took < 790*time.Millisecond {
			t.Errorf("it came back after %v", took)
		}
		if d := k.takeError(); d.Headers["warren-original-expiration"] != "400" {
			t.Errorf("%v", d.Headers)
		}
	})
}

// RABBITMQ.md 0.4: sent on, some of these kill a classic queue of RabbitMQ 3.10 for good, and others make it drop the
// message.
func TestHeadersOfTheBrokerAreNotSentAgain(t *testing.T) {
	t.Parallel()
	for name, classic := range map[string]bool{"quorum": false, "classic": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, k *kit) {
				seen := make(chan message, 20)
				run(k, twice(seen), consumer.Config{Retry: retry.Fixed(1, 100*time.Millisecond), Classic: classic})
				retryQueue := topology.RetryQueue(k.queue, 100*time.Millisecond)
				forms := map[string]any{
					"not tables":      []any{"a", int64(4)},
					"a count as text": []any{amqp.Table{"queue": retryQueue, "reason": "expired", "count": "NaN"}},
					"a circle": []any{
						amqp.Table{"queue": k.queue, "reason": "expired", "count": int64(1), "exchange": "", "routing-keys": []any{k.queue}, "time": time.Unix(1, 0)},
						amqp.Table{"queue": retryQueue, "reason": "expired", "count": int64(1), "exchange": "", "routing-keys": []any{retryQueue}, "time": time.Unix(1, 0)},
					},
					"text":  "x-death",
					"table": amqp.Table{"queue": retryQueue},
					"nil":   nil,
					"empty": []any{},
				}
				for name, v := range forms {
					k.publish(amqp.Publishing{MessageId: name, Headers: amqp.Table{
						"x-death": v, "x-first-death-queue": int64(7), "x-last-death-reason": []any{}, "x-delivery-count": int64(77), "x-acquired-count": "many",
					}})
				}
				for _, d := range k.take(topology.ErrorQueue(k.queue), len(forms)) {
					if d.Headers["warren-attempts"] != int64(2) || d.Headers["warren-reason"] != "rejected" {
						t.Errorf("%s: %v", d.MessageId, d.Headers)
					}
					for name, v := range d.Headers {
						if strings.HasPrefix(name, "x-") && (name != "x-delivery-count" || v != int64(0)) { // that is the error queue's own
							t.Errorf("%s: %s is sent on", d.MessageId, name)
						}
					}
				}
				for name := range forms {
					eventually(t, "the end of "+name, func() bool { return k.events.endings(name) == "Retried 1, Errored 2" })
				}
			})
		})
	}
}

// Matrix row 18, PEER-BUGS test 10: whatever the headers of ours on a foreign message are, it is handled, and told.
func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, k *kit) {
		attempts := make(chan message, 200)
		run(k, func(_ context.Context, m message) consumer.Outcome {
			attempts <- m
			return consumer.Ack()
		}, consumer.Config{})
		deep := any("end")
		for range 15 { // the client library reads 32 levels
			deep = amqp.Table{"x": []any{deep}}
		}
		values := map[string]any{
			"nil": nil, "negative": int64(-1), "zero": int64(0), "huge": int64(math.MaxInt64), "smallest": int64(math.MinInt64),
			"float": 1.5, "text": "three", "no text": "\xff\xfe", "bytes": []byte{0},
			"table": amqp.Table{"a": int64(1)}, "array": []any{int64(3)}, "deep": deep, "true": true, "time": time.Unix(1<<40, 0),
			"decimal": amqp.Decimal{Scale: 255, Value: -1}, "large": strings.Repeat("9", 50_000),
		}
		names := []string{
			"warren-queue", "warren-attempt", "warren-due", "warren-not-before", "warren-not-after", "warren-deferred-since",
			"warren-first-failure", "warren-failures", "warren-origin-exchange", "warren-origin-key", "warren-reason", "warren-cut",
			"x-delivery-count",
		}
		wanted := map[string]bool{}
		var messages []amqp.Publishing
		for _, name := range names {
			for kind, v := range values {
				h := amqp.Table{"warren-queue": k.queue, name: v}
				id := name + " " + kind
				wanted[id] = true
				messages = append(messages, amqp.Publishing{MessageId: id, Headers: h})
			}
		}
		messages = append(messages, amqp.Publishing{MessageId: "copied", Headers: amqp.Table{
			"warren-queue": "another", "warren-attempt": int64(4), "warren-not-before": time.Now().Add(time.Hour).UnixMilli(),
		}})
		wanted["copied"] = true
		k.publish(messages...)
		for range messages {
			select {
			case m := <-attempts:
				if !wanted[m.ID] {
					t.Errorf("%s comes twice", m.ID)
				}
				delete(wanted, m.ID)
				if m.Attempt != 1 && m.ID != "warren-attempt huge" {
					t.Errorf("%s is attempt %d", m.ID, m.Attempt)
				}
			case <-time.After(patience):
				t.Fatalf("these do not come: %v", wanted)
			}
		}
		eventually(t, "the end of all", func() bool { return len(of[monitoring.Acked](k.events)) == len(messages) })
		told := map[string]bool{}
		for _, e := range of[monitoring.HeaderIgnored](k.events) {
			told[e.MessageID] = true
			if !strings.HasPrefix(e.MessageID, e.Header+" ") || e.Queue != k.queue {
				t.Errorf("%s of %s is ignored", e.Header, e.MessageID)
			}
		}
		for _, id := range []string{
			"warren-attempt negative", "warren-attempt zero", "warren-attempt float", "warren-attempt text", "warren-attempt deep", "warren-attempt large",
			"warren-not-before huge", "warren-due negative", "warren-queue array", "warren-deferred-since time", "warren-failures text",
			"warren-first-failure large", "warren-origin-key large", "warren-origin-exchange table",
		} {
			if !told[id] {
				t.Errorf("nobody tells of %s", id)
			}
		}
	})
}
