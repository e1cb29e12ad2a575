package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/rabbitmq"
	"github.com/warren-mq/warren/topology"
)

// managed is a real RabbitMQ with the management API.
type managed struct {
	amqp, api string
	node      *rabbitmq.Node // nil: it is not ours
	version   string
}

// onManaged returns one: the broker of AMQP_URL if WARREN_MANAGEMENT says where its API is, or a node of the test's own.
func onManaged(t *testing.T) *managed {
	t.Helper()
	m := &managed{amqp: os.Getenv("AMQP_URL"), api: os.Getenv("WARREN_MANAGEMENT")}
	if m.api == "" {
		m.node = rabbitmq.Private(t, rabbitmq.Options{Management: true})
		m.amqp, m.api = m.node.URL(), m.node.ManagementURL()
	}
	var overview struct {
		Version string `json:"rabbitmq_version"`
	}
	must(t, json.Unmarshal(m.request(t, http.MethodGet, "overview", nil), &overview))
	m.version = overview.Version
	return m
}

// request asks the API to do something.
func (m *managed) request(t *testing.T, method, path string, body any) []byte {
	t.Helper()
	text, err := json.Marshal(body)
	must(t, err)
	req, err := http.NewRequestWithContext(t.Context(), method, m.api+"/api/"+path, bytes.NewReader(text))
	must(t, err)
	req.SetBasicAuth("guest", "guest")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, answer)
	}
	return answer
}

// house is a virtual host of one test.
type house struct {
	*managed
	t    *testing.T
	name string
	conn *amqp.Connection
}

func (m *managed) house(t *testing.T) *house {
	t.Helper()
	h := &house{managed: m, t: t, name: rabbitmq.Name(t, "v")}
	m.request(t, http.MethodPut, "vhosts/"+h.name, map[string]any{})
	t.Cleanup(func() {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodDelete, m.api+"/api/vhosts/"+h.name, nil)
		must(t, err)
		req.SetBasicAuth("guest", "guest")
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		must(t, resp.Body.Close())
		http.DefaultClient.CloseIdleConnections()
	})
	m.request(t, http.MethodPut, "permissions/"+h.name+"/guest", map[string]any{"configure": ".*", "write": ".*", "read": ".*"})
	h.conn = dial(t, h.url("guest", "guest"), amqp.Config{})
	return h
}

// url is where a user reaches the virtual host.
func (h *house) url(user, password string) string {
	u, err := url.Parse(h.amqp)
	must(h.t, err)
	u.User, u.Path = url.UserPassword(user, password), "/"+h.name
	return u.String()
}

// put makes an object of the virtual host, as policies/NAME.
func (h *house) put(path string, body map[string]any) {
	h.t.Helper()
	kind, name, _ := strings.Cut(path, "/")
	h.request(h.t, http.MethodPut, kind+"/"+h.name+"/"+url.PathEscape(name), body)
}

func (h *house) policy(kind, pattern string, definition map[string]any) {
	h.t.Helper()
	h.put(kind+"/p", map[string]any{"pattern": pattern, "definition": definition, "priority": 1, "apply-to": "queues"})
}

// do asks the broker something by AMQP.
func (h *house) do(f func(ch *amqp.Channel) error) {
	h.t.Helper()
	ch, err := h.conn.Channel()
	must(h.t, err)
	must(h.t, f(ch))
	must(h.t, ch.Close())
}

// declare declares the queues of a plan and what goes with them.
func (h *house) declare(p topology.Plan) {
	h.t.Helper()
	h.do(func(ch *amqp.Channel) error {
		for _, d := range p.Declarations() {
			var err error
			switch {
			case d.Queue != nil:
				_, err = ch.QueueDeclare(d.Queue.Name, true, false, false, false, d.Queue.Args)
			case d.Exchange != nil:
				err = ch.ExchangeDeclare(d.Exchange.Name, d.Exchange.Kind, d.Exchange.Durable, d.Exchange.AutoDelete, false, false, d.Exchange.Args)
			default:
				err = ch.QueueBind(d.Binding.Queue, d.Binding.Key, d.Binding.Exchange, false, d.Binding.Args)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// remove deletes a queue.
func (h *house) remove(queue string) {
	h.t.Helper()
	h.do(func(ch *amqp.Channel) error { _, err := ch.QueueDelete(queue, false, false, false); return err })
}

// publish puts messages into a queue, and waits until they are there.
func (h *house) publish(queue string, n int, at time.Time) {
	h.t.Helper()
	h.do(func(ch *amqp.Channel) error {
		if err := ch.Confirm(false); err != nil {
			return err
		}
		for range n {
			c, err := ch.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Timestamp: at, Body: []byte("x")})
			if err != nil {
				return err
			}
			if !c.Wait() {
				return errors.New("not confirmed")
			}
		}
		return nil
	})
}

// file writes plans to a file.
func (h *house) file(plans ...topology.Plan) string {
	h.t.Helper()
	dir := h.t.TempDir()
	must(h.t, writePlan(dir, "plan.json", plans...))
	return filepath.Join(dir, "plan.json")
}

// as runs the command as a user, and returns what it printed and its exit code.
func (h *house) as(user, password string, args ...string) (string, int) {
	h.t.Helper()
	cmd := command(h.t, args...)
	cmd.Env = append(cmd.Env, "AMQP_URL="+h.url(user, password))
	out, err := cmd.CombinedOutput()
	if exit := (&exec.ExitError{}); err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	if password != "guest" && strings.Contains(string(out), password) {
		h.t.Errorf("the password is in\n%s", out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// warren runs the command with the management API.
func (h *house) warren(args ...string) (string, int) {
	h.t.Helper()
	return h.as("guest", "guest", append(args, "--management", h.api)...)
}

// expect runs a command until it says all of want and ends with code: the broker's statistics are some seconds old.
func (h *house) expect(code int, want []string, args ...string) {
	h.t.Helper()
	var problem, out string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		var got int
		out, got = h.warren(args...)
		problem = missingFrom(out, want)
		if got != code {
			problem = fmt.Sprintf("exit code %d, not %d", got, code)
		}
		if problem == "" {
			return
		}
	}
	h.t.Errorf("%s:\n%s", problem, out)
}

// missingFrom says which of the texts are missing. Those that begin with ! must be.
func missingFrom(out string, want []string) string {
	for _, text := range want {
		unwanted, not := strings.CutPrefix(text, "!")
		if not == strings.Contains(out, unwanted) {
			return fmt.Sprintf("it says or lacks %q", text)
		}
	}
	return ""
}

// limited adds a user who may do what these patterns say.
func (h *house) limited(tags, configure, write, read string) (user, password string) {
	h.t.Helper()
	user, password = "u-"+h.name, "t0p-secret"
	h.request(h.t, http.MethodPut, "users/"+user, map[string]any{"password": password, "tags": tags})
	h.t.Cleanup(func() {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodDelete, h.api+"/api/users/"+user, nil)
		must(h.t, err)
		req.SetBasicAuth("guest", "guest")
		resp, err := http.DefaultClient.Do(req)
		must(h.t, err)
		must(h.t, resp.Body.Close())
	})
	h.put("permissions/"+user, map[string]any{"configure": configure, "write": write, "read": read})
	return user, password
}

// TestManaged runs what needs the management API of a real broker, on one node for all.
func TestManaged(t *testing.T) {
	t.Parallel()
	m := onManaged(t)
	t.Run("topology", m.topology)
	t.Run("doctor", m.doctor)
	t.Run("an alarm", m.alarm)
}
