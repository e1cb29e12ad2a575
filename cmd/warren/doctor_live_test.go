package main

import (
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/topology"
	"github.com/warren-mq/warren/topology/drift"
)

// doctor sees on a real broker that each check finds what it is for. checks of what one node cannot show are in
// doctor_test.go.
func (m *managed) doctor(t *testing.T) {
	major, minor, _ := drift.Release(m.version)
	versioned := func(from int, code int) int { // 3.10 is warned of
		if major < from {
			return 3
		}
		return code
	}
	quorum := func(name string, args amqp.Table) func(*amqp.Channel) error {
		return func(ch *amqp.Channel) error {
			table := amqp.Table{"x-queue-type": "quorum"}
			for k, v := range args {
				table[k] = v
			}
			_, err := ch.QueueDeclare(name, true, false, false, false, table)
			return err
		}
	}
	back := amqp.Table{
		"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders", "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
	}
	for _, test := range []struct {
		name    string
		arrange func(h *house)
		args    []string // after the name; none means the plan of ordersPlan
		code    int
		want    []string
	}{
		{
			name: "a healthy one", code: versioned(4, 0),
			want: []string{
				"ok         reachable: AMQP answers", "ok         management: answers", "ok         nodes: 1 node runs",
				"ok         feature flags", "ok         alarms: none", "ok         queues: all are there", "ok         arguments: as planned",
				"ok         policies: none", "ok         dead letters: where they go is there", "ok         orphans: no retry queue",
				"ok         permissions: user guest may do", "ok         delivery limits: orders has 100", "ok         delivery limits: orders.error has 1000000",
				"ok         retries: what waits in 1 retry queue comes back", "unchecked  consumer timeout", "ok         consumers: nobody consumes, and nothing waits",
				"ok         held up: dead letters get through", "ok         quorum: all members run", "0 failures, 1 unchecked",
			},
		},
		{
			name: "by name", code: versioned(4, 0), args: []string{"orders"},
			want: []string{"ok         queues: all are there", "ok         retries: what waits in 1 retry queue comes back", "!arguments:", "!orphans:"},
		},
		{
			name: "whatever has an error queue", code: versioned(4, 0), args: []string{},
			want: []string{"orders:\n", "ok         delivery limits: orders has 100"},
		},
		{name: "no such queue", code: 3, args: []string{"nosuch"}, want: []string{"failure    queues: there is no such queue"}},
		{
			name: "a missing queue", code: 3, arrange: func(h *house) { h.remove("orders.error") },
			want: []string{"warning    queues: queue orders.error is missing", "failure    dead letters: queue orders: its dead letters go nowhere"},
		},
		{
			name: "a missing error queue, by name", code: 3, arrange: func(h *house) { h.remove("orders.error") }, args: []string{"orders"},
			want: []string{"warning    queues: queue orders.error is missing", "failure    dead letters: queue orders: its dead letters go nowhere"},
		},
		{
			name: "limits", code: 3,
			arrange: func(h *house) {
				h.do(quorum("low", amqp.Table{"x-delivery-limit": int64(5), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "low.error"}))
				h.do(quorum("low.error", amqp.Table{"x-delivery-limit": int64(30)}))
			},
			args: []string{"low"},
			want: []string{"warning    delivery limits: RabbitMQ moves a message out of low after 5", "failure    delivery limits: RabbitMQ deletes an entry of low.error once it was looked at 30 times"},
		},
		{
			name: "no limit on the error queue", code: 3,
			arrange: func(h *house) {
				h.do(quorum("bare", nil))
				h.do(quorum("bare.error", nil))
			},
			args: []string{"bare"},
			want: map[bool][]string{
				true:  {"failure    delivery limits: RabbitMQ deletes an entry of bare.error once it was looked at 20 times"},
				false: {"ok         delivery limits: bare.error has none"},
			}[major >= 4],
		},
		{
			name: "policies", code: 3, arrange: func(h *house) { h.policy("policies", "error$", map[string]any{"max-length": 5}) },
			want: []string{"failure    policies: queue orders.error: max-length is 5 instead of none", "take max-length out of policy p"},
		},
		{
			name: "other arguments", code: 3,
			arrange: func(h *house) {
				h.remove("orders.error")
				h.do(quorum("orders.error", amqp.Table{"x-delivery-limit": int64(2000)}))
			},
			want: []string{"failure    arguments: queue orders.error: x-delivery-limit is 2000, planned is 1000000"},
		},
		{
			name: "an orphan", code: 3,
			arrange: func(h *house) {
				h.do(quorum("orders.retry.9m0s", nil))
				h.publish("orders.retry.9m0s", 1, time.Time{})
			},
			want: []string{"failure    orphans: queue orders.retry.9m0s is not in the plan, and has 1 messages"},
		},
		{
			name: "a retry queue that keeps what it has, and one that may lose it", code: 3,
			arrange: func(h *house) {
				h.do(quorum("orders.retry.9m0s", nil))
				h.do(quorum("orders.retry.8m0s", amqp.Table{"x-message-ttl": int64(480000), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "orders"}))
			},
			args: []string{"orders"},
			want: []string{"failure    retries: what is in orders.retry.9m0s does not come back", "warning    retries: orders.retry.8m0s puts messages back at most once"},
		},
		{
			name: "consumer timeout", code: 3,
			arrange: func(h *house) { h.policy("policies", "^orders$", map[string]any{"consumer-timeout": 90000}) },
			args:    []string{"orders", "--handler-timeout", "5m"},
			want:    []string{"failure    consumer timeout: a handler may take 5m0s, and RabbitMQ takes its message back after 1m30s (the queue's argument or policy)"},
		},
		{
			name: "a long consumer timeout", code: versioned(4, 0), args: []string{"orders", "--handler-timeout", "50m", "--consumer-timeout", "1h"},
			want: []string{"ok         consumer timeout: a handler may take 50m0s, and RabbitMQ waits for 1h0m0s"},
		},
		{
			name: "a short consumer timeout", code: 3, args: []string{"orders", "--handler-timeout", "50m", "--consumer-timeout", "45m"},
			want: []string{"failure    consumer timeout: a handler may take 50m0s"},
		},
		{
			name: "the default consumer timeout", code: 3, args: []string{"orders", "--handler-timeout", "50m"},
			want: []string{"failure    consumer timeout: a handler may take 50m0s; unless configured otherwise"},
		},
		{
			name: "no consumer", code: 3, arrange: func(h *house) { h.publish("orders", 3, time.Time{}) },
			want: []string{"warning    consumers: nobody consumes, and 3 messages wait"},
		},
		{
			name: "old messages", code: 3,
			arrange: func(h *house) {
				h.do(func(ch *amqp.Channel) error {
					_, err := ch.QueueDeclare("old", true, false, false, false, amqp.Table{"x-queue-type": "classic"})
					return err
				})
				h.publish("old", 3, time.Now().Add(-3*time.Hour))
				ch, err := h.conn.Channel() // stays open, and so does its consumer
				must(h.t, err)
				must(h.t, ch.Qos(1, 0, false))
				_, err = ch.Consume("old", "", false, false, false, false, nil)
				must(h.t, err)
			},
			args: []string{"old"},
			want: []string{"warning    consumers: 1 consumer, but 2 messages wait, the first of them since 3h0m"},
		},
		{
			name: "entries", code: versioned(4, 0), arrange: func(h *house) { h.publish("orders.error", 2, time.Time{}) },
			want: []string{"ok         error queue: 2 entries wait for a person: warren errors ls orders"},
		},
		{
			name: "held up", code: 3,
			arrange: func(h *house) {
				args := amqp.Table{"x-message-ttl": int64(100)}
				for k, v := range back {
					args[k] = v
				}
				h.do(quorum("orders.retry.100ms", args))
				h.remove("orders")
				h.publish("orders.retry.100ms", 40, time.Time{})
			},
			args: nil,
			want: []string{"warning    held up: 40 dead letters of orders.retry.100ms are on their way"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.name == "consumer timeout" && major < 4 {
				t.Skip("no policy sets it before 3.12")
			}
			h := m.house(t)
			p := ordersPlan()
			if test.name == "held up" {
				p.Retry = append(p.Retry, topology.Retry{Queue: topology.Queue{Name: "orders.retry.100ms"}, Wait: 100 * time.Millisecond})
				h.declare(ordersPlan())
			} else {
				h.declare(p)
			}
			if test.arrange != nil {
				test.arrange(h)
			}
			args := test.args
			if args == nil {
				args = []string{h.file(p)}
			}
			h.expect(test.code, test.want, append([]string{"doctor"}, args...)...)
		})
	}

	t.Run("no permission", func(t *testing.T) {
		t.Parallel()
		h := m.house(t)
		user, password := h.limited("administrator", "^orders", "^orders", "^orders$")
		// The broker refuses what doctor says that it will refuse.
		conn := dial(t, h.url(user, password), amqp.Config{})
		ch, err := conn.Channel()
		must(t, err)
		p := topology.Tiers("orders", topology.Quorum, []time.Duration{time.Minute})
		if _, err = ch.QueueDeclare("orders", true, false, false, false, p.Main.Args); err == nil || !strings.Contains(err.Error(), "amq.default") {
			t.Errorf("the broker says %v", err)
		}
		h.declare(p)
		out, code := h.as(user, password, "doctor", "--management", h.api, h.file(p))
		if problem := missingFrom(out, []string{
			"failure    permissions: user " + user + " may not write amq.default", "may not read orders.retry.1m0s", "!may not configure",
		}); code != 3 || problem != "" {
			t.Errorf("exit code %d, %s:\n%s", code, problem, out)
		}
		// Another user asks about this one.
		h.expect(3, []string{"failure    permissions: user " + user + " may not write amq.default"}, "doctor", h.file(p), "--for-user", user)
		h.expect(3, []string{"failure    permissions: user nobody may do nothing in virtual host " + h.name}, "doctor", h.file(p), "--for-user", "nobody")
	})

	t.Run("who may not see it", func(t *testing.T) {
		t.Parallel()
		h := m.house(t)
		h.declare(ordersPlan())
		user, password := h.limited("management", ".*", ".*", ".*")
		out, code := h.as(user, password, "doctor", "--management", h.api, "orders")
		want := []string{"unchecked  permissions: ", "a user with the tag administrator may see it", "unchecked  nodes: ", "ok         policies: none"}
		if major < 4 {
			want = append(want, "unchecked  feature flags: ")
		}
		if problem := missingFrom(out, want); code != versioned(4, 0) || problem != "" {
			t.Errorf("exit code %d, %s:\n%s", code, problem, out)
		}
	})

	t.Run("AMQP alone", func(t *testing.T) {
		t.Parallel()
		h := m.house(t)
		h.declare(ordersPlan())
		for _, args := range [][]string{{"doctor", "orders"}, {"doctor", h.file(ordersPlan())}} {
			out, code := h.as("guest", "guest", append(args, "--management", "none")...)
			if problem := missingFrom(out, []string{
				"unchecked  management: ", "unchecked  policies: ", "unchecked  permissions: ", "unchecked  delivery limits: ", "unchecked  retries: ",
				"unchecked  held up: ", "unchecked  quorum: ", "ok         consumers: nobody", "0 failures",
			}); code != versioned(4, 0) || problem != "" {
				t.Errorf("exit code %d, %s:\n%s", code, problem, out)
			}
		}
	})

	t.Run("not reachable", func(t *testing.T) {
		t.Parallel()
		h := m.house(t)
		out, code := h.as("guest", "wr0ng", "doctor", "--management", h.api, "--connect-timeout", "1s")
		if problem := missingFrom(out, []string{"failure    reachable: ", "unchecked  management: ", "401"}); code != 3 || problem != "" {
			t.Errorf("exit code %d, %s:\n%s", code, problem, out)
		}
	})

	t.Run("classic on 4.3", func(t *testing.T) {
		t.Parallel()
		if major < 4 || major == 4 && minor < 3 {
			t.Skip("before 4.3 they have a consumer timeout")
		}
		h := m.house(t)
		h.declare(topology.Tiers("orders", topology.Classic, nil))
		h.expect(0, []string{"ok         consumer timeout: RabbitMQ " + m.version + " has none for classic queues"}, "doctor", "orders")
	})
}

