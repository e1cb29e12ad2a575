package consumer_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/consumer"
	"github.com/warren-mq/warren/topology"
)

// library is one that we share queues with, as its source and what the broker recorded have it: what its consumers
// declare, and what they do with a message. It does nothing of what Warren does besides.
type library interface {
	// declare is its first thing at every start, call by call.
	declare(tb testing.TB, ch *amqp.Channel, queue string)
	// failures is how often a message has failed, as it counts.
	failures(tb testing.TB, d *amqp.Delivery, queue string) int
	// fail is what it does with a message whose handler has failed: a retry if there is one left.
	fail(tb testing.TB, ch *amqp.Channel, d *amqp.Delivery, queue string)
}

// wayOf is a library with the way in which Warren lives with it.
type wayOf struct {
	waiting consumer.Waiting
	library library
}

const (
	peerMax  = 4
	peerWait = 200 * time.Millisecond
)

func libraries() []wayOf { return []wayOf{{consumer.Bunnicula, clojure{}}, {consumer.Kicks, ruby{}}} }

// readable fails if a header is of a type that Bunnicula's client (amqp-client 5.0.0) or Kicks' (Bunny) ends the
// connection for: B, u or i.
func readable(tb testing.TB, v any) {
	tb.Helper()
	switch v := v.(type) {
	case byte, uint16, uint32:
		tb.Errorf("a header of type %T: the peer's connection ends", v)
	case amqp.Table:
		for _, item := range v {
			readable(tb, item)
		}
	case []any:
		for _, item := range v {
			readable(tb, item)
		}
	}
}

// clojure is Bunnicula 2.2.3: consumer_with_retry.clj.
type clojure struct{}

func (clojure) declare(tb testing.TB, ch *amqp.Channel, q string) {
	tb.Helper()
	must(tb, ch.ExchangeDeclare(q+"-retry", "fanout", false, true, false, false, nil))
	must(tb, ch.ExchangeDeclare(q+"-error", "topic", true, false, false, false, nil))
	must(tb, ch.ExchangeDeclare(q+"-retry-requeue", "fanout", false, true, false, false, nil))
	for _, queue := range []struct {
		name string
		args amqp.Table
	}{{q, nil}, {q + "-retry", amqp.Table{"x-dead-letter-exchange": q + "-retry-requeue"}}, {q + "-error", nil}} {
		_, err := ch.QueueDeclare(queue.name, true, false, false, false, queue.args)
		must(tb, err)
	}
	must(tb, ch.QueueBind(q, "#", q+"-retry-requeue", false, nil))
	must(tb, ch.QueueBind(q+"-error", "#", q+"-error", false, nil))
	must(tb, ch.QueueBind(q+"-retry", "#", q+"-retry", false, nil))
}

func (clojure) failures(tb testing.TB, d *amqp.Delivery, _ string) int {
	tb.Helper()
	switch n := d.Headers["retry-attempts"].(type) {
	case nil:
		return 0
	case int64:
		return int(n)
	case int32:
		return int(n)
	default:
		tb.Errorf("ClassCastException: retry-attempts is a %T", n)
		return 0
	}
}

func (c clojure) fail(tb testing.TB, ch *amqp.Channel, d *amqp.Delivery, q string) {
	tb.Helper()
	n := c.failures(tb, d, q)
	p := amqp.Publishing{DeliveryMode: amqp.Persistent, Headers: amqp.Table{"retry-attempts": int64(n + 1)}, Body: d.Body}
	exchange := q + "-error"
	if peerMax > n {
		exchange = q + "-retry"
		p.Expiration = strconv.FormatInt(peerWait.Milliseconds(), 10)
	}
	must(tb, ch.Publish(exchange, "#", false, false, p))
	must(tb, d.Ack(false))
}

// ruby is Kicks 3.4: queue.rb and maxretry.rb.
type ruby struct{}

func (ruby) declare(tb testing.TB, ch *amqp.Channel, q string) {
	tb.Helper()
	must(tb, ch.ExchangeDeclare("sneakers", "direct", true, false, false, false, nil))
	_, err := ch.QueueDeclare(q, true, false, false, false, amqp.Table{"x-dead-letter-exchange": q + "-retry"})
	must(tb, err)
	must(tb, ch.QueueBind(q, q, "sneakers", false, nil))
	for _, name := range []string{"-retry", "-error", "-retry-requeue"} {
		must(tb, ch.ExchangeDeclare(q+name, "topic", true, false, false, false, nil))
	}
	_, err = ch.QueueDeclare(q+"-retry", true, false, false, false, amqp.Table{
		"x-dead-letter-exchange": q + "-retry-requeue", "x-message-ttl": int32(peerWait.Milliseconds()),
	})
	must(tb, err)
	must(tb, ch.QueueBind(q+"-retry", "#", q+"-retry", false, nil))
	_, err = ch.QueueDeclare(q+"-error", true, false, false, false, nil)
	must(tb, err)
	must(tb, ch.QueueBind(q+"-error", "#", q+"-error", false, nil))
	must(tb, ch.QueueBind(q, "#", q+"-retry-requeue", false, nil))
}

