//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/internal/rabbitmq"
)

// withVariable makes a copy of this test binary the command itself.
const withVariable = "WARREN_TEST_WITH"

func TestMain(m *testing.M) {
	if os.Getenv(withVariable) != "" {
		os.Exit(run(os.Args[1:]))
	}
	rabbitmq.Main(m)
}

// with is the command, in an environment with nothing but PATH and what is given.
func with(t *testing.T, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append([]string{withVariable + "=1", "PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}, environ...)
	cmd.WaitDelay = time.Minute
	return cmd
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	foreign := "AMQP_URL=amqp://elsewhere/"
	hidden := "PATH=/nonexistent"
	for name, test := range map[string]struct {
		environ []string
		args    []string
		code    int
		said    string // on either output
	}{
		"the command's own":               {[]string{foreign}, []string{"--", "/bin/sh", "-c", "exit 7"}, 7, ""},
		"without dashes":                  {[]string{foreign}, []string{"/bin/sh", "-c", "exit 0"}, 0, ""},
		"a signal's":                      {[]string{foreign}, []string{"/bin/sh", "-c", "kill -9 $$"}, 137, ""},
		"AMQP_URL wins":                   {[]string{foreign}, []string{"/bin/sh", "-c", "echo $AMQP_URL:$WARREN_NODE"}, 0, "amqp://elsewhere/:\n"},
		"AMQP_URL does not win over none": {[]string{foreign, "WARREN_BROKER=none"}, []string{"/bin/sh", "-c", ":"}, 0, "WAS LEFT OUT"},
		"what is left out is listed":      {[]string{hidden}, []string{"/bin/sh", "-c", `echo "consumer TestX/rabbitmq" >>$WARREN_LEFT_OUT; echo "connection TestY" >>$WARREN_LEFT_OUT`}, 0, "1 tests ran on rabbittest only, and 1 not at all:\nwith:   connection: TestY\n"},
		"no command":                      {nil, []string{"--"}, exitUsage, "usage"},
		"no such command":                 {[]string{foreign}, []string{"/nonexistent"}, exitNotFound, "no such file"},
		"not installed":                   {[]string{hidden}, []string{"/bin/sh", "-c", "echo ran anyway"}, 0, "ran anyway"},
		"asked whether it is installed":   {[]string{hidden}, []string{"-installed"}, 1, "no rabbitmq-server"},
		"not installed is said":           {[]string{hidden}, []string{"/bin/sh", "-c", ":"}, 0, "WAS LEFT OUT"},
		"not installed, but is required":  {[]string{hidden, "WARREN_REQUIRE_BROKER=1"}, []string{"/bin/sh", "-c", ":"}, exitFailed, "no rabbitmq-server"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := with(t, test.environ, test.args...).CombinedOutput()
			if _, other := errors.AsType[*exec.ExitError](err); err != nil && !other {
				t.Fatal(err)
			}
			code := 0
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				code = exit.ExitCode()
			}
			if code != test.code || !strings.Contains(string(out), test.said) {
				t.Errorf("code %d, want %d; said %q, want %q", code, test.code, out, test.said)
			}
		})
	}
}

func TestSignalsReachTheCommand(t *testing.T) {
	t.Parallel()
	const script = `trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done`
	cmd := with(t, []string{"AMQP_URL=amqp://elsewhere/"}, "/bin/sh", "-c", script)
	out := stdout(t, cmd)
	if line := readLine(t, out); line != "ready" {
		t.Fatalf("the command said %q", line)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 9 {
		t.Errorf("code %d, want the command's 9", code)
	}
}

func TestNodeLivesAsLongAsTheCommand(t *testing.T) {
	t.Parallel()
	rabbitmq.Installed(t)
	cmd := with(t, nil, "/bin/sh", "-c", `echo "$AMQP_URL"; echo "$WARREN_NODE"; read _; exit 3`)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out := stdout(t, cmd)
	url, folder := readLine(t, out), readLine(t, out)

	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatalf("the broker at AMQP_URL: %v", err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := os.Stat(folder); err != nil {
		t.Errorf("WARREN_NODE: %v", err)
	}

	_ = in.Close() // the command ends
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("code %d, want the command's 3", code)
	}
	if c, err := amqp.Dial(url); err == nil {
		_ = c.Close()
		t.Error("the node outlived the command")
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the node's folder is left: %v", err)
	}
}

func TestSignalDuringTheStart(t *testing.T) {
	t.Parallel()
	rabbitmq.Installed(t)
	tmp := t.TempDir()
	cmd := with(t, []string{"TMPDIR=" + tmp}, "/bin/sh", "-c", "echo must not run")
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for len(entries(t, tmp)) == 0 && time.Now().Before(deadline) { // then signals are taken, and the start has begun
		time.Sleep(5 * time.Millisecond)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 128+int(syscall.SIGTERM) {
		t.Errorf("code %d, want 143", code)
	}
	if left := entries(t, tmp); len(left) > 0 || out.Len() > 0 {
		t.Errorf("left %v, said %q; want neither files nor the command run", left, out.String())
	}
}

func entries(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// stdout starts cmd and returns what it prints.
func stdout(t *testing.T, cmd *exec.Cmd) *bufio.Reader {
	t.Helper()
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(pipe)
}

func readLine(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("read a line: %v", err)
	}
	return strings.TrimSuffix(line, "\n")
}
