package management_test

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/management"
	"github.com/warren-mq/warren/internal/rabbitmq"
)

// Every question is put to a real broker: a node of the test's own, or the one
// at AMQP_URL if WARREN_MANAGEMENT says where its API is.
func TestRabbitMQAnswers(t *testing.T) {
	t.Parallel()
	address, url := os.Getenv("WARREN_MANAGEMENT"), os.Getenv("AMQP_URL")
	if address == "" {
		node := rabbitmq.Private(t, rabbitmq.Options{Management: true})
		address, url = node.ManagementURL(), node.URL()
	}
	c, err := management.New(management.Config{URL: address, User: "guest", Password: "guest"})
	must(t, err)
	t.Cleanup(c.Close)
	conn, err := amqp.Dial(url)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	must(t, err)
	name := rabbitmq.Name(t, "m")
	rabbitmq.Delete(t, url, name)
	_, err = ch.QueueDeclare(name, true, false, false, false, amqp.Table{
		"x-queue-type": "quorum", "x-delivery-limit": int64(100), "x-dead-letter-exchange": "",
	})
	must(t, err)
	must(t, ch.QueueBind(name, "key", "amq.topic", false, amqp.Table{"x": int64(1)}))

	o, err := c.Overview(t.Context())
	if version, _ := conn.Properties["version"].(string); err != nil || o.Version != version || o.Node == "" {
		t.Errorf("overview: %+v, %v", o, err)
	}

	// The counters come some seconds later.
	q, err := c.Queue(t.Context(), "/", name)
	for deadline := time.Now().Add(30 * time.Second); err == nil && q.Messages == nil && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
		q, err = c.Queue(t.Context(), "/", name)
	}
	if err != nil || q.Type != "quorum" || !q.Durable || q.Leader == "" || !slices.Equal(q.Members, q.Online) ||
		q.Arguments["x-delivery-limit"] != json.Number("100") || q.Arguments["x-dead-letter-exchange"] != "" ||
		q.Messages == nil || q.Consumers == nil || q.DeadLetters == nil || q.State != "running" {
		t.Errorf("queue: %+v, %v", q, err)
	}
	if _, err := c.Queue(t.Context(), "/", name+"x"); !errors.Is(err, management.ErrNotFound) {
		t.Errorf("no queue: %v", err)
	}
	if qs, err := c.QueuesNamed(t.Context(), "/", name); err != nil || len(qs) != 1 || qs[0].Name != name || qs[0].Arguments == nil {
		t.Errorf("queues: %+v, %v", qs, err)
	}
	if qs, err := c.QueuesNamed(t.Context(), "/", name+"x"); err != nil || len(qs) != 0 {
		t.Errorf("no queues: %+v, %v", qs, err)
	}

	if e, err := c.Exchange(t.Context(), "/", "amq.topic"); err != nil || e.Type != "topic" || !e.Durable {
		t.Errorf("exchange: %+v, %v", e, err)
	}
	if _, err := c.Exchange(t.Context(), "/", name); !errors.Is(err, management.ErrNotFound) {
		t.Errorf("no exchange: %v", err)
	}
	bindings, err := c.Bindings(t.Context(), "/", "amq.topic")
	i := slices.IndexFunc(bindings, func(b management.Binding) bool { return b.Destination == name })
	if err != nil || i < 0 || bindings[i].Key != "key" || bindings[i].DestinationType != "queue" || bindings[i].Arguments["x"] != json.Number("1") {
		t.Errorf("bindings: %+v, %v", bindings, err)
	}

	if bs, err := c.QueueBindings(t.Context(), "/", name); err != nil || len(bs) != 2 {
		t.Errorf("bindings of the queue: %+v, %v", bs, err)
	}
	bs, err := c.QueueBindings(t.Context(), "/", name+"x")
	theirs := func(b management.Binding) bool { return b.Source != "" }
	if err != nil && !errors.Is(err, management.ErrNotFound) || slices.ContainsFunc(bs, theirs) {
		t.Errorf("bindings of no queue: %+v, %v", bs, err)
	}

	for what, ask := range map[string]func() error{
		"policies":          func() error { _, err := c.Policies(t.Context(), "/"); return err },
		"operator policies": func() error { _, err := c.OperatorPolicies(t.Context(), "/"); return err },
		"alarms":            func() error { _, err := c.Alarms(t.Context()); return err },
	} {
		if err := ask(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	flags, err := c.FeatureFlags(t.Context())
	if err != nil || !slices.Contains(flags, management.FeatureFlag{Name: "quorum_queue", State: "enabled", Stability: flags[0].Stability}) {
		t.Errorf("feature flags: %+v, %v", flags, err)
	}
	if p, err := c.Permissions(t.Context(), "/", "guest"); err != nil || p.Configure != ".*" || p.Write != ".*" || p.Read != ".*" {
		t.Errorf("permissions: %+v, %v", p, err)
	}
	if _, err := c.Permissions(t.Context(), "/", name); !errors.Is(err, management.ErrNotFound) {
		t.Errorf("no permissions: %v", err)
	}
	nodes, err := c.Nodes(t.Context())
	if err != nil || len(nodes) != 1 || !nodes[0].Running || nodes[0].Version() != o.Version || len(nodes[0].Partitions) > 0 {
		t.Errorf("nodes: %+v, %v", nodes, err)
	}
	if v, err := c.VHost(t.Context(), "/"); err != nil || v.Name != "/" {
		t.Errorf("vhost: %+v, %v", v, err)
	}

	wrong, err := management.New(management.Config{URL: address, User: "guest", Password: "wrong"})
	must(t, err)
	t.Cleanup(wrong.Close)
	if _, err := wrong.Overview(t.Context()); !errors.Is(err, management.ErrLogin) {
		t.Errorf("a wrong password: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