func (ruby) failures(tb testing.TB, d *amqp.Delivery, q string) (n int) {
	tb.Helper()
	deaths, _ := d.Headers["x-death"].([]any)
	for _, v := range deaths {
		death, ok := v.(amqp.Table)
		if !ok {
			death, _ = v.(map[string]any) // as our handlers see it
		}
		if count, ok := death["count"].(int64); ok && death["queue"] == q {
			n += int(count)
		}
	}
	return n
}

func (r ruby) fail(tb testing.TB, ch *amqp.Channel, d *amqp.Delivery, q string) {
	tb.Helper()
	n := r.failures(tb, d, q) + 1
	if n <= peerMax {
		must(tb, d.Reject(false))
		return
	}
	info := map[string]any{
		"error": "reject", "num_attempts": n, "failed_at": time.Now().Format(time.RFC3339),
		"properties": map[string]any{"content_type": "application/octet-stream", "delivery_mode": 2, "priority": 0},
	}
	data := []any{info}
	if earlier, ok := d.Headers["retry_info"].(string); ok {
		var list []any
		var object map[string]any
		switch {
		case json.Unmarshal([]byte(earlier), &list) == nil:
			data = append(data, list...)
		case json.Unmarshal([]byte(earlier), &object) == nil:
			for k, v := range object { // Array(hash): pairs. Its own bug.
				data = append(data, []any{k, v})
			}
		}
	}
	text, err := json.Marshal(data)
	if len(data) == 1 {
		text, err = json.Marshal(info)
	}
	must(tb, err)
	must(tb, ch.Publish(q+"-error", d.RoutingKey, false, false, amqp.Publishing{
		DeliveryMode: amqp.Persistent, ContentType: "application/octet-stream", Headers: amqp.Table{"retry_info": string(text)}, Body: d.Body,
	}))
	must(tb, d.Ack(false))
}

// attempts is who had which attempt of which message. Messages are told apart by their bodies: Bunnicula drops the rest.
type attempts struct {
	mu  sync.Mutex
	had map[string][]string // "peer 1", "warren 2"
}

func (a *attempts) note(who, body string, attempt int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.had == nil {
		a.had = map[string][]string{}
	}
	a.had[body] = append(a.had[body], fmt.Sprintf("%s %d", who, attempt))
}

// counts returns how often each attempt was had by whom, and fails unless each message had each attempt once, in order.
func (a *attempts) counts(tb testing.TB, most int) map[string]int {
	tb.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	n := map[string]int{}
	for body, had := range a.had {
		var numbers []int
		for _, s := range had {
			var who string
			var attempt int
			_, err := fmt.Sscanf(s, "%s %d", &who, &attempt)
			must(tb, err)
			numbers = append(numbers, attempt)
			n[s]++
		}
		want := make([]int, most)
		for i := range want {
			want[i] = i + 1
		}
		if !slices.Equal(numbers, want) {
			tb.Errorf("%s: it had the attempts %v", body, had)
		}
	}
	return n
}

// runPeer runs a consumer of a library beside ours, until the test ends or stop is called: each message fails, unless ok
// says otherwise.
func (k *kit) runPeer(l library, a *attempts, ok func(d *amqp.Delivery, attempt int) bool) (stop func()) {
	k.Helper()
	ch := k.channel()
	l.declare(k, ch, k.queue)
	k.deletePeersLater()
	must(k, ch.Qos(1, 0, false))
	deliveries, err := ch.Consume(k.queue, "peer", false, false, false, false, nil)
	must(k, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for d := range deliveries {
			readable(k, d.Headers)
			attempt := l.failures(k, &d, k.queue) + 1
			a.note("peer", string(d.Body), attempt)
			if ok != nil && ok(&d, attempt) {
				_ = d.Ack(false)
				continue
			}
			l.fail(k, ch, &d, k.queue)
		}
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			_ = ch.Cancel("peer", false)
			<-done
		})
	}
	k.Cleanup(stop)
	return stop
}

// deletePeersLater deletes what a library and Warren may have declared for the kit's queue.
func (k *kit) deletePeersLater() {
	p := topology.Kicks(k.queue, topology.Quorum, time.Minute, topology.KicksNames{})
	p.Retry, p.Rungs = nil, nil
	k.deleteLater(p)
}

// round is what Kicks tells of a failure, as far as tests look.
type round struct {
	Error       string         `json:"error"`
	NumAttempts int            `json:"num_attempts"`
	FailedAt    string         `json:"failed_at"`
	Properties  map[string]any `json:"properties"`
	Class       string         `json:"error_class"`
	Message     string         `json:"error_message"`
	Backtrace   []string       `json:"backtrace"`
}

// kicksInfo reads retry_info as people who know Kicks do: an object, or an array with the newest first.
func kicksInfo(tb testing.TB, d *amqp.Delivery) []round {
	tb.Helper()
	text, _ := d.Headers["retry_info"].(string)
	var one round
	if json.Unmarshal([]byte(text), &one) == nil {
		return []round{one}
	}
	var items []json.RawMessage
	must(tb, json.Unmarshal([]byte(text), &items))
	var all []round
	for _, item := range items {
		var r round
		if json.Unmarshal(item, &r) == nil { // or a pair, of Kicks' own
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		tb.Fatalf("retry_info is %q", text)
	}
	return all
}