// alarm runs alone: no message gets through meanwhile.
func (m *managed) alarm(t *testing.T) {
	if m.node == nil {
		t.Skip("the node is not ours")
	}
	h := m.house(t)
	_, err := m.node.Ctl(t.Context(), "set_vm_memory_high_watermark", "absolute", "1MB")
	must(t, err)
	h.expect(3, []string{"failure    alarms: ", " is low on memory"}, "doctor")
	_, err = m.node.Ctl(t.Context(), "set_vm_memory_high_watermark", "0.4")
	must(t, err)
	code := 0
	if strings.HasPrefix(m.version, "3.1") {
		code = 3 // it is warned of
	}
	h.expect(code, []string{"ok         alarms: none"}, "doctor")
}

// A node that was upgraded has feature flags that nobody has enabled: here, one that starts without any.
func TestDoctorFindsFeatureFlags(t *testing.T) {
	t.Parallel()
	node := rabbitmq.Private(t, rabbitmq.Options{Management: true, Advanced: "[{rabbit, [{forced_feature_flags_on_init, []}]}]."})
	if !strings.HasPrefix(node.Version(), "3.10.") {
		t.Skip("a later release enables what it needs by itself")
	}
	cmd := command(t, "doctor", "--management", node.ManagementURL())
	cmd.Env = append(cmd.Env, "AMQP_URL="+node.URL())
	out, _ := cmd.CombinedOutput()
	if problem := missingFrom(string(out), []string{"failure    feature flags: stream_queue is disabled", "warning    feature flags: not enabled: ", "quorum_queue"}); problem != "" || cmd.ProcessState.ExitCode() != 3 {
		t.Errorf("exit code %d, %s:\n%s", cmd.ProcessState.ExitCode(), problem, out)
	}
}
