package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// asCommand, in the environment, makes this test binary the command.
const asCommand = "WARREN_TEST_AS_COMMAND"

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return cmd
}

// process is a running warren broker.
type process struct {
	cmd        *exec.Cmd
	amqp, http string // what it printed
	stdout     io.Reader
	stderr     bytes.Buffer
}

// start starts warren broker, on free ports, and waits until it says that it listens.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{cmd: command(t, append([]string{"broker", "--listen", "127.0.0.1:0"}, args...)...)}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	lines := bufio.NewReader(out)
	p.stdout = lines
	p.amqp = line(t, p, lines)
	if strings.Contains(strings.Join(args, " "), "--management") {
		p.http = line(t, p, lines)
	}
	return p
}

func line(t *testing.T, p *process, from *bufio.Reader) string {
	t.Helper()
	text, err := from.ReadString('\n')
	if err != nil {
		_ = p.cmd.Wait()
		t.Fatalf("it said no more than %q: %v\n%s", text, err, p.stderr.String())
	}
	return strings.TrimSpace(text)
}

// end sends a signal, and returns the exit code and what was printed since it began to serve.
func (p *process) end(t *testing.T, sig os.Signal) (int, string) {
	t.Helper()
	must(t, p.cmd.Process.Signal(sig))
	rest, err := io.ReadAll(p.stdout)
	must(t, err)
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode(), string(rest) + p.stderr.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func dial(t *testing.T, address string, cfg amqp.Config) *amqp.Connection {
	t.Helper()
	conn, err := amqp.DialConfig(address, cfg)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func within[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

func TestAMessageGoesThrough(t *testing.T) {
	for _, version := range []string{"3.10", "4.0", "4.3"} {
		t.Run(version, func(t *testing.T) {
			conn := dial(t, start(t, "--version", version).amqp, amqp.Config{})
			if v, _ := conn.Properties["version"].(string); !strings.HasPrefix(v, version+".") {
				t.Errorf("it says that it is RabbitMQ %q", v)
			}
			ch, err := conn.Channel()
			must(t, err)
			_, err = ch.QueueDeclare("orders", true, false, false, false, nil)
			must(t, err)
			must(t, ch.Confirm(false))
			confirm, err := ch.PublishWithDeferredConfirm("", "orders", true, false, amqp.Publishing{Body: []byte("one")})
			must(t, err)
			if !confirm.Wait() {
				t.Fatal("refused")
			}
			deliveries, err := ch.Consume("orders", "", false, false, false, false, nil)
			must(t, err)
			d := within(t, "delivery", deliveries)
			if string(d.Body) != "one" {
				t.Errorf("the body is %q", d.Body)
			}
			must(t, d.Ack(false))
		})
	}
}

func TestItEndsInOrder(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			p := start(t, "--management", "127.0.0.1:0")
			closed := dial(t, p.amqp, amqp.Config{}).NotifyClose(make(chan *amqp.Error, 1))
			code, said := p.end(t, sig)
			if code != exitDone || said != "" {
				t.Errorf("it ended with %d and said %q", code, said)
			}
			if err := within(t, "close", closed); err == nil || err.Code != amqp.ConnectionForced {
				t.Errorf("the client heard %v", err)
			}
			for _, at := range []string{p.amqp, p.http} {
				u, err := url.Parse(at)
				must(t, err)
				if c, err := net.Dial("tcp", u.Host); err == nil {
					_ = c.Close()
					t.Errorf("%s is still served", at)
				}
			}
		})
	}
}

func TestManagementClosesAConnection(t *testing.T) {
	p := start(t, "--management", "127.0.0.1:0", "--user", "shop:se:cret", "--vhost", "shop", "--heartbeat", "7s")
	u, err := url.Parse(p.amqp)
	must(t, err)
	u.User = url.UserPassword("shop", "se:cret")
	closed := dial(t, u.String()+"/shop", amqp.Config{
		Vhost: "shop", Properties: amqp.Table{"connection_name": "till"},
	}).NotifyClose(make(chan *amqp.Error, 1))

	ask := func(method, path string) (int, []byte) {
		r, err := http.NewRequestWithContext(t.Context(), method, p.http+path, nil)
		must(t, err)
		r.SetBasicAuth("shop", "se:cret")
		r.Header.Set("X-Reason", "lunch")
		answer, err := http.DefaultClient.Do(r)
		must(t, err)
		defer func() { _ = answer.Body.Close() }()
		body, err := io.ReadAll(answer.Body)
		must(t, err)
		return answer.StatusCode, body
	}
	var all []struct {
		Name, User, VHost string
		Timeout           int
		UserProvidedName  string `json:"user_provided_name"`
	}
	_, body := ask("GET", "/api/connections/")
	must(t, json.Unmarshal(body, &all))
	if len(all) != 1 || all[0].UserProvidedName != "till" || all[0].User != "shop" || all[0].VHost != "shop" || all[0].Timeout != 7 {
		t.Fatalf("the list is %s", body)
	}
	if code, body := ask("DELETE", "/api/connections/"+url.PathEscape(all[0].Name)); code != http.StatusNoContent {
		t.Fatalf("DELETE is answered with %d %s", code, body)
	}
	if err := within(t, "close", closed); err == nil || err.Code != amqp.ConnectionForced || err.Reason != "CONNECTION_FORCED - lunch" {
		t.Errorf("the client heard %v", err)
	}
}

