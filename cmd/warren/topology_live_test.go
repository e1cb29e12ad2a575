package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/topology"
	"github.com/warren-mq/warren/topology/drift"
)

// topology finds every difference on a real broker.
func (m *managed) topology(t *testing.T) {
	major, minor, _ := drift.Release(m.version)
	for _, test := range []struct {
		name    string
		arrange func(h *house)
		edit    func(p *topology.Plan) // what is compared is not what was declared
		args    []string
		code    int
		want    []string
	}{
		{name: "as planned", code: 0, want: []string{"orders: as planned", "0 not seen; RabbitMQ " + m.version}},
		{
			name: "a queue is missing", code: 3, arrange: func(h *house) { h.remove("orders.error") },
			want: []string{"failure  queue orders: its dead letters go nowhere: to queue orders.error", "warning  queue orders.error is missing"},
		},
		{
			name: "another argument", code: 3, edit: func(p *topology.Plan) { p.Main.Args["x-delivery-limit"] = int64(50) },
			want: []string{"failure  queue orders: x-delivery-limit is 100, planned is 50"},
		},
		{
			name: "another argument, by AMQP", code: 3, args: []string{"--management", "none"},
			edit: func(p *topology.Plan) { p.Main.Args["x-delivery-limit"] = int64(50) },
			want: []string{"failure  queue orders: x-delivery-limit is 100, planned is 50", "the first difference only"},
		},
		{
			name: "an argument too many, by AMQP", code: 3, args: []string{"--management", "none"},
			edit: func(p *topology.Plan) { p.Main.Args["x-max-length"] = int64(50) },
			want: []string{"failure  queue orders: x-max-length is none, planned is 50"},
		},
		{
			name: "classic instead of quorum", code: 3,
			edit: func(p *topology.Plan) {
				*p = topology.Tiers("orders", topology.Classic, []time.Duration{time.Minute})
			},
			want: []string{"failure  queue orders: x-queue-type is quorum, planned is classic", "failure  queue orders.retry.1m0s: x-overflow is reject-publish, planned is none"},
		},
		{
			name: "policies", code: 3,
			arrange: func(h *house) {
				h.policy("policies", "^orders", map[string]any{"message-ttl": 5000, "overflow": "drop-head", "expires": 60000})
				h.policy("operator-policies", "^orders", map[string]any{"max-length": 10, "delivery-limit": 5})
			},
			want: []string{
				"failure  queue orders.error: message-ttl is 5000 instead of none, by policy p",
				"failure  queue orders.error: max-length is 10 instead of none, by operator policy p",
				"failure  queue orders.error: delivery-limit is 5 instead of 1000000, by operator policy p",
				"failure  queue orders: overflow is drop-head instead of reject-publish, by policy p",
				"failure  queue orders.retry.1m0s: expires is 60000 instead of none",
				"warning  queue orders: delivery-limit is 5 instead of 100",
				"warning  queue orders.retry.1m0s: message-ttl is 5000 instead of 60000",
				"falls back to at-most-once",
			},
		},
		{
			name: "a policy that does nothing", code: 0,
			arrange: func(h *house) {
				h.policy("policies", "^orders$", map[string]any{"dead-letter-exchange": "x", "delivery-limit": 500})
			},
			want: []string{"orders: as planned"},
		},
		{
			name: "a binding is missing, and another is too many", code: 3,
			arrange: func(h *house) {
				h.do(func(ch *amqp.Channel) error {
					if err := ch.QueueUnbind("orders", "order.*", "events", nil); err != nil {
						return err
					}
					return ch.QueueBind("orders", "old.*", "events", false, nil)
				})
			},
			want: []string{
				"failure  binding events to orders with key order.* is missing", "drops it without a word",
				"note     binding events to orders with key old.* is not in the plan",
			},
		},
		{
			name: "another exchange", code: 3, edit: func(p *topology.Plan) { p.Exchanges[0].Kind, p.Exchanges[0].Durable = "direct", false },
			want: []string{"failure  exchange events: type is topic, planned is direct", "failure  exchange events: durable is true, planned is false"},
		},
		{
			name: "an exchange that is not declared", code: 3,
			edit: func(p *topology.Plan) { p.Bindings[0].Exchange, p.Exchanges = "elsewhere", nil },
			want: []string{"failure  binding elsewhere to orders with key order.* is missing", "refused with 404"},
		},
		{
			name: "orphans", code: 3,
			arrange: func(h *house) {
				old := topology.Tiers("orders", topology.Quorum, []time.Duration{7 * time.Minute, 8 * time.Minute, 9 * time.Minute})
				delete(old.Retry[2].Args, "x-message-ttl")
				h.declare(topology.Plan{Main: old.Main, Error: old.Error, Retry: old.Retry})
				h.publish("orders.retry.8m0s", 2, time.Time{})
				h.publish("orders.retry.9m0s", 3, time.Time{})
			},
			want: []string{
				"note     queue orders.retry.7m0s is not in the plan, and has no messages",
				"note     queue orders.retry.8m0s is not in the plan, and has 2 messages", "after 8m0s at most",
				"failure  queue orders.retry.9m0s is not in the plan, and has 3 messages", "do not come back",
			},
		},
		{
			name: "dead letters to an exchange without queues", code: 3,
			arrange: func(h *house) {
				h.declare(topology.Kicks("shared", topology.Quorum, time.Minute, topology.KicksNames{}))
				h.do(func(ch *amqp.Channel) error { return ch.QueueUnbind("shared-retry", "#", "shared-retry", nil) })
			},
			edit: func(p *topology.Plan) {
				*p = topology.Kicks("shared", topology.Quorum, time.Minute, topology.KicksNames{})
			},
			want: []string{"failure  queue shared: its dead letters go nowhere: to exchange shared-retry", "failure  binding shared-retry to shared-retry with key # is missing"},
		},
		{
			name: "someone else's main queue", code: 0, args: []string{"--own"}, edit: func(p *topology.Plan) { p.Main.Args = map[string]any{} },
			want: []string{"orders: as planned"},
		},
		{
			name: "JSON", code: 3, args: []string{"--json"}, edit: func(p *topology.Plan) { p.Main.Args["x-delivery-limit"] = int64(50) },
			want: []string{`"argument": "x-delivery-limit"`, `"want": "50"`, `"have": "100"`, `"differs": true`, `"by": "management"`},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := m.house(t)
			h.declare(ordersPlan())
			if test.arrange != nil {
				test.arrange(h)
			}
			p := ordersPlan()
			if test.edit != nil {
				test.edit(&p)
			}
			args := append([]string{"topology", "plan", h.file(p)}, test.args...)
			if strings.Contains(strings.Join(args, " "), "none") {
				if out, code := h.as("guest", "guest", args...); code != test.code || missingFrom(out, test.want) != "" {
					t.Errorf("exit code %d, %s:\n%s", code, missingFrom(out, test.want), out)
				}
				return
			}
			h.expect(test.code, test.want, args...)
		})
	}

	t.Run("apply", func(t *testing.T) {
		t.Parallel()
		h := m.house(t)
		p := ordersPlan()
		// One queue is there, with another limit: that stays.
		h.do(func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("orders.error", true, false, false, false, amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": int64(7)})
			return err
		})
		h.publish("orders.error", 2, time.Time{})
		if out, code := h.warren("topology", "apply", "--dry-run", h.file(p)); code != 3 || !strings.Contains(out, "would declare queue orders\n") {
			t.Errorf("exit code %d:\n%s", code, out)
		}
		if out, _ := h.warren("topology", "plan", h.file(p)); !strings.Contains(out, "queue orders is missing") {
			t.Errorf("a dry run has declared something:\n%s", out)
		}
		out, code := h.warren("topology", "apply", "--yes", "--rungs", h.file(p))
		if problem := missingFrom(out, []string{
			"declared queue orders\n", "declared queue orders.retry.2h0m0s", "declared exchange events", "declared binding events to orders",
			"!declared queue orders.error", "failure  queue orders.error: x-delivery-limit is 7, planned is 1000000", "1 failure, 0 warnings",
		}); code != 3 || problem != "" {
			t.Errorf("exit code %d, %s:\n%s", code, problem, out)
		}
		h.do(func(ch *amqp.Channel) error {
			q, err := ch.QueueDeclarePassive("orders.error", true, false, false, false, nil)
			if q.Messages != 2 {
				t.Errorf("the queue that was there has %d messages", q.Messages)
			}
			return err
		})
		h.remove("orders.error")
		if out, code := h.warren("topology", "apply", "--yes", h.file(p)); code != 0 {
			t.Errorf("exit code %d:\n%s", code, out)
		}
	})

	t.Run("the default type of the virtual host", func(t *testing.T) {
		t.Parallel()
		if major < 4 {
			t.Skip("there is none before 3.11")
		}
		h := m.house(t)
		p := topology.Bunnicula("shared", topology.Quorum, nil)
		h.declare(p)
		h.expect(0, []string{"as planned"}, "topology", "plan", h.file(p))
		m.request(t, http.MethodPut, "vhosts/"+h.name, map[string]any{"default_queue_type": "quorum"})
		h.expect(3, []string{"queue shared: x-queue-type is classic, planned is quorum (the default of the virtual host)"}, "topology", "plan", h.file(p))
	})

	t.Run("native", func(t *testing.T) {
		t.Parallel()
		h := m.house(t)
		p := topology.Native("waits", time.Second, time.Minute, 5)
		h.declare(p) // every release takes it
		code, want := 0, "waits: as planned"
		if major < 4 || major == 4 && minor < 3 {
			code, want = 3, "failure  queue waits: x-delayed-retry-type is unknown to RabbitMQ "+m.version+", planned is failed"
		}
		h.expect(code, []string{want}, "topology", "plan", h.file(p))
		if code == 0 {
			h.policy("policies", "^waits$", map[string]any{"delayed-retry-type": "all", "delayed-retry-min": 1000})
			h.expect(3, []string{"warning  queue waits: delayed-retry-type is all instead of failed, by policy p"}, "topology", "plan", h.file(p))
		}
	})

	t.Run("who may not see it", func(t *testing.T) {
		t.Parallel()
		h := m.house(t)
		h.declare(ordersPlan())
		user, password := h.limited("", "^$", ".*", ".*")
		out, code := h.as(user, password, "topology", "plan", "--management", "none", h.file(ordersPlan()))
		if code != 1 || !strings.Contains(out, "ACCESS_REFUSED") || !strings.Contains(out, "could not be compared") {
			t.Errorf("exit code %d:\n%s", code, out)
		}
		out, code = h.as(user, password, "topology", "plan", "--management", h.api, h.file(ordersPlan()))
		if code != 1 || !strings.Contains(out, "Not management user") {
			t.Errorf("exit code %d:\n%s", code, out)
		}
		out, code = h.as("guest", "wr0ng", "topology", "plan", "--management", h.api, h.file(ordersPlan()))
		if code != 1 || !strings.Contains(out, "401") {
			t.Errorf("exit code %d:\n%s", code, out)
		}
		h.name += "x" // no such virtual host
		out, code = h.as("guest", "guest", "topology", "plan", "--management", h.api, h.file(ordersPlan()))
		if code != 1 || !strings.Contains(out, "there is no virtual host") {
			t.Errorf("exit code %d:\n%s", code, out)
		}
		h.name = strings.TrimSuffix(h.name, "x")
	})
}
