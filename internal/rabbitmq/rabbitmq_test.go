package rabbitmq_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/rabbitmq"
)

// ownerVariable makes a copy of this test binary start a node and wait to be killed.
const ownerVariable = "WARREN_TEST_OWNER"

func TestMain(m *testing.M) {
	if os.Getenv(ownerVariable) != "" {
		ownANode()
	}
	rabbitmq.Main(m)
}

// One node lives through everything, since each start takes seconds.
func TestPrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := rabbitmq.Private(t, rabbitmq.Options{
		Dir:      dir,
		Name:     "private",
		Conf:     "channel_max = 77",
		Advanced: "[{rabbit, [{frame_max, 70000}]}].",
	})
	conn := dial(t, n.URL())

	if got := conn.Config.ChannelMax; got != 77 {
		t.Errorf("channel_max is %d: rabbitmq.conf was not read", got)
	}
	if got := conn.Config.FrameSize; got != 70000 {
		t.Errorf("frame_max is %d: advanced.config was not read", got)
	}
	if got := conn.Properties["version"]; got != n.Version() {
		t.Errorf("Version() = %q, the broker says %q", n.Version(), got)
	}
	if got := ctl(t, n, "eval", "node()."); !strings.HasPrefix(strings.Trim(got, "'\n"), "private-") {
		t.Errorf("rabbitmqctl reaches node %s", got)
	}
	if _, err := n.Ctl(t.Context(), "nonsense"); err == nil || !strings.Contains(err.Error(), "rabbitmqctl nonsense: ") {
		t.Errorf("Ctl(nonsense) = %v, want an error that says what was run", err)
	}

	// Killed: what was confirmed is still there after a restart.
	ch := channel(t, conn)
	declare(t, ch, "kept")
	publish(t, ch, "kept")
	if err := n.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	if c, err := amqp.Dial(n.URL()); err == nil {
		_ = c.Close()
		t.Error("a killed node serves")
	}
	if err := n.Freeze(); !errors.Is(err, rabbitmq.ErrNotRunning) {
		t.Errorf("Freeze after Kill = %v, want ErrNotRunning", err)
	}
	if err := n.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn = dial(t, n.URL())
	wantMessage(t, conn, "kept")

	// Frozen: the system still takes connections in its name, but nothing answers.
	if err := n.Freeze(); err != nil {
		t.Fatal(err)
	}
	if c, err := dialWithin(n.URL(), 200*time.Millisecond); err == nil {
		_ = c.Close()
		t.Error("a frozen node answers")
	}
	if err := n.Thaw(); err != nil {
		t.Fatal(err)
	}
	if c, err := dialWithin(n.URL(), time.Minute); err != nil {
		t.Errorf("after a thaw: %v", err)
	} else {
		_ = c.Close()
	}

	// Stopped, twice, then gone.
	for range 2 {
		if err := n.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := n.Restart(t.Context()); !errors.Is(err, rabbitmq.ErrClosed) {
		t.Errorf("Restart after Close = %v, want ErrClosed", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("Close left %v", left)
	}
}

func TestShared(t *testing.T) {
	t.Parallel()
	n := rabbitmq.Shared(t)
	url := rabbitmq.URL(t)
	if n.URL() != url {
		t.Errorf("Shared is at %s, URL is %s", n.URL(), url)
	}
	for name, disturb := range map[string]func() error{
		"Kill":    n.Kill,
		"Freeze":  n.Freeze,
		"Thaw":    n.Thaw,
		"Stop":    func() error { return n.Stop(t.Context()) },
		"Restart": func() error { return n.Restart(t.Context()) },
	} {
		if err := disturb(); !errors.Is(err, rabbitmq.ErrShared) {
			t.Errorf("%s on a shared node = %v, want ErrShared", name, err)
		}
	}
	if err := n.Close(); err != nil {
		t.Errorf("Close on a shared node = %v, want nil", err)
	}

	conn := dial(t, url)
	queues := []string{rabbitmq.Name(t, "one"), rabbitmq.Name(t, "two")}
	t.Run("queues are deleted at the end", func(t *testing.T) {
		rabbitmq.Delete(t, url, append(queues, rabbitmq.Name(t, "never declared"))...)
		ch := channel(t, conn)
		for _, q := range queues {
			declare(t, ch, q)
		}
		listed := ctl(t, n, "list_queues", "name")
		for _, q := range queues {
			if !strings.Contains(listed, q) {
				t.Errorf("rabbitmqctl does not list %s: %s", q, listed)
			}
		}
	})
	listed := ctl(t, n, "list_queues", "name")
	for _, q := range queues {
		if strings.Contains(listed, q) {
			t.Errorf("Delete left %s", q)
		}
	}
}

// A test process that is killed leaves neither processes nor, once another has started a node, files.
func TestOrphan(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self"); err != nil {
		t.Skip("SKIPPED: only Linux ends a node with its owner")
	}
	dir := t.TempDir()
	owner, node := startOwner(t, dir)
	folder := variable(t, node, "WARREN_NODE")
	if len(processesOf(folder)) < 2 {
		t.Errorf("found %v, want the node and its epmd", processesOf(folder))
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
	eventually(t, "the orphan's processes are gone", func() bool { return len(processesOf(folder)) == 0 })
	if _, err := os.Stat(folder); err != nil {
		t.Fatalf("the folder is gone too early for this test: %v", err)
	}

	rabbitmq.Sweep(dir)

	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the orphan's folder is still there: %v", err)
	}
}

