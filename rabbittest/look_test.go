package rabbittest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/rabbittest"
)

func TestAQueueThatIsMissingIsNotEmpty(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		q := b.Queue("nope")
		if q.Exists() || q.Len() != -1 || q.Ready() != -1 || q.Unacked() != -1 || len(q.Messages()) != 0 {
			t.Errorf("len %d, ready %d, unacked %d", q.Len(), q.Ready(), q.Unacked())
		}
	})
}

func TestWhatAQueueHas(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		ch := channel(t, b)
		declare(t, ch, "dead", nil)
		declare(t, ch, "q", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead", "x-message-ttl": int32(60000)})
		when := time.Now().Truncate(time.Second)
		sent := rabbittest.Message{
			Headers: map[string]any{
				"text": "a", "n": int32(7), "list": []any{"b", true}, "table": map[string]any{"x": 1.5}, "time": when, "bytes": []byte{1},
			},
			ContentType: "text/plain", ContentEncoding: "identity", DeliveryMode: 2, Priority: 3, CorrelationID: "c", ReplyTo: "r",
			MessageID: "id", Timestamp: when, Type: "t", AppID: "app", Body: []byte("body"),
		}
		for range 3 {
			must(t, b.Queue("q").Publish(sent))
		}
		must(t, ch.Qos(1, 0, false))
		deliveries := consume(t, ch, "q")
		d := <-deliveries
		if d.MessageId != "id" || d.Headers["n"] != int32(7) || d.Headers["time"] != when.Local() || d.Priority != 3 || d.Type != "t" {
			t.Errorf("delivered %+v", d)
		}
		q := b.Queue("q")
		if q.Len() != 3 || q.Ready() != 2 || q.Unacked() != 1 {
			t.Errorf("len %d, ready %d, unacked %d", q.Len(), q.Ready(), q.Unacked())
		}
		list := q.Messages()
		if len(list) != 3 || !list[0].Unacked || list[1].Unacked || list[0].Serial != 1 || list[2].Serial != 3 {
			t.Fatalf("messages: %+v", list)
		}
		if m := list[1]; !m.Expires.Equal(time.Now().Add(time.Minute)) || string(m.Body) != "body" || m.Key != "q" || !m.Timestamp.Equal(when) {
			t.Errorf("a message is %+v", m)
		}
		if c := q.Consumers(); len(c) != 1 || c[0].Tag != "q" || c[0].Prefetch != 1 || c[0].Unacked != 1 || !c[0].Active {
			t.Errorf("consumers: %+v", c)
		}
		if ttl := q.Arguments()["x-message-ttl"]; ttl != int32(60000) {
			t.Errorf("the TTL is %v", ttl)
		}
		time.Sleep(time.Minute)
		synctest.Wait() // the two that are ready have expired
		must(t, d.Reject(false))
		must(t, b.Queue("dead").WaitLen(t.Context(), 3))
		m := b.Queue("dead").Messages()[2]
		deaths := m.Deaths()
		if len(deaths) != 1 || deaths[0].Reason != "rejected" || deaths[0].Queue != "q" || deaths[0].Count != 1 ||
			deaths[0].RoutingKeys[0] != "q" || !deaths[0].Time.Equal(time.Now().Truncate(time.Second)) || m.Serial != 1 {
			t.Errorf("deaths: %+v", deaths)
		}
		var kinds []string
		for _, e := range q.History() {
			if e.Serial == 1 {
				kinds = append(kinds, e.Kind+e.Reason)
			}
		}
		if got, want := strings.Join(kinds, " "), "published delivered rejected diedrejected"; got != want {
			t.Errorf("it was %s, want %s", got, want)
		}
	})
}