func TestLimits(t *testing.T) {
	p := start(t, "--max-message-size", "10", "--consumer-timeout", "100ms", "--version", "4.0")
	conn := dial(t, p.amqp, amqp.Config{})
	ch, err := conn.Channel()
	must(t, err)
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	must(t, ch.PublishWithContext(t.Context(), "", "nowhere", false, false, amqp.Publishing{Body: make([]byte, 11)}))
	if err := within(t, "refusal of a big message", closed); err == nil || err.Code != amqp.PreconditionFailed {
		t.Errorf("a big message: %v", err)
	}

	ch, err = conn.Channel()
	must(t, err)
	closed = ch.NotifyClose(make(chan *amqp.Error, 1))
	_, err = ch.QueueDeclare("slow", false, false, false, false, nil)
	must(t, err)
	must(t, ch.PublishWithContext(t.Context(), "", "slow", false, false, amqp.Publishing{}))
	_, err = ch.Consume("slow", "", false, false, false, false, nil)
	must(t, err)
	if err := within(t, "consumer timeout", closed); err == nil || err.Code != amqp.PreconditionFailed {
		t.Errorf("a delivery that is kept: %v", err)
	}
}

func TestStrangersAreWarnedOf(t *testing.T) {
	p := start(t, "--listen", "0.0.0.0:0")
	code, said := p.end(t, syscall.SIGTERM)
	if code != exitDone || !strings.Contains(said, "WARNING") || !strings.Contains(said, "no security") {
		t.Errorf("it ended with %d and said %q", code, said)
	}
}

func TestBadCommandLines(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = taken.Close() }()
	const anywhere = "127.0.0.1:0"

	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"brokr"}, exitUsage, `there is no command "brokr"; did you mean broker?`},
		{[]string{"--verbose"}, exitUsage, "unknown flag: --verbose"},
		{[]string{"broker", "now"}, exitUsage, `"now" is one word too many`},
		{[]string{"broker", "--port", "5672"}, exitUsage, "unknown flag: --port"},
		{[]string{"broker", "--version", "5.0"}, exitUsage, `no RabbitMQ version "5.0" is known here; there are 3.10, 4.0, 4.3`},
		{[]string{"broker", "--user", "guest"}, exitUsage, "it is not NAME:PASSWORD"},
		{[]string{"broker", "--user", ":guest"}, exitUsage, "it is not NAME:PASSWORD"},
		{[]string{"broker", "--heartbeat", "1ms"}, exitUsage, "Heartbeat is not a number of seconds"},
		{[]string{"broker", "--heartbeat", "60"}, exitUsage, "missing unit in duration"},
		{[]string{"broker", "--consumer-timeout", "-1s"}, exitUsage, "ConsumerTimeout is negative"},
		{[]string{"broker", "--max-message-size", "-1"}, exitUsage, "MaxMessageSize is negative"},
		{[]string{"broker", "--listen", taken.Addr().String()}, exitFailed, "address already in use"},
		{[]string{"broker", "--listen", "nowhere"}, exitFailed, "missing port in address"},
		{[]string{"broker", "--listen", anywhere, "--management", taken.Addr().String()}, exitFailed, "address already in use"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], c.args...)
			cmd.Env = append(os.Environ(), asCommand+"=1")
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) {
				t.Fatalf("it ended with %v", err)
			}
			if exit.ExitCode() != c.code || !strings.Contains(stderr.String(), c.says) || stdout.Len() > 0 {
				t.Errorf("it ended with %d, printed %q and said %q", exit.ExitCode(), stdout.String(), stderr.String())
			}
		})
	}
}

func TestHelpAndCompletion(t *testing.T) {
	for _, c := range []struct {
		args   []string
		prints []string
	}{
		{nil, []string{"broker", "completion", "Exit codes: 0"}},
		{[]string{"broker", "--help"}, []string{"--listen", "--management", "--user", "Examples:", "Exit codes: 0"}},
		{[]string{"__complete", "broker", "--version", ""}, []string{"3.10\n", "4.0\n", "4.3\n"}},
		{[]string{"--version"}, []string{"warren version "}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			out, err := command(t, c.args...).Output()
			must(t, err)
			for _, text := range c.prints {
				if !strings.Contains(string(out), text) {
					t.Errorf("%q is missing in\n%s", text, out)
				}
			}
		})
	}
}

// muffled is a connection that can stop to read.
type muffled struct {
	net.Conn
	deaf atomic.Bool
	over <-chan struct{}
}

func (m *muffled) Read(b []byte) (int, error) {
	if m.deaf.Load() {
		<-m.over
	}
	return m.Conn.Read(b)
}

func TestItEndsThoughAClientDoesNotRead(t *testing.T) {
	p := start(t)
	m := &muffled{over: t.Context().Done()}
	conn := dial(t, p.amqp, amqp.Config{Dial: func(network, address string) (_ net.Conn, err error) {
		m.Conn, err = net.Dial(network, address)
		return m, err
	}})
	ch, err := conn.Channel()
	must(t, err)
	_, err = ch.QueueDeclare("deaf", false, false, false, false, nil)
	must(t, err)
	_, err = ch.Consume("deaf", "", true, false, false, false, nil)
	must(t, err)
	m.deaf.Store(true)
	for range 24 { // more than the sockets' buffers hold
		must(t, ch.PublishWithContext(t.Context(), "", "deaf", false, false, amqp.Publishing{Body: make([]byte, 1<<20)}))
	}
	began := time.Now()
	if code, said := p.end(t, syscall.SIGTERM); code != exitDone || said != "" {
		t.Errorf("it ended with %d and said %q", code, said)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}