// ownANode is what the copy of this binary does.
func ownANode() {
	n, err := rabbitmq.Start(context.Background(), rabbitmq.Options{})
	if err != nil {
		_, _ = os.Stdout.WriteString("error: " + err.Error() + "\n")
		os.Exit(1)
	}
	_, _ = os.Stdout.WriteString(strings.Join(n.Environ(), " ") + "\n")
	select {}
}

// startOwner starts a copy of this binary that owns a node in dir, and returns that node's environment.
func startOwner(t *testing.T, dir string) (*exec.Cmd, []string) {
	t.Helper()
	rabbitmq.Installed(t)
	owner := exec.CommandContext(t.Context(), os.Args[0])
	owner.Env = append(os.Environ(), ownerVariable+"=1", "TMPDIR="+dir)
	owner.Stderr = os.Stderr
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.HasPrefix(line, "error: ") {
		t.Fatalf("the owner said %q, %v", line, err)
	}
	return owner, strings.Fields(line)
}

// processesOf lists the processes that run in a folder.
func processesOf(folder string) []string {
	var found []string
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range all {
		if cwd, err := os.Readlink(p + "/cwd"); err == nil && strings.HasPrefix(cwd, folder) {
			found = append(found, p)
		}
	}
	return found
}

func variable(t *testing.T, environ []string, name string) string {
	t.Helper()
	for _, v := range environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	t.Fatalf("no %s in %q", name, environ)
	return ""
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func ctl(t *testing.T, n *rabbitmq.Node, args ...string) string {
	t.Helper()
	out, err := n.Ctl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func dialWithin(url string, limit time.Duration) (*amqp.Connection, error) {
	return amqp.DialConfig(url, amqp.Config{Dial: amqp.DefaultDial(limit)})
}

func dial(t *testing.T, url string) *amqp.Connection {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func channel(t *testing.T, conn *amqp.Connection) *amqp.Channel {
	t.Helper()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func declare(t *testing.T, ch *amqp.Channel, queue string) {
	t.Helper()
	const durable, autoDelete, exclusive, noWait = true, false, false, false
	if _, err := ch.QueueDeclare(queue, durable, autoDelete, exclusive, noWait, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
}

// publish publishes a message and waits for its confirm.
func publish(t *testing.T, ch *amqp.Channel, queue string) {
	t.Helper()
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	const mandatory, immediate = true, false
	c, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", queue, mandatory, immediate,
		amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := c.WaitContext(t.Context()); err != nil || !ok {
		t.Fatalf("confirmed: %v, %v", ok, err)
	}
}

// wantMessage waits for a message: a quorum queue elects a leader first.
func wantMessage(t *testing.T, conn *amqp.Connection, queue string) {
	t.Helper()
	eventually(t, "a message in "+queue, func() bool {
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ch.Close() }()
		_, ok, err := ch.Get(queue, true)
		return err == nil && ok
	})
}