func TestPublishSaysWhatBecameOfIt(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		ch := channel(t, b)
		declare(t, ch, "full", amqp.Table{"x-max-length": 0, "x-overflow": "reject-publish"})
		for _, c := range []struct {
			err  error
			want string
		}{
			{b.Publish("", "nobody", rabbittest.Message{}), `publish to exchange "" with key "nobody": no queue is bound`},
			{b.Publish("x", "k", rabbittest.Message{}), `publish to exchange "x" with key "k": 404 NOT_FOUND - no exchange 'x' in vhost '/'`},
			{b.Publish("", "full", rabbittest.Message{}), `publish to exchange "" with key "full": a queue refused it`},
			{
				b.Publish("", "full", rabbittest.Message{Headers: map[string]any{"h": struct{}{}}}),
				`publish to exchange "" with key "full": a header cannot be a struct {}: AMQP has no type for it`,
			},
		} {
			if c.err == nil || c.err.Error() != c.want {
				t.Errorf("got %v, want %s", c.err, c.want)
			}
		}
	})
}

func TestTopologyIsTheSameTextEveryTime(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		ch := channel(t, b)
		must(t, ch.ExchangeDeclare("events", "topic", true, false, false, false, amqp.Table{"alternate-exchange": "amq.fanout"}))
		must(t, ch.ExchangeDeclare("copy", "headers", false, true, true, false, nil))
		declare(t, ch, "q", amqp.Table{"x-queue-type": "quorum", "x-max-length": int32(5), "x-overflow": "reject-publish"})
		_, err := ch.QueueDeclare("mine", false, true, true, false, nil)
		must(t, err)
		must(t, ch.QueueBind("q", "b.#", "events", false, nil))
		must(t, ch.QueueBind("q", "a.*", "events", false, nil))
		must(t, ch.ExchangeBind("copy", "#", "events", false, nil))
		must(t, ch.QueueBind("mine", "", "copy", false, amqp.Table{"x-match": "any", "kind": "x", "n": int32(1)}))
		want := `exchange "copy" headers auto-delete internal
  "" -> queue "mine" {kind: "x", n: 1, x-match: "any"}
exchange "events" topic durable
  alternate-exchange = "amq.fanout"
  "#" -> exchange "copy"
  "a.*" -> queue "q"
  "b.#" -> queue "q"
queue "mine" classic auto-delete exclusive
queue "q" quorum durable
  x-max-length = 5
  x-overflow = "reject-publish"
`
		if got := b.Topology(); got != want {
			t.Errorf("the topology is\n%s", got)
		}
	})
}

func TestTheDumpTellsWhatIsGoingOn(t *testing.T) {
	in(t, func(t *testing.T, b *rabbittest.Broker) {
		conn, err := amqp.DialConfig(b.URL(), amqp.Config{Dial: b.Connect, Properties: amqp.Table{"connection_name": "billing"}})
		must(t, err)
		defer conn.Close() //nolint:errcheck // the test is over
		ch, err := conn.Channel()
		must(t, err)
		declare(t, ch, "q", nil)
		must(t, b.Queue("q").Publish(rabbittest.Message{MessageID: "id-1", Headers: map[string]any{"a": "b"}, Body: []byte(strings.Repeat("x", 200))}))
		must(t, b.Queue("q").Publish(rabbittest.Message{MessageID: "id-2"}))
		must(t, ch.Qos(1, 0, false))
		consume(t, ch, "q")
		b.Block("low on memory")
		synctest.Wait()
		dump := b.Dump()
		for _, want := range []string{
			"RabbitMQ 4.3.6 at 2000-01-01T00:00:00Z\n",
			"fault: publishers are blocked: low on memory\n",
			"connection 127.0.0.1:50001 -> 127.0.0.1:5672 \"billing\" running\n",
			"queue q: 1 ready, 1 unacked, 0 delayed, 0 dead letters not taken\n",
			"consumer q on channel 1: 1 of 1 unacked\n",
			`unacked #1 id id-1 {a: "b"} "` + strings.Repeat("x", 80) + `"… (200 bytes)`,
			"ready #2 id id-2 \"\"\n",
			"2000-01-01T00:00:00Z q: delivered #1 id-1\n",
		} {
			if !strings.Contains(dump, want) {
				t.Errorf("the dump lacks %q", want)
			}
		}
		if t.Failed() {
			t.Log(dump)
		}
	})
}
